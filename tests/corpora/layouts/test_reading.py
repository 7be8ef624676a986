import json
import os
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from maqam.corpora.cards.catalog import card_names, read_card
from maqam.corpora.importing.run import import_corpus
from maqam.corpora.layouts.raw import matching
from maqam.corpora.layouts.reading import found_parts
from maqam.corpora.layouts.unread import Left, check_parts_apart, left_files
from maqam.corpora.settings import ImportSettings
from maqam.data.manifest import read_manifest
from maqam.errors import ConfigError, ManifestError
from maqam.inspection.checks import check_manifest
from tests.corpora.cards.corpora import MAKERS, encoded, make_corpus, write, write_parquet
from tests.factories import make_tone

Row = dict[str, Any]
CLIPS = {"Actor_12": "ravdess", "Series1": "eaed", "data": "ksuemotions"}
IMPORTED = sorted(name for name in card_names() if read_card(name).tasks)


def imported(name: str, source: Path, **settings: Any) -> tuple[list[Row], list[Row]]:
    """Import by a card; rows and rejects are held to the counts."""
    out = source.parent / "out"
    asked = ImportSettings(kind=name, **settings)
    report = import_corpus(source, out, asked, num_workers=1)
    rows = read_manifest(report.manifest).table.to_pylist()
    rejects = [json.loads(line) for line in report.rejects.read_text("utf-8").splitlines()]
    assert report.num_rows == len(rows) + len(rejects)
    return rows, rejects


