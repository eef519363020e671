"""Draws the six things the detector knows, seen from above, each as a small transparent picture.

Every painter works in the object's own frame: x runs along its heading from -0.5 (stern) to 0.5
(bow), y across it, one unit being the object's nominal size. `Pen` turns and scales that frame
onto a canvas four times too large, which is then averaged down: clean edges at every angle, and
a painter never sees a pixel. Colours are drawn independently of the class wherever a real thing
would allow it, so that shape, not colour, has to be learnt. All randomness comes from the
generator handed in.

Example: a car of 40 px heading 90 degrees is drawn on a 256 px canvas (64 px at four times) and
comes back as 64x64 RGBA, its opaque part some 18 px wide and 40 px high.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

Point = tuple[float, float]
Colour = tuple[float, float, float]

SUPERSAMPLE = 4
CANVAS_PER_SIZE = 1.6  # room for corners at any angle and for sails beyond the hull


def shaded(colour: Colour, factor: float) -> Colour:
    """The colour made lighter (factor > 1) or darker."""
    red, green, blue = (min(255.0, max(0.0, value * factor)) for value in colour)
    return red, green, blue


def any_colour(rng: np.random.Generator) -> Colour:
    """A paint colour: half the time vivid, otherwise close to grey or white."""
    if rng.random() < 0.5:
        grey = rng.uniform(60, 245)
        red, green, blue = np.clip(grey + rng.normal(0, 10, 3), 0, 255)
    else:
        red, green, blue = rng.permutation(
            [rng.uniform(170, 245), rng.uniform(40, 200), rng.uniform(20, 90)]
        )
    return float(red), float(green), float(blue)


class Pen:
    """Draws in an object's own frame, turned by `angle` (radians) and `size_px` long."""

    def __init__(self, size_px: float, angle: float, light: Point) -> None:
        side = math.ceil(size_px * CANVAS_PER_SIZE) * SUPERSAMPLE
        self.scale = size_px * SUPERSAMPLE
        self.centre = side / 2
        self.cos, self.sin = math.cos(angle), math.sin(angle)
        self.light = light
        self.image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.image)

    def place(self, point: Point) -> Point:
        """The canvas position of a point of the object's frame."""
        x, y = point
        return (
            self.centre + self.scale * (x * self.cos - y * self.sin),
            self.centre + self.scale * (x * self.sin + y * self.cos),
        )

    def lit(self, normal: Point, depth: float = 0.3) -> float:
        """Brightness, 1 - depth to 1 + depth, of a face leaning to `normal` (object's frame)."""
        x, y = normal
        world = (x * self.cos - y * self.sin, x * self.sin + y * self.cos)
        return 1 + depth * (world[0] * self.light[0] + world[1] * self.light[1])

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        fill = tuple(round(value) for value in colour)
        self.draw.polygon([self.place(point) for point in points], fill=fill)

    def line(self, points: Sequence[Point], colour: Colour, width: float) -> None:
        fill = tuple(round(value) for value in colour)
        pixels = max(1, round(width * self.scale))
        self.draw.line([self.place(point) for point in points], fill=fill, width=pixels)

    def box(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], colour)

    def disc(self, centre: Point, radius: float, colour: Colour) -> None:
        x, y = self.place(centre)
        reach = radius * self.scale
        fill = tuple(round(value) for value in colour)
        self.draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=fill)

    def finished(self) -> Image.Image:
        return self.image.reduce(SUPERSAMPLE)


def hull_outline(beam: float, shrink: float) -> list[Point]:
    """A boat's outline, blunt at the stern and pointed at the bow."""
    along = np.linspace(-0.5, 0.5, 15)
    taper = 1 - np.clip((along + 0.15) / 0.65, 0, None) ** 2.2
    half = beam / 2 * taper * np.where(along < -0.42, 0.88, 1.0)
    side = [(float(x) * shrink, float(y) * shrink) for x, y in zip(along, half, strict=True)]
    return side + [(x, -y) for x, y in reversed(side)]


