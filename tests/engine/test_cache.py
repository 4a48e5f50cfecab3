"""The block cache's bookkeeping: who holds a block, what is in it, and which one goes first."""

from __future__ import annotations

import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from idiolect.engine.cache import BLOCK, BlockCache, Full, Table
from kernel_forms import attending_model

MODEL = attending_model(1, 1, 2, qk_norm=False)
# Few pieces of one block each, so that prompts often begin alike, and one that is part of the others.
PIECES = [[0] * BLOCK, [1] * BLOCK, [0, 1] * (BLOCK // 2)]
PROMPTS = st.builds(
    lambda pieces, rest: [token for piece in pieces for token in PIECES[piece]] + [2] * rest,
    st.lists(st.integers(0, 2), max_size=4),
    st.integers(1, BLOCK),
)


class Sequence:
    """What a table should stand for."""

    def __init__(self, table: Table, adapter: int, tokens: list[int]) -> None:
        self.table, self.adapter, self.tokens = table, adapter, tokens


class Blocks(RuleBasedStateMachine):
    """Sequences begin, grow, fork and end as the sampler has them do; ``content`` is what each block was filled with."""

    sequences = Bundle("sequences")

    def __init__(self) -> None:
        super().__init__()
        self.live: list[Sequence] = []
        self.content: dict[int, tuple[int, list[int]]] = {}

    @initialize(limit=st.integers(2, 14))
    def make(self, limit: int) -> None:
        self.cache = BlockCache(MODEL, limit)

    @rule(target=sequences, adapter=st.integers(0, 1), prompt=PROMPTS)
    def begin(self, adapter: int, prompt: list[int]) -> Sequence:
        table = self.cache.begin(adapter, prompt, len(prompt) - 1)
        shared = len(table.blocks)
        assert shared * BLOCK < len(prompt)
        for number, block in enumerate(table.blocks):
            assert self.content[block] == (adapter, prompt[: (number + 1) * BLOCK])
        sequence = Sequence(table, adapter, prompt)
        if self.extended(table, len(prompt)):
            for number in range(shared, len(prompt) // BLOCK):
                self.fill(sequence, number)
                self.cache.publish(table, table.blocks[number], prompt[number * BLOCK : (number + 1) * BLOCK])
            self.live.append(sequence)
        else:
            self.cache.end(table)
            sequence.tokens = []
        return sequence

    @rule(sequence=sequences, count=st.integers(1, 2 * BLOCK))
    def grow(self, sequence: Sequence, count: int) -> None:
        if sequence in self.live and self.extended(sequence.table, len(sequence.tokens) + count):
            before = len(sequence.tokens) // BLOCK
            sequence.tokens = sequence.tokens + [3] * count
            for number in range(before, len(sequence.tokens) // BLOCK):
                self.fill(sequence, number)

    @rule(target=sequences, sequence=sequences)
    def fork(self, sequence: Sequence) -> Sequence:
        made = Sequence(Table(0), sequence.adapter, list(sequence.tokens))
        if sequence in self.live:
            before = self.state()
            try:
                made.table, copy = self.cache.fork(sequence.table, len(sequence.tokens))
            except Full:
                assert self.cache.available() == 0
                assert self.state() == before
                return made
            places = len(sequence.tokens)
            assert (copy is None) == (places % BLOCK == 0)
            if copy is not None:
                assert copy == (sequence.table.blocks[places // BLOCK], made.table.blocks[-1])
            self.live.append(made)
        return made

    @rule(sequence=consumes(sequences))
    def end(self, sequence: Sequence) -> None:
        if sequence in self.live:
            self.live.remove(sequence)
            self.cache.end(sequence.table)
            assert sequence.table.blocks == []

    @rule()
    def clear(self) -> None:
        self.live.clear()
        self.content.clear()
        self.cache.clear()
        assert self.cache.begin(0, PIECES[0] * 2, 2 * BLOCK).blocks == []
        everything = Table(-1)
        self.cache.extend(everything, self.cache.limit * BLOCK)
        assert len(set(everything.blocks)) == self.cache.limit
        self.cache.end(everything)

    def extended(self, table: Table, places: int) -> bool:
        before, held, room = self.state(), list(table.blocks), self.cache.available()
        wanted = max(0, -(-places // BLOCK) - len(held))
        try:
            self.cache.extend(table, places)
        except Full:
            assert wanted > room
            assert (self.state(), table.blocks) == (before, held)
            return False
        assert table.blocks[: len(held)] == held
        assert len(table.blocks) == len(held) + wanted
        assert self.cache.available() == room - wanted
        return True

    def fill(self, sequence: Sequence, number: int) -> None:
        self.content[sequence.table.blocks[number]] = (sequence.adapter, sequence.tokens[: (number + 1) * BLOCK])

    def state(self) -> object:
        cache = self.cache
        return list(cache._holders), list(cache._free), list(cache._idle), dict(cache._known), list(cache._identity)

    @invariant()
    def blocks_are_held_by_those_who_list_them(self) -> None:
        held: dict[int, list[tuple[Sequence, int]]] = {}
        for sequence in self.live:
            for number, block in enumerate(sequence.table.blocks):
                held.setdefault(block, []).append((sequence, number))
        for block, holders in held.items():
            assert len(holders) == self.cache._holders[block]
            if len(holders) > 1:
                beginnings = [(s.adapter, n, s.tokens[: (n + 1) * BLOCK]) for s, n in holders]
                assert all(beginning == beginnings[0] for beginning in beginnings)
                assert len(beginnings[0][2]) == (beginnings[0][1] + 1) * BLOCK
        if hasattr(self, "cache"):
            assert self.cache.available() == self.cache.limit - len(held)
            assert sum(self.cache._holders) == sum(len(holders) for holders in held.values())

    @invariant()
    def full_blocks_hold_their_sequence(self) -> None:
        for sequence in self.live:
            for number, block in enumerate(sequence.table.blocks[: len(sequence.tokens) // BLOCK]):
                assert self.content[block] == (sequence.adapter, sequence.tokens[: (number + 1) * BLOCK])


TestBlocks = Blocks.TestCase
TestBlocks.settings = settings(max_examples=60, stateful_step_count=30, deadline=None, derandomize=True)


def computed(cache: BlockCache, prompt: list[int], adapter: int = 0) -> Table:
    table = cache.begin(adapter, prompt, len(prompt))
    shared = len(table.blocks)
    cache.extend(table, len(prompt))
    for number in range(shared, len(prompt) // BLOCK):
        cache.publish(table, table.blocks[number], prompt[number * BLOCK : (number + 1) * BLOCK])
    return table


def known(cache: BlockCache, prompt: list[int], adapter: int = 0) -> int:
    table = cache.begin(adapter, prompt, len(prompt))
    count = len(table.blocks)
    cache.end(table)
    return count


def prompt(first: int, blocks: int) -> list[int]:
    return [first + number for number in range(blocks) for _ in range(BLOCK)]


def test_what_was_used_longest_ago_goes_first_and_the_end_of_a_prompt_before_its_beginning() -> None:
    cache = BlockCache(MODEL, 6)
    first, second = prompt(0, 3), prompt(100, 3)
    for tokens in (first, second):
        cache.end(computed(cache, tokens))
    assert (known(cache, second), known(cache, first)) == (3, 3)
    taken = Table(-1)
    for places, left in ((1, (2, 3)), (2, (1, 3)), (3, (0, 3)), (4, (0, 2)), (6, (0, 0))):
        cache.extend(taken, places * BLOCK)
        # Looked at without being used: looking holds, and so renews.
        assert (reachable(cache, second), reachable(cache, first)) == left
    with pytest.raises(Full):
        cache.extend(taken, 6 * BLOCK + 1)


def reachable(cache: BlockCache, tokens: list[int]) -> int:
    parent, count = -1, 0
    while (block := cache._known.get((parent, tuple(tokens[count * BLOCK : (count + 1) * BLOCK])))) is not None:
        identity = cache._identity[block]
        assert identity is not None
        parent, count = identity[0], count + 1
    return count


def test_a_prefix_is_known_only_after_the_same_beginning_and_for_its_adapter() -> None:
    cache = BlockCache(MODEL, 16)
    one, other = prompt(0, 3), prompt(50, 1) + prompt(1, 2)
    cache.end(computed(cache, one, adapter=1))
    assert known(cache, one, adapter=1) == 3
    assert known(cache, one[: 3 * BLOCK - 1], adapter=1) == 2
    assert known(cache, one, adapter=0) == known(cache, one, adapter=2) == 0
    # Its second and third blocks are those of the first prompt; what stands before them is not.
    assert known(cache, other, adapter=1) == 0
    cache.end(computed(cache, other, adapter=1))
    assert known(cache, other, adapter=1) == known(cache, one, adapter=1) == 3


def test_a_beginning_that_was_given_up_and_computed_anew_has_no_old_continuation() -> None:
    cache = BlockCache(MODEL, 3)
    beginning, whole = prompt(0, 1), prompt(0, 3)
    cache.end(computed(cache, whole))
    held = cache.begin(0, whole, 3 * BLOCK)
    kept = Table(held.parent, held.blocks[1:])
    held.blocks = held.blocks[:1]
    cache.end(held)
    taken = Table(-5)
    cache.extend(taken, BLOCK)
    cache.end(taken)
    again = computed(cache, beginning)
    # The old second block still has its content, but nobody vouches for what stood before it.
    assert known(cache, whole) == 1
    cache.end(again)
    cache.end(kept)
    assert cache.available() == 3


def test_copied_blocks_hold_the_same_numbers() -> None:
    cache = BlockCache(MODEL, 4)
    table = computed(cache, prompt(0, 1) + [7] * 5)
    for store in (*cache.keys, *cache.values):
        store.copy_(torch.rand(store.shape))
    made, copy = cache.fork(table, BLOCK + 5)
    assert copy is not None
    cache.copy([copy])
    cache.copy([])
    for store in (*cache.keys, *cache.values):
        assert torch.equal(store[made.blocks[1]], store[table.blocks[1]])
    assert made.blocks[0] == table.blocks[0]


def test_memory_that_grows_keeps_what_it_holds() -> None:
    cache = BlockCache(MODEL, 600)
    table, moved = Table(-1), cache.moved
    cache.extend(table, BLOCK)
    cache.keys[0][table.blocks[0]] = 3
    cache.extend(table, 600 * BLOCK)
    assert len(set(table.blocks)) == 600
    assert (cache.keys[0][table.blocks[0]] == 3).all()
    assert not cache.keys[0][table.blocks[1:]].any()
    assert cache.moved > moved
