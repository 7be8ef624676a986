"""Where audio may lie, and what names of files and folders say of rows: corpus and split."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from maqam.corpora.importing.origin import audio_roots, corpus_name
from maqam.corpora.importing.run import import_corpus
from maqam.corpora.settings import ImportSettings
from maqam.data.manifest import read_manifest
from maqam.errors import ManifestError
from tests.corpora.cards.corpora import make_corpus
from tests.corpora.formats.importing import imported, write
from tests.corpora.importing.sources import SOURCES
from tests.factories import make_tone

LISTS = {  # a list that names one file, by format
    "nemo": lambda path: ("rows.jsonl", json.dumps({"audio_filepath": path, "text": "نعم"})),
    "table": lambda path: ("rows.csv", f"path,text\n{path},نعم"),
    "ms-swift": lambda path: (
        "rows.jsonl",
        json.dumps({"query": "<audio>Q", "response": "A", "audios": path}),
    ),
    "llamafactory": lambda path: (
        "rows.jsonl",
        json.dumps({"instruction": "<audio>Q", "output": "A", "audios": [path]}),
    ),
    "kaldi": lambda path: ("wav.scp", f"one {path}"),
    "lhotse": lambda path: (
        "rows.jsonl",
        json.dumps(
            {
                "id": "one",
                "recording": {"sources": [{"type": "file", "source": path}]},
                "supervisions": [{"text": "نعم"}],
            }
        ),
    ),
}


@pytest.fixture(params=LISTS)
def listed(request, tmp_path, monkeypatch):
    """Imports a list of one path, from a folder that holds neither list nor audio."""
    make_tone(tmp_path / "private/p.wav")
    make_tone(tmp_path / "corpus/in.wav")
    (tmp_path / "corpus/link.wav").symlink_to(tmp_path / "private/p.wav")
    (tmp_path / "shell").mkdir()
    monkeypatch.chdir(tmp_path / "shell")

    def run(path, **settings):
        name, text = LISTS[request.param](path)
        source = write(tmp_path / "corpus" / name, text)
        if request.param == "kaldi":
            write(tmp_path / "corpus/text", "one نعم")
            source = source.parent
        settings = {"media_dir": tmp_path / "corpus", **settings}
        return imported(source, request.param, tmp_path / "out", **settings)

    run.folder = tmp_path
    return run


@pytest.mark.parametrize("path", ["../private/p.wav", "link.wav", "{}/private/p.wav"])
def test_audio_outside_of_the_corpus_is_a_reject_that_names_the_way_on(listed, path):
    found = listed(path.format(listed.folder))
    assert (found.rows, found.reasons) == ([], ["path outside the source"])
    assert f"--allow-outside {listed.folder}/private" in found.rejects[0]["text"]


@pytest.mark.parametrize("path", ["../private/p.wav", "link.wav", "{}/private/p.wav"])
def test_audio_outside_of_the_corpus_is_let_in_by_its_folder(listed, path):
    folder = listed.folder / "private"
    assert len(listed(path.format(listed.folder), allow_outside=(folder,)).rows) == 1


@pytest.mark.parametrize("path", ["in.wav", "x/../in.wav", "{}/corpus/in.wav"])
def test_audio_in_the_corpus_needs_no_word(listed, path):
    (listed.folder / "corpus/x").mkdir()
    assert len(listed(path.format(listed.folder)).rows) == 1


def test_a_folder_whose_name_only_begins_like_the_corpus_is_outside(listed):
    make_tone(listed.folder / "corpus-private/p.wav")
    assert listed("../corpus-private/p.wav").reasons == ["path outside the source"]


def test_a_folder_that_is_a_link_leads_outside(listed):
    (listed.folder / "corpus/more").symlink_to(listed.folder / "private")
    assert listed("more/p.wav").reasons == ["path outside the source"]


def test_a_corpus_that_is_a_link_itself_is_its_own_folder(tmp_path):
    make_tone(tmp_path / "disk/a.wav")
    write(tmp_path / "disk/n.jsonl", json.dumps({"audio_filepath": "a.wav", "text": "نعم"}))
    (tmp_path / "corpus").symlink_to(tmp_path / "disk")
    found = imported(tmp_path / "corpus/n.jsonl", "nemo", tmp_path / "out")
    assert found.rows[0]["audios"] == [str(tmp_path / "corpus/a.wav")]


def test_a_clip_of_common_voice_is_a_plain_file_name(tmp_path):
    make_tone(tmp_path / "cv/clips/sub/a.wav")
    source = write(tmp_path / "cv/train.tsv", "client_id\tpath\tsentence", "s\tsub/a.wav\tx")
    assert imported(source, "common-voice").reasons == ["no plain file name"]


def test_a_card_reads_no_file_outside_of_its_corpus(tmp_path):
    corpus = make_corpus("sada22", tmp_path / "corpus")
    make_tone(tmp_path / "private/p.wav", seconds=2.0)
    for name, path in (("train", "../private/p.wav"), ("valid", f"{tmp_path}/private/p.wav")):
        file = corpus / f"{name}.csv"
        header, row = file.read_text().splitlines()
        write(file, header, ",".join([path, *row.split(",")[1:]]))
    found = imported(corpus, "sada22", tmp_path / "out")
    assert [row["split"] for row in found.rows] == ["test"]
    assert found.reasons == ["path outside the source"] * 2


@pytest.mark.parametrize("name", SOURCES)
def test_a_relative_source_gives_paths_that_are_right_elsewhere(tmp_path, monkeypatch, name):
    kind, make = SOURCES[name]
    (tmp_path / "in").mkdir()
    source = make(tmp_path / "in").relative_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    settings = ImportSettings(kind=kind, task="did" if kind == "classes" else "asr")
    import_corpus(source, Path("out"), settings, num_workers=1)
    monkeypatch.chdir("/")
    _assert_audio_is_there(tmp_path / "out")


@pytest.mark.parametrize("card", ["librispeech", "sada22", "mgb-2", "adi-20", "masc", "ravdess"])
def test_a_card_gives_paths_that_are_right_elsewhere(tmp_path, monkeypatch, card):
    make_corpus(card, tmp_path / "in")
    monkeypatch.chdir(tmp_path)
    import_corpus(Path("in"), Path("out"), ImportSettings(kind=card), num_workers=1)
    monkeypatch.chdir("/")
    _assert_audio_is_there(tmp_path / "out")


def test_relative_words_on_the_command_line_give_paths_that_are_right_elsewhere(tmp_path):
    make_corpus("librispeech", tmp_path / "in")
    code = "from maqam.cli.main import main; main()"
    words = ["data", "import", "librispeech", "in", "-o", "out", "--workers", "1"]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    _assert_audio_is_there(tmp_path / "out")


def _assert_audio_is_there(folder: Path) -> None:
    manifest = read_manifest(folder)
    assert all(manifest.audio_path(row).is_file() for row in range(manifest.num_utterances))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("masc/train-00000-of-00002.parquet", "masc"),
        ("masc/data/train-1.parquet", "masc"),
        ("sada.csv.gz", "sada"),
        ("shar/cuts.000000.jsonl.gz", "shar"),
        (f"datasets--google--fleurs/snapshots/{'a0' * 20}/data", "google/fleurs"),
    ],
)
def test_a_corpus_is_called_by_its_folder_not_by_a_shard(tmp_path, path, name):
    assert corpus_name(tmp_path / path) == name


@pytest.mark.parametrize("name", SOURCES)
def test_all_rows_of_a_source_have_the_name_of_the_corpus(tmp_path, name):
    kind, make = SOURCES[name]
    (tmp_path / "masc").mkdir()
    found = imported(
        make(tmp_path / "masc"),
        kind,
        tmp_path / "out",
        task="did" if kind == "classes" else "asr",
    )
    (source,) = {row["source"] for row in found.rows}
    named = {"maqam": "nemo", "nemo": "nemo", "common-voice": "common-voice", "shar": "shar"}
    assert source == named.get(name, "masc")


def test_the_folder_of_all_that_is_outside_is_named_at_the_end(tmp_path):
    names = ["disk/a/1.wav", "disk/b/2.wav"]
    rows = [{"audio_filepath": f"../{name}", "text": "x"} for name in [*names, "corpus/3.wav"]]
    for name in [*names, "corpus/3.wav"]:
        make_tone(tmp_path / name)
    source = write(tmp_path / "corpus/n.jsonl", *map(json.dumps, rows))
    settings = ImportSettings(kind="nemo", task="asr")
    report = import_corpus(source, tmp_path / "out", settings, num_workers=1)
    assert (report.num_imported, report.outside) == (1, str(tmp_path / "disk"))
    write(source, *map(json.dumps, rows[:1]))
    with pytest.raises(ManifestError) as error:
        import_corpus(source, tmp_path / "none", settings, num_workers=1)
    assert f"--allow-outside {tmp_path}/disk/a" in error.value.hint


def test_a_dataset_of_the_hub_may_hold_no_file_of_this_machine():
    assert audio_roots(Path("google/fleurs"), ImportSettings(kind="huggingface")) == ()


@pytest.mark.parametrize("name", sorted(SOURCES.keys() - {"maqam"}))  # its rows name their splits
def test_rows_that_name_no_split_are_of_the_one_that_their_file_or_folder_is_called(name, tmp_path):
    kind, make = SOURCES[name]
    source = make(tmp_path / "made_test")
    if kind == "common-voice":
        source = source / "train.tsv"
    called = source.name.replace("train", "test")
    source = source.rename(source.with_name(called if "test" in called else f"test_{called}"))
    task = "did" if kind == "classes" else "asr"
    rows = imported(source, kind, tmp_path / "by-name", task=task).rows
    own = {"train"} if kind == "classes" else set()  # one class stands in a folder train
    assert {row["split"] for row in rows} == {"test", *own}
    rows = imported(source, kind, tmp_path / "named", task=task, split="dev").rows
    assert {row["split"] for row in rows} == {"dev"}
