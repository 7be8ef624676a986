"""A family's checkpoint, loaded here and by its own class, and what it is asked."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import transformers

from maqam.models.families import FAMILIES
from maqam.models.loading import load_backbone
from maqam.models.protocol import collate
from maqam.models.settings import ModelSettings

from . import tiny

SECONDS = (0.31, 1.0, 2.57, 4.003)
ANSWERS = ("مرحبا يا", "egyptian", "كيف الحال", "angry")
TEXT_ROW = ("لخّص: مرحبا يا صديقي", "نعم")


@dataclass(frozen=True)
class Case:
    """A family's checkpoint, ours and stock."""

    family: tiny.TinyFamily
    folder: Any
    llm: Any
    processor: Any
    samples: list[np.ndarray]

    def stock(self, folder: Any = None) -> Any:
        """Load the class of transformers as any user of it would."""
        kind = getattr(transformers, FAMILIES[self.family.kind].architecture)
        return kind.from_pretrained(folder or self.folder, dtype=torch.float32).eval()

    def load(self, folder: Any = None) -> Any:
        """Load the model here, anew."""
        return load_backbone(
            ModelSettings("auto", str(folder or self.folder)), device=torch.device("cpu")
        )

    def audio_inputs(self, samples: np.ndarray) -> dict[str, Any]:
        """Return the stock inputs of a clip, as the processor of the family makes them."""
        return self.family.inputs(self.processor, samples)

    def frames(self) -> list[np.ndarray]:
        return [self.llm.dialogue.front_end.frames(one) for one in self.samples]

    def encode_audio(self) -> list[torch.Tensor]:
        return self.llm.encode_audio(self.frames())

    def batch(self) -> Any:
        """Return spoken rows and a text row side by side."""
        states = self.encode_audio()
        rows = [
            self.llm.dialogue.encode(turns("<audio>فرّغ", answer), len(one))
            for answer, one in zip(ANSWERS, states, strict=True)
        ]
        rows.append(self.llm.dialogue.encode(turns(*TEXT_ROW), 0))
        silent = torch.zeros(0, self.llm.audio_dim)
        return collate(rows, [*states, silent], self.llm.dialogue.padding_id)


def turns(prompt: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]
