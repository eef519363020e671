"""Instructions a multiply-accumulate in the inner loops for NEON, counted from the object code.

The kernels are compiled for aarch64 and disassembled; a loop's body is what lies between a backward
branch and its target, without other loops inside, and counts where it holds fused
multiply-adds (`fmla`, of four numbers each). Beside it stands what 32 registers allow, for P pixels
by N = 4 vectors of 4 output channels::

    convolution    4 P N fmla + P loads of inputs + 2 N loads of pairs of weights + 2 to go round
                   for 4 terms: inputs are multiplied by lane, so P N + P + 2 registers are taken
    product        P N fmla + P loads of inputs + N / 2 of pairs + 1 of the term's place + 2
                   for one term: inputs lie anywhere
    depthwise      K^2 R P fmla + the inputs that windows of R x P pixels lie on, each loaded once
                   + K^2 loads of taps (of 3x3, which stay in registers; R K^2 of 5x5) + R P + 1 to
                   begin the sums with the bias

Of depthwise the loop is counted from its top to its last product: then come activations, of which
one is chosen, and stores. The bar: the loops of the largest P and R, which do most of the work,
within 15% of that. What is left of a run, up to three terms, goes through a longer loop. --all
shows that too. ::

    python benchmarks/neon.py [--compiler aarch64-linux-gnu-g++] [--all]
"""

from __future__ import annotations

import argparse
import math
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "ftdist" / "kernels" / "src"
FLAGS = ("-std=gnu++17", "-O3", "-DNDEBUG", "-fPIC", "-ffp-contract=off", "-fno-schedule-insns")
"""As kernels.cmake has them."""

LANES, VECTORS, MOST_PIXELS, REGISTERS = 4, 4, 6, 32
BAR = 1.15
NAMES = {"micro": "convolution", "spread_pixels": "transposed", "product_block": "product"}

_FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
_INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)\s*(.*)$")
_KERNEL = re.compile(r"neon::(\w+)<(\d+)")
_DEPTHWISE = re.compile(r"neon::depthwise_whole<(\d+), (\d+), (\d+), (\d+)>")


