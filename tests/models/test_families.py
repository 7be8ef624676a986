"""What holds for every family of audio LLMs, on tiny random weights in the layout of the hub."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import transformers
from peft import PeftModel

from maqam.errors import AudioError, ModelError
from maqam.models.adapters import add_adapter, merge_adapter, save_adapter, save_weights
from maqam.models.audio_states import encode_rows
from maqam.models.checkpoint import load_dialogue
from maqam.models.families import FAMILIES
from maqam.models.freezing import parameter_table, train_only
from maqam.models.loading import load_backbone
from maqam.models.protocol import collate
from maqam.models.settings import ModelSettings
from maqam.train.objective import supervise

from . import tiny

SECONDS = (0.31, 1.0, 2.57, 4.003)
ANSWERS = ("مرحبا يا", "egyptian", "كيف الحال", "angry")
TEXT_ROW = ("لخّص: مرحبا يا صديقي", "نعم")


@dataclass(frozen=True)
class Case:
    """A family's checkpoint, ours and stock."""

    family: tiny.TinyFamily
    folder: Any
    llm: Any
    processor: Any
    samples: list[np.ndarray]

    def stock(self, folder: Any = None) -> Any:
        """Load the class of transformers as any user of it would."""
        kind = getattr(transformers, FAMILIES[self.family.kind].architecture)
        return kind.from_pretrained(folder or self.folder, dtype=torch.float32).eval()

    def audio_inputs(self, samples: list[np.ndarray]) -> dict[str, Any]:
        """Return the stock features of samples, as the processor of the family makes them."""
        made = self.processor(
            text=[self.processor.audio_token] * len(samples),
            audio=samples,
            sampling_rate=16_000,
            return_tensors="pt",
            text_kwargs={"padding": True},
        )
        return {
            name: value
            for name, value in made.items()
            if name not in ("input_ids", "attention_mask")
        }

    def frames(self) -> list[np.ndarray]:
        return [self.llm.dialogue.front_end.frames(one) for one in self.samples]

    def encode_audio(self) -> list[torch.Tensor]:
        return self.llm.encode_audio(self.frames())

    def batch(self) -> Any:
        """Return spoken rows and a text row side by side."""
        states = self.encode_audio()
        rows = [
            self.llm.dialogue.encode(turns("<audio>فرّغ", answer), len(one))
            for answer, one in zip(ANSWERS, states, strict=True)
        ]
        rows.append(self.llm.dialogue.encode(turns(*TEXT_ROW), 0))
        silent = torch.zeros(0, self.llm.audio_dim)
        return collate(rows, [*states, silent], self.llm.dialogue.padding_id)


def turns(prompt: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]


@pytest.fixture(scope="module", params=tiny.FAMILIES, ids=lambda family: family.kind)
def case(request, tmp_path_factory):
    family, folder = request.param, tmp_path_factory.mktemp(request.param.kind)
    family.make(folder)
    patched = pytest.MonkeyPatch()
    patched.setitem(FAMILIES, tiny.PLAIN.kind, tiny.PLAIN)
    llm = load_backbone(ModelSettings("auto", str(folder)), device=torch.device("cpu"))
    generator = np.random.default_rng(0)
    samples = [
        generator.normal(scale=0.1, size=round(seconds * 16_000)).astype(np.float32)
        for seconds in SECONDS
    ]
    yield Case(family, folder, llm, family.processor(folder), samples)
    patched.undo()


@pytest.fixture
def fresh(case):
    """Return a model that a test may change."""
    return load_backbone(ModelSettings("auto", str(case.folder)), device=torch.device("cpu"))


def test_every_family_is_held_to_this():
    assert {family.kind for family in tiny.FAMILIES} == {*FAMILIES, tiny.PLAIN.kind}