def paint_boat(pen: Pen, rng: np.random.Generator) -> None:
    """A motor boat, a rowing boat or a sailing boat."""
    beam = rng.uniform(0.30, 0.42)
    deck = any_colour(rng) if rng.random() < 0.4 else shaded((205, 165, 110), rng.uniform(0.8, 1.2))
    pen.polygon(hull_outline(beam, 1.0), any_colour(rng))
    pen.polygon(hull_outline(beam, 0.8), deck)
    variant = rng.integers(3)
    if variant == 0:
        start, wide = rng.uniform(-0.3, -0.15), beam * 0.30
        pen.box(start, -wide, start + 0.32, wide, shaded((240, 240, 240), rng.uniform(0.8, 1.05)))
        glass = [(start + 0.25, -wide), (start + 0.25, wide), (start + 0.34, wide * 0.7)]
        pen.polygon([*glass, (start + 0.34, -wide * 0.7)], (40, 60, 80))
    elif variant == 1:
        pen.polygon(hull_outline(beam, 0.72), shaded(deck, 0.6))
        for along in (-0.26, -0.05, 0.14):
            pen.box(along, -beam * 0.38, along + 0.06, beam * 0.38, shaded(deck, 1.15))
    else:
        swing = rng.uniform(-0.3, 0.3)
        boom = (-0.32, swing)
        belly = (-0.06, swing + math.copysign(0.12, swing))
        cloth = (245.0, 240.0, 228.0) if rng.random() < 0.6 else any_colour(rng)
        pen.polygon([(0.16, 0), (0.06, belly[1] * 0.6), belly, boom], cloth)
        pen.line([(0.16, 0), boom], (110, 80, 50), 0.02)
        pen.disc((0.16, 0), 0.03, (80, 60, 40))


def paint_car(pen: Pen, rng: np.random.Generator) -> None:
    """A car with windscreen, rear window and side windows around its roof, or a pickup."""
    half = rng.uniform(0.21, 0.25)
    paint, glass = any_colour(rng), shaded((45, 55, 70), rng.uniform(0.6, 1.2))
    body = [(-0.5, -0.7), (-0.46, -0.95), (0.40, -1), (0.48, -0.75), (0.5, 0.0)]
    outline = body + [(x, -y) for x, y in reversed(body)]
    pen.polygon([(x, y * half) for x, y in outline], shaded(paint, 0.72))
    pen.polygon([(x * 0.95, y * half * 0.9) for x, y in outline], paint)
    for side in (-1, 1):
        pen.disc((0.45, side * half * 0.68), 0.035, (255, 245, 190))
        pen.disc((-0.47, side * half * 0.72), 0.03, (190, 30, 30))
        pen.polygon(
            [(0.1, side * half), (0.14, side * half * 1.2), (0.18, side * half)], shaded(paint, 0.8)
        )
    front, back = 0.22, (-0.08 if rng.random() < 0.25 else rng.uniform(-0.40, -0.30))
    cabin = [(front, -0.78 * half), (back, -0.78 * half), (back, 0.78 * half), (front, 0.78 * half)]
    pen.polygon(cabin, glass)
    roof_front, roof_back = front - 0.13, back + 0.07
    pen.box(roof_back, -0.62 * half, roof_front, 0.62 * half, shaded(paint, pen.lit((0, -1), 0.12)))
    if back > -0.1:
        pen.box(-0.44, -0.72 * half, -0.12, 0.72 * half, shaded(paint, 0.5))


def paint_roof(pen: Pen, half_x: float, half_y: float, hip: float, tiles: Colour) -> None:
    """A roof with its ridge along x; hip is how far the ridge stops short of each end."""
    ridge = half_x - hip
    for side in (-1, 1):
        face = [(-half_x, side * half_y), (half_x, side * half_y), (ridge, 0), (-ridge, 0)]
        pen.polygon(face, shaded(tiles, pen.lit((0, side))))
        if hip > 0:
            end = [(side * half_x, -half_y), (side * half_x, half_y), (side * ridge, 0)]
            pen.polygon(end, shaded(tiles, pen.lit((side, 0))))
        for step in (0.25, 0.5, 0.75):
            reach = half_x - hip * (1 - step)
            course = [(-reach, side * half_y * step), (reach, side * half_y * step)]
            pen.line(course, shaded(tiles, pen.lit((0, side)) * 0.86), 0.012)
    pen.line([(-ridge, 0), (ridge, 0)], shaded(tiles, 0.6), 0.02)


