"""The same networks elsewhere: an independent runtime, other kernels, a trained detector.

An error is the largest difference of any element, relative to the largest element.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support.command import measured_ftdist
from support.smallmodels import random_image, write_small_model

from ftdist.network import architectures
from ftdist.network.darknet.importer import read_cfg
from ftdist.network.darknet.weights import read_weights
from ftdist.network.graph import INPUT, Network
from ftdist.network.modelfile import Model, load, write_model
from ftdist.network.operators.base import Activation, Operation
from ftdist.network.operators.channels import Activate
from ftdist.network.operators.joining import Add, Concatenate
from ftdist.network.operators.resampling import Upsample
from ftdist.network.operators.windows import Convolution, Pool
from ftdist.network.parameters import Parameters, random_parameters
from ftdist.pictures.fitted import load_picture
from ftdist.planning.plan import untiled
from ftdist.runtime.local import Kernels, Outputs, Session

onnx = pytest.importorskip("onnx", reason="the oracle is built with onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="the oracle is onnxruntime")
from onnx import helper, numpy_helper  # noqa: E402

Array = NDArray[np.float32]

TOLERANCE = 1e-5


def architecture(name: str, side: int, folder: Path) -> Path:
    """A model file of a built-in architecture for another size of input, random weights."""
    text = (Path(architectures.__file__).parent / f"{name}.cfg").read_text()
    for key in ("width", "height"):
        (line,) = (
            each for each in text.splitlines() if each.replace(" ", "").startswith(f"{key}=")
        )
        text = text.replace(line, f"{key}={side}")
    return write_small_model(folder / f"{name}-{side}.ftd", text)


def run(model: Model, image: NDArray[Any], kernels: Kernels = "native") -> Outputs:
    with Session(model, untiled(model.network), kernels) as session:
        return session.run(image)


def error(found: Array, expected: Array) -> float:
    assert found.shape == expected.shape
    return float(np.abs(found - expected).max() / np.abs(expected).max())


class Graph:
    """A network as ONNX, with its weights as they are in our files."""

    def __init__(self, network: Network, parameters: Iterator[Parameters]) -> None:
        self.network = network
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.parameters = {each.layer: each for each in parameters}
        for number, layer in enumerate(network.layers):
            if network.source(number) == number:
                sources = [self.name(each) for each in network.reads(number)]
                self.layer(number, layer.operation, sources)

    def name(self, number: int) -> str:
        return "input" if number == INPUT else f"map{number}"

    def constant(self, name: str, array: NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def layer(self, number: int, operation: Operation, sources: list[str]) -> None:
        output = self.name(number)
        if isinstance(operation, Convolution | Add | Activate):
            before = f"before{number}"
            if isinstance(operation, Convolution):
                own = self.parameters[number]
                constants = [
                    self.constant(f"weights{number}", own.weights),
                    self.constant(f"bias{number}", own.bias),
                ]
                options = {**window(operation.window), "group": operation.groups}
                self.node("Conv", [*sources, *constants], before, **options)
            else:
                self.node("Add" if isinstance(operation, Add) else "Identity", sources, before)
            self.activation(operation.activation, before, output)
        elif isinstance(operation, Pool):
            assert operation.mode == "max"
            self.node("MaxPool", sources, output, **window(operation.window))
        elif isinstance(operation, Concatenate):
            assert operation.parts == 1
            self.node("Concat", sources, output, axis=1)
        else:
            assert isinstance(operation, Upsample)
            scales = np.array([1, 1, operation.scale, operation.scale], np.float32)
            inputs = [*sources, "", self.constant(f"scales{number}", scales)]
            options = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            self.node("Resize", inputs, output, mode="nearest", **options)

    def activation(self, activation: Activation, before: str, output: str) -> None:
        kinds = {"linear": "Identity", "relu": "Relu", "logistic": "Sigmoid"}
        if activation.kind == "leaky":
            self.node("LeakyRelu", [before], output, alpha=activation.slope)
        else:
            self.node(kinds[activation.kind], [before], output)

    def run(self, image: Array) -> Outputs:
        network = self.network
        sources = [network.source(number) for number in network.outputs]
        graph = helper.make_graph(
            self.nodes,
            "network",
            [self.tensor(INPUT)],
            [self.tensor(source) for source in sources],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(model)
        found = inference(model.SerializeToString()).run(None, {"input": image[None]})
        names = [network.layers[number].name for number in network.outputs]
        return {name: array[0] for name, array in zip(names, found, strict=True)}

    def tensor(self, number: int) -> Any:
        height, width, channels = self.network.shape(number)
        shape = (1, channels, height, width)
        return helper.make_tensor_value_info(self.name(number), onnx.TensorProto.FLOAT, shape)


def window(sliding: Any) -> dict[str, Any]:
    vertical, horizontal = sliding.vertical, sliding.horizontal
    return {
        "kernel_shape": [vertical.kernel, horizontal.kernel],
        "strides": [vertical.stride, horizontal.stride],
        "dilations": [vertical.dilation, horizontal.dilation],
        "pads": [
            vertical.pad_before,
            horizontal.pad_before,
            vertical.pad_after,
            horizontal.pad_after,
        ],
    }


def inference(model: bytes | str) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("side", [160, 608])
def test_yolov2s_first_layers_agree(first16_file: Path, tmp_path: Path, side: int) -> None:
    path = first16_file if side == 608 else architecture("yolov2-first16", side, tmp_path)
    model = load(path)
    image = random_image(side)
    (expected,) = Graph(model.network, random_parameters(model.network, 1)).run(image).values()
    (found,) = run(model, image).values()
    assert found.shape == (256, side // 16, side // 16)
    assert np.abs(expected).max() > 0.1
    assert error(found, expected) <= TOLERANCE


def test_all_of_yolov2_agrees_with_the_reference(tmp_path: Path) -> None:
    model = load(architecture("yolov2", 96, tmp_path))
    image = random_image(96)
    (found,) = run(model, image).values()
    (expected,) = run(model, image, "reference").values()
    assert found.shape == (425, 3, 3)
    assert error(found, expected) <= TOLERANCE


@pytest.fixture(scope="module")
def trained(shared_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A trained detector of 131 layers: depthwise, skips, routes, an upsample, two heads."""
    source = read_cfg(shared_models / "yolo-fastest-1.1-xl.cfg")
    path = tmp_path_factory.mktemp("trained") / "fastest.ftd"
    weights = read_weights(source, shared_models / "yolo-fastest-1.1-xl.weights")
    write_model(path, source.network, weights)
    return load(path)


