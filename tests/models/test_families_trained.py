"""What holds for every family of audio LLMs when it is trained, adapted and saved."""

import json

import numpy as np
import pytest
import torch
from peft import PeftModel

from maqam.models.adapters import add_adapter, merge_adapter, save_adapter, save_weights
from maqam.models.freezing import parameter_table, train_only
from maqam.models.loading import load_backbone
from maqam.models.settings import ModelSettings
from maqam.train.phases import Phase, run_phase
from maqam.train.settings import Objective, TrainSettings
from tests.train.corpus import make_plan

from .cases import SECONDS

HELD = (2, len(SECONDS))  # rows of the batch: a spoken one, and that of text


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
    """Return the stock logits of a spoken row and of a text row."""
    batch, rows = case.batch(), []
    for row in HELD:
        length = int(batch.lengths[row])
        stock = model(
            input_ids=batch.input_ids[row : row + 1, :length],
            attention_mask=torch.ones(1, length, dtype=torch.long),
            **(case.audio_inputs(case.samples[row]) if row < len(SECONDS) else {}),
        )
        rows.append(stock.logits[0])
    return torch.cat(rows)


@torch.no_grad()
def own_logits(case, llm):
    """Return the logits of the same rows here."""
    batch = case.batch()
    hidden = llm.hidden(batch)
    return torch.cat([llm.logits(hidden[row, : batch.lengths[row]]) for row in HELD])


@torch.no_grad()
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_an_adapter_loads_in_stock_transformers_and_peft(case, fresh, tmp_path):
    save_adapter(shaken_adapter(fresh), tmp_path)
    ours = own_logits(case, fresh)
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
    ours = own_logits(case, fresh)
    assert torch.allclose(ours, logits_of(case, case.stock(tmp_path)), atol=5e-4)
    again = load_backbone(ModelSettings(case.family.kind, str(tmp_path)))
    assert torch.equal(own_logits(case, again), ours)
    asked = (case.samples[0], "قال")
    stock = case.family.ids(case.processor, *asked)
    assert case.family.ids(case.family.processor(tmp_path), *asked) == stock


def test_a_frozen_encoder_rests_while_the_llm_trains(case, fresh):
    fresh.model.train()
    fresh.rest_encoder()
    modes = {
        fresh.part_of(f"{name}."): module.training
        for name, module in fresh.model.named_modules()
        if not list(module.children())
    }
    assert (modes["encoder"], modes["aligner"], modes["llm"]) == (False, False, True)


def test_a_training_that_is_killed_goes_on_as_if_it_never_stopped(case, utterances, tmp_path):
    settings = TrainSettings(
        phase="align", llm="lora", num_steps=2, batch_size=2, micro_batches=1, checkpoint_steps=1
    )
    plan = make_plan(np.arange(4), num_steps=2, batch_size=2)
    phase = Phase(utterances, plan, settings, Objective(), seed=3)

    def kill(done, total):
        if done == 1:
            raise KeyboardInterrupt

    whole, own = case.load(), case.load()
    run_phase(whole, phase, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run_phase(case.load(), phase, tmp_path / "run", progress=kill)
    run_phase(own, phase, tmp_path / "run", resume=True)
    losses = [
        [json.loads(line)["loss"] for line in (tmp_path / run / "train.jsonl").open()]
        for run in ("run", "whole")
    ]
    assert losses[0] == losses[1]
    assert len(set(losses[0])) == 2
    assert all(map(torch.equal, own.model.parameters(), whole.model.parameters()))
    begun = dict(case.llm.model.named_parameters())
    changed = {
        case.llm.part_of(name)
        for name, one in own.model.named_parameters()
        if not torch.equal(one, begun[name])
    }
    assert changed == {"encoder", "aligner", "llm"}
