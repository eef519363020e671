"""What is wrong with a picture, in words for people: ours as they are, Pillow's as Pillow's."""

from __future__ import annotations

_MOST_LETTERS = 80


def reason_of(error: Exception) -> str:
    """A decoder's error on one line; they raise nearly anything, also what is meant for nobody."""
    if isinstance(error, OSError) and error.errno:
        return str(error.strerror)
    text = " ".join(str(error).split())
    if not _is_of_pillow(error):
        return text or type(error).__name__
    if text.startswith(("b'", 'b"')):
        text = text[2:-1]
    return f"it is damaged, or of an unusual kind ({text[:_MOST_LETTERS] or type(error).__name__})"


def _is_of_pillow(error: Exception) -> bool:
    """Whether it was raised there."""
    trace, module = error.__traceback__, ""
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        trace = trace.tb_next
    return module.partition(".")[0] == "PIL"
