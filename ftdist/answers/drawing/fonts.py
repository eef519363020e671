"""Letters for names in any script.

Pillow brings a font with Latin letters. Where a name has others, fontconfig is asked, once, for a
font of the system that has them; where there is none, a class is drawn by its number. Letters are
set one beside the other: scripts that join or reorder them (Arabic, Devanagari) stay readable but
are not set as they should be. That would need Pillow with libraqm, which is not everywhere.

fontconfig answers in a process of its own, for its tables would stay in this one.
"""

from __future__ import annotations

import io
import os
import select
import signal
import time
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont, ImageFont

ASKING_BYTES = 12 << 20
"""What fontconfig's process holds, and the font's tables here."""

_PROGRAMS = ("/usr/bin/fc-match", "/usr/local/bin/fc-match", "/bin/fc-match")
_PATIENCE_S = 5.0
_TESTED_AT = 16
_NOBODYS = "\U0010fffe"
"""A character that no font has: it is drawn as what is missing is."""


@dataclass(frozen=True, slots=True)
class Font:
    """A font file, and which of its faces; without a file Pillow's own."""

    file: str = ""
    face: int = 0

    def sized(self, letters: int) -> FreeTypeFont | ImageFont:
        """The font, letters about so many pixels high."""
        return _sized(self.file, self.face, letters)

    def has(self, text: str) -> bool:
        """Whether it has a picture of its own for each character."""
        font = self.sized(_TESTED_AT)
        nobodys = bytes(font.getmask(_NOBODYS))
        seen = (each for each in set(text) if not each.isspace())
        return all(bytes(font.getmask(each)) != nobodys for each in seen)


OWN = Font()


@lru_cache(maxsize=16)
def _sized(file: str, face: int, letters: int) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    layout = ImageFont.Layout.BASIC
    if file:
        return ImageFont.truetype(file, letters, face, layout_engine=layout)
    own = _own(_TESTED_AT)
    if isinstance(own, ImageFont.FreeTypeFont):
        return ImageFont.truetype(io.BytesIO(own.font_bytes), letters, layout_engine=layout)
    return own


@cache
def _own(letters: int) -> FreeTypeFont | ImageFont:
    """Pillow's font; one of fixed size where Pillow was built without FreeType."""
    from PIL import ImageFont

    return ImageFont.load_default(size=letters)


def font_for(text: str, *, may_ask: bool = True) -> Font | None:
    """A font that has all characters of a text; None where there is none, or no asking for it."""
    if text.isascii() or OWN.has(text):
        return OWN
    return _systems(frozenset(text)) if may_ask else None


@lru_cache(maxsize=128)
def _systems(characters: frozenset[str]) -> Font | None:
    codes = sorted(f"{ord(each):x}" for each in characters if not each.isspace())
    answer = _asked(f"sans-serif:scalable=true:charset={' '.join(codes)}")
    file, _, face = answer.partition("\n")
    if not Path(file).is_file() or not face.strip().isdecimal():
        return None
    font = Font(file, int(face) & 0xFFFF)
    try:
        return font if font.has("".join(characters)) else None
    except (OSError, ValueError):
        return None


def _asked(pattern: str) -> str:
    """What fc-match says of the best font for a pattern; nothing where it does not answer."""
    program = next((each for each in _PROGRAMS if os.access(each, os.X_OK)), None)
    if program is None:
        return ""
    reading, writing = os.pipe()
    command = [program, "--format", "%{file}\n%{index}", pattern]
    silent = (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0)
    try:
        actions = [(os.POSIX_SPAWN_DUP2, writing, 1), silent]
        child = os.posix_spawn(program, command, dict(os.environ), file_actions=actions)
    except OSError:
        os.close(reading)
        return ""
    finally:
        os.close(writing)
    try:
        return _read(reading, time.monotonic() + _PATIENCE_S)
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)  # it has answered, or will not
        os.waitpid(child, 0)


def _read(handle: int, until_s: float) -> str:
    answer = b""
    while len(answer) < 1 << 16:
        left_s = max(0.0, until_s - time.monotonic())
        if not select.select([handle], [], [], left_s)[0]:
            return ""
        piece = os.read(handle, 4096)
        if not piece:
            break
        answer += piece
    return os.fsdecode(answer)
