/* The kernels for one type T of what enters and leaves the matrix products. Axes: N tokens, H hidden, D head size, M MLP width,
   V vocabulary, K targets a token, R numbers of a low-rank bottleneck. */

/* total [N, H] = x + y (if any), and may be x itself; out = total * r * weight with r = 1 / sqrt(mean(total^2) + eps), which is
   kept in inverse [N] (if any). */
EXPORT void NAME(add_norm)(int64_t N, int64_t H, const float *x, const T *y, const float *weight, float eps, float *total, T *out,
                           float *inverse) {
#pragma omp parallel for if (N * H > SPREAD)
    for (int64_t n = 0; n < N; n++) {
        const float *from = x + n * H;
        float *row = total + n * H, sum = 0;
        if (y) {
            const T *add = y + n * H;
#pragma omp simd reduction(+ : sum)
            for (int64_t i = 0; i < H; i++) {
                float value = from[i] + LOAD(add[i]);
                row[i] = value;
                sum += value * value;
            }
        } else {
#pragma omp simd reduction(+ : sum)
            for (int64_t i = 0; i < H; i++) {
                row[i] = from[i];
                sum += from[i] * from[i];
            }
        }
        float r = 1.0f / sqrtf(sum / (float)H + eps);
        if (inverse) inverse[n] = r;
        T *to = out + n * H;
#pragma omp simd
        for (int64_t i = 0; i < H; i++) to[i] = STORE(row[i] * r * weight[i]);
    }
}

/* dx [N, H] += gradient of the norm at x for dout [N, H]; the sum, rounded, is dy [N, H] (if any). */
EXPORT void NAME(add_norm_backward)(int64_t N, int64_t H, const float *x, const float *weight, const float *inverse, const T *dout,
                                    float *dx, T *dy) {
#pragma omp parallel for if (N * H > SPREAD)
    for (int64_t n = 0; n < N; n++) {
        const float *row = x + n * H;
        const T *d = dout + n * H;
        float *to = dx + n * H;
        float dot = 0, r = inverse[n];
#pragma omp simd reduction(+ : dot)
        for (int64_t i = 0; i < H; i++) dot += row[i] * weight[i] * LOAD(d[i]);
        dot *= r * r * r / (float)H;
#pragma omp simd
        for (int64_t i = 0; i < H; i++) to[i] += r * weight[i] * LOAD(d[i]) - row[i] * dot;
        if (dy) {
            T *rounded = dy + n * H;
#pragma omp simd
            for (int64_t i = 0; i < H; i++) rounded[i] = STORE(to[i]);
        }
    }
}

/* One head [D] normed (if weight) and turned by its position's angles [D / 2] into to, float. Returns the norm's factor. */
static inline float NAME(turn)(int64_t D, const T *head, const float *weight, float eps, const float *cosine, const float *sine, float *to) {
    int64_t half = D / 2;
    float r = 1;
    if (weight) {
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < D; i++) sum += LOAD(head[i]) * LOAD(head[i]);
        r = 1.0f / sqrtf(sum / (float)D + eps);
#pragma omp simd
        for (int64_t i = 0; i < half; i++) {
            float a = LOAD(head[i]) * r * weight[i], b = LOAD(head[i + half]) * r * weight[i + half];
            to[i] = a * cosine[i] - b * sine[i];
            to[i + half] = b * cosine[i] + a * sine[i];
        }
    } else {
#pragma omp simd
        for (int64_t i = 0; i < half; i++) {
            float a = LOAD(head[i]), b = LOAD(head[i + half]);
            to[i] = a * cosine[i] - b * sine[i];
            to[i + half] = b * cosine[i] + a * sine[i];
        }
    }
    return r;
}

/* qkv [N, heads + 2 kv, D] -> q [N, heads, D] and k [N, kv, D], normed (if norm [heads + kv, D]) and turned; the norms' factors are
   kept in inverse [N, heads + kv] (if norm). cosine, sine [places, D / 2]. */
EXPORT void NAME(turn_heads)(int64_t N, int64_t heads, int64_t kv, int64_t D, const T *qkv, const float *norm, float eps,
                             const float *cosine, const float *sine, const int64_t *positions, T *q, T *k, float *inverse) {
    int64_t turned = heads + kv, all = turned + kv;
#pragma omp parallel for if (N * all * D > SPREAD)
    for (int64_t n = 0; n < N; n++) {
        const float *c = cosine + positions[n] * (D / 2), *s = sine + positions[n] * (D / 2);
        float whole[D];
        for (int64_t h = 0; h < turned; h++) {
            float r = NAME(turn)(D, qkv + (n * all + h) * D, norm ? norm + h * D : 0, eps, c, s, whole);
            if (norm) inverse[n * turned + h] = r;
            T *to = h < heads ? q + (n * heads + h) * D : k + (n * kv + h - heads) * D;
#pragma omp simd
            for (int64_t i = 0; i < D; i++) to[i] = STORE(whole[i]);
        }
    }
}

