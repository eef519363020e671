"""`ftdist run`: what it computes, writes, reports, and does with plans from its own reports."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.command import Outcome, ftdist_command
from support.smallmodels import random_image, write_small_model

from ftdist.network.modelfile import load
from ftdist.planning.plan import untiled
from ftdist.planning.profile import DEFAULT
from ftdist.planning.search.arithmetic import arithmetics
from ftdist.runtime.local import Session

Refused = Callable[..., Outcome]


def ran(folder: Path, *arguments: object, **more: str) -> Outcome:
    outcome = ftdist_command("run", *arguments, folder=folder, **more)
    assert (outcome.status, outcome.err) == (0, ""), outcome
    assert not list(folder.glob(".ftdist-*"))
    return outcome


def expected(model: Path, image: np.ndarray, *, direct: bool = False) -> dict[str, np.ndarray]:
    """Untiled, by the arithmetic that the search takes where memory is plenty, or directly."""
    loaded = load(model)
    arithmetic = () if direct else arithmetics(loaded.network, DEFAULT)[0]
    with Session(loaded, replace(untiled(loaded.network), arithmetic=arithmetic)) as session:
        return session.run(image)


def test_one_output_as_npy(things: Path, tmp_path: Path) -> None:
    outcome = ran(tmp_path, things / "chain.ftd", things / "image.npy", "-o", "out.npy")
    (array,) = expected(things / "chain.ftd", random_image(64)).values()
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), array)
    assert outcome.out.splitlines()[-1] == "wrote      out.npy"
    heads = [line.split(" ")[0] for line in outcome.out.splitlines()]
    assert heads == ["model", "plan", "algorithm", "", "budget", "peak", "", "latency", "", "wrote"]


def test_exact_direct_keeps_to_direct_kernels_and_the_report_says_so(
    things: Path, tmp_path: Path
) -> None:
    given = things / "chain.ftd", things / "image.npy", "-o", "out.npy"
    outcome = ran(tmp_path, *given, "--exact-direct", "--json", "report.json")
    (array,) = expected(things / "chain.ftd", random_image(64), direct=True).values()
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), array)
    assert "algorithm  direct of all layers, errors up to 1e-06 of the" in outcome.out
    plan = json.loads((tmp_path / "report.json").read_text())["plan"]
    assert "arithmetic" not in plan and plan["error_classes"] == {"direct": 1e-6}
    outcome = ran(tmp_path, *given, "--json", "report.json")
    assert " of 1 layer (2), errors up to " in outcome.out
    plan = json.loads((tmp_path / "report.json").read_text())["plan"]
    assert list(plan["arithmetic"]) == ["2"] and len(plan["error_classes"]) == 2


def test_several_outputs_as_npz_with_the_batch_axis_of_the_input(
    things: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "batch.npy", random_image(64)[None])
    ran(tmp_path, things / "two.ftd", "batch.npy", "-o", "out.npz")
    arrays = expected(things / "two.ftd", random_image(64))
    with np.load(tmp_path / "out.npz") as written:
        assert set(written.files) == set(arrays) == {"convolutional3", "route4"}
        for name, array in arrays.items():
            np.testing.assert_array_equal(written[name], array[None])


def test_one_output_as_npz_and_without_any_file(things: Path, tmp_path: Path) -> None:
    ran(tmp_path, things / "chain.ftd", things / "image.npy", "-o", "out.npz")
    with np.load(tmp_path / "out.npz") as written:
        assert written.files == ["convolutional3"]
    (tmp_path / "out.npz").unlink()
    ran(tmp_path, things / "chain.ftd", things / "image.npy")
    assert list(tmp_path.iterdir()) == []


def test_layers_may_have_any_name(things: Path, tmp_path: Path) -> None:
    """Also those that NumPy's own writer of .npz files keeps for itself."""
    model = things.parent / "file.ftd"
    text = "[net]\nwidth=64\nheight=64\nchannels=3\n[convolutional]\nactivation=linear\n"
    write_small_model(model, text)
    content = model.read_bytes()
    assert content.count(b'"convolutional0"') == 1
    network = load(model).network
    renamed = replace(network, layers=(replace(network.layers[0], name="file"),))
    from ftdist.network.modelfile import write_model
    from ftdist.network.parameters import random_parameters

    write_model(model, renamed, random_parameters(renamed, 1))
    ran(tmp_path, model, things / "image.npy", "-o", "out.npz")
    with np.load(tmp_path / "out.npz") as written:
        assert written.files == ["file"]


