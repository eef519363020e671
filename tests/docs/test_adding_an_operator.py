"""The steps of docs/adding-an-operator.md, followed: a copy of the program learns a new operator.

The operator is Floor: the larger of x and a value of the channel, which is a weight by the name of
`least`. Each step of the document writes one file of the program, and no other is touched. What is
then in the copy is run as its user would: from a .cfg to a model file, by plans of several kinds.
"""

from __future__ import annotations

import filecmp
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from docs.test_docs import PACKAGE, ROOT, STEPS

CLASS = '''

@operator
@dataclass(frozen=True, slots=True)
class Floor(Elementwise):
    """The larger of x and the channel's `least`, float32 (channels,)."""

    kind: ClassVar[str] = "floor"
    kernels: ClassVar[tuple[str, ...]] = ("floor",)

    def output_shape(self, inputs: tuple[Shape, ...]) -> Shape:
        return only(inputs)

    def weights(self, source: Shape) -> dict[str, tuple[int, ...]]:
        return {"least": (source.channels,)}

    def record(self, inputs: tuple[Shape, ...], output: Shape, part: int) -> KernelRecord:
        return KernelRecord("floor", weights={"weights": "least"})
'''

REFERENCE = """
    def floor(self) -> Array:
        least = self.floats[self.k["weights"] :][: self.k["channels"]]
        return np.maximum(self.same("in"), least)
"""

KERNEL = """static void floor(const Program& program, const Kernel& kernel, const Call& call) {
  const float* least = program.weights + kernel.weights;
  for (int row = call.row; row < call.row + call.rows; row++)
    for (int column = kernel.left; column < kernel.right; column++) {
      const float* in = at(program, kernel.in, call.in_row, row, column);
      float* out = at(program, kernel.out, call.out_row, row, column);
      for (int channel = 0; channel < kernel.channels; channel++)
        out[channel] = in[channel] > least[channel] ? in[channel] : least[channel];
    }
}

static WeightLayout floor_weights(const Kernel& k) { return {1, (double)k.filters, 1, false}; }

"""

ROW = """    {.name = "floor",
     .run = floor,
     .reads = reads_position,
     .fits = same_channels,
     .weights = floor_weights},
"""

BUILDER = """
from ftdist.network.operators.channels import Floor

BUILDERS["floor"] = lambda section, network: (Floor(), (previous(network),))
"""

CFG = """
[net]
height=19
width=17
channels=3

[convolutional]
filters=21
size=3
pad=1
activation=linear

[floor]

[convolutional]
filters=5
size=3
pad=1
activation=leaky
"""

RUN = """
import sys
import sysconfig
from pathlib import Path

import numpy as np

from ftdist import Session
from ftdist.network.darknet.importer import parse_cfg
from ftdist.network.modelfile import load, write_model
from ftdist.network.parameters import random_parameters
from ftdist.planning.plan import parse_notation

kernels, folder = sys.argv[1], Path(sys.argv[2])
network = parse_cfg((folder / "floor.cfg").read_text(), "floor").network
write_model(folder / "floor.ftd", network, random_parameters(network, 3))
model = load(folder / "floor.ftd")
image = np.random.default_rng(1).normal(size=(3, 19, 17)).astype(np.float32)


def run(model, image, tiling):
    plan = parse_notation(tiling, model.network)
    with Session(model, plan, kernels=kernels) as session:
        (output,) = session.run(image).values()
    return np.array(output)


first = network.until(0)
write_model(folder / "first.ftd", first, (e for e in random_parameters(network, 3) if not e.layer))
floors = network.until(1)
parameters = list(random_parameters(network, 3))
write_model(folder / "floors.ftd", floors, (each for each in parameters if each.layer < 2))
before = run(load(folder / "first.ftd"), image, "1x1")
least = parameters[1].named["least"]
assert least.shape == (21,) and (before < least[:, None, None]).any()
expected = np.maximum(before, least[:, None, None])
for tiling in ("1x1", "2x3", "1x1s2", "3x2s4/1/1x1s3"):
    found = run(load(folder / "floors.ftd"), image, tiling)
    np.testing.assert_array_equal(found.squeeze(), expected.squeeze())
whole = run(model, image, "1x1")
for tiling in ("2x3", "1x1s2", "1x1/2/3x1s2", "3x2s4/1/1x1s3"):
    found = run(model, image, tiling)
    if kernels == "native":
        np.testing.assert_array_equal(found, whole)
    np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-5)
print("the copy runs Floor")
"""


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the program in which the steps have been followed."""
    folder = tmp_path_factory.mktemp("copy")
    skip = shutil.ignore_patterns("__pycache__", "_native*.so")
    shutil.copytree(PACKAGE, folder / "ftdist", ignore=skip)
    shutil.copy(ROOT / "CMakeLists.txt", folder)
    definition, reference, kernel, importer = (
        folder / row[1].strip("`") for row in STEPS if row[1].startswith("`ftdist/")
    )
    append(definition, CLASS)
    append(reference, REFERENCE)
    table = "constexpr Operation CHANNELS[] = {\n"
    before, after = kernel.read_text().split(table)
    kernel.write_text(before + KERNEL + table + ROW + after)
    append(importer, BUILDER)
    (folder / "floor.cfg").write_text(CFG)
    return folder


def touched(copy: Path) -> list[Path]:
    """The files of the program that the copy has otherwise."""
    files = [
        each for each in (copy / "ftdist").rglob("*") if each.suffix in (".py", ".hpp", ".cpp")
    ]
    return [
        each
        for each in files
        if not filecmp.cmp(each, ROOT / each.relative_to(copy), shallow=False)
    ]


def run(copy: Path, kernels: str) -> None:
    (copy / "run.py").write_text(RUN)
    # -S: an editable install of the program would come before the copy
    path = os.pathsep.join((str(copy), *map(sysconfig.get_path, ("purelib", "platlib"))))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-S", "-W", "error", str(copy / "run.py"), kernels, str(copy)]
    done = subprocess.run(
        command, env=environment, cwd=copy, capture_output=True, text=True, check=False
    )
    assert done.stdout == "the copy runs Floor\n", done.stdout + done.stderr


def test_the_program_needs_at_most_four_files(copy: Path) -> None:
    assert 1 <= len(touched(copy)) <= 4


def test_the_new_operator_runs_by_reference(copy: Path) -> None:
    run(copy, "reference")


def test_the_new_operator_runs_natively(copy: Path) -> None:
    """Compiled for plain registers only and as it stands, so that it takes seconds."""
    if importlib.util.find_spec("nanobind") is None:
        pytest.skip("the copy cannot be compiled: nanobind is not installed")
    target = copy / "ftdist" / "kernels" / "src" / "target.cmake"
    target.write_text(target.read_text().replace("FTDIST_TARGET x86", "FTDIST_TARGET other"))
    kernels = target.with_name("kernels.cmake")
    text = kernels.read_text()
    assert "-O3;" in text and "scalar -O2)" in text
    kernels.write_text(text.replace("-O3;", "-O0;").replace("scalar -O2)", "scalar)"))
    build = copy / "build"
    settings = ("-DCMAKE_BUILD_TYPE=Debug", f"-DPython_EXECUTABLE={sys.executable}")
    commands: tuple[list[str | Path], ...] = (
        ["cmake", "-S", copy, "-B", build, *settings],
        ["cmake", "--build", build, "--target", "_native", "--parallel", "2"],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    (module,) = build.glob("_native*.so")
    shutil.copy(module, copy / "ftdist" / "kernels")
    run(copy, "native")
