"""Which plan is in use, and when another one is asked for.

A new plan is asked for when a job begins, when workers join or leave, when one turned out to be
faster or slower or to have less memory than was believed. It is taken into use once its workers
have their weights; the old one serves new frames until then, if it still can. One for many frames
serves a single one, and the other way round, where waiting for a better plan gains nothing, as long
as planning takes. Where no plan serves, workers get first weights while one is searched for.

While nobody has a job a plan for the likeliest is made as soon as no worker has come for a while,
and workers get their weights (the setting `prepare`): the first job finds both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ftdist.coordinator import trace_spans
from ftdist.coordinator.events import AskPlan, Planned
from ftdist.coordinator.jobs.jobs import Terms
from ftdist.coordinator.outbox import Outbox
from ftdist.coordinator.plans.active_plan import ActivePlan
from ftdist.coordinator.plans.loading_ahead import loaded_ahead
from ftdist.coordinator.settings import ModelInfo, Settings
from ftdist.coordinator.tasks.scheduler import Scheduler
from ftdist.coordinator.workers.shared_link import SharedLink
from ftdist.coordinator.workers.worker import Worker
from ftdist.errors import InputError
from ftdist.planning.sharing.plan import WorkerSpec
from ftdist.wording import counted

_SHARE = 10
"""Planning for changed speeds may take at most one part in this many of the time."""

_QUIET_BEATS = 3
"""For so many heartbeats no worker has come before a plan is made that nobody waits for."""

_LIKELY_FRAMES = 100
"""How many frames such a plan is made for. Chosen: many, as most jobs on clusters have."""


@dataclass(frozen=True, slots=True)
class Question:
    """An AskPlan without its answer yet; `early`: no job waits for it."""

    ask: AskPlan
    workers: tuple[Worker, ...]
    terms: Terms
    asked_s: float
    early: bool


class Planner:
    """`current`: new frames follow it. `coming`: waits for its workers' weights. `reason`: why
    there is no plan. `fault`: planning itself failed, which waiting does not mend."""

    def __init__(
        self,
        settings: Settings,
        model: ModelInfo,
        scheduler: Scheduler,
        shared_link: SharedLink,
        out: Outbox,
    ) -> None:
        self._settings = settings
        self._model = model
        self._scheduler = scheduler
        self._shared_link = shared_link
        self._out = out
        self._asked: Question | None = None
        self._answered: Terms | None = None
        self._number = 0
        self._changed = self._hopeless = False
        self._drift_s: float | None = None
        self._next_drift_s = 0.0
        self._planning_s: dict[Terms, float] = {}
        """What planning took the last time, for such jobs."""
        self.current: ActivePlan | None = None
        self.coming: ActivePlan | None = None
        self.reason = ""
        self.fault = ""

    def changed(self) -> None:
        """Workers are not what the plan was made for."""
        self._changed, self._hopeless = True, False
        self._out.review()

    def take_fault(self) -> str:
        """What went wrong with planning, once, unless it is tried again; the next job has it tried
        anew."""
        if self._asked is not None or not self.fault:
            return ""
        fault, self.fault = self.fault, ""
        self._answered = None
        return fault

    def usable(self, terms: Terms) -> ActivePlan | None:
        """The plan that a new frame of such a job follows, if there is one."""
        plan = self.current
        if plan is None or not plan.live or plan.picture != terms.picture:
            return None
        if plan.many != terms.many:
            known_s = max(self._planning_s.values(), default=0.0)
            if _most_gain_s(plan) > self._planning_s.get(terms, known_s):
                return None
        return plan

    def compare_speeds(self, plan: ActivePlan) -> None:
        """A frame of a plan ended: are its workers as fast as was believed?"""
        for worker, spec in zip(plan.workers, plan.specs, strict=True):
            if worker is not None:
                change = (
                    abs(worker.relative_time / spec.relative_time - 1)
                    if spec.relative_time > 0
                    else 0.0
                )
                if plan is self.current and change > self._settings.replan_change:
                    self._drift_s = self._out.now_s
                worker.end_frame()

    # ---- asking

    def get_ready(self, workers: list[Worker]) -> None:
        """Nobody has a job: asks for the plan of the likeliest if one is due, and takes it into
        use; workers get its weights."""
        if not self._settings.prepare or self._hopeless:
            return
        quiet_s = self._out.now_s - _QUIET_BEATS * self._settings.heartbeat_s
        if any(each.probe_sent_s > quiet_s for each in workers):
            return
        channels = self._model.network.input.channels
        likely = Terms(picture=channels in (1, 3), many=self._settings.in_flight != 1)
        terms = self._answered or likely
        self.ask(workers, terms, _LIKELY_FRAMES if terms.many else 1, early=True)
        self.adopt(terms)

    def ask(
        self,
        workers: list[Worker],
        terms: Terms,
        frames: int,
        *,
        under_way: bool = False,
        single: bool = False,
        early: bool = False,
    ) -> None:
        """Asks for a plan if one is due; `frames` of the job are not begun yet.

        `early`: no job waits for it. `under_way`: frames of some job are begun or done. Then the
        plan has the arithmetic of the present one, so that all frames of a job do; so it has where
        frames may follow that one meanwhile, unless the job has a `single` frame.
        """
        now_s = self._out.now_s
        drifted = self._drift_s is not None and now_s >= self._next_drift_s and frames > 0
        due = self._changed or self._answered != terms or drifted
        if self._asked or not due:
            return
        soon_s = now_s - self._settings.heartbeat_s
        joining = any(not each.measured and each.probe_sent_s > soon_s for each in workers)
        known = [(each, self._spec(each)) for each in workers if each.measured]
        if not known or joining or self._shared_link.measures(3 * self._settings.heartbeat_s):
            return
        known.sort(key=lambda each: (each[1].relative_time / each[1].threads, each[0].number))
        self._number += 1
        specs = tuple(each for _, each in known)
        kept_frames = self._settings.kept_frames
        current = self.current
        keeps = under_way or (not single and self.usable(terms) is not None)
        arithmetic = current.plan.arithmetic if current is not None and keeps else None
        ask = AskPlan(self._number, specs, max(1, frames), terms.picture, kept_frames, arithmetic)
        self._asked = Question(ask, tuple(worker for worker, _ in known), terms, now_s, early)
        self._changed = False
        self._drift_s = None
        self._out.actions.append(ask)
        settled = all(each.probe_sent_s <= soon_s for each in workers)
        if settled and self.coming is None and self.usable(terms) is None:
            self._load_ahead(self._asked)

    def _load_ahead(self, asked: Question) -> None:
        """Workers begin to get weights while the plan is searched for."""
        planning_s = self._planning_s.get(asked.terms, 0.0)
        shared_link = self._shared_link.bytes_per_s
        for worker, layers in loaded_ahead(asked.workers, self._model, shared_link, planning_s):
            queue = self._scheduler.assignments.queues[worker.number]
            self._scheduler.assignments.prepare(queue, layers)

    def _spec(self, worker: Worker) -> WorkerSpec:
        """What planning is told of a worker: with the shared link, if it is not in this process."""
        shared = math.inf if worker.local else self._shared_link.bytes_per_s
        return replace(worker.spec, shared_link_bytes_per_s=shared)

    def planned(self, event: Planned) -> None:
        """The answer: a plan, which its workers prepare for, or the reason why there is none."""
        asked = self._asked
        if asked is None or asked.ask.number != event.number:
            return
        self._asked = None
        self._answered = asked.terms
        self.fault = event.reason if event.fault else ""
        if event.fault and asked.early:  # whoever has a job has it tried again, and is told
            self.fault, self._answered, self._hopeless = "", None, True
        now_s = self._out.now_s
        if self._settings.trace:
            span = trace_spans.planning(len(asked.workers), asked.asked_s, now_s)
            self._out.actions.append(span)
        planning_s = self._planning_s[asked.terms] = now_s - asked.asked_s
        pause_s = max(self._settings.replan_after_s, _SHARE * planning_s)
        self._next_drift_s = now_s + pause_s
        try:
            plan = self._activated(asked, event)
        except InputError as error:
            self._refuse(str(error))
            return
        if plan is None:
            self._refuse(event.reason or "no plan fits the workers of this cluster")
            return
        self.reason = ""
        self.coming = plan
        for queue in self._scheduler.assignments.queues.values():
            if plan in queue.slots:
                self._scheduler.assignments.prepare(queue, plan.planned_layers(queue.slots[plan]))

    def _refuse(self, reason: str) -> None:
        if reason != self.reason:
            self._out.log(f"no plan: {reason}", "no-plan", reason=reason)
        self.reason = reason

    def _activated(self, asked: Question, event: Planned) -> ActivePlan | None:
        if event.plan is None:
            return None
        if event.plan.workers != tuple(each.name for each in asked.ask.workers):
            raise InputError("the plan is for other workers")
        plan = ActivePlan(
            event.number,
            event.plan,
            asked.ask.workers,
            self._model,
            picture=asked.terms.picture,
            many=asked.terms.many,
        )
        if self.coming is not None:
            self._retire(self.coming)
        for slot, worker in enumerate(asked.workers):
            queue = self._scheduler.assignments.queues.get(worker.number)
            if queue is not None:
                self._scheduler.bind(queue, plan, slot)
        return plan

    # ---- taking into use

    def adopt(self, terms: Terms) -> bool:
        """Takes the coming plan into use if it is time; returns whether it was."""
        plan, old = self.coming, self.current
        if plan is None:
            return False
        if not plan.live:
            self.coming = None
            self._changed = True
            return False
        stuck = any(frame.parked for frame in self._scheduler.assignments.frames)
        if not stuck and self.usable(terms) is not None and not plan.all_ready:
            return False
        self.current, self.coming = plan, None
        if old is not None:
            self.retire_unused(old)
        shared = plan.plan
        note = f"; {shared.note}" if shared.note else ""
        text = (
            f"plan for {counted(len(shared.workers), 'worker')}: "
            f"{counted(len(shared.stages), 'stage')}, {counted(len(plan.graph.tasks), 'task')}, "
            f"{shared.seconds:.3g} s a frame predicted{note}"
        )
        self._out.log(text, "plan", number=plan.number, predicted_s=shared.seconds)
        return True

    def retire_unused(self, plan: ActivePlan) -> None:
        """Forgets a plan that no frame follows any more and none will."""
        followed = any(frame.plan is plan for frame in self._scheduler.assignments.frames)
        if not followed and plan is not self.current and plan is not self.coming:
            self._retire(plan)

    def _retire(self, plan: ActivePlan) -> None:
        for queue in self._scheduler.assignments.queues.values():
            queue.slots.pop(plan, None)

    def take_free_slots(self, worker: Worker) -> None:
        """A worker that came back as it was goes on where it was."""
        assignments = self._scheduler.assignments
        queue = assignments.queues[worker.number]
        plans = [*(frame.plan for frame in assignments.frames), self.current, self.coming]
        for plan in dict.fromkeys(plan for plan in plans if plan is not None):
            slot = plan.slot_for(worker)
            if slot is not None:
                assignments.prepare(queue, plan.planned_layers(slot))
                self._scheduler.bind(queue, plan, slot)


def _most_gain_s(active: ActivePlan) -> float:
    """How much sooner than by this plan a frame could be done: by all workers alike, and as fast as
    links carry what goes over them."""
    plan = active.plan
    rates = sum(each.link_bytes_per_s for each in active.specs)
    bytes_per_s = min(rates, *(each.shared_link_bytes_per_s for each in active.specs))
    moved_s = max(plan.sent_bytes, plan.received_bytes) / bytes_per_s
    return plan.seconds - max(moved_s, plan.seconds / len(active.specs))
