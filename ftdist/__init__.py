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

What is named here is all that programs need, and stays; docs/python.md explains it. Everything is
imported on first use: each MiB that a process imports is one its network lacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftdist.answers.seen import Found, Likely
    from ftdist.cluster.client.client import Client
    from ftdist.errors import BudgetError, FtdistError, InputError
    from ftdist.large.asking import Large, run_large
    from ftdist.many.asking import batch
    from ftdist.network.graph import Network
    from ftdist.network.modelfile import Model, load
    from ftdist.planning.plan import Plan, parse_notation
    from ftdist.runtime.budget.limits import Budget, budget
    from ftdist.runtime.from_torch import from_torch
    from ftdist.runtime.local import Session
    from ftdist.runtime.model_import import import_model
    from ftdist.runtime.plans.choice import Choice
    from ftdist.runtime.plans.frontier import FrontierPoint
    from ftdist.runtime.plans.plan_file import read_plan, write_plan
    from ftdist.runtime.plans.public import frontier, plan, predict
    from ftdist.runtime.recognition import classify, detect

__version__ = "0.1.0"

_HOME = {
    "Budget": "runtime.budget.limits",
    "BudgetError": "errors",
    "Choice": "runtime.plans.choice",
    "Client": "cluster.client.client",
    "Found": "answers.seen",
    "FrontierPoint": "runtime.plans.frontier",
    "FtdistError": "errors",
    "InputError": "errors",
    "Large": "large.asking",
    "Likely": "answers.seen",
    "Model": "network.modelfile",
    "Network": "network.graph",
    "Plan": "planning.plan",
    "Session": "runtime.local",
    "batch": "many.asking",
    "budget": "runtime.budget.limits",
    "classify": "runtime.recognition",
    "detect": "runtime.recognition",
    "from_torch": "runtime.from_torch",
    "frontier": "runtime.plans.public",
    "import_model": "runtime.model_import",
    "load": "network.modelfile",
    "parse_notation": "planning.plan",
    "plan": "runtime.plans.public",
    "predict": "runtime.plans.public",
    "read_plan": "runtime.plans.plan_file",
    "run_large": "large.asking",
    "write_plan": "runtime.plans.plan_file",
}

__all__ = [
    "Budget",
    "BudgetError",
    "Choice",
    "Client",
    "Found",
    "FrontierPoint",
    "FtdistError",
    "InputError",
    "Large",
    "Likely",
    "Model",
    "Network",
    "Plan",
    "Session",
    "batch",
    "budget",
    "classify",
    "detect",
    "from_torch",
    "frontier",
    "import_model",
    "load",
    "parse_notation",
    "plan",
    "predict",
    "read_plan",
    "run_large",
    "write_plan",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'ftdist' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"ftdist.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