/* dq [N, heads, D] and dk [N, kv, D] -> the first heads + kv of dqkv [N, heads + 2 kv, D], the gradient of turn_heads at qkv. */
EXPORT void NAME(turn_heads_backward)(int64_t N, int64_t heads, int64_t kv, int64_t D, const T *qkv, const float *norm,
                                      const float *cosine, const float *sine, const int64_t *positions, const float *inverse,
                                      const T *dq, const T *dk, T *dqkv) {
    int64_t turned = heads + kv, all = turned + kv, half = D / 2;
#pragma omp parallel for if (N * all * D > SPREAD)
    for (int64_t n = 0; n < N; n++) {
        const float *c = cosine + positions[n] * half, *s = sine + positions[n] * half;
        float back[D];
        for (int64_t h = 0; h < turned; h++) {
            const T *d = h < heads ? dq + (n * heads + h) * D : dk + (n * kv + h - heads) * D;
            T *to = dqkv + (n * all + h) * D;
#pragma omp simd
            for (int64_t i = 0; i < half; i++) {
                float a = LOAD(d[i]), b = LOAD(d[i + half]);
                back[i] = a * c[i] + b * s[i];
                back[i + half] = b * c[i] - a * s[i];
            }
            if (norm) {
                const T *head = qkv + (n * all + h) * D;
                const float *weight = norm + h * D;
                float r = inverse[n * turned + h], dot = 0;
#pragma omp simd reduction(+ : dot)
                for (int64_t i = 0; i < D; i++) dot += LOAD(head[i]) * weight[i] * back[i];
                dot *= r * r * r / (float)D;
#pragma omp simd
                for (int64_t i = 0; i < D; i++) to[i] = STORE(r * weight[i] * back[i] - LOAD(head[i]) * dot);
            } else {
#pragma omp simd
                for (int64_t i = 0; i < D; i++) to[i] = STORE(back[i]);
            }
        }
    }
}

/* rows of from [*, D], stride apart, times scale -> to [rows, wide], or transposed -> to [D, wide]; the rest of to is left. */
static inline void NAME(gather)(int64_t rows, int64_t D, const T *from, int64_t stride, float scale, float *to, int64_t wide, int transposed) {
    for (int64_t r = 0; r < rows; r++) {
        const T *row = from + r * stride;
        if (transposed)
            for (int64_t d = 0; d < D; d++) to[d * wide + r] = LOAD(row[d]) * scale;
        else
            for (int64_t d = 0; d < D; d++) to[r * wide + d] = LOAD(row[d]) * scale;
    }
}

/* Rows of from [rows, D], stride apart, as the columns of a product's right side: panels of 32 of them, [D / P, 32, P] each, the last
   one filled up with zeros. A float panel has P = 1, a bfloat16 one pairs. */
static inline void NAME(pack_columns)(int64_t rows, int64_t D, const T *from, int64_t stride, T *to) {
    for (int64_t n = 0; n < rows; n += 2 * BLOCK, to += D * 2 * BLOCK) {
        int64_t count = rows - n < 2 * BLOCK ? rows - n : 2 * BLOCK;
        if (count < 2 * BLOCK) memset(to, 0, (size_t)(D * 2 * BLOCK) * sizeof(T));
        for (int64_t i = 0; i < count; i++)
            for (int64_t d = 0; d < D; d += PAIR(T))
                for (int p = 0; p < PAIR(T); p++) to[d * 2 * BLOCK + i * PAIR(T) + p] = from[(n + i) * stride + d + p];
    }
}

/* from [rows, D], stride apart, as a product's right side: panels of 32 of its columns, [held / P, 32, P] each, zeros past rows. */
static inline void NAME(pack_rows)(int64_t rows, int64_t D, const T *from, int64_t stride, T *to, int64_t held) {
    int64_t whole = rows / PAIR(T) * PAIR(T);
    for (int64_t n = 0; n < D; n += 2 * BLOCK, to += held * 2 * BLOCK) {
        memset(to + whole * 2 * BLOCK, 0, (size_t)((held - whole) * 2 * BLOCK) * sizeof(T));
        int64_t count = D - n < 2 * BLOCK ? D - n : 2 * BLOCK;
        for (int64_t r = 0; r < whole; r += PAIR(T)) {
            const T *first = from + r * stride + n, *second = first + (PAIR(T) - 1) * stride;
            T *pairs = to + r * 2 * BLOCK;
#pragma omp simd
            for (int64_t i = 0; i < count; i++) {
                pairs[i * PAIR(T)] = first[i];
                pairs[i * PAIR(T) + PAIR(T) - 1] = second[i];
            }
        }
        for (int64_t i = 0; whole < rows && i < count; i++) to[whole * 2 * BLOCK + i * PAIR(T)] = from[whole * stride + n + i];
    }
}

/* Attention of rows <= TOGETHER queries [rows, D], the first of which sees before + 1 places, over keys packed as columns and values
   packed as rows of held places; out rows are stride apart. The log sum exp of each row's scores goes to normalizers (if any), apart
   by apart. scratch holds TOGETHER * (held + padded(D)) floats and as many T. */
static inline void NAME(attend_rows)(int64_t rows, int64_t D, int64_t before, const T *queries, const T *keys, const T *values, int64_t held,
                                     float *scratch, T *out, int64_t stride, float *normalizers, int64_t apart) {
    int64_t seen = padded(before + rows);
    float *scores = scratch, *product = scores + TOGETHER * held, scale = 1.0f / sqrtf((float)D), inverse[TOGETHER];
    T *weights = (T *)(product + TOGETHER * padded(D));
    for (int64_t n = 0; n < seen; n += 2 * BLOCK)
#define DO(R) NAME(panel)(R, D, queries + m * D, D, keys + n * D, scores + m * held + n, held);
        TILES(rows, m, DO)
#undef DO
    for (int64_t r = 0; r < rows; r++) {
        float *row = scores + r * held, best = row[0];
        for (int64_t i = before + r + 1; i < seen; i++) row[i] = -3e38f;
#pragma omp simd reduction(max : best)
        for (int64_t i = 0; i < seen; i++) best = row[i] > best ? row[i] : best;
        float sum = NAME(weigh)(seen, row, best, scale, weights + r * seen);
        inverse[r] = 1.0f / sum;
        if (normalizers) normalizers[r * apart] = best * scale + logf(sum);
    }
    for (int64_t n = 0; n < D; n += 2 * BLOCK) {
        int64_t count = D - n < 2 * BLOCK ? D - n : 2 * BLOCK;
#define DO(R) NAME(panel)(R, seen, weights + m * seen, seen, values + n * held, product + m * 2 * BLOCK, 2 * BLOCK);
        TILES(rows, m, DO)
#undef DO
        for (int64_t r = 0; r < rows; r++)
            for (int64_t i = 0; i < count; i++) out[r * stride + n + i] = STORE(product[r * 2 * BLOCK + i] * inverse[r]);
    }
}