@dataclass(frozen=True)
class Loop:
    """The instructions of an inner loop of a kernel for so many pixels."""

    kernel: str
    pixels: int
    names: tuple[str, ...]

    @property
    def products(self) -> int:
        return self.names.count("fmla")

    @property
    def loads(self) -> int:
        return sum(name.startswith("ld") for name in self.names)

    @property
    def stores(self) -> int:
        return sum(name.startswith("st") for name in self.names)

    @property
    def terms(self) -> int:
        return self.products // (self.pixels * VECTORS)

    @property
    def allowed(self) -> int:
        """The instructions that the registers allow."""
        if self.kernel == "product_block":
            return self.products + self.pixels + VECTORS // 2 + 1 + 2
        inputs = self.pixels * -(-self.terms // LANES)
        return self.products + inputs + self.terms * VECTORS // 2 + 2

    @property
    def ratio(self) -> float:
        return len(self.names) / self.allowed


@dataclass(frozen=True)
class Windows(Loop):
    """Those of a block of depthwise windows with all rows on the map, up to its last product."""

    size: int
    stride: int
    rows: int

    @property
    def allowed(self) -> int:
        taps, sums = self.size**2, self.rows * self.pixels
        sides = ((each - 1) * self.stride + self.size for each in (self.rows, self.pixels))
        loaded = taps if sums + taps < REGISTERS else self.rows * taps
        return self.products + math.prod(sides) + loaded + sums + 1


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--compiler", default="aarch64-linux-gnu-g++")
    parser.add_argument("--all", action="store_true", help="loops of fewer pixels and terms too")
    arguments = parser.parse_args()
    lines = _disassembled(arguments.compiler)
    loops = [each for each in _loops(lines) if each.products]
    hot = [each for each in loops if each.pixels == MOST_PIXELS and each.terms in (1, LANES)]
    hot = [min(_of(hot, name), key=lambda each: each.ratio) for name in NAMES]
    windows = list(_windows(lines))
    most_rows = max(each.rows for each in windows)
    hot += [each for each in windows if each.rows == most_rows]
    loops += windows
    print(f"{'kernel':14}{'pixels':>7}{'fmla':>6}{'loads':>6}{'stores':>7}{'others':>7}", end="")
    print(f"{'a MAC':>8}{'allowed':>9}{'ratio':>7}")
    for each in sorted(loops, key=lambda it: (it.kernel, it.pixels)) if arguments.all else hot:
        _tell(each)
    worst = max(each.ratio for each in hot)
    print(f"at most {worst:.2f} times what the registers allow; the bar is {BAR:.2f}")
    return 0 if worst <= BAR else 1


def _of(loops: list[Loop], kernel: str) -> list[Loop]:
    return [each for each in loops if each.kernel == kernel]


def _tell(loop: Loop) -> None:
    macs = loop.products * LANES
    others = len(loop.names) - loop.products - loop.loads - loop.stores
    name = NAMES.get(loop.kernel, loop.kernel)
    print(
        f"{name:14}{loop.pixels:7}{loop.products:6}{loop.loads:6}{loop.stores:7}"
        f"{others:7}{len(loop.names) / macs:8.3f}{loop.allowed / macs:9.3f}{loop.ratio:7.2f}"
    )


def _disassembled(compiler: str) -> list[str]:
    """The lines that objdump prints of the kernels for NEON."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "neon.o")
        words = [compiler, *FLAGS, f"-I{SOURCE}", "-c", str(SOURCE / "isa_neon.cpp")]
        subprocess.run([*words, "-o", str(made)], check=True)
        objdump = compiler.replace("g++", "objdump")
        words = [objdump, "-d", "-C", "--no-show-raw-insn", str(made)]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()


def _loops(lines: list[str]) -> Iterator[Loop]:
    """The inner loops of the kernels that multiply most."""
    kernel, code = None, list[tuple[int, str, str]]()
    for line in [*lines, "0 <>:"]:
        if found := _FUNCTION.match(line):
            if kernel:
                yield from _inner(kernel[1], int(kernel[2]), code)
            kernel, code = _KERNEL.search(found[1]), []
            if kernel and kernel[1] not in NAMES:
                kernel = None
        elif kernel and (found := _INSTRUCTION.match(line)):
            code.append((int(found[1], 16), found[2], found[3]))


def _windows(lines: list[str]) -> Iterator[Windows]:
    """The blocks of depthwise windows, each from the top of its loop to its last product."""
    found, code = None, list[tuple[int, str, str]]()
    for line in [*lines, "0 <>:"]:
        if function := _FUNCTION.match(line):
            if found:
                size, stride, rows, pixels = map(int, found.groups())
                names = tuple(_to_last_product(code))
                name = f"{size}x{size}/{stride} {rows} rows"
                yield Windows(name, pixels, names, size, stride, rows)
            found, code = _DEPTHWISE.search(function[1]), []
        elif found and (each := _INSTRUCTION.match(line)):
            code.append((int(each[1], 16), each[2], each[3]))


def _to_last_product(code: list[tuple[int, str, str]]) -> Iterator[str]:
    products = [number for number, (_, name, _) in enumerate(code) if name == "fmla"]
    first, last = products[0], products[-1]
    targets = [
        int(target[1], 16)
        for _, name, operands in code[last:]
        if name.startswith("b") and (target := re.search(r"([0-9a-f]+) <", operands))
    ]
    top = max(each for each in targets if each <= code[first][0])
    return (name for address, name, _ in code[: last + 1] if address >= top)


def _inner(kernel: str, pixels: int, code: list[tuple[int, str, str]]) -> Iterator[Loop]:
    places = {address: number for number, (address, _, _) in enumerate(code)}
    spans = []
    for number, (_, name, operands) in enumerate(code):
        target = re.search(r"([0-9a-f]+) <", operands)
        if target and (name.startswith(("b.", "cb", "tb")) or name == "b"):
            first = places.get(int(target[1], 16), number + 1)
            if first <= number:
                spans.append((first, number + 1))
    for first, stop in spans:
        inside = [each for each in spans if first <= each[0] and each[1] <= stop]
        if len(inside) == 1:
            yield Loop(kernel, pixels, tuple(name for _, name, _ in code[first:stop]))


if __name__ == "__main__":
    sys.exit(main())
