from pathlib import Path

import pytest

from maqam.data.manifest import Manifest
from maqam.models.protocol import AudioLLM

from .corpus import make_backbone, make_manifest


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return make_manifest(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def backbone() -> AudioLLM:
    return make_backbone()


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    return tmp_path / "run"
