"""The message that is being received: opened by its header, filled by portions.

What comes is checked before memory is taken for it: the header is read at once, as if all bytes
were there already; they are written where the message's arrays will find them.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from ftdist.protocol.messages import Message
from ftdist.protocol.scalars import WireError
from ftdist.protocol.shared_messages import Opening, Portion
from ftdist.protocol.wire import decode


class Incoming:
    """The message that is open; `total` bytes of portions and messages that count have come."""

    def __init__(self, expected: frozenset[type[Message]], most_bytes: int) -> None:
        self.total = 0
        self._expected = expected
        self._most_bytes = most_bytes
        self.message: Message | None = None
        self._lacking: deque[memoryview] = deque()

    def open(self, opening: Opening) -> Message | WireError | None:
        size = sum(opening.sizes)
        if self.message is not None:
            return WireError("a message is opened before the last one is whole")
        if size > self._most_bytes:
            return WireError(f"a message of {size} bytes, more than {self._most_bytes}")
        arrays = [np.empty(each, np.uint8) for each in opening.sizes]
        try:
            message = decode([opening.header.tobytes(), *arrays], self._expected)
        except WireError as error:
            return WireError(str(error))
        self._lacking.extend(array.data for array in arrays if array.size)
        if not self._lacking:
            return message
        self.message = message
        return None

    def fill(self, portion: Portion) -> Message | WireError | None:
        for data in portion.data:
            if not self._write(data.data):
                return WireError("a portion of no message, or more than it lacks")
        if self._lacking:
            return None
        message, self.message = self.message, None
        return message

    def _write(self, data: memoryview) -> bool:
        """Writes bytes where they belong; False when there is no room for them."""
        while data.nbytes:
            if not self._lacking:
                return False
            target = self._lacking[0]
            count = min(target.nbytes, data.nbytes)
            target[:count] = data[:count]
            data = data[count:]
            if count < target.nbytes:
                self._lacking[0] = target[count:]
            else:
                self._lacking.popleft()
        return True
