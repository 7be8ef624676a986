import numpy as np
import pytest

from maqam.data.manifest import Manifest, read_manifest, write_manifest
from maqam.models.audio_states import EncodedStates
from maqam.models.pocket import new_pocket
from maqam.models.protocol import AudioLLM
from maqam.tasks import default_tasks
from maqam.train.log_mels import LogMels
from tests.factories import make_row, make_tone

TASKS = default_tasks()
DIALECTS = TASKS["did"].labels
EMOTIONS = TASKS["ser"].labels

NUM_UTTERANCES = 15


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Tones of 0.3 to 1.7 seconds and texts, three of each task."""
    folder = tmp_path_factory.mktemp("spoken")
    rows = []
    for index in range(NUM_UTTERANCES):
        seconds = 0.3 + 0.1 * index
        has_audio = list(TASKS)[index % len(TASKS)] != "tsum"
        rows.append(make_row(index, split="test", seconds=seconds if has_audio else 0.0))
        for audio in rows[-1]["audios"]:
            make_tone(folder / audio, seconds=seconds, hertz=200 + 40 * index)
    return read_manifest(write_manifest(rows, folder))


@pytest.fixture(scope="session")
def backbone() -> AudioLLM:
    return new_pocket(["فرّغ الكلام كلام رقم", *DIALECTS, *EMOTIONS], 0)


@pytest.fixture(scope="session")
def audio_states(backbone: AudioLLM, manifest: Manifest) -> EncodedStates:
    return EncodedStates(backbone, LogMels(backbone, manifest, np.arange(NUM_UTTERANCES)))
