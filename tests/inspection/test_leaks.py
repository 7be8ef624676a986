import pytest

from maqam.data.manifest import read_manifest, write_manifest
from maqam.inspection.leaks import shared_values
from tests.factories import make_row


@pytest.fixture
def shared(tmp_path):
    """Return what the rows of a manifest share."""

    def find(*rows):
        made = [make_row(index, **row) for index, row in enumerate(rows)]
        return list(shared_values(read_manifest(write_manifest(made, tmp_path))))

    return find


def asr(split, **changes):
    return {"task": "asr", "split": split, "speaker": None, **changes}


def test_a_speaker_of_two_splits_is_found_in_the_later(shared):
    rows = [asr("test", speaker="x"), asr("train", speaker="x"), asr("train", speaker="x")]
    assert shared(*rows) == [(0, "shared speaker", "speaker 'x' is in train too")]


def test_test_is_compared_with_dev(shared):
    rows = [asr("dev", speaker="x"), asr("test", speaker="x")]
    assert shared(*rows) == [(1, "shared speaker", "speaker 'x' is in dev too")]


def test_targets_are_compared_after_normalisation(shared):
    rows = [asr("train", target="أنا وَ أنت!"), asr("dev", target="انا و انت")]
    assert shared(*rows) == [(1, "shared target", "target 'انا وانت' is in train too")]


def test_a_target_of_another_task_counts(shared):
    rows = [asr("train", target="ملخص"), {"task": "tsum", "split": "test", "target": "ملخص"}]
    assert [row for row, *_ in shared(*rows)] == [1]


def test_labels_are_meant_to_be_shared(shared):
    label = {"task": "did", "label": "msa", "target": "msa", "speaker": None}
    assert shared({**label, "split": "train"}, {**label, "split": "test"}) == []


def test_unknown_speakers_and_targets_without_letters_are_not_shared(shared):
    rows = [asr("train", speaker="-", target="!"), asr("test", speaker="-", target="!")]
    assert shared(*rows) == []


def test_one_segment_in_two_splits_is_found(shared):
    rows = [
        asr("train", audios=["a.wav"], start=1.0),
        asr("test", audios=["a.wav"], start=1.0),
        asr("test", audios=["a.wav"], start=2.0),
    ]
    assert shared(*rows) == [(1, "shared audio", "audio 'a.wav at 1.00 s' is in train too")]


def test_long_targets_are_shown_in_part(shared):
    rows = [asr("train", target="كلمة " * 50), asr("test", target="كلمة " * 50)]
    ((_, _, text),) = shared(*rows)
    assert len(text) < 100
    assert "..." in text


def test_rows_of_one_split_may_share(shared):
    assert shared(asr("test", speaker="x", target="أ"), asr("test", speaker="x", target="أ")) == []
