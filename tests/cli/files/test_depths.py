"""Who makes pictures of several is told where their bits are lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ftdist.cli.files.depths import tell_of_depth
from ftdist.many.listing import as_source
from ftdist.network.task import Kind, Task

images = pytest.importorskip("PIL.Image", reason="pictures need Pillow")


@pytest.mark.parametrize(
    ("kind", "target", "said"),
    [("image", "{}.png", True), ("image", "{}.tif", True), ("image", "{}.jpg", False),
     ("detect", "{}.png", False), ("image", None, False)],
)  # fmt: skip
def test_the_first_picture_that_loses_bits_is_named_once(
    tmp_path: Path, kind: Kind, target: str | None, said: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [str(tmp_path / f"{number}.png") for number in range(4)]
    for name, dtype in zip(names, (np.uint8, np.uint16, np.uint16, np.uint8), strict=True):
        images.fromarray(np.full((6, 5), 7, dtype)).save(name)
    (tmp_path / "0.png").write_bytes(b"no picture")
    sources = [as_source(each) for each in names]
    tell_of_depth(sources, None if target is None else Path(target), Task(kind))
    wanted = f"ftdist: {names[1]}: 16 bits a colour come out in 8 where pictures are several; "
    assert capsys.readouterr().err == (
        f"{wanted}'ftdist run' of one alone keeps them\n" if said else ""
    )