/* Causal attention within each of S sequences, tokens starts[s]..starts[s + 1] of q [N, heads, D], k [N, kv, D] and v (rows
   vstride apart, kv * D used) -> out [N, heads, D] and the log sum exp of each row's scores in normalizers [N, heads]. Of each
   sequence what comes before its token asked[s] is attended to, and most of it has no output. */
EXPORT void NAME(attention)(int64_t S, const int64_t *starts, const int64_t *asked, int64_t heads, int64_t kv, int64_t D, const T *q,
                            const T *k, const T *v, int64_t vstride, T *out, float *normalizers) {
    int64_t group = heads / kv, wide = padded(D);
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t s = 0; s < S; s++)
        for (int64_t g = 0; g < kv; g++) {
            int64_t first = starts[s], length = starts[s + 1] - first, held = padded(length);
            float *scratch = zeros(2 * TOGETHER * (held + wide) + 2 * held * wide + TOGETHER * wide);
            T *keys = (T *)(scratch + 2 * TOGETHER * (held + wide)), *values = keys + held * wide, *queries = values + held * wide;
            NAME(pack_columns)(length, D, k + (first * kv + g) * D, kv * D, keys);
            NAME(pack_rows)(length, D, v + first * vstride + g * D, vstride, values, held);
            for (int64_t h = g * group; h < (g + 1) * group; h++)
                for (int64_t start = asked[s] / ROWS * ROWS; start < length; start += TOGETHER) {
                    int64_t rows = length - start < TOGETHER ? length - start : TOGETHER, at = (first + start) * heads + h;
                    for (int64_t r = 0; r < rows; r++) memcpy(queries + r * D, q + (at + r * heads) * D, (size_t)D * sizeof(T));
                    NAME(attend_rows)(rows, D, start, queries, keys, values, held, scratch, out + at * D, heads * D, normalizers + at, heads);
                }
            free(scratch);
        }
}

/* The gradient of attention for dout [N, heads, D] -> dq [N, heads, D], dk [N, kv, D], and dv with rows vstride apart. Before token
   asked[s] of a sequence dout is 0, and dq 0 or left as it is. The weights are computed anew and transposed, [places, queries], ROWS
   queries at once: so they are the left side of the products for keys and values as they stand, and each query's number is a lane.
   Dao 2023 (arXiv 2307.08691), algorithm 2. */
