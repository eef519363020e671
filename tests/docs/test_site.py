"""The documents as a site: all of them are in it, and no link leads nowhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import environment
from support.documented import LAUNCH, ROOT

SETTINGS = ROOT / "mkdocs.yml"


def test_every_document_is_in_the_table_of_contents() -> None:
    listed = set(re.findall(r"- [\w ]+: (\S+\.md)$", SETTINGS.read_text(), re.MULTILINE))
    documents = {str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md")}
    roots = {path.name for path in ROOT.glob("*.md")}
    assert listed == documents | roots


def test_the_site_is_built_and_its_links_lead_somewhere(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="needs mkdocs, which builds the site")
    mkdocs = str(Path(sys.executable).with_name("mkdocs"))
    settings = tmp_path / "mkdocs.yml"
    source = tmp_path / "source"
    text = SETTINGS.read_text().replace("build/site-source", str(source))
    settings.write_text(text.replace("build/site", str(tmp_path / "site")))
    done = subprocess.run(
        [LAUNCH / "site", "--config-file", settings],
        capture_output=True,
        check=False,
        env=environment(MKDOCS=mkdocs, SITE_SOURCE=str(source)),
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "site/docs/comparison.html").read_text()
    assert 'href="../README.html#plans"' in page or 'href="../index.html#plans"' in page
