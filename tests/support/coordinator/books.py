"""Books of which tasks were accepted: once, or again only when they had to be made again."""

from __future__ import annotations

from typing import Any

from ftdist.coordinator.jobs.frames import Frame
from ftdist.coordinator.plans.task_graph import Task


class Books:
    """Which tasks were accepted, over all frames: twice only if they had to be made again."""

    def __init__(self) -> None:
        self.accepted: dict[tuple[int, int], int] = {}
        self._frames: list[Frame] = []
        self._accept = Frame.accept

    def __enter__(self) -> Books:
        def accept(frame: Frame, task: Task, *args: Any, **kwargs: Any) -> list[int]:
            self._frames.append(frame)  # so that no other frame gets its id
            key = (id(frame), task.number)
            self.accepted[key] = self.accepted.get(key, 0) + 1
            assert self.accepted[key] == 1 or task.number in frame.whole_only
            frame.whole_only.discard(task.number)
            return self._accept(frame, task, *args, **kwargs)

        Frame.accept = accept  # type: ignore[assignment, method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        Frame.accept = self._accept  # type: ignore[method-assign]