EXPORT void NAME(attention_backward)(int64_t S, const int64_t *starts, const int64_t *asked, int64_t heads, int64_t kv, int64_t D,
                                     const T *q, const T *k, const T *v, int64_t vstride, const T *out, const float *normalizers,
                                     const T *dout, T *dq, T *dk, T *dv) {
    int64_t group = heads / kv, wide = padded(D);
    float scale = 1.0f / sqrtf((float)D);
#pragma omp parallel for collapse(2) schedule(dynamic, 1)
    for (int64_t s = 0; s < S; s++)
        for (int64_t g = 0; g < kv; g++) {
            int64_t first = starts[s], length = starts[s + 1] - first, held = (length + ROWS - 1) / ROWS * ROWS;
            float *scratch = zeros(5 * held * wide + 3 * held * ROWS + 4 * ROWS * wide);
            float *dkeys = scratch, *dvalues = dkeys + held * wide;
            T *keys = (T *)(dvalues + held * wide), *values = keys + held * wide, *turned_keys = values + held * wide;
            T *weights = turned_keys + held * wide, *slopes = weights + held * ROWS, *packed_slopes = slopes + held * ROWS;
            T *query_columns = packed_slopes + held * ROWS, *query_rows = query_columns + ROWS * wide;
            T *back_columns = query_rows + ROWS * wide, *back_rows = back_columns + ROWS * wide;
            for (int64_t i = 0; i < length; i++) {
                const T *key = k + ((first + i) * kv + g) * D;
                memcpy(keys + i * D, key, (size_t)D * sizeof(T));
                memcpy(values + i * D, v + (first + i) * vstride + g * D, (size_t)D * sizeof(T));
                for (int64_t d = 0; d < D; d++) turned_keys[d * held + i] = key[d];
            }
            for (int64_t h = g * group; h < (g + 1) * group; h++)
                for (int64_t start = asked[s] / ROWS * ROWS; start < length; start += ROWS) {
                    int64_t rows = length - start < ROWS ? length - start : ROWS, at = (first + start) * heads + h, seen = start + ROWS;
                    float norm[ROWS] = {0}, delta[ROWS] = {0}, c[TILE * 2 * BLOCK], e[TILE * 2 * BLOCK];
                    for (int64_t r = 0; r < rows; r++) {
                        const T *own = out + (at + r * heads) * D, *back = dout + (at + r * heads) * D;
                        float sum = 0;
#pragma omp simd reduction(+ : sum)
                        for (int64_t d = 0; d < D; d++) sum += LOAD(own[d]) * LOAD(back[d]);
                        delta[r] = sum;
                        norm[r] = normalizers[at + r * heads];
                    }
                    if (rows < ROWS) {
                        memset(query_columns, 0, (size_t)(ROWS * wide) * sizeof(T));
                        memset(back_columns, 0, (size_t)(ROWS * wide) * sizeof(T));
                    }
                    NAME(pack_columns)(rows, D, q + at * D, heads * D, query_columns);
                    NAME(pack_columns)(rows, D, dout + at * D, heads * D, back_columns);
                    NAME(pack_rows)(rows, D, q + at * D, heads * D, query_rows, ROWS);
                    NAME(pack_rows)(rows, D, dout + at * D, heads * D, back_rows, ROWS);
                    for (int64_t n = 0; n < ROWS; n += 2 * BLOCK) {
                        T *packed = packed_slopes + n * held;
#define DO(R)                                                                                                         \
    {                                                                                                                 \
        NAME(panel)(R, D, keys + m * D, D, query_columns + n * D, c, 2 * BLOCK);                                      \
        NAME(panel)(R, D, values + m * D, D, back_columns + n * D, e, 2 * BLOCK);                                     \
        for (int r = 0; r < R; r++) {                                                                                 \
            int64_t place = (m + r) * ROWS + n;                                                                       \
            NAME(slopes)(m + r - start - n, rows - n, c + r * 2 * BLOCK, norm + n, delta + n, scale, e + r * 2 * BLOCK, weights + place, \
                         slopes + place);                                                                             \
        }                                                                                                             \
        for (int r = 0; r < R; r += PAIR(T))                                                                          \
            NAME(interleave)(2 * BLOCK, e + r * 2 * BLOCK, e + (r + 1) * 2 * BLOCK, packed + (m + r) * 2 * BLOCK);    \
    }
                        TILES(seen, m, DO)
#undef DO
                    }
                    for (int64_t n = 0; n < D; n += 2 * BLOCK) {
#define DO(R)                                                                                                     \
    {                                                                                                             \
        NAME(panel)(R, ROWS, slopes + m * ROWS, ROWS, query_rows + n * ROWS, c, 2 * BLOCK);                       \
        NAME(panel)(R, ROWS, weights + m * ROWS, ROWS, back_rows + n * ROWS, e, 2 * BLOCK);                       \
        for (int r = 0; r < R; r++)                                                                               \
            for (int64_t j = 0; j < 2 * BLOCK; j++) {                                                             \
                dkeys[(m + r) * wide + n + j] += c[r * 2 * BLOCK + j];                                            \
                dvalues[(m + r) * wide + n + j] += e[r * 2 * BLOCK + j];                                          \
            }                                                                                                     \
    }
                        TILES(seen, m, DO)
#undef DO
                    }
                    for (int64_t n = 0; n < rows; n += 2 * BLOCK) {
                        int64_t count = rows - n < 2 * BLOCK ? rows - n : 2 * BLOCK;
#define DO(R)                                                                                                  \
    {                                                                                                          \
        NAME(panel)(R, seen, turned_keys + m * held, held, packed_slopes + n * held, c, 2 * BLOCK);            \
        for (int64_t j = 0; j < count; j++)                                                                    \
            for (int r = 0; r < R; r++) dq[(at + (n + j) * heads) * D + m + r] = STORE(c[r * 2 * BLOCK + j]);  \
    }
                        TILES(D, m, DO)
#undef DO
                    }
                }
            for (int64_t r = 0; r < length; r++)
                for (int64_t d = 0; d < D; d++) {
                    dk[((first + r) * kv + g) * D + d] = STORE(dkeys[r * wide + d]);
                    dv[(first + r) * vstride + g * D + d] = STORE(dvalues[r * wide + d]);
                }
            free(scratch);
        }
}

/* As turn_heads, for sampling: queries to q [N, heads, D] float, keys and values into cache blocks at slots [N] (block * BLOCK +
   place). keys [blocks, kv, D, BLOCK], so that a query meets BLOCK keys at once; values [blocks, kv, BLOCK, D]. */
EXPORT void NAME(turn_into_cache)(int64_t N, int64_t heads, int64_t kv, int64_t D, const T *qkv, const float *norm, float eps,
                                  const float *cosine, const float *sine, const int64_t *positions, const int64_t *slots, float *q,
                                  float *keys, float *values) {
    int64_t turned = heads + kv, all = turned + kv;
#pragma omp parallel for if (N * all * D > SPREAD)
    for (int64_t n = 0; n < N; n++) {
        const float *c = cosine + positions[n] * (D / 2), *s = sine + positions[n] * (D / 2);
        int64_t block = slots[n] / BLOCK, place = slots[n] % BLOCK;
        float whole[D];
        for (int64_t h = 0; h < heads; h++)
            NAME(turn)(D, qkv + (n * all + h) * D, norm ? norm + h * D : 0, eps, c, s, q + (n * heads + h) * D);
        for (int64_t h = 0; h < kv; h++) {
            NAME(turn)(D, qkv + (n * all + heads + h) * D, norm ? norm + (heads + h) * D : 0, eps, c, s, whole);
            float *key = keys + ((block * kv + h) * D) * BLOCK + place, *value = values + ((block * kv + h) * BLOCK + place) * D;
            const T *v = qkv + (n * all + turned + h) * D;
            for (int64_t i = 0; i < D; i++) key[i * BLOCK] = whole[i];
            for (int64_t i = 0; i < D; i++) value[i] = LOAD(v[i]);
        }
    }
}

/* scratch grown to count floats, with whatever was in it. */
static inline float *NAME(room)(float *scratch, int64_t *held, int64_t count) {
    if (count <= *held) return scratch;
    free(scratch);
    *held = 2 * count;
    return zeros(*held);
}

/* One token over blocks of its sequence, seen places of them, for the group of heads that share keys g: q, out [group, D]. Worked
   off block by block, so that keys and values come from far memory once. Returns scratch, which may have moved. */
