"""What the documents name exists: files, tests, names in the code, commands, messages, versions.

A name in backticks is checked by its form: a path of the repository (`tests/x.py::test_y` names a
test in it), or `folder.module.Name` for something in the package.
"""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.code_names import found
from support.documented import ROOT, commands, parses

DOCS = ROOT / "docs"
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *DOCS.rglob("*.md"),
        *(ROOT / "examples").glob("*.md"),
        *(ROOT / "tests").glob("*.md"),
        *(ROOT / "configs").rglob("*.md"),
    ]
)
PACKAGE = ROOT / "ftdist"
PARTS = sorted(each.stem for each in PACKAGE.iterdir() if each.suffix == ".py" or each.is_dir())

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_TICKED = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(
    r"(?:ftdist|tests|docs|launch|configs|examples|benchmarks|\.ci|\.github)/[\w.*/-]*(::\w+)?"
)
_NAME = re.compile(rf"(?:{'|'.join(PARTS)})(?:\.\w+)+")
_FILES = frozenset({"py", "hpp", "cpp", "toml", "cmake", "md"})


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=named)


def ticked(path: Path) -> list[str]:
    return _TICKED.findall(path.read_text())


def blocks(text: str) -> Iterator[str]:
    """The lines of a document's code blocks, fenced or indented after an empty line."""
    fenced = indented = False
    before = ""
    for line in text.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        else:
            code = line.startswith("    ")
            indented = code and (indented or not before.strip())
            if fenced or indented:
                yield line
            indented = indented or (code and not before.strip())
        before = line


def anchors(text: str) -> set[str]:
    """The fragments by which a document's headings are reached."""
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def cells(path: Path, *, columns: int) -> list[list[str]]:
    """The rows of all tables with so many columns, without heads."""
    rows = []
    for line in path.read_text().splitlines():
        if line.startswith("|"):
            row = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            if len(row) == columns:
                rows.append(row)
        elif rows and rows[-1]:
            rows.append([])
    tables: list[list[list[str]]] = [[]]
    for row in rows:
        tables[-1].append(row) if row else tables.append([])
    return [row for table in tables for row in table[2:]]


def test_there_are_the_documents_that_people_look_for() -> None:
    assert {named(path) for path in DOCUMENTS} >= {
        *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "tests/README.md"),
        *("docs/architecture.md", "docs/adding-an-operator.md", "docs/clusters.md"),
        *("docs/formats.md", "docs/troubleshooting.md", "examples/README.md"),
    }


@every_document
def test_relative_links_lead_somewhere(path: Path) -> None:
    for link in _LINK.findall(path.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, fragment = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), f"{named(path)}: {link}"
        if fragment and target.suffix == ".md":
            assert fragment in anchors(target.read_text()), f"{named(path)}: {link}"


@every_document
def test_commands_in_code_blocks_are_taken(path: Path) -> None:
    for each in commands(blocks(path.read_text())):
        parses(each, ROOT / "configs" / "cluster" if path.parent == DOCS else ROOT)


def test_commands_are_found() -> None:
    """The check above looks at something."""
    found = {each[0] for path in DOCS.glob("*.md") for each in commands(blocks(path.read_text()))}
    assert found >= {"keygen", "coordinator", "worker", "submit", "status", "doctor"}


@every_document
def test_paths_and_tests_exist(path: Path) -> None:
    for word in ticked(path):
        if _PATH.fullmatch(word) is None:
            continue
        file, _, test = word.partition("::")
        found = list(ROOT.glob(file)) if "*" in file else [ROOT / file]
        assert found and all(each.exists() for each in found), f"{named(path)}: {word}"
        if test:
            text = (ROOT / file).read_text()
            assert re.search(rf"def {test}\b", text), f"{named(path)}: {word}"


@every_document
def test_names_in_the_code_exist(path: Path) -> None:
    for word in ticked(path):
        if _NAME.fullmatch(word) and word.rpartition(".")[2] not in _FILES:
            found(word)


