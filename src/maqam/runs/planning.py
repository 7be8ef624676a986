"""What a plan is made from: data, tokens, the pool; no model and no torch.

A schedule says by its settings which columns it reads, and only those are made.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from maqam.data.manifest import Manifest, read_manifest
from maqam.data.pool import pool_from_manifest
from maqam.errors import ConfigError, MissingExtraError, ModelError, ScheduleError
from maqam.models.checkpoint import load_dialogue, open_checkpoint
from maqam.models.dialogue import DialogueEncoder
from maqam.progress import Bars, no_bars
from maqam.recipe import Recipe
from maqam.runs.left_out import counted, sentence, write_left_out
from maqam.runs.pools import met, pooled
from maqam.schedule import Pool, schedule_as_table
from maqam.settings_file import nearest
from maqam.synth.corpus import make_corpus
from maqam.tasks import transcribed_tasks
from maqam.train.rows import PreparedRows, UnfitRow, prepare_rows, unfit_rows

Made = TypeVar("Made")
Say = Callable[[str], None]


def unheard(line: str) -> None:
    """Say nothing: for use as a library and in tests."""


def columns_needed(recipe: Recipe) -> frozenset[str]:
    """Tell what a plan needs that the manifest does not hold.

    Returns:
        Some of "tokens", "cluster" and "embedding".
    """
    table = schedule_as_table(recipe.schedule)
    asked = {
        "tokens": recipe.deal.unit == "tokens" or _mentions(table, "tokens"),
        "cluster": _mentions(table, "cluster"),
        "embedding": recipe.deal.pick is not None,
    }
    return frozenset(name for name, is_needed in asked.items() if is_needed)


def needs_features(recipe: Recipe) -> bool:
    """Tell whether a plan of the recipe needs aligner outputs, which take a model."""
    return bool(columns_needed(recipe) & {"cluster", "embedding"})


class PlanningSession:
    """The data of a run, each thing made once and only when it is asked for.

    Args:
        recipe: The run.
        bars: Opens a progress bar for a stage.
        say: Takes a line that the user should know before a long stage.
    """

    def __init__(self, recipe: Recipe, bars: Bars = no_bars, say: Say = unheard) -> None:
        self.recipe, self.bars, self.say = recipe, bars, say
        self._made: dict[tuple[object, ...], object] = {}

    def say_once(self, line: str) -> None:
        """Say a line that no session of the same work has said."""
        self._once(("said", line), lambda: self.say(line))

    @property
    def manifest(self) -> Manifest:
        """The utterances; the embedded corpus is made where the recipe names none.

        Raises:
            ManifestError: If the manifest cannot be read.
        """
        return self._once(("manifest", *self._data_key()), self._open_manifest)

    @property
    def train_rows(self) -> np.ndarray:
        """(num_rows,) manifest rows that are trained on.

        Raises:
            ScheduleError: If there are none.
        """
        split, rows = self.recipe.data.train_split, self.split_rows
        if not len(rows):
            raise ScheduleError(
                f"no utterance of split {split!r} to train on",
                where=str(self.manifest.path),
                hint="check data.train_split",
            )
        fitting = self.fitting(rows)
        if not len(fitting):
            raise ScheduleError(
                f"the model takes none of {len(rows)} utterances: {self.unfit(rows)[0].text}",
                where=str(self.manifest.path),
                hint="maqam data check --model lists the reasons; data.where or --fix takes such "
                "rows out of the data",
            )
        self._check_tasks(sorted(set(self.manifest.column("task")[fitting].tolist())))
        return fitting

    def unfit(self, rows: np.ndarray) -> list[UnfitRow]:
        """Return the rows that the model does not take, and why; they are told once.

        Args:
            rows: (num_rows,) manifest rows, ascending.
        """
        key = ("unfit", self.recipe.model, *self._data_key(), rows.tobytes())
        return self._once(key, lambda: self._find_unfit(rows))

    def fitting(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows that the model takes.

        Args:
            rows: (num_rows,) manifest rows, ascending.
        """
        unfit = [one.row for one in self.unfit(rows)]
        return rows[~np.isin(rows, unfit)] if unfit else rows

    def left_out(self, rows: np.ndarray) -> dict[str, dict[str, int]]:
        """Count the rows that the model does not take, by task and by reason.

        Args:
            rows: (num_rows,) manifest rows, ascending.
        """
        return counted(self.unfit(rows), self.manifest)

    def left_out_note(self) -> list[str]:
        """Tell how many training rows are left out, in a sentence; none where all are taken."""
        rows = self.split_rows
        counts = self.left_out(rows)
        return [sentence(counts, len(rows))] if counts else []

    def write_left_out(self, rows: np.ndarray, folder: Path) -> None:
        """Write the id and the reason of each row that is left out to `left_out.jsonl`.

        Args:
            rows: (num_rows,) manifest rows, ascending.
            folder: Where the file goes; none is there where all rows are taken.
        """
        write_left_out(self.unfit(rows), self.manifest, folder)

    def _find_unfit(self, rows: np.ndarray) -> list[UnfitRow]:
        try:
            checkpoint = open_checkpoint(self.recipe.model)
        except (MissingExtraError, ModelError):
            return []  # what needs the model says that it is not there
        found = unfit_rows(checkpoint, self.manifest, rows, lambda: self.dialogue)
        if found:
            self.say(sentence(counted(found, self.manifest), len(rows)))
        return found

    @property
    def split_rows(self) -> np.ndarray:
        """Return the rows of the training split, before any is left out."""
        rows = self.manifest.select(split=self.recipe.data.train_split)
        if self.recipe.train.phase == "align":
            spoken = transcribed_tasks(self.manifest.tasks)
            rows = rows[np.isin(self.manifest.column("task")[rows], spoken)]
        return rows

    @property
    def dialogue(self) -> DialogueEncoder:
        """Tokenizer and chat form of the model, without its weights.

        Raises:
            MissingExtraError: If the library of tokenizers is not installed.
            ModelError: If the checkpoint cannot be read.
        """
        model = self.recipe.model
        return self._once(("dialogue", model), lambda: load_dialogue(model))

    @property
    def pool(self) -> Pool:
        """What the schedule deals from, with the columns it needs.

        Raises:
            ScheduleError: If the schedule needs what the phase does not have.
        """
        return self._once(self._pool_key(), self._make_pool)

    def tokenised(self, rows: np.ndarray) -> PreparedRows:
        """Tokenise manifest rows; those of an earlier call are not tokenised again.

        Args:
            rows: Manifest rows, repetitions allowed.

        Raises:
            ModelError: If dialogues do not fit the model.
        """
        key = ("tokenised", self.recipe.model, *self._data_key())
        known = self._made.get(key)
        if not isinstance(known, PreparedRows):
            known = prepare_rows(self.dialogue, self.manifest, rows)
        elif len(absent := np.setdiff1d(rows, known.rows)):
            known = known.joined(prepare_rows(self.dialogue, self.manifest, absent))
        self._made[key] = known
        return known.of(rows)

    def _make_pool(self) -> Pool:
        return pool_from_manifest(self.manifest, self.train_rows, values=self._values())

    def _values(self) -> dict[str, np.ndarray]:
        """Count the tokens of the training rows, audio included, where the plan needs them."""
        if "tokens" not in columns_needed(self.recipe):
            return {}
        found = self.tokenised(self.train_rows)
        return {"tokens": found.num_tokens[found.positions(self.train_rows)]}

    def _open_manifest(self) -> Manifest:
        found = self._filtered_manifest()
        self._check_language(found)
        return found

    def _filtered_manifest(self) -> Manifest:
        data = self.recipe.data
        if data.parts:
            return pooled(self.recipe, self.say)
        (place,) = self.recipe.places
        tasks = self.recipe.tasks_of(place)
        if data.manifest is None:
            if data.train_split == "train":
                self._check_tasks([task for task, count in data.synth.train.items() if count])
            with self.bars("generate the synthetic corpus") as progress:
                make_corpus(place, data.synth, progress=progress)
        found = read_manifest(place, tasks=tasks, language=data.prompt_language)
        return met(found, data.where, "data.where", self.say)

    def _check_language(self, manifest: Manifest) -> None:
        """Refuse a language that no task of the data asks in, and name the tasks that lack it."""
        language = self.recipe.data.prompt_language
        if language is None:
            return
        _, present = manifest.codes("task")
        asked = [manifest.tasks[name] for name in present]
        known = dict.fromkeys(name for task in asked for name in task.prompts)
        if language not in known:
            raise ConfigError(
                f"no task has a prompt in {language!r}",
                where="data.prompt_language",
                hint=nearest(language, [*known]),
            )
        for task in asked:
            if language not in task.prompts:
                other = next(iter(task.prompts))
                self.say(f"task {task.name} has no prompt in {language!r}: asked in {other!r}")

    def _check_tasks(self, present: Sequence[str]) -> None:
        """Refuse a schedule that names a task of which there is no utterance to train on."""
        for key, names in self.recipe.tasks_named().items():
            absent = [name for name in names if name not in present]
            if absent and key.endswith("groups"):
                raise ScheduleError(
                    f"no utterance has task {' or '.join(map(repr, absent))}",
                    where=key,
                    hint=f"the training data hold {', '.join(present)}",
                )

    def _once(self, key: tuple[object, ...], make: Callable[[], Made]) -> Made:
        """Return what was made under a key, made now if it was not."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]  # type: ignore[return-value]  # a key names one kind of thing

    def _data_key(self) -> tuple[object, ...]:
        data = self.recipe.model_dump_json(include={"data", "output", "tasks"})
        return (data,)

    def _pool_key(self) -> tuple[object, ...]:
        recipe = self.recipe
        needed = columns_needed(recipe)
        key = "pool", *self._data_key(), recipe.train.phase, needed
        if not needed:
            return key
        return *key, recipe.model, recipe.features, recipe.seed


def _mentions(settings: object, measure: str) -> bool:
    """Tell whether a schedule's settings name a measure, alone or as an axis of bins."""
    if isinstance(settings, str):
        return settings.partition("/")[0] == measure
    if isinstance(settings, Mapping):
        return any(_mentions(one, measure) for one in settings.values())
    return isinstance(settings, list) and any(_mentions(one, measure) for one in settings)
