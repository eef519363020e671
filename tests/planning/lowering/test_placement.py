"""Offsets for blocks that live at different times."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ftdist.planning.lowering.placement import ALIGNMENT_BYTES, Block, place


def block(key, size, first, length):
    return Block(key, size, first, first + length)


block_lists = st.lists(
    st.tuples(st.integers(0, 5000), st.integers(0, 9), st.integers(0, 5)), max_size=14
).map(lambda found: [block(key, *each) for key, each in enumerate(found)])


def aligned(size):
    return -(-size // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def alive(blocks, step):
    return [each for each in blocks if each.first <= step <= each.last]


@given(block_lists)
def test_blocks_in_use_together_never_overlap(blocks) -> None:
    offsets, size = place(blocks)
    assert offsets.keys() == {each.key for each in blocks}
    for step in range(16):
        taken: set[int] = set()
        for each in alive(blocks, step):
            at = offsets[each.key]
            assert at % ALIGNMENT_BYTES == 0
            assert at + each.bytes <= size
            own = set(range(at, at + each.bytes))
            assert not taken & own
            taken |= own


@given(block_lists)
def test_the_size_lies_between_the_fullest_step_and_the_sum(blocks) -> None:
    _, size = place(blocks)
    fullest = max(
        (sum(aligned(each.bytes) for each in alive(blocks, step)) for step in range(16)), default=0
    )
    assert fullest <= size <= sum(aligned(each.bytes) for each in blocks)


def test_a_chain_of_equal_blocks_takes_two() -> None:
    blocks = [Block(key, 100, key, key + 1) for key in range(9)]
    assert place(blocks)[1] == 2 * aligned(100)


def test_nothing_takes_nothing() -> None:
    assert place([]) == ({}, 0)