def test_the_layers_are_those_that_imports_keep_to() -> None:
    """Each folder of the package has its row, from the top of the house down."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    house, *_ = settings["tool"]["importlinter"]["contracts"]
    layers = [name for layer in house["layers"] for name in re.findall(r"\w+", layer)]
    text = (DOCS / "architecture.md").read_text()
    section = text.split("## The layers")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `ftdist/(\w+)(?:/|\.py)`", section, re.MULTILINE)
    assert rows == layers


def test_every_invariant_has_its_tests() -> None:
    section = (DOCS / "architecture.md").read_text().split("## Invariants")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if re.match(r"\| \d", line)]
    assert len(rows) >= 7 and all("::test_" in row for row in rows)


STEPS = cells(DOCS / "adding-an-operator.md", columns=4)


@pytest.mark.parametrize("row", STEPS, ids=lambda row: f"step {row[0]}")
def test_a_step_to_an_operator_names_what_is_there(row: list[str]) -> None:
    """Each file of a step has the names that stand beside it."""
    _, files, names, _ = row
    (file,) = _TICKED.findall(files)
    text = (ROOT / file).read_text()
    for name in _TICKED.findall(names):
        assert re.search(rf"\b{re.escape(name)}\b", text), f"{file} has no {name}"


def test_the_steps_to_an_operator_are_all_there_are() -> None:
    """The operator that the document follows is named in the files of its steps and no others."""
    mentioned = {
        named(path)
        for folder in (PACKAGE, ROOT / "tests")
        for path in folder.rglob("*")
        if path.suffix in (".py", ".hpp", ".cpp")
        and path.parent != Path(__file__).parent
        and re.search(r"max[_ ]?channels", path.read_text(), re.IGNORECASE)
    }
    steps = {_TICKED.findall(row[1])[0] for row in STEPS}
    assert len(STEPS) > 9 and mentioned == steps
    assert sum(each.startswith("ftdist/") for each in steps) <= 4


def test_versions_of_formats_are_those_of_the_code() -> None:
    rows = [row for row in cells(DOCS / "formats.md", columns=4) if row[1].isdigit()]
    assert len(rows) >= 4
    for _, version, where, _ in rows:
        (name,) = _TICKED.findall(where)
        assert found(name) == int(version), name


def test_the_change_log_begins_with_what_is_not_released_and_knows_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    init = (PACKAGE / "__init__.py").read_text()
    version = re.search(r'__version__ = "(.+)"', init)
    heads = re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)
    assert version and heads[0] == "Unreleased" and version[1] in text


def test_ci_runs_the_checks_on_every_python_that_is_promised() -> None:
    text = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    (listed,) = re.findall(r"python: \[(.*)\]", text)
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = re.findall(r"Python :: (3\.\d+)'", str(settings["classifiers"]))
    assert re.findall(r'"(.+?)"', listed) == promised
    assert settings["requires-python"] == f">={promised[0]}"
    assert re.findall(r"run: (.*)", text) == [".ci/run"]


@functools.cache
def texts() -> tuple[str, ...]:
    """Every text in the package's code, a line break in place of each value put into it."""
    found = []
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                pieces = (
                    str(each.value) if isinstance(each, ast.Constant) else "\n"
                    for each in node.values
                )
                found.append("".join(pieces))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return tuple(found)


def test_troubles_of_a_cluster_are_those_of_the_module_that_tells_them() -> None:
    """Column by column, word by word: the document has the table of ``cluster.reachability``."""
    said = ast.get_docstring(ast.parse((PACKAGE / "cluster" / "reachability.py").read_text()))
    assert said is not None
    lines = said[said.index("    trouble ") :].split("\n\n")[0].splitlines()
    heads = re.split(r" {2,}", lines[0].strip())
    starts = [lines[0].index(head) for head in heads]
    bounds = [*zip(starts, [*starts[1:], None], strict=True)]
    theirs = [[w for line in lines[1:] for w in line[slice(*b)].split()] for b in bounds]
    section = (DOCS / "clusters.md").read_text().split("## Troubleshooting")[1]
    rows = [line[1:-1].split("|") for line in section.splitlines() if line.startswith("|")]
    ours = [[w for row in rows[2:] for w in row[column].split()] for column in range(len(heads))]
    assert len(theirs[0]) > 50
    assert ours == [[word for word in column if word != "-"] for column in theirs]


def messages(path: Path) -> list[str]:
    """What tables of two columns quote on their left side."""
    return [word for row in cells(path, columns=2) for word in _TICKED.findall(row[0])]


@pytest.mark.parametrize("name", ["troubleshooting.md", "clusters.md"])
def test_messages_are_quoted_as_they_are_said(name: str) -> None:
    """`...` stands for what differs; what lies between is said by one text of the program."""
    quoted = [each for each in messages(DOCS / name) if " " in each]
    assert len(quoted) >= 10
    for message in quoted:
        for piece in filter(None, (each.strip() for each in message.split("..."))):
            assert any(piece in text for text in texts()), f"nobody says '{piece}'"
