"""Libraries that come with an extra: which one brings what, and one line where it is missing.

`pip install maqam` brings what planning and checking need. A command that needs more meets an
absent module somewhere below; the command line turns that into the extra to install. A module
that the base needs too, and that only now and then needs such a library, asks `load` for it.
"""

import importlib
from typing import Any

from maqam.errors import MissingExtraError

EXTRA_OF = {
    "soundfile": "audio",
    "soxr": "audio",
    "torch": "train",
    "transformers": "train",
    "peft": "train",
    "accelerate": "train",
    "tokenizers": "train",
    "safetensors": "train",
    "huggingface_hub": "train",
    "sklearn": "train",
    "threadpoolctl": "train",
    "scipy": "score",
    "jiwer": "score",
    "rouge_score": "score",
    "nltk": "score",
    "sacrebleu": "score",
    "jinja2": "report",
    "markupsafe": "report",
    "espeakng_loader": "synth",
    "httpx": "judge",
    "tensorboard": "trackers",
}


def load(module: str) -> Any:  # noqa: ANN401  a module that may be absent has no type
    """Import a library that an extra installs.

    Args:
        module: Its name, such as "soundfile" or "scipy.fft".

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise missing_extra(error) or error from error


def missing_extra(error: ModuleNotFoundError) -> MissingExtraError | None:
    """Return the sentence for a library that is not installed; None if no extra brings it.

    Examples:
        >>> missing_extra(ModuleNotFoundError(name="torch.nn")).hint
        "pip install 'maqam[train]'"
    """
    library = (error.name or "").partition(".")[0]
    extra = EXTRA_OF.get(library)
    if extra is None:
        return None
    return MissingExtraError(
        f"{library} is not installed; this needs the extra {extra!r}",
        hint=f"pip install 'maqam[{extra}]'",
    )
