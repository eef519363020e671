"""Plans: the notation, JSON, and what is refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.networks import cut_networks

from ftdist.errors import InputError
from ftdist.geometry import Shape
from ftdist.network.builder import NetworkBuilder
from ftdist.network.graph import INPUT
from ftdist.network.operators.base import Identity, Sliding
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.planning.plan import (
    GroupPlan,
    Plan,
    check,
    parse_json,
    parse_notation,
    shortened,
    untiled,
)

DIGEST = "ab" * 16


def four_layers():
    """Maps of 16x12, 16x12, 8x6 and 8x6."""
    builder = NetworkBuilder("four", Shape(16, 12, 3))
    builder.add(Convolution(4, Sliding.square(3, padding=1)), [INPUT], "first")
    builder.add(Identity(), [0])
    builder.add(Pool("max", Sliding.square(2, 2)), [1], "pool")
    builder.add(Convolution(2, Sliding.square(1)), [2], "last")
    return builder.finish()


NETWORK = four_layers()


def test_the_notation_of_the_literature() -> None:
    assert parse_notation("5x3/2/2x4s7", NETWORK) == Plan(
        (GroupPlan(0, 2, 5, 3), GroupPlan(2, 4, 2, 4, 7))
    )
    assert parse_notation(" 1x1s2/3/8x6 ", NETWORK, 3) == Plan(
        (GroupPlan(0, 3, strip=2), GroupPlan(3, 4, 8, 6)), 3
    )
    assert parse_notation("1x1w/1/2x2s3w", NETWORK) == Plan(
        (GroupPlan(0, 1, streamed=True), GroupPlan(1, 4, 2, 2, 3, streamed=True))
    )
    assert parse_notation("1x1", NETWORK) == untiled(NETWORK)


@given(cut_networks())
def test_what_is_printed_is_parsed_back(case) -> None:
    network, plan = case
    check(plan, network)
    assert parse_notation(plan.notation, network, plan.threads) == plan


@pytest.mark.parametrize(
    ("notation", "named"),
    [
        ("", "'' is not a grid"),
        ("5x5/2", "GRID/LAYER/GRID"),
        ("5x5/2/2x2/3", "5x5/2/2x2/3"),
        ("5", "'5'"),
        ("x5", "'x5'"),
        ("5x", "'5x'"),
        ("5X5", "'5X5'"),
        ("5x5x5", "'5x5x5'"),
        ("-1x5", "'-1x5'"),
        ("1.5x5", "'1.5x5'"),
        ("5x5s", "'5x5s'"),
        ("5x5s-1", "'5x5s-1'"),
        ("5 x5", "'5 x5'"),
        ("0x5", "'0x5'"),
        ("5x0", "'5x0'"),
        ("00x1", "'00x1'"),
        ("1x1ws2", "'1x1ws2'"),
        ("1x1ww", "'1x1ww'"),
        ("1x1W", "'1x1W'"),
        ("1x1s0", "a strip has at least one row"),
        ("1234567x1", "'1234567x1'"),
        ("1x1/2/junk", "'junk'"),
        ("1x1/two/1x1", "'two'"),
        ("1x1//1x1", "''"),
        ("1x1/-1/1x1", "'-1'"),
        ("1x1/0/1x1", "layer 0"),
        ("1x1/4/1x1", "layer 4"),
        ("1x1/99/1x1", "layer 99"),
        ("1x1/2/1x1/2/1x1", "layer 2"),
        ("1x1/3/1x1/1/1x1", "layer 1;"),
        ("\u0660x1", "'\u0660x1'"),
        ("\u0661x1", "'\u0661x1'"),
        ("1x1/\u0662/1x1", "'\u0662'"),
    ],
)
def test_bad_notation_is_refused_and_the_bad_part_named(notation, named) -> None:
    with pytest.raises(InputError) as refused:
        parse_notation(notation, NETWORK)
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


notations = st.text("012x/sw\u0660", max_size=8)


@given(notations | st.text(max_size=9))
def test_any_text_is_a_plan_that_covers_or_an_input_error(text) -> None:
    try:
        plan = parse_notation(text, NETWORK)
    except InputError:
        return
    check(plan, NETWORK)
    for group in plan.groups:
        assert min(group.rows, group.columns) >= 1
        assert group.strip is None or group.strip >= 1


@pytest.mark.parametrize(
    ("notation", "grid", "layer"),
    [
        ("9x1", "9x1", "layer 3 (last) makes a map of 8x6x2"),
        ("1x7", "1x7", "layer 3 (last) makes a map of 8x6x2"),
        ("17x1/1/1x1", "17x1", "layer 0 (first) makes a map of 16x12x4"),
        ("1x13s4/2/1x1", "1x13s4", "layer 0 (first) makes a map of 16x12x4"),
        ("1x1/3/9x9", "9x9", "layer 3 (last)"),
    ],
)
def test_a_grid_larger_than_the_map_is_refused(notation, grid, layer) -> None:
    with pytest.raises(InputError) as refused:
        parse_notation(notation, NETWORK)
    assert f"grid {grid} does not fit" in str(refused.value)
    assert layer in str(refused.value)


@pytest.mark.parametrize(
    "groups",
    [
        (),
        (GroupPlan(0, 3),),
        (GroupPlan(1, 4),),
        (GroupPlan(0, 5),),
        (GroupPlan(0, 2), GroupPlan(3, 4)),
        (GroupPlan(0, 3), GroupPlan(2, 4)),
        (GroupPlan(2, 4), GroupPlan(0, 2)),
    ],
)
def test_plans_that_do_not_cover_are_refused(groups) -> None:
    with pytest.raises(InputError, match=r"do not cover layers 0\.\.3"):
        check(Plan(groups), NETWORK)


@given(cut_networks(), st.booleans())
def test_json_round_trip(case, nested) -> None:
    network, plan = case
    value = plan.to_json(DIGEST)
    text = json.dumps({"plan": value, "predicted": {}} if nested else value)
    assert parse_json(text, network, DIGEST) == plan
    assert parse_json(text, network, DIGEST, threads=5) == Plan(plan.groups, 5)


def test_a_plan_for_no_thread_is_refused() -> None:
    with pytest.raises(InputError, match="at least one"):
        check(Plan((GroupPlan(0, 4),), threads=0), NETWORK)


def test_json_says_what_people_read() -> None:
    plan = parse_notation("4x3s2w/2/1x1", NETWORK, 2)
    assert plan.to_json(DIGEST) == {
        "notation": "4x3s2w/2/1x1",
        "groups": [
            {
                "kind": "fused",
                "layers": [0, 1],
                "grid": [4, 3],
                "slices": 1,
                "strip": 2,
                "weights": "streamed",
            },
            {
                "kind": "fused",
                "layers": [2, 3],
                "grid": [1, 1],
                "slices": 1,
                "strip": None,
                "weights": "resident",
            },
        ],
        "threads": 2,
        "digest": plan.digest(DIGEST),
        "error_classes": {"direct": 1e-6},
    }


@given(cut_networks(), st.data())
def test_a_digest_names_plan_and_model_but_not_threads(case, data) -> None:
    network, plan = case
    other = data.draw(st.sampled_from(["cd" * 16, DIGEST + "0", ""]))
    assert plan.digest(DIGEST) != plan.digest(other)
    assert plan.digest(DIGEST) == Plan(plan.groups, plan.threads + 1).digest(DIGEST)
    assume(plan.groups != untiled(network).groups)
    assert plan.digest(DIGEST) != untiled(network).digest(DIGEST)


def test_a_plan_for_another_model_is_refused() -> None:
    text = json.dumps(parse_notation("2x2/2/1x1", NETWORK).to_json(DIGEST))
    with pytest.raises(InputError, match="2x2/2/1x1 was made for another model"):
        parse_json(text, NETWORK, "cd" * 16)
    longer = json.dumps({"notation": "1x1/99/1x1", "digest": DIGEST})
    with pytest.raises(InputError, match=r"was made for another model.*before layer 99"):
        parse_json(longer, NETWORK, DIGEST)


GOOD = parse_notation("2x2", NETWORK).to_json(DIGEST)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        '"2x2"',
        "{}",
        '{"plan": null}',
        '{"plan": []}',
        '{"notation": "2x2"}',
        f'{{"digest": "{DIGEST}"}}',
        "[" * 100_000,
        json.dumps(GOOD | {"threads": "many"}),
        json.dumps(GOOD | {"threads": None}),
        json.dumps(GOOD | {"threads": 0}),
        json.dumps(GOOD | {"threads": -2}),
        json.dumps(GOOD | {"threads": float("inf")}),
        json.dumps(GOOD | {"threads": float("nan")}),
        json.dumps(GOOD | {"notation": 5}),
        json.dumps(GOOD | {"notation": "9x9"}),
    ],
)
def test_a_text_that_is_no_plan_is_an_input_error(text) -> None:
    with pytest.raises(InputError):
        parse_json(text, NETWORK, DIGEST)


def test_of_a_long_notation_the_beginning_is_shown() -> None:
    assert shortened("5x5/8/2x2") == "5x5/8/2x2"
    long = "/".join(f"1x1s8/{each}" for each in range(2, 60, 3))
    short = shortened(long)
    assert len(short) < 70 and short.endswith("/...") and long.startswith(short[:-4])
    one_group = "1x1@winograd4=" + ",".join(map(str, range(1, 90, 2)))
    short = shortened(one_group)
    assert len(short) < 70 and short.endswith("...") and one_group.startswith(short[:-3])
    assert short.startswith("1x1@winograd4=1,3")
