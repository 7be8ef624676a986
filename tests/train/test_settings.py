import pytest
from pydantic import TypeAdapter, ValidationError

from maqam.train.settings import Objective, TrainSettings


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"num_steps": 0}, "num_steps must be at least 1, got 0"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"beta2": 1.0}, r"beta2 must be in \[0, 1\), got 1.0"),
        ({"weight_decay": -1.0}, "weight_decay must be at least 0"),
        ({"batch_size": 2, "micro_batches": 4}, "batch_size 2 is below micro_batches 4"),
        ({"warmup": 0.6, "decay": 0.6}, "sum to more than 1"),
        ({"phase": "tune", "llm": "full"}, 'phase "tune" trains adapters only: llm "full"'),
        ({"phase": "tune", "llm": "off"}, 'phase "tune" trains adapters only: llm "off"'),
        ({"extensions": (5, 0)}, r"extensions must be at least 1 each, got \[5, 0\]"),
        ({"micro_tokens": 0}, "micro_tokens must be at least 1 or null, got 0"),
        ({"phase": "align", "adapter_from": "a"}, 'adapter_from is for "tune"'),
        ({"workers": -1}, "workers must be at least 0"),
        ({"phase": "tune", "workers": 2}, 'workers is for "align"'),
    ],
)
def test_a_setting_out_of_its_range_is_named(values, words):
    with pytest.raises(ValueError, match=words):
        TrainSettings(**values)


def test_weights_of_an_objective_must_be_positive():
    with pytest.raises(ValueError, match=r"weights must be above 0 and finite, got \{'did': 0\}"):
        Objective(weights={"asr": 1, "did": 0})
    with pytest.raises(ValueError, match="ctc_weight must be at least 0"):
        Objective(ctc_weight=-0.1)
    with pytest.raises(ValueError, match='ctc_head "embeddings" needs a ctc_weight above 0'):
        Objective(ctc_head="embeddings")


def test_a_recipe_validates_them_and_refuses_unknown_keys():
    settings = TypeAdapter(TrainSettings).validate_python({"num_steps": 5, "lora_rank": 8})
    assert (settings.num_steps, settings.lora_rank) == (5, 8)
    with pytest.raises(ValidationError, match="num_step"):
        TypeAdapter(TrainSettings).validate_python({"num_step": 5})
    with pytest.raises(ValidationError, match="normalise"):
        TypeAdapter(Objective).validate_python({"normalise": "token"})


def test_the_learning_rate_is_flat_between_warmup_and_decay():
    settings = TrainSettings(num_steps=100, warmup=0.1, decay=0.3)
    rates = [settings.rate(step) for step in range(101)]
    assert rates[0] == 0.1
    assert rates[9:71] == [1.0] * 62
    assert rates[99] == pytest.approx(1 / 30)
    assert rates[100] == 0.0


def test_without_warmup_and_decay_the_learning_rate_never_changes():
    settings = TrainSettings(num_steps=3, warmup=0.0, decay=0.0)
    assert [settings.rate(step) for step in range(4)] == [1.0] * 4


def test_an_extension_rises_to_the_peak_and_falls_again():
    settings = TrainSettings(num_steps=4, extensions=(4, 2), warmup=0.25, decay=0.5)
    once = [settings.rate(step) for step in range(4)]
    assert once == [1.0, 1.0, 1.0, 0.5]
    assert [settings.rate(step) for step in range(4, 8)] == once
    assert settings.total_steps == 10
