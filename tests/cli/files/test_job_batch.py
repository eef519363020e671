"""The inputs of a job that has a name, and what is known of them when it is gone on with."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
from support.smallmodels import random_image, write_small_model

from ftdist.cli.files.batch import Batch
from ftdist.cli.files.sources import sources
from ftdist.cli.parser import make_parser
from ftdist.cli.progress import Progress
from ftdist.cluster.client.client import FrameOutputs
from ftdist.network.modelheader import read_header

LAYERS = "[net]\nheight=8\nwidth=8\nchannels=3\n[convolutional]\nfilters=2\nsize=1\n"


def test_what_was_left_out_is_no_frame_that_is_done(tmp_path: Path) -> None:
    """Whoever goes on with the job tries it again, and names it again."""
    path = write_small_model(tmp_path / "layers.ftd", LAYERS)
    with path.open("rb") as file:
        header = read_header(file, path)
    paths = [tmp_path / f"{name}.npy" for name in ("a", "broken", "c")]
    for each in paths:
        np.save(each, random_image(8))
    paths[1].write_text("no array")
    words = ["submit", "--to", "tcp://127.0.0.1:1", *map(str, paths), "-o", str(tmp_path / "out")]
    arguments = make_parser({}).parse_args([*words, "--job", "night"])
    (name,) = (header.network.layers[each].name for each in header.network.outputs)
    for before in (set[int](), {0}):
        with ExitStack() as stack:
            batch = Batch(sources(arguments.inputs, stack), arguments, Progress())
            stack.callback(batch.close)
            batch.keep_journal()
            assert batch.done == before
            for frame in {0, 1} - before:
                batch.load(header, frame)
                made = np.zeros((2, 8, 8), np.float32)
                batch.deliver(header, FrameOutputs(frame, {name: made}, 0.1))
            assert [each["file"] for each in batch.named_left_out()] == [str(paths[1])]
