"""The audio file of every row: the whole file where the row is all of it, else a clip cut from it.

Other trainers read whole files. A row that is a segment, or one channel, gets a 16 kHz wav of its
own, each distinct segment once, so that no trainer ever hears more than the row describes.
"""

import hashlib
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from maqam import extras
from maqam.data.audio import SAMPLE_RATE, Clip, audio_seconds
from maqam.data.schema import CHANNEL

AUDIO_FOLDER = "audio"
_EDGE_SECONDS = 0.05  # what a manifest's seconds may be off by for a whole file


@dataclass
class Clips:
    """Finds the absolute path of each row's audio, and cuts what is a segment.

    Attributes:
        source: Folder that relative paths of the manifest start from.
        folder: Folder that the export will be in.
        draft: Folder that it is written to before.
        num_cut: Clips cut so far.
        cut_seconds: Their length together.
    """

    source: Path
    folder: Path
    draft: Path
    num_cut: int = 0
    cut_seconds: float = 0.0
    _files: dict[str, tuple[Path, float]] = field(default_factory=dict)
    _cut: dict[Clip, str] = field(default_factory=dict)

    def path(self, row: dict[str, Any]) -> str:
        """Return the absolute path of a row's audio; the row must have one.

        Raises:
            AudioError: If the file is missing or damaged, or the segment lies outside it.
        """
        name, start, seconds = row["audios"][0], row["start"], row["seconds"]
        own = row.get(CHANNEL)
        channel = own if isinstance(own, int) else None
        if name not in self._files:
            file = (self.source / name).resolve()
            self._files[name] = (file, audio_seconds(file))
        file, whole = self._files[name]
        if start == 0 and abs(whole - seconds) <= _EDGE_SECONDS and channel is None:
            return str(file)
        clip = Clip(file, start, seconds, channel)
        if clip not in self._cut:
            self._cut[clip] = self._write(clip)
        return self._cut[clip]

    def _write(self, clip: Clip) -> str:
        samples = clip.read()
        chosen = "" if clip.channel is None else f"\x1f{clip.channel}"
        text = f"{clip.path}\x1f{clip.start}\x1f{clip.seconds}{chosen}"
        name = hashlib.blake2b(text.encode(), digest_size=16)
        place = Path(AUDIO_FOLDER) / f"{name.hexdigest()}.wav"
        (self.draft / AUDIO_FOLDER).mkdir(exist_ok=True)
        # 16 bits clip what lies outside [-1, 1], as resampling may
        subtype = "PCM_16" if np.abs(samples).max() < 1 else "FLOAT"
        stream = io.BytesIO()  # libsndfile says little when a disk is full
        extras.load("soundfile").write(stream, samples, SAMPLE_RATE, format="WAV", subtype=subtype)
        (self.draft / place).write_bytes(stream.getvalue())
        self.num_cut += 1
        self.cut_seconds += len(samples) / SAMPLE_RATE
        return str(self.folder / place)
