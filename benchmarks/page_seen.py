"""Bar: six workers, 200 frames, one worker killed, in Chromium: all is shown within a second.

The demo's detector is shared by six workers while a browser looks at the coordinator's page. Each
event is timed from when the coordinator's log tells it to when the page shows it; what is in the
browser's console is counted, axe looks for faults, and pictures of the page are left in a folder,
in light and dark, as on a phone and on a wide screen. ::

    python benchmarks/page_seen.py FOLDER [--frames 200]

Needs Debian's chromium and chromium-driver, and the extra `dev`.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.browser import card, chromium, resize
from support.clusterprocesses import Cluster, Running, cluster
from support.pageclient import site_of

import ftdist

DEMO = Path(ftdist.__file__).with_name("demo")
WORKERS = [f"pi{number}" for number in range(1, 7)]
MOST_S = 1.0
GUARD_S = 120.0
SCREENS = [(390, 844), (1400, 900)]
GRAVE = ("serious", "critical")


class Watcher:
    """Times how long after the log the page shows things."""

    def __init__(self, browser: Any, log: Running) -> None:
        self._browser = browser
        self._log = log
        self.slowest_s = 0.0

    def value(self, expression: str) -> Any:
        return self._browser.execute_script(f"return {expression}")

    def until(self, ready: Callable[[], Any]) -> float:
        limit_s = time.monotonic() + GUARD_S
        while not ready():
            if time.monotonic() > limit_s:
                raise SystemExit("page_seen: it was never so; see the log")
            time.sleep(0.005)
        return time.monotonic()

    def timed(self, what: str, said: str, shown: str) -> None:
        """Prints how long after the log says it the page shows it."""
        begun_s = self.until(lambda: said in self._log.said)
        taken_s = self.until(lambda: self.value(shown)) - begun_s
        self.slowest_s = max(self.slowest_s, taken_s)
        print(f"{what}: shown after {taken_s:.2f} s", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--frames", type=int, default=200)
    arguments = parser.parse_args()
    arguments.folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, chromium(Path(name) / "profile") as browser:
        model = Path(name) / "detector.ftd"
        weights = DEMO / "detector.weights"
        words = (DEMO / "detector.cfg", "--weights", weights, "-o", model)
        done = subprocess.run(
            [sys.executable, "-m", "ftdist", "import", *words], capture_output=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stderr.decode())
        with cluster(Path(name) / "cluster", model) as made:
            fine = look(browser, made, arguments.folder, arguments.frames)
    return 0 if fine else 1


def look(browser: Any, made: Cluster, folder: Path, frames: int) -> bool:
    site = site_of(made)
    browser.get(f"http://127.0.0.1:{site.port}/")
    watcher = Watcher(browser, site.coordinator)
    running = {}
    for name in WORKERS:
        running[name] = made.worker(name, mem="96M")
        watcher.timed(f"{name} joins", f"worker {name}: joins", card(name))
    browser.find_element("id", "show-pictures").click()
    repeat = ("--repeat", frames, "--job", "evening")
    made.begin("job", DEMO / "scene.jpg", "-o", made.folder / "out", *repeat)
    count = "Number(document.getElementById('frame-count').textContent.replace(',', ''))"
    watcher.timed("the job begins", "job evening:", "document.querySelector('#jobs [data-key]')")
    watcher.until(lambda: watcher.value(f"{count} > {frames // 4}"))
    pictured(browser, folder, "busy")
    running["pi4"].process.kill()
    gone = f"{card('pi4')}.classList.contains('gone')"
    watcher.timed("pi4 is killed", "worker pi4: lost", gone)
    ended = f"{count} === {frames}"
    watcher.timed("the job ends", "job evening: done", ended)
    pictured(browser, folder, "done")
    return judged(browser, watcher)


def judged(browser: Any, watcher: Watcher) -> bool:
    console = browser.get_log("browser")
    browser.execute_script(files("axe_core_python").joinpath("axe.min.js").read_text())
    found = browser.execute_async_script("axe.run().then(arguments[0])")
    grave = [each["id"] for each in found["violations"] if each["impact"] in GRAVE]
    print(f"slowest {watcher.slowest_s:.2f} s; {len(console)} lines in the console; axe: {grave}")
    return watcher.slowest_s <= MOST_S and not console and not grave


def pictured(browser: Any, folder: Path, when: str) -> None:
    """The whole page, on each screen in each scheme."""
    for (width, height), scheme in itertools.product(SCREENS, ("light", "dark")):
        resize(browser, width, height, scheme)
        whole = browser.execute_script("return document.documentElement.scrollHeight")
        resize(browser, width, whole, scheme)
        browser.save_screenshot(str(folder / f"{when}-{width}-{scheme}.png"))


if __name__ == "__main__":
    sys.exit(main())
