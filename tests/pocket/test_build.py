"""The build of the pocket model, from an empty folder to a checkpoint with its card."""

import json
import shutil
from contextlib import contextmanager

import pytest
import torch
from safetensors.torch import load_file

from maqam.errors import ConfigError
from maqam.models.loading import load_backbone
from maqam.models.settings import ModelSettings
from maqam.pocket.build import build
from maqam.pocket.copy_pretraining import WEIGHTS, Copying
from maqam.progress import no_bars

SMALL = (
    "data.synth.train={asr: 24}",
    "data.synth.dev={asr: 2}",
    "data.synth.test={asr: 5}",
    "data.synth.num_speakers=[3, 1, 2]",
    "train.num_steps=6",
    "train.batch_size=4",
    "train.micro_batches=1",
    "train.checkpoint_steps=2",
    "train.augment.warp=0.3",
)
STAGES = ("encoder", "embeddings", "all")
MACHINE = torch.cuda.get_device_name() if torch.cuda.is_available() else "a processor"
COPYING = Copying(num_steps=2, batch_size=2)


def built(folder, bars=no_bars, *, resume=False):
    return build(
        folder / "out", folder / "work", bars, overrides=SMALL, resume=resume, copying=COPYING
    )


def cut_off(stage, step):
    """Return bars for somebody who gives up in the middle of a stage."""

    @contextmanager
    def bars(description):
        def report(done, total):
            if (description, done) == (f"train {stage}", step):
                raise KeyboardInterrupt

        yield report

    return bars


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return built(folder).parents[1]


def test_a_build_interrupted_in_every_stage_goes_on_to_the_same_checkpoint(whole, tmp_path):
    shutil.copytree(whole / "work" / "corpus", tmp_path / "work" / "corpus")
    for stage, step in zip(STAGES, (3, 1, 5), strict=True):
        with pytest.raises(KeyboardInterrupt):
            built(tmp_path, cut_off(stage, step), resume=True)
        assert not (tmp_path / "out").exists()
    built(tmp_path, resume=True)
    for place in (*(f"work/{stage}/weights" for stage in STAGES), "out"):
        weights, again = (load_file(one / place / "model.safetensors") for one in (whole, tmp_path))
        assert weights.keys() == again.keys()
        assert all(torch.equal(value, again[name]) for name, value in weights.items()), place


def test_the_card_tells_the_stages_and_the_scores_of_the_last(whole):
    words = (whole / "out" / "README.md").read_text(encoding="utf-8")
    assert "24 utterances" in words
    assert "| encoder | encoder, aligner | 6 x 4 | 0.002 | 0 | linear | as they are |" in words
    assert (
        "| embeddings | encoder, aligner | 2 x 4 | 0.001 | 0.6 | embeddings | as they are |"
        in words
    )
    assert "| all | encoder, aligner, llm | 6 x 4 | 0.001 | 0.95 | embeddings | varied |" in words
    assert f"computed on {MACHINE} with PyTorch {torch.__version__}.\n" in words
    scores = json.loads((whole / "work" / "all" / "eval" / "test" / "scores.json").read_text())
    (cer,) = [
        row
        for row in scores["scores"]
        if (row["metric"], row["group"], row["profile"]) == ("cer", "all", "leaderboard-v3")
    ]
    assert f"| cer | all | leaderboard-v3 | {100 * cer['value']:.1f} % |" in words


def test_log_mels_vary_as_asked_and_in_the_last_stage_only(whole):
    settings = {
        stage: json.loads((whole / "work" / stage / "run.json").read_text())["identity"]["train"]
        for stage in STAGES
    }
    assert [settings[stage]["augment"]["warp"] for stage in settings] == [0.0, 0.0, 0.3]
    assert [settings[stage]["augment"]["time_masks"] for stage in settings] == [0, 0, 2]


def test_only_the_last_stage_changes_the_llm_that_learned_to_copy(whole):
    copied = load_file(whole / "work" / "copying" / WEIGHTS)
    name = "layers.0.mlp.up_proj.weight"
    heard, final = (
        load_backbone(ModelSettings(path=str(whole / one))).model.model.language_model
        for one in ("work/embeddings/weights", "out")
    )
    assert torch.equal(copied[name], heard.state_dict()[name])
    assert not torch.allclose(final.state_dict()[name].float(), copied[name], atol=1e-6)


@pytest.mark.parametrize("name", ["all", "corpus"])
def test_a_stage_cannot_take_the_folder_of_another(tmp_path, name):
    with pytest.raises(ConfigError, match=f"name: '{name}' is the name of another folder"):
        build(tmp_path / "out", tmp_path / "work", no_bars, overrides=[f"name={name}"])
    assert not (tmp_path / "work").exists()
