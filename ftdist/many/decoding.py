"""Frames out of a video's packets, with the numbers that they have where nothing is damaged.

A packet that cannot be decoded loses its frame, and one that the container cannot find loses it
too; decoding goes on, and what comes before the next key frame is mended by FFmpeg as it can. A
frame comes in the order of its time, when no earlier one can follow. So all packets of earlier
times that something was wrong with, and of which no frame came, are lost frames. Where packets
themselves are missing, time tells how many: the distance to the frame before, in frames of the
video's rate.

    packets, by time    0  1  2  3! 4  5              3!: decoding fails
    frames              0  1  2     4  5              4 is number 4, and 1 is lost
"""

from __future__ import annotations

import heapq
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

_MOST_FAILURES = 100
"""Failures of a container in a row after which nothing more is expected of it."""

_MOST_LATE = 32
"""Lost frames that may yet come."""


class Decoded:
    """All frames that can be decoded with their numbers, in their order, before the error that ends
    them, if any.

    `lost` counts those that are damaged, and `first_lost` is the number of the first. What is
    damaged at the end of a file that is cut is none of them: `is_cut` says that there was some.
    `is_damaged` may be where nobody knows how many there were.
    """

    def __init__(self, av: Any, container: Any, stream: Any, errors: int) -> None:
        """`errors`: how many FFmpeg had told of before it opened the file, in which it looks."""
        self._av = av
        self._container, self._stream = container, stream
        self._numbers = _Numbers(container, stream)
        self._failure: Exception | None = None
        self._is_harmed = self._told_by_container(errors)
        if self._is_harmed:  # FFmpeg looks ahead as it opens a file: nobody knows where it was
            self._numbers.broken(sys.maxsize)
        self.is_cut = False

    @property
    def is_damaged(self) -> bool:
        return self.lost > 0 or self._is_harmed

    @property
    def lost(self) -> int:
        return self._numbers.lost

    @property
    def first_lost(self) -> int:
        return self._numbers.first_lost

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        held, error = None, None
        try:
            for packet in self._packets():
                if held is not None:
                    yield from self._frames(held)
                held = packet if packet.is_corrupt else None
                if held is None:
                    yield from self._frames(packet)
        except self._av.error.FFmpegError as failure:
            error = failure
        self.is_cut = held is not None
        with suppress(self._av.error.FFmpegError):  # those that waited for what is missing
            yield from self._sound(self._stream.codec_context.decode(None))
        if error is not None:
            raise error
        if self._failure is not None and self._numbers.last < 0:
            raise self._failure

    def count_rest(self) -> None:
        """Counts what was damaged after the last frame, too: the file is not cut there."""
        self._numbers.end()

    def _packets(self) -> Iterator[Any]:
        """All that the container finds; what is damaged in between it passes over."""
        packets, failures = self._container.demux(self._stream), 0
        while failures < _MOST_FAILURES:
            errors = errors_told(self._av)
            try:
                packet = next(packets, None)
            except self._av.error.InvalidDataError as failure:
                self._failure = failure
                failures += 1
                self._broken()
                packets = self._container.demux(self._stream)
                continue
            if self._told_by_container(errors):
                self._broken()
            if packet is None:
                return
            failures = 0
            if packet.is_corrupt:  # what is missing comes after what it ends with
                self._numbers.broken(2)
            if packet.size:  # an empty one would end the decoder
                yield packet
        assert self._failure is not None
        raise self._failure

    def _frames(self, packet: Any) -> Iterator[tuple[int, Any]]:
        errors, found, fails = errors_told(self._av), (), False
        try:
            found = self._stream.codec_context.decode(packet)
        except MemoryError:
            raise
        except self._av.error.FFmpegError as failure:
            self._failure, fails = failure, True
        self._numbers.sent(packet, is_suspect=fails or errors_told(self._av) != errors)
        yield from self._sound(found)

    def _sound(self, frames: Any) -> Iterator[tuple[int, Any]]:
        """Those that are not damaged."""
        for frame in frames:
            number = self._numbers.of(frame)
            if frame.is_corrupt:
                self._numbers.lose(number)
            else:
                yield number, frame

    def _broken(self) -> None:
        self._is_harmed = True
        self._numbers.broken()

    def _told_by_container(self, errors: int) -> bool:
        """Whether FFmpeg's reader has told of an error since there were so many of any kind."""
        count, last = self._av.logging.get_last_error()
        return bool(count != errors and last[1] == self._container.format.name)


