"""What a user says against the model file: how pictures enter, what the outputs are."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ftdist.errors import InputError
from ftdist.network.about import About, Fit
from ftdist.network.graph import Network
from ftdist.network.modelfile import Model
from ftdist.network.ports import Pixels
from ftdist.network.task import Blank, Kind


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is said; None is left as it is. `deviation` is what pixels are divided by."""

    mean: tuple[float, ...] | None = None
    deviation: tuple[float, ...] | None = None
    blue_first: bool | None = None
    fit: Fit | None = None
    fill: int | None = None
    task: Kind | None = None
    blank: Blank | None = None


NONE = Wishes()


def overridden(network: Network, about: About, wishes: Wishes) -> tuple[Network, About]:
    """The network and what is said about it, as the user wants pictures to enter."""
    first = network.inputs[0]
    pixels = Pixels(
        first.pixels.mean if wishes.mean is None else wishes.mean,
        first.pixels.deviation if wishes.deviation is None else wishes.deviation,
        first.pixels.blue_first if wishes.blue_first is None else wishes.blue_first,
    )
    for what, values in (("--mean", pixels.mean), ("--std", pixels.deviation)):
        if len(values) not in (1, first.shape.channels):
            raise InputError(
                f"{what}: {len(values)} numbers for {first.shape.channels} channels; give one"
            )
    network = replace(network, inputs=(replace(first, pixels=pixels), *network.inputs[1:]))
    fit = wishes.fit or about.fit
    fill = about.fill if wishes.fill is None else wishes.fill
    said = wishes.mean, wishes.deviation, wishes.fit
    assumed = "" if None not in said else about.assumed
    return network, replace(about, fit=fit, fill=fill, assumed=assumed)


def with_wishes(model: Model, wishes: Wishes) -> Model:
    """A model as the user wants it for this run."""
    if wishes == NONE:
        return model
    network, about = overridden(model.network, model.about, wishes)
    if wishes.task is not None:
        from ftdist.answers.tasks.of_network import task_of_outputs  # only who asks needs it

        found = task_of_outputs(network, network.name, model.labels, wishes.task)
        about = replace(about, task=found)
    return model.told(network, with_blank(about, wishes.blank))


def with_blank(about: About, blank: Blank | None) -> About:
    """What is said, with that class for no character; InputError where no text is read."""
    if blank is None:
        return about
    if about.task is None or about.task.kind != "text":
        raise InputError("--blank: the network does not read text; --task text says that it does")
    return replace(about, task=replace(about.task, layout=blank))
