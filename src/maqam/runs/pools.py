"""The utterances of a recipe that names several manifests, or conditions on their rows."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from maqam.data.manifest import Manifest, read_manifest
from maqam.errors import ConfigError, ManifestError
from maqam.pooling.expression import read_condition
from maqam.pooling.merge import merge
from maqam.pooling.retask import as_task
from maqam.pooling.select import select
from maqam.recipe import ManifestPart, Recipe
from maqam.schedule.pool import WEIGHT


def pooled(recipe: Recipe, say: Callable[[str], None]) -> Manifest:
    """Merge the manifests of a recipe, each filtered, asked and weighted as its table says.

    Args:
        recipe: The run.
        say: Takes what was left out.

    Raises:
        ManifestError: If a manifest cannot be read or they cannot be merged, or no row is left.
        ConfigError: If a condition does not fit its columns, or there is no task of a name.
    """
    data = recipe.data
    parts = [
        _part(recipe, part, f"data.manifest.{place}.where", say)
        for place, part in enumerate(data.parts)
    ]
    pool, report = merge(parts)
    for line in report.lines():
        say(line)
    names = " + ".join(part.folder.resolve().name for part in parts)
    found = Manifest(pool.folder / names, pool.table, pool.tasks, data.prompt_language)
    return met(found, data.where, "data.where", say)


def met(manifest: Manifest, where: str | None, key: str, say: Callable[[str], None]) -> Manifest:
    """Return the rows of a manifest that meet a condition of a recipe, all without one.

    Args:
        manifest: The utterances.
        where: The condition.
        key: Key of the recipe that holds it.
        say: Takes what each part of the condition took away.

    Raises:
        ManifestError: If no row is left.
        ConfigError: If the condition does not fit the columns.
    """
    if where is None:
        return manifest
    left, report = select(manifest, read_condition(where, f"{key}, {manifest.path}"))
    for line in report.lines():
        say(f"{manifest.path}: {line}")
    if not left.num_utterances:
        raise ManifestError(
            "no row is left: " + "; ".join(report.lines()[:-1]),
            where=f"{key}, {manifest.path}",
            hint="loosen the condition",
        )
    return left


def _part(recipe: Recipe, part: ManifestPart, key: str, say: Callable[[str], None]) -> Manifest:
    place = Path(part.path)
    found = met(read_manifest(place, tasks=recipe.tasks_of(place)), part.where, key, say)
    if part.as_task is not None:
        found, report = as_task(found, part.as_task)
        for line in report.lines():
            say(f"{found.path}: {line}")
    if any(one.weight != 1 for one in recipe.data.parts):
        if WEIGHT in found.table.column_names:
            raise ConfigError(
                f"{found.path} has a column {WEIGHT} of its own",
                where=key.replace(".where", ".weight"),
                hint="weigh by the column or by the recipe, not by both",
            )
        weights = pa.array([part.weight] * found.num_utterances, pa.float64())
        table = found.table.append_column(WEIGHT, weights)
        found = Manifest(found.path, table, found.tasks, found.language)
    return found
