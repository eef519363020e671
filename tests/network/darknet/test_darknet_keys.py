"""Keys by dialect: which are named, which refused, and what they say about pictures."""

from __future__ import annotations

import pytest

from ftdist.errors import InputError
from ftdist.network.darknet.cfg import parse_sections
from ftdist.network.darknet.importer import parse_cfg
from ftdist.network.darknet.keys import dialect

NET = "[net]\nheight=12\nwidth=16\nchannels=8\n"
CONV = "[conv]\nfilters=8\nactivation=linear\n"
YOLO = "[yolo]\nclasses=3\nanchors=1,2\n"
REGION = "[region]\nclasses=3\nanchors=1,2\n"


def remarks(text: str) -> tuple[str, ...]:
    return parse_cfg(NET + text, "n", "n.cfg").remarks


def test_misspelt_keys_are_named_once_with_what_they_are_most_like() -> None:
    (remark,) = remarks(CONV + "activaton=leaky\n" + CONV + "activaton=relu\nzzz=1\n")
    assert remark == (
        "n.cfg: keys that Darknet does not know are ignored: 'activaton' in [conv] "
        "(line 8; did you mean activation?), 'zzz' in [conv] (line 13)"
    )


def test_what_holds_of_many_sections_is_remarked_on_in_one_line() -> None:
    (remark,) = remarks((CONV + "xnor=1\n") * 20)
    assert remark == (
        "n.cfg:8: [conv] xnor: takes a layer more, so layers are not numbered as in this file "
        "(the same in 19 more)"
    )


def test_of_many_unknown_keys_the_first_are_named() -> None:
    (remark,) = remarks(CONV + "".join(f"q{number}=1\n" for number in range(20)))
    assert "'q7'" in remark and "'q8'" not in remark and remark.endswith(" and 12 more")


@pytest.mark.parametrize(
    "section",
    [
        CONV + "stream=1\nlearning_rate=2\nburnin_update=3\ndot=.1\nflipped=0\nbin_output=1\n",
        YOLO + "iou_loss=ciou\nmax_delta=5\ntruth_thresh=1\nshow_details=0\nrandom=1\nmap=a\n",
        REGION + "bias_match=1\nrescore=1\nabsolute=1\nmap=a.map\nthresh=.6\ncoords=4\n",
        "[dropout]\nprobability=.5\ndropblock=1\n",
        "[avgpool]\n",
        "[cost]\ntype=masked\nscale=1\n",
        CONV + "[route]\nlayers=0\nstream=2\n",
    ],
)
def test_training_keys_of_both_dialects_are_passed_over(section) -> None:
    assert remarks(CONV + section) == ()


def test_training_keys_of_the_network_are_passed_over() -> None:
    text = "policy=steps\npolicy=sgdr\nletter_box=1\nmosaic=1\nema_alpha=.1\n"
    text += "steps=1,2,\nB1=.9\nmax_ratio=2\nseen=0\n"
    assert remarks(text + CONV) == ()


def test_lines_without_a_value_are_named_in_one_line() -> None:
    assert remarks("Testing\n" + CONV + "stride\nfilters=\n") == (
        "n.cfg: lines without a value are ignored, as by Darknet: 'Testing' (line 5), "
        "'stride' (line 9), 'filters' (line 10)",
    )


@pytest.mark.parametrize("value", ["0", "0.0", "00"])
def test_what_changes_nothing_is_not_refused(value) -> None:
    assert remarks(f"{CONV}antialiasing={value}\n") == ()


