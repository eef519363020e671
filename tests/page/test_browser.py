"""The page in a real browser: a worker joins and dies, a job runs to its end, nothing complains.

Everything is waited for by what the page shows, never by time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.browser import CHROMIUM, DRIVER, card, chromium, resize
from support.clusterprocesses import Cluster, cluster
from support.command import GUARD_S
from support.pageclient import Site, site_of

if not (CHROMIUM and DRIVER) and os.environ.get("CI") != "true":
    pytest.skip("needs chromium and chromium-driver", allow_module_level=True)

pytest.importorskip("selenium.webdriver", reason="needs selenium")

SERIOUS = ("serious", "critical")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as made:
        made.set_script_timeout(GUARD_S)
        yield made


@pytest.fixture(scope="module")
def made(detector: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("browsed"), detector) as found:
        yield found


@pytest.fixture(scope="module")
def site(made: Cluster) -> Site:
    return site_of(made)


@pytest.fixture(scope="module")
def wait(browser: Any, site: Site) -> Callable[[str], Any]:
    """Waits until an expression in the page is true; its value."""
    from selenium.webdriver.support.ui import WebDriverWait

    browser.get(f"http://127.0.0.1:{site.port}/")

    def until(expression: str) -> Any:
        waiting = WebDriverWait(browser, GUARD_S, poll_frequency=0.05)
        return waiting.until(lambda _: browser.execute_script(f"return {expression}"), expression)

    return until


def test_a_cluster_is_seen_to_live(
    browser: Any, made: Cluster, wait: Callable[[str], Any], tmp_path: Path
) -> None:
    wait("document.getElementById('link').textContent === 'live'")
    assert wait("!document.getElementById('no-workers').hidden")
    workers = {name: made.worker(name) for name in ("pi1", "pi2")}
    for name in workers:
        wait(card(name))
    wait("document.getElementById('worker-count').textContent === '2'")
    wait("[...document.querySelectorAll('#log .joined')].length === 2")

    browser.find_element("id", "show-pictures").click()
    pixels = np.random.default_rng(5).integers(0, 256, (64, 64, 3), np.uint8)
    picture = tmp_path / "picture.png"
    pytest.importorskip("PIL.Image", reason="pictures need Pillow").fromarray(pixels).save(picture)
    job = made.begin("job", picture, "-o", tmp_path / "out", "--repeat", 400, "--job", "evening")
    wait("document.querySelector('#jobs [data-key=\"evening\"]')")
    wait("document.querySelector('#plan svg rect.maps')")
    wait("document.querySelector('#pictures img')?.complete")
    wait("Number(document.getElementById('frame-count').textContent.replace(',', '')) > 5")
    workers["pi2"].process.kill()
    wait(f"{card('pi2')}.classList.contains('gone')")
    wait("document.querySelector('#log .warning')?.textContent.includes('pi2: lost')")
    wait("document.getElementById('announce').textContent.includes('pi2')")
    assert job.wait() == 0
    wait("document.querySelector('#log .done')?.textContent.includes('evening: done')")
    wait("document.getElementById('frame-count').textContent === '400'")
    wait("document.querySelector('#jobs').childElementCount === 0")
    assert not browser.get_log("browser")


@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_for_everybody(
    browser: Any, wait: Callable[[str], Any], width: int, scheme: str
) -> None:
    """axe finds no serious fault, and nothing is wider than the screen."""
    axe = pytest.importorskip("axe_core_python", reason="needs axe-core-python")
    resize(browser, width, 800, scheme)
    wait(f"innerWidth === {width} && matchMedia('(prefers-color-scheme: {scheme})').matches")
    wait("document.querySelector('#workers li')")
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    browser.execute_script(files(axe).joinpath("axe.min.js").read_text())
    wait("!document.getAnimations().length")
    found = browser.execute_async_script("axe.run().then(arguments[0])")
    grave = [each for each in found["violations"] if each["impact"] in SERIOUS]
    assert not grave, [(each["id"], [n["html"] for n in each["nodes"]]) for each in grave]
    assert len(found["passes"]) > 10


def test_all_of_it_is_reached_by_the_keyboard(browser: Any, wait: Callable[[str], Any]) -> None:
    from selenium.webdriver.common.keys import Keys

    wait("document.querySelector('#workers li')")
    browser.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    reached = set()
    for _ in range(8):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        reached.add(browser.execute_script("return document.activeElement.id || 'skip'"))
    assert {"skip", "show-pictures", "plan-worker", "log"} <= reached


def test_a_page_that_is_not_seen_asks_for_nothing(
    browser: Any, site: Site, wait: Callable[[str], Any]
) -> None:
    """Leaving it ends its stream, and with it all questions."""
    wait("document.getElementById('link').textContent === 'live'")
    streams = "ftdist_page_streams 1"
    assert streams in site.get("/metrics").text
    browser.get("about:blank")
    while streams in site.get("/metrics").text:
        pass