static float *NAME(attend_one)(int64_t group, int64_t kv, int64_t g, int64_t D, const float *q, const float *keys, const float *values,
                               const int32_t *table, int64_t seen, T *out, float *scratch, int64_t *held) {
    int64_t blocks = (seen + BLOCK - 1) / BLOCK, long_ = blocks * BLOCK, wide = padded(D);
    float scale = 1.0f / sqrtf((float)D);
    scratch = NAME(room)(scratch, held, group * (long_ + wide + 1));
    float *mixed = scratch + group * long_, *inverse = mixed + group * wide;
    for (int64_t b = 0; b < blocks; b++) {
        const float *k = keys + ((int64_t)table[b] * kv + g) * D * BLOCK;
        for (int64_t h = 0; h < group; h++) {
            vec sums[4][BLOCK / LANES] = {0}; /* four, so that no product waits for the last one */
            const float *own = q + h * D;
            int64_t d = 0;
            for (; d + 3 < D; d += 4)
                for (int i = 0; i < 4; i++)
                    for (int p = 0; p < BLOCK / LANES; p++) sums[i][p] += own[d + i] * *(const vec *)(k + (d + i) * BLOCK + p * LANES);
            for (; d < D; d++)
                for (int p = 0; p < BLOCK / LANES; p++) sums[0][p] += own[d] * *(const vec *)(k + d * BLOCK + p * LANES);
            for (int p = 0; p < BLOCK / LANES; p++)
                *(vec *)(scratch + h * long_ + b * BLOCK + p * LANES) = ((sums[0][p] + sums[1][p]) + (sums[2][p] + sums[3][p])) * scale;
        }
    }
    for (int64_t h = 0; h < group; h++) {
        float *row = scratch + h * long_, best = row[0], sum = 0;
        /* Whole vectors only: places past the last weigh nothing. */
        for (int64_t i = seen; i < long_; i++) row[i] = -3e38f;
#pragma omp simd reduction(max : best)
        for (int64_t i = 0; i < long_; i++) best = row[i] > best ? row[i] : best;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < long_; i++) sum += row[i] = fast_exp(row[i] - best);
        inverse[h] = 1.0f / sum;
    }
    memset(mixed, 0, (size_t)(group * wide) * sizeof(float));
    for (int64_t b = 0; b < blocks; b++) {
        const float *v = values + ((int64_t)table[b] * kv + g) * BLOCK * D;
        int64_t rows = seen - b * BLOCK < BLOCK ? seen - b * BLOCK : BLOCK;
        for (int64_t h = 0; h < group; h++) {
            const float *weight = scratch + h * long_ + b * BLOCK;
            float *to = mixed + h * wide;
            int64_t d = 0;
            for (; d + 4 * BLOCK <= D; d += 4 * BLOCK) {
                vec sums[4 * BLOCK / LANES];
                for (int p = 0; p < 4 * BLOCK / LANES; p++) sums[p] = *(vec *)(to + d + p * LANES);
                for (int64_t i = 0; i < rows; i++)
                    for (int p = 0; p < 4 * BLOCK / LANES; p++) sums[p] += weight[i] * *(const vec *)(v + i * D + d + p * LANES);
                for (int p = 0; p < 4 * BLOCK / LANES; p++) *(vec *)(to + d + p * LANES) = sums[p];
            }
            for (int64_t i = 0; i < rows && d < D; i++)
#pragma omp simd
                for (int64_t j = d; j < D; j++) to[j] += weight[i] * v[i * D + j];
        }
    }
    for (int64_t h = 0; h < group; h++)
        for (int64_t d = 0; d < D; d++) out[h * D + d] = STORE(mixed[h * wide + d] * inverse[h]);
    return scratch;
}

/* As attend_one for rows adjacent tokens of one sequence, the first of which sees before + 1 places; q and out rows are stride
   apart. Keys and values are packed into panels once, and all rows multiplied with them in T. */
static float *NAME(attend_many)(int64_t rows, int64_t stride, int64_t group, int64_t kv, int64_t g, int64_t D, const float *q,
                                const float *keys, const float *values, const int32_t *table, int64_t before, T *out, float *scratch,
                                int64_t *held) {
    int64_t long_ = padded(before + rows), wide = padded(D), whole = (before + rows) / PAIR(T) * PAIR(T);
    scratch = NAME(room)(scratch, held, long_ * (2 * wide + 2 * TOGETHER) + TOGETHER * 3 * wide);
    T *packed_keys = (T *)(scratch + 2 * TOGETHER * (long_ + wide)), *packed_values = packed_keys + long_ * wide;
    T *queries = packed_values + long_ * wide;
    /* What lies past the last place weighs next to nothing, and must be a number. */
    for (int64_t n = 0; n < D; n += 2 * BLOCK)
        memset(packed_values + n * long_ + whole * 2 * BLOCK, 0, (size_t)((long_ - whole) * 2 * BLOCK) * sizeof(T));
    for (int64_t first = 0; first < before + rows; first += BLOCK) {
        const float *k = keys + ((int64_t)table[first / BLOCK] * kv + g) * D * BLOCK;
        const float *v = values + ((int64_t)table[first / BLOCK] * kv + g) * BLOCK * D;
        T *to = packed_keys + first / (2 * BLOCK) * D * 2 * BLOCK + first % (2 * BLOCK) * PAIR(T);
        for (int64_t d = 0; d < D; d += PAIR(T), to += 2 * BLOCK * PAIR(T))
            NAME(interleave)(BLOCK, k + d * BLOCK, k + (d + 1) * BLOCK, to);
        int64_t count = before + rows - first < BLOCK ? before + rows - first : BLOCK;
        for (int64_t n = 0; n < D; n += 2 * BLOCK) {
            int64_t some = D - n < 2 * BLOCK ? D - n : 2 * BLOCK, i = 0;
            to = packed_values + n * long_ + first * 2 * BLOCK;
            for (; i + PAIR(T) <= count; i += PAIR(T)) NAME(interleave)(some, v + i * D + n, v + (i + 1) * D + n, to + i * 2 * BLOCK);
            for (int64_t j = 0; i < count && j < some; j++) to[i * 2 * BLOCK + j * PAIR(T)] = STORE(v[i * D + n + j]);
        }
    }
    for (int64_t h = 0; h < group; h++)
        for (int64_t start = 0; start < rows; start += TOGETHER) {
            int64_t own = rows - start < TOGETHER ? rows - start : TOGETHER;
            for (int64_t r = 0; r < own; r++)
                for (int64_t d = 0; d < D; d++) queries[r * D + d] = STORE(q[(start + r) * stride + h * D + d]);
            NAME(attend_rows)(own, D, before + start, queries, packed_keys, packed_values, long_, scratch, out + start * stride + h * D, stride,
                              0, 0);
        }
    return scratch;
}

