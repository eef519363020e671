"""Manual pages, made from the parser: ftdist(1), and one for each command.

They are made when the package is built (CMakeLists.txt), and installed as share/man/man1, where
`man` looks beside the bin folders on PATH: `python -m ftdist.cli.manual FOLDER`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from ftdist import __version__
from ftdist.cli.parser import make_parser

_STATUSES = (
    ("0", "Done."),
    ("1", "Something else went wrong, or one of several inputs was left out."),
    ("2", "Bad usage or bad input, said in one line."),
    ("3", "Nothing fits the budget."),
    ("128 + N", "Signal N stopped the command."),
)


def pages() -> dict[str, str]:
    """The pages' texts by the names of their files."""
    parser = make_parser({})
    commands = commands_of(parser)
    about = {each.dest: each.help or "" for each in _choices(parser)._choices_actions}
    found = {"ftdist.1": _page("ftdist", str(parser.description), parser, _listed(about))}
    for name, each in commands.items():
        found[f"ftdist-{name}.1"] = _page(f"ftdist-{name}", about[name], each, "")
    return found


def _choices(
    parser: argparse.ArgumentParser,
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    (found,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    return found


def commands_of(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """The parsers of the commands, by name."""
    return _choices(parser).choices


def _listed(about: Mapping[str, str]) -> str:
    """The commands, each with its page."""
    lines = (
        f".TP\n.BR ftdist\\-{_plain(name)} (1)\n{_plain(text)}" for name, text in about.items()
    )
    return "\n".join([".SH COMMANDS", *lines, ""])


def _page(name: str, about: str, parser: argparse.ArgumentParser, commands: str) -> str:
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    statuses = (f".TP\n{status}\n{_plain(text)}" for status, text in _STATUSES)
    return "\n".join(
        [
            f'.TH {_plain(name.upper())} 1 "" "ftdist {__version__}"',
            f".SH NAME\n{_plain(name)} \\- {_plain(about.rstrip('.'))}",
            f".SH SYNOPSIS\n{_plain(usage)}",
            ".SH DESCRIPTION",
            *_paragraphs(parser.description or about),
            *_options(parser),
            commands + ".SH EXIT STATUS",
            *statuses,
            ".SH SEE ALSO\n.BR ftdist (1)\n" if not commands else "",
        ]
    )


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs are filled, except indented ones, which are examples."""
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ".PP"
        lines = "\n".join(_plain(line) for line in paragraph.splitlines())
        yield f".nf\n{lines}\n.fi" if paragraph.startswith(" ") else lines


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield ".SH OPTIONS"
    formatter = parser._get_formatter()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) or action.help is argparse.SUPPRESS:
            continue
        default = action.metavar or action.dest.upper()
        shown = formatter._format_args(action, str(default)) if action.nargs != 0 else ""
        if action.option_strings:
            words = ", ".join(f"\\fB{_plain(each)}\\fR" for each in action.option_strings)
            shown = f"{words} \\fI{_plain(shown)}\\fR" if shown else words
        else:
            shown = f"\\fI{_plain(shown)}\\fR"
        yield f".TP\n{shown}\n{_plain(action.help or '')}"


def _plain(text: str) -> str:
    """Text that roff prints as it stands."""
    safe = text.replace("\\", "\\e").replace("-", "\\-").replace("%%", "%")
    return f"\\&{safe}" if safe[:1] in (".", "'") else safe


def main() -> None:
    folder = Path(sys.argv[1])
    os.environ["NO_COLOR"] = "1"
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
