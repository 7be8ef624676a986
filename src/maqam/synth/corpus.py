"""Make the embedded corpus in a folder: plan it, speak it, write its manifest and its card.

A folder is either complete or absent: all files are written to a hidden sibling folder that is
renamed at the end. A folder that already holds the corpus of the same settings is reused.
"""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pyarrow as pa

from maqam.data.manifest import FILE_NAME, SCHEMA, write_manifest
from maqam.errors import ConfigError, MaqamError
from maqam.files import whole_folder, writing
from maqam.progress import Progress
from maqam.synth import acoustics, espeak, voices
from maqam.synth.card import card
from maqam.synth.plan import PlannedUtterance, plan_corpus
from maqam.synth.prosody import speaker_id
from maqam.synth.render import Job, as_line
from maqam.synth.settings import SynthSettings
from maqam.tasks import default_tasks

FORMAT_VERSION = 1
_DATA_FILES = ("lexicon.tsv", "sentences.txt", "stories.txt")
_SCHEMA = pa.schema(
    [
        *SCHEMA,
        *((name, pa.string()) for name in ("text", "emotion", "noise")),
        *((name, pa.float64()) for name in ("snr_db", "rt60_seconds")),
    ]
)


def fingerprint(settings: SynthSettings) -> str:
    """Return the hex digest of what decides the corpus: settings, words, code format, espeak."""
    digest = hashlib.blake2b(digest_size=16)
    head = [FORMAT_VERSION, settings.as_dict(), espeak.version()]
    digest.update(json.dumps(head, sort_keys=True).encode())
    for name in _DATA_FILES:
        digest.update(resources.files(__package__).joinpath(name).read_bytes())
    return digest.hexdigest()


def make_corpus(
    folder: str | Path,
    settings: SynthSettings,
    *,
    num_workers: int | None = None,
    progress: Progress | None = None,
    force: bool = False,
) -> Path:
    """Make the synthetic corpus, or reuse it where the folder holds the same one.

    Args:
        folder: Folder to make; gets `manifest.parquet`, `corpus.json`, `README.md` and `audio/`.
        settings: Its size, noise and seed.
        num_workers: Processes that speak; None takes one for each CPU. The bytes of the corpus
            do not depend on it.
        progress: Called with the utterances spoken so far and their total.
        force: Replace a corpus of other settings that the folder holds.

    Returns:
        The folder.

    Raises:
        ConfigError: If the folder holds something else.
        MaqamError: If the synthesizer is missing or fails.
    """
    folder = Path(folder)
    wanted = fingerprint(settings)
    if _is_reusable(folder, wanted, force=force):
        return folder
    with writing(folder, "the corpus", error=MaqamError), whole_folder(folder) as draft:
        _fill(draft, settings, wanted, num_workers or os.cpu_count() or 1, progress)
    return folder


def _fill(
    draft: Path, settings: SynthSettings, wanted: str, num_workers: int, progress: Progress | None
) -> None:
    """Write all files of the corpus; its record comes last."""
    utterances = list(plan_corpus(settings))
    jobs = [utterance.job for utterance in utterances if utterance.job is not None]
    lengths: dict[str, int] = {}
    (draft / "audio").mkdir()
    workers = max(1, min(num_workers, len(jobs)))
    for name, length in _speak_all(jobs, draft / "audio", settings.seed, workers):
        lengths[name] = length
        if progress is not None:
            progress(len(lengths), len(jobs))
    rows = [_row(utterance, lengths) for utterance in utterances]
    write_manifest(pa.Table.from_pylist(rows, schema=_SCHEMA), draft)
    (draft / "README.md").write_text(card(utterances, lengths, settings), encoding="utf-8")
    record = {
        "format_version": FORMAT_VERSION,
        "fingerprint": wanted,
        "synthetic": True,
        "espeak_ng": espeak.version(),
        "settings": settings.as_dict(),
    }
    (draft / "corpus.json").write_text(json.dumps(record, indent=1), encoding="utf-8")


