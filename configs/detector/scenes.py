"""Makes the pictures the detector is trained, measured and shown on: a coast seen from above.

`make_scene(seed, size)` is a pure function: the same seed and size give the same picture and the
same boxes. Objects keep their size in pixels (24 to about 110) and their number per area whatever
the size of the scene, so what is learnt on small scenes holds on large ones. The order is: ground,
distractors, roads, objects with their shadows, veils hiding part of some objects, and then the
camera: a lighting gradient, a tint, blur and sensor noise. A box is the tight half-open pixel
rectangle of the object as drawn, before any veil.

Seeds from TRAINING_SEED on belong to training; every seed below it is held out.

As a script: `python scenes.py --seed 7 --size 1024 -o scene.png --truth scene.json`.
"""

import argparse
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from clutter import draw_distractor, draw_veil
from PIL import Image, ImageFilter
from sprites import SPECIES, draw_sprite
from terrain import GRASS, ROAD, SAND, WATER, Terrain, make_terrain, paint_roads

TRAINING_SEED = 1_000_000

OBJECTS_PER_MEGAPIXEL = 66
DISTRACTORS_PER_MEGAPIXEL = 54
VEILED_SHARE = 0.3
PLACEMENT_TRIES = 25
MARGIN_PX = 3
LARGEST_OVERLAP = 0.12  # of the smaller box's area

HABITATS: dict[str, tuple[int, ...]] = {
    "boat": (WATER,),
    "car": (ROAD, GRASS, SAND),
    "house": (GRASS,),
    "tree": (GRASS, SAND),
    "plane": (WATER, SAND, GRASS, ROAD),
    "parasol": (SAND, GRASS),
}
LABELS = tuple(SPECIES)
LABEL_WEIGHTS = np.array([1.5, 1.7, 1.8, 1.6, 0.8, 1.2])  # in the order of LABELS


@dataclass(frozen=True)
class Box:
    """An object's label and its tight half-open rectangle in pixels."""

    label: str
    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True)
class Scene:
    """A picture, uint8 (height, width, 3) RGB, and the objects on it."""

    image: np.ndarray
    boxes: tuple[Box, ...]


def overlap_share(one: Box, other: Box) -> float:
    """The boxes' common area as a share of the smaller box."""
    wide = min(one.right, other.right) - max(one.left, other.left)
    high = min(one.bottom, other.bottom) - max(one.top, other.top)
    if wide <= 0 or high <= 0:
        return 0.0
    areas = [(box.right - box.left) * (box.bottom - box.top) for box in (one, other)]
    return wide * high / min(areas)


def fits(box: Box, taken: list[Box], terrain: Terrain) -> bool:
    """Whether the box lies on ground its object belongs on, clear of the others."""
    size = terrain.image.width
    if min(box.left, box.top) < MARGIN_PX or max(box.right, box.bottom) > size - MARGIN_PX:
        return False
    ground = terrain.kind[box.top : box.bottom : 4, box.left : box.right : 4]
    if np.isin(ground, HABITATS[box.label]).mean() <= 0.9:
        return False
    return all(overlap_share(box, other) <= LARGEST_OVERLAP for other in taken)


def pose(
    label: str, terrain: Terrain, rng: np.random.Generator
) -> tuple[float, list[tuple[float, float]]]:
    """A heading in radians and centres to try: cars mostly drive in a lane of some road."""
    size = terrain.image.width
    if label == "car" and terrain.roads and rng.random() < 0.7:
        road = terrain.roads[int(rng.integers(len(terrain.roads)))]
        near = np.abs(road.line[:-1] - size / 2).max(axis=1)
        inside = np.flatnonzero(near < size / 2 - 20)
        if len(inside):
            index = int(rng.choice(inside))
            step = road.line[index + 1] - road.line[index]
            heading = math.atan2(step[1], step[0])
            if rng.random() < 0.5:
                heading += math.pi
            lane = road.width_px * 0.24
            x, y = road.line[index]
            return heading, [(x - lane * math.sin(heading), y + lane * math.cos(heading))]
    centres = rng.uniform(0, size, (PLACEMENT_TRIES, 2))
    return rng.uniform(0, 2 * math.pi), [(float(x), float(y)) for x, y in centres]


def drop_shadow(
    image: Image.Image, sprite: Image.Image, at: tuple[int, int], shift: tuple[float, float]
) -> None:
    """Darkens the ground beside a sprite by its own outline, softened and shifted."""
    pad = 6
    alpha = Image.new("L", (sprite.width + 2 * pad, sprite.height + 2 * pad), 0)
    alpha.paste(sprite.getchannel("A").point(lambda value: round(value * 0.45)), (pad, pad))
    alpha = alpha.filter(ImageFilter.GaussianBlur(1.5))
    corner = (at[0] - pad + round(shift[0]), at[1] - pad + round(shift[1]))
    image.paste((20, 25, 40), (*corner, corner[0] + alpha.width, corner[1] + alpha.height), alpha)


