"""Putting a model of units together: an LLM, layers of a Whisper, and a token for each unit."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from maqam.errors import ConfigError
from maqam.files import whole_folder, writing
from maqam.models.common.jinja import jinja_of
from maqam.models.common.places import refuse_occupied
from maqam.models.composed.chat import template_of
from maqam.models.composed.compose import add_tokens, generation_config
from maqam.models.composed.parts import (
    encoder_settings,
    load_encoder,
    load_llm,
    load_tokenizer,
    narrows,
)
from maqam.models.composed.record import KEY, record_of
from maqam.models.family import ChatTemplate
from maqam.models.front_end import FrontEnd
from maqam.models.quiet import no_foreign_bars, no_foreign_words
from maqam.models.units.codebook import Codebook, encoder_mark
from maqam.models.units.family import KIND, whisper_front_end
from maqam.models.units.model import attach
from maqam.models.units.tower import encoder_frames, first_layers


@dataclass(frozen=True, slots=True)
class UnitComposition:
    """What a model of units is put together from.

    Attributes:
        encoder: Folder or hub id of a Whisper checkpoint.
        llm: Folder or hub id of a causal LLM.
        layer: Layer of the encoder whose outputs are cut into units, from 1.
        num_units: Units, each a token of the LLM.
        dtype: Number format of the LLM's weights; that of its checkpoint when None.
        seed: Seed of the clusters and of the tokens' embeddings.
    """

    encoder: str
    llm: str
    layer: int
    num_units: int = 500
    dtype: str | None = None
    seed: int = 0


class UnitParts:
    """The loaded parts of a model of units, before its units are known.

    Args:
        composition: What it is put together from.
        folder: Where it will go.
        overwrite: Whether what the folder holds may be replaced.

    Raises:
        ConfigError: If the encoder has no such layer, or there are too few units.
        ModelError: If a part does not load, is of another kind, or does not fit the others.
        RunError: If the folder holds something already.
    """

    def __init__(
        self, composition: UnitComposition, folder: Path, *, overwrite: bool = False
    ) -> None:
        if composition.num_units < 2:
            raise ConfigError(
                f"{composition.num_units} units tell nothing apart",
                where="--num-units",
                hint="ask for 2 at least",
            )
        refuse_occupied(folder, overwrite=overwrite, sources=(composition.encoder, composition.llm))
        self.composition, self.folder = composition, folder
        with no_foreign_bars(), no_foreign_words():
            encoder, self.features = load_encoder(composition.encoder, torch.float32)
            most = encoder.config.encoder_layers
            if not 1 <= composition.layer <= most:
                raise ConfigError(
                    f"the encoder has no layer {composition.layer}",
                    where="--layer",
                    hint=f"its layers are 1 to {most}",
                )
            self.encoder = first_layers(encoder, composition.layer)
            self.llm = load_llm(composition.llm, composition.dtype)
            self.tokenizer = load_tokenizer(composition.llm)
        self.template: ChatTemplate = template_of(
            self.tokenizer, composition.llm, audio=unit_token(0)
        )

    @property
    def front_end(self) -> FrontEnd:
        """What the encoder reads."""
        return whisper_front_end(encoder_settings(self.encoder))

    def frames(self, samples: Any) -> torch.Tensor:  # noqa: ANN401  an array
        """Return the [T, D] outputs of the encoder's layer for the samples of a clip."""
        front_end = self.front_end
        log_mel = front_end.frames(samples)
        return encoder_frames(
            self.encoder, torch.from_numpy(log_mel), len(log_mel) - front_end.tail_frames
        )

    def save(self, tensors: dict[str, torch.Tensor]) -> Codebook:
        """Write the model with its units.

        Args:
            tensors: `mean`, `components`, `centroids` and `prototypes` of the units.

        Raises:
            RunError: If the folder cannot be written.
        """
        codebook = Codebook(**tensors, encoder=encoder_mark(self.encoder))
        narrow = narrows(self.llm)
        add_tokens(self.llm, self.tokenizer, unit_tokens(codebook.num_units), self.composition.seed)
        config = self.llm.config
        setattr(
            config,
            KEY,
            record_of(
                self.template,
                narrows_last_layer=narrow,
                kind=KIND,
                tower=encoder_settings(self.encoder),
                made_of={
                    "encoder": Path(self.composition.encoder).name,
                    "llm": Path(self.composition.llm).name,
                    "layer": self.composition.layer,
                },
            ),
        )
        self.llm.generation_config = generation_config(self.llm, self.tokenizer, self.template)
        attach(self.llm, self.encoder, codebook)
        self.tokenizer.chat_template = jinja_of(self.template)
        with no_foreign_bars(), writing(self.folder), whole_folder(self.folder) as draft:
            self.llm.save_pretrained(draft)
            self.tokenizer.save_pretrained(draft)
            self.features.save_pretrained(draft)
            codebook.save(draft)
        return codebook


def unit_token(unit: int) -> str:
    """Return the token of a unit."""
    return f"<|unit_{unit}|>"


def unit_tokens(num_units: int) -> list[str]:
    """Return the tokens of all units."""
    return [unit_token(unit) for unit in range(num_units)]
