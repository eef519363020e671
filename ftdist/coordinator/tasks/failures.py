"""Attempts that fail: what is to blame, who tries next, and when a job fails."""

from __future__ import annotations

from ftdist.coordinator.notices import Hopeless, Outgrown
from ftdist.coordinator.outbox import Outbox
from ftdist.coordinator.settings import Settings
from ftdist.coordinator.tasks.assignments import Assignments
from ftdist.coordinator.tasks.attempts import Attempt
from ftdist.coordinator.tasks.dispatch import Dispatcher
from ftdist.protocol.worker_messages import Failed

_MIB = 1 << 20


class Failures:
    """`remark`: that a worker needs more memory than was believed, until plans are made anew."""

    def __init__(
        self, settings: Settings, assignments: Assignments, dispatcher: Dispatcher, out: Outbox
    ) -> None:
        self._settings = settings
        self._assignments = assignments
        self._dispatcher = dispatcher
        self._out = out
        self.remark = ""

    def failed(self, attempt: Attempt, message: Failed) -> None:
        """A worker could not do a task, or does not have what it was asked for."""
        reason, trouble = message.reason, attempt.frame.trouble(attempt.task.number)
        trouble.weights += reason == "weights"
        if attempt.fetch or (reason == "kept" and attempt.uses_kept):
            attempt.frame.distrust(attempt.worker.number)
        elif reason == "weights" and trouble.weights < self._settings.attempts:
            self._lacks_weights(attempt)
        elif reason == "memory":
            self._lacks_memory(attempt, message)
        elif self._blamed(attempt, message.text):
            return
        self.again(attempt)

    def _blamed(self, attempt: Attempt, text: str) -> bool:
        """Notes an error; returns whether the task has failed as often as is allowed."""
        trouble, worker = attempt.frame.trouble(attempt.task.number), attempt.worker
        worker.failed += 1
        self._out.totals.failed_tasks += 1
        trouble.words.append(f"{worker.name}: {text}")
        trouble.slots |= 1 << attempt.slot
        self._log(attempt, "task-failed", f"failed: {text}")
        if len(trouble.words) < self._settings.attempts:
            return False
        self._out.note(Hopeless(attempt.frame, tuple(trouble.words)))
        return True

    def _lacks_weights(self, attempt: Attempt) -> None:
        """The worker has lost weights that it had."""
        worker, queue = attempt.worker, self._assignments.queues[attempt.worker.number]
        layers = attempt.frame.plan.layers(attempt.task.stage)
        worker.layers -= layers
        for plan, slot in queue.slots.items():
            plan.update_ready(worker, slot)
        self._assignments.prepare(queue, layers)

    def _lacks_memory(self, attempt: Attempt, message: Failed) -> None:
        """A task needs more memory than was predicted: its worker never gets it again, and plans
        are renewed."""
        worker, budget_bytes = attempt.worker, attempt.worker.hello.budget_bytes
        worker.failed += 1
        self._out.totals.failed_tasks += 1
        if not attempt.frame.plan.ban(attempt.task, attempt.slot):
            return  # the same task of another frame, given before that was known
        self._dispatcher.enqueue_again(self._assignments.queues[worker.number].waiting.take_all())
        worker.baseline_bytes += max(message.needed_bytes - budget_bytes, budget_bytes >> 6, _MIB)
        self._out.note(Outgrown())
        needs = (
            f"needs {message.needed_bytes / _MIB:.1f} MiB, "
            f"the budget is {budget_bytes / _MIB:.1f} MiB: {message.text}; planning smaller tasks"
        )
        self.remark = self._log(attempt, "task-too-large", needs)

    def lost(self, attempt: Attempt) -> None:
        """A worker was lost over a task: what kills every worker is not tried for ever."""
        trouble = attempt.frame.trouble(attempt.task.number)
        trouble.losses += 1
        if trouble.losses >= self._settings.losses:
            words = f"{trouble.losses} workers were lost while computing {attempt}"
            self._out.note(Hopeless(attempt.frame, (f"{words}; {_link_of(attempt)}",)))

    def _log(self, attempt: Attempt, event: str, words: str) -> str:
        """Logs what became of an attempt; returns the line."""
        text = f"worker {attempt.worker.name}: {attempt} {words}"
        about = {"worker": attempt.worker.name, "job": attempt.frame.job}
        self._out.log(text, event, **about, frame=attempt.frame.number)
        return text

    def take_away(self, attempt: Attempt) -> None:
        """A worker takes far too long for a task: others do it, and all that it was given."""
        taken_s = self._out.now_s - attempt.sent_s
        words = (
            f"has taken {taken_s:.1f} s so far, "
            f"{attempt.expected_s - attempt.sent_s:.1f} s were predicted; others take it over"
        )
        self._log(attempt, "task-late", words)
        self._assignments.cancel(attempt)
        self.again(attempt)
        self.set_aside(attempt)

    def set_aside(self, attempt: Attempt) -> None:
        """Gives a slow worker's other tasks to others until it has ended the one that is late.

        That it is at least so slow is learned at once, so that the next plan knows.
        """
        worker, queue = attempt.worker, self._assignments.queues[attempt.worker.number]
        base_s = attempt.frame.plan.base_seconds(attempt.task, attempt.slot)
        worker.learn(base_s, self._out.now_s - attempt.sent_s)
        queue.avoid(True)
        for each in [a for a in queue.given.values() if a.dropped_s is None]:
            self._assignments.cancel(each)
            self.again(each)
        self._dispatcher.enqueue_again(queue.waiting.take_all())

    def again(self, attempt: Attempt) -> None:
        """Makes a new attempt after one failed, unless another one is under way."""
        frame, number = attempt.frame, attempt.task.number
        if frame.over:
            return
        if attempt.fetch:
            if frame.awaited(number):
                self._dispatcher.restore(frame, number, attempt.places)
        elif not self._assignments.frames[frame].get(number):
            self._dispatcher.enqueue(frame, number)


def _link_of(attempt: Attempt) -> str:
    """The link of a worker that was lost over an attempt, for people."""
    worker = attempt.worker
    if worker.local:
        return f"the last was {worker.name}, in the coordinator's own process"
    rate = min(worker.link_bytes_per_s, worker.crowded_bytes_per_s)
    sent, due = attempt.bytes / _MIB, attempt.task.returned_bytes / _MIB
    return (
        f"the last was {worker.name}, whose link carried {8e-6 * rate:.3g} Mbit/s: "
        f"{sent:.1f} MiB were sent to it, {due:.1f} MiB were to come back"
    )
