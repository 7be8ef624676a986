"""`maqam score`: answers of any system, without a run."""

import json
import shutil
import subprocess
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jiwer
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maqam.text.profiles import normalize

from .calls import assert_refused, maqam
from .corpus import make_corpus

SAID = {"s1_u1": "ذهب الولد اليوم", "s1_u2": "نعم", "s2_u3": "لا أدري، والله"}
HEARD = {"s1_u1": "ذهب البيت اليوم", "s1_u2": "نعم نعم", "s2_u3": "لا ادري و الله"}
PROFILE = "leaderboard-v3"
Writing = Callable[[Path, dict[str, str], str], None]


def as_jsonl(file: Path, texts: dict[str, str], role: str) -> None:
    rows = [json.dumps({"id": name, role: text}) for name, text in texts.items()]
    file.write_text("\n".join(rows), encoding="utf-8")


def as_csv(file: Path, texts: dict[str, str], role: str) -> None:
    rows = [f'{name},"{text}"' for name, text in texts.items()]
    file.write_text("\n".join([f"ID,{role}", *rows]), encoding="utf-8-sig")


def as_tsv(file: Path, texts: dict[str, str], role: str) -> None:
    rows = [f"{name}\t{text}\r\n" for name, text in texts.items()]
    file.write_text("".join(["utt_id\ttext\r\n", *rows]), encoding="utf-8", newline="")


def as_old_csv(file: Path, texts: dict[str, str], role: str) -> None:
    rows = [f"{name};{text}" for name, text in texts.items()]
    file.write_text("\n".join([f"id;{role}", *rows]), encoding="windows-1256")


def as_trn(file: Path, texts: dict[str, str], role: str) -> None:
    rows = [f"{text} ({name})" for name, text in texts.items()]
    file.write_text("\n".join([";; sclite", *rows, ""]), encoding="utf-8")


def as_kaldi(file: Path, texts: dict[str, str], role: str) -> None:
    rows = [f"{name} {text}" for name, text in texts.items()]
    file.write_text("\n".join(rows), encoding="utf-8")


def as_lines(file: Path, texts: dict[str, str], role: str) -> None:
    file.write_text("".join(f"{text}\n" for text in texts.values()), encoding="utf-8")


FORMS = (as_jsonl, as_csv, as_tsv, as_old_csv, as_trn, as_kaldi)


def wer_of(result: Any, group: str = "all", profile: str = PROFILE) -> float:
    assert result.code == 0, result.err
    (row,) = [
        row
        for row in json.loads(result.out)["scores"]
        if (row["metric"], row["group"], row["profile"]) == ("wer", group, profile)
    ]
    return float(row["value"])


def expected(said: dict[str, str], heard: dict[str, str], profile: str = PROFILE) -> float:
    pairs = [
        (normalize(said[one], profile), normalize(heard.get(one, ""), profile)) for one in said
    ]
    return float(jiwer.wer([one for one, _ in pairs], [one for _, one in pairs]))


@pytest.mark.parametrize("write_answers", FORMS)
@pytest.mark.parametrize("write_references", FORMS)
def test_answers_of_any_form_find_references_of_any_other(
    write_answers: Writing, write_references: Writing, tmp_path: Path
) -> None:
    answers, references = tmp_path / "answers", tmp_path / "references"
    write_answers(answers, dict(reversed(HEARD.items())), "hypothesis")
    write_references(references, SAID, "reference")
    result = maqam("score", answers, "--references", references, "--json")
    for profile in (PROFILE, "leaderboard-v2", "none"):
        assert wer_of(result, profile=profile) == pytest.approx(expected(SAID, HEARD, profile))


def test_line_goes_with_line_where_neither_file_has_ids(tmp_path: Path) -> None:
    as_lines(tmp_path / "hyp", HEARD, "")
    as_lines(tmp_path / "ref", SAID, "")
    result = maqam("score", tmp_path / "hyp", "--references", tmp_path / "ref", "--json")
    assert wer_of(result) == pytest.approx(expected(SAID, HEARD))