/* Attention of each token over its sequence's cache blocks: token n sees places 0..positions[n] of tables[sequence[n]] [width].
   q [N, heads, D] -> out [N, heads, D]. Softmax in float, scores scaled by 1 / sqrt(D). D is even. */
EXPORT void NAME(cached_attention)(int64_t N, int64_t heads, int64_t kv, int64_t D, const float *q, const float *keys,
                                   const float *values, const int32_t *tables, int64_t width, const int64_t *sequence,
                                   const int64_t *positions, T *out) {
    int64_t group = heads / kv, tasks = 0, *firsts = malloc((size_t)(N + 1) * sizeof(int64_t));
    /* The more tokens share a packing the better, as long as there is work for each thread. */
    int64_t most = N * kv > 16 * 32 * TOGETHER ? 32 * TOGETHER : 8 * TOGETHER;
    for (int64_t n = 0; n < N; n++) /* adjacent tokens of one sequence go together, up to a bound */
        if (n == 0 || sequence[n] != sequence[n - 1] || positions[n] != positions[n - 1] + 1 || n - firsts[tasks - 1] == most)
            firsts[tasks++] = n;
    firsts[tasks] = N;
#pragma omp parallel if (N * kv > 1)
    {
        float *scratch = 0;
        int64_t held = 0;
#pragma omp for collapse(2) schedule(dynamic, 1)
        for (int64_t t = 0; t < tasks; t++)
            for (int64_t g = 0; g < kv; g++) {
                int64_t n = firsts[t], rows = firsts[t + 1] - n, start = (n * heads + g * group) * D;
                const int32_t *table = tables + sequence[n] * width;
                if (rows >= TOGETHER / 2 && PANELS(T)) {
                    scratch = NAME(attend_many)(rows, heads * D, group, kv, g, D, q + start, keys, values, table, positions[n], out + start,
                                                scratch, &held);
                    continue;
                }
                for (int64_t r = 0; r < rows; r++, start += heads * D)
                    scratch = NAME(attend_one)(group, kv, g, D, q + start, keys, values, table, positions[n] + r + 1, out + start, scratch,
                                               &held);
            }
        free(scratch);
    }
    free(firsts);
}

/* out [N, M] = silu(gate) * up of gate_up [N, 2 M]. */
EXPORT void NAME(swiglu)(int64_t N, int64_t M, const T *gate_up, T *out) {
#pragma omp parallel for if (N * M > SPREAD)
    for (int64_t n = 0; n < N; n++) {
        const T *gate = gate_up + n * 2 * M;
        NAME(gated)(M, gate, gate + M, out + n * M);
    }
}

/* dgate_up [N, 2 M] for dout [N, M]. */
EXPORT void NAME(swiglu_backward)(int64_t N, int64_t M, const T *gate_up, const T *dout, T *dgate_up) {
#pragma omp parallel for if (N * M > SPREAD)
    for (int64_t n = 0; n < N; n++) {
        const T *gate = gate_up + n * 2 * M;
        NAME(gated_backward)(M, gate, gate + M, dout + n * M, dgate_up + n * 2 * M, dgate_up + n * 2 * M + M);
    }
}

/* normalizers [N] = log sum exp of logits [N, V]; logprobs [N, K] of targets [N, K]. */
EXPORT void NAME(target_logprobs)(int64_t N, int64_t V, int64_t K, const T *logits, const int64_t *targets, float *normalizers,
                                  float *logprobs) {
#pragma omp parallel for if (N * V > SPREAD)
    for (int64_t n = 0; n < N; n++) {
        const T *row = logits + n * V;
        float best = -3e38f, sum = 0;
#pragma omp simd reduction(max : best)
        for (int64_t i = 0; i < V; i++) best = LOAD(row[i]) > best ? LOAD(row[i]) : best;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < V; i++) sum += fast_exp(LOAD(row[i]) - best);
        normalizers[n] = best + logf(sum);
        for (int64_t k = 0; k < K; k++) logprobs[n * K + k] = LOAD(row[targets[n * K + k]]) - normalizers[n];
    }
}

/* logits [N, V] become d loss / d logits for slopes [N, K] = d loss / d logprob: sum_k slope_k (onehot(target_k) - softmax). */
EXPORT void NAME(target_logprobs_backward)(int64_t N, int64_t V, int64_t K, T *logits, const int64_t *targets, const float *normalizers,
                                           const float *slopes) {
#pragma omp parallel for if (N * V > SPREAD)
    for (int64_t n = 0; n < N; n++) {
        T *row = logits + n * V;
        float total = 0, *exact = zeros(K);
        for (int64_t k = 0; k < K; k++) total += slopes[n * K + k];
        float norm = normalizers[n];
        for (int64_t k = 0; k < K; k++) exact[k] = -total * fast_exp(LOAD(row[targets[n * K + k]]) - norm);
#pragma omp simd
        for (int64_t i = 0; i < V; i++) row[i] = STORE(-total * fast_exp(LOAD(row[i]) - norm));
        for (int64_t k = 0; k < K; k++) { /* the same token may be a target twice */
            float sum = exact[k];
            for (int64_t j = 0; j < K; j++) sum += targets[n * K + j] == targets[n * K + k] ? slopes[n * K + j] : 0;
            row[targets[n * K + k]] = STORE(sum);
        }
        free(exact);
    }
}

