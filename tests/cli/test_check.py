"""`maqam data check` and what a recipe does with rows that its model does not take."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from maqam.data.manifest import read_manifest, write_manifest
from tests.factories import make_row, make_tone

from .calls import assert_refused, maqam


def speech(number: int, **changes: object) -> dict[str, object]:
    words = {"task": "asr", "label": None, "split": "train", "target": "كلام"}
    return make_row(
        number, **{**words, "audios": [f"audio/{number}.wav"], "seconds": 0.5, **changes}
    )


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Five sound rows, one of 10 ms, one of 70 s, one of many words, one past its file's end."""
    seconds = [0.5] * 5 + [0.01, 70.0, 0.5, 0.8]
    rows = [speech(number, seconds=length) for number, length in enumerate(seconds)]
    rows[7] = speech(7, target="كلام " * 2000)
    for number, length in enumerate([*seconds[:8], 0.5]):
        make_tone(tmp_path / f"audio/{number}.wav", seconds=length, hertz=300 + 20 * number)
    write_manifest(rows, tmp_path)
    return tmp_path


def found_in(*words: object) -> dict[str, str]:
    told = json.loads(maqam("data", "check", *words, "--json").out)
    return {one["id"]: one["kind"] for one in told["findings"]}


def test_without_a_model_only_what_no_family_takes_is_rejected(corpus: Path) -> None:
    assert found_in(corpus) == {
        "utterance-5": "audio too short",
        "utterance-8": "segment outside the file",
    }
    assert "every family" in maqam("data", "check", corpus).err


@pytest.mark.parametrize(
    ("model", "kinds"),
    [
        ("pocket", {"6": "audio too long", "7": "too many tokens"}),
        ("qwen2_audio", {"6": "audio too long"}),
        ("qwen2_5_omni", {}),
    ],
)
def test_limits_are_those_of_the_model_that_is_named(
    corpus: Path, model: str, kinds: dict[str, str]
) -> None:
    always = {"5": "audio too short", "8": "segment outside the file"}
    wanted = {f"utterance-{name}": kind for name, kind in (always | kinds).items()}
    assert found_in(corpus, "--model", model) == wanted
    unread = {name: kind for name, kind in wanted.items() if name != "utterance-8"}
    assert found_in(corpus, "--model", model, "--no-read") == unread


def test_an_unknown_model_is_told_with_the_nearest(corpus: Path) -> None:
    told = maqam("data", "check", corpus, "--model", "qwen2_audoi")
    assert (told.code, "did you mean 'qwen2_audio'" in told.err) == (1, True)


def test_fix_needs_a_folder(corpus: Path) -> None:
    assert "name one: -o FOLDER" in maqam("data", "check", corpus, "--fix").err