@pytest.fixture
def corpus(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return make_corpus(request.param, tmp_path / "corpus")


def corpora(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("corpus", names, indirect=True)


def test_every_card_has_a_corpus_in_its_layout_to_be_tested_on() -> None:
    assert set(MAKERS) == set(card_names())


@pytest.mark.parametrize("name", IMPORTED)
def test_a_card_reads_its_layout_to_a_manifest_without_findings(name: str, tmp_path: Path) -> None:
    source = make_corpus(name, tmp_path / "corpus")
    card = read_card(name)
    rows, _ = imported(name, source)
    assert rows
    assert {row["source"] for row in rows} == {name}
    assert {row["task"] for row in rows} == {card.tasks[0]}
    assert {row["split"] for row in rows} == set(card.splits or ("train",))
    report = check_manifest(read_manifest(tmp_path / "out"), read=True)
    assert not report.rejected_ids


@pytest.mark.parametrize("name", IMPORTED)
def test_all_parts_of_a_card_are_found_in_its_layout(name: str, tmp_path: Path) -> None:
    source = make_corpus(name, tmp_path / "corpus")
    absent = {
        "masc": ["noisy-dev", "clean-test"],
        "adi-17": ["train-parquet", "dev-parquet", "test-parquet"],
    }
    assert found_parts(read_card(name), source)[1] == absent.get(name, [])


@corpora("mgb-2")
def test_mgb_2_joins_words_turns_buckwalter_and_leaves_out_bad_matches(corpus: Path) -> None:
    rows, rejects = imported("mgb-2", corpus)
    train, dev, test = rows
    assert (train["id"], train["target"]) == ("AAAA_BBBB_utt_0001_0.0:1.0", "نعم سيدي")
    assert (train["speaker"], train["start"], train["seconds"]) == ("AAAA-BBBB-7", 0.0, 1.0)
    assert (dev["target"], dev["start"], test["split"]) == ("مرحبا بكم", 0.5, "test")
    assert [reject["reason"] for reject in rejects] == ["WMER over 80"]


@corpora("masc")
def test_masc_makes_an_utterance_of_every_caption(corpus: Path) -> None:
    rows, rejects = imported("masc", corpus)
    assert not rejects
    assert [row["id"] for row in rows[:2]] == ["-aB_1_0.500", "-aB_1_1.500"]
    assert (rows[1]["target"], rows[1]["start"], rows[1]["seconds"]) == ("لا شكرا", 1.5, 1.25)
    assert (rows[0]["dialect"], rows[0]["speaker"]) == ("dialect1", "UC1")


@corpora("sada22")
def test_sada22_finds_recordings_in_their_batches_and_keeps_their_speakers_apart(
    corpus: Path,
) -> None:
    rows, _ = imported("sada22", corpus)
    assert rows[0]["id"] == "6k_SBA_1_0-seg_0_500-1_500"
    assert rows[0]["audios"][0].endswith("batch_1/6k_SBA_1_0.wav")
    assert {row["speaker"] for row in rows} == {
        f"6k_SBA_{n}_0.wav/Speaker1متحدث" for n in (1, 2, 3)
    }
    assert rows[0]["target"] == "نعم سيدي"


@corpora("casablanca")
def test_casablanca_takes_the_country_of_the_folder(corpus: Path) -> None:
    rows, _ = imported("casablanca", corpus, task="did")
    found = {row["id"]: (row["label"], row["dialect"], row["split"]) for row in rows}
    assert found["Egypt-validation_1-did"] == ("egyptian", "EG", "dev")
    assert found["UAE-test_1-did"] == ("gulf", "AE", "test")


@corpora("casablanca")
def test_a_corpus_of_two_tasks_is_imported_for_its_first(corpus: Path) -> None:
    rows, _ = imported("casablanca", corpus)
    assert {(row["target"], row["label"]) for row in rows} == {("نعم سيدي", None)}
    assert {row["dialect"] for row in rows} == {"EG", "AE"}


@corpora("fleurs")
def test_fleurs_reads_the_tar_that_holds_the_audio(corpus: Path) -> None:
    rows, rejects = imported("fleurs", corpus)
    assert not rejects
    assert [row["id"] for row in rows[:2]] == ["7-101.wav", "7-100.wav"]
    assert rows[0]["audios"][0].startswith("audio/")
    assert {row["speaker"] for row in rows} == {None}


@corpora("fleurs")
def test_rows_that_a_cut_tar_lacks_are_rejected(corpus: Path) -> None:
    archive = corpus / "data/ar_eg/audio/train.tar.gz"
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    rows, rejects = imported("fleurs", corpus)
    reasons = [reject["reason"] for reject in rejects]
    assert reasons.count("unreadable archive") == 1
    assert reasons.count("no audio") >= 1
    assert len(rows) >= 4


@corpora("fleurs")
@pytest.mark.parametrize("form", ["audio/dev", "dev", "lhotse", "root"])
def test_fleurs_is_read_unpacked(corpus: Path, form: str) -> None:
    folder = corpus / "data/ar_eg"
    for part in ("train", "dev", "test"):
        archive = folder / f"audio/{part}.tar.gz"
        with tarfile.open(archive) as tar:
            tar.extractall(folder if form in ("dev", "lhotse") else folder / "audio", filter="data")
        archive.unlink()
    if form == "lhotse":
        for part in ("train", "dev", "test"):
            file = corpus / f"metadata/ar_eg/{part}.tsv"
            write(file, (folder / f"{part}.tsv").read_text("utf-8"))
            (folder / f"{part}.tsv").unlink()
        folder.rename(corpus / "ar_eg")
    source = folder if form == "root" else corpus
    report = import_corpus(source, corpus.parent / "out", ImportSettings(kind="fleurs-ar-eg"))
    rows = read_manifest(report.manifest).table.to_pylist()
    assert [row["split"] for row in rows] == ["train"] * 2 + ["dev"] * 2 + ["test"] * 2
    assert {row["source"] for row in rows} == {"fleurs-ar-eg"}
    assert rows[0]["messages"][0]["content"] == "<audio>فرّغ الكلام."


@corpora("fleurs")
def test_one_language_of_fleurs_or_all_of_them_are_read(corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(corpus / "data/ar_eg", corpus / "data/fr_fr")
    names = {"fleurs-fr-fr": 6, "fleurs": 12}
    for name, num_rows in names.items():
        report = import_corpus(corpus, tmp_path / name, ImportSettings(kind=name), num_workers=1)
        assert report.num_rows == num_rows
        question = read_manifest(report.manifest).row(0)["messages"][0]["content"]
        assert question == "<audio>Transcribe the speech."


@corpora("adi-17")
def test_adi_17_reads_segments_where_there_are_any(corpus: Path) -> None:
    rows, _ = imported("adi-17", corpus)
    train, dev, test = rows
    assert (train["id"], train["start"], train["seconds"]) == ("abc", 0.0, 2.0)
    assert (dev["id"], dev["start"], dev["seconds"]) == ("-a_b_000050-000150", 0.5, 1.0)
    assert (test["label"], test["dialect"], test["speaker"]) == ("gulf", "SA", "U7Z_v")


@corpora("adi-17")
def test_lists_with_folders_of_others_are_read_with_ones_own_folder_of_audio(corpus: Path) -> None:
    write(corpus / "data/train/wav.scp", "abc /your_own_folder/train/abc.wav\n")
    (corpus / "data/test/wav.scp").unlink()
    (corpus / "wav/train").mkdir()
    (corpus / "wav/abc.wav").rename(corpus / "wav/train/abc.wav")
    rows, rejects = imported("adi-17", corpus, media_dir=corpus / "wav")
    assert not rejects
    assert [Path(row["audios"][0]).name for row in rows] == ["abc.wav", "-a_b.wav", "U7Z_v.wav"]


@corpora("adi-17")
def test_audio_that_is_not_there_is_a_reject_each(corpus: Path) -> None:
    write(corpus / "data/train/wav.scp", "abc /your_own_folder/train/abc.wav\n")
    _, rejects = imported("adi-17", corpus)
    assert [reject["reason"] for reject in rejects] == ["missing audio"]


@pytest.mark.parametrize("form", ["wav/{name}", "{name}", "KSA/{name}"])
def test_the_cut_segments_of_adi_17_are_read(tmp_path: Path, form: str) -> None:
    source = tmp_path / "adi"
    for part in ("train", "dev", "test"):
        clip = f"-a_{part}_000100-000300"
        make_tone(source / f"{part}_segments" / form.format(name=f"{clip}.wav"), seconds=2.0)
        write(source / f"{part}_segments/utt2lang", f"{clip} KSA\nno_{part}_0-2 KSA\n")
    report = import_corpus(source, tmp_path / "out", ImportSettings(kind="adi-17"))
    rows = read_manifest(report.manifest).table.to_pylist()
    assert [row["split"] for row in rows] == ["train", "dev", "test"]
    assert [(row["label"], row["speaker"]) for row in rows[:2]] == [
        ("gulf", "-a_train"),
        ("gulf", "-a_dev"),
    ]
    assert report.num_rejected == 3


def test_the_parquet_copy_of_adi_17_is_read(tmp_path: Path) -> None:
    source = tmp_path / "adi"
    source.mkdir()
    for part in ("train", "dev", "test"):
        audio = {"bytes": encoded(source), "path": None}
        row = {"id": f"{part}_a-b_000100-000300", "audio": audio, "dialect": "MOR"}
        write_parquet(source / f"data/{part}-00000-of-00004.parquet", [row])
    rows, _ = imported("adi-17", source)
    assert [(row["speaker"], row["split"], row["label"]) for row in rows] == [
        (f"{part}_a-b", part, "maghrebi") for part in ("train", "dev", "test")
    ]


@corpora("adi-17")
def test_a_shell_command_in_wav_scp_is_rejected_and_not_run(corpus: Path, tmp_path: Path) -> None:
    write(corpus / "data/train/wav.scp", f"abc touch {tmp_path}/run |\n")
    _, rejects = imported("adi-17", corpus)
    assert [reject["reason"] for reject in rejects] == ["shell command"]
    assert not (tmp_path / "run").exists()


@corpora("adi-20")
def test_adi_20_counts_times_in_samples(corpus: Path) -> None:
    rows, _ = imported("adi-20", corpus)
    assert [row["label"] for row in rows[:3]] == ["gulf", "msa", "maghrebi"]
    assert [row["dialect"] for row in rows[:3]] == ["BH", "msa", "TN"]
    assert {(row["start"], row["seconds"]) for row in rows} == {(0.5, 1.0)}


@corpora("nadi-2025")
def test_nadi_2025_goes_by_the_names_of_its_files(corpus: Path) -> None:
    rows, _ = imported("nadi-2025", corpus)
    assert {row["id"].split("-")[0]: row["split"] for row in rows} == {
        "train": "train",
        "validation": "dev",
        "test": "test",
    }
    assert [row["label"] for row in rows[:2]] == ["egyptian", "gulf"]


@corpora("nadi-2025")
def test_a_file_whose_name_tells_no_split_is_not_read_and_named(corpus: Path) -> None:
    (corpus / "data/train-00000-of-00001.parquet").rename(corpus / "data/some.parquet")
    rows, _ = imported("nadi-2025", corpus)
    assert {row["split"] for row in rows} == {"dev", "test"}
    assert left_files(read_card("nadi-2025"), corpus).tables == ("data/some.parquet",)


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_no_file_is_read_by_parts_of_two_splits_and_none_is_left(name: str, tmp_path: Path) -> None:
    source, card = make_corpus(name, tmp_path / "corpus"), read_card(name)
    check_parts_apart(card, source)
    assert left_files(card, source) == Left((), ())


SPLIT_WORDS = ("train", "validation", "valid", "val", "dev", "test1", "test", "core", "duc2003")


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_file_that_is_named_after_a_split_is_never_read_as_another(
    name: str, tmp_path: Path
) -> None:
    source, card = make_corpus(name, tmp_path / "corpus"), read_card(name)
    meaning = {"validation": "dev", "valid": "dev", "val": "dev", "test1": "test"}
    meaning |= {"core": "train", "duc2003": "test"}
    for part in card.parts:
        for file in matching(source, part.files) if hasattr(part, "files") else ():
            named = re.split(r"[^a-z0-9]+", file.relative_to(source).as_posix())
            words = [word for word in named if word in SPLIT_WORDS]
            if words:
                assert part.split == meaning.get(words[-1], words[-1]), file


def test_two_parts_of_a_card_that_read_one_file_are_refused(tmp_path: Path) -> None:
    make_corpus("nadi-2025", tmp_path / "corpus")
    card = read_card("nadi-2025")
    every = card.parts[0].model_copy(update={"files": ("**/*.parquet",), "name": "all"})
    twice = card.model_copy(update={"parts": (every, *card.parts[1:])})
    with pytest.raises(ConfigError, match=r"parts all and validation both read data/validation-"):
        check_parts_apart(twice, tmp_path / "corpus")


@corpora("ksuemotions")
def test_ksuemotions_leaves_out_questions_and_what_ser_has_no_label_for(corpus: Path) -> None:
    rows, rejects = imported("ksuemotions", corpus)
    assert [row["label"] for row in rows] == ["neutral", "happy", "angry"]
    assert [reject["reason"] for reject in rejects] == ["no label of ser", "label left out"]


@corpora("eaed")
def test_eaed_names_utterances_by_their_path(corpus: Path) -> None:
    rows, rejects = imported("eaed", corpus)
    assert rows[0]["id"] == "Series1/NellyKarim/NellyKarim_happy_ 01"
    assert [(row["speaker"], row["label"]) for row in rows] == [
        ("NellyKarim", "happy"),
        ("Other", "sad"),
    ]
    assert rejects[0]["reason"] == "no label of ser"


@corpora("eaed")
def test_labels_of_eaed_may_be_capitalised(corpus: Path) -> None:
    folder = corpus / "Series2/Other"
    (folder / "Other_sad_ 01.wav").rename(folder / "Other_Sad_ 01.wav")
    rows, _ = imported("eaed", corpus)
    assert [row["label"] for row in rows] == ["happy", "sad"]


@corpora("ravdess")
def test_ravdess_reads_the_third_field_and_asks_in_english(corpus: Path) -> None:
    rows, rejects = imported("ravdess", corpus)
    assert [row["label"] for row in rows] == ["neutral", "happy", "angry"]
    assert rows[0]["messages"][0]["content"] == "<audio>Which emotion is heard?"
    assert (rows[0]["speaker"], len(rejects)) == ("Actor_12", 1)


@corpora("ravdess", "eaed", "ksuemotions")
def test_a_clip_that_stands_where_no_pattern_looks_is_a_reject(corpus: Path) -> None:
    name = CLIPS[sorted(corpus.iterdir())[0].name]
    make_tone(corpus / "extra/deep/down/clip.wav")
    _, rejects = imported(name, corpus)
    found = [reject for reject in rejects if reject["file"] == "extra/deep/down/clip.wav"]
    assert [reject["reason"] for reject in found] == ["unknown file name"]


@corpora("qasr")
def test_qasr_reads_times_in_hundredths_and_segments_of_train(corpus: Path) -> None:
    (train, dev, test), rejects = imported("qasr", corpus)
    assert not rejects
    assert (train["start"], train["seconds"], train["speaker"]) == (0.5, 1.0, "A1B2-C3D4-2")
    assert (dev["start"], dev["seconds"], dev["speaker"]) == (0.5, 1.25, "dev-rec-spk-0003")
    assert (test["split"], test["target"]) == ("test", "نعم سيدي")


@corpora("iwslt22-ta")
def test_iwslt_finds_the_audio_in_the_folder_of_the_ldc(corpus: Path) -> None:
    (corpus / "data").rename(corpus.parent / "ldc-data")
    (corpus.parent / "ldc").mkdir()
    (corpus.parent / "ldc-data").rename(corpus.parent / "ldc/data")
    rows, rejects = imported("iwslt22-ta", corpus, media_dir=corpus.parent / "ldc")
    assert not rejects
    assert [row["split"] for row in rows] == ["train", "dev", "test"]
    assert (rows[0]["start"], rows[0]["seconds"], rows[0]["speaker"]) == (0.5, 1.25, "15950")


@corpora("iemocap")
def test_iemocap_counts_excitement_as_happiness(corpus: Path) -> None:
    rows, rejects = imported("iemocap", corpus)
    assert [(row["label"], row["speaker"]) for row in rows] == [
        ("neutral", "Ses01F"),
        ("happy", "Ses01M"),
    ]
    assert [reject["reason"] for reject in rejects] == ["label left out", "no label of ser"]


@corpora("xl-sum-ar")
def test_xl_sum_asks_for_the_summary_of_the_text(corpus: Path) -> None:
    rows, _ = imported("xl-sum-ar", corpus)
    assert rows[0]["messages"][0]["content"] == "لخّص النص:\nنص طويل"
    assert (rows[0]["target"], rows[0]["audios"]) == ("ملخص", [])


@corpora("mega-ssum")
def test_mega_ssum_serves_three_tasks(corpus: Path, tmp_path: Path) -> None:
    targets = {}
    for task in ("ssum", "asr", "tsum"):
        report = import_corpus(
            corpus, tmp_path / task, ImportSettings(kind="mega-ssum", task=task), num_workers=1
        )
        targets[task] = read_manifest(report.manifest).row(0)["target"]
    assert targets == {"ssum": "a sentence", "asr": "a long sentence", "tsum": "a sentence"}


@corpora("librispeech")
def test_librispeech_reads_the_lines_beside_the_audio(corpus: Path) -> None:
    rows, rejects = imported("librispeech", corpus, language="ar")
    assert (rows[0]["speaker"], rows[0]["target"]) == ("103", "GO DO YOU HEAR")
    assert rows[0]["messages"][0]["content"] == "<audio>فرّغ الكلام."
    assert not rejects


@corpora("madar", "baved")
def test_a_corpus_that_serves_no_task_is_not_imported(corpus: Path) -> None:
    name = "baved" if (corpus / "2").is_dir() else "madar"
    with pytest.raises(ConfigError, match="serves no task"):
        imported(name, corpus)
    assert not (corpus.parent / "out").exists()


@pytest.mark.parametrize("name", ["eaed", "xl-sum-ar", "librispeech", "mgb-2"])
def test_an_import_by_a_card_looks_for_the_files_of_each_pattern_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, looked_for, walks = make_corpus(name, tmp_path / "corpus"), [], []
    glob, walk = Path.glob, os.walk

    def counted(path: Path, pattern: str) -> Any:
        looked_for.append(pattern)
        return glob(path, pattern)

    def walked(top: Path) -> Any:
        walks.append(top)
        return walk(top)

    monkeypatch.setattr(Path, "glob", counted)
    monkeypatch.setattr(os, "walk", walked)
    rows, _ = imported(name, source)
    assert rows
    assert looked_for
    assert len(looked_for) == len(set(looked_for))
    assert walks == [source, source]  # the listing of an import, and what no part reads


@corpora("adi-17")
def test_a_label_without_a_shared_name_rejects_its_rows_and_not_the_corpus(corpus: Path) -> None:
    write(corpus / "data/train/utt2lang", "abc XXX\n")
    rows, rejects = imported("adi-17", corpus)
    assert rows
    assert [(one["reason"], one["label"]) for one in rejects if "label" in one] == [
        ("unknown label", "XXX")
    ]


@corpora("adi-17")
def test_a_label_that_the_user_maps_needs_no_shared_name(corpus: Path) -> None:
    write(corpus / "data/train/utt2lang", "abc XXX\n")
    rows, _ = imported("adi-17", corpus, labels={"XXX": "levantine"})
    assert (rows[0]["label"], rows[0]["dialect"]) == ("levantine", "levantine")


@corpora("sada22")
def test_a_task_that_the_corpus_cannot_serve_is_refused(corpus: Path) -> None:
    with pytest.raises(ConfigError, match="SADA22 does not serve task 'did'"):
        imported("sada22", corpus, task="did")


def test_a_folder_without_the_files_of_the_card_says_what_it_expects(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="there are no files of LibriSpeech here") as caught:
        imported("librispeech", tmp_path)
    assert "train-*/*/*/*.trans.txt" in caught.value.hint


@corpora("sada22")
def test_paths_that_climb_out_and_rows_of_other_length_are_rejected(corpus: Path) -> None:
    file = corpus / "train.csv"
    header, row = file.read_text("utf-8").splitlines()
    outside = row.replace("6k_SBA_1_0.wav", "../../secret.wav", 1)
    write(file, "\n".join([header, row, outside, "a,b", '"never closed']))
    _, rejects = imported("sada22", corpus)
    assert [reject["reason"] for reject in rejects] == [
        "path outside the source",
        "other columns",
        "lone quotation mark",
    ]


@corpora("sada22")
def test_a_table_without_a_column_of_the_card_rejects_its_rows(corpus: Path) -> None:
    file = corpus / "train.csv"
    write(file, file.read_text("utf-8").replace("ProcessedText", "Text"))
    _, rejects = imported("sada22", corpus)
    assert [reject["reason"] for reject in rejects] == ["missing column"]


@corpora("masc")
def test_a_recording_without_captions_is_rejected(corpus: Path) -> None:
    (corpus / "subtitles/cD2.ar.vtt").unlink()
    rows, rejects = imported("masc", corpus)
    assert [reject["reason"] for reject in rejects] == ["no subtitles"]
    assert len(rows) == 6


CUES = """1
00:00:00,500 --> 00:00:01,500
نعم

2
0:01.5 --> 0:02
لا
3
00:00:02 --> 00:00:03 align:start
[موسيقى]

00:01 -> now
"""


@corpora("masc")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "windows-1256"])
def test_captions_are_read_as_people_write_them_and_every_line_is_accounted_for(
    corpus: Path, encoding: str
) -> None:
    (corpus / "subtitles/-aB_1.ar.vtt").write_bytes(CUES.encode(encoding))
    rows, rejects = imported("masc", corpus)
    assert [(row["target"], row["start"], row["seconds"]) for row in rows[:2]] == [
        ("نعم", 0.5, 1.0),
        ("لا", 1.5, 0.5),
    ]
    assert [(reject["line"], reject["reason"]) for reject in rejects] == [
        (9, "no speech"),
        (12, "no times"),
    ]


@corpora("masc")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it is empty"),
        ("WEBVTT\n\nNOTE nothing\n", "it has no cues"),
        ("\n<!DOCTYPE html>\n<html>404</html>", "it is a page of HTML"),
    ],
)
def test_subtitles_without_a_cue_are_one_reject(corpus: Path, text: str, words: str) -> None:
    write(corpus / "subtitles/-aB_1.ar.vtt", text)
    rows, (reject,) = imported("masc", corpus)
    assert (reject["reason"], reject["text"]) == ("unreadable subtitles", words)
    assert len(rows) == 6


