"""Messages as frames and back: a msgpack header, then one raw frame for each array of values.

The header is an array: the message's kind, then its fields in order (``fields``). It is read in
three steps, so that no header, whatever it says, makes this process take more than a small multiple
of the header's own size:

1. A header of more than HEADER_BYTES is refused unread.
2. It is walked once without making anything. An array that announces more than there is ends here:
   unpacking first allocates what each of a thousand nested arrays announces, 32 MiB in all.
3. It is unpacked. Now it has no more items than bytes, and they are numbers, texts and tuples of
   them, all of which can be hashed: the first map or extension is refused.

What comes out is a valid message or a WireError, whatever came in. Arrays are views of the frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, NoReturn

import msgpack

from ftdist.protocol.codec import record
from ftdist.protocol.limits import HEADER_BYTES, PROTOCOL, TENSORS, versions_differ
from ftdist.protocol.messages import MESSAGES, Message
from ftdist.protocol.scalars import WireError, shown

_KINDS: dict[str, Any] = {each.kind: each for each in MESSAGES}
_VERSIONED = frozenset(each for each in MESSAGES if each.__slots__[:1] == ("protocol",))


def _refuse(*_: Any) -> NoReturn:
    raise ValueError("a map or an extension")


_LIMITS: dict[str, Any] = {
    "use_list": False,
    "strict_map_key": True,
    "max_array_len": 4096,
    "max_str_len": 500,
    "max_map_len": 0,
    "max_bin_len": 0,
    "max_ext_len": 0,
    "object_hook": _refuse,  # for maps and extensions of no length
    "ext_hook": _refuse,
}
"""What the longest tuple and text of any message need, and nothing that none has."""


def encode(message: Message) -> list[Any]:
    """The frames of a message: its header, then for each array in order a view of its bytes.

    An array is copied only if it is not C-contiguous; the frames share the others' memory. A
    message that breaks its own limits is a ValueError.
    """
    of: Any = type(message)
    if of not in MESSAGES:
        raise ValueError(f"{of.__name__} is not a message")
    frames: list[Any] = []
    try:
        fields = record(of).pack(message, frames)
    except WireError as error:
        raise ValueError(str(error)) from None
    return [msgpack.packb([of.kind, *fields]), *frames]


def decode(frames: Sequence[Any], expected: frozenset[type[Message]] | None = None) -> Message:
    """The message that frames (bytes or other buffers) hold; its arrays are read-only views.

    A view keeps its frame alive. WireError for anything that is no valid message, or that is none
    of the `expected` ones.
    """
    if not 1 <= len(frames) <= 1 + TENSORS:
        raise WireError(f"a message of {len(frames)} frames")
    kind, *fields = _header(frames[0])
    of = _KINDS.get(kind)
    if of is None:
        raise WireError(f"unknown kind of message {shown(kind)}")
    if expected is not None and of not in expected:
        raise WireError(f"a {kind} is not expected here")
    rest = islice(frames, 1, None)
    try:
        message: Message = record(of).unpack(tuple(fields), rest)
        if next(rest, None) is not None:
            raise WireError(f"{kind}: more frames than its header names")
    except WireError:
        _refuse_other_protocol(of, fields)
        raise
    return message


def _refuse_other_protocol(of: Any, fields: list[Any]) -> None:
    """If what cannot be read states another protocol, that is why."""
    theirs = fields[0] if fields and of in _VERSIONED else PROTOCOL
    if type(theirs) is int and theirs != PROTOCOL:
        raise WireError(versions_differ(theirs)) from None


def _header(frame: Any) -> tuple[Any, ...]:
    """The array that a header is, with at least a first item."""
    size = memoryview(frame).nbytes
    if size > HEADER_BYTES:
        raise WireError(f"a header of {size} bytes, more than {HEADER_BYTES}")
    try:
        walk = msgpack.Unpacker(max_buffer_size=HEADER_BYTES)
        walk.feed(frame)
        walk.skip()
        header = msgpack.unpackb(frame, **_LIMITS)
    except (msgpack.UnpackException, ValueError, RecursionError) as error:
        raise WireError(f"not a msgpack header: {type(error).__name__}") from None
    if type(header) is not tuple or not header:
        raise WireError("not a message header")
    return header
