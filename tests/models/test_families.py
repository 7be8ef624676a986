"""What holds for every family of audio LLMs, on tiny random weights in the layout of the hub."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from maqam.errors import AudioError, ModelError
from maqam.models.audio_states import encode_rows
from maqam.models.checkpoint import load_dialogue
from maqam.models.families import FAMILIES
from maqam.models.loading import DEVIATING, load_backbone
from maqam.models.protocol import collate
from maqam.models.settings import ModelSettings
from maqam.train.objective import supervise

from . import tiny
from .cases import ANSWERS, SECONDS, turns


def test_every_family_is_held_to_this():
    assert {family.kind for family in tiny.FAMILIES} == set(FAMILIES)
    assert {*FAMILIES} - {*DEVIATING}, "some families are values and no code"


def test_ids_are_those_of_the_family_s_own_processor_and_template(case):
    for seconds, samples in zip(SECONDS, case.samples, strict=True):
        stock = case.family.ids(case.processor, samples, "فرّغ الكلام")
        dialogue = load_dialogue(ModelSettings("auto", str(case.folder)))
        width = dialogue.num_audio_tokens_of(seconds)
        ours = dialogue.encode(turns("<audio>فرّغ الكلام", "-"), width, with_target=False)
        assert ours.input_ids.tolist() == stock
        assert ours.num_audio_tokens == width == (ours.input_ids == dialogue.audio_id).sum()


def test_tokens_of_control_in_a_text_stay_text(case):
    dialogue = case.llm.dialogue
    control = [dialogue.tokenizer.token_to_id(one) for one in dialogue.template.special_tokens]
    text = "قال " + " ".join(dialogue.template.special_tokens)
    splitting = transformers.AutoTokenizer.from_pretrained(case.folder, split_special_tokens=True)
    encoded = dialogue.encode(turns(text, text), 0)
    answer = encoded.input_ids[encoded.target_start :]
    assert [*splitting(text)["input_ids"], dialogue.end_id] == answer.tolist()
    plain = dialogue.encode(turns("قال", "قال"), 0).input_ids
    assert np.isin(encoded.input_ids, control).sum() == np.isin(plain, control).sum()
    assert dialogue.decode(answer) == text


def test_frames_are_those_of_the_family_s_own_feature_extractor(case):
    for samples in case.samples:
        ours = case.llm.dialogue.front_end.frames(samples)
        stock = case.family.frames(case.audio_inputs(samples))
        assert np.allclose(ours, stock[: len(ours)], atol=1e-4)


def held_lengths(front_end):
    """Return numbers of samples about which a count may be wrong by one."""
    second, hop = front_end.sample_rate, front_end.extractor.hop_samples
    edges = (front_end.min_samples, hop, second, 30 * second)
    near = st.sampled_from(edges).flatmap(lambda one: st.integers(one - 2, one + 2))
    return (near | st.integers(1, 35 * second)).filter(lambda one: one >= front_end.min_samples)


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_audio_tokens_of_any_length_are_as_many_as_the_processor_s(case, data):
    front_end = case.llm.dialogue.front_end
    num_samples = data.draw(held_lengths(front_end))
    seconds = num_samples / front_end.sample_rate
    if front_end.max_seconds is not None and seconds > front_end.max_seconds:
        return
    stock = case.family.ids(case.processor, np.zeros(num_samples, np.float32), "-")
    frames = front_end.num_frames(num_samples)
    assert front_end.num_audio_tokens(frames) == stock.count(case.llm.dialogue.audio_id)
    assert front_end.num_audio_tokens(frames) <= front_end.most_audio_tokens(np.array(seconds))


@torch.no_grad()
def test_hidden_states_and_loss_equal_the_class_own_forward(case):
    batch = case.batch()
    positions, targets, _ = supervise(batch)
    logits = case.llm.logits(case.llm.hidden_at(batch, positions))
    labels = torch.full_like(batch.input_ids, -100)
    labels.view(-1)[positions + 1] = targets
    hidden, model, losses = case.llm.hidden(batch), case.stock(), []
    for row, length in enumerate(batch.lengths.tolist()):
        stock = model(
            input_ids=batch.input_ids[row : row + 1, :length],
            attention_mask=torch.ones(1, length, dtype=torch.long),
            labels=labels[row : row + 1, :length],
            output_hidden_states=True,
            **(case.audio_inputs(case.samples[row]) if row < len(SECONDS) else {}),
        )
        width = batch.input_ids.shape[1]
        own = (positions >= row * width) & (positions < (row + 1) * width)
        chosen = stock.logits[0, positions[own] - row * width]
        assert torch.allclose(logits[own], chosen, atol=2e-4)
        assert torch.allclose(hidden[row, :length], stock.hidden_states[-1][0], atol=2e-4)
        losses += [float(stock.loss) * int(own.sum())]
    loss = float(F.cross_entropy(logits, targets))
    assert loss == pytest.approx(sum(losses) / len(targets), abs=1e-4)
    assert float(hidden.std()) > 0.1


@torch.no_grad()
def test_audio_beyond_one_window_is_heard_as_the_class_hears_it(case):
    front_end, dialogue = case.llm.dialogue.front_end, case.llm.dialogue
    seconds = min(31.007, front_end.max_seconds or 31.007)
    generator = np.random.default_rng(1)
    size = round(seconds * front_end.sample_rate)
    samples = generator.normal(scale=0.1, size=size).astype(np.float32)
    samples[: size // 3] *= 1e-4
    inputs = case.audio_inputs(samples)
    frames = front_end.frames(samples)
    fits = len(frames) - front_end.tail_frames
    assert np.allclose(frames[:fits], case.family.frames(inputs)[:fits], atol=1e-4)
    states, _ = case.llm.encode_audio([frames, *case.frames()[:1]])
    row = dialogue.encode(turns("<audio>فرّغ", "نعم"), len(states))
    hidden = case.llm.hidden(collate([row], [states], dialogue.padding_id))
    ids = torch.from_numpy(row.input_ids)[None]
    stock = case.stock()(
        input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True, **inputs
    )
    assert torch.allclose(hidden, stock.hidden_states[-1], atol=5e-4)


@torch.no_grad()
def test_a_row_alone_is_the_row_in_a_batch(case):
    together, batch = case.encode_audio(), case.batch()
    hidden = case.llm.hidden(batch)
    for index, frames in enumerate(case.frames()):
        (alone,) = case.llm.encode_audio([frames])
        assert len(alone) == case.llm.dialogue.num_audio_tokens(len(frames))
        assert torch.allclose(alone, together[index], atol=1e-4)
        encoded = case.llm.dialogue.encode(turns("<audio>فرّغ", ANSWERS[index]), len(alone))
        single = case.llm.hidden(collate([encoded], [alone], case.llm.dialogue.padding_id))[0]
        assert torch.allclose(single, hidden[index, : len(single)], atol=1e-4)


@torch.no_grad()
def test_answers_side_by_side_are_those_of_the_stock_generate(case):
    states, dialogue, stock = case.encode_audio(), case.llm.dialogue, case.stock()
    prompts = [
        dialogue.encode(turns("<audio>فرّغ", "-"), len(one), with_target=False) for one in states
    ]
    answers = case.llm.generate(prompts, states, max_new_tokens=8)
    for prompt, samples, answer in zip(prompts, case.samples, answers, strict=True):
        ids = torch.from_numpy(prompt.input_ids)[None]
        made = stock.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=8,
            do_sample=False,
            **case.audio_inputs(samples),
        )
        assert made[0, ids.shape[1] :].tolist() == answer


@torch.no_grad()
def test_scores_of_fixed_answers_are_those_of_the_class_own_forward(case):
    states, dialogue, stock = case.encode_audio(), case.llm.dialogue, case.stock()
    prompts = [
        dialogue.encode(turns("<audio>فرّغ", "-"), len(one), with_target=False) for one in states
    ]
    answers = [dialogue.target_ids(one) for one in (ANSWERS[0], ANSWERS[0][:5], "")]
    _, found = case.llm.answer(prompts, states, 0, answers)
    for prompt, samples, scores in zip(prompts[:2], case.samples, found, strict=False):
        for answer, score in zip(answers, scores, strict=True):
            ids = torch.tensor([[*prompt.input_ids.tolist(), *answer]])
            logits = stock(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                **case.audio_inputs([samples]),
            ).logits[0, -len(answer) - 1 : -1]
            logs = logits.log_softmax(dim=-1)[torch.arange(len(answer)), torch.tensor(answer)]
            assert float(score) == pytest.approx(float(logs.sum()), abs=1e-3)


def test_attention_in_single_precision_changes_nothing_in_full(case):
    with torch.no_grad(), case.llm.single_precision_attention():
        single = torch.cat(case.encode_audio())
    with torch.no_grad():
        assert torch.allclose(single, torch.cat(case.encode_audio()), atol=1e-5)


def test_audio_beyond_the_encoder_s_window_is_one_line(case):
    front_end = case.llm.dialogue.front_end
    longest = front_end.max_frames
    if longest is None:
        assert not front_end.exceeds(10**6)
        return
    longest += front_end.tail_frames
    whole = np.zeros((longest, front_end.num_bins), dtype=np.float32)
    assert not front_end.exceeds(longest)
    words = rf"audio of 1 rows is longer than the {front_end.max_seconds} s .*: 8"
    with pytest.raises(AudioError, match=words):
        encode_rows(case.llm, [whole, np.concatenate([whole, whole[-1:]])], [7, 8])


def test_a_checkpoint_of_another_family_than_the_recipe_s_is_one_line(case):
    other = next(kind for kind in FAMILIES if kind != case.family.kind)
    own, wanted = FAMILIES[case.family.kind].title, FAMILIES[other].title
    with pytest.raises(ModelError, match=f"the checkpoint is of {own}, not of {wanted}") as error:
        load_dialogue(ModelSettings(other, str(case.folder)))
    assert error.value.hint == f"set model.kind={case.family.kind}"


@torch.no_grad()
def test_half_precision_hears_nearly_the_same(case):
    half = load_backbone(
        ModelSettings("auto", str(case.folder), dtype="bfloat16"), device=torch.device("cpu")
    )
    batch = case.batch()
    hidden = half.hidden(replace(batch, audio_states=half.encode_audio(case.frames())))
    row = slice(int(batch.lengths[0]))
    likeness = F.cosine_similarity(hidden[0, row].float(), case.llm.hidden(batch)[0, row], dim=-1)
    assert hidden.dtype == torch.bfloat16
    assert float(likeness.mean()) > 0.9


def test_a_tokenizer_that_lacks_the_audio_token_is_one_line(case, tmp_path):
    audio = case.llm.dialogue.template.audio[1]
    for path in case.folder.iterdir():
        if path.suffix in (".json", ".jinja"):
            text = path.read_text(encoding="utf-8")
            is_tokenizer = path.name in ("tokenizer.json", "tekken.json")
            (tmp_path / path.name).write_text(
                text.replace(audio, "<other>") if is_tokenizer else text, encoding="utf-8"
            )
    with pytest.raises(ModelError, match=f"the tokenizer has no token {re.escape(audio)}") as error:
        load_dialogue(ModelSettings("auto", str(tmp_path)))
    assert error.value.where == str(tmp_path)


def test_an_unknown_architecture_is_one_line_with_the_list(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    with pytest.raises(ModelError, match="no family of audio LLMs has the architecture 'bert'") as (
        error
    ):
        load_backbone(ModelSettings("auto", str(tmp_path)))
    assert all(family.title in error.value.hint for family in FAMILIES.values())


def test_an_unknown_kind_is_told_its_nearest_name():
    with pytest.raises(ValueError, match="no model kind 'qwen2_audo': did you mean 'qwen2_audio'"):
        ModelSettings("qwen2_audo")
    with pytest.raises(ValueError, match="known: pocket, auto, qwen2_5_omni"):
        ModelSettings("zzz")
