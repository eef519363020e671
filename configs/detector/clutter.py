"""Draws what the detector must not report: things beside the objects, and things in front of them.

Distractors share colours, outlines and sizes with the objects but lack what makes the object one:
a crate is a car without windows, a flat slab a house without a ridge, a pond a parasol without
panels, a rock a tree without leaves, a loose cross a plane without a fuselage. Veils (wisps of
cloud, branches, cables) go on top of the finished objects and hide a part of some of them.
"""

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter
from sprites import Colour, Pen, any_colour, shaded


def blob(rng: np.random.Generator, corners: int, roughness: float) -> list[tuple[float, float]]:
    """A ragged closed outline within the unit frame."""
    reaches = 0.5 * rng.uniform(1 - roughness, 1, corners)
    turns = 2 * math.pi * np.arange(corners) / corners
    return [
        (float(r * math.cos(t)), float(r * math.sin(t)))
        for r, t in zip(reaches, turns, strict=True)
    ]


def earthy_colour(rng: np.random.Generator) -> Colour:
    """Concrete, soil or faded paint."""
    red, green, blue = rng.uniform(90, 210) + rng.normal(0, 18, 3)
    return shaded((red, green, blue), 1.0)


def crate(pen: Pen, rng: np.random.Generator) -> None:
    """A plain box with planks or a cross on its lid."""
    half, paint = rng.uniform(0.2, 0.5), any_colour(rng)
    pen.box(-0.5, -half, 0.5, half, shaded(paint, 0.7))
    pen.box(-0.46, -half + 0.04, 0.46, half - 0.04, paint)
    if rng.random() < 0.5:
        for along in np.arange(-0.4, 0.45, 0.16):
            pen.line([(float(along), -half), (float(along), half)], shaded(paint, 0.75), 0.02)
    else:
        pen.line([(-0.46, -half), (0.46, half)], shaded(paint, 0.75), 0.03)


def slab(pen: Pen, rng: np.random.Generator) -> None:
    """A flat patch: concrete, a lawn, a tarpaulin; sometimes only its corner bracket."""
    half, paint = rng.uniform(0.25, 0.5), earthy_colour(rng)
    if rng.random() < 0.4:
        pen.line([(-0.5, -half), (-0.5, half), (0.5, half)], paint, rng.uniform(0.04, 0.1))
    else:
        pen.box(-0.5, -half, 0.5, half, paint)


def pond(pen: Pen, rng: np.random.Generator) -> None:
    """A disc or a ring of one colour."""
    paint = any_colour(rng)
    pen.disc((0, 0), 0.5, paint)
    if rng.random() < 0.6:
        pen.disc((0, 0), rng.uniform(0.2, 0.42), shaded(paint, rng.uniform(0.6, 1.3)))


def rock(pen: Pen, rng: np.random.Generator) -> None:
    """A ragged stone with one lit facet."""
    grey = shaded((150, 145, 138), rng.uniform(0.6, 1.2))
    outline = blob(rng, int(rng.integers(5, 9)), 0.45)
    pen.polygon(outline, shaded(grey, 0.75))
    pen.polygon([(x * 0.7 + 0.05, y * 0.7 - 0.05) for x, y in outline], grey)


def cross(pen: Pen, rng: np.random.Generator) -> None:
    """Two or three crossing bars, like spars or a runway mark."""
    paint = any_colour(rng)
    for _ in range(int(rng.integers(2, 4))):
        turn, reach = rng.uniform(0, math.pi), rng.uniform(0.3, 0.5)
        x, y = reach * math.cos(turn), reach * math.sin(turn)
        pen.line([(-x, -y), (x, y)], paint, rng.uniform(0.03, 0.08))


def triangle(pen: Pen, rng: np.random.Generator) -> None:
    """A pennant or a dinghy's cover: a bow without a boat."""
    half = rng.uniform(0.15, 0.4)
    pen.polygon([(-0.5, -half), (0.5, rng.uniform(-0.2, 0.2)), (-0.5, half)], any_colour(rng))


def jetty(pen: Pen, rng: np.random.Generator) -> None:
    """A long plank walk."""
    half, wood = rng.uniform(0.04, 0.08), shaded((150, 115, 78), rng.uniform(0.7, 1.2))
    pen.box(-0.5, -half, 0.5, half, wood)
    for along in np.arange(-0.48, 0.5, 0.04):
        pen.line([(float(along), -half), (float(along), half)], shaded(wood, 0.75), 0.008)


def stroke(pen: Pen, rng: np.random.Generator) -> None:
    """A curved scratch, track or streak of foam."""
    bend = rng.uniform(-0.3, 0.3, 2)
    along = np.linspace(-0.5, 0.5, 12)
    line = [(float(x), float(bend[0] * math.sin(5 * x) + bend[1] * x * x)) for x in along]
    pen.line(line, any_colour(rng), rng.uniform(0.01, 0.05))


Painter = Callable[[Pen, np.random.Generator], None]
DISTRACTORS: tuple[tuple[Painter, float, float], ...] = (  # painter, smallest and largest px
    (crate, 20, 60),
    (slab, 24, 110),
    (pond, 16, 60),
    (rock, 14, 60),
    (cross, 30, 90),
    (triangle, 20, 80),
    (jetty, 90, 200),
    (stroke, 40, 200),
)


def draw_distractor(light: tuple[float, float], rng: np.random.Generator) -> Image.Image:
    """One random distractor as an RGBA picture, now and then half transparent."""
    painter, smallest, largest = DISTRACTORS[int(rng.integers(len(DISTRACTORS)))]
    pen = Pen(rng.uniform(smallest, largest), rng.uniform(0, 2 * math.pi), light)
    painter(pen, rng)
    sprite = pen.finished()
    if rng.random() < 0.4:
        faint = rng.uniform(0.3, 0.8)
        sprite.putalpha(sprite.getchannel("A").point(lambda alpha: round(alpha * faint)))
    return sprite


def draw_veil(size_px: float, rng: np.random.Generator) -> Image.Image:
    """Something about size_px across that hides what lies under it: cloud, branch or cable."""
    pen = Pen(size_px, rng.uniform(0, 2 * math.pi), (0.0, 0.0))
    variant = rng.integers(3)
    if variant == 0:
        white = rng.uniform(225, 250)
        for x, y in rng.uniform(-0.3, 0.3, (5, 2)):
            pen.disc((float(x), float(y)), rng.uniform(0.12, 0.24), (white, white, white))
        puff = pen.finished().filter(ImageFilter.GaussianBlur(size_px / 14))
        puff.putalpha(puff.getchannel("A").point(lambda alpha: round(alpha * 0.85)))
        return puff
    if variant == 1:
        leaf = shaded((70, 110, 55), rng.uniform(0.6, 1.3))
        pen.line([(-0.5, 0), (0.5, 0.05)], (95, 70, 50), 0.05)
        for x, y in rng.uniform(-0.18, 0.18, (9, 2)):
            pen.polygon([(2.5 * x, y), (2.5 * x + 0.1, y + 0.05), (2.5 * x + 0.02, y + 0.12)], leaf)
        return pen.finished()
    grey = rng.uniform(20, 90)
    for shift in (-0.06, 0.06):
        pen.line([(-0.7, shift), (0.7, shift)], (grey, grey, grey), rng.uniform(0.02, 0.05))
    return pen.finished()