def paint_house(pen: Pen, rng: np.random.Generator) -> None:
    """A house by its gabled or hipped roof, with chimney and sometimes a skylight."""
    half_x, half_y = 0.48, rng.uniform(0.27, 0.42)
    tiles = shaded((185, 85, 60), rng.uniform(0.7, 1.2))
    if rng.random() < 0.5:
        tiles = any_colour(rng)
    hip = 0.0 if rng.random() < 0.5 else rng.uniform(0.12, 0.26)
    pen.box(-half_x - 0.02, -half_y - 0.02, half_x + 0.02, half_y + 0.02, shaded(tiles, 0.5))
    paint_roof(pen, half_x, half_y, hip, tiles)
    x, y = rng.uniform(-0.2, 0.2), rng.choice([-1, 1]) * half_y * rng.uniform(0.3, 0.5)
    pen.box(x - 0.05, y - 0.045, x + 0.05, y + 0.045, (235, 225, 215))
    pen.box(x - 0.03, y - 0.025, x + 0.03, y + 0.025, (50, 40, 40))
    if rng.random() < 0.5:
        pen.box(-x + 0.04, -y - 0.05, -x + 0.16, -y + 0.05, (120, 165, 195))


def paint_palm(pen: Pen, rng: np.random.Generator, leaf: Colour) -> None:
    """The crown of a palm: fronds around a point, each with a light and a dark half."""
    count = int(rng.integers(7, 11))
    for index in range(count):
        turn = 2 * math.pi * (index + rng.uniform(-0.2, 0.2)) / count
        reach, wide = rng.uniform(0.42, 0.5), rng.uniform(0.26, 0.36)
        tip = (reach * math.cos(turn), reach * math.sin(turn))
        for side in (-1, 1):
            bend = turn + side * wide
            middle = (0.26 * math.cos(bend), 0.26 * math.sin(bend))
            normal = (-side * math.sin(turn), side * math.cos(turn))
            pen.polygon([(0, 0), middle, tip], shaded(leaf, pen.lit(normal, 0.3)))
    pen.disc((0, 0), 0.06, (120, 85, 50))


def paint_tree(pen: Pen, rng: np.random.Generator) -> None:
    """A crown of leafy lobes lit from one side, or a palm."""
    shades = [(70, 125, 55), (100, 145, 60), (45, 95, 60), (190, 140, 50), (180, 80, 50)]
    leaf = shaded(shades[int(rng.integers(len(shades)))], rng.uniform(0.8, 1.2))
    if rng.random() < 0.3:
        paint_palm(pen, rng, leaf)
        return
    lobes = int(rng.integers(7, 11))
    turns = 2 * math.pi * (np.arange(lobes) + rng.uniform(-0.25, 0.25, lobes)) / lobes
    reaches, radii = rng.uniform(0.26, 0.32, lobes), rng.uniform(0.15, 0.2, lobes)
    spots = [(r * math.cos(t), r * math.sin(t)) for r, t in zip(reaches, turns, strict=True)]
    for spot, radius in zip(spots, radii, strict=True):
        pen.disc(spot, radius, shaded(leaf, 0.65))
    pen.disc((0, 0), 0.34, shaded(leaf, 0.75))
    for x, y in [*spots, *((x * 0.5, y * 0.5) for x, y in spots)]:
        bright = pen.lit((2 * x, 2 * y), 0.4) * rng.uniform(0.88, 1.12)
        pen.disc((x * 0.95, y * 0.95), 0.115, shaded(leaf, bright))
        pen.disc((x * 0.95, y * 0.95), 0.05, shaded(leaf, bright * 1.15))


