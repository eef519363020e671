"""Makes the ground a scene stands on: a stretch of coast with water, beach, meadows and roads.

One smooth height field decides everything: below the water line is sea, a narrow band above it
is beach, the rest is meadow with ploughed fields here and there. Features have a fixed extent in
pixels (a bay is some 450 px wide) whatever the size of the scene, so a small training scene
looks like a cut-out of a large one. Roads are smooth curves from border to border; where they
meet the sea they become bridges.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

WATER, SAND, GRASS, ROAD = 0, 1, 2, 3

BAY_PX = 450.0
ASPHALT = (118, 116, 120)
Colours = np.ndarray  # float32 (height, width, 3), 0..255


@dataclass(frozen=True)
class Road:
    """A road's centre line, (n, 2) x and y in pixels at a step of a few pixels, and its width."""

    line: np.ndarray
    width_px: float


@dataclass(frozen=True)
class Terrain:
    """The painted ground, what each pixel of it is (WATER, SAND, GRASS or ROAD), and the roads.

    The roads are yet to be painted (`paint_roads`): litter lies under them, not on them.
    """

    image: Image.Image
    kind: np.ndarray
    roads: tuple[Road, ...]


def smooth_noise(
    rng: np.random.Generator, size: int, cell_px: float, stretch: float = 1.0
) -> np.ndarray:
    """Noise in 0..1 with blobs of about cell_px, `stretch` times as wide as high: (size, size)."""
    columns, rows = size / (cell_px * stretch), size / cell_px
    grid = rng.random((math.ceil(rows) + 4, math.ceil(columns) + 4), dtype=np.float32)
    left, top = 1 + rng.random(), 1 + rng.random()
    noise = Image.fromarray(grid).resize(
        (size, size), Image.Resampling.BICUBIC, box=(left, top, left + columns, top + rows)
    )
    return np.asarray(np.clip(np.asarray(noise), 0, 1))


def blend(below: Colours, above: Colours, opacity: np.ndarray) -> Colours:
    """`above` over `below`; opacity (height, width) in 0..1."""
    return np.asarray(below + (above - below) * opacity[..., None])


def tinted(shade: np.ndarray, colour: np.ndarray) -> Colours:
    """A grey texture around 1 turned into a coloured one."""
    return np.asarray(shade[..., None] * colour, dtype=np.float32)


def paint_water(rng: np.random.Generator, height: np.ndarray) -> Colours:
    """Sea that is paler near the shore, with wind ripples."""
    size = height.shape[0]
    deep = np.array([28, 88, 130]) + rng.uniform(-18, 18, 3)
    shallow = np.array([80, 165, 175]) + rng.uniform(-18, 18, 3)
    ripples = smooth_noise(rng, size, 4, 5) + smooth_noise(rng, size, 11, 3)
    depth = np.clip(-height * 6, 0, 1)[..., None]
    colour = shallow * (1 - depth) + deep * depth
    glints = np.clip(ripples - 1.45, 0, 1)[..., None] * 160
    return np.asarray(colour * (0.84 + 0.16 * ripples[..., None]) + glints, dtype=np.float32)


def paint_meadow(rng: np.random.Generator, size: int) -> Colours:
    """Grass of changing colour with ploughed fields."""
    lush = np.array([96, 140, 66]) + rng.uniform(-22, 22, 3)
    dry = np.array([158, 160, 88]) + rng.uniform(-22, 22, 3)
    mix = np.clip(smooth_noise(rng, size, 120) * 1.4 - 0.2, 0, 1)[..., None]
    blades = 0.85 + 0.2 * smooth_noise(rng, size, 3) + 0.12 * smooth_noise(rng, size, 17)
    grass = (lush * (1 - mix) + dry * mix) * blades[..., None]
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    turn, pitch = rng.uniform(0, math.pi), rng.uniform(5, 11)
    furrow = np.sin((columns * math.cos(turn) + rows * math.sin(turn)) * 2 * math.pi / pitch)
    soil = np.array([150, 122, 82]) + rng.uniform(-25, 25, 3)
    field = np.clip((smooth_noise(rng, size, 190) - 0.66) * 30, 0, 1) * 0.8
    return blend(grass.astype(np.float32), tinted(1 + 0.1 * furrow, soil), field)


