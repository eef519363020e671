"""The errors a user can cause, each with the exit status that the command line gives it.

Whoever raises one writes the single line that the user will read: what is wrong, where, and what
to do about it. Anything else that reaches the command line is a bug of ours.
"""


class FtdistError(Exception):
    """Base of every expected failure; exit status 1 unless a subclass says otherwise."""

    exit_status = 1


class InputError(FtdistError):
    """A file, argument or notation that cannot be used as it is; exit status 2."""

    exit_status = 2


class OutputError(FtdistError):
    """The place where results go takes no more, as a full disk does: no input's fault; exit
    status 2."""

    exit_status = 2


class BudgetError(FtdistError):
    """No plan fits the budget; exit status 3.

    smallest_bytes is the smallest budget that would do.
    """

    exit_status = 3

    def __init__(self, message: str, smallest_bytes: int) -> None:
        super().__init__(message)
        self.smallest_bytes = smallest_bytes
