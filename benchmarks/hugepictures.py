"""Pictures larger than memory: killed at any moment, against onnxruntime, and against slicing.

    resume      kill -9 at 20 random moments and `--resume`, for TIFF, PNG, JPEG and .npy: the file
                is that of an unbroken run
    upscaling   two upscalers in a control group of their --mem, without swap, beside onnxruntime
                without any limit: complete, and at most 1.1 times its time
    batch       2,000 photos of 640x480, one of 50 broken, by `ftdist batch`: the network takes
                at least 0.95 of its time, and two threads are 1.9 times as fast as one
    scene       the demo detector on 6000x4000 within 128 MiB, beside the whole frame and beside
                slices with overlap: all objects of the whole frame, no doubles at seams

Needs root (control groups), Pillow, onnxruntime, and the trained networks beside the checkout. Each
process is one of two, so quote figures of a quiet machine only. ::

    python benchmarks/hugepictures.py [resume|upscaling|batch|scene ...] [--side ours|theirs]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common.groups import Group
from common.slicing import sliced_objects
from many_pictures import BROKEN_EACH, alone_s, check
from PIL import Image

from ftdist.network.modelfile import load
from ftdist.runtime.budget.memory import MIB, parse_size

CHECKOUT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("FTDIST_SHARED", CHECKOUT.parent / "shared"))
ENDINGS = ("tif", "png", "jpg", "npy")
KILLS = 20
KILLED = -9
UPSCALERS = {
    "superres_espcn_x3": ((3000, 4000), "96M"),
    "waifu2x_upconv7_photo": ((1080, 1920), "128M"),
}
GREY = ("superres_espcn_x3",)
"""Networks of one channel: onnxruntime makes no colours, so neither do we."""

THREADS = 2
SCENE = (4000, 6000)
TILE, SCENES = 2000, (11, 12, 13, 14, 15, 16)

_THEIRS = """
import sys, time
import numpy as np, onnx, onnxruntime as ort
from PIL import Image
model = onnx.load(sys.argv[1])
for number, port in enumerate((*model.graph.input, *model.graph.output)):
    for at, dim in enumerate(port.type.tensor_type.shape.dim):
        if at > 1:
            dim.dim_param = f"side{number}{at}"