def place_objects(
    terrain: Terrain, light: tuple[float, float], rng: np.random.Generator
) -> list[Box]:
    """Draws the objects onto the terrain's picture; those that find no room are left out."""
    image = terrain.image
    boxes: list[Box] = []
    wanted = rng.poisson(OBJECTS_PER_MEGAPIXEL * image.width**2 / 1e6)
    for label in rng.choice(LABELS, wanted, p=LABEL_WEIGHTS / LABEL_WEIGHTS.sum()):
        species = SPECIES[str(label)]
        size_px = math.exp(rng.uniform(math.log(species.smallest_px), math.log(species.largest_px)))
        heading, centres = pose(str(label), terrain, rng)
        sprite = draw_sprite(str(label), size_px, heading, light, rng)
        for x, y in centres:
            left, top = round(x - sprite.width / 2), round(y - sprite.height / 2)
            box = Box(str(label), left, top, left + sprite.width, top + sprite.height)
            if fits(box, boxes, terrain):
                height = species.height_px
                drop_shadow(image, sprite, (left, top), (-light[0] * height, -light[1] * height))
                image.paste(sprite, (left, top), sprite)
                boxes.append(box)
                break
    return boxes


def add_distractors(
    image: Image.Image, light: tuple[float, float], rng: np.random.Generator
) -> None:
    for _ in range(rng.poisson(DISTRACTORS_PER_MEGAPIXEL * image.width**2 / 1e6)):
        sprite = draw_distractor(light, rng)
        x, y = rng.uniform(-sprite.width / 2, image.width - sprite.width / 2, 2)
        image.paste(sprite, (round(x), round(y)), sprite)


def add_veils(image: Image.Image, boxes: list[Box], rng: np.random.Generator) -> None:
    """Hides part of some objects, each by a veil of at most 0.6 of the object's extent."""
    for box in boxes:
        if rng.random() < VEILED_SHARE:
            extent = math.sqrt((box.right - box.left) * (box.bottom - box.top))
            veil = draw_veil(extent * rng.uniform(0.4, 0.6), rng)
            x, y = rng.uniform(box.left, box.right), rng.uniform(box.top, box.bottom)
            image.paste(veil, (round(x - veil.width / 2), round(y - veil.height / 2)), veil)


def photograph(image: Image.Image, rng: np.random.Generator) -> np.ndarray:
    """The picture a camera would take: uneven light, a tint, some blur, sensor noise."""
    size = image.width
    blur_px = rng.uniform(0, 1.2)
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(blur_px))).astype(np.float32)
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32) / size - 0.5
    turn = rng.uniform(0, 2 * math.pi)
    slope = columns * math.cos(turn) + rows * math.sin(turn)
    light = rng.uniform(0.8, 1.12) * (1 + rng.uniform(0, 0.4) * slope)
    pixels *= light[..., None] * rng.uniform(0.93, 1.07, 3).astype(np.float32)
    pixels += rng.normal(0, 1, pixels.shape).astype(np.float32) * rng.uniform(2, 14)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def make_scene(seed: int, size: int) -> Scene:
    """The scene of that seed, size x size pixels."""
    rng = np.random.default_rng([seed, 0])
    terrain = make_terrain(seed, size)
    turn = rng.uniform(0, 2 * math.pi)
    light = (math.cos(turn), math.sin(turn))
    add_distractors(terrain.image, light, rng)
    paint_roads(terrain)
    boxes = place_objects(terrain, light, rng)
    add_veils(terrain.image, boxes, rng)
    return Scene(photograph(terrain.image, rng), tuple(boxes))


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw one scene of the demo detector.")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--size", type=int, default=1024, help="side of the picture in pixels")
    parser.add_argument("-o", "--output", type=Path, default=Path("scene.png"))
    parser.add_argument("--truth", type=Path, help="write the true boxes here as JSON")
    arguments = parser.parse_args()
    scene = make_scene(arguments.seed, arguments.size)
    Image.fromarray(scene.image).save(arguments.output)
    if arguments.truth:
        boxes = [asdict(box) for box in scene.boxes]
        truth = {"seed": arguments.seed, "size": arguments.size, "boxes": boxes}
        arguments.truth.write_text(json.dumps(truth, indent=1) + "\n")


if __name__ == "__main__":
    main()