def test_a_line_without_a_word_is_an_empty_answer(tmp_path: Path) -> None:
    heard = {**HEARD, "s1_u2": ""}
    for write in (as_lines, as_trn, as_kaldi, as_csv, as_jsonl):
        write(tmp_path / "hyp", heard, "hypothesis")
        write(tmp_path / "ref", SAID, "reference")
        result = maqam("score", tmp_path / "hyp", "--references", tmp_path / "ref", "--json")
        assert wer_of(result) == pytest.approx(expected(SAID, heard))
        assert "no answer" not in result.err


def test_rows_that_hold_their_references_need_no_other_file(tmp_path: Path) -> None:
    rows = [
        {"audio_filepath": name, "duration": 2.5, "text": SAID[name], "pred_text": HEARD[name]}
        for name in SAID
    ]
    file = tmp_path / "nemo.json"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert wer_of(maqam("score", file, "--json")) == pytest.approx(expected(SAID, HEARD))


def test_several_files_are_test_sets_of_their_own_and_their_mean_is_given(tmp_path: Path) -> None:
    parts = {"radio": ("s1_u1", "s1_u2"), "phone": ("s2_u3",)}
    for name, ids in parts.items():
        rows = [{"reference": SAID[one], "hypothesis": HEARD[one]} for one in ids]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    result = maqam("score", *sorted(tmp_path.iterdir()), "--json")
    each = [expected({one: SAID[one] for one in ids}, HEARD) for ids in parts.values()]
    assert [wer_of(result, f"source={name}") for name in parts] == pytest.approx(each)
    assert wer_of(result, "mean over sources") == pytest.approx(sum(each) / 2)
    shown = maqam("score", *sorted(tmp_path.iterdir())).out
    assert "mean over sources" in shown