def test_endings_may_be_in_capitals(things: Path, tmp_path: Path) -> None:
    (tmp_path / "IMAGE.NPY").write_bytes((things / "image.npy").read_bytes())
    ran(tmp_path, things / "chain.ftd", "IMAGE.NPY", "-o", "OUT.NPY")
    ran(tmp_path, things / "chain.ftd", things / "image.npy", "-o", "out.npy")
    assert (tmp_path / "OUT.NPY").read_bytes() == (tmp_path / "out.npy").read_bytes()
    ran(tmp_path, things / "detector.ftd", things / "photo.png", "-o", "OUT.JPG")
    ran(tmp_path, things / "detector.ftd", things / "photo.png", "-o", "OUT.JSON")


@pytest.mark.parametrize("order", ["F", "C"])
def test_arrays_in_any_order_and_pictures_give_the_same(
    things: Path, tmp_path: Path, order: str
) -> None:
    np.save(tmp_path / "in.npy", np.asarray(random_image(64), order=order))  # type: ignore[call-overload]
    ran(tmp_path, things / "chain.ftd", "in.npy", "-o", "out.npy")
    (array,) = expected(things / "chain.ftd", random_image(64)).values()
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), array)


def test_a_picture_of_the_networks_size_is_its_pixels(things: Path, tmp_path: Path) -> None:
    images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    pixels = np.asarray(images.open(things / "picture.png"))
    ran(tmp_path, things / "chain.ftd", things / "picture.png", "-o", "out.npy")
    (array,) = expected(things / "chain.ftd", pixels).values()
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), array)


@pytest.mark.parametrize("extension", ["jpg", "png"])
def test_a_detector_draws_what_it_found_on_the_photo(
    things: Path, tmp_path: Path, extension: str
) -> None:
    images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    outcome = ran(tmp_path, things / "detector.ftd", things / "photo.png", "-o", f"o.{extension}")
    found = [line.split() for line in outcome.out.splitlines() if line.startswith("found")]
    assert found and {words[1] for words in found} <= {"left", "right"}
    scores = [float(words[2]) for words in found]
    assert scores == sorted(scores, reverse=True)
    drawn = np.asarray(images.open(tmp_path / f"o.{extension}")).astype(int)
    assert drawn.shape == (50, 90, 3)
    assert np.abs(drawn - np.asarray(images.open(things / "photo.png"))).max() > 60


def test_a_detector_takes_arrays_with_and_without_a_batch_axis(
    things: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "batch.npy", random_image(64)[None])
    plain = ran(tmp_path, things / "detector.ftd", things / "image.npy", "-o", "plain.npy")
    batched = ran(tmp_path, things / "detector.ftd", "batch.npy", "-o", "batched.npy")
    found = [line for line in plain.out.splitlines() if line.startswith("found")]
    assert found
    assert found == [line for line in batched.out.splitlines() if line.startswith("found")]
    plain_map, batched_map = np.load(tmp_path / "plain.npy"), np.load(tmp_path / "batched.npy")
    np.testing.assert_array_equal(batched_map[0], plain_map)


def test_labels_cannot_take_over_the_terminal(things: Path, tmp_path: Path) -> None:
    from support.smallmodels import DETECTOR

    model = write_small_model(tmp_path / "m.ftd", DETECTOR, seed=3, labels=("\x1b[2Jx\ny", "b"))
    outcome = ran(tmp_path, model, things / "image.npy")
    assert "\x1b" not in outcome.out
    assert "found      \\x1b[2Jx\\ny " in outcome.out


def test_nan_goes_in_and_comes_out(things: Path, tmp_path: Path) -> None:
    image = random_image(64)
    image[1, 10, 20] = np.nan
    np.save(tmp_path / "nan.npy", image)
    for name in ("chain", "detector"):
        ran(tmp_path, things / f"{name}.ftd", "nan.npy", "-o", "out.npy")
        array = np.load(tmp_path / "out.npy")
        assert np.isnan(array).any() and not np.isnan(array).all()


@pytest.mark.parametrize("tiling", ["1x1", "3x2", "4x4s1/2/2x3s3", " 2x2 "])
def test_a_named_tiling_changes_no_bit(things: Path, tmp_path: Path, tiling: str) -> None:
    outcome = ran(
        tmp_path,
        *(things / "chain.ftd", things / "image.npy", "-o", "out.npy"),
        *("--tiling", tiling, "--threads", 2),
    )
    assert f"plan       {tiling.strip()}, threads 2, " in outcome.out
    (array,) = expected(things / "chain.ftd", random_image(64), direct=True).values()
    np.testing.assert_array_equal(np.load(tmp_path / "out.npy"), array)


