import json
import random
import shutil

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from maqam.data.manifest import Manifest
from maqam.errors import MaqamWarning, ModelError, RunError, ScheduleError
from maqam.models.audio_states import EncodedStates
from maqam.models.loading import load_backbone
from maqam.models.settings import ModelSettings
from maqam.models.tuning.settings import Full, Lora
from maqam.train.augment import Augmentation
from maqam.train.log_mels import LogMels
from maqam.train.phases import Phase, run_phase
from maqam.train.settings import Objective, TrainSettings

from .corpus import make_backbone, make_plan


def make_phase(manifest, objective=None, **changes):
    settings = {"num_steps": 2, "batch_size": 4, "micro_batches": 2, "checkpoint_steps": 1}
    settings = TrainSettings(**{**settings, **changes})
    plan = make_plan(np.arange(24), settings.num_steps, settings.batch_size)
    return Phase(manifest, plan, settings, objective or Objective(), seed=0)


def changed(before, after):
    """Name the parts whose parameters differ."""
    return {
        ".".join(name.split(".")[1:3])
        for name, value in after.items()
        if not torch.equal(value, before[name])
    }


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
def test_tuning_trains_the_adapter_and_nothing_else(backbone, manifest, run_folder):
    before = {name: value.clone() for name, value in backbone.model.state_dict().items()}
    result = run_phase(backbone, make_phase(manifest), run_folder)
    assert result.output == run_folder / "adapter"
    plain = make_backbone()
    PeftModel.from_pretrained(plain.model, str(result.output))
    trained = backbone.model.state_dict()
    for name, value in plain.model.state_dict().items():
        assert torch.equal(value, trained[name]), name
    names = {name.replace(".base_layer", ""): value for name, value in trained.items()}
    assert not changed(before, {name: names[name] for name in before})
    assert not backbone.model.training
    moved = [value.abs().sum() for name, value in trained.items() if ".lora_B." in name]
    assert all(one > 0 for one in moved)


def test_aligning_trains_all_parts_and_leaves_a_plain_checkpoint(backbone, manifest, run_folder):
    before = {name: value.clone() for name, value in backbone.model.state_dict().items()}
    phase = make_phase(manifest, Objective(ctc_weight=0.5), phase="align", llm="full")
    result = run_phase(backbone, phase, run_folder)
    after = backbone.model.state_dict()
    assert changed(before, after) == {
        "audio_tower.conv1",
        "audio_tower.conv2",
        "audio_tower.layers",
        "audio_tower.ln_post",
        "audio_tower.proj",
        "language_model.embed_tokens",
        "language_model.layers",
        "language_model.norm",
        "weight",  # lm_head, shared with embed_tokens
    }
    loaded = load_backbone(ModelSettings(path=str(result.output))).model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in loaded.items())
    assert not any("ctc" in name for name in loaded)


def test_tuning_the_whole_llm_leaves_encoder_and_aligner_and_a_plain_checkpoint(
    backbone, manifest, run_folder
):
    before = {name: value.clone() for name, value in backbone.model.state_dict().items()}
    result = run_phase(backbone, make_phase(manifest, adapter=Full()), run_folder)
    assert result.output == run_folder / "weights"
    after = backbone.model.state_dict()
    moved = changed(before, after)
    assert moved == {
        "language_model.embed_tokens",
        "language_model.layers",
        "language_model.norm",
        "weight",
    }
    loaded = load_backbone(ModelSettings(path=str(result.output))).model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in loaded.items())
    trained = {row["part"] for row in result.parts if row["trainable"]}
    assert trained == {"llm"}


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
@pytest.mark.parametrize(
    "adapter", [Lora(ranks={"attention": 4, "mlp": 0}), Lora(rslora=True), Lora(dora=True)]
)
def test_every_form_of_lora_is_trained_and_loads_with_plain_peft(
    adapter, backbone, manifest, run_folder
):
    result = run_phase(backbone, make_phase(manifest, adapter=adapter), run_folder)
    plain = make_backbone()
    PeftModel.from_pretrained(plain.model, str(result.output))
    trained = backbone.model.state_dict()
    assert plain.model.state_dict().keys() == trained.keys()
    for name, value in plain.model.state_dict().items():
        assert torch.equal(value, trained[name]), name
    adapted = {name.split(".lora_A.")[0] for name in trained if ".lora_A." in name}
    assert all("self_attn" in name for name in adapted) == bool(adapter.ranks)
    assert any("magnitude" in name for name in trained) == adapter.dora


