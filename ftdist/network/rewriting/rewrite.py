"""All rewritings, in the order in which they help each other."""

from __future__ import annotations

from ftdist.network.operators.base import Alias
from ftdist.network.rewriting.activations import fuse_activations, recognise_gates
from ftdist.network.rewriting.draft import Draft
from ftdist.network.rewriting.padding import fold_padding
from ftdist.network.rewriting.rearranging import place_reorders
from ftdist.network.rewriting.scaling import fold_scalings
from ftdist.network.rewriting.streaming import stream_norms, stream_pools
from ftdist.network.rewriting.sums import fuse_sums


def rewritten(draft: Draft) -> Draft:
    """The draft with everything put together that belongs together."""
    draft = without_identities(draft)
    draft = recognise_gates(draft)
    draft = fold_scalings(draft)
    draft = fuse_activations(draft)
    draft = fold_scalings(draft)
    draft = fold_padding(draft)
    return fuse_sums(stream_pools(stream_norms(place_reorders(draft))))


def without_identities(draft: Draft) -> Draft:
    """Readers of a step that does nothing read what it reads."""
    aliases = {
        number: step.inputs[0]
        for number, step in enumerate(draft.steps)
        if isinstance(step.operation, Alias)
    }
    return draft.changed(draft.steps, aliases)
