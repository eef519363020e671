"""Values as polynomials of atoms, as far as nodes add, subtract, multiply, divide, or raise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ftdist.network.onnx.nodes import Node

Monomial = tuple[str, ...]
"""Atoms that are multiplied, in order; "1/" before a name divides by it."""

Polynomial = dict[Monomial, NDArray[np.float64]]
"""Coefficients, each a number or an array that is broadcast, by monomial."""

_MOST_TERMS, _MOST_DEPTH, _MOST_VALUES, _MOST_NEAR = 12, 12, 1 << 16, 40

_ARITHMETIC = ("Add", "Sum", "Sub", "Mul", "Div", "Neg", "Reciprocal", "Pow")
MEANS = ("ReduceMean", "GlobalAveragePool")
_PASSED = ("Identity", "Dropout", "Cast", "Expand")


class Unlike(Exception):
    """What has too many terms, or is no polynomial."""


class Mean(NamedTuple):
    """The mean of a value over some dims, which stay as dims of one."""

    value: str
    axes: tuple[int, ...]


@dataclass(frozen=True)
class Expressions:
    """Reads the values that nodes make; `constant` and `shape` are what is known of a value."""

    made: Mapping[str, Node]
    constant: Callable[[str], NDArray[np.float64] | None]
    shape: Callable[[str], tuple[int, ...] | None]
    averages: dict[str, Mean] = field(default_factory=dict)
    """What has been met, by the atom that stands for all means of a value over the same axes."""

    def passed(self, name: str) -> str:
        """The value that a value is, but for nodes that change nothing."""
        while (node := self.made.get(name)) is not None and self.passes(node):
            name = node.inputs[0]
        return name

    def passes(self, node: Node) -> bool:
        return node.kind in _PASSED and (node.kind != "Cast" or node.integer("to") == 1)

    def node(self, name: str) -> Node | None:
        """The node that makes a value, but for nodes that change nothing."""
        return self.made.get(self.passed(name))

    def of(self, name: str, stop: str = "", depth: int = _MOST_DEPTH) -> Polynomial:
        """A value as a polynomial in which `stop` is an atom; Unlike when it is none."""
        name = self.passed(name)
        if name == stop:
            return {(name,): np.ones(())}
        known = self.constant(name)
        if known is not None:
            if known.size > _MOST_VALUES:
                raise Unlike
            return {(): known}
        node = self.made.get(name)
        if node is None or depth == 0 or node.kind not in _ARITHMETIC:
            return {(self._atom(name, node),): np.ones(())}
        return _short(self._arithmetic(node, name, stop, depth - 1))

    def _arithmetic(self, node: Node, name: str, stop: str, depth: int) -> Polynomial:
        first, *others = node.inputs
        if node.kind == "Pow":
            return self._power(name, first, others[0], stop, depth)
        if node.kind == "Reciprocal":
            return self._divided({(): np.ones(())}, first, stop, depth)
        total = self.of(first, stop, depth)
        if node.kind == "Neg":
            return _times(total, {(): -np.ones(())})
        for each in others:
            if node.kind == "Div":
                total = self._divided(total, each, stop, depth)
                continue
            other = self.of(each, stop, depth)
            if node.kind == "Mul":
                total = _times(total, other)
            else:
                sign = -1.0 if node.kind == "Sub" else 1.0
                total = _plus(total, _times(other, {(): np.full((), sign)}))
        return total

    def _divided(self, total: Polynomial, by: str, stop: str, depth: int) -> Polynomial:
        divisor = self.of(by, stop, depth)
        if divisor.keys() == {()}:
            with np.errstate(all="ignore"):
                return _times(total, {(): 1 / divisor[()]})
        return _times(total, {(f"1/{self.passed(by)}",): np.ones(())})

    def _power(self, name: str, base: str, exponent: str, stop: str, depth: int) -> Polynomial:
        number = self.number(exponent)
        if number not in (1, 2, 3):
            return {(name,): np.ones(())}
        found = once = self.of(base, stop, depth)
        for _ in range(int(number) - 1):
            found = _short(_times(found, once))
        return found

    def number(self, name: str) -> float | None:
        """The value as a single known number."""
        known = self.constant(name)
        return float(known.ravel()[0]) if known is not None and known.size == 1 else None

    def nearby(self, name: str) -> Iterator[str]:
        """The atoms close before a value, nearest first."""
        waiting, seen = [name], {name}
        while waiting:
            node = self.node(waiting.pop(0))
            for each in () if node is None else node.inputs:
                real = self.passed(each)
                if not real or real in seen or self.constant(real) is not None:
                    continue
                seen.add(real)
                before = self.made.get(real)
                if before is not None and before.kind in _ARITHMETIC:
                    waiting.append(real)
                yield real
                if len(seen) > _MOST_NEAR:
                    return

    def _atom(self, name: str, node: Node | None) -> str:
        """What a value is called in monomials: means of the same have the same name."""
        mean = None if node is None else self._mean(node)
        if mean is None:
            return name
        atom = f"mean of {mean.value} over {mean.axes}"
        self.averages[atom] = mean
        return atom

    def _mean(self, node: Node) -> Mean | None:
        shape = self.shape(node.inputs[0]) if node.inputs else None
        if shape is None:
            return None
        value, rank = self.passed(node.inputs[0]), len(shape)
        if node.kind == "GlobalAveragePool" and rank > 2:
            return Mean(value, tuple(range(2, rank)))
        if node.kind != "ReduceMean" or not node.integer("keepdims", 1):
            return None
        axes = node.integers("axes")
        if len(node.inputs) > 1 and node.inputs[1]:
            known = self.constant(node.inputs[1])
            axes = () if known is None else tuple(int(each) for each in known.ravel())
        return Mean(value, tuple(sorted(axis % rank for axis in axes))) if axes else None


def matches(found: Polynomial, wanted: Mapping[Monomial, float]) -> bool:
    """Whether a polynomial has just these coefficients, everywhere."""
    return found.keys() == {tuple(sorted(each)) for each in wanted} and all(
        np.allclose(found[tuple(sorted(key))], value, rtol=2e-4, atol=0)
        for key, value in wanted.items()
    )


def _plus(one: Polynomial, other: Polynomial) -> Polynomial:
    total = dict(one)
    for key, value in other.items():
        total[key] = total[key] + value if key in total else value
    return total


def _times(one: Polynomial, other: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for first, a in one.items():
        for second, b in other.items():
            key = tuple(sorted(first + second))
            try:
                value = a * b
                total[key] = total[key] + value if key in total else value
            except ValueError:
                raise Unlike from None
    return total


def _short(found: Polynomial) -> Polynomial:
    """Without what is 0 everywhere; Unlike when too long."""
    left = {key: value for key, value in found.items() if value.any() or key == ()}
    if () in left and len(left) > 1 and not left[()].any():
        del left[()]
    if len(left) > _MOST_TERMS or max(map(len, left), default=0) > _MOST_DEPTH:
        raise Unlike
    return left
