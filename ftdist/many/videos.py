"""Frames of a video, of a camera or of a stream, one after another, by PyAV.

A frame is a picture in memory (PPM), read as any other picture is. Decoding is done by one thread,
so that no more frames lie in the decoder than the format asks for.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ftdist.errors import InputError
from ftdist.extras import needing
from ftdist.many.containers import is_cut
from ftdist.many.decoding import Decoded, errors_told
from ftdist.many.listing import Source
from ftdist.wording import counted

if TYPE_CHECKING:
    from ftdist.pictures.reading import PictureBytes

_LIBRARY_BYTES = 48 << 20
"""FFmpeg's libraries and what a decoder holds beside its frames, measured: 31 to 40 MiB."""

_DECODER_FRAMES = 20
"""H.264 keeps up to 16 frames to look back at; some more are on their way."""

CUT = "the file is cut off"

CAMERAS = "/dev/video"

_USUAL_RATE = Fraction(25)
"""Frames a second where a video does not say it."""


def expanded(inputs: Iterable[Source], most_pixels: int = 0) -> Iterator[Source]:
    """The inputs, of which videos are their frames; one that cannot be read, or whose frames have
    more than `most_pixels`, is itself, and says why when it is read."""
    for source in inputs:
        if not source.is_video:
            yield source
            continue
        try:
            with closing(frames(source.name, most_pixels=most_pixels)) as found:
                for picture in found:
                    yield replace(source, name=picture.name, picture=picture)
        except InputError as error:
            yield replace(source, problem=str(error))


def frames(
    name: str, timeout_s: float | None = None, most_pixels: int = 0
) -> Generator[PictureBytes, None, None]:
    """The frames of a file, a device or an address, under their numbers.

    InputError when there are none, or after the last where some before it are damaged, the file is
    cut off or something else is wrong, or where they have more than `most_pixels`, if that is not
    0.
    """
    av = library()
    options: dict[str, Any] = {}
    if name.startswith(CAMERAS):
        options["format"] = "v4l2"
    if name.startswith("rtsp"):
        options["options"] = {"rtsp_transport": "tcp"}
    if timeout_s is not None:
        options["timeout"] = timeout_s
    count, decoded, errors = 0, None, errors_told(av)
    try:
        with av.open(name, **options) as container:
            if not container.streams.video:
                raise InputError(f"{name}: no picture is in it, only sound")
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            _check_size(name, stream.codec_context, most_pixels)
            decoded = Decoded(av, container, stream, errors)
            for number, frame in decoded:
                _check_size(name, frame, most_pixels)
                yield _picture(f"{name}#{number}", frame)
                count += 1
            if is_cut(name) or (decoded.is_cut and os.path.isfile(name)):
                raise InputError(f"{name}: {_losses(decoded)}{_until(count, CUT)}")
            decoded.count_rest()
            if decoded.is_damaged:
                reason = _losses(decoded) or "parts of the file are damaged and left out"
                raise InputError(f"{name}: {_until(count, reason.removesuffix('; '))}")
            if not count:
                raise InputError(f"{name}: no frame is in it")
    except (av.error.FFmpegError, OSError) as error:
        reason = _said(name) or getattr(error, "strerror", None) or str(error)
        reason = _until(count, CUT if is_cut(name) else reason)
        raise InputError(f"{name}: {_losses(decoded)}{reason}") from None


def _losses(decoded: Decoded | None) -> str:
    """How many frames are lost in the middle, before what else is said; nothing where none are."""
    if decoded is None or not decoded.lost:
        return ""
    are = "1 frame is" if decoded.lost == 1 else f"{decoded.lost:,} frames are"
    first = "" if decoded.lost == 1 else "the first of them "
    return f"{are} damaged and left out, {first}#{decoded.first_lost}; "


def _until(count: int, reason: str) -> str:
    """Why there are no more frames than so many."""
    if not count:
        return f"cannot be read: {reason}"
    return f"{reason}; {counted(count, 'frame')} of it {'was' if count == 1 else 'were'} read"


def _check_size(name: str, sized: Any, most_pixels: int) -> None:
    if most_pixels and sized.width * sized.height > most_pixels:
        raise InputError(
            f"{name}: its frames of {sized.width}x{sized.height} are larger than those that were "
            "looked at before; run it apart"
        )


def _said(name: str) -> str | None:
    """What a file is that has a video's name only; None for what may be one."""
    from ftdist.pictures.foreign import HEAD_BYTES, VIDEO, kind

    try:
        with open(name, "rb") as file:
            found = kind(file.read(HEAD_BYTES))
    except OSError:
        return None
    return found if found != VIDEO else None


def frames_bytes(pixels: int) -> int:
    """What a frame of so many pixels takes and what decoding it does, beside the process before."""
    return _LIBRARY_BYTES + pixels * 3 // 2 * _DECODER_FRAMES + 2 * pixels * 3 if pixels else 0


def shape_and_rate(name: str) -> tuple[int, Fraction]:
    """The pixels of a video's frame, 0 where it cannot be read, and its frames a second."""
    av = library()
    try:
        with av.open(name) as container:
            stream = container.streams.video[0]
            pixels = stream.codec_context.width * stream.codec_context.height
            return pixels, Fraction(stream.average_rate or _USUAL_RATE)
    except (av.error.FFmpegError, OSError, IndexError):
        return 0, _USUAL_RATE


def _picture(name: str, frame: Any) -> PictureBytes:
    """A frame as the bytes of a PPM file."""
    from ftdist.pictures.reading import PictureBytes

    pixels = frame.to_ndarray(format="rgb24")
    height, width, _ = pixels.shape
    return PictureBytes(name, b"P6\n%d %d\n255\n" % (width, height) + pixels.tobytes())


def library() -> Any:
    """PyAV; InputError where it is not installed."""
    with needing("reading videos and cameras", "PyAV", "video"):
        import av
    av.logging.set_level(av.logging.FATAL)
    return av