def errors_told(av: Any) -> int:
    """How many errors FFmpeg has told of so far, wherever they were."""
    count: int = av.logging.get_last_error()[0]
    return count


class _Numbers:
    """Which number a frame has, and how many are lost."""

    def __init__(self, container: Any, stream: Any) -> None:
        rate, base = stream.average_rate, stream.time_base
        self._per_tick = float(rate * base) if rate and base else 0.0
        """Frames that pass in a unit of its time."""
        seconds = (container.duration or 0) / 1e6
        self._is_listed = stream.frames > 0
        """Whether the file lists its frames, and so does not begin in the middle of something."""
        self._most = stream.frames or (round(seconds * rate) + 1 if rate else 0)
        self._waiting: list[tuple[int, bool]] = []
        """Times of packets of which no frame has come yet, and whether something is known to be
        wrong with each."""
        self._timeless = 0
        """Packets without a time with which something was wrong."""
        self._begins: int | None = None
        """The time of the first frame that can be decoded where all is well."""
        self._doubted_to: int | None = None
        """Packets of which no frame comes are lost up to a key frame after that time. Elsewhere
        they may be such as are never shown."""
        self._broken = 0
        self._latest = 0
        self._uncertain_to: int | None = None
        """Packets are missing somewhere before that time."""
        self._late: dict[int, int] = {}
        """Numbers of lost frames by their time: decoders give some after later ones."""
        self._time: int | None = None
        self.last, self.lost, self.first_lost = -1, 0, 0

    def sent(self, packet: Any, *, is_suspect: bool) -> None:
        """The decoder was given a packet. What is before the first key frame is no loss."""
        time = packet.pts
        if time is None:
            self._timeless += is_suspect
            self.broken(is_suspect)
            return
        if self._begins is None:
            if not (packet.is_keyframe or self._is_listed):
                return
            self._begins = self._doubted_to = self._latest = time
        self._latest = max(time, self._latest)
        if self._broken:
            self._uncertain_to = self._latest
            self._broken -= 1
        if is_suspect:
            self._doubted_to = self._latest
        if time >= self._begins and not packet.is_discard:
            heapq.heappush(self._waiting, (time, is_suspect))

    def broken(self, packets: int = 1) -> None:
        """The container missed something before the next packet, or one of the next."""
        self._broken = max(self._broken, packets)

    def of(self, frame: Any) -> int:
        """The number of the next frame; counts those that are missing before it."""
        time, before = frame.pts, self._time
        if time in self._late:
            return self._found(self._late.pop(time))
        passed = self._passed(time)
        missing = self._timeless if time is None else len(passed)
        self._timeless = 0
        if self._uncertain_to is not None and time is not None:
            steps = 0 if before is None else round((time - before) * self._per_tick)
            if self.last + steps < self._most:
                missing = max(missing, steps - 1)
            if time >= self._uncertain_to:
                self._uncertain_to = None
        is_sound = frame.key_frame or (self.last < 0 and not missing)
        if is_sound and time is not None and time >= (self._doubted_to or 0):
            self._doubted_to = None
        self._time = before if time is None else time
        if missing:
            self._count(self.last + 1, missing)
        self.last += 1 + missing
        self._late.update(zip(passed, range(self.last - len(passed), self.last), strict=True))
        for each in sorted(self._late)[:-_MOST_LATE]:
            del self._late[each]
        return self.last

    def _passed(self, time: int | None) -> list[int]:
        """The times of those that are waited for that are before the frame of that time, and so
        are lost, in their order."""
        if time is None:
            if self._waiting:
                heapq.heappop(self._waiting)
            return []
        passed = set()
        while self._waiting and self._waiting[0][0] <= time:
            passed.add(heapq.heappop(self._waiting)[0])
        return [] if self._doubted_to is None else sorted(passed - {time})

    def _found(self, number: int) -> int:
        """The number of a frame that comes late, and is not lost."""
        self.lost -= 1
        self.first_lost += number == self.first_lost
        return number

    def lose(self, number: int) -> None:
        """The frame of that number is damaged."""
        self._count(number, 1)

    def end(self) -> None:
        """There is no further frame: those that are waited for are lost."""
        in_doubt = self._doubted_to is not None
        missing = len({time for time, is_suspect in self._waiting if is_suspect or in_doubt})
        missing += self._timeless
        if missing:
            self._count(self.last + 1, missing)

    def _count(self, first: int, count: int) -> None:
        if not self.lost:
            self.first_lost = first
        self.lost += count