def test_ids_are_those_of_the_family_s_own_processor_and_template(case):
    for seconds, samples in zip(SECONDS, case.samples, strict=True):
        prompt = [{"type": "audio", "audio_url": "-"}, {"type": "text", "text": "فرّغ الكلام"}]
        chat = [{"role": "user", "content": prompt}]
        text = case.processor.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        stock = case.processor(text=[text], audio=[samples], sampling_rate=16_000)["input_ids"]
        dialogue = load_dialogue(ModelSettings("auto", str(case.folder)))
        width = dialogue.num_audio_tokens_of(seconds)
        ours = dialogue.encode(turns("<audio>فرّغ الكلام", "-"), width, with_target=False)
        assert ours.input_ids.tolist() == np.asarray(stock).reshape(-1).tolist()
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
        stock = case.audio_inputs([samples])["input_features"][0].numpy().T
        assert np.allclose(ours, stock[: len(ours)], atol=1e-4)


@torch.no_grad()
def test_hidden_states_and_loss_equal_the_class_own_forward(case):
    batch = case.batch()
    positions, targets, _ = supervise(batch)
    logits = case.llm.logits(case.llm.hidden_at(batch, positions))
    labels = torch.full_like(batch.input_ids, -100)
    labels.view(-1)[positions + 1] = targets
    columns = torch.arange(batch.input_ids.shape[1])
    is_real = columns < batch.lengths[:, None]
    stock = case.stock()(
        input_ids=batch.input_ids,
        attention_mask=is_real.long(),
        labels=labels,
        output_hidden_states=True,
        **case.audio_inputs(case.samples),
    )
    assert torch.allclose(logits, stock.logits.flatten(0, 1)[positions], atol=2e-4)
    hidden = case.llm.hidden(batch)
    assert torch.allclose(hidden[is_real], stock.hidden_states[-1][is_real], atol=2e-4)
    assert float(F.cross_entropy(logits, targets)) == pytest.approx(float(stock.loss), abs=1e-4)
    assert float(hidden.std()) > 0.1


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
            **case.audio_inputs([samples]),
        )
        assert made[0, ids.shape[1] :].tolist() == answer


@torch.no_grad()
def test_scores_of_fixed_answers_are_those_of_the_class_own_forward(case):
    states, dialogue, stock = case.encode_audio(), case.llm.dialogue, case.stock()
    prompts = [
        dialogue.encode(turns("<audio>فرّغ", "-"), len(one), with_target=False) for one in states
    ]
    answers = [dialogue.target_ids(one) for one in (ANSWERS[0], ANSWERS[0][:5], "")]
    found = case.llm.continuation_scores(prompts, states, answers)
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


def test_every_parameter_belongs_to_one_part_and_adapters_to_the_llm(case, fresh):
    parts = fresh.parts()
    assert all(parts.values())
    listed = [name for names in parts.values() for name in names]
    assert len(listed) == len(set(listed))
    targets = fresh.lora_target_names()
    assert {fresh.part_of(f"{name}.weight") for name in targets} == {"llm"}
    before = torch.cat(case.encode_audio())
    add_adapter(fresh, rank=2, alpha=4, seed=0)
    adapted = [name for name, _ in fresh.model.named_parameters() if ".lora_A." in name]
    assert {name.split(".lora_A.")[0] for name in adapted} == set(targets)
    train_only(fresh, ["adapter"])
    trained = {row["part"] for row in parameter_table(fresh) if row["trainable"]}
    assert trained == {"adapter"}
    assert torch.equal(torch.cat(fresh.encode_audio(case.frames())), before)


def test_a_gradient_reaches_encoder_aligner_and_llm(case, fresh):
    states = fresh.encode_audio(case.frames()[1:2])
    row = fresh.dialogue.encode(turns("<audio>فرّغ", "نعم"), len(states[0]))
    batch = collate([row], states, fresh.dialogue.padding_id)
    positions, targets, _ = supervise(batch)
    F.cross_entropy(fresh.logits(fresh.hidden_at(batch, positions)), targets).backward()
    reached = {
        fresh.part_of(name)
        for name, one in fresh.model.named_parameters()
        if one.grad is not None and one.grad.abs().sum() > 0
    }
    assert reached == {"encoder", "aligner", "llm"}


