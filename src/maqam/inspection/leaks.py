"""What the splits of a manifest share: speakers, audio and sentences, compared by equality."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from maqam.data.manifest import Manifest
from maqam.data.schema import SPLITS
from maqam.text.profiles import normalize

_SHOWN_LETTERS = 60


def shared_values(manifest: Manifest) -> Iterator[tuple[int, str, str]]:
    """Yield (row, kind, text) for every row that shares something with an earlier split.

    Train comes before dev and dev before test. Targets of free text are compared after
    normalisation; labels, which splits are meant to share, are not.

    Args:
        manifest: The utterances; values of their columns may be faulty.
    """
    splits, names = manifest.codes("split")
    order = {name: rank for rank, name in enumerate(SPLITS)}
    ranks = np.array([order.get(name, len(SPLITS)) for name in names], dtype=np.int8)[splits]
    yield from _shared("speaker", *manifest.codes("speaker"), ranks)
    yield from _shared("audio", *_segments(manifest), ranks)
    yield from _shared("target", *sentences(manifest), ranks)


def sentences(manifest: Manifest) -> tuple[np.ndarray, list[str]]:
    """Number the normalised targets of free-text tasks.

    Args:
        manifest: The utterances; values of their columns may be faulty.

    Returns:
        (num_rows,) number of each row's sentence, and the sentences; labels are the empty one.
    """
    codes, targets = manifest.codes("target")
    tasks, names = manifest.codes("task")
    known = manifest.tasks
    is_free_task = [name in known and not known[name].labels for name in names]
    is_free = np.array(is_free_task, dtype=bool)[tasks]
    is_used = np.zeros(len(targets), dtype=bool)
    is_used[codes[is_free]] = True
    merged, texts = _numbered(
        normalize(text) if used else "" for text, used in zip(targets, is_used, strict=True)
    )
    return np.where(is_free, merged[codes], 0), texts


def shown(text: str) -> str:
    """Shorten a text for a line of a report.

    Examples:
        >>> shown("a" * 5), len(shown("a" * 500))
        ('aaaaa', 63)
    """
    return text if len(text) <= _SHOWN_LETTERS else f"{text[:_SHOWN_LETTERS]}..."


def _shared(
    kind: str, codes: np.ndarray, texts: list[str], ranks: np.ndarray
) -> Iterator[tuple[int, str, str]]:
    """Compare each split with those before it.

    Args:
        kind: What is compared.
        codes: (num_rows,) number of each row's text.
        texts: The texts; empty and "-" mean that a row has none.
        ranks: (num_rows,) place of each row's split in `SPLITS`.
    """
    has_text = np.array([text not in ("", "-") for text in texts], dtype=bool)
    is_known = has_text[codes] & (ranks < len(SPLITS))
    earliest = np.full(len(texts), len(SPLITS), dtype=np.int8)
    np.minimum.at(earliest, codes[is_known], ranks[is_known])
    for row in np.flatnonzero(is_known & (earliest[codes] < ranks)).tolist():
        text, split = texts[codes[row]], SPLITS[earliest[codes[row]]]
        yield row, f"shared {kind}", f"{kind} {shown(text)!r} is in {split} too"


def _segments(manifest: Manifest) -> tuple[np.ndarray, list[str]]:
    """Number the segments of audio files, by path and start."""
    audios, starts = manifest.table.column("audios"), manifest.column("start")
    return _numbered(
        f"{paths[0]} at {start:.2f} s" if paths else ""
        for paths, start in zip(audios.to_pylist(), starts, strict=True)
    )


def _numbered(values: Iterable[str]) -> tuple[np.ndarray, list[str]]:
    """Return the code of each value and the different values; the empty one has code 0."""
    encoded = pa.array(["", *values], pa.string()).dictionary_encode()
    return encoded.indices.to_numpy()[1:], encoded.dictionary.to_pylist()
