"""PyTorch modules become models; a stand-in for torch, which few have, shows what it is asked."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.onnxgraphs import Nodes, expected

import ftdist


class StandIn:
    """As much of a module as is asked for: parts, and whether each is being trained."""

    def __init__(self, *parts: StandIn) -> None:
        self.parts, self.training = parts, True
        self.exported_in: list[bool] = []

    def modules(self) -> list[StandIn]:
        return [self, *self.parts]

    def eval(self) -> None:
        for each in self.modules():
            each.training = False


def graph() -> Nodes:
    nodes = Nodes(seed=2)
    made = nodes.add("Conv", nodes.input(1, 3, 8, 9), nodes.random(4, 3, 3, 3))
    nodes.output(nodes.add("Relu", made))
    return nodes


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A stand-in whose newer exporter fails, and whose older one writes a small graph."""
    asked: list[dict[str, Any]] = []

    def export(module: StandIn, inputs: tuple[Any, ...], file: str, **how: Any) -> None:
        asked.append({"inputs": inputs, **how})
        module.exported_in.append(any(each.training for each in module.modules()))
        if how["dynamo"] or getattr(module, "breaks", False):
            raise ValueError("no symbolic function\nand a long story")
        graph().save(Path(file))

    made = SimpleNamespace(
        nn=SimpleNamespace(Module=StandIn),
        onnx=SimpleNamespace(export=export),
        no_grad=nullcontext,
        asked=asked,
    )
    monkeypatch.setitem(sys.modules, "torch", made)
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *more: SimpleNamespace() if name == "onnxscript" else found(name, *more),
    )
    return made


def test_a_module_is_exported_at_inference_and_keeps_its_modes(
    torch: SimpleNamespace, tmp_path: Path
) -> None:
    frozen = StandIn()
    frozen.training = False
    module = StandIn(frozen, StandIn())
    model = ftdist.from_torch(module, "example", tmp_path / "net.ftd")
    assert [each["dynamo"] for each in torch.asked] == [True, False]
    assert all(each["inputs"] == ("example",) for each in torch.asked)
    assert module.exported_in == [False, False]
    assert [each.training for each in module.modules()] == [True, False, True]
    assert model.path == tmp_path / "net.ftd" and model.network.name == "StandIn"


def test_without_a_name_the_file_is_gone_and_the_model_runs(
    torch: SimpleNamespace, tmp_path: Path
) -> None:
    model = ftdist.from_torch(StandIn(), ("one", "two"))
    assert torch.asked[0]["inputs"] == ("one", "two")
    assert not Path(model.path).exists()
    array = np.random.default_rng(0).random((1, 3, 8, 9), dtype=np.float32)
    plan = ftdist.parse_notation("2x1s1w", model.network)
    with ftdist.Session(model, plan) as session:
        (found,) = session.run(array).values()
    (wanted,) = expected(graph().save(tmp_path / "net.onnx"), {"x": array}).values()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_what_cannot_be_exported_is_refused_in_one_line(torch: SimpleNamespace) -> None:
    module = StandIn()
    module.breaks = True  # type: ignore[attr-defined]
    with pytest.raises(ftdist.InputError, match="StandIn: PyTorch cannot export it") as refused:
        ftdist.from_torch(module, "example")
    assert "\n" not in str(refused.value)
    with pytest.raises(ftdist.InputError, match=r"int is not a torch\.nn\.Module"):
        ftdist.from_torch(3, "example")


def test_without_torch_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ftdist.InputError, match=r"pip install 'ftdist\[torch\]'"):
        ftdist.from_torch(object(), "example")


def test_a_real_module_computes_what_pytorch_says(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="TORCH IS NOT INSTALLED")
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, padding=1),
        torch.nn.BatchNorm2d(8),
        torch.nn.SiLU(),
        torch.nn.Dropout(),
        torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(8, 5),
    )
    example = torch.rand(1, 3, 12, 10)
    model = ftdist.from_torch(module, example, tmp_path / "net.ftd")
    assert module.training
    with ftdist.Session(model, ftdist.parse_notation("1x1", model.network)) as session:
        (found,) = session.run(example.numpy()).values()
    with torch.no_grad():
        wanted = module.eval()(example).numpy()
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