def test_a_manifest_brings_task_label_dialect_and_speaker(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus")
    rows = [
        row
        for row in pq.read_table(corpus / "manifest.parquet").to_pylist()
        if row["split"] == "test"
    ]
    answers = [{"id": row["id"], "hypothesis": row["target"]} for row in rows]
    file = tmp_path / "perfect.jsonl"
    file.write_text("\n".join(map(json.dumps, answers)), encoding="utf-8")
    result = maqam("score", file, "--manifest", corpus, "--json")
    scores = json.loads(result.out)
    assert set(scores["tasks"]) == {row["task"] for row in rows}
    assert wer_of(result) == 0
    found = {
        (row["task"], row["metric"]): row["value"]
        for row in scores["scores"]
        if row["group"] == "all"
    }
    assert found["did", "macro_f1"] == found["did", "accuracy_strict"] == 1
    assert ("did", "average_cost") not in found  # which takes a score of every label
    assert any(row["group"].startswith("dialect=") for row in scores["scores"])
    only = [one for one, row in zip(answers, rows, strict=True) if row["task"] == "asr"]
    file.write_text("\n".join(map(json.dumps, only)), encoding="utf-8")
    partial = maqam("score", file, "--manifest", corpus)
    assert "task did: none of its" in partial.err
    assert " did " not in partial.out
    only[0]["id"] = next(
        row["id"]
        for row in pq.read_table(corpus / "manifest.parquet").to_pylist()
        if row["split"] == "train"
    )
    file.write_text("\n".join(map(json.dumps, only)), encoding="utf-8")
    elsewhere = maqam("score", file, "--manifest", corpus)
    assert "is of split train" in elsewhere.line("hint")
    assert_refused(maqam("score", file, "--manifest", corpus, "--split", "all"), "no utterance of")


@pytest.mark.parametrize("named", ["EGY", "egyptian"])
def test_labels_are_mapped_and_their_scores_give_what_a_run_gives(
    tmp_path: Path, named: str
) -> None:
    rows = [
        {
            "label": "EGY",
            "label_scores": {
                "msa": -3,
                named: -1,
                "levantine": -3,
                "gulf": -2,
                "maghrebi": -4,
            },
        },
        {"label": "gulf", "label_scores": [-3, -1, -3, -2, -4]},
        {"label": "msa", "hypothesis": "EGY", "label_scores": [-3, -1, -3, -2, -4]},
    ]
    file = tmp_path / "did.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    result = maqam("score", file, "--task", "did", "--label", "EGY=egyptian", "--json")
    scores = {
        row["metric"]: row["value"]
        for row in json.loads(result.out)["scores"]
        if row["group"] == "all"
    }
    assert scores["accuracy"] == pytest.approx(1 / 3)
    assert scores["invalid_rate"] == 0
    assert {"calibration_error", "average_cost"} <= set(scores)
    assert_refused(maqam("score", file, "--task", "did"), "'EGY' is no label of did")


@pytest.mark.parametrize(
    ("policy", "kept", "said"),
    [
        ("empty", list(SAID), "they count as empty answers"),
        ("leave-out", ["s1_u1"], "they are left out"),
    ],
)
def test_an_utterance_without_an_answer_is_said(
    policy: str, kept: list[str], said: str, tmp_path: Path
) -> None:
    as_kaldi(tmp_path / "hyp", {"s1_u1": HEARD["s1_u1"]}, "")
    as_kaldi(tmp_path / "ref", SAID, "")
    words = ("score", tmp_path / "hyp", "--references", tmp_path / "ref", "--missing", policy)
    result = maqam(*words, "--json")
    heard = {"s1_u1": HEARD["s1_u1"]}
    assert wer_of(result) == pytest.approx(expected({one: SAID[one] for one in kept}, heard))
    assert f"2 of 3 utterances have no answer, {said}: 's1_u2', 's2_u3'" in result.err
    assert any(said in note for note in json.loads(result.out)["notes"])


def test_answers_to_unknown_ids_are_refused_with_a_near_one_or_left_out(tmp_path: Path) -> None:
    as_kaldi(tmp_path / "hyp", {**HEARD, "wav/S1_u1.wav": "نعم"}, "")
    as_kaldi(tmp_path / "ref", SAID, "")
    words = ("score", tmp_path / "hyp", "--references", tmp_path / "ref")
    refused = maqam(*words)
    assert_refused(refused, "1 of 4 answers are to ids", "'wav/S1_u1.wav'")
    assert "did you mean 's1_u1'" in refused.line("hint")
    left = maqam(*words, "--unknown", "leave-out", "--json")
    assert wer_of(left) == pytest.approx(expected(SAID, HEARD))
    assert "1 answers to unknown ids are left out" in left.err


def test_what_is_kept_is_compared_reported_and_scored_again_as_a_run(tmp_path: Path) -> None:
    as_jsonl(tmp_path / "ref", SAID, "reference")
    partial = {name: text for name, text in HEARD.items() if name != "s1_u2"}
    for name, heard in (("perfect", SAID), ("worse", partial)):
        as_jsonl(tmp_path / "hyp", heard, "hypothesis")
        words = ("score", tmp_path / "hyp", "--references", tmp_path / "ref")
        assert maqam(*words, "-o", tmp_path / name).code == 0
    assert_refused(maqam(*words, "-o", tmp_path / "worse"), "scored answers stand here already")
    before = (tmp_path / "worse/eval/test/scores.json").read_bytes()
    assert maqam(*words, "-o", tmp_path / "worse", "--force").code == 0
    assert maqam("eval", tmp_path / "worse", "--rescore").code == 0
    assert (tmp_path / "worse/eval/test/scores.json").read_bytes() == before
    both = (tmp_path / "perfect", tmp_path / "worse")
    compared = json.loads(maqam("compare", *both, "--checkpoints", "--json").out)
    (wer,) = [row for row in compared["rows"] if row["metric"] == "wer"]
    assert wer["difference"] == pytest.approx(expected(SAID, partial))
    page = tmp_path / "page.html"
    assert maqam("report", *both, "-o", page).code == 0
    assert "1 of 3 utterances have no answer" in page.read_text(encoding="utf-8")
    again = maqam("score", tmp_path / "worse/eval/test/hypotheses.parquet", "--json")
    assert wer_of(again) == pytest.approx(expected(SAID, partial))
    record = tmp_path / "perfect/run.json"
    record.write_text('{"format_version": 1}', encoding="utf-8")
    assert_refused(maqam(*words, "-o", tmp_path / "perfect", "--force"), "a trained run stands")


def test_systems_are_compared_on_the_mean_over_their_test_sets(tmp_path: Path) -> None:
    for name, places in (("good", range(0, 60, 20)), ("bad", range(0, 60, 2))):
        rows = [
            {
                "id": str(at),
                "source": "long" if at < 45 else "short",
                "reference": "نعم",
                "hypothesis": "لا" if at in places else "نعم",
            }
            for at in range(60)
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        assert maqam("score", tmp_path / f"{name}.jsonl", "-o", tmp_path / name).code == 0
    both = ("compare", tmp_path / "bad", tmp_path / "good")
    (row,) = [
        row
        for row in json.loads(maqam(*both, "--checkpoints", "--json").out)["rows"]
        if (row["metric"], row["group"]) == ("wer", "mean over sources")
    ]
    assert row["value"] == pytest.approx((3 / 45 + 0 / 15) / 2)
    assert row["baseline_value"] == pytest.approx((23 / 45 + 7 / 15) / 2)
    assert row["verdict"] == "better checkpoint"
    scores = json.loads((tmp_path / "good/eval/test/scores.json").read_text(encoding="utf-8"))
    assert row["value"] in [
        pytest.approx(one["value"])
        for one in scores["scores"]
        if (one["metric"], one["group"]) == ("wer", "mean over sources")
    ]
    for flag in ("--checkpoints",), ():
        assert "asr wer, mean over sources" in maqam(*both, *flag).out


def test_systems_with_and_without_scores_of_labels_are_compared_on_what_both_have(
    tmp_path: Path,
) -> None:
    scored = {"label_scores": [0, -1, -1, -1, -1]}
    for name, more in (("scored", scored), ("bare", {})):
        rows = [{"id": str(i), "label": "msa", "hypothesis": "gulf", **more} for i in range(3)]
        file = tmp_path / f"{name}.jsonl"
        file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
        assert maqam("score", file, "--task", "did", "-o", tmp_path / name).code == 0
    for order in (("scored", "bare"), ("bare", "scored")):
        folders = [tmp_path / name for name in order]
        for flag in ("--checkpoints",), ():
            result = maqam("compare", *folders, *flag, "--json")
            assert result.code == 0, result.err
            metrics = [row["metric"] for row in json.loads(result.out)["rows"]]
            assert "accuracy" in metrics
            assert "average_cost" not in metrics


def test_trn_files_are_scored_by_another_tool_to_the_same_rate(tmp_path: Path) -> None:
    as_jsonl(tmp_path / "hyp", HEARD, "hypothesis")
    as_jsonl(tmp_path / "ref", SAID, "reference")
    words = ("score", tmp_path / "hyp", "--references", tmp_path / "ref")
    result = maqam(*words, "--trn", tmp_path / "trn", "--json")
    back = maqam(
        "score",
        tmp_path / "trn/hyp.trn",
        "--references",
        tmp_path / "trn/ref.trn",
        "--profile",
        "none",
        "--json",
    )
    assert wer_of(back, profile="none") == pytest.approx(wer_of(result))
    sclite = shutil.which("sclite")
    if sclite is None:
        pytest.skip("sclite is not installed")
    call = [sclite, "-r", "ref.trn", "trn", "-h", "hyp.trn", "trn", "-i", "spu_id", "-s"]
    done = subprocess.run(
        [*call, "-e", "utf-8", "-o", "rsum", "stdout"],
        cwd=tmp_path / "trn",
        capture_output=True,
        text=True,
        check=True,
    )
    (total,) = [line for line in done.stdout.splitlines() if "| Sum " in line]
    counts = [int(word) for word in total.replace("|", " ").split()[1:] if word.isdigit()]
    (row,) = [
        row
        for row in json.loads(result.out)["scores"]
        if (row["metric"], row["profile"]) == ("wer", PROFILE) and row["group"] == "all"
    ]
    kinds = [row[name] for name in ("substitutions", "deletions", "insertions")]
    assert counts[:2] == [3, row["num_units"]]
    assert counts[3:7] == [*kinds, sum(kinds)]


@pytest.mark.parametrize("text", ["نعم { لا / أجل }", "نعم @ لا", ";; نعم"])
def test_a_text_that_trn_cannot_spell_is_refused_by_its_id(text: str, tmp_path: Path) -> None:
    as_jsonl(tmp_path / "hyp", {"u1": text, "u2": "نعم"}, "hypothesis")
    as_jsonl(tmp_path / "ref", {"u1": "نعم", "u2": "نعم"}, "reference")
    words = ("score", tmp_path / "hyp", "--references", tmp_path / "ref", "--trn", tmp_path / "t")
    assert_refused(maqam(*words, "--profile", "none"), "hypothesis texts hold", "'u1'")
    assert maqam(*words).code == 0  # a profile that deletes punctuation


def test_trn_refuses_ids_with_parentheses_and_tasks_without_words(tmp_path: Path) -> None:
    rows = [{"id": "a (b)", "reference": "نعم", "hypothesis": "نعم"}]
    file = tmp_path / "f.jsonl"
    file.write_text(json.dumps(rows[0]), encoding="utf-8")
    assert_refused(maqam("score", file, "--trn", tmp_path), "1 ids hold spaces or parentheses")
    file.write_text(json.dumps({"label": "msa", "hypothesis": "msa"}), encoding="utf-8")
    assert_refused(
        maqam("score", file, "--task", "did", "--trn", tmp_path), "no task here is scored by WER"
    )


def test_a_task_of_ones_own_is_scored(tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.yaml"
    tasks.write_text(
        "language:\n  prompts: {en: Which language?}\n  input: audio\n"
        "  labels: [arabic, english]\n  level: 2\n",
        encoding="utf-8",
    )
    file = tmp_path / "f.csv"
    file.write_text("id,label,prediction\na,arabic,arabic\nb,english,arabic\n", encoding="utf-8")
    result = maqam("score", file, "--task", "language", "--tasks", tasks, "--json")
    found = {row["metric"]: row["value"] for row in json.loads(result.out)["scores"]}
    assert found["accuracy"] == 0.5
    refused = maqam("score", file, "--task", "langage", "--tasks", tasks)
    assert_refused(refused, "there is no task 'langage'")
    assert "did you mean 'language'" in refused.line("hint")


BOTH = '{"id": "a", "reference": "x", "hypothesis": "y"}\n'
FAULTS: dict[str, tuple[str | bytes, tuple[str, ...], tuple[str, ...]]] = {
    "empty": ("\n\n", (), ("it is empty",)),
    "header alone": ("id,hypothesis\n", (), ("it is empty",)),
    "list": ('[{"id": "a"}]', (), ("a JSON list",)),
    "half a line": (BOTH + '{"id": ', (), (":2", "1 lines cannot be read", "not JSON")),
    "bytes": (BOTH.encode() + b'{"id": "\xff"}\n', (), (":2", "not UTF-8")),
    "twice": (BOTH * 2, (), ("1 ids stand in several rows", "f:1", "f:2")),
    "no reference": ('{"id": "a", "hypothesis": "y"}', (), ("f:1", "1 rows have no reference")),
    "no column": ("id,words\na,b\n", (), ("no column is known to hold the hypothesis",)),
    "wrong column": (BOTH, ("--column", "hypothesis=hip"), ("there is no column 'hip'",)),
    "not ours": (BOTH, ("--column", "hip=hypothesis"), ("there is no column 'hip'",)),
    "cells": ("id,reference,hypothesis\na,b\n", (), (":2", "2 cells under 3 columns")),
    "quote": ('id,reference,hypothesis\na,b,"c\nd,e,f\n', (), (":2", "lone quotation mark")),
    "list as answer": ('{"reference": "x", "hypothesis": ["y"]}', (), ("is a list, not a text",)),
    "list as reference": (
        '{"reference": ["x"], "hypothesis": "y"}',
        (),
        ("the reference is ['x'], not one text",),
    ),
    "half": (
        '{"reference": "x", "hypothesis": "\\ud800"}',
        (),
        (":1", "half a character"),
    ),
    "seconds": ('{"reference": "x", "hypothesis": "y", "seconds": "z"}', (), ("'z' is no number",)),
    "task": ('{"reference": "x", "hypothesis": "y", "task": "asd"}', (), ("no task 'asd'",)),
    "text alone": ("نعم\n", (), ("no references to score it against",)),
    "text and ids": ("نعم\n", ("--references", "b"), ("plain lines have no ids",)),
    "lines": ("نعم\nلا\n", ("--references", "l"), ("2 lines of answers, and 1 of references",)),
    "more files": ("نعم\nلا\n", ("l", "--references", "l"), ("several files of plain lines",)),
    "no trn": (
        "نعم (a)\nلا\n",
        ("--format", "trn", "--references", "b"),
        ("does not end in (id)",),
    ),
    "alternatives": ("{ x / y } (a)\n", ("--references", "b"), ("several wordings",)),
    "no id": ('{"hypothesis": "y"}', ("--references", "b"), ("the row has no id, by which",)),
    "reference id": (BOTH, ("--references", "n"), ("n:1", "the row has no id")),
    "strangers": ("q1 x\n", ("--references", "b", "--unknown", "leave-out"), ("no answer is to",)),
    "strict": (
        '{"id": "a", "hypothesis": null}',
        ("--references", "b", "--missing", "error"),
        ("1 of 1 utterances have no answer",),
    ),
    "nothing": (
        '{"id": "a", "hypothesis": null}',
        ("--references", "b", "--missing", "leave-out"),
        ("nothing is left to score",),
    ),
    "scores": ('{"label": "msa", "label_scores": [1]}', ("--task", "did"), ("a number for each",)),
    "tokens": (
        '{"label": "msa", "label_scores": [0, -1, -1, -1, -1], "label_tokens": [1, 0, 1, 1, 1]}',
        ("--task", "did"),
        ("whole numbers of at least 1",),
    ),
    "parquet": (b"PAR1 and no more", (), ("not readable as Parquet",)),
    "profile": (BOTH, ("--profile", "mine"), ("no normalizer profile 'mine'",)),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_one_clear_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content, options, words = FAULTS[name]
    monkeypatch.chdir(tmp_path)
    data = content if isinstance(content, bytes) else content.encode()
    Path("f").write_bytes(data)
    Path("b").write_text(BOTH, encoding="utf-8")
    Path("n").write_text('{"reference": "x"}\n', encoding="utf-8")
    Path("l").write_text("نعم\n", encoding="utf-8")
    assert_refused(maqam("score", "f", *options), *words)


def test_a_folder_and_a_file_that_is_not_there_are_named(tmp_path: Path) -> None:
    assert_refused(maqam("score", tmp_path), "it is a folder")
    assert_refused(maqam("score", tmp_path / "none"), "there is no file here")


def test_what_a_user_may_not_expect_is_said(tmp_path: Path) -> None:
    as_old_csv(tmp_path / "hyp", HEARD, "hypothesis")
    as_jsonl(tmp_path / "ref", SAID, "reference")
    said = maqam("score", tmp_path / "hyp", "--references", tmp_path / "ref").err
    assert "is read as windows-1256" in said
    assert "no speaker is known" in said
    (tmp_path / "own").write_text(BOTH, encoding="utf-8")
    (tmp_path / "better").write_text('{"id": "a", "reference": "y"}', encoding="utf-8")
    result = maqam("score", tmp_path / "own", "--references", tmp_path / "better", "--json")
    assert "not the answers' own" in result.err
    assert wer_of(result) == 0


@pytest.mark.parametrize("option", ["--format", "--missing", "--unknown"])
def test_a_word_that_an_option_does_not_take_is_a_wrong_call(option: str, tmp_path: Path) -> None:
    assert maqam("score", tmp_path, option, "perhaps").code == 2


@pytest.mark.torch
def test_the_answers_of_a_run_are_scored_as_the_run_scored_them(runs: list[Path]) -> None:
    folder = runs[0] / "eval" / "test"
    kept = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    result = maqam("score", folder / "hypotheses.parquet", "--json")
    keys = ("task", "metric", "group", "profile", "value", "num_utterances", "num_units")
    rows = [
        [{key: row[key] for key in keys} for row in scores["scores"]]
        for scores in (json.loads(result.out), kept)
    ]
    assert rows[0] == rows[1]
    assert json.loads(result.out)["confusions"] == kept["confusions"]


MARKS = ' \n\t,;"(){}[:1\r\u2028\0'
WORDS = ("id", "hypothesis", "reference", "نعم", "u1", "u2", '{"id": "u1", "reference": "x"}\n')
PIECES = st.sampled_from([*MARKS, *WORDS])


@given(content=st.lists(PIECES, max_size=25).map("".join).map(str.encode) | st.binary(max_size=60))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_any_bytes_are_scored_or_refused_in_one_line(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "any").write_bytes(content)
    as_kaldi(folder / "ref", {"u1": "نعم", "u2": "لا"}, "")
    for words in ((), ("--references", folder / "ref")):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = maqam("score", folder / "any", *words, "--json")
        if result.code:
            assert_refused(result)
        else:
            assert json.loads(result.out)["scores"]