/* y [N, sum of widths] += low-rank adapters' shares: rows firsts[c]..lasts[c] of x [N, in] have adapter owners[c], for each of the
   chunks c. Adapter p: a[p] is [in, padded(parts * R)] or null, b[p] the parts' [R, padded(width)] one after the other, scaled; all float. */
EXPORT void NAME(low_rank)(int64_t chunks, const int64_t *firsts, const int64_t *lasts, const int64_t *owners, int64_t in, int64_t parts,
                           const int64_t *widths, const int64_t *ranks, const T *x, const float *const *a, const float *const *b, T *y) {
    int64_t out = 0, widest = 0;
    for (int64_t p = 0; p < parts; p++) {
        out += widths[p];
        widest = widths[p] > widest ? widths[p] : widest;
    }
#pragma omp parallel for schedule(dynamic, 1) if (chunks > 1)
    for (int64_t c = 0; c < chunks; c++) {
        if (!a[owners[c]]) continue;
        int64_t rows = lasts[c] - firsts[c], R = ranks[owners[c]], all = padded(parts * R);
        float *plain = zeros(rows * (in + all + padded(widest))), *low = plain + rows * in, *sum = low + rows * all;
        const float *up = b[owners[c]];
        NAME(gather)(rows, in, x + firsts[c] * in, in, 1, plain, in, 0);
        multiply(rows, all, in, plain, in, 1, a[owners[c]], all, low, all, 0);
        T *to = y + firsts[c] * out;
        for (int64_t p = 0; p < parts; p++) {
            int64_t wide = padded(widths[p]);
            multiply(rows, wide, R, low + p * R, all, 1, up, wide, sum, wide, 0);
            for (int64_t r = 0; r < rows; r++)
                for (int64_t i = 0; i < widths[p]; i++) to[r * out + i] = STORE(LOAD(to[r * out + i]) + sum[r * wide + i]);
            up += R * wide;
            to += widths[p];
        }
        free(plain);
    }
}

/* One token a row of logits [N, V]: the first whose running sum of exp(logit / temperature) exceeds draw times the whole, or the
   likeliest where temperature is 0; and its logprob at temperature 1. */
EXPORT void NAME(pick)(int64_t N, int64_t V, const T *logits, const float *temperatures, const float *draws, int64_t *tokens,
                       float *logprobs) {
#pragma omp parallel for schedule(dynamic, 1) if (N * V > SPREAD)
    for (int64_t n = 0; n < N; n++) {
        const T *row = logits + n * V;
        float best = -3e38f, sum = 0, temperature = temperatures[n];
#pragma omp simd reduction(max : best)
        for (int64_t i = 0; i < V; i++) best = LOAD(row[i]) > best ? LOAD(row[i]) : best;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < V; i++) sum += fast_exp(LOAD(row[i]) - best);
        int64_t chosen = 0;
        if (temperature <= 0) {
            while (chosen + 1 < V && LOAD(row[chosen]) < best) chosen++;
        } else {
            float *weights = zeros(V), inverse = 1.0f / temperature;
#pragma omp simd
            for (int64_t i = 0; i < V; i++) weights[i] = fast_exp((LOAD(row[i]) - best) * inverse);
            double whole = 0, running = 0, blocks[V / 256 + 1];
            for (int64_t first = 0, b = 0; first < V; first += 256, b++) { /* sums by block, so that the walk is short */
                float part = 0;
                int64_t last = first + 256 < V ? first + 256 : V;
#pragma omp simd reduction(+ : part)
                for (int64_t i = first; i < last; i++) part += weights[i];
                whole += blocks[b] = part;
            }
            double wanted = draws[n] * whole;
            int64_t b = 0;
            while ((b + 1) * 256 < V && running + blocks[b] <= wanted) running += blocks[b++];
            int64_t last_with_weight = b * 256;
            for (chosen = b * 256; chosen < V; chosen++) {
                running += weights[chosen];
                if (weights[chosen] > 0) last_with_weight = chosen;
                if (running > wanted) break;
            }
            if (chosen == V) chosen = last_with_weight; /* a draw that rounding lifts to the whole */
            free(weights);
        }
        tokens[n] = chosen;
        logprobs[n] = LOAD(row[chosen]) - best - logf(sum);
    }
}

/* y [N, out], rows apart by ldy, = x [N, in], rows apart by ldx, W' + bias (if any); W packed in panels of 32 outputs, the last one
   filled up with zeros. With low [N, parts * R], column block p of y, widths[p] wide, gets low's p-th R columns times B_p', too: up
   holds the parts' B [width, R], scaled and packed end to end; all widths but the last are multiples of 32. */
