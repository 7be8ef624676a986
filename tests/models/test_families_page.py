"""The page of families, and what is said of architectures that are none."""

import ast
import json
from pathlib import Path

import pytest
import transformers

from maqam.errors import ModelError
from maqam.models.checkpoint import load_dialogue
from maqam.models.families import FAMILIES
from maqam.models.families.page import families_page
from maqam.models.families.unsupported import UNSUPPORTED
from maqam.models.settings import ModelSettings
from tests.cli.calls import maqam

ROOT = Path(__file__).parents[2]
TABLES = sorted((ROOT / "src/maqam/models").glob("families/*.py"))
TABLES += sorted((ROOT / "src/maqam/models").glob("*/family.py"))


def test_the_page_is_that_of_the_tables():
    assert (ROOT / "docs/families.md").read_text(encoding="utf-8") == families_page()
    assert maqam("model", "families", "--markdown").out == families_page()


def test_the_command_lists_every_family():
    listed = maqam("model", "families").out
    assert all(kind in listed for kind in FAMILIES)


def test_a_family_deviates_in_at_most_30_lines():
    sizes = {
        node.targets[0].id: node.end_lineno - node.lineno + 1
        for path in TABLES
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
    }
    assert len(sizes) >= len(FAMILIES)
    assert max(sizes.values()) <= 30, sizes


def test_every_family_says_what_is_its_own():
    assert all(one.remark and one.hub_id for one in FAMILIES.values())
    assert len({one.model_type for one in FAMILIES.values()}) == len(FAMILIES)


@pytest.mark.parametrize("unsupported", UNSUPPORTED, ids=lambda one: one.title)
def test_an_architecture_that_is_known_to_be_none_says_why(unsupported, tmp_path):
    for model_type in unsupported.model_types:
        assert model_type not in {one.model_type for one in FAMILIES.values()}
        written = json.dumps({"model_type": model_type})
        (tmp_path / "config.json").write_text(written, encoding="utf-8")
        with pytest.raises(ModelError, match="is no family of audio LLMs here") as error:
            load_dialogue(ModelSettings("auto", str(tmp_path)))
        assert unsupported.reason in error.value.problem
        assert all(one.title in error.value.hint for one in FAMILIES.values())


def test_what_is_said_to_be_in_no_transformers_is_in_none():
    known = set(transformers.CONFIG_MAPPING)
    for one in UNSUPPORTED:
        if "no release of transformers" in one.reason:
            assert not known & set(one.model_types), one.title


@pytest.mark.parametrize(
    ("config", "fault"),
    [
        ({}, "config.json names no model_type"),
        ({"model_type": ["qwen2_audio"]}, "config.json names no model_type"),
        ({"model_type": "qwen2_5_omni", "thinker_config": []}, "thinker_config of config.json"),
        ({"model_type": "qwen2_audio", "audio_config": 3}, "audio_config of config.json is no obj"),
        (
            {"model_type": "qwen2_audio", "audio_config": {"num_mel_bins": "128"}},
            "num_mel_bins of config.json is '128', no positive number",
        ),
        (
            {"model_type": "voxtral", "text_config": {"max_position_embeddings": 0}},
            "max_position_embeddings of config.json is 0",
        ),
        ({"model_type": "omniasr"}, "there is no processor_config.json"),
        ({"model_type": "voxtral"}, "there is no tokenizer.json"),
    ],
)
def test_a_broken_configuration_is_one_line(tmp_path, config, fault):
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(ModelError, match=fault) as error:
        load_dialogue(ModelSettings("auto", str(tmp_path)))
    assert error.value.where == str(tmp_path)