def test_a_run_begins_only_from_a_lora_of_its_own_form(backbone, manifest, tmp_path):
    first = run_phase(backbone, make_phase(manifest), tmp_path / "first")
    words = "the adapter has rslora False, dora False and ranks alike, the run rslora True"
    phase = make_phase(manifest, adapter=Lora(rslora=True), adapter_from=str(first.output))
    with pytest.raises(ModelError, match=words):
        run_phase(make_backbone(), phase, tmp_path / "second")


def test_aligning_without_the_llm_leaves_it_as_it_was(backbone, manifest, run_folder):
    before = {name: value.clone() for name, value in backbone.model.state_dict().items()}
    phase = make_phase(manifest, Objective(ctc_weight=0.5), phase="align", llm="off")
    phase.plan.rows[:] = [[0, 3, 4, 7], [8, 11, 12, 15]]
    result = run_phase(backbone, phase, run_folder)
    moved = changed(before, backbone.model.state_dict())
    assert moved
    assert all(name.startswith("audio_tower.") for name in moved)
    loaded = load_backbone(ModelSettings(path=str(result.output))).model.state_dict()
    assert loaded.keys() == before.keys()
    steps = [json.loads(line) for line in (run_folder / "train.jsonl").read_text().splitlines()]
    assert all(step["loss"] == pytest.approx(0.5 * step["ctc_loss"]) for step in steps)
    assert all(step["loss_by_task"]["asr"] > 0 for step in steps)


def test_aligning_without_the_llm_refuses_what_ctc_does_not_hear(backbone, manifest, run_folder):
    with pytest.raises(RunError, match=r"train\.llm: llm \"off\" leaves the CTC loss only"):
        run_phase(backbone, make_phase(manifest, phase="align", llm="off"), run_folder)
    phase = make_phase(manifest, Objective(ctc_weight=1.0), phase="align", llm="off")
    phase.plan.rows[:] = [[0, 1, 2, 3], [4, 5, 6, 7]]
    with pytest.raises(ScheduleError, match="4 rows are no transcribed speech: 1, 2, 5, 6"):
        run_phase(backbone, phase, run_folder)
    assert not (run_folder / "run.json").exists()


