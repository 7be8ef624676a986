"""Data and disks that are not as they should be: one clear line, and the next run goes on."""

import errno
import json
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from maqam.features import extract
from maqam.schedule import load_plan

from .calls import Result, assert_refused, maqam
from .conftest import World
from .corpus import RATE, Row, conversation, edit_rows, row_of, write_tone

pytestmark = pytest.mark.torch

CLIP = "audio/train-asr-3.wav"


def train(world: World, *words: str) -> Result:
    return maqam("train", world.recipe, *words)


def assert_mended(world: World, *words: str) -> None:
    result = train(world, *words)
    assert result.code == 0, result.err


def remove(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    soundfile.write(path, np.zeros(0), RATE)


def not_finite(path: Path) -> None:
    samples = np.zeros(RATE, dtype=np.float32)
    samples[100:103] = np.nan
    soundfile.write(path, samples, RATE, subtype="FLOAT")


def text_file(path: Path) -> None:
    path.write_text("not audio")


AUDIO_FAULTS = {
    "missing": (remove, "missing"),
    "truncated": (truncate, "cut short"),
    "zero samples": (empty, "zero samples"),
    "NaN samples": (not_finite, "3 samples are not finite"),
    "no audio at all": (text_file, "not readable as audio"),
}


@pytest.mark.parametrize(("spoil", "words"), AUDIO_FAULTS.values(), ids=AUDIO_FAULTS)
def test_spoilt_audio_is_named_and_mended_audio_is_planned(
    world: World, own: World, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(own.corpus / CLIP)
    assert_refused(train(own), "train-asr-3.wav", words)
    (own.corpus / CLIP).write_bytes((world.corpus / CLIP).read_bytes())
    assert maqam("plan", own.recipe).code == 0


@pytest.mark.parametrize(
    ("command", "keep"),
    [*((word, "pooled") for word in ("plan", "features", "train", "eval")), ("train", "none")],
)
def test_all_audio_that_cannot_be_read_is_told_at_once_with_both_ways_on(
    own: World, command: str, keep: str
) -> None:
    needs = "{kind: ads}" if keep == "pooled" else "{kind: uniform}"
    words = [f"features.keep={keep}", f"schedule={needs}", "features.num_clusters=2"]
    split = "test" if command == "eval" else "train"
    if command == "eval":
        assert_mended(own, *words)
        words, asked = [], own.output / "tiny"
    else:
        asked = own.recipe
    ids = [f"{split}-{task}" for task in ("asr-0", "asr-1", "did-0", "did-1", "ser-0", "ser-1")]
    for name, spoil in zip(ids, [remove, truncate, remove, empty, text_file, remove], strict=True):
        spoil(own.corpus / "audio" / f"{name}.wav")
    told = maqam(command, asked, *words)
    assert_refused(told, "the audio of 6 of ", "3 missing audio", "and 1 more", *ids[:5])
    assert all(way in told.err for way in ("data.where", "maqam data check --fix"))
    file = own.output / "tiny" / "unreadable.jsonl"
    assert str(file) in told.err
    assert [json.loads(line)["id"] for line in file.read_text("utf-8").splitlines()] == ids
    if command == "plan":
        left = f"data.where=id not in {tuple(ids)}"
        assert maqam(command, asked, *words, left).code == 0
        assert not file.exists()


def test_a_run_without_any_of_its_audio_is_told_how_to_name_the_folder(own: World) -> None:
    for clip in (own.corpus / "audio").iterdir():
        clip.unlink()
    told = maqam("plan", own.recipe, "schedule={kind: ads}", "features.num_clusters=2")
    assert_refused(told, "missing audio")
    assert "--media-dir" in told.line("hint")


@pytest.mark.parametrize(("spoil", "words"), AUDIO_FAULTS.values(), ids=AUDIO_FAULTS)
def test_the_check_finds_spoilt_audio_and_leaves_it_out(
    own: World, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(own.corpus / CLIP)
    result = maqam("data", "check", own.corpus, "-o", own.folder / "sound")
    assert result.code == 1
    assert "Traceback" not in result.err
    found = [line for line in result.out.splitlines() if line.startswith("train-asr-3: ")]
    assert len(found) == 1
    assert words in found[0]
    assert maqam("data", "check", own.folder / "sound").code == 0


def repeat_id(rows: list[Row]) -> None:
    row_of(rows, "train-asr-3")["id"] = "train-asr-2"


def unknown_task(rows: list[Row]) -> None:
    row_of(rows, "train-asr-3")["task"] = "asrr"


def unknown_label(rows: list[Row]) -> None:
    row = row_of(rows, "train-did-0")
    row["label"] = row["target"] = "martian"
    row["messages"] = conversation(row["messages"][0]["content"], "martian")


def empty_target(rows: list[Row]) -> None:
    row = row_of(rows, "train-asr-3")
    row["target"] = ""
    row["messages"] = conversation(row["messages"][0]["content"], "")


ROW_FAULTS = {
    "duplicate ids": (repeat_id, ("duplicate id", "train-asr-2")),
    "unknown task": (unknown_task, ("unknown task", "train-asr-3", "asrr")),
    "unknown label": (unknown_label, ("unknown label", "train-did-0", "martian")),
    "empty target": (empty_target, ("empty target", "train-asr-3")),
}


@pytest.mark.parametrize(("spoil", "words"), ROW_FAULTS.values(), ids=ROW_FAULTS)
def test_a_spoilt_row_is_named_and_its_check_gives_sound_rows(
    own: World, spoil: Callable[[list[Row]], None], words: tuple[str, ...]
) -> None:
    edit_rows(own.corpus, spoil)
    assert_refused(train(own), "manifest.parquet", *words)
    assert_refused(maqam("data", "stats", own.corpus), "manifest.parquet", *words)
    result = maqam("data", "check", own.corpus, "-o", own.folder / "sound")
    assert (result.code, "1 to reject" in result.out) == (1, True)
    assert maqam("plan", own.recipe, f"data.manifest={own.folder / 'sound'}").code == 0


def test_a_manifest_that_was_cut_short_is_named(own: World) -> None:
    truncate(own.corpus / "manifest.parquet")
    for command in ("check", "stats"):
        assert_refused(maqam("data", command, own.corpus), "manifest.parquet", "not readable")


def too_long(rows: list[Row]) -> None:
    for name in ("train-tsum-1", "test-tsum-1"):
        row = row_of(rows, name)
        row["messages"] = conversation("كلام " * 1500, row["target"])


def test_a_row_beyond_the_context_is_left_out_and_the_run_goes_on(own: World) -> None:
    edit_rows(own.corpus, too_long)
    result = train(own)
    assert result.code == 0, result.err
    assert "left out: tsum 1 too many tokens" in result.err
    (line,) = (own.output / "tiny" / "plan" / "left_out.jsonl").read_text("utf-8").splitlines()
    assert all(word in line for word in ("train-tsum-1", "exceed the context of 1024"))


def shorten(rows: list[Row]) -> None:
    for name in ("train-tsum-1", "test-tsum-1"):
        row = row_of(rows, name)
        row["messages"] = conversation("كلام", row["target"])


def test_a_test_row_beyond_the_context_is_left_out_and_listed_when_scored(own: World) -> None:
    assert_mended(own)
    edit_rows(own.corpus, too_long)
    result = maqam("eval", own.output / "tiny")
    assert result.code == 0, result.err
    listed = own.output / "tiny" / "eval" / "test" / "left_out.jsonl"
    assert "test-tsum-1" in listed.read_text("utf-8")
    edit_rows(own.corpus, shorten)
    assert maqam("eval", own.output / "tiny").code == 0
    assert not listed.exists()


def test_audio_of_another_rate_and_two_channels_simply_works(own: World) -> None:
    clip = own.corpus / CLIP
    seconds = soundfile.info(clip).duration
    write_tone(clip, seconds, 300, rate=8000)
    samples, _ = soundfile.read(clip)
    soundfile.write(clip, np.stack([samples, -0.5 * samples], axis=1), 8000)
    assert maqam("data", "check", own.corpus).code == 0
    assert_mended(own)


def test_an_unknown_key_of_a_recipe_is_refused_before_anything_loads(own: World) -> None:
    text = own.recipe.read_text(encoding="utf-8")
    own.recipe.write_text(text.replace("micro_batches", "micro_batch"), encoding="utf-8")
    result = train(own)
    assert_refused(result, "recipe.yaml", "train.micro_batch", "unknown key")
    assert "'micro_batches'" in result.line("hint")
    assert not own.output.exists()


def test_a_plan_whose_pool_has_changed_is_refused(own: World) -> None:
    assert maqam("plan", own.recipe).code == 0
    edit_rows(own.corpus, lambda rows: rows.pop(0))
    result = train(own)
    assert_refused(result, "plan", "the pool has changed")
    assert "--force" in result.line("hint")
    assert maqam("plan", own.recipe, "--force").code == 0
    assert_mended(own)


def test_a_damaged_plan_is_refused_and_compiled_again(own: World) -> None:
    assert maqam("plan", own.recipe).code == 0
    truncate(own.output / "tiny" / "plan" / "rows.npy")
    assert_refused(train(own), str(own.output / "tiny" / "plan"), "damaged")
    assert maqam("plan", own.recipe, "--force").code == 0
    assert_mended(own)


def store_of(world: World) -> Path:
    (folder,) = (world.output / "features").iterdir()
    return folder


def test_a_half_written_store_is_gone_on_with(own: World, monkeypatch: pytest.MonkeyPatch) -> None:
    encode, calls = extract.encode_rows, []

    def interrupted(*given: object) -> object:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return encode(*given)  # type: ignore[arg-type]

    words = (own.recipe, "features.batch_seconds=3")
    with monkeypatch.context() as patched:
        patched.setattr(extract, "encode_rows", interrupted)
        assert maqam("features", *words).code == 130
    assert not (store_of(own) / "store.json").exists()
    assert maqam("features", *words).code == 0
    resumed = (store_of(own) / "states.npy").read_bytes()
    whole = ("features", *words, f"output={own.folder / 'whole'}")
    assert maqam(*whole).code == 0
    (other,) = (own.folder / "whole" / "features").iterdir()
    assert resumed == (other / "states.npy").read_bytes()


def test_a_store_that_lost_its_end_is_refused_and_made_again(own: World) -> None:
    assert maqam("features", own.recipe).code == 0
    store = store_of(own)
    truncate(store / "states.npy")
    assert_refused(train(own), str(store), "broken")
    for path in store.iterdir():
        path.unlink()
    assert_mended(own)


@contextmanager
def small_disk(num_bytes: int) -> Iterator[None]:
    """Have the kernel refuse to let any file grow beyond a size."""
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, heard)


@pytest.mark.parametrize("num_bytes", [0, 4000])
def test_a_disk_that_fills_up_under_a_store_is_named(own: World, num_bytes: int) -> None:
    with small_disk(num_bytes):
        result = maqam("features", own.recipe)
    assert_refused(result, str(own.output / "features"))
    assert maqam("features", own.recipe).code == 0


@pytest.mark.parametrize("num_bytes", [0, 300])
def test_a_disk_that_fills_up_under_a_plan_is_named(own: World, num_bytes: int) -> None:
    assert maqam("features", own.recipe).code == 0
    with small_disk(num_bytes):
        result = maqam("plan", own.recipe)
    assert_refused(result, str(own.output / "tiny" / "plan"))
    assert maqam("plan", own.recipe).code == 0


@pytest.mark.parametrize("num_bytes", [0, 4000])
def test_a_disk_that_fills_up_under_a_run_is_named(own: World, num_bytes: int) -> None:
    assert maqam("features", own.recipe).code == 0
    assert maqam("plan", own.recipe).code == 0
    with small_disk(num_bytes):
        result = train(own)
    assert_refused(result, str(own.output / "tiny"))
    assert train(own, "--resume").code == 0
    assert maqam("eval", own.output / "tiny").code == 0


def test_a_disk_that_fills_up_under_scores_and_a_page_is_named(own: World) -> None:
    assert_mended(own)
    run = own.output / "tiny"
    assert maqam("eval", run).code == 0  # which stores the aligner outputs of the split
    for num_bytes in (0, 6000):
        with small_disk(num_bytes):
            assert_refused(maqam("eval", run), str(run / "eval" / "test"))
    assert maqam("eval", run).code == 0
    page = own.folder / "report.html"
    with small_disk(4000):
        assert_refused(maqam("report", run, "-o", page), str(page))
    assert not page.exists()
    assert maqam("report", run, "-o", page).code == 0


def test_a_disk_that_fills_up_under_the_sound_rows_is_named(own: World) -> None:
    with small_disk(1000):
        result = maqam("data", "check", own.corpus, "-o", own.folder / "sound")
    assert_refused(result, str(own.folder / "sound"))
    assert maqam("data", "check", own.corpus, "-o", own.folder / "sound").code == 0


@pytest.mark.parametrize("command", ["features", "plan", "train"])
def test_an_output_that_is_no_folder_is_named(own: World, command: str) -> None:
    own.output.write_text("a file")
    assert_refused(maqam(command, own.recipe), str(own.output))


def test_a_plan_cannot_be_written_below_a_file(own: World) -> None:
    (own.folder / "file").write_text("a file")
    assert_refused(maqam("plan", own.recipe, "-o", own.folder / "file" / "plan"), "file/plan")


def test_a_full_disk_leaves_no_half_plan(own: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    assert maqam("features", own.recipe).code == 0
    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        result = maqam("plan", own.recipe)
    assert_refused(result, str(own.output / "tiny" / "plan"), "No space left")
    assert maqam("plan", own.recipe).code == 0
    assert load_plan(own.output / "tiny" / "plan").num_steps == 3
