"""Training of composed models and of models of units, from the command to what stock loads."""

import shutil

import numpy as np
import pytest
import torch
import transformers
from peft import PeftModel
from safetensors.torch import load_file

from maqam.errors import ModelError
from maqam.features.extract import fill_store, store_contents
from maqam.features.settings import FeatureSettings
from maqam.features.units import make_units
from maqam.models.adapters import load_adapter, merge_adapter, remove_adapter, save_weights
from maqam.models.audio_states import encoded_states
from maqam.models.composed.compose import Composition, compose
from maqam.models.loading import load_backbone
from maqam.models.protocol import collate
from maqam.models.settings import ModelSettings
from maqam.models.tuning.settings import TaskAdapters
from maqam.models.units.make import UnitComposition, UnitParts
from maqam.train.phases import Phase, run_phase
from maqam.train.settings import Objective, TrainSettings
from tests.models.composed.parts import make_llm, make_whisper

from .corpus import make_plan

CPU = torch.device("cpu")
NUM_UNITS = 12


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    return make_whisper(tmp_path_factory.mktemp("whisper")), make_llm(
        tmp_path_factory.mktemp("llm")
    )


@pytest.fixture(scope="module")
def composed(parts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("composed") / "model"
    compose(Composition(*map(str, parts)), folder)
    return folder


@pytest.fixture(scope="module")
def units(parts, manifest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("units") / "model"
    made = UnitComposition(*map(str, parts), layer=2, num_units=NUM_UNITS)
    make_units(UnitParts(made, folder), manifest)
    return folder


def load(folder):
    return load_backbone(ModelSettings("auto", str(folder)), device=CPU)


def phase_of(manifest, **changes):
    settings = {"num_steps": 2, "batch_size": 4, "micro_batches": 2, "learning_rate": 1e-2}
    settings = TrainSettings(**{**settings, **changes})
    plan = make_plan(np.arange(24), settings.num_steps, settings.batch_size)
    return Phase(manifest, plan, settings, Objective(), seed=0)


def moved(before, after):
    """Name the tensors that differ."""
    return {name for name, value in after.items() if not torch.equal(value, before[name])}


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_composed_model_aligns_then_tunes_and_stock_loads_both(composed, manifest, tmp_path):
    before = load_file(composed / "model.safetensors")
    aligned = run_phase(
        load(composed), phase_of(manifest, phase="align", llm="full"), tmp_path / "align"
    ).output
    after = load_file(aligned / "model.safetensors")
    parts = {name.split(".")[0] for name in moved(before, after)}
    assert parts == {"audio_tower", "multi_modal_projector", "language_model"}
    head, embeddings = (
        after[f"language_model.{name}.weight"] for name in ("lm_head", "model.embed_tokens")
    )
    assert torch.equal(head, embeddings)  # tied in the LLM, and so while it trained
    processor = transformers.AutoProcessor.from_pretrained(aligned)
    assert processor.chat_template == (composed / "chat_template.jinja").read_text()
    tuned = load(aligned)
    adapter = run_phase(tuned, phase_of(manifest), tmp_path / "tune").output
    stock = transformers.Qwen2AudioForConditionalGeneration.from_pretrained(aligned).eval()
    ids = torch.arange(5, 30)[None]
    with torch.no_grad():
        plain = stock(input_ids=ids).logits
        adapted = PeftModel.from_pretrained(stock, str(adapter)).eval()(input_ids=ids).logits
        assert torch.allclose(adapted, tuned.model(input_ids=ids).logits, atol=1e-5)
    assert not torch.allclose(adapted, plain, atol=1e-3)


def test_tuning_a_model_of_units_trains_the_embeddings_of_its_units_alone(
    units, manifest, tmp_path
):
    backbone = load(units)
    output = run_phase(backbone, phase_of(manifest), tmp_path / "run").output
    batch = spoken_batch(backbone, manifest)
    with torch.no_grad():
        trained = backbone.logits(backbone.hidden(batch))
    fresh = load(units)
    before = fresh.model.state_dict()["model.embed_tokens.weight"].clone()
    load_adapter(fresh, output)
    with torch.no_grad():
        assert torch.equal(fresh.logits(fresh.hidden(batch)), trained)
    merge_adapter(fresh)
    save_weights(fresh, tmp_path / "merged")
    after = load_file(tmp_path / "merged" / "model.safetensors")["model.embed_tokens.weight"]
    rows = (after != before).any(dim=1).nonzero()[:, 0].tolist()
    first = fresh.first_unit
    assert set(rows) <= set(range(first, first + NUM_UNITS))
    assert len(rows) > NUM_UNITS // 2
    stock = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "merged").eval()
    with torch.no_grad():
        columns = torch.arange(batch.input_ids.shape[1]) < batch.lengths[:, None]
        logits = stock(input_ids=fresh.unit_ids(batch), attention_mask=columns.long()).logits
    assert torch.allclose(logits[columns], trained[columns], atol=1e-4)


def test_a_model_whose_adapter_is_taken_off_is_as_it_was(units, manifest, tmp_path):
    backbone = load(units)
    batch = spoken_batch(backbone, manifest)
    with torch.no_grad():
        before = backbone.logits(backbone.hidden(batch))
    run_phase(backbone, phase_of(manifest), tmp_path / "run")
    remove_adapter(backbone)
    with torch.no_grad():
        assert torch.equal(backbone.logits(backbone.hidden(batch)), before)
    backbone.model.save_pretrained(tmp_path / "again")
    plain = load_file(units / "model.safetensors")
    assert not moved(plain, load_file(tmp_path / "again" / "model.safetensors"))


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_adapter_of_a_model_of_units_loads_in_stock_peft(units, manifest, tmp_path):
    backbone = load(units)
    output = run_phase(backbone, phase_of(manifest), tmp_path / "run").output
    batch = spoken_batch(backbone, manifest)
    ids = backbone.unit_ids(batch)[:1, : int(batch.lengths[0])]
    stock = transformers.AutoModelForCausalLM.from_pretrained(units).eval()
    adapted = PeftModel.from_pretrained(stock, str(output)).eval()
    with torch.no_grad():
        ours = backbone.logits(backbone.hidden(batch))[:1, : ids.shape[1]]
        assert torch.allclose(adapted(input_ids=ids).logits, ours, atol=1e-4)


def test_a_run_of_units_that_is_resumed_ends_as_one_that_never_stopped(units, manifest, tmp_path):
    changes = {"num_steps": 3, "checkpoint_steps": 1}
    whole = run_phase(load(units), phase_of(manifest, **changes), tmp_path / "whole").output
    killed = tmp_path / "killed"
    shutil.copytree(tmp_path / "whole", killed)
    shutil.rmtree(killed / "adapter")
    for path in (killed / "checkpoints").iterdir():
        if path.name.endswith("3"):
            shutil.rmtree(path)
    resumed = run_phase(load(units), phase_of(manifest, **changes), killed, resume=True).output
    first, second = (load_file(one / "adapter_model.safetensors") for one in (whole, resumed))
    assert not moved(first, second)
    assert any("trainable_tokens" in name for name in first)


def test_stored_units_train_as_those_heard_on_the_spot_and_clusters_are_the_encoder_s(
    units, manifest, tmp_path
):
    rows = np.arange(24)
    backbone = load(units)
    contents = store_contents(backbone, manifest, rows, FeatureSettings(keep="states"))
    store = fill_store(backbone, contents, tmp_path / "store")
    heard = encoded_states(backbone, manifest)(rows.tolist())
    assert store.dim == 32  # the encoder's width, not the LLM's
    spoken = [row for row in rows if len(heard[row])]
    means = np.stack([heard[row].mean(dim=0).numpy() for row in spoken])
    assert np.allclose(store.pooled(spoken), means, atol=1e-5)
    kept = [backbone.codebook.units_meant(one).tolist() for one in store(spoken)]
    assert kept == [backbone.codebook.units_meant(heard[row]).tolist() for row in spoken]


def test_aligning_a_model_without_an_aligner_is_one_line(units, manifest, tmp_path):
    with pytest.raises(ModelError, match="no parameter of the aligner trains"):
        run_phase(load(units), phase_of(manifest, phase="align"), tmp_path / "run")


def test_adapters_that_would_leave_the_units_untrained_are_one_line(units, manifest, tmp_path):
    phase = phase_of(manifest, adapter=TaskAdapters("task"))
    with pytest.raises(ModelError, match="kind task leave the embeddings of new tokens"):
        run_phase(load(units), phase, tmp_path / "run")


def spoken_batch(backbone, manifest):
    """Return two spoken rows and a text row side by side."""
    rows = [0, 1, 2]
    states = encoded_states(backbone, manifest)(rows)
    encoded = [
        backbone.dialogue.encode(row["messages"], len(one))
        for row, one in zip(manifest.rows(rows), states, strict=True)
    ]
    return collate(encoded, states, backbone.dialogue.padding_id)