def _is_reusable(folder: Path, wanted: str, *, force: bool) -> bool:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    record = folder / "corpus.json"
    if not record.is_file():
        raise ConfigError(
            "the folder is not empty and holds no synthetic corpus",
            where=str(folder),
            hint="choose a new folder",
        )
    try:
        held = json.loads(record.read_text("utf-8")).get("fingerprint")
    except (ValueError, AttributeError):
        held = None
    if held == wanted and (folder / FILE_NAME).is_file():
        return True
    if not force:
        raise ConfigError(
            "the folder holds a synthetic corpus made with other settings",
            where=str(folder),
            hint="choose a new folder, or replace it with --force",
        )
    return False


def _speak_all(
    jobs: list[Job], folder: Path, seed: int, num_workers: int
) -> Iterator[tuple[str, int]]:
    """Have worker processes speak the jobs; yields each id and its samples as it is done."""
    spoken = {job.variant for job in jobs}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with contextlib.ExitStack() as stack:
        data = stack.enter_context(voices.data_with(spoken, espeak.data_folder()))
        command = [sys.executable, "-m", f"{__package__}.render", str(folder), str(seed), str(data)]
        workers = []
        for index in range(num_workers):
            worker = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
            )
            feeder = threading.Thread(target=_feed, args=(worker, jobs[index::num_workers]))
            feeder.start()
            stack.callback(feeder.join)
            stack.callback(_end, worker)
            workers.append(worker)
        yield from _answers(workers, [len(jobs[at::num_workers]) for at in range(num_workers)])


def _answers(
    workers: list["subprocess.Popen[str]"], counts: list[int]
) -> Iterator[tuple[str, int]]:
    """Read the workers in turn: each has one answer per round until its jobs are done."""
    for turn in range(max(counts, default=0)):
        for worker, count in zip(workers, counts, strict=True):
            if turn >= count or worker.stdout is None:
                continue
            name, tab, length = worker.stdout.readline().partition("\t")
            if not tab:
                raise _failure(worker)
            yield name, int(length)


def _failure(worker: "subprocess.Popen[str]") -> MaqamError:
    said = worker.stderr.read().strip().splitlines() if worker.stderr else []
    return MaqamError(
        f"a synthesis worker stopped: {said[-1] if said else 'without a word'}",
        where="synthetic corpus",
        hint="check the free disk space, then run it again",
    )


def _feed(worker: "subprocess.Popen[str]", jobs: list[Job]) -> None:
    if worker.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError), worker.stdin:
        for job in jobs:
            worker.stdin.write(as_line(job))


def _end(worker: "subprocess.Popen[str]") -> None:
    worker.kill()
    worker.wait()
    for stream in (worker.stdout, worker.stderr):
        if stream is not None:
            stream.close()


def _row(utterance: PlannedUtterance, lengths: dict[str, int]) -> dict[str, object]:
    """Return the manifest row of an utterance."""
    job = utterance.job
    task = default_tasks()[utterance.task]
    prompt = task.prompts["ar"]
    question = f"<audio>{prompt}" if job else f"{prompt}\n{utterance.text}"
    return {
        "id": utterance.id,
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": utterance.target},
        ],
        "audios": [f"audio/{utterance.id}.flac"] if job else [],
        "task": utterance.task,
        "label": utterance.target if task.labels else None,
        "dialect": utterance.dialect,
        "speaker": speaker_id(utterance.variant) if utterance.variant else None,
        "source": "maqam-synth",
        "split": utterance.split,
        "start": 0.0,
        "seconds": lengths[utterance.id] / acoustics.SAMPLE_RATE if job else 0.0,
        "target": utterance.target,
        "synthetic": True,
        "text": utterance.text,
        "emotion": utterance.emotion,
        "noise": job.noise if job else None,
        "snr_db": job.snr_db if job else None,
        "rt60_seconds": job.rt60_seconds if job else None,
    }
