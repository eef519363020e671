"""The keys that Darknet knows, by kind of section, and which Darknet: AlexeyAB's or pjreddie's.

Most keys belong to training and are passed over. Those that change what Darknet computes or loads,
in a way that this program does not follow, are refused by name, unless their value changes nothing:
the result must be Darknet's. Keys that neither Darknet reads are misspelt, or belong to somebody's
own version: they are passed over as by Darknet, but a remark names them.

A file is written for the Darknet whose own keys and sections it has. That decides how pictures
enter: AlexeyAB's ``detector test`` stretches them unless [net] says letter_box=1, pjreddie's
letterboxes. A file with nothing of either's own is taken for pjreddie's, whose networks those are.
Classifiers see the middle of the picture, in both.

Sources: parser.c of both, and both's detector.c and classifier.c.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Literal, NamedTuple

from ftdist.network.about import Fit
from ftdist.network.darknet.cfg import Section, shown

Dialect = Literal["AlexeyAB", "pjreddie", "either"]


class _Keys(NamedTuple):
    """Words that both know, and those that only one does."""

    both: str
    alexeyab: str = ""
    pjreddie: str = ""


_SYNONYMS = {
    "network": "net",
    "conv": "convolutional",
    "deconv": "deconvolutional",
    "max": "maxpool",
    "avg": "avgpool",
    "local_avg": "local_avgpool",
    "soft": "softmax",
    "conn": "connected",
    "lrn": "normalization",
    "silence": "empty",
}

_EVERY_LAYER = _Keys(
    "onlyforward stopbackward dontload dontloadscales learning_rate",
    "clip dont_update burnin_update train_only_bn antialiasing",
    "truth dontsave numload smooth",
)

_CONVOLUTION = "filters size stride pad padding activation batch_normalize"
_YOLO = "classes num mask anchors max jitter ignore_thresh truth_thresh random map"
_YOLO_ALEXEYAB = (
    "max_delta counters_per_class label_smooth_eps scale_x_y objectness_smooth new_coords "
    "iou_normalizer obj_normalizer cls_normalizer delta_normalizer iou_loss iou_thresh_kind "
    "beta_nms nms_kind resize focal_loss iou_thresh show_details track_history_size sim_thresh "
    "dets_for_track dets_for_show track_ciou_norm embedding_layer uc_normalizer yolo_point"
)
_RECURRENT = "output hidden activation batch_normalize logistic shortcut tanh xnor groups"

_KEYS = {
    "net": _Keys(
        "batch subdivisions width height channels inputs momentum decay learning_rate time_steps "
        "adam B1 B2 eps max_crop min_crop angle aspect saturation exposure hue power policy "
        "burn_in step scale steps scales gamma max_batches seen",
        "learning_rate_min sgdr_cycle sgdr_mult track augment_speed sequential_subdivisions "
        "try_fix_nan weights_reject_freq equidistant_point badlabels_rejection_percentage "
        "num_sigmas_reject_badlabels ema_alpha use_cuda_graph loss_scale dynamic_minibatch "
        "optimized_memory workspace_size_limit_MB flip blur gaussian_noise mixup cutmix mosaic "
        "letter_box mosaic_bound contrastive contrastive_jit_flip contrastive_color unsupervised "
        "label_smooth_eps resize_step attention adversarial_lr max_chart_loss seq_scales "
        "show_receptive_field",
        "notruth random max_ratio min_ratio center clip",
    ),
    "convolutional": _Keys(
        f"{_CONVOLUTION} groups binary xnor flipped dot",
        "stride_x stride_y dilation antialiasing assisted_excitation share_index cbn bin_output "
        "sway rotate stretch stretch_sway angle grad_centr reverse coordconv stream wait_stream",
    ),
    "deconvolutional": _Keys(_CONVOLUTION),
    "local": _Keys("filters size stride pad activation"),
    "connected": _Keys("output activation batch_normalize"),
    "maxpool": _Keys(
        "size stride padding",
        "stride_x stride_y maxpool_depth out_channels antialiasing maxpool_zero_nonmax",
    ),
    "local_avgpool": _Keys("size stride padding stride_x stride_y"),
    "avgpool": _Keys(""),
    "upsample": _Keys("stride scale"),
    "shortcut": _Keys("from activation", "weights_type weights_normalization", "alpha beta"),
    "scale_channels": _Keys("from activation scale_wh"),
    "sam": _Keys("from activation"),
    "route": _Keys("layers", "groups group_id stream wait_stream"),
    "reorg": _Keys("stride reverse", "", "flatten extra"),
    "reorg3d": _Keys("stride reverse"),
    "dropout": _Keys("probability", "dropblock dropblock_size_rel dropblock_size_abs"),
    "activation": _Keys("activation"),
    "batchnorm": _Keys(""),
    "normalization": _Keys("alpha beta kappa size"),
    "crop": _Keys("crop_height crop_width flip angle saturation exposure noadjust shift"),
    "softmax": _Keys("groups temperature tree spatial noloss"),
    "cost": _Keys("type scale ratio noobj thresh"),
    "logistic": _Keys(""),
    "l2norm": _Keys(""),
    "empty": _Keys(""),
    "region": _Keys(
        "coords classes num max log sqrt softmax jitter rescore thresh classfix absolute random "
        "coord_scale object_scale noobject_scale mask_scale class_scale bias_match tree map "
        "anchors",
        "focal_loss resize",
        "background",
    ),
    "detection": _Keys(
        "coords classes rescore num side softmax sqrt max coord_scale forced object_scale "
        "noobject_scale class_scale jitter random reorg",
        "resize",
    ),
    "yolo": _Keys(_YOLO, _YOLO_ALEXEYAB),
    "Gaussian_yolo": _Keys(f"{_YOLO} {_YOLO_ALEXEYAB}"),
    "iseg": _Keys("classes ids"),
    "implicit": _Keys("mean std filters atoms"),
    "contrastive": _Keys(
        "classes yolo_layer temperature cls_normalizer max_delta contrastive_neg_max"
    ),
    "history": _Keys("history_size"),
    "conv_lstm": _Keys(
        f"{_CONVOLUTION} {_RECURRENT} dilation peephole bottleneck state_constrain "
        "lstm_activation time_normalizer"
    ),
    "crnn": _Keys(f"{_CONVOLUTION} {_RECURRENT} dilation"),
    **dict.fromkeys(("rnn", "gru", "lstm"), _Keys(_RECURRENT)),
}
"""What each kind of section may say."""

_ALEXEYABS_KINDS = (
    *("scale_channels", "sam", "Gaussian_yolo", "conv_lstm", "history", "local_avgpool"),
    *("reorg3d", "empty", "implicit", "contrastive"),
)
_PJREDDIES_KINDS = ("deconvolutional", "logistic", "l2norm", "iseg")
_ALEXEYABS_ACTIVATIONS = (
    *("swish", "mish", "hard_mish", "relu6", "gelu"),
    *("normalize_channels", "normalize_channels_softmax", "normalize_channels_softmax_maxval"),
)

_LOADED = {"dontload": "0", "dontloadscales": "0", "numload": "0"}

_REFUSED: dict[str, dict[str, str]] = {
    "convolutional": {
        **_LOADED,
        "binary": "0",
        "coordconv": "0",
        "rotate": "0",
        "stretch": "0",
        "stretch_sway": "0",
        "sway": "0",
    },
    "deconvolutional": _LOADED,
    "connected": _LOADED,
    "local": _LOADED,
    "batchnorm": _LOADED,
    "maxpool": {"maxpool_zero_nonmax": "0"},
    "reorg": {"flatten": "0"},
    "reorg3d": {"reverse": "0"},
    "region": {"coords": "4", "background": "0"},
    "detection": {"coords": "4", "reorg": "0"},
}
"""Keys that change what Darknet computes or loads, each with the one value that does not."""


def canonical_kind(section: Section) -> str:
    """The kind of a section under its longer name; layers are named by it."""
    return _SYNONYMS.get(section.kind, section.kind)


def refuse_what_changes_the_result(section: Section) -> None:
    """InputError when the section asks for something that this program does not compute."""
    for key, harmless in _REFUSED.get(canonical_kind(section), {}).items():
        value = section.string(key, harmless)
        if value != harmless and not (_is_number(harmless) and _same(section, key, harmless)):
            raise section.error(f"{shown(value)} changes the result and is not supported", key)


def remark_on_keys(sections: Sequence[Section]) -> tuple[str, ...]:
    """A line that names the keys which no Darknet knows, and one that names lines without `=`."""
    unknown: dict[tuple[str, str], str] = {}
    stray: dict[str, str] = {}
    for section in sections:
        known = _known(section)
        for option in section.options:
            if known and option.key not in known:
                where = f"{shown(option.key)} in [{section.kind}] (line {option.line}"
                where += _most_like(option.key, known) + ")"
                unknown.setdefault((canonical_kind(section), option.key), where)
        for option in section.stray:
            stray.setdefault(option.key, f"{shown(option.key)} (line {option.line})")
    remarks = []
    if unknown:
        remarks.append(f"keys that Darknet does not know are ignored: {_list(unknown)}")
    if stray:
        remarks.append(f"lines without a value are ignored, as by Darknet: {_list(stray)}")
    return tuple(f"{sections[0].file}: {remark}" for remark in remarks)


def dialect(sections: Sequence[Section]) -> Dialect:
    """The Darknet for which the sections are written, as far as they tell."""
    kinds = {canonical_kind(section) for section in sections}
    if kinds.intersection(_ALEXEYABS_KINDS) or any(map(_is_alexeyabs, sections)):
        return "AlexeyAB"
    if kinds.intersection(_PJREDDIES_KINDS) or any(map(_is_pjreddies, sections)):
        return "pjreddie"
    return "either"


def fit(sections: Sequence[Section], *, classifies: bool) -> Fit:
    """How that Darknet brings a picture to the size of the network's input."""
    if classifies:
        return "crop"
    if dialect(sections) == "AlexeyAB" and not sections[0].flag("letter_box"):
        return "stretch"
    return "letterbox"


