"""Darknet .cfg files that cannot be run exactly: each is refused, and the error says where."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftdist.errors import InputError
from ftdist.network.darknet.importer import parse_cfg

NET = "[net]\nheight=12\nwidth=16\nchannels=8\n"
"""Four lines: the first layer's section is in line 5."""


def failure(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse_cfg(NET + text, "small", "small.cfg")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "small.cfg:1: [net]: no layers follow"),
        ("[conv]\nsize=two\n", "small.cfg:6: [conv] size: 'two' is not a whole number of at most"),
        ("[conv]\nstride=0\n", "small.cfg:6: [conv] stride: 0 is less than 1"),
        ("[conv]\nactivation=maxout\n", "small.cfg:6: [conv] activation: 'maxout' is not suppo"),
        ("[conv]\ngroups=3\n", "small.cfg:5: [conv]: layer 0 (convolutional0): convolutional: 8 c"),
        ("[conv]\nsize=13\n", "small.cfg:5: [conv]: layer 0 (convolutional0): convolutional: a 13"),
        ("[conv]\nsize=3\ndilation=2\n", "a dilated convolution must keep the map's size"),
        ("[conv]\nbinary=1\n", "small.cfg:6: [conv] binary: '1' changes the result and is not sup"),
        ("[conv]\nxnor=1\ngroups=2\nfilters=2\n", "[conv] xnor: is not supported with groups, n"),
        ("[conv]\nxnor=1\nstride_x=2\n", "[conv] xnor: is supported where both strides are the"),
        ("[conv]\nshare_index=0\n", "share_index: 0 means layer 0, which is not before this"),
        ("[conv]\n[conv]\nsize=3\nshare_index=-1\n", "layer 0 (convolutional0) has other weig"),
        ("[maxpool]\nsize=2\npadding=5\n", "some windows lie wholly in the padding"),
        ("[maxpool]\nsize=20\npadding=0\n", "a 20x20 window does not fit a map of 12x16x8"),
        ("[maxpool]\nsize=0\n", "small.cfg:6: [maxpool] size: 0 is less than 1"),
        ("[upsample]\nstride=-2\n", "small.cfg:6: [upsample] stride: -2 is less than 1"),
        (
            "[reorg3d]\nstride=2\nreverse=1\n",
            "small.cfg:7: [reorg3d] reverse: '1' changes the resu",
        ),
        ("[reorg]\nstride=5\n", "a map of 12x16x8 is not a whole number of 5x5"),
        ("[shortcut]\nfrom=-1\n", "[shortcut] from: -1 means layer -1, but no layer is before thi"),
        ("[conv]\n[shortcut]\nfrom=-2\n", "from: -2 means layer -1, but only layers 0..0 are bef"),
        ("[conv]\n[route]\nlayers=1\n", "small.cfg:7: [route] layers: 1 means layer 1, but only "),
        ("[conv]\n[route]\n", "small.cfg:6: [route]: the key layers is missing"),
        ("[conv]\n[crop]\ncrop_height=5\ncrop_width=3\n[shortcut]\nfrom=0\n", "cannot be added"),
        ("[conv]\n[shortcut]\nfrom=0\nweights_type=each\n", "'each' is not one of none"),
        (
            "[conv]\n[shortcut]\nfrom=0\nweights_type=per_channel\nweights_normalization=sum\n",
            "'sum' is not one of none, relu and softmax",
        ),
        ("[conv]\n[conv]\n[scale_channels]\nfrom=0\n", "factors of 12x16x1 do not suit a map"),
        ("[conv]\nfilters=2\n[conv]\n[sam]\nfrom=0\n", "maps of 12x16x1 and 12x16x2 differ"),
        ("[conv]\n[conv]\n[sam]\nfrom=0,1\n", "one layer is read, not 2"),
        ("[local]\nsize=5\npad=1\n", "a padded [local] needs size=3"),
        ("[crop]\ncrop_height=13\n", "13x1 positions are more than a map of 12x16x8 has"),
        ("[normalization]\nsize=17\n", "a size of 17 does not suit 8 channels"),
        ("[softmax]\ngroups=3\n", "8 channels cannot be split into 3 groups"),
        ("[softmax]\ntemperature=0\n", "the temperature must be above 0"),
        ("[maxpool]\nmaxpool_depth=1\nout_channels=9\n", "8 channels cannot become 9"),
        ("[conv]\n[max]\nstride=2\n[route]\nlayers=0,1\n", "concatenate: the maps differ in size"),
        ("[conv]\n[route]\nlayers=0\ngroups=2\n", "channels cannot be split into 2 parts"),
        ("[region]\nclasses=3\nanchors=1,2,3\n", "[region] anchors: must be pairs of numbers:"),
        ("[region]\nclasses=3\nanchors=1,0\n", "[region] anchors: must be pairs of positive"),
        ("[region]\nclasses=3\nanchors=1,2\nnum=2\n", "2 anchors of 3 classes need 16 channels"),
        (
            "[yolo]\nclasses=3\nanchors=1,2,3,4\nnum=1\nmask=2\n",
            "anchor 2 is not among the 1 given",
        ),
        ("[reorg]\nextra=-1\n", "[reorg] extra: -1 is less than 0"),
        ("[reorg]\nextra=4000\n", "extra: a list of 1536 values and 4000 more is supported up to"),
        ("[region]\nclasses=4\nanchors=1,2\n", "1 anchors of 4 classes need 9 channels, the input"),
        ("[region]\nclasses=3\nanchors=1,2\nbackground=1\n", "background: '1' changes the result"),
        ("[region]\nclasses=3\nnum=999999999\n", "num: 999999999 anchors are more than a map has"),
        ("[region]\nclasses=3\nanchors=1,2\ncoords=5\n", "coords: '5' changes the result"),
        ("[conv]\nnumload=2\n", "numload: '2' changes the result"),
        ("[conv]\ndontload=1\n", "dontload: '1' changes the result"),
        ("[detection]\nclasses=2\nside=2\ncoords=4\n", "detection: a grid of 2x2, 1 boxes and 2"),
        ("[Gaussian_yolo]\nclasses=2\nanchors=1,2\n", "1 anchors of 2 classes need 11 channels"),
        ("[yolo]\nclasses=3\nanchors=1,2\nnms_kind=diounms\nbeta_nms=0\n", "only positive powers"),
        ("[conv]\n[lstm]\noutput=3\n", "small.cfg:6: [lstm]: is recurrent: it depends on the inp"),
        ("[yolo]\nclasses=3\nanchors=1,2\nmask=1\n", "mask: anchor 1 is not among the 1 given"),
        ("[yolo]\nclasses=3\nanchors=1,2\n[conv]\n", "reads layer 0 (yolo0), a detection head"),
        ("[conv]\n[rbm]\n", "small.cfg:6: [rbm]: is a layer of Darknet's first versions that is"),
        ("[iseg]\nclasses=3\nids=4\n", "small.cfg:5: [iseg]: 3 classes and 4 ids need 7 channel"),
        ("[iseg]\nclasses=0\n", "small.cfg:6: [iseg] classes: 0 is less than 1"),
        ("[implicit]\nfilters=9999999\n", "small.cfg:5: [implicit]: layer 1 (implicit0): a map of"),
        ("[conv]\n[implicit]\nfilters=2\n[scale_channels]\nfrom=0\n", "factors of 1x1x2 do no"),
        (
            "[conv]\n[shortcut]\nfrom=0\nactivation=normalize_channels\n",
            "activation: normalize_channels is computed by Darknet in [convolutional] only",
        ),
        (
            "[conv]\nxnor=1\nactivation=normalize_channels_softmax\n",
            "small.cfg:7: [conv] activation: normalize_channels_softmax is not supported with xnor",
        ),
        ("[conv]\n[net]\n", "small.cfg:6: [net]: may stand only at the beginning"),
        (
            "[conv]\n[maxpol]\n",
            "small.cfg:6: [maxpol]: is not a kind of section; did you mean maxpoo",
        ),
        (
            "[conv]\n[zzz]\n",
            "small.cfg:6: [zzz]: is not a kind of section; known are Gaussian_yolo,",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_with_its_place(text, message) -> None:
    found = failure(text)
    assert message in found
    assert found.startswith("small.cfg:")
    assert "\n" not in found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "n.cfg: is empty; a .cfg begins with [net]"),
        ("# nothing\n", "n.cfg: is empty; a .cfg begins with [net]"),
        ("\n[conv]\n", "n.cfg:2: [conv]: the first section must be [net]"),
        ("[net]\nwidth=3\nchannels=3\n[conv]", "n.cfg:1: [net]: the key height is missing"),
        ("[net]\nwidth=3\nheight=0\nchannels=3\n[conv]", "n.cfg:3: [net] height: 0 is less than 1"),
    ],
)
def test_files_without_an_input_are_refused(text, message) -> None:
    with pytest.raises(InputError) as caught:
        parse_cfg(text, "n.cfg")
    assert message in str(caught.value)


