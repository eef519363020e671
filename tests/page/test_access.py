"""Where the page may be served and with which token; what is refused before anything is served."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from support.command import assert_refused, ftdist_command

from ftdist.errors import InputError
from ftdist.page.access import Access, access_to, place_of

ANYWHERE = "0.0.0.0:8080"


@pytest.mark.parametrize(
    "text", ["", "8080", "127.0.0.1", "127.0.0.1:99999", "a b:1", "http://x:1"]
)
def test_a_place_is_an_address_and_a_port(text: str) -> None:
    with pytest.raises(InputError, match="ADDRESS:PORT"):
        place_of(text)


@pytest.mark.parametrize("text", ["127.0.0.1:8080", "localhost:0", "[::1]:80"])
def test_on_loopback_no_token_is_needed(text: str) -> None:
    assert access_to(place_of(text), None) == Access()


@pytest.mark.parametrize("text", [ANYWHERE, "192.168.1.10:80", "*:8080", "[::]:8080", "board:80"])
def test_elsewhere_it_is_refused_without_a_token(text: str) -> None:
    with pytest.raises(InputError, match="--page-token FILE"):
        access_to(place_of(text), None)


def test_the_command_refuses_in_one_line(detector: Path, tmp_path: Path) -> None:
    outcome = ftdist_command("coordinator", detector, "--page", ANYWHERE, folder=tmp_path)
    assert_refused(outcome, 2, "--page-token FILE")


def test_a_file_that_is_not_there_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "token"
    first = access_to(place_of(ANYWHERE), path)
    assert first.fresh and first.token is not None and len(first.token) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert access_to(place_of(ANYWHERE), path) == Access(first.token)


def test_a_token_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("0123456789abcdef")
    path.chmod(0o644)
    with pytest.raises(InputError, match="chmod 600"):
        access_to(place_of(ANYWHERE), path)


@pytest.mark.parametrize(
    "text", ["", "short", "has a space in it...", "x" * 300, "äöüäöüäöüäöüäöü"]
)
def test_what_is_no_token_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(InputError, match="holds no token"):
        access_to(place_of(ANYWHERE), path)


def test_only_the_token_and_its_own_cookie_are_taken() -> None:
    access = Access("0123456789abcdef")
    assert access.admits("0123456789abcdef") and access.knows(access.cookie)
    for wrong in (None, "", "0123456789abcdeg", "0123456789abcdef ", access.cookie, "\ud800"):
        assert not access.admits(wrong)
    for wrong in (None, "", access.token, Access("0123456789abcdeg").cookie, "é"):
        assert not access.knows(wrong)
    assert "0123456789abcdef" not in access.cookie
