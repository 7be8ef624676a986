"""A small sound source of every format, written by the test."""

import gzip
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from maqam.corpora.importing.run import import_corpus
from maqam.corpora.settings import ImportSettings
from tests.corpora.formats.archives import write_tar
from tests.corpora.formats.importing import write
from tests.factories import make_tone

NAMES = ("a", "b", "c")


def _clips(folder: Path, suffix: str = ".wav") -> dict[str, bytes]:
    files = {name: make_tone(folder / f"{name}{suffix}", seconds=0.1) for name in NAMES}
    return {name: file.read_bytes() for name, file in files.items()}


def _trainer(folder: Path) -> Path:
    _clips(folder)
    rows = []
    for name in NAMES:
        turns = [
            {"role": "user", "content": "<audio>فرّغ الكلام."},
            {"role": "assistant", "content": f"قول {name}"},
        ]
        rows.append(json.dumps({"id": name, "messages": turns, "audios": [f"{name}.wav"]}))
    return write(folder / "rows.jsonl", *rows)


def _nemo(folder: Path) -> Path:
    _clips(folder)
    rows = [{"audio_filepath": f"{name}.wav", "duration": 0.1, "text": "قول"} for name in NAMES]
    return write(folder / "nemo.jsonl", *map(json.dumps, rows))


def _kaldi(folder: Path) -> Path:
    _clips(folder)
    write(folder / "wav.scp", *(f"rec-{name} {folder / name}.wav" for name in NAMES))
    write(folder / "segments", *(f"{name} rec-{name} 0.02 0.08" for name in NAMES))
    write(folder / "text", *(f"{name} قول {name}" for name in NAMES))
    write(folder / "utt2spk", *(f"{name} s" for name in NAMES))
    return folder


def _common_voice(folder: Path) -> Path:
    _clips(folder / "clips", ".mp3")
    rows = [f"s\t{name}.mp3\tقول {name}\t2" for name in NAMES]
    write(folder / "train.tsv", "client_id\tpath\tsentence\tup_votes", *rows)
    return folder


def _csv(folder: Path) -> Path:
    _clips(folder, ".flac")
    rows = [f'{name},{name}.flac,"قول, {name}",0.02,0.05' for name in NAMES]
    return write(folder / "rows.csv", "id,audio,text,start,seconds", *rows)


def _classes(folder: Path) -> Path:
    _clips(folder / "train" / "gulf")
    _clips(folder / "msa")
    return folder


def _cut(name: str, source: Mapping[str, Any]) -> str:
    supervision = {"id": f"s-{name}", "start": 0.0, "duration": 0.1, "text": f"قول {name}"}
    cut = {"id": name, "start": 0.0, "duration": 0.1, "supervisions": [supervision]}
    return json.dumps({**cut, "recording": {"id": name, "sources": [source]}, "type": "MonoCut"})


def _cuts(folder: Path) -> Path:
    _clips(folder)
    paths = {name: str(folder / f"{name}.wav") for name in NAMES}
    lines = [_cut(n, {"type": "file", "channels": [0], "source": paths[n]}) for n in NAMES]
    file = folder / "cuts.jsonl.gz"
    file.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))
    return file


def _shar(folder: Path) -> Path:
    parts: list[tuple[str, bytes | str]] = []
    for name, data in _clips(folder / "made").items():
        parts += [(f"{name}.wav", data), (f"{name}.json", "{}")]
    write_tar(folder / "shar" / "recording.000000.tar", parts)
    lines = [_cut(n, {"type": "shar", "channels": [0], "source": ""}) for n in NAMES]
    write(folder / "shar" / "cuts.000000.jsonl", *lines)
    return folder / "shar"


def _parquet(folder: Path) -> Path:
    clips = _clips(folder / "made")
    rows = [
        {"id": name, "audio": {"bytes": data, "path": f"{name}.wav"}, "text": f"قول {name}"}
        for name, data in clips.items()
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "train-00000.parquet")
    return folder / "train-00000.parquet"


def _tar(folder: Path, name: str = "shard.tar", mode: str = "w") -> Path:
    parts: list[tuple[str, bytes | str]] = []
    for key, data in _clips(folder / "made").items():
        about = json.dumps({"speaker": "s"})
        parts += [(f"{key}.wav", data), (f"{key}.txt", f"قول {key}"), (f"{key}.json", about)]
    return write_tar(folder / name, parts, mode)


def _packed_tar(folder: Path) -> Path:
    return _tar(folder, "shard.tar.gz", "w:gz")


def _stm(folder: Path) -> Path:
    _clips(folder)
    return write(folder / "rows.stm", *(f"{name} 1 s 0.02 0.08 <a,b> قول {name}" for name in NAMES))


def _manifest(folder: Path) -> Path:
    settings = ImportSettings(kind="nemo", task="asr")
    return import_corpus(_nemo(folder), folder / "made", settings).manifest


SOURCES: Mapping[str, tuple[str, Callable[[Path], Path]]] = {
    "maqam": ("maqam", _manifest),
    "ms-swift": ("ms-swift", _trainer),
    "llamafactory": ("llamafactory", _trainer),
    "nemo": ("nemo", _nemo),
    "kaldi": ("kaldi", _kaldi),
    "common-voice": ("common-voice", _common_voice),
    "table": ("table", _csv),
    "classes": ("classes", _classes),
    "lhotse": ("lhotse", _cuts),
    "shar": ("lhotse", _shar),
    "huggingface": ("huggingface", _parquet),
    "webdataset": ("webdataset", _tar),
    "stm": ("stm", _stm),
    "webdataset-gz": ("webdataset", _packed_tar),
}
