/* The engine's own arithmetic on the CPU: what stands between the matrix products, which torch does.

   Every function is pure: plain pointers to contiguous row-major arrays, sizes as int64, no allocation that outlives a call but
   the attention's scratch. Types: residual stream, norms, keys and values are float; what enters and leaves a matrix product is T,
   float or bfloat16 (typed.h is compiled for both). Threads are those of the OpenMP that torch has loaded. */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

#define EXPORT __attribute__((visibility("default")))
#define BLOCK 16 /* places of a cache block */
#define SPREAD 16384 /* numbers worth a second thread */

typedef uint16_t bf16;
/* Floats of the processor's own vectors: what is wider the compiler takes apart through memory. */
#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
typedef float vec __attribute__((vector_size(4 * LANES), aligned(4)));

static inline float load_bf16(bf16 x) {
    union { uint32_t bits; float value; } u = {(uint32_t)x << 16};
    return u.value;
}

/* Round to nearest, ties to even. */
static inline bf16 store_bf16(float x) {
    union { float value; uint32_t bits; } u = {x};
    return (bf16)((u.bits + 0x7fffu + ((u.bits >> 16) & 1u)) >> 16);
}

static inline float load_f32(float x) { return x; }
static inline float store_f32(float x) { return x; }

/* exp(x) to about 1e-7, in a form that the compiler turns into vector code: 2^n * e^r with |r| <= ln 2 / 2, Taylor to r^7. */
static inline float fast_exp(float x) {
    x = fminf(fmaxf(x, -87.0f), 88.0f);
    float whole = rintf(x * 1.44269504f);
    float r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    union { int32_t bits; float value; } scale = {((int32_t)whole + 127) << 23};
    return p * scale.value;
}

#define ROWS 64 /* queries at once on the way back through attention; a multiple of a panel's columns */

static inline int64_t padded(int64_t n) { return (n + 2 * BLOCK - 1) / (2 * BLOCK) * (2 * BLOCK); }

static inline float *zeros(int64_t count) {
    size_t bytes = (size_t)padded(count) * sizeof(float);
    return memset(aligned_alloc(64, bytes), 0, bytes);
}

/* Rows of a product held in registers at once: with PARTS vectors a row they fill them, and no more. */
#ifdef __AVX512F__
#define TILE 12
#else
#define TILE 6
#endif
/* Vectors of a row at once: of few rows a whole panel's, so that no product waits for the last one. */
#define PARTS(R) ((R) > 2 ? 2 : 2 * BLOCK / LANES)
#define TOGETHER 12 /* rows that meet a panel while it is near; a multiple of TILE */

#define TILES(M, m, DO) /* DO(rows) for all M rows, in as few steps as they fill */ \
    {                                                                                \
        int64_t m = 0;                                                               \
        for (; m + TILE <= (M); m += TILE) DO(TILE)                                  \
        for (; m + 6 <= (M) && TILE > 6; m += 6) DO(6)                               \
        for (; m + 2 <= (M); m += 2) DO(2)                                           \
        for (; m < (M); m++) DO(1)                                                   \
    }

/* R rows and 32 columns of C (+)= A B. */
static inline __attribute__((always_inline)) void tile(const int R, int64_t K, const float *a, int64_t row, int64_t column, const float *b,
                                                       int64_t ldb, float *c, int64_t ldc, int add) {
    for (int n = 0; n < 2 * BLOCK; n += PARTS(R) * LANES) {
        vec sums[TILE][PARTS(1)];
        for (int r = 0; r < R; r++)
            for (int p = 0; p < PARTS(R); p++) sums[r][p] = add ? *(vec *)(c + r * ldc + n + p * LANES) : (vec){0};
        for (int64_t k = 0; k < K; k++)
            for (int r = 0; r < R; r++)
                for (int p = 0; p < PARTS(R); p++) sums[r][p] += a[r * row + k * column] * *(const vec *)(b + k * ldb + n + p * LANES);
        for (int r = 0; r < R; r++)
            for (int p = 0; p < PARTS(R); p++) *(vec *)(c + r * ldc + n + p * LANES) = sums[r][p];
    }
}

