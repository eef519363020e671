"""Names of classes: where they come from, in which encoding, and what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftdist.answers.names import (
    COCO,
    VOC,
    doubt,
    find_names,
    of_listed_pairs,
    of_one_class,
    read_names,
)
from ftdist.errors import InputError


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    path = tmp_path / "cfg/net.cfg"
    path.parent.mkdir()
    path.write_text("[net]")
    return path


def test_given_names_come_first_and_without_a_word(cfg: Path, tmp_path: Path) -> None:
    cfg.with_suffix(".names").write_text("c\nd\n")
    (tmp_path / "my.names").write_text("a\nb\n")
    assert find_names(cfg, 2, tmp_path / "my.names") == (("a", "b"), "given", "")
    assert find_names(cfg, 2) == (("c", "d"), "beside", "")


@pytest.mark.parametrize("given", [True, False])
def test_a_wrong_count_is_said(cfg: Path, given: bool) -> None:
    path = cfg.with_suffix(".names")
    path.write_text("a\nb\nc\n")
    with pytest.raises(InputError, match=r"net\.names: 3 names, but net has 2 classes") as caught:
        find_names(cfg, 2, path if given else None)
    assert ("--names FILE" in str(caught.value)) != given


@pytest.mark.parametrize("place", ["cfg/data/my.names", "data/my.names", "cfg/my.names"])
def test_a_data_file_names_the_names(cfg: Path, tmp_path: Path, place: str) -> None:
    cfg.with_suffix(".data").write_text("classes = 2\ntrain = x\nnames = data/my.names\n")
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("a\nb\n")
    names, origin, remark = find_names(cfg, 2)
    assert (names, origin) == (("a", "b"), "beside")
    assert remark == f"the class names are taken from {tmp_path / place}"


def test_the_only_other_file_of_as_many_names_is_taken(cfg: Path) -> None:
    (cfg.parent / "a.names").write_text("a\nb\n")
    (cfg.parent / "b.names").write_text("a\nb\nc\n")
    assert find_names(cfg, 2)[:2] == (("a", "b"), "beside")
    (cfg.parent / "c.names").write_text("x\ny\n")
    assert find_names(cfg, 2) == ((), "none", "")


@pytest.mark.parametrize(("known", "whose"), [(COCO, "COCO's"), (VOC, "Pascal VOC's")])
def test_guesses_are_marked_and_said(cfg: Path, known: tuple[str, ...], whose: str) -> None:
    names, origin, remark = find_names(cfg, len(known))
    assert (names, origin) == (known, "guessed")
    assert f"guessed to be {whose}, because there are {len(known)}" in remark
    assert doubt("guessed", len(known)) == doubt("none", len(known)) == remark
    assert doubt("given", len(known)) is None
    assert doubt("none", 3) is None
    assert "lay beside" in (doubt("beside", len(known)) or "")


def test_built_in_networks_have_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("yolov2.names").write_text("a\nb\n")
    assert find_names(Path("yolov2"), 2) == ((), "none", "")


@pytest.mark.parametrize(
    ("names", "encoding"),
    [
        ("苹果 香蕉 行人", "gb18030"),
        ("苹果 香蕉 行人", "utf-8-sig"),
        ("苹果 香蕉 行人", "utf-16"),
        ("Äpfel Möwe Straße", "latin-1"),
        ("человек машина собака", "cp1251"),
        ("person dog cat", "ascii"),
    ],
)
def test_names_in_other_encodings_are_read(tmp_path: Path, names: str, encoding: str) -> None:
    path = tmp_path / "n.names"
    path.write_bytes(("\r\n".join(names.split()) + "\r\n").encode(encoding))
    assert read_names(path) == tuple(names.split())


def test_of_a_longer_list_a_classifier_takes_the_first(cfg: Path, tmp_path: Path) -> None:
    (tmp_path / "all.list").write_text("a\nb\nc\n")
    names, origin, remark = find_names(cfg, 2, tmp_path / "all.list", classifies=True)
    assert (names, origin) == (("a", "b"), "given")
    assert remark == f"{tmp_path / 'all.list'}: the first 2 of 3 names are taken, as by Darknet"
    with pytest.raises(InputError, match="3 names, but net has 4 classes"):
        find_names(cfg, 4, tmp_path / "all.list", classifies=True)
    cfg.with_suffix(".data").write_text("labels = ids\nnames = ../all.list\n")
    (cfg.parent / "ids").write_text("n1\nn2\n")
    assert find_names(cfg, 2, classifies=True)[:2] == (("a", "b"), "beside")


def test_a_data_file_whose_names_do_not_suit_is_said(cfg: Path) -> None:
    cfg.with_suffix(".data").write_text("names = my.names\n")
    (cfg.parent / "my.names").write_text("a\n")
    names, origin, remark = find_names(cfg, 2)
    assert (names, origin) == ((), "none")
    assert remark == f"{cfg.parent / 'my.names'} does not hold 2 names, so it is not used"


def test_classifiers_have_no_data_set_to_guess(cfg: Path) -> None:
    assert find_names(cfg, len(COCO), classifies=True) == ((), "none", "")


def test_a_web_page_is_no_list_of_names(tmp_path: Path) -> None:
    (tmp_path / "n.names").write_text("<html>\n<body>404</body>\n")
    with pytest.raises(InputError, match=r"n\.names: is a web page; download the file itself"):
        read_names(tmp_path / "n.names")


@pytest.mark.parametrize(
    ("stem", "name"),
    [("yoloface_50k", "face"), ("pedestrian-v2", "person"), ("scarcity", None), ("net", None)],
)
def test_a_single_class_is_called_as_the_file(stem, name) -> None:
    found = of_one_class(stem)
    assert (found and found.names) == (name and (name,))
    assert found is None or (found.origin == "guessed" and "--names FILE" in found.remark)


@pytest.mark.parametrize("name", ["net.labels", "net.txt", "labels.txt", "synset.txt"])
def test_labels_beside_the_network_are_found_if_they_suit(tmp_path: Path, name: str) -> None:
    (tmp_path / "net.onnx").touch()
    (tmp_path / name).write_text("cat\ndog\nbird\n")
    found = find_names(tmp_path / "net.onnx", 3, classifies=True)
    assert found.names == ("cat", "dog", "bird") and found.origin == "beside"
    assert str(tmp_path / name) in found.remark
    assert find_names(tmp_path / "net.onnx", 4, classifies=True).names == ()


def test_a_background_has_no_boxes_and_needs_no_name() -> None:
    named = ("cat", "dog")
    assert of_listed_pairs(named, 3) == named
    assert of_listed_pairs(("__background__", *named), 3) == named
    assert of_listed_pairs(("bird", *named), 3) == ("bird", *named)
    with pytest.raises(InputError, match="2 names for 5 classes"):
        of_listed_pairs(named, 5)