def test_what_is_fixed_is_sound_and_the_rest_is_listed(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "sound"
    assert maqam("data", "check", corpus, "-o", tmp_path / "as-it-is").code == 1
    assert maqam("data", "check", corpus, "--fix", "--model", "pocket", "-o", out).code == 0
    rejects = [json.loads(line) for line in (out / "rejects.jsonl").read_text().splitlines()]
    assert [one["id"] for one in rejects] == ["utterance-5", "utterance-6", "utterance-7"]
    assert read_manifest(out).column("seconds").tolist() == [0.5] * 6
    assert maqam("data", "check", out, "--model", "pocket").code == 0


def test_a_manifest_that_is_there_is_replaced_by_force_only(corpus: Path, tmp_path: Path) -> None:
    out, words = tmp_path / "sound", ("data", "check", corpus, "--fix", "--model", "pocket", "-o")
    assert maqam(*words, out).code == 0
    before = (out / "manifest.parquet").read_bytes()
    again = maqam(*words, out, "--model", "qwen2_5_omni")
    assert_refused(again, "there is a manifest already")
    assert "--force" in again.line("hint")
    assert (out / "manifest.parquet").read_bytes() == before
    assert maqam(*words, out, "--force").code == 0
    assert_refused(maqam(*words, corpus, "--force"), "it would replace the manifest")


@pytest.mark.parametrize("own", [{}, {"channel": "tv"}], ids=["", "a column of words"])
def test_opposite_channels_are_mended_by_a_channel_that_is_then_read(
    own: dict[str, str], tmp_path: Path
) -> None:
    tone = 0.3 * np.sin(np.arange(8000) / 8)
    (tmp_path / "audio").mkdir()
    soundfile.write(tmp_path / "audio/0.wav", np.stack([0.9 * tone, -tone], 1), 16_000)
    make_tone(tmp_path / "audio/1.wav", seconds=0.5)
    write_manifest([{**speech(0), **own}, {**speech(1), **own}], tmp_path)
    assert found_in(tmp_path) == {"utterance-0": "opposite channels"}
    out = tmp_path / "out"
    assert maqam("data", "check", tmp_path, "--fix", "-o", out).code == 0
    table = pq.read_table(out / "manifest.parquet")
    assert table.column("channel").to_pylist() == [1, None]
    assert not own or table.column("source_channel").to_pylist() == ["tv", "tv"]
    assert maqam("data", "check", out).code == 0
    (clip, _) = read_manifest(out).clips([0, 1]).values()
    assert np.allclose(clip.read(), -tone, atol=1e-4)


def test_nothing_that_can_be_used_is_exit_code_1_even_when_fixed(tmp_path: Path) -> None:
    make_tone(tmp_path / "audio/0.wav", seconds=0.01)
    write_manifest([speech(0, seconds=0.01)], tmp_path)
    assert maqam("data", "check", tmp_path, "--fix", "-o", tmp_path / "out").code == 1


@pytest.mark.torch
def test_rows_that_the_model_does_not_take_are_left_out_counted_and_listed(
    corpus: Path, tmp_path: Path
) -> None:
    table = pq.read_table(corpus / "manifest.parquet")
    write_manifest(table.slice(0, 8), corpus)
    train = "{num_steps: 2, batch_size: 2, micro_batches: 1, checkpoint_steps: 2}"
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        f"name: a\noutput: {tmp_path}/runs\ndata: {{manifest: {corpus}}}\ntrain: {train}\n"
        "features: {num_clusters: 2}\nschedule: {kind: uniform}\n"
    )
    planned = maqam("plan", recipe)
    assert planned.code == 0, planned.err
    words = "3 of 8 utterances left out: asr 1 audio too short, 1 audio too long, 1 too many tokens"
    assert planned.err.count(words) == 1
    assert "data.where or maqam data check --fix" in planned.err
    plan = tmp_path / "runs" / "a" / "plan"
    lines = [json.loads(line) for line in (plan / "left_out.jsonl").read_text().splitlines()]
    assert [(one["id"], one["kind"]) for one in lines] == [
        ("utterance-5", "audio too short"),
        ("utterance-6", "audio too long"),
        ("utterance-7", "too many tokens"),
    ]
    trained = maqam("train", recipe)
    assert trained.code == 0, trained.err
    for record in (plan / "plan.json", tmp_path / "runs/a/run.json"):
        assert any(words in note for note in json.loads(record.read_text())["notes"])
    scored = maqam("eval", tmp_path / "runs" / "a", "--split", "train")
    assert scored.code == 0, scored.err
    assert len(pq.read_table(tmp_path / "runs/a/eval/train/hypotheses.parquet")) == 5
    own = tmp_path / "runs/a/eval/train"
    assert (own / "left_out.jsonl").is_file()
    counts = {"asr": {"audio too short": 1, "audio too long": 1, "too many tokens": 1}}
    decoded = (own / "scores.json").read_text()
    assert json.loads(decoded)["left_out"] == counts
    assert maqam("eval", tmp_path / "runs" / "a", "--split", "train", "--rescore").code == 0
    assert (own / "scores.json").read_text() == decoded
    assert maqam("report", tmp_path / "runs" / "a", "-o", tmp_path / "page.html").code == 0
    page = (tmp_path / "page.html").read_text()
    scores, plans = page.index('id="scores"'), page.index('id="plans"')
    said = page.index("speech recognition: 3 utterances of the train split are not scored")
    assert scores < said < plans < page.rindex(words)


def test_a_model_that_takes_no_row_is_told_why(tmp_path: Path) -> None:
    make_tone(tmp_path / "audio/0.wav", seconds=0.01)
    write_manifest([speech(0, seconds=0.01)], tmp_path)
    recipe = tmp_path / "r.yaml"
    recipe.write_text(f"name: a\noutput: {tmp_path}/o\ndata: {{manifest: {tmp_path}}}\n")
    told = maqam("plan", recipe)
    assert "the model takes none of 1 utterances: 0.010 s give no audio token" in told.err


def test_a_channel_is_chosen_at_import_and_heard(tmp_path: Path) -> None:
    tone = 0.3 * np.sin(np.arange(8000) / 8)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, -tone], 1), 16_000)
    (tmp_path / "t.csv").write_text("path,sentence\na.wav,نعم\n")
    words = ("data", "import", "table", tmp_path / "t.csv", "--task", "asr", "--decode")
    for channel, column in (("1", [1]), ("mix", None)):
        out = tmp_path / channel
        assert maqam(*words, "--channel", channel, "-o", out).code == 0
        table = pq.read_table(out / "manifest.parquet")
        assert ("channel" in table.column_names) == (column is not None)
    assert maqam("data", "check", tmp_path / "1").code == 0
    assert found_in(tmp_path / "mix").popitem()[1] == "opposite channels"
    (clip,) = read_manifest(tmp_path / "1").clips([0]).values()
    assert np.allclose(clip.read(), -tone, atol=1e-4)
    refused = maqam(*words, "--channel", "left", "-o", tmp_path / "x")
    assert "no channel 'left'" in refused.err


def test_a_channel_that_a_file_lacks_is_a_finding(tmp_path: Path) -> None:
    make_tone(tmp_path / "audio/0.wav", seconds=0.5)
    write_manifest([{**speech(0), "channel": 1}], tmp_path)
    assert found_in(tmp_path) == {"utterance-0": "no such channel"}


@pytest.mark.parametrize("read", ["--read", "--no-read"])
def test_that_all_audio_is_missing_is_told_with_a_way_on(corpus: Path, read: str) -> None:
    first, *others = sorted((corpus / "audio").iterdir())
    for file in others:
        file.unlink()
    assert "--media-dir" not in maqam("data", "check", corpus, read).err
    first.unlink()
    assert "--media-dir" in maqam("data", "check", corpus, read).err
    (corpus / "t.csv").write_text("path,sentence\nnone.wav,x\n")
    words = ("data", "import", "table", corpus / "t.csv", "--task", "asr")
    assert "--media-dir" in maqam(*words, "-o", corpus / "out").err