/* C [M, N] = (or += if add) A [M, K] B [K, N]; A's element (m, k) is a[m * row + k * column]; N a multiple of 32. */
static void multiply(int64_t M, int64_t N, int64_t K, const float *a, int64_t row, int64_t column, const float *b, int64_t ldb, float *c,
                     int64_t ldc, int add) {
    for (int64_t n = 0; n < N; n += 2 * BLOCK)
#define DO(R) tile(R, K, a + m * row, row, column, b + n, ldb, c + m * ldc + n, ldc, add);
        TILES(M, m, DO)
#undef DO
}

/* One panel, 32 columns of a packed right side, times R rows of x [*, K], row apart, to rows of c, ldc apart. A float panel is [K, 32]. */
static inline __attribute__((always_inline)) void panel_float32(const int R, int64_t K, const float *x, int64_t row, const float *panel,
                                                                float *c, int64_t ldc) {
    tile(R, K, x, row, 1, panel, 2 * BLOCK, c, ldc, 0);
}

/* A bfloat16 panel is [K / 2, 32, 2]: the processor multiplies pairs. */
static inline __attribute__((always_inline)) void panel_bfloat16(const int R, int64_t K, const bf16 *x, int64_t row, const bf16 *panel,
                                                                 float *c, int64_t ldc) {
#ifdef __AVX512BF16__
    __m512 left[TILE], right[TILE];
    for (int r = 0; r < R; r++) left[r] = right[r] = _mm512_setzero_ps();
    for (int64_t k = 0; k < K / 2; k++) {
        __m512bh b0 = (__m512bh)_mm512_loadu_si512(panel + k * 4 * BLOCK), b1 = (__m512bh)_mm512_loadu_si512(panel + k * 4 * BLOCK + 2 * BLOCK);
        for (int r = 0; r < R; r++) {
            int32_t pair;
            memcpy(&pair, x + r * row + 2 * k, sizeof pair);
            __m512bh a = (__m512bh)_mm512_set1_epi32(pair);
            left[r] = _mm512_dpbf16_ps(left[r], a, b0);
            right[r] = _mm512_dpbf16_ps(right[r], a, b1);
        }
    }
    for (int r = 0; r < R; r++) {
        _mm512_storeu_ps(c + r * ldc, left[r]);
        _mm512_storeu_ps(c + r * ldc + BLOCK, right[r]);
    }
#else
    for (int r = 0; r < R; r++) {
        float sums[2 * BLOCK] = {0};
        for (int64_t k = 0; k < K; k += 2) {
            float first = load_bf16(x[r * row + k]), second = load_bf16(x[r * row + k + 1]);
#pragma omp simd
            for (int n = 0; n < 2 * BLOCK; n++)
                sums[n] += first * load_bf16(panel[k * 2 * BLOCK + 2 * n]) + second * load_bf16(panel[k * 2 * BLOCK + 2 * n + 1]);
        }
        memcpy(c + r * ldc, sums, sizeof sums);
    }
#endif
}

/* weight[i] = exp((row[i] - best) * scale), rounded; returns their sum before rounding. count is a multiple of 32. */
static inline float weigh_float32(int64_t count, const float *row, float best, float scale, float *weight) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++) sum += weight[i] = fast_exp((row[i] - best) * scale);
    return sum;
}

#ifdef __AVX512BF16__
/* 2^x to about 2e-6, which bfloat16 does not see: Taylor to r^5 for |r| <= 1/2. */
static inline __m512 power_of_2(__m512 x) {
    __m512 whole = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT), r = x - whole;
    __m512 p = r * 1.3333558e-3f + 9.6181291e-3f;
    p = p * r + 5.5504109e-2f;
    p = p * r + 2.4022651e-1f;
    p = p * r + 6.9314718e-1f;
    return _mm512_scalef_ps(p * r + 1.0f, whole);
}
#endif

static inline float weigh_bfloat16(int64_t count, const float *row, float best, float scale, bf16 *weight) {
#ifdef __AVX512BF16__
    __m512 first = _mm512_setzero_ps(), second = first;
    float factor = scale * 1.44269504f, shift = best * factor;
    for (int64_t i = 0; i < count; i += 2 * BLOCK) {
        __m512 a = power_of_2(_mm512_loadu_ps(row + i) * factor - shift), b = power_of_2(_mm512_loadu_ps(row + i + BLOCK) * factor - shift);
        first += a;
        second += b;
        _mm512_storeu_si512(weight + i, (__m512i)_mm512_cvtne2ps_pbh(b, a));
    }
    return _mm512_reduce_add_ps(first + second);
#else
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++) {
        float x = fast_exp((row[i] - best) * scale);
        sum += x;
        weight[i] = store_bf16(x);
    }
    return sum;
