"""Which inputs a batch has."""

from __future__ import annotations

import glob
from pathlib import Path

import pytest

from ftdist.errors import InputError
from ftdist.many.listing import Listing


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.jpg", "a.PNG", ".hidden.jpg", "notes.txt", "sub/c.jpg", "sub/deep/d.jpg"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(*words: str, recursive: bool = False) -> list[str]:
    return [each.name for each in Listing(words, recursive=recursive)]


def test_a_folder_is_its_pictures_and_below_if_asked(folder: Path) -> None:
    assert names("photos") == ["photos/a.PNG", "photos/b.jpg"]
    below = ["photos/a.PNG", "photos/b.jpg", "photos/sub/c.jpg", "photos/sub/deep/d.jpg"]
    assert names("photos", recursive=True) == below


def test_patterns_and_lists(folder: Path) -> None:
    assert names("photos/*.jpg") == ["photos/b.jpg"]
    assert names("photos/**/*.jpg") == ["photos/b.jpg", "photos/sub/c.jpg", "photos/sub/deep/d.jpg"]
    Path("list.txt").write_bytes(b"photos/b.jpg\n\nmissing.jpg\r\nphotos/na\xffme.jpg\n")
    assert names("@list.txt") == ["photos/b.jpg", "missing.jpg", "photos/na\udcffme.jpg"]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("**/*.jpg", ["photos/b.jpg", "photos/sub/c.jpg", "photos/sub/deep/d.jpg"]),
        ("photos/**/deep/*", ["photos/sub/deep/d.jpg"]),
        ("photos/**/deep/**/*.jpg", ["photos/sub/deep/d.jpg"]),
        ("*/**/c*", ["photos/sub/c.jpg"]),
        ("photos/sub/**", ["photos/sub/c.jpg", "photos/sub/deep/d.jpg"]),
        ("photos/**/[bc].jpg", ["photos/b.jpg", "photos/sub/c.jpg"]),
    ],
)
def test_patterns_over_folders_find_each_file_once(
    folder: Path, pattern: str, found: list[str]
) -> None:
    """Through links to folders above there would be 2 to the power of 40 of them."""
    expected = glob.glob(pattern, recursive=True)
    assert sorted(each for each in expected if Path(each).is_file()) == found
    for name in ("up", "above"):
        (folder / "photos" / "sub" / name).symlink_to("..")
    assert names(pattern) == found
    assert names(str(folder / pattern)) == [str(folder / each) for each in found]


def test_a_list_may_begin_as_windows_begins_texts(folder: Path) -> None:
    Path("list.txt").write_bytes(b"\xef\xbb\xbfphotos/b.jpg\r\n \r\nc.jpg")
    assert names("@list.txt") == ["photos/b.jpg", "c.jpg"]


def test_what_has_no_lines_is_no_list(folder: Path) -> None:
    Path("data").write_bytes(bytes(1 << 17))
    for place in ("data", "/dev/zero"):
        with pytest.raises(InputError, match="no list of files: it has a line of 64 KiB"):
            Listing([f"@{place}"])


def test_a_file_that_begins_as_a_list_does_is_itself(folder: Path) -> None:
    Path("@x.jpg").touch()
    assert names("@x.jpg") == ["@x.jpg"]


def test_what_is_nothing_is_refused(folder: Path) -> None:
    Path("empty").mkdir()
    Path("empty.txt").write_text("\n\n")
    for word in ("empty", "photos/*.gif", "@empty.txt", "@missing.txt"):
        with pytest.raises(InputError):
            Listing([word])


def test_standard_input_is_a_list_only(folder: Path) -> None:
    with pytest.raises(InputError, match="come from standard input by '@-'"):
        Listing(["-"])
    Path("-").touch()
    assert names("-") == ["-"]


def test_a_sample_is_spread_evenly(folder: Path) -> None:
    listing = Listing([f"{number}.jpg" for number in range(100)])
    assert [each.name for each in listing.sample(4)] == ["0.jpg", "25.jpg", "50.jpg", "75.jpg"]
    assert len(listing) == 100 and len(listing.sample(1000)) == 100


def test_the_digest_is_that_of_names_and_order(folder: Path) -> None:
    assert Listing(["a", "b"]).digest == Listing(["a", "b"]).digest
    assert Listing(["a", "b"]).digest != Listing(["b", "a"]).digest
    assert Listing(["ab", "c"]).digest != Listing(["a", "bc"]).digest


def test_links_that_lead_nowhere_are_no_pictures(folder: Path) -> None:
    (folder / "photos" / "loop.jpg").symlink_to("loop.jpg")
    (folder / "photos" / "gone.jpg").symlink_to("nowhere.jpg")
    assert names("photos") == ["photos/a.PNG", "photos/b.jpg"]
