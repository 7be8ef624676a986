import pytest

from maqam.corpora.formats.ms_swift import dialogue

ASKED = [{"role": "user", "content": "<audio>Q"}, {"role": "assistant", "content": "A"}]


@pytest.mark.parametrize(
    "row",
    [
        {"messages": ASKED},
        {"query": "<audio>Q", "response": "A"},
        {"instruction": "<audio>Q", "output": "A"},
        {"conversations": [{"from": "human", "value": "<audio>Q"}, {"from": "gpt", "value": "A"}]},
    ],
)
def test_all_layouts_give_the_same_messages(row):
    assert dialogue({**row, "audios": ["a.wav"]}).messages == ASKED


@pytest.mark.parametrize("column", ["audio", "audios"])
@pytest.mark.parametrize("value", ["a.wav", ["a.wav"]])
def test_audio_may_be_one_path_or_a_list(column, value):
    assert dialogue({"messages": ASKED, column: value}).audios == ["a.wav"]


def test_a_system_column_comes_first():
    found = dialogue({"messages": ASKED, "system": "S", "audios": ["a.wav"]})
    assert found.messages[0] == {"role": "system", "content": "S"}


def test_a_system_message_wins_over_the_column():
    own = [{"role": "system", "content": "own"}, *ASKED]
    found = dialogue({"messages": own, "system": "S", "audios": ["a.wav"]})
    assert found.messages == own


def test_a_tag_that_is_left_out_is_put_in_front_and_counted():
    found = dialogue({"system": "S", "query": "Q", "response": "A", "audios": ["a.wav"]})
    assert found.messages[1]["content"] == "<audio>Q"
    assert found.num_added_tags == 1


def test_what_an_assistant_said_is_no_tag():
    found = dialogue({"query": "Q", "response": "<audio>", "audios": ["a.wav"]})
    assert [turn["content"] for turn in found.messages] == ["<audio>Q", "<audio>"]


def test_a_tag_that_is_there_is_not_added():
    assert dialogue({"messages": ASKED, "audios": ["a.wav"]}).num_added_tags == 0


def test_history_comes_before_the_question():
    found = dialogue({"query": "Q", "response": "A", "history": [["q", "a"]]})
    assert [turn["content"] for turn in found.messages] == ["q", "a", "Q", "A"]


def test_loss_scales_are_left_behind():
    scaled = [ASKED[0], {**ASKED[1], "loss_scale": 2.0}]
    assert dialogue({"messages": scaled, "audios": ["a.wav"]}).messages == ASKED
