"""Training, development and test split of corpora that come as one: groups stay whole.

A group is a speaker, a document or any value of a column. What a corpus holds out already stays
held out: only its training rows are dealt, and only to the splits that it lacks.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as kinds

from maqam.data.manifest import SPLITS, Manifest
from maqam.errors import ConfigError, ManifestError
from maqam.pooling.dealing import deal_groups
from maqam.seeding import generator
from maqam.settings_file import nearest

_PENALTIES = (400.0, 100.0, 200.0)  # of a split without a stratum: train, dev, test
_COLUMNS = ("source", "task", "label", "split")


@dataclass(frozen=True, slots=True)
class Shortage:
    """A corpus, task and label that is absent from splits which should have rows of it.

    Attributes:
        source: The corpus.
        task: The task.
        label: The label; None for free text.
        num_groups: Groups that hold it.
        absent: Splits that have none.
    """

    source: str
    task: str
    label: str | None
    num_groups: int
    absent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SplitReport:
    """How a manifest was split.

    Attributes:
        by: What groups are of.
        num_groups: Groups that were dealt.
        num_rows: Rows by split, over the whole manifest.
        kept: Splits that a corpus held out already and that stayed, by corpus.
        ungrouped: Rows without a group, which stay in train, by corpus and task.
        crossing: Groups with rows in train and in a split that stayed.
        shared_speakers: Speakers whose rows were dealt to more than one split.
        unnamed: Dealt rows of audio that name no speaker, by corpus; not counted by speaker.
        shortages: What the groups did not allow.
    """

    by: str
    num_groups: int
    num_rows: dict[str, int]
    kept: dict[str, tuple[str, ...]]
    ungrouped: dict[tuple[str, str], int]
    crossing: int
    shared_speakers: int
    unnamed: dict[str, int]
    shortages: tuple[Shortage, ...]

    def lines(self) -> list[str]:
        """Return what a user should know beside the rows of each split."""
        said = [
            f"{source}: its own {' and '.join(splits)} stayed; --all deals all its rows anew"
            for source, splits in self.kept.items()
        ]
        said += [
            f"{source}, {task}: {count} rows without {self.by} stay in train; {_other_way(self.by)}"
            for (source, task), count in self.ungrouped.items()
        ]
        if self.crossing:
            said.append(
                f"{self.crossing} groups of {self.by} lie in a split that stayed and in train, as "
                "they did before; --all deals them anew"
            )
        if self.shared_speakers:
            said.append(f"{self.shared_speakers} speakers have rows in more than one split")
        said += [
            f"{source}: {count} rows name no speaker, so splits may share speakers"
            for source, count in self.unnamed.items()
        ]
        for one in self.shortages:
            what = f"label {one.label} " if one.label else ""
            said.append(
                f"{one.source}, {one.task}: {what}has {one.num_groups} of {self.by}, so none in "
                f"{' and '.join(one.absent)}"
            )
        return said


def _other_way(by: str) -> str:
    return "give the column values" if by == "document" else "split once more --by document"


def split(
    manifest: Manifest,
    by: str,
    *,
    dev: float = 0.1,
    test: float = 0.1,
    seed: int = 0,
    redo: bool = False,
) -> tuple[Manifest, SplitReport]:
    """Return a manifest with a new column `split`, and what its groups did not allow.

    Args:
        manifest: The utterances.
        by: What stays whole: "speaker", of a corpus; "document", the column of that name, else the
            audio file of speech and the text of a text task; or a column.
        dev: Share of the rows of every corpus, task and label for dev, in [0, 1).
        test: The same for test.
        seed: Which groups go where.
        redo: Whether all rows are dealt anew, whatever splits their corpora have.

    Raises:
        ConfigError: If there is no such column, or the shares leave nothing to train on.
        ManifestError: If no row has a group, or every corpus has all splits asked for.
    """
    if not (0 <= dev < 1 and 0 <= test < 1 and 0 < dev + test < 1):
        raise ConfigError(
            f"dev {dev:g} and test {test:g}: each must lie in [0, 1), their sum between 0 and 1",
            where="--dev, --test",
            hint="give shares of the rows, such as --dev 0.1 --test 0.1",
        )
    groups = group_codes(manifest, by)
    coded = {name: manifest.codes(name) for name in _COLUMNS}
    splits = _split_codes(coded["split"], redo=redo)
    open_to = _open_splits(coded["source"], splits, (1 - dev - test, dev, test))
    is_dealt = (splits == 0) & (open_to[coded["source"][0], 1:].any(axis=1))
    if not is_dealt.any():
        raise ManifestError(
            "every corpus has the splits asked for already",
            where=str(manifest.path),
            hint="--all deals all rows anew",
        )
    rows = np.flatnonzero(is_dealt & (groups >= 0))
    if not len(rows):
        raise ManifestError(
            f"no row to split has a {by}", where=str(manifest.path), hint=_other_way(by)
        )
    strata, stratum_of = np.unique(
        np.stack([coded[name][0][rows] for name in ("source", "task", "label")], axis=1),
        axis=0,
        return_inverse=True,
    )
    dealt = _Dealt(groups[rows], stratum_of.reshape(-1), strata)
    is_open = open_to[strata[:, 0]].T
    new = splits.copy()
    new[rows] = dealt.splits(is_open, (1 - dev - test, dev, test), seed)
    index = manifest.table.column_names.index("split")
    column = pa.array([SPLITS[code] for code in new.tolist()], pa.string())
    made = Manifest(
        manifest.path,
        manifest.table.set_column(index, "split", column),
        manifest.tasks,
        manifest.language,
    )
    names = {name: texts for name, (_, texts) in coded.items()}
    fixed = np.setdiff1d(np.flatnonzero(groups >= 0), rows)
    report = SplitReport(
        by,
        len(np.unique(groups[rows])),
        {name: int((new == code).sum()) for code, name in enumerate(SPLITS)},
        _kept(coded["source"], splits, is_dealt),
        _ungrouped(coded, is_dealt & (groups < 0)),
        len(np.intersect1d(groups[fixed][splits[fixed] > 0], groups[rows])),
        *_speakers(manifest, rows, new[rows], is_grouped=by == "speaker"),
        tuple(dealt.shortages(is_open, new[rows], names)),
    )
    return made, report


def one_split_advice(file: Path) -> str | None:
    """Return what to do where all rows of a manifest are for training, None where some are not.

    Args:
        file: The manifest's Parquet file.
    """
    table = pq.read_table(file, columns=["split", "speaker"])
    if pc.unique(table.column("split")).to_pylist() != ["train"]:
        return None
    speakers = table.column("speaker")
    is_known = pc.count_distinct(speakers).as_py() >= len(SPLITS)
    by = "speaker" if is_known and 2 * speakers.null_count < table.num_rows else "document"
    folder = str(file.parent)
    return (
        "all rows are train, so there is nothing to score on; hold some out: maqam data split "
        f"{shlex.quote(folder)} -o {shlex.quote(f'{folder}-split')} --by {by}"
    )


def group_codes(manifest: Manifest, by: str) -> np.ndarray:
    """Return the group of each row as (num_rows,) int64, -1 where it has none.

    Args:
        manifest: The utterances.
        by: As `split` takes it.

    Raises:
        ConfigError: If there is no such column, or it holds lists.
    """
    table, names = manifest.table, manifest.table.column_names
    if by == "document" and by not in names:
        return _codes(_documents(table))
    if by not in names:
        raise ConfigError(
            f"there is no column {by!r}", where="--by", hint=nearest(by, ["document", *names])
        )
    values = table.column(by)
    if kinds.is_nested(values.type):
        raise ConfigError(
            f"column {by!r} is {values.type}, which makes no groups",
            where="--by",
            hint="use speaker, document or a column of texts or numbers",
        )
    if by == "speaker":  # a speaker of a corpus: others count theirs from 1, too
        values = pc.binary_join_element_wise(table.column("source"), values, "\x1f")
    return _codes(values)


def _documents(table: pa.Table) -> pa.Array:
    """Return the recording of speech, and the text that a text task is about."""
    found = []
    for batch in table.select(["audios", "messages"]).to_batches(max_chunksize=65_536):
        for audios, messages in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            turns = [turn["content"] for turn in messages if turn["role"] == "user"]
            asked = turns[0] if turns else messages[0]["content"]
            found.append(audios[0] if audios else asked.partition("\n")[2] or asked)
    return pa.array(found, pa.string())


def _codes(values: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Number the values of a column in sorted order, so that the order of rows does not matter."""
    if kinds.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    known = pc.unique(values).drop_null()
    known = known.take(pc.sort_indices(known))
    return pc.fill_null(pc.index_in(values, known), -1).to_numpy().astype(np.int64)


