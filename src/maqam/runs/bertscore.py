"""BERTScore of a finished run's summaries; its record goes beside their scores."""

from pathlib import Path
from typing import Any

from maqam.evaluate.bertscore import BertScorer, score_summaries
from maqam.evaluate.hypotheses import read_hypotheses
from maqam.files import write_json
from maqam.progress import Bars
from maqam.run_layout import RunLayout
from maqam.tasks import tasks_in


def score_run_meaning(
    run: Path, encoder: Path, bars: Bars, *, layer: int | None = None, split: str = "test"
) -> tuple[dict[str, Any], Path]:
    """Return the BERTScore of a scored run's summaries.

    Args:
        run: The run.
        encoder: Folder of a text encoder.
        bars: Opens a progress bar for a stage.
        layer: Hidden layer that is compared; the last when absent.
        split: Split that was decoded.

    Returns:
        The record, and the file that holds it.

    Raises:
        RunError: If the run was not scored, or has no summary.
        ModelError: If the encoder cannot be read, or has no such layer.
    """
    files = RunLayout(run).evaluation(split)
    columns = read_hypotheses(files.folder)
    scorer = BertScorer(encoder, layer)
    with bars("compare summaries") as progress:
        scores = score_summaries(columns, scorer, tasks=tasks_in(run), progress=progress)
    record = {"model": str(encoder), **scores}
    write_json(files.bertscore, record)
    return record, files.bertscore
