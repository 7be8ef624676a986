"""Failures that a user can mend, each one sentence and a hint.

A `MaqamError` is for what a user can cause: the command line prints it without a traceback and
exits with 1. What a caller in Python got wrong stays a `ValueError` or `TypeError`.
"""

from collections.abc import Sequence


class MaqamError(Exception):
    """Base of the errors that the command line prints as one sentence.

    Args:
        problem: What is wrong, with the value that is wrong in it.
        where: The file and line, config key or step where it was met.
        hint: What the user can do next.

    Examples:
        >>> str(MaqamError("no such task 'asrr'", where="recipe.yaml: task", hint="use asr"))
        "recipe.yaml: task: no such task 'asrr'"
    """

    exit_code = 1

    def __init__(self, problem: str, *, where: str = "", hint: str = "") -> None:
        self.problem, self.where, self.hint = problem, where, hint
        super().__init__(f"{where}: {problem}" if where else problem)


class ConfigError(MaqamError):
    """A recipe or a command-line setting that cannot be followed."""


class ManifestError(MaqamError):
    """A manifest, or a row of one, that breaks the schema."""


class AudioError(MaqamError):
    """An audio file that cannot be read as it was described.

    Args:
        problem: What is wrong.
        where: The file.
        hint: What the user can do next.
        kind: What is wrong in a word or two, the same for all files with this fault.
    """

    def __init__(
        self, problem: str, *, where: str = "", hint: str = "", kind: str = "unreadable audio"
    ) -> None:
        self.kind = kind
        super().__init__(problem, where=where, hint=hint)


class ScheduleError(MaqamError):
    """A schedule that the pool cannot serve, or a plan that no longer fits its pool."""


class ModelError(MaqamError):
    """A checkpoint that is missing, broken or of another architecture."""


class StoreError(MaqamError):
    """A feature store that is half written or made from other inputs."""


class RunError(MaqamError):
    """A run folder that cannot be written, resumed, scored or reported."""


class MissingExtraError(MaqamError):
    """A library that is not installed, and that an extra of Maqam brings."""


class MaqamWarning(UserWarning):
    """A setting that has no effect, or a result the user should read with care."""


def first_few(values: Sequence[object], most: int = 5) -> str:
    """List the first values of many faults of one kind, and count the rest.

    Examples:
        >>> first_few(["a", "b"])
        "'a', 'b'"
        >>> first_few(list(range(8)))
        '0, 1, 2, 3, 4 and 3 more'
    """
    shown = ", ".join(repr(value) for value in values[:most])
    left = len(values) - most
    return f"{shown} and {left} more" if left > 0 else shown


def first_line(error: BaseException) -> str:
    r"""Return the first line of what an error says, or its name where it says nothing.

    Examples:
        >>> first_line(ValueError("one\ntwo")), first_line(MemoryError())
        ('one', 'MemoryError')
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
