"""Every importer against damage: no crash, no hang, nothing outside the folder, counts add up."""

import hashlib
import json
import os
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maqam.corpora.cards.catalog import card_names, read_card
from maqam.corpora.importing.run import KINDS, import_corpus
from maqam.corpora.settings import ImportSettings
from maqam.data.manifest import read_manifest
from maqam.data.schema import row_faults
from maqam.errors import MaqamError
from tests.corpora.cards.corpora import make_corpus
from tests.corpora.importing.sources import SOURCES

pytestmark = pytest.mark.slow

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "12"))
CARDS = sorted(name for name in card_names() if read_card(name).tasks)
SLOWEST_SECONDS = 30.0
SECRET = "secret-outside"

STRANGE_TEXT = [
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\xff\xfe\x00",
    "\u202e\u2066عكس\u2069abc\u200f".encode(),
    b"\x00",
    b"\\ud800",
    b'"',
    b"\t",
    b"\n\n",
    b"[" * 2000,
    b"9" * 5000,
    b"1e999",
    b"NaN",
    b"-1",
    b"../../secret-outside/b.wav",
    b"/dev/zero",
    b" | touch secret-outside/touched |",
    "\u2028".encode(),
]


@st.composite
def damages(draw: st.DrawFn) -> list[tuple[str, int, int, bytes]]:
    """Draw changes: what to do, in which file, where, and with what bytes."""
    kinds = st.sampled_from(["flip", "cut", "insert", "repeat", "remove", "empty", "audio"])
    places = st.integers(0, 1 << 16)
    content = st.one_of(st.binary(max_size=8), st.sampled_from(STRANGE_TEXT))
    return draw(st.lists(st.tuples(kinds, places, places, content), min_size=1, max_size=4))


def strange_audio(number: int) -> bytes:
    """Return audio that is sound to libsndfile, or nearly."""
    file = Path(tempfile.gettempdir()) / f"strange-{os.getpid()}.wav"
    samples = [
        np.full(1600, np.nan),
        np.full(1600, 0.5),
        np.zeros(1),
        np.zeros(0),
        np.full(1600, np.inf),
        np.zeros((1600, 8)),
    ][number % 6]
    soundfile.write(file, samples, [16_000, 8_000, 192_000][number % 3], subtype="FLOAT")
    data = file.read_bytes()
    file.unlink()
    if number % 7 == 0:
        return data[: len(data) * 2 // 3]
    if number % 7 == 1:
        return data[:40] + struct.pack("<I", 0xFFFFFF00) + data[44:]
    return data


def damage(source: Path, changes: list[tuple[str, int, int, bytes]]) -> None:
    root = source if source.is_dir() else source.parent
    for kind, which, where, content in changes:
        files = sorted(path for path in root.rglob("*") if path.is_file())
        if not files:
            return
        file = files[which % len(files)]
        data = file.read_bytes()
        at = where % (len(data) + 1)
        new = {
            "flip": data[:at] + content + data[at + len(content) :],
            "cut": data[:at],
            "insert": data[:at] + content + data[at:],
            "repeat": data[:at] + data[at // 2 :],
            "remove": data[: at // 2] + data[at:],
            "empty": b"",
            "audio": strange_audio(where) if file.suffix in (".wav", ".mp3", ".flac") else data,
        }[kind]
        file.write_bytes(new)


def state(folder: Path, out: Path) -> dict[str, str]:
    """Return all files but those of the target folder, with their content."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_relative_to(out)
    }


OPENED: list[str] | None = None


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if OPENED is not None and event in ("open", "os.symlink", "os.link", "subprocess.Popen"):
        OPENED.append(f"{event} {arguments}")


sys.addaudithook(_watch)


@contextmanager
def watched() -> Iterator[list[str]]:
    """Note what is opened, linked or run meanwhile."""
    global OPENED
    OPENED = seen = []
    try:
        yield seen
    finally:
        OPENED = None


def import_and_hold_to_the_rules(folder: Path, source: Path, wanted: ImportSettings) -> None:
    out = folder / "out"
    before = state(folder, out)
    begin = time.monotonic()
    with watched() as seen:
        try:
            report = import_corpus(source, out, wanted, num_workers=1)
        except MaqamError:
            report = None
    assert time.monotonic() - begin < SLOWEST_SECONDS
    assert state(folder, out) == before
    assert not [one for one in seen if SECRET in one or not one.startswith("open")]
    assert not (out / ".import").exists()
    rejects_file = out / "rejects.jsonl"
    lines = rejects_file.read_text(encoding="utf-8").splitlines() if rejects_file.exists() else []
    rejects = (
        [json.loads(line) for line in rejects_file.read_bytes().split(b"\n")[:-1]] if lines else []
    )
    assert all(one["reason"] and one["text"] and one["line"] > 0 for one in rejects)
    if report is None:
        assert not (out / "manifest.parquet").exists()
        return
    manifest = read_manifest(report.manifest)
    assert not row_faults(manifest.table, manifest.tasks)
    assert manifest.num_utterances == report.num_imported
    assert len(rejects) == report.num_rejected
    assert report.num_imported + report.num_rejected == report.num_rows
    held = {path for path in (out / "audio").rglob("*") if path.is_file()}
    named = [path for row in manifest.table.column("audios").to_pylist() for path in row]
    assert held <= {out / path for path in named}


def test_every_format_has_a_source_here() -> None:
    assert {kind for kind, _ in SOURCES.values()} == set(KINDS)


@pytest.mark.parametrize("name", SOURCES)
def test_a_sound_source_is_imported_whole(tmp_path: Path, name: str) -> None:
    kind, make = SOURCES[name]
    source = make(tmp_path / "in")
    task = "did" if kind == "classes" else "asr"
    report = import_corpus(source, tmp_path / "out", ImportSettings(kind=kind, task=task))
    assert (report.num_imported, report.reasons) == (6 if kind == "classes" else 3, {})


@pytest.mark.parametrize("name", SOURCES)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
@given(changes=damages(), decode=st.booleans())
def test_damage_is_rejected_and_counted(
    name: str, changes: list[tuple[str, int, int, bytes]], decode: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / SECRET).mkdir()
        (root / SECRET / "b.wav").write_bytes(b"secret")
        source = SOURCES[name][1](root / "deep" / "in")
        damage(source, changes)
        kind = SOURCES[name][0]
        task = "did" if kind == "classes" else "asr"
        wanted = ImportSettings(kind=kind, task=task, decode=decode)
        import_and_hold_to_the_rules(root, source, wanted)


@pytest.mark.parametrize("name", CARDS)
@settings(
    max_examples=max(EXAMPLES // 4, 1),
    deadline=None,
    derandomize="FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
@given(changes=damages(), decode=st.booleans())
def test_damage_to_a_corpus_with_a_card_is_rejected_and_counted(
    name: str, changes: list[tuple[str, int, int, bytes]], decode: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / SECRET).mkdir()
        (root / SECRET / "b.wav").write_bytes(b"secret")
        source = make_corpus(name, root / "in")
        damage(source, changes)
        import_and_hold_to_the_rules(root, source, ImportSettings(kind=name, decode=decode))