def _split_codes(column: tuple[np.ndarray, list[str]], *, redo: bool) -> np.ndarray:
    codes, names = column
    places = np.array([SPLITS.index(name) for name in names], dtype=np.int64)
    return np.zeros(len(codes), dtype=np.int64) if redo else places[codes]


def _open_splits(
    sources: tuple[np.ndarray, list[str]], splits: np.ndarray, shares: tuple[float, ...]
) -> np.ndarray:
    """Return for each corpus and split whether its training rows may go there."""
    codes, names = sources
    is_open = np.ones((len(names), len(SPLITS)), dtype=bool)
    for split_code in (1, 2):
        is_open[np.unique(codes[splits == split_code]), split_code] = False
        is_open[:, split_code] &= shares[split_code] > 0
    return is_open


@dataclass(frozen=True, slots=True)
class _Dealt:
    """The rows that are dealt.

    Attributes:
        groups: (num_rows,) group of each.
        stratum_of: (num_rows,) stratum of each.
        strata: (num_strata, 3) codes of corpus, task and label.
    """

    groups: np.ndarray
    stratum_of: np.ndarray
    strata: np.ndarray

    def splits(self, is_open: np.ndarray, shares: tuple[float, ...], seed: int) -> np.ndarray:
        """Return the (num_rows,) split of each row."""
        known, group_of = np.unique(self.groups, return_inverse=True)
        lots = generator(seed, "split").permutation(len(known))
        place = lots[group_of]
        pairs, counts = np.unique(place * len(self.strata) + self.stratum_of, return_counts=True)
        cells: list[list[tuple[int, int]]] = [[] for _ in known]
        allowed = np.ones((len(known), len(SPLITS)), dtype=bool)
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
            group, stratum = divmod(pair, len(self.strata))
            cells[group].append((stratum, count))
            allowed[group] &= is_open[:, stratum]
        wanted = np.where(is_open, np.array(shares)[:, None], 0.0)
        wanted[0] = 1 - wanted[1:].sum(axis=0)
        return deal_groups(cells, wanted, allowed, _PENALTIES)[place]

    def shortages(
        self, is_open: np.ndarray, splits: np.ndarray, names: Mapping[str, list[str]]
    ) -> list[Shortage]:
        """Return the strata that a split lacks though its corpus may have rows there."""
        found = []
        for stratum, (source, task, label) in enumerate(self.strata.tolist()):
            is_here = self.stratum_of == stratum
            absent = tuple(
                name
                for code, name in enumerate(SPLITS)
                if is_open[code, stratum] and not (splits[is_here] == code).any()
            )
            if absent:
                known = names["label"][label]
                num_groups = len(np.unique(self.groups[is_here]))
                label_name = None if known == "-" else known
                found.append(
                    Shortage(
                        names["source"][source], names["task"][task], label_name, num_groups, absent
                    )
                )
        return found