KEYS = (
    *(
        "activation",
        "anchors",
        "antialiasing",
        "atoms",
        "batch_normalize",
        "ids",
        "beta_nms",
        "classes",
    ),
    *("crop_height", "crop_width", "dilation", "filters", "flipped", "from", "group_id", "groups"),
    *("layers", "mask", "maxpool_depth", "new_coords", "nms_kind", "num", "out_channels", "output"),
    *("pad", "padding", "scale", "scale_x_y", "share_index", "side", "size", "softmax", "stride"),
    *("stride_x", "stride_y", "temperature", "tree", "weights_normalization", "weights_type"),
    *("xnor", "yolo_point"),
)
KINDS = (
    *("activation", "avgpool", "conv", "conv", "conv", "connected", "cost", "crop", "detection"),
    *("Gaussian_yolo", "batchnorm", "dropout", "empty", "local", "local_avgpool", "maxpool"),
    *("implicit", "iseg", "l2norm", "normalization", "region", "reorg", "reorg3d", "route", "sam"),
    *("scale_channels", "shortcut"),
    *("softmax", "upsample", "yolo"),
)
VALUES = st.sampled_from(
    [
        *("0", "1", "2", "3", "8", "-1", "-2", "999999999", "", "x", "1,2", "1.5", "-1,0", "1,2,"),
        *("normalize_channels", "normalize_channels_softmax_maxval"),
        *("leaky", "linear", "per_channel", "relu", "softmax", "diounms", "left_top", "0x10"),
    ]
)


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(KINDS), st.lists(st.tuples(st.sampled_from(KEYS), VALUES), max_size=4)
        ),
        max_size=6,
    )
)
def test_any_text_is_a_network_or_an_input_error(sections) -> None:
    text = "".join(
        f"[{kind}]\n" + "".join(f"{key}={value}\n" for key, value in options)
        for kind, options in sections
    )
    try:
        network = parse_cfg(NET + text, "small").network
    except InputError as error:
        assert str(error).startswith("small:")
    else:
        assert len(network.layers) >= len(sections)
        assert all(min(layer.shape) > 0 for layer in network.layers)
