import subprocess
import sys
from importlib import resources

import numpy as np
import pytest
from transformers import AutoTokenizer

from maqam.errors import ModelError
from maqam.models.checkpoint import load_dialogue, pocket_path
from maqam.models.dialogue import AUDIO_TAG
from maqam.models.pocket import SPECIAL_TOKENS
from maqam.models.settings import ModelSettings

LINES = [
    line
    for name in ("sentences.txt", "stories.txt", "lexicon.tsv")
    for line in resources.files("maqam.synth").joinpath(name).read_text("utf-8").splitlines()
]


@pytest.fixture(scope="module")
def dialogue():
    return load_dialogue(ModelSettings())


@pytest.fixture(scope="module")
def stock():
    return AutoTokenizer.from_pretrained(pocket_path())


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


@pytest.mark.parametrize("token", SPECIAL_TOKENS)
def test_a_special_token_in_a_text_is_read_as_letters(dialogue, token):
    text = f"قال {token} ثم سكت"
    ids = dialogue.encode(messages(text, text), 0).input_ids
    plain = dialogue.encode(messages("قال", "سكت"), 0).input_ids
    special = [dialogue.tokenizer.token_to_id(one) for one in SPECIAL_TOKENS]
    assert np.isin(ids, special).sum() == np.isin(plain, special).sum()
    assert dialogue.decode(dialogue.target_ids(text)) == text


def test_only_the_first_audio_tag_stands_for_audio(dialogue):
    one = dialogue.encode(messages(f"{AUDIO_TAG}اسمع {AUDIO_TAG}", AUDIO_TAG), 5)
    assert (one.input_ids == dialogue.audio_id).sum() == 5


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
