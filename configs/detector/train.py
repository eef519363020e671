"""Trains the demo detector on generated scenes, writes its weights and measures it.

The network is whatever detector.cfg says; being fully convolutional it learns on small scenes and
works on large ones. A second process draws scenes with consecutive seeds from
scenes.TRAINING_SEED on; the pool of scenes grows while the training already draws from it, each
time mirrored and turned at random. Training ends when its time is up, so the learning rate (a
short rise, then half a cosine down to zero) follows the clock, not a number of steps. Measuring
uses scenes of HELD_OUT_SEEDS, which are never trained on.

    python train.py --minutes 27 -o detector.weights
    python train.py --evaluate ../../ftdist/demo/detector.weights
"""

import argparse
import math
import multiprocessing
import time
from multiprocessing.queues import Queue
from pathlib import Path

import numpy as np
import torch
from loss import Truth, detection_loss
from network import Detector, detect, load_weights, save_weights
from scenes import TRAINING_SEED, Scene, make_scene
from scoring import Detection, average_precisions

FOLDER = Path(__file__).parents[2] / "ftdist" / "demo"  # what the package ships
HELD_OUT_SEEDS = range(40)
HELD_OUT_SIZE = 1024
TRAINING_SIZE = 384
BATCH = 8
SMALLEST_POOL = 64
LARGEST_POOL = 6000
PEAK_RATE = 4e-3
RISE_SHARE = 0.04
LOWEST_SCORE = 0.01  # of a detection that takes part in the measurement


def draw_scenes(queue: "Queue[Scene]", seeds: range) -> None:
    """Body of the drawing process."""
    for seed in seeds:
        queue.put(make_scene(seed, TRAINING_SIZE))


def to_truth(scene: Scene, names: list[str], stride: int) -> np.ndarray:
    """The scene's objects as (n, 5): class, centre x, centre y, width, height in cells."""
    rows = [
        (
            names.index(box.label),
            (box.left + box.right) / 2 / stride,
            (box.top + box.bottom) / 2 / stride,
            (box.right - box.left) / stride,
            (box.bottom - box.top) / stride,
        )
        for box in scene.boxes
    ]
    return np.array(rows, dtype=np.float32).reshape(-1, 5)


def vary(
    image: np.ndarray, truth: np.ndarray, cells: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """One of the eight mirrorings and turns of a square scene, slightly brighter or darker."""
    truth = truth.copy()
    if rng.random() < 0.5:
        image, truth[:, 1] = image[:, ::-1], cells - truth[:, 1]
    if rng.random() < 0.5:
        image, truth[:, 2] = image[::-1], cells - truth[:, 2]
    if rng.random() < 0.5:
        image, truth = image.transpose(1, 0, 2), truth[:, [0, 2, 1, 4, 3]]
    pixels = image.astype(np.float32) * (rng.uniform(0.85, 1.15) / 255)
    return pixels.clip(0, 1), truth


class Pool:
    """The scenes drawn so far."""

    def __init__(self, network: Detector, names: list[str], seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.stride, self.names = network.stride, names
        self.scenes: list[tuple[np.ndarray, np.ndarray]] = []
        self.queue: Queue[Scene] = multiprocessing.Queue(maxsize=32)
        seeds = range(TRAINING_SEED, TRAINING_SEED + LARGEST_POOL)
        self.artist = multiprocessing.Process(
            target=draw_scenes, args=(self.queue, seeds), daemon=True
        )
        self.artist.start()

    def grow(self) -> None:
        """Takes in what has been drawn, waiting only for the first few."""
        while len(self.scenes) < SMALLEST_POOL or not self.queue.empty():
            scene = self.queue.get()
            self.scenes.append((scene.image, to_truth(scene, self.names, self.stride)))

    def batch(self) -> tuple[torch.Tensor, list[Truth]]:
        """Pictures (BATCH, 3, size, size) in 0..1 and their truths."""
        self.grow()
        cells = TRAINING_SIZE // self.stride
        chosen = self.rng.integers(len(self.scenes), size=BATCH)
        drawn = [self.scenes[index] for index in chosen]
        varied = [vary(image, truth, cells, self.rng) for image, truth in drawn]
        pictures = np.stack([image.transpose(2, 0, 1) for image, _ in varied])
        return torch.from_numpy(pictures), [torch.from_numpy(truth) for _, truth in varied]


def rate_at(share: float) -> float:
    """The learning rate once `share` (0..1) of the time has passed."""
    if share < RISE_SHARE:
        return PEAK_RATE * share / RISE_SHARE
    return PEAK_RATE * (1 + math.cos(math.pi * min(1.0, share))) / 2


def train(network: Detector, names: list[str], minutes: float, seed: int) -> int:
    """Trains the network in place for so long; returns the number of pictures it saw."""
    pool = Pool(network, names, seed)
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=1e-3)
    network.train()
    for kernel in network.parameters():  # channels last is twice as fast on a CPU
        if kernel.dim() == 4:
            kernel.data = kernel.data.contiguous(memory_format=torch.channels_last)
    start, steps, shown = time.monotonic(), 0, 0.0
    pool.grow()
    while (share := (time.monotonic() - start) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate_at(share)
        pictures, truths = pool.batch()
        raw = network(pictures.contiguous(memory_format=torch.channels_last))
        loss = detection_loss(raw, truths, network.region)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        optimizer.step()
        steps += 1
        shown = loss.item() if steps == 1 else 0.98 * shown + 0.02 * loss.item()
        if steps % 50 == 0:
            progress = f"{share:6.1%}  {steps} steps  {len(pool.scenes)} scenes"
            print(f"{progress}  loss {shown:.3f}", flush=True)
    pool.artist.terminate()
    return steps * BATCH


def evaluate(network: Detector, names: list[str], seeds: range) -> float:
    """Prints and returns the mean average precision at IoU .5 on held-out scenes."""
    network.eval()
    predictions: list[list[Detection]] = []
    truths = []
    for seed in seeds:
        scene = make_scene(seed, HELD_OUT_SIZE)
        predictions.append(detect(network, scene.image, names, LOWEST_SCORE))
        truths.append(scene.boxes)
    precisions = average_precisions(predictions, truths)
    for name, precision in precisions.items():
        objects = sum(box.label == name for boxes in truths for box in boxes)
        print(f"{name:10} {objects:5} objects  AP@.5 {precision:.4f}")
    mean = float(np.mean(list(precisions.values())))
    print(f"mAP@.5 {mean:.4f} on {len(seeds)} scenes, seeds {seeds.start} to {seeds.stop - 1}")
    return mean


def main() -> None:
    parser = argparse.ArgumentParser(description="Train or measure the demo detector.")
    parser.add_argument("--minutes", type=float, default=27.0)
    parser.add_argument("-o", "--output", type=Path, default=Path("detector.weights"))
    parser.add_argument("--evaluate", type=Path, help="measure these weights; do not train")
    parser.add_argument("--first-seed", type=int, default=HELD_OUT_SEEDS.start)
    parser.add_argument("--scenes", type=int, default=len(HELD_OUT_SEEDS))
    parser.add_argument("--seed", type=int, default=0, help="of initial weights and batches")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    names = (FOLDER / "detector.names").read_text().split()
    network = Detector(FOLDER / "detector.cfg")
    if arguments.evaluate:
        load_weights(network, arguments.evaluate)
    else:
        seen = train(network, names, arguments.minutes, arguments.seed)
        save_weights(network, arguments.output, seen)
    evaluate(network, names, range(arguments.first_seed, arguments.first_seed + arguments.scenes))


if __name__ == "__main__":
    main()
