import numpy as np
import pytest
import torch

from maqam.models.loading import load_backbone
from maqam.models.settings import ModelSettings
from tests.train.corpus import make_manifest

from . import tiny
from .cases import SECONDS, Case


@pytest.fixture(scope="module", params=tiny.FAMILIES, ids=lambda one: one.kind + one.layout)
def case(request, tmp_path_factory):
    family, folder = request.param, tmp_path_factory.mktemp(request.param.kind)
    family.make(folder)
    llm = load_backbone(ModelSettings("auto", str(folder)), device=torch.device("cpu"))
    generator, rate = np.random.default_rng(0), llm.dialogue.front_end.sample_rate
    samples = [
        generator.normal(scale=0.1, size=round(seconds * rate)).astype(np.float32)
        for seconds in SECONDS
    ]
    return Case(family, folder, llm, family.processor(folder), samples)


@pytest.fixture
def fresh(case):
    """Return a model that a test may change."""
    return case.load()


@pytest.fixture(scope="module")
def utterances(tmp_path_factory):
    return make_manifest(tmp_path_factory.mktemp("utterances"), num_utterances=4)