def make_roads(rng: np.random.Generator, size: int) -> tuple[Road, ...]:
    """About one road for every 500 px of scene, three at most, each swaying across the scene."""
    roads = []
    for _ in range(min(3, int(rng.poisson(size / 500)))):
        turn, offset = rng.uniform(0, 2 * math.pi), rng.uniform(-0.4, 0.4) * size
        along = np.arange(-0.8 * size, 0.8 * size, 6.0)
        sway = offset + 40 * np.sin(along / rng.uniform(90, 200) + rng.uniform(0, 6))
        x = size / 2 + along * math.cos(turn) - sway * math.sin(turn)
        y = size / 2 + along * math.sin(turn) + sway * math.cos(turn)
        roads.append(Road(np.stack([x, y], axis=1), rng.uniform(40, 54)))
    return tuple(roads)


def ribbon(road: Road, width_px: float) -> list[tuple[float, float]]:
    """The outline of a strip along the road, at twice the size."""
    ahead = np.gradient(road.line, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    side = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) * width_px / 2
    outline = 2 * np.concatenate([road.line + side, (road.line - side)[::-1]])
    return [(float(x), float(y)) for x, y in outline]


def paint_roads(terrain: Terrain) -> None:
    """Paints kerb, asphalt and centre dashes onto the terrain's picture, smoothly edged."""
    size = terrain.image.width
    for road in terrain.roads:
        layer = Image.new("RGBA", (2 * size, 2 * size), (0, 0, 0, 0))
        draw = ImageDraw.Draw(layer)
        draw.polygon(ribbon(road, road.width_px), fill=(205, 200, 188, 255))
        draw.polygon(ribbon(road, road.width_px - 6), fill=(*ASPHALT, 255))
        line = [(2 * float(x), 2 * float(y)) for x, y in road.line]
        for start in range(0, len(line) - 3, 6):
            draw.line(line[start : start + 3], fill=(235, 232, 215, 255), width=5)
        small = layer.reduce(2)
        terrain.image.paste(small, (0, 0), small)


def ground_kinds(height: np.ndarray, beach: float, roads: tuple[Road, ...]) -> np.ndarray:
    """What each pixel is: uint8 (height, width) of WATER, SAND, GRASS and ROAD."""
    kind = np.where(height < 0, WATER, np.where(height < beach, SAND, GRASS))
    paved = Image.new("L", (2 * height.shape[1], 2 * height.shape[0]), 0)
    for road in roads:
        ImageDraw.Draw(paved).polygon(ribbon(road, road.width_px), fill=255)
    return np.where(np.asarray(paved.reduce(2)) > 127, ROAD, kind).astype(np.uint8)


def make_terrain(seed: int, size: int) -> Terrain:
    """The ground of one scene; a function of the seed and the size alone."""
    rng = np.random.default_rng([seed, 1])
    height = smooth_noise(rng, size, BAY_PX) + 0.22 * smooth_noise(rng, size, 110)
    height += 0.05 * smooth_noise(rng, size, 30) - rng.uniform(0.42, 0.72)
    beach = rng.uniform(0.06, 0.16)
    sand = np.array([222, 200, 152]) + rng.uniform(-20, 20, 3)
    dunes = 0.88 + 0.12 * smooth_noise(rng, size, 2.5) + 0.1 * smooth_noise(rng, size, 40, 2)
    ground = blend(
        tinted(dunes, sand), paint_meadow(rng, size), np.clip((height - beach) * 60, 0, 1)
    )
    ground = blend(paint_water(rng, height), ground, np.clip(height * 120, 0, 1))
    foam = np.clip(1 - np.abs(height + 0.012) * 110, 0, 1) * smooth_noise(rng, size, 9)
    ground = blend(ground, np.full_like(ground, 245), foam)
    image = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8))
    roads = make_roads(rng, size)
    return Terrain(image, ground_kinds(height, beach, roads), roads)
