import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.integrations.mistral.tokenizer import MistralConverter

from maqam.models.common.tekken import read_tekken
from tests.models.tiny.base import TEXTS
from tests.models.tiny.voxtral import tekken


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    path = tmp_path_factory.mktemp("tekken") / "tekken.json"
    path.write_text(json.dumps(tekken()), encoding="utf-8")
    return read_tekken(path.read_text(encoding="utf-8")), MistralConverter(str(path)).converted()


def test_the_vocabulary_is_that_of_transformers_converter(both):
    ours, stock = both
    assert ours.get_vocab() == stock.get_vocab()
    assert ours.token_to_id("[AUDIO]") == 24
    assert ours.token_to_id("<SPECIAL_31>") == 31


@settings(max_examples=100, deadline=None)
@given(text=st.lists(st.sampled_from([*" ".join(TEXTS).split(), " ", "[INST]"]) | st.text()))
def test_texts_are_cut_as_transformers_converter_cuts_them(both, text):
    ours, stock = (one.encode("".join(text), add_special_tokens=False).ids for one in both)
    assert ours == stock


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"config": {}, "special_tokens": []}'])
def test_what_is_no_tekken_file_is_said(text):
    with pytest.raises(ValueError, match=r"tekken\.json lacks|Expecting"):
        read_tekken(text)
