"""Which rows of a manifest a model takes, by the model's name."""

from pathlib import Path

from maqam.data.limits import Limits
from maqam.data.manifest import Manifest
from maqam.errors import ConfigError
from maqam.inspection.checks import sound_rows
from maqam.models.checkpoint import (
    common_limits,
    dialogue_of,
    family_limits,
    limits_of,
    open_checkpoint,
)
from maqam.models.families import FAMILIES
from maqam.models.settings import AUTO, ModelSettings
from maqam.train.rows import unfit_rows


def limits_for(model: str | None, manifest: Manifest) -> tuple[Limits, list[tuple[int, str, str]]]:
    """Return what a model takes of audio, and the rows that do not fit its context.

    Args:
        model: A kind, as in `model.kind`, or the folder of a checkpoint; all families when absent.
            Without a checkpoint a family is held against audio only.
        manifest: The utterances; values of their columns may be faulty.

    Returns:
        The limits; and the row, the kind and the text of each sound row that does not fit.

    Raises:
        ConfigError: If there is no such kind.
        ModelError: If the folder holds no checkpoint that can be read.
    """
    if model is None:
        return common_limits(), []
    if model in FAMILIES:
        return family_limits(FAMILIES[model]), []
    try:
        settings = ModelSettings(AUTO, model) if Path(model).is_dir() else ModelSettings(model)
    except ValueError as error:
        raise ConfigError(str(error), where="--model", hint="give a kind or a folder") from error
    checkpoint = open_checkpoint(settings)
    unfit = unfit_rows(checkpoint, manifest, sound_rows(manifest), lambda: dialogue_of(checkpoint))
    return limits_of(checkpoint), [(one.row, one.kind, one.text) for one in unfit]
