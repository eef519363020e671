"""What holds threads, files or memory until it is closed, by hand or at the end of a ``with``."""

from __future__ import annotations

from typing import Self


class Closing:
    """Closes at the end of a ``with``, whatever happened in it."""

    def close(self) -> None:
        """Gives back what is held; a second time does nothing."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
