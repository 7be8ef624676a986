"""Damaged corpora: every fault is a reject or one error, and nothing is written elsewhere."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from maqam.corpora.cards.catalog import card_names, read_card
from maqam.corpora.importing.run import import_corpus
from maqam.corpora.settings import ImportSettings
from maqam.data.manifest import read_manifest
from maqam.errors import ManifestError

from .corpora import make_corpus

pytestmark = pytest.mark.slow

Damage = Callable[[bytes], bytes]


def flipped(data: bytes, seed: int) -> bytes:
    """Change a few bytes."""
    found, generator = bytearray(data), random.Random(seed)
    for at in generator.sample(range(len(found)), min(20, len(found))):
        found[at] ^= generator.randrange(1, 256)
    return bytes(found)


DAMAGES: dict[str, Damage] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[: len(data) // 2],
    "noise": lambda data: random.Random(0).randbytes(len(data)),
    "other bytes": lambda data: data.replace(b"e", b"\xff"),
    "windows": lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"),
    "nulls": lambda data: data.replace(b"a", b"\0"),
    "long line": lambda data: data[:9] + b"a" * (9 << 20) + data[9:],
    "flips": lambda data: flipped(data, 1),
    "more flips": lambda data: flipped(data, 2),
    "other flips": lambda data: flipped(data, 3),
    "bidi": lambda data: data.replace(b"a", "\u202e".encode()),
}
AUDIO = (".wav", ".flac", ".gz")
IMPORTED = sorted(name for name in card_names() if read_card(name).tasks)


def files_below(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def one_of_each_kind(source: Path) -> list[Path]:
    """Return a file of each suffix and of each name that has none."""
    kinds = {path.suffix or path.name: path for path in sorted(files_below(source))}
    return list(kinds.values())


@pytest.mark.parametrize("name", IMPORTED)
def test_no_damage_ends_an_import_otherwise_than_in_a_manifest_or_one_error(
    name: str, tmp_path: Path
) -> None:
    source = make_corpus(name, tmp_path / "corpus")
    for number, file in enumerate(one_of_each_kind(source)):
        sound = file.read_bytes()
        for kind, damage in DAMAGES.items():
            if kind == "long line" and (number or file.suffix in AUDIO):
                continue  # megabytes: once a card
            file.write_bytes(damage(sound))
            before = files_below(tmp_path)
            out = tmp_path / f"out-{number}-{kind}"
            try:
                report = import_corpus(source, out, ImportSettings(kind=name), num_workers=1)
            except ManifestError:
                assert not (out / "manifest.parquet").exists()
            else:
                rows = read_manifest(report.manifest).num_utterances
                rejects = report.rejects.read_text("utf-8").splitlines()
                assert report.num_rows == rows + len(rejects)
            assert all(out in path.parents for path in files_below(tmp_path) - before)
        file.write_bytes(sound)