EXPORT void NAME(adapted_linear)(int64_t N, int64_t in, int64_t out, const T *x, int64_t ldx, const T *packed, const T *bias, int64_t parts,
                                 const int64_t *widths, int64_t R, const T *low, const T *up, T *y, int64_t ldy) {
    int64_t panels = padded(out) / (2 * BLOCK), pairs = (panels + 1) / 2, chunks = (N + 8 * TOGETHER - 1) / (8 * TOGETHER);
#pragma omp parallel for collapse(2) schedule(dynamic, 1) if (N * in * out > SPREAD)
    for (int64_t chunk = 0; chunk < chunks; chunk++)
        for (int64_t pair = 0; pair < pairs; pair++) {
            int64_t first = chunk * 8 * TOGETHER, rows = N - first < 8 * TOGETHER ? N - first : 8 * TOGETHER;
            for (int64_t p = 2 * pair; p < 2 * pair + 2 && p < panels; p++) {
                const T *panel = packed + p * 2 * BLOCK * in, *from = x + first * ldx, *small = low ? low + first * parts * R : 0;
                int64_t start = p * 2 * BLOCK, width = out - start < 2 * BLOCK ? out - start : 2 * BLOCK;
                float c[TILE * 2 * BLOCK], e[TILE * 2 * BLOCK];
                if (low)
                    for (int64_t part = 0, end = widths[0]; end <= start; end += widths[++part]) small += R;
#define DO(R_)                                                                                                       \
    {                                                                                                                \
        NAME(panel)(R_, in, from + m * ldx, ldx, panel, c, 2 * BLOCK);                                               \
        if (low) {                                                                                                   \
            NAME(panel)(R_, R, small + m * parts * R, parts * R, up + p * 2 * BLOCK * R, e, 2 * BLOCK);              \
            for (int i = 0; i < R_ * 2 * BLOCK; i++) c[i] += e[i];                                                   \
        }                                                                                                            \
        for (int r = 0; r < R_; r++)                                                                                 \
            NAME(store_row)(width, c + r * 2 * BLOCK, bias ? bias + start : 0, y + (first + m + r) * ldy + start);   \
    }
                TILES(rows, m, DO)
#undef DO
            }
        }
}

/* The same without low, for rows that lie end to end. */
EXPORT void NAME(linear)(int64_t N, int64_t in, int64_t out, const T *x, const T *packed, const T *bias, T *y) {
    NAME(adapted_linear)(N, in, out, x, in, packed, bias, 0, 0, 0, 0, 0, y, out);
}

/* All layers for N new tokens, as in run_layers with the cache's attention. x [N, H] is their embedding and is overwritten. Past its
   keys and values the last layer is computed for the W wanted tokens only (ascending), whose last norm's output is out's first W
   rows; out has N. layers is [count, 21] pointers: the packed qkv, o, gate_up and down; their biases or null; the norms before
   attention and MLP, and of the heads or null; keys and values; the adapters' a, then b, for the four groups, each a list by
   adapter, or null. The chunks say which rows are whose, first for all tokens, then for the wanted ones.
   scratch holds N * (4 + H + qkv + 2 heads D + 3 M) floats. */
EXPORT void NAME(run_layers)(int64_t N, int64_t count, int64_t H, int64_t heads, int64_t kv, int64_t D, int64_t M, float eps, float *x,
                             void *const *layers, const float *last_norm, const float *cosine, const float *sine, const int64_t *positions,
                             const int64_t *slots, const int32_t *tables, int64_t width, const int64_t *sequence, int64_t W,
                             const int64_t *wanted, int64_t chunks, const int64_t *firsts, const int64_t *lasts, const int64_t *owners,
                             const int64_t *ranks, int64_t wanted_chunks, const int64_t *wanted_firsts, const int64_t *wanted_lasts,
                             const int64_t *wanted_owners, float *scratch, T *out) {
    int64_t all = (heads + 2 * kv) * D, mixed = heads * D;
    int64_t widths[] = {heads * D, kv * D, kv * D, H, M, M, H};
    int64_t *wanted_positions = (int64_t *)scratch, *wanted_sequence = wanted_positions + N;
    float *q = scratch + 4 * N;
    T *qkv = (T *)(q + N * mixed), *attended = qkv + N * all, *y = attended + N * mixed, *gate_up = y + N * H, *active = gate_up + 2 * N * M;
#define LINEAR(GROUP, IN, OUT, PARTS, WIDTHS, FROM, TO)                                                                         \
    NAME(linear)(N, IN, OUT, FROM, layer[GROUP], layer[4 + GROUP], TO);                                                        \
    if (chunks && layer[13 + GROUP])                                                                                           \
        NAME(low_rank)(chunks, firsts, lasts, owners, IN, PARTS, WIDTHS, ranks, FROM, layer[13 + GROUP], layer[17 + GROUP], TO);
    for (int64_t l = 0; l < count; l++) {
        void *const *layer = layers + l * 21;
        NAME(add_norm)(N, H, x, l ? y : 0, layer[8], eps, x, out, 0);
        LINEAR(0, H, all, 3, widths, out, qkv)
        NAME(turn_into_cache)(N, heads, kv, D, qkv, layer[10], eps, cosine, sine, positions, slots, q, layer[11], layer[12]);
        if (l + 1 == count && W < N) {
            for (int64_t w = 0; w < W; w++) {
                memmove(x + w * H, x + wanted[w] * H, (size_t)H * sizeof(float));
                memmove(q + w * mixed, q + wanted[w] * mixed, (size_t)mixed * sizeof(float));
                wanted_positions[w] = positions[wanted[w]];
                wanted_sequence[w] = sequence[wanted[w]];
            }
            N = W;
            positions = wanted_positions;
            sequence = wanted_sequence;
            chunks = wanted_chunks;
            firsts = wanted_firsts;
            lasts = wanted_lasts;
            owners = wanted_owners;
        }
        NAME(cached_attention)(N, heads, kv, D, q, layer[11], layer[12], tables, width, sequence, positions, attended);
        LINEAR(1, mixed, H, 1, widths + 3, attended, y)
        NAME(add_norm)(N, H, x, y, layer[9], eps, x, out, 0);
        LINEAR(2, H, 2 * M, 2, widths + 4, out, gate_up)
        NAME(swiglu)(N, M, gate_up, active);
        LINEAR(3, M, H, 1, widths + 6, active, y)
    }
#undef LINEAR
    NAME(add_norm)(N, H, x, y, last_norm, eps, x, out, 0);
}
