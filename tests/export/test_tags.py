"""Words in a text that another trainer would take as its own are refused, or visibly escaped."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maqam.data.manifest import read_manifest, write_manifest
from maqam.errors import ConfigError, ManifestError
from maqam.export.export import TARGETS
from maqam.export.parts import DEFAULT_MODEL, ExportSettings
from maqam.export.tags import tags_of
from maqam.models.checkpoint import pocket_path
from maqam.models.pocket import SPECIAL_TOKENS
from tests.export.plans import exported, lines, meta, plan_of
from tests.factories import make_row, make_tone

TRAINERS = ["ms-swift", "llamafactory", "hf-datasets"]
TAGGED = {
    "ms-swift": ["<image>", "<video>", "<audio>", "<bbox>", "<|im_end|>", "<|AUDIO|>"],
    "llamafactory": ["<image>", "<video>", "<audio>", "<|im_start|>", "</tool_call>"],
    "hf-datasets": ["<audio>", "<|AUDIO|>", "<|endoftext|>"],
    "jsonl": ["<audio>"],
}
CASES = [(target, word) for target, words in TAGGED.items() for word in words]
PIECES = st.sampled_from(
    ["<", ">", "|", "image", "<image>", "<|im_end|>", "<audio>", " ", "ا", "/"]
)


def corpus(folder, *texts, task="asr"):
    """Write rows whose answers are the texts, each with a tone."""
    rows = [make_row(index, task=task, target=text) for index, text in enumerate(texts)]
    for row in rows:
        make_tone(folder / row["audios"][0])
    return read_manifest(write_manifest(rows, folder))


def document(folder, text):
    asked = {"role": "user", "content": f"لخّص النص:\n{text}"}
    answer = {"role": "assistant", "content": "ملخص"}
    row = make_row(0, task="tsum", target="ملخص", messages=[asked, answer])
    return read_manifest(write_manifest([row], folder))


@pytest.mark.parametrize(("target", "word"), CASES)
def test_a_row_whose_text_holds_a_tag_of_the_trainer_is_refused_and_named(tmp_path, target, word):
    manifest = corpus(tmp_path / "corpus", "نعم", f"قال {word} ثم")
    with pytest.raises(
        ManifestError, match=r"1 rows hold words .* as tags.*'utterance-1'"
    ) as caught:
        exported(plan_of([[0], [1]]), manifest, tmp_path / "out", target=target)
    assert repr(word) in str(caught.value)
    assert "--tags escape" in caught.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("target", TRAINERS)
def test_a_tag_in_a_document_without_audio_is_refused(tmp_path, target):
    manifest = document(tmp_path / "corpus", "وسم <audio> في صفحة")
    with pytest.raises(ManifestError, match="'<audio>': 'utterance-0'"):
        exported(plan_of([[0]]), manifest, tmp_path / "out", target=target)


def test_escaped_rows_keep_the_order_of_the_plan_and_are_counted(tmp_path):
    manifest = corpus(tmp_path / "corpus", "نعم", "<image> و <audio>", "لا", "<|im_end|>")
    plan = plan_of([[3, 0], [1, 2], [1, 3]])
    settings = {"target": "llamafactory", "micro_batch_size": 2, "tags": "escape"}
    folder = exported(plan, manifest, tmp_path / "out", **settings)
    plain = corpus(tmp_path / "plain", "نعم", "كلا", "لا", "بلى")
    wanted = exported(plan, plain, tmp_path / "wanted", **settings)
    assert [row["id"] for row in lines(folder)] == [row["id"] for row in lines(wanted)]
    said = {row["id"]: [turn["content"] for turn in row["messages"]] for row in lines(folder)}
    assert said["utterance-1"] == ["<audio>فرّغ الكلام.", "< image> و < audio>"]
    assert said["utterance-3"][1] == "< |im_end|>"
    assert meta(folder)["escaped"] == {"count": 2, "ids": ["utterance-1", "utterance-3"]}
    assert meta(wanted)["escaped"] == {"count": 0, "ids": []}


def test_json_lines_leave_special_tokens_as_they_stand(tmp_path):
    manifest = corpus(tmp_path / "corpus", "قال <|im_end|> و <image>")
    folder = exported(plan_of([[0]]), manifest, tmp_path / "out")
    assert lines(folder)[0]["messages"][1]["content"] == "قال <|im_end|> و <image>"


@given(text=st.lists(PIECES, max_size=12).map("".join))
@pytest.mark.parametrize("target", TRAINERS)
def test_an_escaped_text_holds_no_tag_and_is_the_text_but_for_spaces(target, text):
    tags = tags_of(TARGETS[target], DEFAULT_MODEL)
    turns = [{"role": "user", "content": f"<audio>{text}"}, {"role": "assistant", "content": text}]
    row = {"messages": turns, "audios": ["a.wav"]}
    again = {**row, "messages": tags.escaped(row)}
    assert tags.words(again) == []
    answer = again["messages"][1]["content"]
    assert answer.replace(" ", "") == text.replace(" ", "")
    assert again["messages"][0]["content"] == f"<audio>{answer}"


def test_the_tokens_of_a_model_in_a_folder_are_its_own(tmp_path):
    tokenizer = json.loads((pocket_path() / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["added_tokens"].append({"id": 9999, "content": "[INST]", "special": True})
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    tags = tags_of(TARGETS["ms-swift"], str(tmp_path))
    for word in ("[INST]", *SPECIAL_TOKENS):
        row = {"messages": [{"role": "assistant", "content": f"a {word} b"}], "audios": []}
        assert tags.words(row) == [word]


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"added_tokens": [1]}'])
def test_a_tokenizer_that_cannot_be_read_is_named(tmp_path, text):
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(
        ConfigError, match=r"tokenizer.json: the tokenizer of the model is not read"
    ):
        tags_of(TARGETS["ms-swift"], str(tmp_path))


def test_a_policy_that_there_is_not_is_an_error():
    with pytest.raises(ValueError, match="tags must be refuse or escape, got 'drop'"):
        ExportSettings(tags="drop")
