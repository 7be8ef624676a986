"""What a test set shares with training data: audio, near-duplicates of it, sentences, speakers.

Audio is compared as decoded to 16 kHz, so a name, a container or a copy hides nothing. The test
set is held in memory as fingerprints, the training data stream past it.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from maqam.data.audio import Clip, in_windows
from maqam.data.manifest import Manifest
from maqam.errors import ManifestError
from maqam.inspection.duplicates import Print, PrintIndex, fingerprint
from maqam.inspection.leaks import sentences, shown
from maqam.progress import Progress

SAME, NEAR, SENTENCE, SPEAKER = "same audio", "near-duplicate audio", "sentence", "speaker"
NUM_EXAMPLES = 5
FORMAT_VERSION = 1

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Side:
    """Rows of a manifest that are compared.

    Attributes:
        manifest: Where they are.
        rows: (num_rows,) row indexes, ascending.
        split: The split they are; all rows when None.
    """

    manifest: Manifest
    rows: np.ndarray
    split: str | None = None


@dataclass(frozen=True, slots=True)
class SharedPair:
    """Two utterances that share something.

    Attributes:
        train: Id of the first training utterance that has it.
        test: Id of the test utterance.
        text: What they share: the test set's audio file, a sentence or a speaker.
    """

    train: str
    test: str
    text: str


@dataclass(frozen=True, slots=True)
class Shared:
    """What two sets share of one kind.

    Attributes:
        kind: "same audio", "near-duplicate audio", "sentence" or "speaker".
        num_train: Training utterances that share it.
        num_test: Test utterances that share it.
        examples: The first test utterances, `NUM_EXAMPLES` at most.
    """

    kind: str
    num_train: int
    num_test: int
    examples: tuple[SharedPair, ...]


@dataclass(frozen=True, slots=True)
class OverlapReport:
    """What a test set shares with training data.

    Attributes:
        num_train: Training utterances.
        num_test: Test utterances.
        num_leaking: Test utterances that share audio or a sentence.
        shared: Counts and examples of each kind.
    """

    num_train: int
    num_test: int
    num_leaking: int
    shared: tuple[Shared, ...]

    @property
    def verdict(self) -> str:
        """One line for a report."""
        speakers = next(one.num_test for one in self.shared if one.kind == SPEAKER)
        known = f"{speakers} are by speakers of the training data"
        if self.num_leaking:
            share = 100 * self.num_leaking / self.num_test
            return (
                f"LEAK: {self.num_leaking} of {self.num_test} test utterances ({share:.1f} %) "
                f"share audio or a sentence with the training data; {known}"
            )
        return f"no shared audio or sentences; of {self.num_test} test utterances {known}"


def side(manifest: Manifest, split: str | None = None) -> Side:
    """Choose what is compared of a manifest.

    Args:
        manifest: The utterances.
        split: One split; all rows when absent.

    Raises:
        ManifestError: If there is no such utterance.
    """
    rows = manifest.select(split=split)
    if not len(rows):
        raise ManifestError(
            "no utterance to compare" + (f" in split {split!r}" if split else ""),
            where=str(manifest.path),
            hint="maqam data stats shows the splits",
        )
    return Side(manifest, rows, split)


def find_overlap(
    train: Side,
    test: Side,
    *,
    num_workers: int | None = None,
    progress: Progress | None = None,
) -> OverlapReport:
    """Find what a test set shares with training data.

    Args:
        train: The training data.
        test: The test set.
        num_workers: Threads that decode; one for each core when absent.
        progress: Called with the clips done and their total.

    Raises:
        AudioError: If a clip cannot be read.
    """
    same, near = _shared_audio(train, test, num_workers or os.cpu_count() or 1, progress)
    names = _audio_names(test)
    found = {
        SAME: (same, names),
        NEAR: (near, names),
        SENTENCE: _shared_texts(train, test, sentences),
        SPEAKER: _shared_texts(train, test, lambda manifest: manifest.codes("speaker")),
    }
    leaking = {row for kind in (SAME, NEAR, SENTENCE) for _, row in found[kind][0]}
    return OverlapReport(
        len(train.rows),
        len(test.rows),
        len(leaking),
        tuple(
            _shared(kind, pairs, texts, (train.manifest, test.manifest))
            for kind, (pairs, texts) in found.items()
        ),
    )


def overlap_record(train: Side, test: Side, report: OverlapReport) -> dict[str, Any]:
    """Return the report as plain values, with what was compared, for a file that outlives the data.

    Args:
        train: The training data.
        test: The test set.
        report: What they share.
    """
    sides = {
        name: {
            "manifest": str(one.manifest.path),
            "split": one.split,
            "fingerprint": one.manifest.fingerprint,
        }
        for name, one in (("train", train), ("test", test))
    }
    return {
        "format_version": FORMAT_VERSION,
        "verdict": report.verdict,
        **sides,
        **asdict(report),
    }


def _shared(
    kind: str, pairs: list[Pair], texts: dict[int, str], manifests: tuple[Manifest, Manifest]
) -> Shared:
    """Count pairs of a training and a test row, and describe the first.

    Args:
        kind: What they share.
        pairs: Rows of the training data and of the test set; each shared row is in one at least.
        texts: What a test row shares.
        manifests: Of the training data and of the test set.
    """
    first: dict[int, int] = {}
    for own, row in sorted(pairs):
        first.setdefault(row, own)
    examples = tuple(
        SharedPair(
            manifests[0].row(first[row])["id"], manifests[1].row(row)["id"], shown(texts[row])
        )
        for row in sorted(first)[:NUM_EXAMPLES]
    )
    return Shared(kind, len({own for own, _ in pairs}), len(first), examples)


def _shared_texts(
    train: Side, test: Side, texts_of: Callable[[Manifest], tuple[np.ndarray, list[str]]]
) -> tuple[list[Pair], dict[int, str]]:
    """Pair the rows of equal texts: each training row with the first test row, and back."""
    firsts: list[dict[str, int]] = []
    texts: list[dict[int, str]] = []
    for one in (train, test):
        codes, names = texts_of(one.manifest)
        known = {row: names[codes[row]] for row in one.rows.tolist()}
        texts.append({row: text for row, text in known.items() if text not in ("", "-")})
        firsts.append({})
        for row, text in texts[-1].items():
            firsts[-1].setdefault(text, row)
    pairs = [(row, firsts[1][text]) for row, text in texts[0].items() if text in firsts[1]]
    pairs += [(firsts[0][text], row) for row, text in texts[1].items() if text in firsts[0]]
    return pairs, texts[1]


def _shared_audio(
    train: Side, test: Side, num_workers: int, progress: Progress | None
) -> tuple[list[Pair], list[Pair]]:
    """Pair the rows of equal audio, and those of near-duplicates that are not equal."""
    ours, theirs = _clips(train), _clips(test)
    total = len(ours) + len(theirs)
    same: list[Pair] = []
    near: list[Pair] = []
    with ThreadPoolExecutor(num_workers) as threads:
        digests: dict[bytes, set[int]] = {}
        prints: list[Print] = []
        for digest, own in _heard(theirs, threads, progress, (0, total)):
            digests.setdefault(digest, set()).add(len(prints))
            prints.append(own)
        index = PrintIndex(prints)
        test_rows, train_rows = list(theirs.values()), iter(ours.values())
        for digest, own in _heard(ours, threads, progress, (len(theirs), total)):
            rows, equal = next(train_rows), digests.get(digest, set())
            same += [pair for clip in equal for pair in _pairs(rows, test_rows[clip])]
            alike = set(index.find(own)) - equal
            near += [pair for clip in alike for pair in _pairs(rows, test_rows[clip])]
    return same, near


def _pairs(rows: list[int], test_rows: list[int]) -> list[Pair]:
    """Pair each row of two clips once at least."""
    return [(row, test_rows[0]) for row in rows] + [(rows[0], row) for row in test_rows]


def _clips(one: Side) -> dict[Clip, list[int]]:
    """Return the different clips of some rows, each with its rows."""
    clips: dict[Clip, list[int]] = {}
    for row, clip in one.manifest.clips(one.rows).items():
        clips.setdefault(clip, []).append(row)
    return clips


def _audio_names(one: Side) -> dict[int, str]:
    return {
        row: f"{clip.path.name} at {clip.start:.2f} s"
        for clip, rows in _clips(one).items()
        for row in rows
    }


def _heard(
    clips: dict[Clip, list[int]],
    threads: ThreadPoolExecutor,
    progress: Progress | None,
    counts: tuple[int, int],
) -> Iterator[tuple[bytes, Print]]:
    """Yield the digest and the fingerprint of each clip, in order."""
    done, total = counts
    for heard in in_windows(_hear, clips, threads):
        yield heard
        done += 1
        if progress is not None:
            progress(done, total)


def _hear(clip: Clip) -> tuple[bytes, Print]:
    """Read a clip; its digest is of samples rounded to 16 bits, as most files hold them."""
    samples = clip.read()
    rounded = np.round(np.clip(samples, -1, 1) * 32_767).astype("<i2")
    return hashlib.blake2b(rounded.tobytes(), digest_size=16).digest(), fingerprint(samples)
