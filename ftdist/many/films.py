"""A video with what was found on each frame, encoded while the frames that follow are computed.

A frame is drawn as a picture beside the video; those that wait to be encoded are few
(``stages``). The encoder looks at no later frames and has one thread, so that it holds few of them.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

from ftdist.atomic import atomic_write, make_folder
from ftdist.errors import InputError
from ftdist.many.videos import library

FILMS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""The endings of videos that are written, and FFmpeg's name of each format."""

_CODECS = {
    "libx264": {"preset": "veryfast", "tune": "zerolatency", "crf": "20"},
    "mpeg4": {"q": "3"},
}
"""The first that FFmpeg was built with, and what it is asked for: good pictures, small files."""

_FRAME = re.compile(r".*-\d+\.ppm")

_ENCODER_BYTES, _ENCODER_FRAMES = 16 << 20, 20
"""What an encoder holds, its frames beside: measured with 640x480 to 3840x2160, 15 to 17 frames."""


def encoding_bytes(pixels: int) -> int:
    """What encoding frames of so many pixels takes, one of them as a picture."""
    return _ENCODER_BYTES + _ENCODER_FRAMES * pixels * 3 // 2 + 2 * pixels * 3


class Film:
    """The video at `path`, of so many frames a second: a context manager. It appears whole at the
    end, and the `frames` folder, in which pictures wait, goes then."""

    def __init__(self, path: Path, frames: Path, rate: Fraction) -> None:
        self._path = path
        self._frames = frames
        self._rate = rate
        self._writing = atomic_write(path)
        self._container: Any = None
        self._stream: Any = None
        self._next = 0

    def __enter__(self) -> Film:
        make_folder(self._frames)
        self._refuse_others()
        file = self._writing.__enter__()
        self._container = library().open(str(file), "w", format=FILMS[self._path.suffix.lower()])
        return self

    def _refuse_others(self) -> None:
        """InputError where something is in the folder, which will go, that is none of our frames:
        those that a killed process left may be."""
        for each in self._frames.iterdir():
            if not _FRAME.fullmatch(each.name):
                raise InputError(
                    f"{each}: frames wait in that folder, and go with it: move yours elsewhere"
                )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._encode(None)
                with self._writes():
                    self._container.close()
        except BaseException as failure:
            kind, error, trace = type(failure), failure, failure.__traceback__
            raise
        finally:
            shutil.rmtree(self._frames, ignore_errors=True)
            with suppress(library().error.FFmpegError, OSError):  # what failed fails again
                self._container.close()
            self._writing.__exit__(kind, error, trace)

    def add(self, picture: Path, number: int | None = None) -> None:
        """The next frame, which is a picture that is gone then.

        Its time is that of its `number`: the frame before stays while some are missing. One that
        comes after a later one is not shown.
        """
        from PIL import Image

        with Image.open(picture) as opened:
            frame = library().VideoFrame.from_image(opened)
        picture.unlink()
        number = self._next if number is None else number
        if number < self._next:
            return
        self._next = number + 1
        if self._stream is None:
            self._stream = self._begun(frame.width, frame.height)
        size = self._stream.width, self._stream.height
        shown = frame.reformat(*size, format=self._stream.pix_fmt)
        shown.pts, shown.time_base = number, 1 / self._rate
        self._encode(shown)

    def _begun(self, width: int, height: int) -> Any:
        """The stream of pictures of that size; of an odd one the last row or column goes."""
        av = library()
        name = next(each for each in _CODECS if each in av.codecs_available)
        stream = self._container.add_stream(name, rate=self._rate, options=_CODECS[name])
        stream.width, stream.height = (max(2, side - side % 2) for side in (width, height))
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        return stream

    def _encode(self, frame: Any) -> None:
        """Writes what there is after one more frame, or after the last (None)."""
        if self._stream is None:
            raise InputError(f"cannot write {self._path}: there is no frame to be shown")
        with self._writes():
            for packet in self._stream.encode(frame):
                self._container.mux(packet)

    @contextmanager
    def _writes(self) -> Iterator[None]:
        """Makes what goes wrong one line of ours."""
        try:
            yield
        except (library().error.FFmpegError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"cannot write {self._path}: {reason}") from None
