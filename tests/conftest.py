"""What holds for every test: one thread a process, and the mark of folders that load a model."""

import gc
import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is loaded, here or in a child

HERE = Path(__file__).parent
WITH_A_MODEL = ("diagnose", "evaluate", "features", "models", "pocket", "runs", "studies", "train")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            folder = item.path.relative_to(HERE).parts[0]
            if folder in WITH_A_MODEL:
                item.add_marker(pytest.mark.torch)


def pytest_collection_finish() -> None:
    """Leave what is loaded out of the collections of garbage with which every run ends."""
    gc.collect()
    gc.freeze()
