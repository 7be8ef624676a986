import gzip
import json

import pytest

from tests.corpora.formats.importing import imported, write
from tests.factories import make_tone


@pytest.fixture
def nemo(tmp_path):
    """Imports rows of a manifest that has a clip of two seconds beside it."""
    make_tone(tmp_path / "a.wav", seconds=2.0)

    def run(*rows, **settings):
        given = [{"audio_filepath": "a.wav", "text": "نعم", **row} for row in rows]
        lines = [json.dumps(row) for row in given]
        return imported(write(tmp_path / "nemo.jsonl", *lines), "nemo", **settings)

    return run


def test_a_row_is_an_utterance_with_our_prompt(nemo, tmp_path):
    (row,) = nemo({"duration": 2.0, "speaker": "s", "dialect": "gulf"}).rows
    assert row["messages"][0]["content"] == "<audio>فرّغ الكلام."
    assert row["messages"][1]["content"] == row["target"] == "نعم"
    assert (row["speaker"], row["dialect"], row["source"]) == ("s", "gulf", "nemo")
    assert row["audios"] == [str(tmp_path / "a.wav")]


def test_prompts_may_be_english(nemo):
    (row,) = nemo({}, language="en").rows
    assert row["messages"][0]["content"] == "<audio>Transcribe the speech."


@pytest.mark.parametrize(
    ("times", "found"),
    [
        ({}, (0.0, 2.0)),
        ({"offset": 0.5}, (0.5, 1.5)),
        ({"offset": 0.5, "duration": 1.0}, (0.5, 1.0)),
        ({"duration": 2.03}, (0.0, 2.0)),
        ({"offset": "0.5", "duration": "1"}, (0.5, 1.0)),
    ],
)
def test_offset_and_duration_are_a_segment(nemo, times, found):
    (row,) = nemo(times).rows
    assert (row["start"], row["seconds"]) == found


@pytest.mark.parametrize(
    ("row", "reason", "words"),
    [
        ({"audio_filepath": 3}, "no audio path", "audio_filepath is 3"),
        ({"audio_filepath": None}, "no audio path", "None"),
        ({"audio_filepath": "none.wav"}, "missing audio", "missing"),
        ({"offset": "x"}, "no number", "offset is 'x'"),
        ({"offset": True}, "no number", "offset is True"),
        ({"offset": -1}, "impossible times", "start is -1.0"),
        ({"duration": 0}, "impossible times", "seconds is 0.0"),
        ({"duration": float("nan")}, "impossible times", "nan"),
        ({"duration": 9}, "segment outside the file", "0.00 to 9.00 s, the file ends at 2.00 s"),
        ({"offset": 2.5}, "segment outside the file", "the file ends at 2.00 s"),
        ({"text": ["نعم"]}, "no text", "text is ['نعم']"),
        ({"text": None}, "no text", "needs a text"),
        ({"text": " "}, "empty target", "' '"),
        ({"text": "\ud800"}, "not UTF-8", "half a character"),
        ({"task": "asrr"}, "unknown task", "'asrr'"),
        ({"task": "did"}, "no label", "it has no label of task 'did'"),
        ({"task": "ssum"}, "no summary", "needs a summary"),
    ],
)
def test_a_row_that_is_no_utterance_is_rejected(nemo, row, reason, words):
    (reject,) = nemo({}, row).rejects
    assert (reject["file"], reject["line"], reject["reason"]) == ("nemo.jsonl", 2, reason)
    assert words in reject["text"]


@pytest.mark.parametrize(
    ("row", "task", "label"),
    [
        ({"dialect": "EGY"}, "did", "egyptian"),
        ({"label": "EGY"}, "did", "egyptian"),
        ({"emotion": "W"}, "ser", "angry"),
        ({"emotion": "sad"}, "ser", "sad"),
    ],
)
def test_labels_are_given_our_names(nemo, row, task, label):
    (found,) = nemo(row, task=task, labels={"EGY": "egyptian", "W": "angry"}).rows
    assert (found["label"], found["target"]) == (label, label)


def test_a_label_without_our_name_is_rejected(nemo):
    assert nemo({"dialect": "EGY"}, task="did").reasons == ["unknown label"]


def test_a_summary_is_the_target_and_the_text_the_question(nemo):
    row = {"text": "كلام طويل", "summary": "كلام"}
    assert nemo(row, task="ssum").rows[0]["target"] == "كلام"


def test_the_data_folder_is_that_of_the_manifest(nemo):
    assert len(nemo({"audio_filepath": "{data_folder}/a.wav"}).rows) == 1


def test_columns_may_have_other_names(nemo):
    row = {"audio_filepath": None, "wav": "a.wav", "words": "لا", "from": 0.5, "length": 1}
    columns = {"audio": "wav", "text": "words", "start": "from", "seconds": "length"}
    (found,) = nemo(row, columns=columns).rows
    assert (found["target"], found["start"], found["seconds"]) == ("لا", 0.5, 1.0)


def test_gzip_is_read(tmp_path):
    make_tone(tmp_path / "a.wav")
    with gzip.open(tmp_path / "nemo.jsonl.gz", "wt") as stream:
        stream.write('{"audio_filepath": "a.wav", "text": "x"}\n')
    assert len(imported(tmp_path / "nemo.jsonl.gz", "nemo").rows) == 1
