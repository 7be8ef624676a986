"""A family that is not the pocket's, by recipes alone: align, tune, evaluate."""

import json

import pytest

from maqam.data.manifest import read_manifest, write_manifest
from maqam.recipe import dump_yaml
from maqam.tasks import default_tasks
from tests.models.tiny import make_qwen2_audio

from .calls import assert_refused, maqam

pytestmark = pytest.mark.torch

TRAIN = {"num_steps": 2, "batch_size": 4, "micro_batches": 1, "checkpoint_steps": 1}


def recipe(folder, world, name, model, **train):
    path = folder / f"{name}.yaml"
    settings = {
        "name": name,
        "output": str(folder / "runs"),
        "data": {"manifest": str(world.corpus)},
        "model": {"kind": "auto", "path": str(model)},
        "train": {**TRAIN, **train, "lora_rank": 2, "lora_alpha": 4},
        "score": {"max_new_tokens": 3, "num_resamples": 20},
    }
    path.write_text(dump_yaml(settings), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("qwen2_audio")
    make_qwen2_audio(folder)
    return folder


def test_qwen2_audio_is_aligned_tuned_and_evaluated_by_recipes(world, checkpoint, tmp_path):
    first = recipe(tmp_path, world, "first", checkpoint, phase="align", llm="lora")
    weights = tmp_path / "runs/first/weights"
    second = recipe(tmp_path, world, "second", weights, phase="tune")
    for path in (first, second):
        trained = maqam("train", path)
        assert trained.code == 0, trained.err
        run = tmp_path / "runs" / path.stem
        scored = maqam("eval", run)
        assert scored.code == 0, scored.err
        scores = json.loads((run / "eval/test/scores.json").read_text(encoding="utf-8"))
        assert {one["task"] for one in scores["scores"]} == set(default_tasks())
        record = [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]
        assert len(record) == 2
        assert all(0 < one["loss"] < 20 for one in record)
    assert (tmp_path / "runs/second/adapter/adapter_model.safetensors").is_file()


def test_audio_beyond_the_encoder_s_window_is_refused_before_training(world, checkpoint, tmp_path):
    manifest = read_manifest(world.corpus)
    rows = manifest.rows(range(manifest.num_utterances))
    for row in rows:
        row["audios"] = [str(world.corpus / one) for one in row["audios"]]
        if row["task"] == "asr" and row["split"] == "train":
            row["seconds"] = 30.5
    write_manifest(rows, tmp_path / "long")
    path = recipe(tmp_path, world, "long", checkpoint, phase="align")
    result = maqam("train", path, f"data.manifest={tmp_path / 'long'}")
    assert_refused(result, "takes none of 6 utterances", "30.500 s, and Qwen2-Audio takes 30 s")