def test_the_reference_kernels_agree(things: Path, tmp_path: Path) -> None:
    arguments = (things / "chain.ftd", things / "image.npy", "-o", "out.npy")
    outcome = ran(tmp_path, *arguments, "--kernels", "reference")
    assert "kernels reference" in outcome.out
    (array,) = expected(things / "chain.ftd", random_image(64)).values()
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), array, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def report(things: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The --json report of a run of three frames under a budget."""
    folder = tmp_path_factory.mktemp("report")
    budget = ("--mem", "100M", "--threads", 2, "--repeat", 3)
    outcome = ran(folder, things / "chain.ftd", things / "image.npy", *budget, "--json", "r.json")
    assert "(median of 3)" in outcome.out
    return folder / "r.json"


def test_the_report_is_what_scripts_rely_on(report: Path) -> None:
    value = json.loads(report.read_text())
    assert set(value) == {"plan", "predicted", "measured", "machine"}
    always = {"notation", "groups", "digest", "threads", "error_classes"}
    assert set(value["plan"]) - {"arithmetic"} == always
    assert value["plan"]["error_classes"]["direct"] == 1e-6
    assert value["plan"]["threads"] == 2
    assert value["plan"]["notation"] and len(value["plan"]["digest"]) == 32
    layers = [group["layers"] for group in value["plan"]["groups"]]
    assert layers[0][0] == 0 and layers[-1][1] == 3
    assert all(len(group["grid"]) == 2 for group in value["plan"]["groups"])
    predicted, measured = value["predicted"], value["measured"]
    assert set(predicted) - {"profile", "weights_from", "budget"} == {
        "peak_bytes",
        "latency_s",
        "parts",
    }
    assert {"baseline", "weights", "arenas", "input", "output"} <= set(predicted["parts"])
    assert all(type(size) is int and size >= 0 for size in predicted["parts"].values())
    assert sum(predicted["parts"].values()) <= predicted["peak_bytes"] <= 100 << 20
    assert 0 < predicted["latency_s"] < 1
    assert set(measured) == {"peak_bytes", "latency_s", "load_s"}
    assert type(measured["peak_bytes"]) is int
    assert measured["peak_bytes"] <= predicted["peak_bytes"]
    assert len(measured["latency_s"]) == 3 and min(measured["latency_s"]) > 0
    assert measured["load_s"] > 0
    assert {"architecture", "processors", "instruction_set", "ftdist"} <= set(value["machine"])


def test_the_plan_of_a_report_runs_again(report: Path, things: Path, tmp_path: Path) -> None:
    arguments = (things / "chain.ftd", things / "image.npy", "--plan", report)
    ran(tmp_path, *arguments, "--json", "again.json")
    first, again = (json.loads(p.read_text()) for p in (report, tmp_path / "again.json"))
    assert again["plan"] == first["plan"]
    ran(tmp_path, *arguments, "--threads", 1, "--json", "again.json")
    again = json.loads((tmp_path / "again.json").read_text())
    assert again["plan"] == {**first["plan"], "threads": 1}


def test_the_plan_of_another_model_is_refused(
    report: Path, things: Path, tmp_path: Path, refused: Refused
) -> None:
    from support.smallmodels import CHAIN

    other = write_small_model(tmp_path / "other.ftd", CHAIN, seed=2)
    arguments = ("run", other, things / "image.npy", "-o", "out.npy", "--plan", report)
    refused(*arguments, words=("another model", "plan again", str(report)))


@pytest.mark.parametrize(
    "change",
    [
        {"plan": []},
        {"plan": None},
        {"plan": {"notation": "1x1"}},
        {"plan": {"notation": "9999x1", "digest": ""}},
        {"threads": -1},
        {"threads": 0},
        {"threads": "two"},
        {"threads": 1e400},
        {"threads": 2.0},
        {"digest": "0" * 32},
        {"notation": 7},
        {"notation": "1x1\n/2/1x1"},
    ],
)
def test_a_plan_that_was_tampered_with_is_refused(
    report: Path, things: Path, tmp_path: Path, refused: Refused, change: dict[str, Any]
) -> None:
    value = json.loads(report.read_text())
    if "plan" in change:
        value = change
    else:
        value["plan"] = {**value["plan"], **change}
    (tmp_path / "plan.json").write_text(json.dumps(value))
    arguments = (things / "chain.ftd", things / "image.npy", "-o", "out.npy")
    refused("run", *arguments, "--plan", "plan.json", words=("plan.json",))


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b" " * (1 << 21)])
def test_what_is_no_plan_is_refused(
    things: Path, tmp_path: Path, refused: Refused, content: bytes
) -> None:
    (tmp_path / "plan.json").write_bytes(content)
    arguments = (things / "chain.ftd", things / "image.npy", "-o", "out.npy")
    refused("run", *arguments, "--plan", "plan.json", words=("plan.json",))


def test_the_instruction_set_can_be_named(things: Path, tmp_path: Path) -> None:
    arguments = (things / "chain.ftd", things / "image.npy", "-o", "out.npy")
    outcome = ran(tmp_path, *arguments, FTDIST_ISA="scalar")
    assert "kernels scalar" in outcome.out