@pytest.fixture(scope="module")
def dog(trained: Model, shared_photos: Path) -> Array:
    """The dog as that network's input, float32 (3, 320, 320) in 0..1."""
    pixels, _ = load_picture(shared_photos / "dog.jpg", trained.network.input)
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1), np.float32)
    return planes / np.float32(255)


def heads(outputs: Outputs) -> list[Array]:
    """The maps of both heads, the coarser first."""
    return sorted(outputs.values(), key=lambda array: array.shape[1])


def test_a_trained_detector_agrees_with_its_published_conversion(
    trained: Model, dog: Array, shared_models: Path
) -> None:
    session = inference(str(shared_models / "yolo-fastest-1.1-xl.onnx"))
    (given,) = session.get_inputs()
    published = [array[0] for array in session.run(None, {given.name: dog[None]})]
    found = heads(run(trained, dog))
    published.sort(key=lambda array: array.shape[1])
    assert [array.shape[1] for array in found] == [10, 20]
    for mine, theirs in zip(found, published, strict=True):
        assert error(mine, theirs) <= TOLERANCE


def test_a_trained_detector_agrees_with_our_own_weights_elsewhere(
    trained: Model, dog: Array, shared_models: Path
) -> None:
    """The same folded weights: what differs is only the order of sums."""
    source = read_cfg(shared_models / "yolo-fastest-1.1-xl.cfg")
    weights = read_weights(source, shared_models / "yolo-fastest-1.1-xl.weights")
    expected = heads(Graph(trained.network, weights).run(dog))
    for mine, theirs in zip(heads(run(trained, dog)), expected, strict=True):
        assert error(mine, theirs) <= TOLERANCE


@pytest.mark.parametrize(
    ("photo", "wanted"),
    [("dog", [{"dog"}, {"car", "truck"}, {"bicycle"}]), ("person", [{"person"}])],
)
def test_the_photos_show_what_they_show(
    trained: Model, shared_photos: Path, tmp_path: Path, photo: str, wanted: list[set[str]]
) -> None:
    """By the command, within a budget, tiled, and drawn on the photo."""
    arguments = (trained.path, shared_photos / f"{photo}.jpg", "-o", "drawn.jpg")
    tiles = ("--mem", "64M", "--tiling", "3x3/30/2x2s4")
    outcome = measured_ftdist("run", *arguments, *tiles, folder=tmp_path)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.peak_bytes <= 64 << 20
    found = [line.split() for line in outcome.out.splitlines() if line.startswith("found")]
    strong = {words[1] for words in found if float(words[2]) > 0.7}
    assert all(strong & each for each in wanted), strong
    assert (tmp_path / "drawn.jpg").stat().st_size > 50_000