def test_a_new_ctc_head_follows_from_the_seed(manifest, tmp_path):
    weights = []
    for number in (1, 2):
        torch.manual_seed(number)
        phase = make_phase(manifest, Objective(ctc_weight=0.5), phase="align", llm="full")
        backbone = make_backbone()
        run_phase(backbone, phase, tmp_path / str(number))
        weights.append(backbone.model.state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_weights_without_effect_on_ctc_are_warned_of(backbone, manifest, run_folder):
    objective = Objective("task", ctc_weight=0.5)
    phase = make_phase(manifest, objective, phase="align", llm="off", num_steps=1)
    phase.plan.rows[:] = [[0, 3, 4, 7]]
    with pytest.warns(MaqamWarning, match="objective.normalize and weights have no effect"):
        run_phase(backbone, phase, run_folder)


def test_processes_that_prepare_ahead_change_nothing_that_is_trained(manifest, tmp_path):
    weights = []
    for workers in (0, 2):
        augment = Augmentation(warp=0.1, time_masks=1)
        phase = make_phase(manifest, phase="align", llm="full", workers=workers, augment=augment)
        backbone = make_backbone()
        run_phase(backbone, phase, tmp_path / str(workers))
        weights.append(backbone.model.state_dict())
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_aligning_with_lora_merges_it_into_the_checkpoint(backbone, manifest, run_folder):
    phase = make_phase(manifest, phase="align", llm="lora", learning_rate=1e-2)
    result = run_phase(backbone, phase, run_folder)
    plain = make_backbone().model.state_dict()
    loaded = load_backbone(ModelSettings(path=str(result.output))).model.state_dict()
    assert loaded.keys() == plain.keys()
    name = "model.language_model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(loaded[name], plain[name])
    name = "model.language_model.embed_tokens.weight"
    assert torch.equal(loaded[name], plain[name])


def test_stored_aligner_outputs_train_as_those_computed_on_the_spot(manifest, tmp_path):
    losses = {}
    for name in ("encoded", "stored"):
        backbone, phase = make_backbone(), make_phase(manifest)
        if name == "stored":
            log_mels = LogMels(backbone, manifest, np.arange(24))
            states = [EncodedStates(backbone, log_mels)([row])[0] for row in range(24)]
            phase = Phase(
                phase.manifest,
                phase.plan,
                phase.settings,
                phase.objective,
                phase.seed,
                audio_states=lambda rows, states=states: [states[row] for row in rows],
            )
        run_phase(backbone, phase, tmp_path / name)
        lines = (tmp_path / name / "train.jsonl").read_text().splitlines()
        losses[name] = [json.loads(line)["loss"] for line in lines]
    assert losses["encoded"] == pytest.approx(losses["stored"], rel=1e-4)


def test_the_run_says_what_it_is(backbone, manifest, run_folder):
    result = run_phase(backbone, make_phase(manifest), run_folder)
    record = json.loads((run_folder / "run.json").read_text())
    assert record["format_version"] == 1
    assert (record["name"], record["schedule"], record["seed"]) == ("run", "uniform", 0)
    assert record["state"] == "finished"
    assert record["synthetic"] is True
    assert record["fingerprints"]["manifest"] == manifest.fingerprint
    assert record["trainable"] == result.parts
    parts = [row["part"] for row in record["trainable"]]
    assert parts == ["encoder", "aligner", "llm", "adapter", "vision"]
    assert (run_folder / "train.jsonl").read_text().count("\n") == 2


def test_progress_is_reported(backbone, manifest, run_folder):
    seen = []
    run_phase(backbone, make_phase(manifest), run_folder, progress=lambda *done: seen.append(done))
    assert seen == [(1, 2), (2, 2)]


def test_the_global_random_state_is_left_as_it_was(backbone, manifest, run_folder):
    def states():
        numpy_state = np.random.get_state()[1].tolist()  # noqa: NPY002
        return random.getstate(), numpy_state, torch.get_rng_state().tolist()

    before = states()
    run_phase(backbone, make_phase(manifest), run_folder)
    assert states() == before


def test_a_folder_that_holds_a_run_is_not_written_over(backbone, manifest, run_folder):
    run_folder.mkdir()
    (run_folder / "train.jsonl").write_text("")
    with pytest.raises(RunError, match="the folder holds a run already"):
        run_phase(backbone, make_phase(manifest), run_folder)


def test_a_run_does_not_go_on_with_other_settings(manifest, run_folder):
    run_phase(make_backbone(), make_phase(manifest), run_folder)
    other = make_phase(manifest, learning_rate=0.5)
    with pytest.raises(RunError, match=r"begun with another train\.learning_rate"):
        run_phase(make_backbone(), other, run_folder, resume=True)
    with pytest.raises(RunError, match=r"begun with another fingerprints\.weights"):
        run_phase(make_backbone(1), make_phase(manifest), run_folder, resume=True)


def adapter_bytes(run):
    return (run / "adapter/adapter_model.safetensors").read_bytes()


def test_tuning_begins_from_another_adapter(manifest, tmp_path):
    run_phase(make_backbone(), make_phase(manifest, learning_rate=1e-2), tmp_path / "first")
    start = str(tmp_path / "first/adapter")
    phase = make_phase(manifest, adapter_from=start, learning_rate=1e-30)
    run_phase(make_backbone(), phase, tmp_path / "second")
    assert adapter_bytes(tmp_path / "second") == adapter_bytes(tmp_path / "first")
    run_phase(make_backbone(), make_phase(manifest, learning_rate=1e-30), tmp_path / "new")
    assert adapter_bytes(tmp_path / "new") != adapter_bytes(tmp_path / "first")


def test_an_adapter_that_does_not_fit_is_refused_before_anything_trains(manifest, tmp_path):
    run_phase(make_backbone(), make_phase(manifest), tmp_path / "first")
    start = str(tmp_path / "first/adapter")
    with pytest.raises(RunError, match=r"train\.adapter_from: nowhere: there is no adapter"):
        run_phase(make_backbone(), make_phase(manifest, adapter_from="nowhere"), tmp_path / "b")
    phase = make_phase(manifest, adapter_from=start, lora_rank=4)
    with pytest.raises(ModelError, match="has rank 16 and alpha 32, the run 4 and 32") as fault:
        run_phase(make_backbone(), phase, tmp_path / "b")
    assert fault.value.hint == "set train.lora_rank=16 train.lora_alpha=32"
    weights = load_file(tmp_path / "first/adapter/adapter_model.safetensors")
    save_file(dict(list(weights.items())[1:]), tmp_path / "first/adapter/adapter_model.safetensors")
    with pytest.raises(ModelError, match="the adapter does not fit the layers of this LLM"):
        run_phase(make_backbone(), make_phase(manifest, adapter_from=start), tmp_path / "b")
    assert not (tmp_path / "b").exists()


def test_an_adapter_that_changed_is_noticed_when_a_run_goes_on(manifest, tmp_path):
    run_phase(make_backbone(), make_phase(manifest), tmp_path / "first")
    phase = make_phase(manifest, adapter_from=str(tmp_path / "first/adapter"))
    run_phase(make_backbone(), phase, tmp_path / "run")
    run_phase(make_backbone(), make_phase(manifest, num_steps=1), tmp_path / "other")
    shutil.copytree(tmp_path / "other/adapter", tmp_path / "first/adapter", dirs_exist_ok=True)
    with pytest.raises(RunError, match=r"begun with another fingerprints\.adapter_from"):
        run_phase(make_backbone(), phase, tmp_path / "run", resume=True)


def test_a_run_goes_on_with_what_changes_no_gradient(manifest, run_folder):
    run_phase(make_backbone(), make_phase(manifest), run_folder)
    other = {"micro_batches": 1, "micro_tokens": 500, "checkpoint_steps": 2}
    run_phase(make_backbone(), make_phase(manifest, **other), run_folder, resume=True)
    record = json.loads((run_folder / "run.json").read_text())
    assert record["split"] == {"processes": 1, "micro_batches": 1, "micro_tokens": 500}


def test_dropout_in_other_parts_is_warned_of(manifest, run_folder):
    run_phase(make_backbone(), make_phase(manifest, lora_dropout=0.1), run_folder)
    other = make_phase(manifest, lora_dropout=0.1, micro_batches=1)
    with pytest.warns(MaqamWarning, match="with micro_batches 2 to 1 the run drops other units"):
        run_phase(make_backbone(), other, run_folder, resume=True)


def test_a_plan_of_another_manifest_is_refused(backbone, manifest, run_folder):
    phase = make_phase(manifest)
    phase.plan.rows[1, 2] = 24
    with pytest.raises(ScheduleError, match="row 24 of a manifest with 24 rows"):
        run_phase(backbone, phase, run_folder)


def test_a_plan_of_other_steps_is_refused(backbone, manifest, run_folder):
    phase = make_phase(manifest)
    plan = make_plan(np.arange(24), num_steps=3, batch_size=4)
    phase = Phase(manifest, plan, phase.settings, phase.objective, 0)
    with pytest.raises(ScheduleError, match=r"train\.num_steps: the plan has num_steps 3"):
        run_phase(backbone, phase, run_folder)


def test_a_backbone_with_an_adapter_is_refused(backbone, manifest, tmp_path):
    run_phase(backbone, make_phase(manifest), tmp_path / "first")
    with pytest.raises(ModelError, match="the LLM has an adapter already"):
        run_phase(backbone, make_phase(manifest), tmp_path / "second")


def test_a_run_that_breaks_off_takes_its_adapter_along(backbone, manifest, tmp_path):
    backbone.dialogue.max_tokens = 10
    with pytest.raises(ModelError, match="rows do not fit the model"):
        run_phase(backbone, make_phase(manifest), tmp_path / "first")
    backbone.dialogue.max_tokens = 1024
    run_phase(backbone, make_phase(manifest), tmp_path / "second")


def test_a_weight_of_an_absent_task_is_warned_of(backbone, manifest, run_folder):
    phase = make_phase(manifest, Objective(weights={"ser": 2.0}))
    with pytest.warns(MaqamWarning, match="the plan holds no task ser"):
        run_phase(backbone, phase, run_folder)


def test_a_ctc_weight_without_effect_is_warned_of(backbone, manifest, run_folder):
    phase = make_phase(manifest, Objective(ctc_weight=0.5))
    with pytest.warns(MaqamWarning, match="ctc_weight has no effect"):
        run_phase(backbone, phase, run_folder)


def test_transcripts_too_long_for_ctc_are_counted(backbone, manifest, run_folder):
    table = manifest.table.to_pylist()
    table[0]["target"] = table[0]["messages"][-1]["content"] = "مرحبا " * 30
    longer = Manifest(
        manifest.path, manifest.table.from_pylist(table, schema=manifest.table.schema)
    )
    phase = make_phase(longer, Objective(ctc_weight=0.5), phase="align", llm="full", num_steps=1)
    phase.plan.rows[:] = [[0, 3, 4, 7]]
    notes = run_phase(backbone, phase, run_folder).notes
    assert len(notes) == 2
    assert notes[1].startswith("CTC left out ")
    assert notes[1].endswith("of 4 transcripts: too long for their audio")
    assert json.loads((run_folder / "run.json").read_text())["notes"] == notes
