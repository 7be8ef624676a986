import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maqam.corpora.importing.run import import_corpus
from maqam.corpora.settings import ImportSettings
from maqam.data.manifest import read_manifest
from maqam.errors import ConfigError, ManifestError
from tests.export.plans import exported, lines, plan_of
from tests.factories import make_manifest, make_tone

KEPT = ["id", "messages", "task", "label", "target", "start", "seconds"]


def talk(answer="نعم", question="<audio>فرّغ", **columns):
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    return {"messages": messages, "audios": ["a.wav"], "channel": "asr", **columns}


@pytest.fixture
def folder(tmp_path):
    make_tone(tmp_path / "a.wav", seconds=0.75)
    return tmp_path


@pytest.fixture
def imported(folder):
    """Imports rows written as JSON lines; text stands for a line as it is."""

    def run(*rows, **settings):
        source = folder / "rows.jsonl"
        text = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        source.write_text("".join(f"{line}\n" for line in text), encoding="utf-8")
        return import_corpus(source, folder / "out", ImportSettings(kind="ms-swift", **settings))

    return run


def rows_of(report):
    return read_manifest(report.manifest).table.to_pylist()


def rejects_of(report):
    return [json.loads(line) for line in report.rejects.read_text().splitlines()]


@pytest.mark.parametrize("target", ["ms-swift", "llamafactory"])
def test_what_was_exported_comes_back(tmp_path, target):
    manifest = make_manifest(tmp_path / "corpus", 10)
    order = [3, 1, 2, 0, 4, 9, 8, 7, 6, 5]
    out = exported(plan_of([order]), manifest, tmp_path / "out", target=target, micro_batch_size=10)
    report = import_corpus(
        out / "schedule.jsonl",
        tmp_path / "back",
        ImportSettings(kind=target, allow_outside=(manifest.folder,)),
    )
    written = [row["id"] for row in lines(out)]
    wanted = {row["id"]: row for row in manifest.table.to_pylist()}
    found = [{name: row[name] for name in KEPT} for row in rows_of(report)]
    assert found == [{name: wanted[id_][name] for name in KEPT} for id_ in written]


def test_audio_that_comes_back_is_the_same_file(tmp_path):
    manifest = make_manifest(tmp_path / "corpus", 4)
    out = exported(plan_of([[0, 1, 2, 3]]), manifest, tmp_path / "out")
    settings = ImportSettings(kind="ms-swift", allow_outside=(manifest.folder,))
    report = import_corpus(out / "schedule.jsonl", tmp_path / "back", settings)
    back = read_manifest(report.manifest)
    assert [back.audio_path(row) for row in range(4)] == [
        manifest.audio_path(row).resolve() for row in range(4)
    ]


def test_a_row_dealt_twice_comes_back_once(tmp_path):
    manifest = make_manifest(tmp_path / "corpus", 2)
    out = exported(plan_of([[0, 1], [1, 0]]), manifest, tmp_path / "out")
    settings = ImportSettings(kind="ms-swift", allow_outside=(manifest.folder,))
    report = import_corpus(out / "schedule.jsonl", tmp_path / "back", settings)
    assert (report.num_imported, report.reasons) == (2, {"duplicate row": 2})


def test_seconds_are_measured(imported):
    (row,) = rows_of(imported(talk(seconds=99)))
    assert row["seconds"] == 0.75


def test_relative_paths_start_at_the_rows_folder(imported, folder):
    (row,) = rows_of(imported(talk()))
    assert row["audios"] == [str(folder / "a.wav")]


def test_relative_paths_may_start_elsewhere(imported, folder):
    make_tone(folder / "media" / "b.wav")
    (row,) = rows_of(imported(talk(audios="b.wav"), media_dir=folder / "media"))
    assert row["audios"] == [str(folder / "media" / "b.wav")]


def test_ids_are_made_of_file_and_line(imported):
    ids = [row["id"] for row in rows_of(imported(talk(), "", talk(), talk(id="mine")))]
    assert ids == ["rows-1", "rows-3", "mine"]


@pytest.mark.parametrize(
    ("columns", "given", "task"),
    [
        ({"channel": "asr"}, None, "asr"),
        ({"channel": None, "task": "ssum"}, None, "ssum"),
        ({"channel": None}, "asr", "asr"),
        ({"channel": "asr"}, "ssum", "asr"),
    ],
)
def test_the_task_is_the_rows_own_before_the_one_given(imported, columns, given, task):
    (row,) = rows_of(imported(talk(**columns), task=given))
    assert row["task"] == task


def test_a_classification_answer_is_the_label(imported):
    (row,) = rows_of(imported(talk("msa", channel="did")))
    assert row["label"] == "msa"