def shaken_adapter(llm):
    """Add an adapter that changes what the model says, as training would make it."""
    adapter = add_adapter(llm, rank=2, alpha=4, seed=0)
    generator = torch.Generator().manual_seed(1)
    for name, parameter in llm.model.named_parameters():
        if ".lora_B." in name:
            parameter.data.normal_(std=0.1, generator=generator)
    return adapter


@torch.no_grad()
def logits_of(case, model):
    batch = case.batch()
    columns = torch.arange(batch.input_ids.shape[1])
    is_real = columns < batch.lengths[:, None]
    return model(
        input_ids=batch.input_ids,
        attention_mask=is_real.long(),
        **case.audio_inputs(case.samples),
    ).logits[is_real]


@torch.no_grad()
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_an_adapter_loads_in_stock_transformers_and_peft(case, fresh, tmp_path):
    save_adapter(shaken_adapter(fresh), tmp_path)
    batch = case.batch()
    is_real = torch.arange(batch.input_ids.shape[1]) < batch.lengths[:, None]
    ours = fresh.logits(fresh.hidden(batch))[is_real]
    plain = case.stock()
    unadapted = logits_of(case, plain)
    stock = logits_of(case, PeftModel.from_pretrained(plain, str(tmp_path)).eval())
    assert torch.allclose(ours, stock, atol=5e-4)
    assert not torch.allclose(stock, unadapted, atol=1e-2)


@torch.no_grad()
def test_merged_weights_load_in_stock_transformers_and_here(case, fresh, tmp_path):
    shaken_adapter(fresh)
    merge_adapter(fresh)
    save_weights(fresh, tmp_path)
    batch = case.batch()
    is_real = torch.arange(batch.input_ids.shape[1]) < batch.lengths[:, None]
    ours = fresh.logits(fresh.hidden(batch))[is_real]
    assert torch.allclose(ours, logits_of(case, case.stock(tmp_path)), atol=5e-4)
    again = load_backbone(ModelSettings(case.family.kind, str(tmp_path)))
    assert torch.equal(again.logits(again.hidden(batch))[is_real], ours)
    processor = case.family.processor(tmp_path)
    inputs = {
        "text": [f"قال {processor.audio_token}"],
        "audio": case.samples[:1],
        "sampling_rate": 16_000,
        "return_tensors": "pt",
    }
    stock = case.processor(**inputs)["input_ids"]
    assert torch.equal(processor(**inputs)["input_ids"], stock)


def test_attention_in_single_precision_changes_nothing_in_full(case):
    with torch.no_grad(), case.llm.single_precision_attention():
        single = torch.cat(case.encode_audio())
    with torch.no_grad():
        assert torch.allclose(single, torch.cat(case.encode_audio()), atol=1e-5)


def test_a_frozen_encoder_rests_while_the_llm_trains(case, fresh):
    fresh.model.train()
    fresh.rest_encoder()
    modes = {
        fresh.part_of(f"{name}."): module.training
        for name, module in fresh.model.named_modules()
        if not list(module.children())
    }
    assert (modes["encoder"], modes["aligner"], modes["llm"]) == (False, False, True)


def test_audio_beyond_the_encoder_s_window_is_one_line(case):
    front_end = case.llm.dialogue.front_end
    longest = front_end.max_frames
    if longest is None:
        assert not front_end.exceeds(10**6)
        return
    whole = front_end.frames(np.ones(160 * longest, dtype=np.float32))
    assert len(encode_rows(case.llm, [whole], [7])[0]) == front_end.count(longest) == 750
    with pytest.raises(AudioError, match=r"audio of 1 rows is longer than the 30.0 s .*: 8"):
        encode_rows(case.llm, [whole, np.concatenate([whole, whole[-1:]])], [7, 8])


def test_a_checkpoint_of_another_family_than_the_recipe_s_is_one_line(case):
    other = next(kind for kind in FAMILIES if kind != case.family.kind)
    own, wanted = FAMILIES[case.family.kind].title, FAMILIES[other].title
    with pytest.raises(ModelError, match=f"the checkpoint is of {own}, not of {wanted}") as error:
        load_dialogue(ModelSettings(other, str(case.folder)))
    assert error.value.hint == f"set model.kind={case.family.kind}"


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
