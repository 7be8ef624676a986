"""Answers and references in sclite's `trn` form: a line an utterance, its id in parentheses.

In that form `{` begins alternatives, the word `@` is no word, and a line that begins with `;;` is
a comment; a text that holds one of them is refused by its id, since there is no way to spell it.
"""

from collections.abc import Sequence
from pathlib import Path

from maqam.errors import RunError, first_few
from maqam.files import write_text
from maqam.score.labels import Columns
from maqam.tasks import Tasks
from maqam.text.profiles import normalize


def write_trn(columns: Columns, tasks: Tasks, profile: str, folder: Path) -> list[Path]:
    """Write `hyp.trn` and `ref.trn` of all answers that are scored by their words.

    Args:
        columns: Columns of hypotheses.parquet.
        tasks: The tasks that there are.
        profile: Normalizer profile that both are written under.
        folder: Where they go.

    Returns:
        The two files.

    Raises:
        RunError: If no task is scored by WER, or an id or a text cannot be written.
    """
    rows = [row for row, task in enumerate(columns["task"]) if "wer" in tasks[task].metrics]
    if not rows:
        raise RunError(
            "no task here is scored by WER, and trn is of words",
            where="--trn",
            hint="name wer among the metrics of a task",
        )
    ids = [str(columns["id"][row]) for row in rows]
    _refuse([name for name in ids if set(name) & set("()") or name.split() != [name]], "ids", "")
    files = []
    for name, column in (("hyp.trn", "hypothesis"), ("ref.trn", "reference")):
        texts = [" ".join(normalize(columns[column][row], profile).split()) for row in rows]
        pairs = list(zip(ids, texts, strict=True))
        _refuse([one for one, text in pairs if _is_special(text)], f"{column} texts", profile)
        file = folder / name
        write_text(file, "".join(f"{text} ({one})\n" for one, text in pairs))
        files.append(file)
    return files


def _is_special(text: str) -> bool:
    return "{" in text or text.startswith(";;") or "@" in text.split()


def _refuse(names: Sequence[str], what: str, profile: str) -> None:
    if not names:
        return
    held = "{, ;; or the word @" if profile else "spaces or parentheses"
    hint = f"{profile} keeps them: --profile leaderboard-v3 does not" if profile else "rename them"
    raise RunError(
        f"{len(names)} {what} hold {held}, which mean something else in trn: {first_few(names)}",
        where="--trn",
        hint=hint,
    )
