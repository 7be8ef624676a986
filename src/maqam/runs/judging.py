"""Summaries of finished runs given to a judge; its record goes beside their scores."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from maqam.errors import RunError
from maqam.evaluate.hypotheses import read_hypotheses
from maqam.evaluate.judge import Judging, prefer, rate
from maqam.files import write_json
from maqam.progress import Bars
from maqam.run_layout import RunLayout
from maqam.tasks import summary_tasks, tasks_in


def judge_run(
    run: Path, other: Path | None, judging: Judging, bars: Bars, *, split: str = "test"
) -> tuple[dict[str, Any], Path]:
    """Have the summaries of a run rated, or held against those of another run.

    Args:
        run: A scored run.
        other: The run it is held against; None to have it rated.
        judging: How.
        bars: Opens a progress bar for a stage.
        split: Split that was decoded.

    Returns:
        The record, and the file in `run` that holds it.

    Raises:
        RunError: If a run was not scored, or the judging fails.
    """
    judging = replace(judging, tasks=summary_tasks(tasks_in(run)))
    files = RunLayout(run).evaluation(split)
    columns = read_hypotheses(files.folder)
    if other is None:
        with bars("ask the judge") as progress:
            record = rate(columns, judging, progress)
        file = files.judgement()
    else:
        if other.resolve() == run.resolve():
            raise RunError(
                "a run cannot be held against itself", where=str(run), hint="name another run"
            )
        rival = read_hypotheses(RunLayout(other).evaluation(split).folder)
        with bars("ask the judge, in both orders") as progress:
            record = {**prefer(columns, rival, judging, progress), "against": other.name}
        file = files.judgement(other.name)
    write_json(file, record)
    return record, file
