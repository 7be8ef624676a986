import subprocess
import sys
import unicodedata
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer
from transformers import AutoTokenizer

from maqam.data.schema import AUDIO_TAG
from maqam.errors import ModelError
from maqam.models.checkpoint import load_dialogue, pocket_path
from maqam.models.pocket import SPECIAL_TOKENS
from maqam.models.settings import ModelSettings

LINES = [
    line
    for name in ("sentences.txt", "stories.txt", "lexicon.tsv")
    for line in resources.files("maqam.synth").joinpath(name).read_text("utf-8").splitlines()
]

MARKUP = (*SPECIAL_TOKENS, AUDIO_TAG, "<image>", "<video>", "<tool_call>", "<|im_end|", "user\n")
TEXTS = st.lists(st.sampled_from(MARKUP) | st.text(max_size=8), max_size=6).map("".join)


@pytest.fixture(scope="module")
def dialogue():
    return load_dialogue(ModelSettings())


@pytest.fixture(scope="module")
def stock():
    return AutoTokenizer.from_pretrained(pocket_path())


@pytest.fixture(scope="module")
def splitting():
    return AutoTokenizer.from_pretrained(pocket_path(), split_special_tokens=True)


def messages(prompt, target):
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": target}]


def chatml(prompt, target, num_audio_tokens):
    audio = f"<|audio_bos|>{'<|AUDIO|>' * num_audio_tokens}<|audio_eos|>"
    asked = prompt.replace(AUDIO_TAG, audio)
    return f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n{target}<|im_end|>"


def test_ids_are_those_of_the_stock_tokenizer_on_the_whole_chat(dialogue, stock):
    assert len(LINES) > 300
    for index, line in enumerate(LINES):
        prompt = f"{AUDIO_TAG}{line}" if index % 2 else f"لخّص النص:\n{line}"
        width = 3 * (index % 2)
        ours = dialogue.encode(messages(prompt, line), width)
        whole = chatml(prompt, line, width)
        assert ours.input_ids.tolist() == stock(whole, add_special_tokens=False)["input_ids"], line


@settings(max_examples=200, deadline=None)
@given(document=TEXTS, earlier=TEXTS, target=TEXTS)
def test_texts_are_read_as_the_stock_tokenizer_that_splits_special_tokens_reads_them(
    dialogue, splitting, document, earlier, target
):
    untagged = earlier.replace(AUDIO_TAG, "<image>")  # the first tag would be that of the audio
    turns = [
        ("system", untagged),
        ("user", untagged),
        ("assistant", earlier),
        ("user", f"{AUDIO_TAG}{document}"),
        ("assistant", target),
    ]

    def spelled(text):
        return splitting(text, add_special_tokens=False)["input_ids"]

    token = dialogue.tokenizer.token_to_id
    start, end = [token("<|im_start|>")], [token("<|im_end|>")]
    heard = [token("<|audio_bos|>"), *[token("<|AUDIO|>")] * 3, token("<|audio_eos|>")]
    wanted = []
    for role, text in turns[:-1]:
        asked = spelled(f"{role}\n{text}")
        if role == "user" and text != untagged:
            asked = spelled(f"{role}\n") + heard + spelled(document)
        wanted += start + asked + end + spelled("\n")
    wanted += start + spelled("assistant\n") + spelled(target) + end
    row = [{"role": role, "content": text} for role, text in turns]
    assert dialogue.encode(row, 3).input_ids.tolist() == wanted


@settings(max_examples=200, deadline=None)
@given(text=TEXTS)
def test_the_ids_of_an_answer_give_its_text_back(dialogue, text):
    ids = dialogue.target_ids(text)
    assert ids.count(dialogue.end_id) == 1
    assert dialogue.decode(ids) == unicodedata.normalize("NFC", text).strip()


def test_a_token_that_is_added_but_not_special_is_spelled_and_yet_written(tmp_path, dialogue):
    for file in pocket_path().glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    changed = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    changed.add_tokens([AddedToken("<tool_call>", special=False)])
    changed.save(str(tmp_path / "tokenizer.json"))
    other = load_dialogue(ModelSettings(path=str(tmp_path)))
    call = other.tokenizer.token_to_id("<tool_call>")
    assert other.target_ids("<tool_call>") == dialogue.target_ids("<tool_call>")
    assert other.decode([call, other.audio_id, call, other.end_id]) == "<tool_call><tool_call>"


def test_only_the_first_audio_tag_of_what_is_asked_stands_for_audio(dialogue):
    row = [{"role": "assistant", "content": AUDIO_TAG}]
    row += messages(f"{AUDIO_TAG}اسمع {AUDIO_TAG}", AUDIO_TAG)
    one = dialogue.encode(row, 5)
    assert (one.input_ids == dialogue.audio_id).sum() == 5
    assert dialogue.decode(one.input_ids[one.target_start :]) == AUDIO_TAG


def test_audio_without_a_tag_in_what_is_asked_is_refused(dialogue):
    row = [{"role": "assistant", "content": AUDIO_TAG}, *messages("اسمع", AUDIO_TAG)]
    with pytest.raises(ModelError, match="no <audio> in what is asked"):
        dialogue.encode(row, 5)


def test_the_tokenizer_loads_without_torch():
    code = (
        "import sys; from maqam.models.checkpoint import load_dialogue; "
        "from maqam.models.settings import ModelSettings; load_dialogue(ModelSettings()); "
        "print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_checkpoint_without_its_tokenizer_is_one_line(tmp_path, name):
    for file in pocket_path().glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / name).write_text("{", encoding="utf-8")
    with pytest.raises(ModelError, match="the checkpoint does not load"):
        load_dialogue(ModelSettings(path=str(tmp_path)))
