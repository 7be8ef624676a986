"""How much of dialect, emotion and speaker a linear probe reads from what a model holds.

A probe is trained on some speakers and scored on others; beside it stands the same probe of
shuffled labels, which reads nothing. What it reads from the aligner outputs is the ceiling that
training can be measured against.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from maqam.data.manifest import Manifest
from maqam.diagnose.rows import dealt, texts
from maqam.score.classification import macro_f1
from maqam.seeding import derive, generator

SPEAKER, DIALECT = "speaker", "dialect"
ROWS = 300  # of a probe's training, and of its test
SHUFFLES = 3
_FEWEST = 3  # rows of a class in a probe's training
_RESAMPLES = 200
_MOST_SPEAKERS = 20


@dataclass(frozen=True, slots=True)
class ProbeSplit:
    """What a probe is trained and scored on.

    Attributes:
        train: (num_train,) manifest rows.
        test: (num_test,) manifest rows, of other speakers unless the speaker is asked for.
        train_labels: (num_train,) classes.
        test_labels: (num_test,) classes.
        left_out: Test rows of speakers that the training has, or of classes it lacks.
    """

    train: np.ndarray
    test: np.ndarray
    train_labels: np.ndarray
    test_labels: np.ndarray
    left_out: int

    @property
    def is_enough(self) -> bool:
        """Whether two classes at least have rows on both sides."""
        return len(set(self.train_labels) & set(self.test_labels)) >= 2


def probe_rows(
    manifest: Manifest, train: np.ndarray, test: np.ndarray, seed: int = 0
) -> dict[str, ProbeSplit]:
    """Deal the rows of each probe, evenly over its classes.

    Args:
        manifest: Where the rows are.
        train: Rows to train probes on.
        test: Rows to score them on.
        seed: Seed of the deal.

    Returns:
        By what is probed: each label task by name, "dialect" of all audio, "speaker"; none where
        there are too few rows.
    """
    spoken = np.asarray(manifest.column("seconds"), dtype=np.float64) > 0
    train, test = train[spoken[train]], test[spoken[test]]
    tasks, labels, dialects, speakers = (
        texts(manifest, name, absent="") for name in ("task", "label", "dialect", "speaker")
    )
    found = {}
    for name, task in manifest.tasks.items():
        if task.labels and task.has_audio:
            own = np.where(tasks == name, labels, "")
            found[name] = _split(train, test, own, speakers, derive(seed, name))
    found[DIALECT] = _split(train, test, dialects, speakers, derive(seed, DIALECT))
    found[SPEAKER] = _of_speakers(train, speakers, derive(seed, SPEAKER))
    return {name: rows for name, rows in found.items() if rows.is_enough}


def _split(
    train: np.ndarray, test: np.ndarray, labels: np.ndarray, speakers: np.ndarray, seed: int
) -> ProbeSplit:
    train, test = train[labels[train] != ""], test[labels[test] != ""]
    if len(train):
        names, counts = np.unique(labels[train], return_counts=True)
        train = train[np.isin(labels[train], names[counts >= _FEWEST])]
        train = dealt(labels[train], train, ROWS, seed)
    known = {one for one in speakers[train] if one}
    is_new = ~np.isin(speakers[test], [*known]) & np.isin(labels[test], np.unique(labels[train]))
    kept = test[is_new]
    kept = dealt(labels[kept], kept, ROWS, seed) if len(kept) else kept
    return ProbeSplit(train, kept, labels[train], labels[kept], int((~is_new).sum()))


def _of_speakers(rows: np.ndarray, speakers: np.ndarray, seed: int) -> ProbeSplit:
    """Return the rows of some speakers, half of each to train on and half to score."""
    rows = rows[speakers[rows] != ""]
    names, counts = np.unique(speakers[rows], return_counts=True)
    kept = names[counts >= 2 * _FEWEST]
    drawn = np.sort(generator(seed, "speakers").permutation(kept)[:_MOST_SPEAKERS])
    rows = rows[np.isin(speakers[rows], drawn)]
    rows = dealt(speakers[rows], rows, 2 * ROWS, seed) if len(rows) else rows
    order = generator(seed, "halves").permutation(rows)
    is_first = np.zeros(len(order), dtype=bool)
    for name in drawn:
        at = np.flatnonzero(speakers[order] == name)
        is_first[at[: len(at) // 2]] = True
    train, test = np.sort(order[is_first]), np.sort(order[~is_first])
    return ProbeSplit(train, test, speakers[train], speakers[test], 0)


def score_probe(
    states: tuple[np.ndarray, np.ndarray],
    labels: tuple[np.ndarray, np.ndarray],
    seed: int = 0,
    num_shuffles: int = SHUFFLES,
) -> dict[str, Any]:
    """Train a logistic regression and score it, beside the same of shuffled labels.

    Args:
        states: (num_train, width) and (num_test, width) vectors.
        labels: (num_train,) and (num_test,) classes.
        seed: Seed of shuffles and resamples.
        num_shuffles: Shuffled trainings.

    Returns:
        Macro-F1 with its 95 % interval over test rows, and the mean of the shuffled ones.

    Examples:
        >>> states = np.repeat(np.eye(2), 20, axis=0)
        >>> labels = np.repeat(["a", "b"], 20)
        >>> found = score_probe((states, states), (labels, labels))
        >>> found["macro_f1"], found["low"], bool(found["shuffled"] < 0.9)
        (1.0, 1.0, True)
    """
    names = np.unique(np.concatenate([*labels]))
    wanted, answers = (
        np.searchsorted(names, one) for one in (labels[1], _answers(states, labels[0]))
    )
    rng = generator(seed, "probe")
    shuffled = [
        np.searchsorted(names, _answers(states, rng.permutation(labels[0])))
        for _ in range(num_shuffles)
    ]
    drawn = rng.integers(0, len(answers), (_RESAMPLES, len(answers)))
    resampled = macro_f1(np.array([_counts(wanted[at], answers[at], len(names)) for at in drawn]))
    low, high = np.quantile(resampled, [0.025, 0.975])
    numbers = {
        "macro_f1": macro_f1(_counts(wanted, answers, len(names))),
        "low": low,
        "high": high,
        "shuffled": np.mean([macro_f1(_counts(wanted, one, len(names))) for one in shuffled]),
    }
    return {name: round(float(one), 6) for name, one in numbers.items()}


def probe_places(
    states: Mapping[str, np.ndarray], rows: np.ndarray, probed: Mapping[str, ProbeSplit]
) -> dict[str, dict[str, Any]]:
    """Score every probe at every place.

    Args:
        states: By place the (num_rows, width) vectors of rows.
        rows: (num_rows,) those manifest rows, ascending.
        probed: Rows and classes of each probe.

    Returns:
        By what is probed: its rows and classes, and the score of each place.
    """
    found = {}
    for name, own in probed.items():
        at = np.searchsorted(rows, own.train), np.searchsorted(rows, own.test)
        labels = own.train_labels, own.test_labels
        found[name] = {
            "classes": len(np.unique(own.train_labels)),
            "train": len(own.train),
            "test": len(own.test),
            "left_out": own.left_out,
            "places": {
                place: score_probe((one[at[0]], one[at[1]]), labels)
                for place, one in states.items()
            },
        }
    return found


def _answers(states: tuple[np.ndarray, np.ndarray], labels: np.ndarray) -> np.ndarray:
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=300))
    answers: np.ndarray = probe.fit(states[0], labels).predict(states[1])
    return answers


def _counts(wanted: np.ndarray, answers: np.ndarray, size: int) -> np.ndarray:
    """Return (size, size + 1) counts of answers by class, the last column of none."""
    flat = np.bincount(wanted * (size + 1) + answers, minlength=size * (size + 1))
    counts: np.ndarray = flat.reshape(size, size + 1)
    return counts
