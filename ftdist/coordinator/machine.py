"""The coordinator as a state machine: an event and the time in, actions out.

No socket, no clock, no file. ``Coordinator`` only says who deals with which event; what happens
is decided in

    roster      who the workers are, each one's link, their silence
    links       when links are measured, and what changes then
    planner     which plan is in use, when another is asked for
    scheduler   tasks: results accepted once, failures and losses mended
    dispatch    which worker gets which task, assignments what it is told
    job_table   clients, their jobs and frames
    report      what people are told
    observer    what those see who look on
    handover    what one of these means for the others: ``notices``, acted upon after each event
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ftdist.coordinator.events import (
    Action,
    Arrived,
    Ended,
    Event,
    Gone,
    Look,
    Moved,
    Peer,
    Planned,
    Revoked,
    Stop,
    Tick,
    Unreadable,
)
from ftdist.coordinator.handover import Handover
from ftdist.coordinator.jobs.job_table import JobTable
from ftdist.coordinator.jobs.jobs import Job
from ftdist.coordinator.links import Links
from ftdist.coordinator.observing.observer import Observer
from ftdist.coordinator.outbox import Outbox
from ftdist.coordinator.planner import Planner
from ftdist.coordinator.report import Report
from ftdist.coordinator.settings import ModelInfo, Settings
from ftdist.coordinator.tasks.scheduler import Scheduler
from ftdist.coordinator.workers.roster import Roster, wrong_role
from ftdist.coordinator.workers.shared_link import SharedLink
from ftdist.coordinator.workers.worker import Worker
from ftdist.protocol.client_messages import Cancelled, FrameInput, Received, StatusRequest, Submit
from ftdist.protocol.shared_messages import Bye, Drain, ModelRequest
from ftdist.protocol.worker_messages import Failed, Heartbeat, Hello, ProbeReply, Ready, Result
from ftdist.wording import counted

_STRANGER = "not registered with this coordinator (any more); reconnect"

_FromAnybody = dict[type, Callable[[Arrived, Any], None]]
_FromWorkers = dict[type, Callable[[Worker, Any], None]]
_FromClients = dict[type, Callable[[Job, Any], None]]


class Coordinator:
    """The state machine; ``next_s`` says when it wants a Tick if nothing else happens before."""

    def __init__(self, settings: Settings, model: ModelInfo) -> None:
        self._settings = settings
        self._out = out = Outbox()
        self._roster = Roster(settings, model, out)
        self._scheduler = Scheduler(settings, model, out)
        self._shared_link = SharedLink(out)
        self._planner = Planner(settings, model, self._scheduler, self._shared_link, out)
        self._links = Links(self._roster, self._shared_link, self._scheduler, self._planner, out)
        self._table = JobTable(settings, model, out)
        self._report = Report(model, self._roster, self._scheduler, self._planner, self._table, out)
        self._observer = Observer(self._report)
        decided = self._roster, self._scheduler, self._planner, self._table
        shown = self._report, self._observer
        self._handover = Handover(settings, *decided, *shown, self._shared_link, out)
        self._last_s: float | None = None
        self._next_beat_s = float("inf")
        self._ended = False
        self._events = self._by_event()
        self._from_anybody, self._from_workers, self._from_clients = self._by_message()

    @property
    def next_s(self) -> float:
        """When the next Tick is due; infinity if there is nothing to wait for."""
        if self._ended:
            return float("inf")
        return min(self._next_beat_s, self._roster.next_s, self._report.next_s)

    def knows(self, peer: Peer) -> bool:
        """Whether a peer may send large messages: it is a worker, or has a job."""
        return peer in self._roster.by_peer or self._table.serves(peer)

    def handle(self, event: Event, now_s: float) -> list[Action]:
        """Takes an event; returns what is to be done, in this order."""
        if self._ended:
            return []
        self._out.now_s = now_s
        self._notice_gap(now_s)
        self._events[type(event)](event)
        if not self._ended:
            self._handover.settle()
            if self._report.next_s <= now_s:
                self._report.progress(all_jobs=False)
        return self._out.take()

    def _notice_gap(self, now_s: float) -> None:
        """If the coordinator itself was held up, no worker is lost for what it did not hear."""
        if self._last_s is None:
            self._next_beat_s = now_s + self._settings.heartbeat_s
        elif now_s - self._last_s > 1.5 * self._settings.heartbeat_s:
            self._roster.deaf_s = now_s
        self._last_s = now_s

    def _by_event(self) -> dict[type, Callable[[Any], None]]:
        """Who deals with which event."""
        return {
            Arrived: self._arrived,
            Unreadable: self._unreadable,
            Moved: self._moved,
            Gone: self._gone,
            Revoked: self._revoked,
            Planned: self._planned,
            Tick: self._tick,
            Stop: self._stop,
            Look: self._observer.look,
        }

    def _by_message(self) -> tuple[_FromAnybody, _FromWorkers, _FromClients]:
        """Who deals with which message."""
        from_anybody: _FromAnybody = {
            Hello: self._hello,
            Submit: self._submit,
            StatusRequest: self._report.answer,
        }
        from_workers: _FromWorkers = {
            ProbeReply: self._links.probe_reply,
            Ready: self._ready,
            Result: self._scheduler.result,
            Failed: self._scheduler.failed,
            Heartbeat: self._heartbeat,
            ModelRequest: self._model_request,
            Bye: self._bye,
        }
        from_clients: _FromClients = {
            FrameInput: self._table.frame_input,
            Received: self._table.received,
            Cancelled: lambda job, _: self._table.drop(job, "cancelled"),
        }
        return from_anybody, from_workers, from_clients

    # ---- messages

    def _arrived(self, event: Arrived) -> None:
        peer, message = event.peer, event.message
        kind = type(message)
        worker = self._roster.by_peer.get(peer)
        if worker is not None:
            worker.heard_s = self._out.now_s
        if kind in self._from_anybody:
            self._from_anybody[kind](event, message)
        elif kind in self._from_clients:
            job = self._table.of(peer, getattr(message, "job", ""))
            if job is not None:
                self._from_clients[kind](job, message)
            elif kind is FrameInput:
                self._roster.refuse(
                    peer, "this coordinator has no such job of yours; submit it again"
                )
        elif worker is not None and kind in self._from_workers:
            self._from_workers[kind](worker, message)
        elif kind is Bye:
            self._table.gone(peer)
        elif kind is not ModelRequest or not self._table.serves(peer):
            self._roster.refuse(peer, _STRANGER)

    def _moved(self, event: Moved) -> None:
        """Bytes that move are life, and progress."""
        worker = self._roster.by_peer.get(event.peer)
        if worker is not None:
            worker.heard_s = worker.progress_s = worker.moved_s = self._out.now_s
            if self._scheduler.moved(worker, event.left_bytes, event.begun):
                self._out.review()
        elif not self._table.moved_for(event.peer):
            self._roster.refuse(event.peer, _STRANGER)

    def _unreadable(self, event: Unreadable) -> None:
        """Who sent an invalid message is sent away: our own programs never do."""
        worker = self._roster.by_peer.get(event.peer)
        differ = event.reason.startswith("versions differ")
        reason = event.reason if differ else f"sent an invalid message: {event.reason}"
        if worker is not None:
            self._handover.lose(worker, reason, final=True)
        else:
            self._table.gone(event.peer)
            self._roster.refuse(event.peer, reason, final=True)

    # ---- workers

    def _hello(self, event: Arrived, hello: Hello) -> None:
        known = self._roster.by_peer.get(event.peer)
        if known is not None and known.hello == hello and self._scheduler.untouched(known):
            self._roster.welcome(known)
            return
        if known is not None:
            self._handover.lose(known, "said hello again")
        refusal = wrong_role(event.origin, "worker") or self._roster.refusal(hello)
        if refusal is not None:
            if self._roster.refuse(event.peer, refusal.reason, final=refusal.final):
                text = f"worker {hello.name}{event.origin}: refused: {refusal.reason}"
                self._out.log(text, "worker-refused", worker=hello.name)
            return
        worker = self._roster.take(event, hello)
        self._scheduler.join(worker)
        text = f"worker {worker.name}: joins{event.origin}, {worker.description}"
        self._out.totals.joined += 1
        about = {"worker": worker.name, "address": event.origin.address, "key": event.origin.name}
        self._out.log(text, "worker-joined", **about, budget_bytes=hello.budget_bytes)
        if worker.measured:
            self._links.measured(worker)

    def _ready(self, worker: Worker, message: Ready) -> None:
        if self._roster.ready(worker, message):
            self._scheduler.ready(worker)
            self._out.review()

    def _heartbeat(self, worker: Worker, message: Heartbeat) -> None:
        self._roster.heartbeat(worker, message)
        self._scheduler.heartbeat(worker, message)

    def _model_request(self, worker: Worker, message: ModelRequest) -> None:
        """Answered from the file, by the loop around this; here it shows that the worker works."""
        worker.progress_s = self._out.now_s

    def _bye(self, worker: Worker, message: Bye) -> None:
        self._handover.lose(worker, f"leaves ({message.reason})", tell=False)

    def _gone(self, event: Gone) -> None:
        worker = self._roster.by_peer.get(event.peer)
        if worker is not None:
            self._handover.lose(worker, "lost, its connection ended", tell=False)
        self._table.gone(event.peer)

    def _revoked(self, event: Revoked) -> None:
        reason = "its key is no longer allowed"
        for worker in [w for w in self._roster.by_number.values() if event.key == w.key != ""]:
            self._handover.lose(worker, reason)
        if event.key:
            self._table.revoke(event.key, reason)

    # ---- clients and everybody

    def _submit(self, event: Arrived, message: Submit) -> None:
        refusal = wrong_role(event.origin, "client")
        if refusal is None:
            self._table.submit(event, message)
        elif self._roster.refuse(event.peer, refusal.reason, final=refusal.final):
            text = f"job {message.job}{event.origin}: refused: {refusal.reason}"
            self._out.log(text, "job-refused", job=message.job)

    # ---- time, plans, the end

    def _tick(self, _event: Tick) -> None:
        now_s = self._out.now_s
        for worker in self._roster.silent():
            self._handover.lose(worker, f"lost after {now_s - worker.heard_s:.1f} s of silence")
        if now_s < self._next_beat_s:
            return
        self._next_beat_s = now_s + self._settings.heartbeat_s
        self._roster.beat()
        for worker in self._scheduler.stuck(now_s, self._roster.deaf_s):
            stuck_s = now_s - worker.progress_s
            self._handover.lose(worker, f"lost, it made no progress for {stuck_s:.0f} s")
        self._shared_link.give_up(3 * self._settings.heartbeat_s)
        self._links.measure_shared()
        self._table.drop_orphans()
        self._report.progress(all_jobs=True)
        self._scheduler.dispatcher.wake_all()
        self._out.review()

    def _planned(self, event: Planned) -> None:
        self._planner.planned(event)
        self._out.review()

    def _stop(self, _event: Stop) -> None:
        """Workers are told to come back later, clients that it is over for now."""
        reason = "the coordinator ends"
        for worker in self._roster.by_number.values():
            self._out.send(worker.peer, Drain(reason))
        self._report.farewell(reason)
        left = len(self._table.jobs)
        text = f"ends; {counted(left, 'job') if left else 'no job'} left unfinished"
        self._out.log(text, "ended", jobs=left)
        self._out.actions.append(Ended())
        self._ended = True
