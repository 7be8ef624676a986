import pytest

from maqam.data.manifest import read_manifest, write_manifest
from maqam.inspection.stats import manifest_stats
from tests.factories import make_row


def stats_of(folder, *rows):
    made = [make_row(index, **row) for index, row in enumerate(rows)]
    return manifest_stats(read_manifest(write_manifest(made, folder)))


def did(label, **changes):
    return {"task": "did", "split": "train", "label": label, "target": label, **changes}


def test_groups_come_in_the_order_of_splits_and_tasks(tmp_path):
    groups = [("test", "tsum"), ("test", "asr"), ("train", "tsum"), ("dev", "asr")]
    found = stats_of(tmp_path, *[{"split": split, "task": task} for split, task in groups])
    order = [("train", "tsum"), ("dev", "asr"), ("test", "asr"), ("test", "tsum")]
    assert [(one.split, one.task) for one in found] == order


def test_labels_are_counted_the_most_frequent_first(tmp_path):
    (one,) = stats_of(tmp_path, did("msa"), did("gulf"), did("gulf"))
    assert list(one.labels.items()) == [("gulf", 2), ("msa", 1)]
    assert one.num_utterances == 3


def test_free_text_has_dialects_and_no_labels(tmp_path):
    rows = [{"task": "asr", "split": "dev", "dialect": name} for name in ("msa", None, None)]
    (one,) = stats_of(tmp_path, *rows)
    assert (one.labels, one.dialects) == ({}, {"-": 2, "msa": 1})


def test_lengths_are_quantiles_and_hours(tmp_path):
    seconds = (1.0, 2.0, 3.0, 4.0, 5.0)
    rows = [{"task": "asr", "split": "dev", "seconds": value} for value in seconds]
    (one,) = stats_of(tmp_path, *rows)
    assert one.quantiles_seconds == pytest.approx((1.2, 2.0, 3.0, 4.0, 4.8))
    assert (one.median_seconds, one.longest_seconds) == (3.0, 5.0)
    assert one.hours == pytest.approx(15 / 3600)


def test_unknown_speakers_are_not_speakers(tmp_path):
    rows = [{"task": "asr", "split": "dev", "speaker": name} for name in ("a", "a", "b", None)]
    (one,) = stats_of(tmp_path, *rows)
    assert one.num_speakers == 2


def test_synthetic_utterances_are_counted(tmp_path):
    rows = [{"task": "asr", "split": "dev", "synthetic": value} for value in (True, False, True)]
    (one,) = stats_of(tmp_path, *rows)
    assert one.num_synthetic == 2


def test_an_empty_manifest_has_no_groups(tmp_path):
    assert stats_of(tmp_path) == []
