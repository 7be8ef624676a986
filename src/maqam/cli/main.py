"""`maqam`: the entry point, and how failures reach the user.

Commands import their work when they run, so `maqam --help` answers at once.
"""

import errno
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from maqam.cli import diagnose, docs, judge, plan, pocket, report, runs, score, study
from maqam.cli.data import catalog, imports, manifests, pooling
from maqam.cli.model import compose, deploy, families, units
from maqam.errors import MaqamError
from maqam.extras import missing_extra
from maqam.version import own_commit, version

INTERRUPTED = 130

app = typer.Typer(
    name="maqam",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"maqam {version()} ({own_commit() or 'released'})")
        raise typer.Exit


@app.callback()
def common(
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print version and commit."
        ),
    ] = False,
) -> None:
    """Decide which utterances an audio LLM trains on at each step, and measure the effect."""


app.command("demo")(study.demo)
manifests.app.command("taxonomy")(catalog.taxonomy)
manifests.app.command("import")(imports.import_from)
manifests.app.command("catalog")(catalog.catalog)
manifests.app.command("merge")(pooling.merge)
manifests.app.command("split")(pooling.split)
manifests.app.command("select")(pooling.select)
app.add_typer(manifests.app, name="data")
app.command("features")(runs.features)
app.add_typer(plan.app, name="plan")
app.command("train")(runs.train)
app.command("eval")(runs.evaluate)
app.command("score")(score.score)
app.command("judge")(judge.judge)
app.command("compare")(report.compare)
app.command("diagnose")(diagnose.diagnose)
app.command("study")(study.study)
app.command("report")(report.report)
app.command("docs")(docs.docs)
compose.app.command("units")(units.units)
compose.app.command("families")(families.families)
compose.app.command("export")(deploy.export)
app.add_typer(compose.app, name="model")
app.add_typer(pocket.app, name="pocket")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Words after `maqam`; those of the process when absent.

    Returns:
        0 on success, 1 for what the user can mend, 2 for a wrong call, 130 after Ctrl-C.
    """
    try:
        code = app(args=arguments, standalone_mode=False)
    except MaqamError as error:
        _say(str(error), error.hint)
        return error.exit_code
    except ModuleNotFoundError as error:
        absent = missing_extra(error)
        if absent is None:
            raise
        _say(str(absent), absent.hint)
        return absent.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        _say(f"{error.filename or 'output'}: the disk is full", "free some space and run again")
        return MaqamError.exit_code
    except Exception as error:
        show = getattr(error, "show", None)  # a wrong call, which typer words itself
        if show is None:
            raise
        show()
        return int(getattr(error, "exit_code", 2))
    if code == INTERRUPTED:  # what typer gives for Ctrl-C in a command, without a word
        _say("interrupted", "run the same command again; add --resume to a training")
    return code if isinstance(code, int) else 0


def _say(problem: str, hint: str) -> None:
    print(f"error: {problem}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)


def run() -> None:
    """Entry point of the installed command."""
    sys.exit(main())