def test_layers_that_only_train_hand_on_what_they_get() -> None:
    network = parse_cfg(NET + CONV + "[cost]\ntype=sse\n[empty]\n[dropout]\n", "n").network
    assert network.sources == (0, 0, 0, 0)
    assert [layer.name for layer in network.layers] == [
        "convolutional0",
        "cost1",
        "empty2",
        "dropout3",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CONV + YOLO, "either"),
        (CONV + REGION, "either"),
        (CONV + YOLO + "iou_normalizer=.07\n", "AlexeyAB"),
        (CONV + YOLO + "new_coords=0\n", "AlexeyAB"),
        ("mosaic=1\n" + CONV, "AlexeyAB"),
        ("policy=sgdr\n" + CONV, "AlexeyAB"),
        (CONV + "stride_x=1\n", "AlexeyAB"),
        (CONV.replace("linear", "mish"), "AlexeyAB"),
        (CONV + CONV + "[route]\nlayers=0\ngroups=2\ngroup_id=1\n", "AlexeyAB"),
        (CONV + "[local_avgpool]\nsize=2\n", "AlexeyAB"),
        (CONV + "[shortcut]\nfrom=-1\nalpha=1\nbeta=1\n", "pjreddie"),
        ("max_ratio=2\n" + CONV, "pjreddie"),
        (CONV + "[reorg]\nstride=1\nflatten=0\n", "pjreddie"),
        ("max_ratio=2\nletter_box=1\n" + CONV, "AlexeyAB"),
    ],
)
def test_a_dialect_is_told_by_what_only_one_darknet_knows(text, expected) -> None:
    assert dialect(parse_sections(NET + text, "n.cfg")) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (CONV + YOLO, "letterbox"),
        (CONV + YOLO + "iou_normalizer=.07\n", "stretch"),
        ("letter_box=1\n" + CONV + YOLO, "letterbox"),
        ("letter_box=0\n" + CONV + YOLO, "stretch"),
        (CONV + "[shortcut]\nfrom=-1\nalpha=1\n", "letterbox"),
        (CONV + "[avgpool]\n", "crop"),
        ("mosaic=1\n" + CONV + "[avgpool]\n[cost]\n", "crop"),
    ],
)
def test_how_pictures_enter_follows_from_the_dialect(text, expected) -> None:
    assert parse_cfg(NET + text, "n").fit == expected


def test_until_looks_at_nothing_that_comes_after() -> None:
    text = NET + CONV + "[max]\n[conv]\nbinary=1\n[nonsense]\nz\n[not even\n= = ="
    model = parse_cfg(text, "n", until=1)
    assert [layer.name for layer in model.network.layers] == ["convolutional0", "maxpool1"]
    assert model.remarks == ()
    assert not model.complete
    with pytest.raises(InputError, match="binary"):
        parse_cfg(text, "n", until=2)
    harmless = text.replace("binary=1", "binary=0")
    with pytest.raises(InputError, match="nonsense"):
        parse_cfg(harmless, "n", until=3)
    with pytest.raises(InputError, match="is not a section header"):
        parse_cfg(harmless, "n", until=4)


def test_trees_of_classes_are_read_from_where_darknet_names_them(tmp_path) -> None:
    text = NET + "[conv]\nfilters=9\n[region]\nclasses=4\nanchors=1,2\ntree=data/a.tree\n"
    (tmp_path / "cfg").mkdir()
    file = str(tmp_path / "cfg/n.cfg")
    model = parse_cfg(text, "n", file)
    assert model.network.layers[-1].operation.kind == "identity"
    (remark,) = model.remarks
    assert "'data/a.tree' is not there, so nothing is decoded" in remark
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.tree").write_text("thing -1\nanimal -1\ncat 1\ndog 1\n")
    operation = parse_cfg(text, "n", file).network.layers[-1].operation
    assert getattr(operation, "parents", None) == (0, 0, 2, 2)
    (tmp_path / "data/a.tree").write_text("thing -1\ncat 4\n")
    with pytest.raises(InputError, match=r"a\.tree:2: is not a line of a tree"):
        parse_cfg(text, "n", file)
    (tmp_path / "data/a.tree").write_text("thing -1\n")
    with pytest.raises(InputError, match="the tree does not suit 4 classes"):
        parse_cfg(text, "n", file)


def test_a_softmax_over_a_tree_keeps_the_tree(tmp_path) -> None:
    text = NET + "[conv]\nfilters=4\n[avgpool]\n[softmax]\ntree=a.tree\n"
    (tmp_path / "a.tree").write_text("thing -1\nanimal -1\ncat 1\ndog 1\n")
    operation = parse_cfg(text, "n", str(tmp_path / "n.cfg")).network.layers[-1].operation
    assert operation.kind == "softmax_tree"
    assert getattr(operation, "parents", None) == (0, 0, 2, 2)
    assert parse_cfg(text, "n", "n.cfg").network.layers[-1].operation.kind == "identity"


def test_recurrent_networks_are_named_as_such_whatever_their_input() -> None:
    with pytest.raises(InputError, match=r"n:3: \[rnn\]: is recurrent: it depends on the inputs"):
        parse_cfg("[net]\ninputs=256\n[rnn]\noutput=3\n", "n")


def test_a_comment_behind_a_word_is_remarked_on_for_darknet_reads_it_too() -> None:
    (remark,) = remarks("[conv]\nactivation=leaky # slope .1\nfilters=3 # three\n")
    assert remark == (
        "n.cfg:6: [conv] activation: 'leaky' is taken, where Darknet reads the comment too"
    )
