import json

import pytest

from maqam.corpora.formats.llamafactory import find_rows, format_of, guessed_format
from maqam.corpora.importing.run import import_corpus
from maqam.corpora.settings import ImportSettings
from maqam.corpora.utterance import UnfitRowError
from maqam.data.manifest import read_manifest
from maqam.errors import ManifestError
from tests.factories import make_tone

ASKED = [{"role": "user", "content": "<audio>Q"}, {"role": "assistant", "content": "A"}]
SHAREGPT = [{"from": "human", "value": "<audio>Q"}, {"from": "gpt", "value": "A"}]


def write_info(folder, **entries):
    (folder / "dataset_info.json").write_text(json.dumps(entries), encoding="utf-8")


@pytest.mark.parametrize(
    "row",
    [
        {"messages": ASKED},
        {"conversations": SHAREGPT},
        {"instruction": "<audio>Q", "input": "", "output": "A"},
    ],
)
def test_a_layout_that_is_not_described_is_told_from_the_columns(row):
    assert guessed_format(row).dialogue({**row, "audios": ["a.wav"]}).messages == ASKED


def test_columns_and_tags_are_those_of_the_entry():
    layout = format_of(
        {
            "formatting": "sharegpt",
            "columns": {"messages": "talk", "audios": "sounds"},
            "tags": {"role_tag": "who", "content_tag": "what", "user_tag": "U"},
        }
    )
    row = {"talk": [{"who": "U", "what": "<audio>Q"}, {"who": "gpt", "what": "A"}], "sounds": "a"}
    assert layout.dialogue(row).messages == ASKED
    assert layout.dialogue(row).audios == ["a"]


def test_instruction_and_input_are_joined_by_a_line():
    found = format_of({}).dialogue({"instruction": "I", "input": "<audio>", "output": "A"})
    assert found.messages[0]["content"] == "I\n<audio>"


def test_a_system_column_comes_first():
    row = {"conversations": SHAREGPT, "system": "S"}
    assert guessed_format(row).dialogue(row).messages[0] == {"role": "system", "content": "S"}


def test_messages_without_turns_are_unfit():
    with pytest.raises(UnfitRowError, match="the roles are user, user"):
        guessed_format({"messages": []}).dialogue({"messages": [ASKED[0], ASKED[0]]})


def test_missing_tags_are_not_added_where_the_trainer_adds_none(tmp_path):
    row = {"messages": [{"role": "user", "content": "Q"}, ASKED[1]], "audios": ["a.wav"]}
    make_tone(tmp_path / "a.wav")
    (tmp_path / "rows.json").write_text(json.dumps([row, {"messages": ASKED, "audios": "a.wav"}]))
    report = import_corpus(
        tmp_path / "rows.json", tmp_path / "out", ImportSettings(kind="llamafactory", task="asr")
    )
    assert report.reasons == {"audio tags": 1}


def test_an_unknown_formatting_is_an_error():
    with pytest.raises(ValueError, match="formatting is 'x', not one of alpaca"):
        format_of({"formatting": "x"})


def test_a_folder_is_read_as_its_dataset_info_says(tmp_path):
    make_tone(tmp_path / "a.wav")
    rows = [{"talk": SHAREGPT, "sound": "a.wav"}]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    columns = {"messages": "talk", "audios": "sound"}
    write_info(
        tmp_path,
        mine={"file_name": "rows.json", "formatting": "sharegpt", "columns": columns},
        theirs={"hf_hub_url": "llamafactory/demo"},
    )
    report = import_corpus(
        tmp_path, tmp_path / "out", ImportSettings(kind="llamafactory", task="asr")
    )
    assert read_manifest(report.manifest).row(0)["messages"] == ASKED


def test_a_folder_of_several_files_needs_a_choice(tmp_path):
    write_info(tmp_path, a={"file_name": "a.json"}, b={"file_name": "b.json"})
    with pytest.raises(ManifestError, match="names 2 files: a, b"):
        find_rows(tmp_path)


def test_a_folder_without_dataset_info_is_an_error(tmp_path):
    with pytest.raises(ManifestError, match="names 0 files: none"):
        find_rows(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"), [("{", "not JSON"), ("[]", "holds no table of data sets")]
)
def test_a_broken_dataset_info_is_an_error(tmp_path, text, words):
    (tmp_path / "dataset_info.json").write_text(text)
    with pytest.raises(ManifestError, match=words):
        find_rows(tmp_path / "rows.json")


def test_an_entry_of_unknown_formatting_is_named(tmp_path):
    write_info(tmp_path, mine={"file_name": "rows.json", "formatting": "x"})
    with pytest.raises(ManifestError, match="mine: formatting is 'x'"):
        find_rows(tmp_path / "rows.json")


@pytest.mark.parametrize("name", ["../rows.jsonl", "/rows.jsonl", 3])
def test_a_file_outside_of_the_folder_is_not_read(tmp_path, name):
    (tmp_path / "in").mkdir()
    (tmp_path / "rows.jsonl").write_text("{}")
    (tmp_path / "in/dataset_info.json").write_text(json.dumps({"a": {"file_name": name}}))
    with pytest.raises(ManifestError, match="which is not in this folder"):
        find_rows(tmp_path / "in")