@corpora("iemocap", "librispeech")
def test_a_line_that_is_not_as_others_is_a_reject(corpus: Path) -> None:
    name = "iemocap" if (corpus / "Session1").is_dir() else "librispeech"
    file = next(corpus.rglob("*_impro01.txt" if name == "iemocap" else "*.trans.txt"))
    before = len(imported(name, corpus)[1])
    file.write_text(file.read_text("utf-8") + "\n\n103-1240-0009\n", "utf-8")
    shutil.rmtree(corpus.parent / "out")
    _, rejects = imported(name, corpus)
    assert [reject["reason"] for reject in rejects].count("unknown line") == 1
    assert len(rejects) == before + 1


@corpora("mgb-2", "casablanca")
def test_a_damaged_file_is_rejected_and_the_others_are_read(corpus: Path) -> None:
    name = "mgb-2" if (corpus / "dev").is_dir() else "casablanca"
    file = {"mgb-2": "train/xml/utf8/A.xml", "casablanca": "Egypt/test-00000-of-00001.parquet"}[
        name
    ]
    write(corpus / file, "<transcript><segments>")
    rows, rejects = imported(name, corpus)
    assert "unreadable file" in {reject["reason"] for reject in rejects}
    assert len(rows) == 3


@corpora("ravdess")
def test_a_file_that_is_named_otherwise_is_rejected(corpus: Path) -> None:
    (corpus / "Actor_12/03-01-01-01-02-01-12.wav").rename(corpus / "Actor_12/copy.wav")
    _, rejects = imported("ravdess", corpus)
    assert {reject["reason"] for reject in rejects} == {"unknown file name", "no label of ser"}


@corpora("mgb-2")
def test_speakers_of_dev_and_test_of_mgb_2_are_read_from_their_ids(corpus: Path) -> None:
    name = "94D37D38-B203-4FC0-9F3A-538F5C174920_spk-0001_seg-0000050:0000150"
    write(corpus / "dev/segments.non_overlap_speech", f"{name} dev1 0.50 1.50\n")
    write(corpus / "dev/text.non_overlap_speech", f"{name} mrHbA bkm\n")
    rows, _ = imported("mgb-2", corpus)
    (speaker,) = {row["speaker"] for row in rows if row["split"] == "dev"}
    assert speaker == "94D37D38-B203-4FC0-9F3A-538F5C174920_spk-0001"
