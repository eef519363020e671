"""ftdist runs convolutional networks whose feature maps do not fit in memory: tiled, exact, fast.

::

    import ftdist

    model = ftdist.load("yolov2.ftd")
    plan = ftdist.plan(model, mem="64M", threads=2)
    with ftdist.Session(model, plan) as session:
        outputs = session.run("photo.jpg")  # {name: float32 (channels, height, width)}
        found = ftdist.detect(session, "photo.jpg")  # of a detector: labels, scores, boxes
    with ftdist.Client("tcp://127.0.0.1:5555") as client:  # a coordinator's
        for result in client.submit(["photo.jpg"]):
            print(result.outputs)

Everything is imported on first use: each MiB that a process imports is one its network lacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftdist.cluster.client.client import Client
    from ftdist.errors import BudgetError, FtdistError, InputError
    from ftdist.network.modelfile import Model, load
    from ftdist.planning.plan import Plan
    from ftdist.runtime.local import Session
    from ftdist.runtime.plans.decision import plan
    from ftdist.runtime.seeing import detect

__version__ = "0.1.0"
__all__ = [
    "BudgetError",
    "Client",
    "FtdistError",
    "InputError",
    "Model",
    "Plan",
    "Session",
    "detect",
    "load",
    "plan",
]

_HOME = {
    "BudgetError": "ftdist.errors",
    "Client": "ftdist.cluster.client.client",
    "FtdistError": "ftdist.errors",
    "InputError": "ftdist.errors",
    "Model": "ftdist.network.modelfile",
    "Plan": "ftdist.planning.plan",
    "Session": "ftdist.runtime.local",
    "detect": "ftdist.runtime.seeing",
    "load": "ftdist.network.modelfile",
    "plan": "ftdist.runtime.plans.decision",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ftdist' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
