"""Calling the command line in this process and reading what it said."""

import io
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from maqam.cli.main import main


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    out: str
    err: str

    def line(self, kind: str) -> str:
        """Return the one line of stderr that begins with `kind`."""
        found = [line for line in self.err.splitlines() if line.startswith(f"{kind}: ")]
        assert len(found) == 1, self.err
        return found[0]


def maqam(*words: str | Path) -> Result:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([str(word) for word in words])
    return Result(code, out.getvalue(), err.getvalue())


def assert_refused(result: Result, *words: str) -> None:
    """Hold a failure to one line of what is wrong, one of what to do, and exit code 1."""
    assert result.code == 1, result.err
    error = result.line("error")
    assert len(result.line("hint")) > len("hint: ")
    assert "Traceback" not in result.err
    missing = [word for word in words if word not in error]
    assert not missing, error
