"""The page as it is served: who gets what, and what nobody gets."""

from __future__ import annotations

import pytest
from support.pageclient import TOKEN, Site

from ftdist.page.connections import HEAD_BYTES

PAGES = ["/", "/page.js", "/page.css", "/about", "/events", "/metrics", "/login", "/nothing"]


def test_the_page_and_its_files_are_there(open_site: Site) -> None:
    page = open_site.get("/")
    assert page.status == 200 and page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text and "https://" not in page.text
    for path in ("/page.js", "/page.css", "/icon.svg", "/workers.js"):
        assert open_site.get(path).status == 200
    assert open_site.get("/nothing").status == 404


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_keeps_browsers_strict(open_site: Site, path: str) -> None:
    headers = open_site.get(path, "HEAD").headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_the_stream_says_who_is_there_and_what_was_logged(open_site: Site) -> None:
    with open_site.events() as events:
        found = dict(next(events) for _ in range(2))
        assert any("pi1: joins" in line["text"] for line in found["log"])
        (worker,) = found["state"]["workers"]
        assert worker["name"] == "pi1" and worker["budget"] == 256 << 20
        name, later = next(events)
        assert name == "state" and later["now"] > found["state"]["now"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "192.168.1.1", ""])
@pytest.mark.parametrize("path", ["/", "/about", "/events", "/metrics"])
def test_a_name_that_leads_here_by_rebinding_is_refused(
    open_site: Site, host: str, path: str
) -> None:
    answer = open_site.get(path, host=host)
    assert answer.status in (400, 421)
    assert "pi1" not in answer.text and "detector" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "cors"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "script"},
        {"sec_fetch_site": "same-site", "sec_fetch_mode": "cors"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"},
    ],
)
@pytest.mark.parametrize("path", ["/about", "/events", "/metrics"])
def test_other_sites_are_refused(open_site: Site, headers: dict[str, str], path: str) -> None:
    answer = open_site.get(path, **headers)
    assert answer.status == 403 and "detector" not in answer.text


def test_its_own_requests_are_let_in(open_site: Site) -> None:
    own = f"http://127.0.0.1:{open_site.port}"
    for headers in ({"origin": own}, {"sec_fetch_site": "same-origin"}, {"sec_fetch_site": "none"}):
        assert open_site.get("/about", **headers).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT"])
def test_nothing_can_be_changed(open_site: Site, method: str) -> None:
    assert open_site.get("/about", method).status in (400, 404, 405)


def test_huge_heads_are_refused(open_site: Site) -> None:
    for most in (HEAD_BYTES, 4 * HEAD_BYTES):
        status = open_site.get("/about", cookie="x" * most).status
        assert status in (400, 431)
    assert open_site.get("/about").status == 200


@pytest.mark.parametrize("path", [each for each in PAGES if each != "/login"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong-token-wrong-token"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "Bearer "},
        {"cookie": f"ftdist-page={TOKEN}"},
        {"cookie": "ftdist-page=" + "0" * 64},
    ],
)
def test_without_the_token_nothing_is_served(
    closed_site: Site, path: str, headers: dict[str, str]
) -> None:
    answer = closed_site.get(path, **headers)
    assert answer.status == 401
    assert "detector" not in answer.text and "script" not in answer.text


def test_the_token_is_taken_as_a_header(closed_site: Site) -> None:
    answer = closed_site.get("/metrics", authorization=f"Bearer {TOKEN}")
    assert answer.status == 200 and 'model="detector"' in answer.text


def test_signing_in_by_address_or_form_sets_a_cookie(closed_site: Site) -> None:
    form = {"content_type": "application/x-www-form-urlencoded"}
    for answer in (
        closed_site.get(f"/login?token={TOKEN}"),
        closed_site.get("/login", "POST", f"token={TOKEN}", **form),
    ):
        assert answer.status == 200
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie and TOKEN not in cookie
        kept = cookie.partition(";")[0]
        assert closed_site.get("/about", cookie=kept).status == 200


def test_a_wrong_token_signs_nobody_in(closed_site: Site) -> None:
    form = {"content_type": "application/x-www-form-urlencoded"}
    for answer in (
        closed_site.get("/login?token=wrong"),
        closed_site.get("/login", "POST", "token=wrong", **form),
        closed_site.get("/login", "POST", "token=" + "x" * 5000, **form),
        closed_site.get("/login", "POST", "nothing", **form),
    ):
        assert answer.status == 401 and "set-cookie" not in answer.headers


def test_another_site_cannot_sign_in(closed_site: Site) -> None:
    answer = closed_site.get("/login", "POST", f"token={TOKEN}", origin="https://evil.example")
    assert answer.status == 403
