"""Which messages there are, and who may send which.

A message is a frozen dataclass. On the wire (``wire``) it is a msgpack header and one raw frame for
each tensor. Every field carries its limits in its annotation (``limits``); what no single field can
say, a class says in ``flaw``. A message that breaks one is refused before anything is allocated.
"""

from __future__ import annotations

from typing import get_args

from ftdist.protocol.client_messages import (
    Accepted,
    Cancelled,
    FrameInput,
    JobFailed,
    JobProgress,
    JobResult,
    Received,
    Status,
    StatusRequest,
    Submit,
    WantFrame,
)
from ftdist.protocol.shared_messages import (
    Beat,
    Bye,
    Drain,
    ModelChunk,
    ModelRequest,
    Opening,
    Portion,
    Refusal,
    Taken,
)
from ftdist.protocol.worker_messages import (
    Assign,
    Cancel,
    Failed,
    Fetch,
    Forget,
    Heartbeat,
    Hello,
    Prepare,
    Probe,
    ProbeReply,
    Ready,
    Result,
    Welcome,
)

_Either = Opening | Portion | Taken
_FromWorker = Hello | ProbeReply | Ready | Result | Failed | Heartbeat | ModelRequest | Bye
_FromClient = Submit | FrameInput | Received | Cancelled | StatusRequest | ModelRequest | Bye
_FromCoordinator = (
    Welcome | Probe | Prepare | Assign | Cancel | Fetch | Forget
    | Accepted | WantFrame | JobProgress | JobResult | JobFailed | Status
    | Refusal | ModelChunk | Beat | Drain
)  # fmt: skip
Message = _Either | _FromWorker | _FromClient | _FromCoordinator

MESSAGES: frozenset[type[Message]] = frozenset(get_args(Message))

FROM_EITHER: frozenset[type[Message]] = frozenset(get_args(_Either))
"""What carries large messages, both ways."""

FROM_WORKER: frozenset[type[Message]] = frozenset(get_args(_FromWorker))
"""What a worker may send."""

FROM_CLIENT: frozenset[type[Message]] = frozenset(get_args(_FromClient))
"""What a client may send."""

FROM_COORDINATOR: frozenset[type[Message]] = frozenset(get_args(_FromCoordinator))
"""What the coordinator may send, to workers and clients."""
