"""The corpus as files: the same bytes always, whole or absent, disjoint splits."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from maqam.data.manifest import read_manifest
from maqam.errors import ConfigError, MaqamError
from maqam.synth import corpus as corpus_module
from maqam.synth import espeak
from maqam.synth.corpus import fingerprint, make_corpus
from maqam.synth.settings import SynthSettings

pytestmark = pytest.mark.slow

TINY = SynthSettings(
    train={"asr": 6, "did": 5, "ser": 4, "ssum": 1, "tsum": 2},
    dev={"asr": 2},
    test={"asr": 2, "did": 5, "ser": 4, "ssum": 1, "tsum": 1},
)


@pytest.fixture(scope="module")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("synth") / "corpus", TINY, num_workers=1)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_the_bytes_do_not_depend_on_the_number_of_workers(tiny_corpus, tmp_path):
    again = make_corpus(tmp_path / "again", TINY, num_workers=3)
    assert digests(again) == digests(tiny_corpus)


def test_an_utterance_keeps_its_bytes_when_the_corpus_around_it_grows(tiny_corpus, tmp_path):
    larger = SynthSettings(train={"asr": 2}, dev={"asr": 2}, test=TINY.test)
    again = make_corpus(tmp_path / "again", larger, num_workers=1)
    name = "audio/test-did-00000.flac"
    assert digests(again)[name] == digests(tiny_corpus)[name]


def test_another_seed_gives_another_corpus(tiny_corpus, tmp_path):
    settings = SynthSettings(seed=1, train={"asr": 1}, dev={}, test={})
    other = read_manifest(make_corpus(tmp_path / "other", settings, num_workers=1))
    assert other.row(0)["target"] not in read_manifest(tiny_corpus).column("target")


def test_every_row_says_it_is_synthetic_and_so_does_the_card(tiny_corpus):
    manifest = read_manifest(tiny_corpus)
    assert manifest.column("synthetic").all()
    assert set(manifest.column("source")) == {"maqam-synth"}
    assert "**All speech and all text here are synthetic.**" in (
        tiny_corpus / "README.md"
    ).read_text("utf-8")
    assert json.loads((tiny_corpus / "corpus.json").read_text("utf-8"))["synthetic"] is True


def test_audio_is_16_khz_mono_and_as_long_as_its_row_says(tiny_corpus):
    manifest = read_manifest(tiny_corpus)
    for index in range(manifest.num_utterances):
        row = manifest.row(index)
        if row["task"] == "tsum":
            assert (row["audios"], row["seconds"]) == ([], 0.0)
            continue
        samples, rate = soundfile.read(manifest.audio_path(index), dtype="float32")
        assert (rate, samples.ndim) == (16000, 1)
        assert len(samples) == round(row["seconds"] * 16000)
        assert 0.001 < np.sqrt(np.mean(samples**2)) < 0.5


def test_noise_is_named_exactly_where_an_snr_is(tiny_corpus):
    manifest = read_manifest(tiny_corpus)
    rows = manifest.rows(np.arange(manifest.num_utterances))
    assert all((row["noise"] is None) == (row["snr_db"] is None) for row in rows)


def test_the_same_settings_are_not_spoken_again(tiny_corpus):
    before = (tiny_corpus / "corpus.json").stat().st_mtime_ns
    calls: list[int] = []
    make_corpus(tiny_corpus, TINY, progress=lambda done, total: calls.append(done))
    assert (calls, (tiny_corpus / "corpus.json").stat().st_mtime_ns) == ([], before)


def test_a_corpus_of_other_settings_is_replaced_only_by_force(tmp_path):
    one = SynthSettings(train={"asr": 1}, dev={}, test={})
    two = SynthSettings(train={"asr": 2}, dev={}, test={})
    folder = make_corpus(tmp_path / "corpus", one, num_workers=1)
    with pytest.raises(ConfigError, match="made with other settings"):
        make_corpus(folder, two, num_workers=1)
    make_corpus(folder, two, num_workers=1, force=True)
    assert read_manifest(folder).num_utterances == 2


def test_a_folder_of_something_else_is_left_alone_even_by_force(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ConfigError, match="holds no synthetic corpus"):
        make_corpus(tmp_path, TINY, force=True)
    assert (tmp_path / "thesis.txt").read_text() == "precious"


def test_a_spoilt_record_is_not_trusted(tiny_corpus, tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "corpus.json").write_text("{")
    with pytest.raises(ConfigError, match="other settings"):
        make_corpus(folder, TINY)


def test_an_interrupted_run_leaves_nothing_behind(tmp_path):
    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_corpus(tmp_path / "corpus", TINY, num_workers=2, progress=interrupt)
    assert list(tmp_path.iterdir()) == []


def test_the_draft_of_a_killed_run_is_removed(tmp_path):
    stale = tmp_path / ".corpus.999999999.tmp"
    stale.mkdir()
    make_corpus(tmp_path / "corpus", SynthSettings(train={"asr": 1}, dev={}, test={}))
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_a_worker_that_stops_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus_module, "as_line", lambda job: "not json\n")
    with pytest.raises(MaqamError, match=r"a synthesis worker stopped: .*JSON"):
        make_corpus(tmp_path / "corpus", TINY, num_workers=1)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_cannot_be_written_is_one_clear_line(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(corpus_module, "write_manifest", full)
    settings = SynthSettings(train={"asr": 1}, dev={}, test={})
    with pytest.raises(MaqamError, match="cannot be written: No space left"):
        make_corpus(tmp_path / "corpus", settings, num_workers=1)


def test_without_the_extra_the_install_command_is_named(tmp_path, monkeypatch):
    espeak.load_library.cache_clear()
    monkeypatch.setattr(espeak, "espeakng_loader", None)
    with pytest.raises(MaqamError, match="not installed") as failure:
        make_corpus(tmp_path / "corpus", TINY)
    assert failure.value.hint == "pip install 'maqam[synth]'"
    espeak.load_library.cache_clear()


def test_the_fingerprint_follows_every_setting():
    assert fingerprint(TINY) == fingerprint(TINY)
    assert fingerprint(TINY) != fingerprint(SynthSettings(noise_share=0.4))