def paint_plane(pen: Pen, rng: np.random.Generator) -> None:
    """An aeroplane: fuselage, swept or straight wings, tail, engines or a propeller."""
    paint = any_colour(rng) if rng.random() < 0.4 else shaded((240, 240, 242), rng.uniform(0.85, 1))
    accent, girth = any_colour(rng), rng.uniform(0.05, 0.075)
    sweep, chord = rng.uniform(0.0, 0.26), rng.uniform(0.13, 0.19)
    for side in (-1, 1):
        wing = [(0.14, 0), (0.14 - sweep, side * 0.47), (0.07 - sweep, side * 0.5)]
        wing += [(0.14 - sweep - chord * 0.6, side * 0.47), (0.14 - chord * 1.2, 0)]
        pen.polygon(wing, shaded(paint, pen.lit((0, side), 0.12) * 0.9))
        tail = [(-0.36, 0), (-0.42 - sweep * 0.2, side * 0.18), (-0.49, side * 0.18), (-0.46, 0)]
        pen.polygon(tail, accent)
        if sweep > 0.12:
            x, y = 0.05 - sweep * 0.3, side * 0.17
            pen.box(x, y - 0.025, x + 0.14, y + 0.025, shaded(paint, 0.6))
        pen.line(
            [(0.14 - sweep, side * 0.47), (0.1 - sweep - chord * 0.4, side * 0.47)], accent, 0.03
        )
    nose = [(0.5, 0), (0.46, 0.6), (0.36, 1), (-0.2, 0.95), (-0.5, 0.25)]
    fuselage = nose + [(x, -y) for x, y in reversed(nose)]
    pen.polygon([(x, y * girth) for x, y in fuselage], paint)
    cockpit = [(0.44, 0.5), (0.39, 0.6), (0.39, -0.6), (0.44, -0.5)]
    pen.polygon([(x, y * girth) for x, y in cockpit], (40, 50, 65))
    pen.line([(0.3, 0), (-0.3, 0)], shaded(paint, 1.08), girth * 0.5)
    pen.line([(-0.32, 0), (-0.5, 0)], shaded(accent, 0.8), 0.025)
    if sweep <= 0.12:
        pen.line([(0.485, -0.1), (0.485, 0.1)], (60, 60, 60), 0.018)


def paint_parasol(pen: Pen, rng: np.random.Generator) -> None:
    """A beach parasol: coloured panels around a hub."""
    panels = int(rng.choice([6, 8, 10, 12]))
    first = any_colour(rng)
    second = (248.0, 244.0, 235.0) if sum(first) < 500 else shaded(any_colour(rng), 0.7)
    for index in range(panels):
        start, end = (2 * math.pi * step / panels for step in (index, index + 1))
        middle = (start + end) / 2
        rim = [(0.5 * math.cos(turn), 0.5 * math.sin(turn)) for turn in (start, end)]
        dip = (0.485 * math.cos(middle), 0.485 * math.sin(middle))
        bright = pen.lit((math.cos(middle), math.sin(middle)), 0.2)
        pen.polygon([(0, 0), rim[0], dip, rim[1]], shaded(second if index % 2 else first, bright))
    pen.disc((0, 0), 0.05, (250, 250, 245))


@dataclass(frozen=True)
class Species:
    """One class of object: its painter, its range of sizes, and its height (px of shadow)."""

    paint: Callable[[Pen, np.random.Generator], None]
    smallest_px: float
    largest_px: float
    height_px: float


SPECIES: dict[str, Species] = {
    "boat": Species(paint_boat, 38, 110, 2),
    "car": Species(paint_car, 30, 52, 2),
    "house": Species(paint_house, 46, 100, 6),
    "tree": Species(paint_tree, 28, 84, 5),
    "plane": Species(paint_plane, 58, 110, 14),
    "parasol": Species(paint_parasol, 24, 52, 4),
}


def draw_sprite(
    label: str, size_px: float, angle: float, light: Point, rng: np.random.Generator
) -> Image.Image:
    """The object as an RGBA picture, trimmed to what is at least half opaque."""
    pen = Pen(size_px, angle, light)
    SPECIES[label].paint(pen, rng)
    sprite = pen.finished()
    return sprite.crop(sprite.getchannel("A").point(lambda alpha: 255 * (alpha > 127)).getbbox())
