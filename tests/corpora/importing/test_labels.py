"""Labels of every format: one name for one dialect, at the level a task asks for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maqam.corpora.importing.run import import_corpus
from maqam.corpora.settings import ImportSettings
from maqam.errors import ConfigError, ManifestError
from maqam.tasks import Tasks, default_tasks, tasks_from_table
from tests.corpora.cards.corpora import make_corpus
from tests.corpora.formats.importing import imported, write
from tests.factories import make_tone

QUESTION = {"prompts": {"en": "Which?"}, "input": "audio", "level": 2}
Source = Callable[[Path, str, str], tuple[Path, str]]


def own(**labels: object) -> Tasks:
    table = {name: {**QUESTION, "labels": one} for name, one in labels.items()}
    return tasks_from_table(table, default_tasks(), where="x")


def kaldi(folder: Path, column: str, word: str) -> tuple[Path, str]:
    write(folder / "wav.scp", "u a.wav")
    write(folder / f"utt2{column}", f"u {word}")
    return folder, "kaldi"


def nemo(folder: Path, column: str, word: str) -> tuple[Path, str]:
    row = {"audio_filepath": "a.wav", column: word}
    return write(folder / "rows.json", json.dumps(row)), "nemo"


def table(folder: Path, column: str, word: str) -> tuple[Path, str]:
    return write(folder / "rows.csv", f"audio,{column}", f"a.wav,{word}"), "table"


def lhotse(folder: Path, column: str, word: str) -> tuple[Path, str]:
    recording = {"sources": [{"type": "file", "source": "a.wav", "channels": [0]}]}
    heard = {"start": 0, "duration": 1, "custom": {column: word}}
    cut = {"id": "u", "type": "MonoCut", "start": 0, "duration": 1, "channel": 0}
    row = {**cut, "recording": recording, "supervisions": [heard]}
    return write(folder / "cuts.jsonl", json.dumps(row)), "lhotse"


def huggingface(folder: Path, column: str, word: str) -> tuple[Path, str]:
    clip = {"bytes": (folder / "a.wav").read_bytes(), "path": None}
    file = folder / "rows.parquet"
    pq.write_table(pa.Table.from_pylist([{"audio": clip, column: word}]), file)
    return file, "huggingface"


def ms_swift(folder: Path, column: str, word: str) -> tuple[Path, str]:
    asked = {"role": "user", "content": "<audio>Which?"}
    row = {"messages": [asked, {"role": "assistant", "content": word}], "audios": ["a.wav"]}
    return write(folder / "rows.jsonl", json.dumps(row)), "ms-swift"


def llamafactory(folder: Path, column: str, word: str) -> tuple[Path, str]:
    said = [{"from": "human", "value": "<audio>Which?"}, {"from": "gpt", "value": word}]
    rows = [{"conversations": said, "audios": ["a.wav"]}]
    return write(folder / "rows.json", json.dumps(rows)), "llamafactory"


def classes(folder: Path, column: str, word: str) -> tuple[Path, str]:
    make_tone(folder / "clips" / word / "a.wav")
    return folder / "clips", "classes"


SOURCES = (kaldi, nemo, table, lhotse, huggingface, ms_swift, llamafactory, classes)


@pytest.fixture(params=SOURCES, ids=lambda one: one.__name__)
def one_row(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Any]:
    """Imports one clip with a word in a column, from any format."""
    make_tone(tmp_path / "a.wav")

    def run(column: str, word: str, **settings: Any) -> Any:
        source, kind = request.param(tmp_path, column, word)
        media = {} if kind == "classes" else {"media_dir": tmp_path}
        return imported(source, kind, tmp_path / "out", **media, **settings)

    return run


@pytest.mark.parametrize(
    ("word", "label_set", "code", "label"),
    [
        ("EGY", "adi17", "EG", "egyptian"),
        ("CAI", "madar26", "EG-CAI", "egyptian"),
        ("ALG", "madar26", "DZ-ALG", "maghrebi"),
        ("ALG", "adi17", "DZ", "maghrebi"),
        ("gulf", None, "gulf", "gulf"),
        ("MSA", None, "msa", "msa"),
        ("Egypt", None, "EG", "egyptian"),
        ("خليجية", None, "gulf", "gulf"),
    ],
)
def test_a_dialect_has_one_name_whatever_reader_made_the_row(
    one_row: Callable[..., Any], word: str, label_set: str | None, code: str, label: str
) -> None:
    (row,) = one_row("dialect", word, task="did", label_set=label_set).rows
    assert (row["dialect"], row["label"], row["target"]) == (code, label, label)
    assert row["messages"][-1] == {"role": "assistant", "content": label}


def test_an_emotion_is_kept_at_its_finest_and_asked_at_the_tasks(
    one_row: Callable[..., Any],
) -> None:
    (row,) = one_row("emotion", "exc", task="ser", label_set="iemocap").rows
    assert (row["emotion"], row["label"]) == ("excited", "happy")


def test_a_task_of_ones_own_is_served_by_its_target_and_not_by_its_name(
    one_row: Callable[..., Any],
) -> None:
    tasks = own(mood="emotion")
    (row,) = one_row("emotion", "sur", task="mood", tasks=tasks, label_set="iemocap").rows
    assert (row["task"], row["label"], row["emotion"]) == ("mood", "surprised", "surprised")


@pytest.mark.parametrize(
    ("labels", "reasons"),
    [
        ({}, ["unknown label"]),
        ({"miffed": None}, ["label left out"]),
        ({"miffed": "surprised"}, ["no label of ser"]),
        ({"miffed": "angry"}, []),
    ],
)
def test_an_unknown_label_is_a_reject_until_it_is_mapped(
    one_row: Callable[..., Any], labels: dict[str, str | None], reasons: list[str]
) -> None:
    found = one_row("emotion", "miffed", task="ser", labels=labels)
    assert found.reasons == reasons
    assert [row["label"] for row in found.rows] == ["angry"] * (not reasons)
    assert all(one["label"] == "miffed" for one in found.rejects)


@pytest.mark.parametrize(
    ("name", "label"), [("city", "EG-CAI"), ("country", "EG"), ("region", "egyptian")]
)
def test_one_corpus_of_cities_serves_every_level(tmp_path: Path, name: str, label: str) -> None:
    make_tone(tmp_path / "a.wav")
    file = write(tmp_path / "rows.csv", "audio,dialect", "a.wav,CAI")
    tasks = own(city="city", country="country", region="region")
    (row,) = imported(file, "table", task=name, tasks=tasks, label_set="madar26").rows
    assert (row["label"], row["dialect"]) == (label, "EG-CAI")


def test_levels_of_intensity_are_labels_of_a_task_of_ones_own(tmp_path: Path) -> None:
    source = make_corpus("baved", tmp_path / "corpus")
    found = imported(source, "baved", task="strength", tasks=own(strength="intensity"))
    assert [row["label"] for row in found.rows] == ["low", "high"]
    assert [row["intensity"] for row in found.rows] == ["low", "high"]
    for task, tasks in (("ser", default_tasks()), ("did", default_tasks())):
        with pytest.raises(ConfigError, match="BAVED serves no task"):
            imported(source, "baved", tmp_path / "none", task=task, tasks=tasks)


def test_cities_of_text_are_labels_of_a_task_of_text(tmp_path: Path) -> None:
    tasks = tasks_from_table(
        {"country": {**QUESTION, "input": "text", "labels": "country"}}, default_tasks(), where="x"
    )
    source = make_corpus("madar", tmp_path / "corpus")
    found = imported(source, "madar", task="country", tasks=tasks)
    assert {(row["dialect"], row["label"]) for row in found.rows} == {
        ("EG-CAI", "EG"),
        ("msa", "msa"),
    }


def test_the_class_that_is_asked_counts_before_a_column_that_another_task_has(
    tmp_path: Path,
) -> None:
    make_tone(tmp_path / "a.wav")
    file = write(tmp_path / "rows.csv", "audio,label,dialect", "a.wav,angry,SA-JED")
    (row,) = imported(file, "table", task="did").rows
    assert (row["label"], row["dialect"]) == ("gulf", "SA-JED")
    (row,) = imported(file, "table", tmp_path / "ser", task="ser").rows
    assert (row["label"], row["emotion"], row["dialect"]) == ("angry", "angry", "SA-JED")


def test_where_no_label_has_a_place_the_error_names_the_options(tmp_path: Path) -> None:
    make_tone(tmp_path / "a.wav")
    file = write(tmp_path / "rows.csv", "audio,dialect", "a.wav,KSA")

    settings = ImportSettings(kind="table", task="did")
    with pytest.raises(ManifestError, match="1 unknown label") as caught:
        import_corpus(file, tmp_path / "out", settings, num_workers=1)
    assert "--label-set adi17 (or adi20) maps it, --label KSA= leaves it out" in caught.value.hint


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"labels": {"x": "gulff"}}, "no label 'gulff'"),
        ({"label_set": "adi71"}, "no label set 'adi71'"),
    ],
)
def test_a_label_that_there_is_not_is_refused_with_the_nearest(
    settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        ImportSettings(kind="table", **settings)
    assert "did you mean" in caught.value.hint