#endif
}

/* Rows a and b side by side, rounded: a[0], b[0], a[1]..; of float a alone. */
static inline void interleave_float32(int64_t count, const float *a, const float *b, float *to) {
    (void)b;
    memcpy(to, a, (size_t)count * sizeof(float));
}

static inline void interleave_bfloat16(int64_t count, const float *a, const float *b, bf16 *to) {
    int64_t i = 0;
#ifdef __AVX512BF16__
    for (; i + BLOCK <= count; i += BLOCK) {
        __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(a + i)));
        __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(b + i)));
        _mm512_storeu_si512(to + 2 * i, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
    }
#endif
    for (; i < count; i++) {
        to[2 * i] = store_bf16(a[i]);
        to[2 * i + 1] = store_bf16(b[i]);
    }
}

#ifdef __AVX512BF16__
static inline __m512 widened(const bf16 *from) {
    return (__m512)_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)from)), 16);
}

static inline void rounded(bf16 *to, __m512 x) { _mm256_storeu_si256((__m256i *)to, (__m256i)_mm512_cvtneps_pbh(x)); }
#endif

/* to[i] = silu(gate[i]) * up[i]. */
static inline void gated_float32(int64_t count, const float *gate, const float *up, float *to) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) to[i] = gate[i] / (1.0f + fast_exp(-gate[i])) * up[i];
}

static inline void gated_bfloat16(int64_t count, const bf16 *gate, const bf16 *up, bf16 *to) {
    int64_t i = 0;
#ifdef __AVX512BF16__
    for (; i + BLOCK <= count; i += BLOCK) {
        __m512 x = widened(gate + i);
        rounded(to + i, x * _mm512_rcp14_ps(power_of_2(x * -1.44269504f) + 1.0f) * widened(up + i));
    }
#endif
    for (; i < count; i++) {
        float x = load_bf16(gate[i]);
        to[i] = store_bf16(x / (1.0f + fast_exp(-x)) * load_bf16(up[i]));
    }
}

/* A panel's count <= 32 numbers of a row to to, plus bias (if any), rounded. */
static inline void store_row_float32(int64_t count, const float *row, const float *bias, float *to) {
    for (int64_t i = 0; i < count; i++) to[i] = row[i] + (bias ? bias[i] : 0);
}

static inline void store_row_bfloat16(int64_t count, const float *row, const bf16 *bias, bf16 *to) {
#ifdef __AVX512BF16__
    if (count == 2 * BLOCK) {
        __m512 low = _mm512_loadu_ps(row), high = _mm512_loadu_ps(row + BLOCK);
        if (bias) {
            low += widened(bias);
            high += widened(bias + BLOCK);
        }
        _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh(high, low));
        return;
    }
#endif
    for (int64_t i = 0; i < count; i++) to[i] = store_bf16(row[i] + (bias ? load_bf16(bias[i]) : 0));
}

/* The gradients of that at gate and up for d at to. */
static inline void gated_backward_float32(int64_t count, const float *gate, const float *up, const float *d, float *dgate, float *dup) {
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        float x = gate[i], s = 1.0f / (1.0f + fast_exp(-x));
        dgate[i] = d[i] * up[i] * s * (1.0f + x * (1.0f - s));
        dup[i] = d[i] * x * s;
    }
}

static inline void gated_backward_bfloat16(int64_t count, const bf16 *gate, const bf16 *up, const bf16 *d, bf16 *dgate, bf16 *dup) {
    int64_t i = 0;
#ifdef __AVX512BF16__
    for (; i + BLOCK <= count; i += BLOCK) {
        __m512 x = widened(gate + i), y = widened(d + i), s = _mm512_rcp14_ps(power_of_2(x * -1.44269504f) + 1.0f);
        rounded(dgate + i, y * widened(up + i) * s * (1.0f + x * (1.0f - s)));
        rounded(dup + i, y * x * s);
    }
#endif
    for (; i < count; i++) {
        float x = load_bf16(gate[i]), s = 1.0f / (1.0f + fast_exp(-x)), y = load_bf16(d[i]);
        dgate[i] = store_bf16(y * load_bf16(up[i]) * s * (1.0f + x * (1.0f - s)));
        dup[i] = store_bf16(y * x * s);
    }
}

