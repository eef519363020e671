"""The trace of a coordinator, as long as it can be written: a full disk does not end the rest."""

from __future__ import annotations

from ftdist.cluster.server.onlooking import Say
from ftdist.coordinator.events import Traced
from ftdist.errors import InputError
from ftdist.runtime.trace import Trace


class SpanFile:
    """Writes spans to a trace, if there is one; the trace remains the caller's."""

    def __init__(self, trace: Trace | None, say: Say) -> None:
        self._trace = trace
        self._say = say

    def write(self, span: Traced) -> None:
        """Writes a span; the first that cannot be written ends the trace."""
        if self._trace is None:
            return
        try:
            times = span.start_s, span.end_s
            self._trace.span(span.track, span.what, span.name, *times, span.bytes, span.job)
        except InputError as error:
            self._say(f"the trace ends: {error}", "trace-ended")
            self._trace = None
