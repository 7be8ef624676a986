"""What is wrong with a manifest's rows, audio and splits: all findings, never just the first."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from maqam.data.audio import SAMPLE_RATE, read_audio
from maqam.data.manifest import FILE_NAME, Manifest, write_manifest
from maqam.data.schema import row_faults
from maqam.errors import AudioError, ManifestError
from maqam.files import write_text
from maqam.inspection.leaks import shared_values
from maqam.progress import Progress
from maqam.tasks import default_tasks

REJECTS_NAME = "rejects.jsonl"

_CLIPPED_SHARE = 0.01
_SHORT_SECONDS = 0.1
_WINDOW_ROWS = 512  # rows handed to the threads at a time, so that Ctrl-C is heard soon


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found about one utterance.

    Attributes:
        row: Its row in the manifest.
        id: Its id, or "row 3" where it has none.
        kind: Such as "unreadable audio".
        text: What was found.
        is_fatal: Whether the utterance cannot be used; else it is a remark.
    """

    row: int
    id: str
    kind: str
    text: str
    is_fatal: bool


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All findings of a manifest.

    Attributes:
        num_utterances: Utterances looked at.
        findings: What was found, in the order of the manifest.
    """

    num_utterances: int
    findings: tuple[Finding, ...]

    @property
    def rejected_rows(self) -> np.ndarray:
        """(num_rejected,) int64 rows that cannot be used, ascending."""
        return np.unique(np.array([one.row for one in self.findings if one.is_fatal], np.int64))

    @property
    def rejected_ids(self) -> list[str]:
        """Ids of the rows that cannot be used, one for each row."""
        fatal = {finding.row: finding.id for finding in self.findings if finding.is_fatal}
        return [fatal[row] for row in sorted(fatal)]

    def counts(self) -> dict[str, int]:
        """Return the number of findings by kind, the most frequent first."""
        return dict(Counter(finding.kind for finding in self.findings).most_common())


def check_manifest(
    manifest: Manifest,
    *,
    read: bool = True,
    num_workers: int | None = None,
    progress: Progress | None = None,
) -> CheckReport:
    """Look at every utterance of a manifest: its row, its audio, and what splits share.

    Args:
        manifest: The utterances; open it with `check_rows=False` to have faulty rows listed.
        read: Whether to decode all audio, or only look whether files are there.
        num_workers: Threads that decode; one for each core when absent.
        progress: Called with the utterances done and their total.
    """
    found = list(_row_findings(manifest))
    is_sound = np.ones(manifest.num_utterances, dtype=bool)
    is_sound[[row for row, *_ in found]] = False
    look = _read_clip if read else _find_clip
    with ThreadPoolExecutor(num_workers or os.cpu_count() or 1) as threads:
        for first in range(0, manifest.num_utterances, _WINDOW_ROWS):
            clips = [clip for clip in _clips(manifest, first) if is_sound[clip.row]]
            for clip, findings in zip(clips, threads.map(look, clips), strict=True):
                found += [(clip.row, *finding) for finding in findings]
            if progress is not None:
                done = min(first + _WINDOW_ROWS, manifest.num_utterances)
                progress(done, manifest.num_utterances)
    found += [(row, kind, text, False) for row, kind, text in shared_values(manifest)]
    found.sort(key=lambda finding: finding[0])
    ids = manifest.table.column("id").take(pa.array([row for row, *_ in found], pa.int64()))
    return CheckReport(
        manifest.num_utterances,
        tuple(
            Finding(row, name or f"row {row}", kind, text, is_fatal)
            for (row, kind, text, is_fatal), name in zip(found, ids.to_pylist(), strict=True)
        ),
    )


def _row_findings(manifest: Manifest) -> Iterator[tuple[int, str, str, bool]]:
    for fault in row_faults(manifest.table, manifest.tasks):
        for row, values in zip(fault.rows.tolist(), manifest.rows(fault.rows), strict=True):
            yield row, fault.kind, fault.describe(values), True


@dataclass(frozen=True, slots=True)
class _Clip:
    row: int
    path: Path
    start: float
    seconds: float


def _clips(manifest: Manifest, first: int) -> Iterator[_Clip]:
    """Yield the audio of a window of rows; rows without audio have none."""
    table = manifest.table.slice(first, _WINDOW_ROWS).select(["audios", "start", "seconds"])
    for row, values in enumerate(table.to_pylist(), start=first):
        if values["audios"] and values["audios"][0]:
            path = manifest.folder / values["audios"][0]
            yield _Clip(row, path, values["start"], values["seconds"])


def _find_clip(clip: _Clip) -> list[tuple[str, str, bool]]:
    if clip.path.is_file():
        return []
    return [("missing audio", f"{clip.path}: the file is missing", True)]


def _read_clip(clip: _Clip) -> list[tuple[str, str, bool]]:
    missing = _find_clip(clip)
    if missing:
        return missing
    try:
        samples = read_audio(clip.path, start=clip.start, seconds=clip.seconds)
    except AudioError as error:
        return [("unreadable audio", str(error), True)]
    return list(_remarks(samples))


def _remarks(samples: np.ndarray) -> Iterator[tuple[str, str, bool]]:
    loudness = np.abs(samples)
    if not loudness.any():
        yield "silent audio", "all samples are zero", False
    clipped = float((loudness >= 0.999).mean())
    if clipped > _CLIPPED_SHARE:
        yield "clipped audio", f"{clipped:.1%} of the samples are at full scale", False
    if len(samples) < _SHORT_SECONDS * SAMPLE_RATE:
        yield "short audio", f"{len(samples) / SAMPLE_RATE:.3f} s", False


def write_sound_rows(manifest: Manifest, report: CheckReport, folder: Path) -> tuple[Path, Path]:
    """Write the utterances that can be used, and the others with their reasons.

    Args:
        manifest: The utterances.
        report: What was found in them.
        folder: Gets manifest.parquet, with absolute audio paths, and rejects.jsonl: one line for
            each rejected row with all its reasons, so that both files add up to the manifest.

    Raises:
        ManifestError: If the folder is the manifest's own, or a file cannot be written.
    """
    file, rejects = folder / FILE_NAME, folder / REJECTS_NAME
    if file.resolve() == manifest.path.resolve():
        raise ManifestError(
            "the sound rows would replace the manifest they come from",
            where=str(file),
            hint="choose another folder",
        )
    is_sound = np.ones(manifest.num_utterances, dtype=bool)
    is_sound[report.rejected_rows] = False
    table = manifest.table.filter(pa.array(is_sound))
    audios = [
        [str((manifest.folder / path).resolve()) for path in paths]
        for paths in table.column("audios").to_pylist()
    ]
    index = table.column_names.index("audios")
    column = pa.array(audios, pa.list_(pa.string()))
    own = manifest.tasks if manifest.tasks != default_tasks() else None
    path = write_manifest(table.set_column(index, "audios", column), folder, own)
    text = "".join(f"{line}\n" for line in _rejected(report))
    write_text(rejects, text, error=ManifestError)
    return path, rejects


def _rejected(report: CheckReport) -> list[str]:
    """Return a JSON line for each rejected row, in the order of the manifest."""
    reasons: dict[int, dict[str, Any]] = {}
    for finding in report.findings:
        if finding.is_fatal:
            entry = {"row": finding.row, "id": finding.id, "reasons": []}
            reason = {"kind": finding.kind, "text": finding.text}
            reasons.setdefault(finding.row, entry)["reasons"].append(reason)
    return [json.dumps(reasons[row], ensure_ascii=False) for row in sorted(reasons)]