def _speakers(
    manifest: Manifest, rows: np.ndarray, splits: np.ndarray, *, is_grouped: bool
) -> tuple[int, dict[str, int]]:
    """Count the speakers in more than one split, and by corpus the rows of audio without one."""
    if is_grouped:
        return 0, {}
    speakers, places = group_codes(manifest, "speaker")[rows], len(SPLITS)
    pairs = np.unique(speakers[speakers >= 0] * places + splits[speakers >= 0])
    shared = int((np.unique(pairs // places, return_counts=True)[1] > 1).sum())
    has_audio = pc.list_value_length(manifest.table.column("audios")).to_numpy()[rows] > 0
    codes, names = manifest.codes("source", rows[(speakers < 0) & has_audio])
    return shared, dict(zip(names, np.bincount(codes, minlength=len(names)).tolist(), strict=True))


def _kept(
    sources: tuple[np.ndarray, list[str]], splits: np.ndarray, is_dealt: np.ndarray
) -> dict[str, tuple[str, ...]]:
    codes, names = sources
    found = {}
    for code, name in enumerate(names):
        held = np.unique(splits[(codes == code) & ~is_dealt & (splits > 0)]).tolist()
        if held:
            found[name] = tuple(SPLITS[one] for one in held)
    return found


def _ungrouped(
    coded: Mapping[str, tuple[np.ndarray, list[str]]], is_without: np.ndarray
) -> dict[tuple[str, str], int]:
    (sources, source_names), (tasks, task_names) = coded["source"], coded["task"]
    pairs, counts = np.unique(
        np.stack([sources[is_without], tasks[is_without]], axis=1), axis=0, return_counts=True
    )
    return {
        (source_names[source], task_names[task]): int(count)
        for (source, task), count in zip(pairs.tolist(), counts.tolist(), strict=True)
    }