/* 32 queries at one place on the way back through attention: from scores c and d loss / d weight e the weights exp(c * scale - norm)
   and slopes weight * (e - delta) * scale, both 0 but for the queries from..to; the slopes are left in e, too. */
static inline void slopes_float32(int64_t from, int64_t to, const float *c, const float *norm, const float *delta, float scale, float *e,
                                  float *weight, float *slope) {
#pragma omp simd
    for (int64_t j = 0; j < 2 * BLOCK; j++) {
        float w = j < from || j >= to ? 0 : fast_exp(c[j] * scale - norm[j]);
        weight[j] = w;
        slope[j] = e[j] = w * (e[j] - delta[j]) * scale;
    }
}

static inline void slopes_bfloat16(int64_t from, int64_t to, const float *c, const float *norm, const float *delta, float scale, float *e,
                                   bf16 *weight, bf16 *slope) {
#ifdef __AVX512BF16__
    uint64_t seen = (to < 2 * BLOCK ? (1ull << (to > 0 ? to : 0)) - 1 : ~0ull) & (from < 2 * BLOCK ? ~0ull << (from > 0 ? from : 0) : 0);
    __m512 w[2], s[2];
    for (int p = 0; p < 2; p++) {
        __m512 x = (_mm512_loadu_ps(c + p * BLOCK) * scale - _mm512_loadu_ps(norm + p * BLOCK)) * 1.44269504f;
        w[p] = _mm512_maskz_mov_ps((__mmask16)(seen >> (p * BLOCK)), power_of_2(x));
        s[p] = w[p] * (_mm512_loadu_ps(e + p * BLOCK) - _mm512_loadu_ps(delta + p * BLOCK)) * scale;
        _mm512_storeu_ps(e + p * BLOCK, s[p]);
    }
    _mm512_storeu_si512(weight, (__m512i)_mm512_cvtne2ps_pbh(w[1], w[0]));
    _mm512_storeu_si512(slope, (__m512i)_mm512_cvtne2ps_pbh(s[1], s[0]));
#else
    for (int64_t j = 0; j < 2 * BLOCK; j++) {
        float w = j < from || j >= to ? 0 : fast_exp(c[j] * scale - norm[j]);
        e[j] = w * (e[j] - delta[j]) * scale;
        weight[j] = store_bf16(w);
        slope[j] = store_bf16(e[j]);
    }
#endif
}

/* Neighbours in a panel that are multiplied together. */
#define PAIR(T) ((int64_t)(sizeof(T) == 2 ? 2 : 1))

#ifdef __AVX512BF16__
#define PANELS(T) 1
#else
#define PANELS(T) (sizeof(T) == sizeof(float)) /* products of bfloat16 are worth it only where the processor has them */
#endif

/* 1 if products of bfloat16 are faster here than of float. */
EXPORT int kernels_bfloat16(void) {
#ifdef __AVX512BF16__
    return 1;
#else
    return 0;
#endif
}

/* 1 if this processor can run what the compiler was told to use. */
EXPORT int kernels_supported(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
#define HAS(feature) \
    if (!__builtin_cpu_supports(feature)) return 0;
#ifdef __FMA__
    HAS("fma")
#endif
#ifdef __BMI2__
    HAS("bmi2")
#endif
#ifdef __AVX2__
    HAS("avx2")
#endif
#ifdef __AVX512F__
    HAS("avx512f")
#endif
#ifdef __AVX512VL__
    HAS("avx512vl")
#endif
#ifdef __AVX512VBMI2__
    HAS("avx512vbmi2")
#endif
#ifdef __AVX512BF16__
    HAS("avx512bf16")
#endif
#ifdef __AVX512FP16__
    HAS("avx512fp16")
#endif
#undef HAS
#endif
    return 1;
}

#define T float
#define LOAD load_f32
#define STORE store_f32
#define NAME(x) x##_float32
#include "typed.h"
#undef T
#undef LOAD
#undef STORE
#undef NAME
#define T bf16
#define LOAD load_bf16
#define STORE store_bf16
#define NAME(x) x##_bfloat16
#include "typed.h"