def _is_alexeyabs(section: Section) -> bool:
    own = _KEYS.get(canonical_kind(section), _Keys("")).alexeyab
    first = {option.key: option.value for option in reversed(section.options)}
    return (
        not first.keys().isdisjoint(f"{own} {_EVERY_LAYER.alexeyab}".split())
        or first.get("activation") in _ALEXEYABS_ACTIVATIONS
        or (canonical_kind(section) == "shortcut" and "," in first.get("from", "").rstrip(","))
        or first.get("policy") == "sgdr"
    )


def _is_pjreddies(section: Section) -> bool:
    own = _KEYS.get(canonical_kind(section), _Keys("")).pjreddie
    return any(section.has(key) for key in f"{own} {_EVERY_LAYER.pjreddie}".split())


def _known(section: Section) -> frozenset[str]:
    """The keys that a section may have; none when the kind itself is unknown."""
    kind = canonical_kind(section)
    if kind not in _KEYS:
        return frozenset()
    every = () if kind == "net" else _EVERY_LAYER
    return frozenset(" ".join((*_KEYS[kind], *every)).split())


def _most_like(key: str, known: frozenset[str]) -> str:
    match = difflib.get_close_matches(key, sorted(known), n=1)
    return f"; did you mean {match[0]}?" if match else ""


_MOST_NAMED = 8


def _list(named: dict[object, str] | dict[str, str] | dict[tuple[str, str], str]) -> str:
    """The first of them, and how many more there are."""
    texts = list(named.values())
    more = f" and {len(texts) - _MOST_NAMED} more" if len(texts) > _MOST_NAMED else ""
    return ", ".join(texts[:_MOST_NAMED]) + more


def _is_number(text: str) -> bool:
    return text.lstrip("-").isdigit()


def _same(section: Section, key: str, harmless: str) -> bool:
    return section.number(key) == float(harmless)