@pytest.mark.parametrize(
    ("row", "reason", "words"),
    [
        ("{", "not JSON", "Expecting property name"),
        ("[1]", "no row", "a row is list"),
        (talk(channel=None), "no task", "none was given"),
        (talk(channel="asrr"), "unknown task", "'asrr'"),
        (talk(channel=["asr"]), "unknown task", "['asr']"),
        (talk("berber", channel="did"), "unknown label", "'berber'"),
        (talk(" "), "empty target", "target is ' '"),
        (talk(audios=["none.wav"]), "missing audio", "missing"),
        (talk(audios=[3]), "no audio path", "an audio is 3"),
        (talk(audios=["a.wav"] * 2), "several audios", "describe one"),
        (talk("نعم", "فرّغ", audios=[]), "no audio", "needs audio"),
        (talk(question="<audio><audio>فرّغ"), "audio tags", "one <audio> for each"),
        (talk("نعم\0لا"), "NUL character", "a NUL in"),
        (talk(speaker="a\0"), "NUL character", "a NUL in"),
        (talk(audios=["a\0.wav"]), "missing audio", "missing"),
        (talk(id="\ud800"), "not UTF-8", "half a character"),
        (talk(system="<audio>"), "audio tags", "one <audio> for each"),
        ({"channel": "asr", "messages": []}, "no messages", "the messages are []"),
        (talk(messages=["نعم"]), "no messages", "a message is 'نعم'"),
        (talk(messages=[{"role": "tool", "content": "x"}]), "unknown role", "'tool'"),
        (talk(messages=[{"role": "user", "content": 3}]), "no text", "content is 3"),
        (
            talk(messages=[{"role": "user", "content": "<audio>"}]),
            "answer unlike target",
            "not the assistant's",
        ),
        ({"channel": "asr", "query": "<audio>"}, "no text", "the assistant's content is None"),
        ({"query": "q", "response": "a", "history": 3}, "no messages", "the history is 3"),
        ({"query": "q", "response": "a", "history": [3]}, "no messages", "the history holds 3"),
    ],
)
def test_a_row_that_cannot_be_one_is_rejected_with_its_reason(imported, row, reason, words):
    report = imported(talk(), row)
    (reject,) = rejects_of(report)
    assert (reject["line"], reject["reason"]) == (2, reason)
    assert words in reject["text"]


def test_counts_add_up(imported):
    report = imported(talk(), "{", talk(channel="x"), talk(audios=["none.wav"]), "{")
    assert (report.num_rows, report.num_imported, report.num_rejected) == (5, 1, 4)
    assert report.reasons == {"not JSON": 2, "unknown task": 1, "missing audio": 1}


def test_rejects_stand_in_the_order_of_the_file(imported):
    report = imported(talk(" "), talk(), "{", talk(" "))
    assert [reject["line"] for reject in rejects_of(report)] == [1, 3, 4]


def test_a_source_without_a_sound_row_makes_no_manifest(imported, folder):
    with pytest.raises(ManifestError, match="none of 2 rows can be imported: 2 not JSON"):
        imported("{", "{")
    assert [path.name for path in (folder / "out").iterdir()] == ["rejects.jsonl"]


def test_an_empty_source_is_an_error(imported):
    with pytest.raises(ManifestError, match="none of 0 rows can be imported: it is empty"):
        imported()


def test_a_manifest_is_not_replaced(imported):
    imported(talk())
    with pytest.raises(ManifestError, match="there is a manifest already"):
        imported(talk())


@pytest.mark.parametrize("name", ["rows.json", "rows.parquet"])
def test_lists_and_parquet_are_read(folder, name):
    if name.endswith("json"):
        (folder / name).write_text(json.dumps([talk(), talk()]))
    else:
        pq.write_table(pa.Table.from_pylist([talk(), talk()]), folder / name)
    report = import_corpus(folder / name, folder / "out", ImportSettings(kind="ms-swift"))
    assert report.num_imported == 2


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("rows.json", b"{", "not JSON"),
        ("rows.json", b"{}", "it holds no list of rows"),
        ("rows.parquet", b"PAR1", "not readable"),
        ("rows.jsonl", b"\xff\xfe", "none of 1 rows can be imported: 1 not UTF-8"),
    ],
)
def test_a_source_that_cannot_be_read_is_an_error(folder, name, content, words):
    (folder / name).write_bytes(content)
    with pytest.raises(ManifestError, match=words):
        import_corpus(folder / name, folder / "out", ImportSettings(kind="ms-swift"))


def test_a_source_that_is_missing_is_an_error(folder):
    with pytest.raises(ManifestError, match="there is no file here"):
        import_corpus(folder / "none.jsonl", folder / "out", ImportSettings(kind="ms-swift"))


@pytest.mark.parametrize("settings", [{"kind": "nemoo"}, {"task": "asrr"}, {"split": "validation"}])
def test_settings_that_name_nothing_are_refused(folder, settings):
    ((name, value),) = settings.items()
    with pytest.raises(ConfigError, match=f"no {name} '{value}'"):
        import_corpus(
            folder / "rows.jsonl",
            folder / "out",
            ImportSettings(**{"kind": "ms-swift", **settings}),
        )


def test_a_folder_that_cannot_be_written_is_named(folder):
    (folder / "rows.jsonl").write_text(json.dumps(talk()))
    (folder / "file").write_text("")
    with pytest.raises(ManifestError, match="cannot be written"):
        import_corpus(
            folder / "rows.jsonl", folder / "file" / "out", ImportSettings(kind="ms-swift")
        )
