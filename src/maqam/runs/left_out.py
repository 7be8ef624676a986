"""Rows that a model does not take: counted by task and reason, said, and written down."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa

from maqam.data.manifest import Manifest
from maqam.files import write_records
from maqam.run_layout import LEFT_OUT
from maqam.train.rows import UnfitRow

WAYS_ON = "data.where or maqam data check --fix takes them out of the data"

Counts = Mapping[str, Mapping[str, int]]  # rows by task, then by reason


def counted(unfit: Sequence[UnfitRow], manifest: Manifest) -> dict[str, dict[str, int]]:
    """Count rows by task and by reason, tasks by name and the most frequent reason first."""
    tasks = manifest.column("task")
    pairs: Iterable[tuple[str, str]] = ((str(tasks[one.row]), one.kind) for one in unfit)
    counts: dict[str, dict[str, int]] = {}
    for (task, kind), count in Counter(pairs).most_common():
        counts.setdefault(task, {})[kind] = count
    return dict(sorted(counts.items()))


def sentence(counts: Counts, num_rows: int) -> str:
    """Say how many rows of each task are left out and why.

    Examples:
        >>> sentence({"asr": {"audio too long": 2, "audio too short": 1}}, 10).partition(";")[0]
        '3 of 10 utterances left out: asr 2 audio too long, 1 audio too short (left_out.jsonl)'
    """
    told = [
        f"{task} " + ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        for task, kinds in counts.items()
    ]
    total = sum(count for kinds in counts.values() for count in kinds.values())
    named = " / ".join(told)
    return f"{total} of {num_rows} utterances left out: {named} ({LEFT_OUT}); {WAYS_ON}"


def write_left_out(unfit: Sequence[UnfitRow], manifest: Manifest, folder: Path) -> None:
    """Write the id, task and reason of each row as a JSON line; no file where there is none."""
    file = folder / LEFT_OUT
    if not unfit:
        file.unlink(missing_ok=True)  # of a manifest as it was before
        return
    known = manifest.table.select(["id", "task"]).take(pa.array([one.row for one in unfit]))
    rows = zip(unfit, known.to_pylist(), strict=True)
    write_records(file, ({**names, **asdict(one)} for one, names in rows))