options = ort.SessionOptions(); options.intra_op_num_threads = int(sys.argv[3])
providers = ["CPUExecutionProvider"]
session = ort.InferenceSession(model.SerializeToString(), options, providers=providers)
given = session.get_inputs()[0]
grey = given.shape[1] == 1
started = time.perf_counter()
Image.MAX_IMAGE_PIXELS = None
picture = Image.open(sys.argv[2]).convert("L" if grey else "RGB")
pixels = np.asarray(picture, np.float32) / np.float32(255)
array = pixels[None, None] if grey else pixels.transpose(2, 0, 1)[None]
array = np.ascontiguousarray(array)
began = time.perf_counter()
(made,) = session.run(None, {given.name: array})
ended = time.perf_counter()
made = np.rint(np.clip(made[0], 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)
Image.fromarray(made[:, :, 0] if grey else made).save(sys.argv[4])
print(ended - began, time.perf_counter() - started)
"""


def photo(folder: Path, height: int, width: int) -> Path:
    """The photo of the dog, enlarged, as a PNG that is read by rows."""
    path = folder / f"photo-{height}x{width}.png"
    with Image.open(SHARED / "photos" / "dog.jpg") as picture:
        larger = picture.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    larger.save(path, compress_level=1)
    return path


def in_grey(path: Path) -> Path:
    grey = path.with_name(f"grey-{path.name}")
    with Image.open(path) as picture:
        picture.convert("L").save(grey, compress_level=1)
    return grey


def ftdist(*words: object) -> list[str]:
    return [sys.executable, "-m", "ftdist", *(str(each) for each in words)]


def called(words: list[str]) -> str:
    """What a command prints; ends the benchmark when it fails."""
    outcome = subprocess.run(words, capture_output=True, text=True, check=False)
    if outcome.returncode:
        sys.exit(f"{' '.join(words)}: status {outcome.returncode}\n{outcome.stderr}")
    return outcome.stdout


def imported(network: str, size: tuple[int, int], folder: Path) -> Path:
    """A network of the shared ones, of that (height, width)."""
    path = folder / f"{network}.ftd"
    source = SHARED / "models" / f"{network}.onnx"
    called(ftdist("import", source, "--size", f"{size[0]}x{size[1]}", "-o", path))
    return path


def resume(arguments: argparse.Namespace, folder: Path) -> bool:
    """Kills runs at random moments; whether all files came out as those of unbroken runs."""
    size = (900, 1300)
    picture = photo(folder, *size)
    model = imported("superres_espcn_x3", size, folder)
    chance, sound = np.random.default_rng(arguments.seed), True
    for ending in ENDINGS:
        run = ftdist("run", model, picture, "--bands", "always", "--mem", "72M", "--threads", "2")
        whole, made = folder / f"whole.{ending}", folder / f"made.{ending}"
        started = time.perf_counter()
        called([*run, "-o", str(whole)])
        seconds = time.perf_counter() - started
        kills, ended = 0, 0
        while kills < KILLS:
            words = [*run, "-o", str(made), "--resume"]
            silent = subprocess.DEVNULL
            process = subprocess.Popen(words, stdout=silent, stderr=silent)
            try:
                process.wait(chance.uniform(0.1, 1.1) * seconds)
                ended += 1
                sound &= process.returncode == 0 and same(whole, made)
                made.unlink(missing_ok=True)
            except subprocess.TimeoutExpired:
                process.kill()
                kills += process.wait() == KILLED
        called([*run, "-o", str(made), "--resume"])
        left = [each.name for each in folder.glob(".*")]
        is_same = same(whole, made)
        sound &= is_same and not left
        what = "the same file" if is_same else "ANOTHER FILE"
        print(
            f"resume     .{ending}: {seconds:.1f} s unbroken, {kills} kills, {ended} runs came "
            f"through between: {what}, left {left}"
        )
        made.unlink()
    return sound


def same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()


def upscaling(arguments: argparse.Namespace, folder: Path) -> bool:
    """Each upscaler in its group, and onnxruntime; whether the bar is reached."""
    sound = True
    for network, (size, mem) in UPSCALERS.items():
        if arguments.network not in (None, network):
            continue
        picture = photo(folder, *size)
        if network in GREY:
            picture = in_grey(picture)
        ours = theirs = None
        if arguments.side != "theirs":
            ours = _ours(imported(network, size, folder), picture, mem, folder)
        if arguments.side != "ours":
            theirs = _theirs(network, picture, folder)
        if ours and theirs:
            print(f"upscaling  {network}: {ours / theirs:.2f} of onnxruntime's time (bar 1.1)")
            sound &= ours <= 1.1 * theirs
        sound &= ours != 0
    return sound


def _ours(model: Path, picture: Path, mem: str, folder: Path) -> float:
    """Seconds of a run in a group of its budget; 0 where it did not complete."""
    report = folder / "report.json"
    more = ("--mem", mem, "--bands", "always", "--threads", THREADS, "--json", report)
    run = ftdist("run", model, picture, "-o", folder / "made.ppm", *more)
    with Group(parse_size(mem), swap=False, name="huge") as group:
        outcome = subprocess.run(group.command(run), capture_output=True, text=True, check=False)
        kills = group.kills
    if outcome.returncode or kills:
        print(f"upscaling  {model.stem}: {kills} killed, {outcome.returncode}: {outcome.stderr}")
        return 0
    found: dict[str, Any] = json.loads(report.read_text())
    measured, predicted = found["measured"], found["predicted"]
    (seconds,) = measured["latency_s"]
    peak, said = (each["peak_bytes"] / MIB for each in (measured, predicted))
    print(
        f"upscaling  {model.stem} within {mem}: {seconds:.2f} s by {found['plan']['passes']}, "
        f"peak predicted {said:.1f}, measured {peak:.1f} MiB, none killed"
    )
    return float(seconds)


def _theirs(network: str, picture: Path, folder: Path) -> float | None:
    source = SHARED / "models" / f"{network}.onnx"
    words = [sys.executable, "-c", _THEIRS, str(source), str(picture), str(THREADS)]
    outcome = subprocess.run([*words, str(folder / "theirs.ppm")], capture_output=True, text=True,
                             check=False)  # fmt: skip
    if outcome.returncode:
        print(f"upscaling  {network}: onnxruntime: {outcome.stderr.strip().splitlines()[-1:]}")
        return None
    alone, seconds = map(float, outcome.stdout.split())
    print(f"upscaling  {network} by onnxruntime: {seconds:.2f} s, {alone:.2f} s of it the network")
    return seconds


def make_scene(folder: Path) -> tuple[Path, list[dict[str, Any]]]:
    """Six coasts side by side, of seeds that the detector was not trained on; what is on them."""
    sys.path.insert(0, str(CHECKOUT / "configs" / "detector"))
    from scenes import make_scene as make  # type: ignore[import-not-found]

    height, width = SCENE
    pixels, truth = np.empty((height, width, 3), np.uint8), list[dict[str, Any]]()
    for number, seed in enumerate(SCENES):
        top, left = number // 3 * TILE, number % 3 * TILE
        made = make(seed, TILE)
        pixels[top : top + TILE, left : left + TILE] = np.asarray(made.image)
        for each in made.boxes:
            box = {"x": left + each.left, "y": top + each.top,
                   "width": each.right - each.left, "height": each.bottom - each.top}  # fmt: skip
            truth.append({"label": each.label, "box": box})
    path = folder / "scene.png"
    Image.fromarray(pixels).save(path, compress_level=1)
    return path, truth


def scene(arguments: argparse.Namespace, folder: Path) -> bool:
    """The whole frame, bands within 128 MiB, and slices; whether bands found what the whole did."""
    demo = CHECKOUT / "ftdist" / "demo"
    model, slices = folder / "frame.ftd", folder / "slice.ftd"
    bring = ("--weights", demo / "detector.weights", "--names", demo / "detector.names")
    height, width = (-(-side // 32) * 32 for side in SCENE)
    called(
        ftdist("import", demo / "detector.cfg", *bring, "--size", f"{height}x{width}", "-o", model)
    )
    called(ftdist("import", demo / "detector.cfg", *bring, "-o", slices))
    picture, truth = make_scene(folder)
    found: dict[str, list[dict[str, Any]]] = {}
    for way, more in {"whole": ("--bands", "never"), "bands": ("--mem", "128M")}.items():
        report, data = folder / f"{way}.json", folder / f"{way}-objects.json"
        words = ftdist("run", model, picture, "--threads", THREADS, "--json", report, "-o", data,
                       "--format", "json", *more)  # fmt: skip
        with Group(128 * MIB if way == "bands" else None, swap=False, name="scene") as group:
            called(group.command(words))
        measured = json.loads(report.read_text())["measured"]
        found[way] = _objects(data)
        print(f"scene      {way}: {len(found[way])} objects, {sum(measured['latency_s']):.1f} s, "
              f"peak {measured['peak_bytes'] / MIB:.0f} MiB")  # fmt: skip
    started = time.perf_counter()
    found["slices"] = sliced_objects(slices, picture, overlap=0.2)
    print(f"scene      slices of 1024 with a fifth of overlap: {len(found['slices'])} objects, "
          f"{time.perf_counter() - started:.1f} s")  # fmt: skip
    lost, _ = _compared(found["whole"], found["bands"])
    print(f"scene      bands beside the whole frame, which keeps fewer candidates: {lost} lost")
    missed, others = _compared(found["bands"], found["slices"])
    print(f"scene      slices beside bands: {missed} lost, {others} more")
    doubles = {way: _doubles(truth, objects) for way, objects in found.items()}
    for way, objects in found.items():
        unseen, _ = _compared(truth, objects)
        print(f"scene      {way}: {len(truth) - unseen} of the {len(truth)} that are there, "
              f"{doubles[way]} found twice")  # fmt: skip
    return lost == 0 and doubles["bands"] <= doubles["whole"]


def _objects(path: Path) -> list[dict[str, Any]]:
    (value,) = json.loads(path.read_text())
    objects: list[dict[str, Any]] = value["detections"]
    return objects


def _compared(expected: list[dict[str, Any]], found: list[dict[str, Any]]) -> tuple[int, int]:
    """Objects that are lost, and those that are more."""
    matched: set[int] = set()
    lost = 0
    for each in expected:
        at = next(
            (n for n, other in enumerate(found) if n not in matched and _same(each, other)), -1
        )
        lost += at < 0
        matched.add(at)
    return lost, len(found) - len(matched - {-1})


def _doubles(truth: list[dict[str, Any]], found: list[dict[str, Any]]) -> int:
    """How often an object is found once more: by another box of its label whose middle is on it."""
    on = Counter[int]()
    for each in found:
        box = each["box"]
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for number, other in enumerate(truth):
            o = other["box"]
            inside = 0 <= x - o["x"] < o["width"] and 0 <= y - o["y"] < o["height"]
            if inside and other["label"] == each["label"]:
                on[number] += 1
                break
    return sum(count - 1 for count in on.values())


def _same(one: dict[str, Any], other: dict[str, Any], least: float = 0.5) -> bool:
    a, b = one["box"], other["box"]
    wide = min(a["x"] + a["width"], b["x"] + b["width"]) - max(a["x"], b["x"])
    high = min(a["y"] + a["height"], b["y"] + b["height"]) - max(a["y"], b["y"])
    if one["label"] != other["label"] or wide <= 0 or high <= 0:
        return False
    both = wide * high
    return both / (a["width"] * a["height"] + b["width"] * b["height"] - both) >= least


def batch(arguments: argparse.Namespace, folder: Path) -> bool:
    """Many small photos in one process, by two threads and by one; whether bars are reached."""
    pictures, model = folder / "pictures", folder / "net.ftd"
    names, broken = _small_photos(pictures, arguments.count)
    good = [each for each in names if each not in broken]
    shared = SHARED / "models" / "yolo-fastest-1.1-xl"
    called(ftdist("import", f"{shared}.cfg", "--weights", f"{shared}.weights", "-o", model))
    took: dict[int, float] = {}
    share = 0.0
    for threads in (1, THREADS):
        out = folder / f"by{threads}.jsonl"
        words = ftdist("batch", model, pictures, "-o", out, "--threads", threads, "--mem", "256M",
                       "--json", out.with_suffix(".report"))  # fmt: skip
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 1:
            sys.exit(f"batch: status {done.returncode}: {done.stderr}")
        check(out, good, broken)
        report = json.loads(out.with_suffix(".report").read_text())
        took[threads] = report["measured"]["wall_s"]
        alone = alone_s(load(model), report["plan"], report["lanes"], good, len(good))
        share = alone / took[threads]
        print(
            f"batch      threads {threads}: {len(good)} of {len(names)} in {took[threads]:.1f} s, "
            f"the network alone {alone:.1f} s: {share:.2f} of it (bar 0.95)"
        )
    faster = took[1] / took[THREADS]
    print(f"batch      two threads are {faster:.2f} times as fast as one (bar 1.9)")
    return share >= 0.95 and faster >= 1.9


def _small_photos(folder: Path, count: int) -> tuple[list[str], set[str]]:
    """Parts of the two photos as JPEGs of 640x480, and which of them were cut."""
    folder.mkdir()
    chance, names, broken = np.random.default_rng(1), [], set[str]()
    photos = []
    for name in ("dog.jpg", "person.jpg"):
        with Image.open(SHARED / "photos" / name) as picture:
            photos.append(picture.convert("RGB").resize((800, 600)))
    for number in range(count):
        left, top = (int(each) for each in chance.integers(0, (160, 120)))
        path = folder / f"p{number:05}.jpg"
        photos[number % 2].crop((left, top, left + 640, top + 480)).save(path, quality=88)
        names.append(str(path))
        if number % BROKEN_EACH == BROKEN_EACH // 2:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
            broken.add(str(path))
    return names, broken


BARS: dict[str, Callable[[argparse.Namespace, Path], bool]]
BARS = {"resume": resume, "upscaling": upscaling, "batch": batch, "scene": scene}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bars", nargs="*", choices=[[], *BARS], default=[])
    parser.add_argument("--side", choices=["ours", "theirs"], help="of upscaling: only this one")
    parser.add_argument("--network", choices=UPSCALERS, help="of upscaling: only this one")
    parser.add_argument("--count", type=int, default=2000, help="of batch: how many photos")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sound = True
    for name in arguments.bars or BARS:
        with tempfile.TemporaryDirectory(prefix="ftdist-huge-") as folder:
            reached = BARS[name](arguments, Path(folder))
        print(f"{name:10} {'reached' if reached else 'MISSED'}")
        sound &= reached
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
