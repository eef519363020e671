"""The characters that a network tells apart, laid out as its classes are.

Who publishes a network that reads text publishes its characters, one a line, mostly without what is
none: then there is one class more (a blank, or what ends a line), or two more: PaddleOCR puts a
space behind the last character.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from ftdist.answers.names import FoundNames, files_beside, text_of_names
from ftdist.errors import InputError
from ftdist.network.task import Task
from ftdist.wording import counted

UNWRITTEN = ""
"""What stands for a class that is no character."""

_CALLED = frozenset({"blank", "[blank]", "<blank>", "<blk>", "[pad]", "<pad>", "[unk]", UNWRITTEN})
_CALLED_AT_AN_END = _CALLED | {"-", "_", "~", "#", "·", "[s]", "[e]", "[eos]", "<eos>", "</s>"}
"""What files call it, where there are as many lines as classes."""


def laid_out(characters: Sequence[str], task: Task) -> tuple[str, ...] | None:
    """One for each class of the task; None where there are too few or too many."""
    missing = task.classes - len(characters)
    if missing == 0 and characters:
        return _with_unwritten(tuple(characters), task)
    if missing == 2:
        characters = (*characters, " ")
    elif missing != 1:
        return None
    if task.layout == "blank_last":
        return (*characters, UNWRITTEN)
    return (UNWRITTEN, *characters)


def fitting(characters: Sequence[str], task: Task, where: object) -> tuple[str, ...]:
    """The same; InputError, which calls them by `where` they are from, where they do not suit."""
    found = laid_out(characters, task)
    if found is None:
        raise InputError(
            f"{where}: {counted(len(characters), 'character')} for "
            f"{counted(task.classes, 'class', 'classes')}; there must be one less (a class is the "
            "blank), two less (another is a space) or as many (with the blank's own line)"
        )
    return found


def laid_out_again(alphabet: Sequence[str], task: Task) -> tuple[str, ...]:
    """An alphabet as another layout of the task has it."""
    if not alphabet:
        return ()
    written = [each for each in alphabet if each != UNWRITTEN]
    return laid_out(written, task) or tuple(alphabet)


def found_characters(
    network: Path, task: Task, given: Path | None, inside: Sequence[str]
) -> FoundNames:
    """The alphabet of a network in a file: the one that is given, that `inside` the file, or one in
    a file beside it. InputError where the first does not suit."""
    if given is not None:
        return FoundNames(fitting(read_characters(given), task, given), "given", "")
    if own := laid_out(inside, task):
        return FoundNames(own, "inside", "")
    for path in files_beside(network) if network.is_file() else ():
        try:
            found = laid_out(read_characters(path), task) if path.is_file() else None
        except InputError:
            continue
        if found is not None:
            return FoundNames(found, "beside", f"the characters are taken from {path}")
    return FoundNames((), "none", "")


def read_characters(path: str | Path) -> tuple[str, ...]:
    """The characters in a file: one a line, all of them in one line, or a list in JSON.

    A line of spaces is a space, an empty one no character.
    """
    text = text_of_names(path)
    lines = [each.removesuffix("\r") for each in text.removesuffix("\n").split("\n")]
    return _of_json(text) or tuple(lines[0] if len(lines) == 1 else lines)


def _of_json(text: str) -> tuple[str, ...]:
    """A list of characters, or an object with one under "charset"; else nothing."""
    if text.lstrip()[:1] not in ("[", "{"):
        return ()
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    if isinstance(value, dict):
        value = value.get("charset")
    is_list = isinstance(value, list) and all(type(each) is str for each in value)
    return tuple(value) if is_list else ()


def _with_unwritten(characters: tuple[str, ...], task: Task) -> tuple[str, ...]:
    """With what is none of them marked: at the end where it is called so, or is expected."""
    ends = (0, len(characters) - 1)
    for called in (_CALLED, _CALLED_AT_AN_END):
        for at in reversed(ends) if task.layout == "blank_last" else ends:
            if characters[at].strip().lower() in called and not characters[at].isspace():
                return (*characters[:at], UNWRITTEN, *characters[at + 1 :])
    if task.layout == "no_blank":
        return characters
    at = ends[task.layout == "blank_last"]
    return (*characters[:at], UNWRITTEN, *characters[at + 1 :])
