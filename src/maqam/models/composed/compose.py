"""Putting an audio LLM together from a Whisper encoder, a new aligner and a causal LLM.

The weights of encoder and LLM are copied as they are, into a class of transformers whose parts
have the same names; only the aligner is new. Its outputs begin at the size of the LLM's embeddings.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn

from maqam.errors import ModelError
from maqam.files import whole_folder, writing
from maqam.models.common.jinja import jinja_of
from maqam.models.common.places import refuse_occupied
from maqam.models.composed.chat import template_of
from maqam.models.composed.forms import AUDIO, Form, form_of
from maqam.models.composed.parts import (
    encoder_settings,
    load_encoder,
    load_llm,
    load_tokenizer,
    narrows,
)
from maqam.models.composed.record import KEY, record_of
from maqam.models.family import ChatTemplate
from maqam.models.quiet import no_foreign_bars, no_foreign_words

_PLAIN = "the LLM has no chat template: prompts and answers stand in plain lines"
_NOT_KEPT = ("_name_or_path", "dtype", "transformers_version")


@dataclass(frozen=True, slots=True)
class Composition:
    """What an audio LLM is put together from.

    Attributes:
        encoder: Folder or hub id of a Whisper checkpoint.
        llm: Folder or hub id of a causal LLM.
        stack: Encoder outputs, of 20 ms each, that become an audio token.
        projector: "linear" or "mlp".
        dtype: Number format of the weights; that of the LLM's checkpoint when None.
        seed: Seed of the aligner.
    """

    encoder: str
    llm: str
    stack: int = 2
    projector: str = "linear"
    dtype: str | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Composed:
    """What was put together.

    Attributes:
        folder: Where it is.
        form: The class of transformers that holds it.
        num_parameters: Parameters by part.
        notes: What the user should know, a sentence each.
    """

    folder: Path
    form: Form
    num_parameters: dict[str, int]
    notes: list[str]


def compose(composition: Composition, folder: Path, *, overwrite: bool = False) -> Composed:
    """Put an audio LLM together and write it as a checkpoint of transformers.

    Args:
        composition: Its parts.
        folder: Where it goes, whole or not at all.
        overwrite: Whether what the folder holds may be replaced.

    Raises:
        ConfigError: If no class of transformers holds such an aligner.
        ModelError: If a part does not load, is of another kind, or does not fit the others.
        RunError: If the folder holds something already, or cannot be written.
    """
    form = form_of(composition.stack, composition.projector)
    refuse_occupied(folder, overwrite=overwrite, sources=(composition.encoder, composition.llm))
    with no_foreign_bars(), no_foreign_words():
        llm = load_llm(composition.llm, composition.dtype)
        tokenizer = load_tokenizer(composition.llm)
        template = template_of(tokenizer, composition.llm)
        notes = [] if tokenizer.chat_template else [_PLAIN]
        add_tokens(llm, tokenizer, [AUDIO], composition.seed)
        encoder, features = load_encoder(composition.encoder, llm.dtype)
        made_of = {
            "encoder": Path(composition.encoder).name,
            "llm": Path(composition.llm).name,
            "stack": form.stack,
            "projector": form.projector,
        }
        record = record_of(template, narrows_last_layer=narrows(llm), made_of=made_of)
        config = _config(form, encoder, llm, tokenizer, record)
        model = _assembled(form, config, encoder, llm, composition.seed)
        model.generation_config = generation_config(llm, tokenizer, template)
        with writing(folder), whole_folder(folder) as draft:
            model.save_pretrained(draft)
            _save_processor(form, features, tokenizer, jinja_of(template), draft)
    counts = {
        part: sum(one.numel() for one in module.parameters())
        for part, module in (
            ("encoder", model.model.audio_tower),
            ("aligner", model.model.multi_modal_projector),
            ("llm", llm),
        )
    }
    return Composed(folder, form, counts, notes)


def _save_processor(
    form: Form,
    features: Any,  # noqa: ANN401
    tokenizer: Any,  # noqa: ANN401
    template: str,
    folder: Path,
) -> None:
    """Write the processor, or its parts where the class has none for other tokenizers."""
    if form.processor is None:
        tokenizer.chat_template = template
        features.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        return
    kind = getattr(transformers, form.processor)
    settings = {"chat_template": template, **form.processor_settings}
    kind(feature_extractor=features, tokenizer=tokenizer, **settings).save_pretrained(folder)


def add_tokens(llm: Any, tokenizer: Any, tokens: list[str], seed: int) -> None:  # noqa: ANN401
    """Add tokens of control to a tokenizer, and rows to the LLM where it has none to spare.

    Args:
        llm: The LLM; new rows of its embeddings are drawn from their mean and their spread, those
            of a head of its own stay close to the mean: nothing is to be said by them.
        tokenizer: Its tokenizer.
        tokens: What is added; those it knows are left.
        seed: Seed of the noise.
    """
    known = len(tokenizer)
    tokenizer.add_special_tokens({"additional_special_tokens": tokens})
    embeddings = llm.get_input_embeddings()
    num_rows = embeddings.weight.shape[0]
    if len(tokenizer) > num_rows:
        llm.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    generator = torch.Generator().manual_seed(seed)
    layers = {llm.get_output_embeddings(): 0.02, llm.get_input_embeddings(): 1.0}
    if llm.get_output_embeddings().weight is llm.get_input_embeddings().weight:
        del layers[llm.get_output_embeddings()]
    for layer, spread in layers.items():
        with torch.no_grad():
            old = layer.weight[:known].float()
            rows = layer.weight[known : len(tokenizer)]
            noise = torch.randn(rows.shape, generator=generator)
            rows.copy_(old.mean(dim=0) + spread * old.std(dim=0) * noise)


def generation_config(llm: Any, tokenizer: Any, template: ChatTemplate) -> Any:  # noqa: ANN401
    """Return how the LLM generates: an answer ends where its dialogues end one.

    The tokenizer pads as the dialogues do.
    """
    config = llm.generation_config
    ends = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
    own = [tokenizer.convert_tokens_to_ids(template.end), *ends]
    config.eos_token_id = list(dict.fromkeys(one for one in own if one is not None))
    tokenizer.pad_token = template.padding
    config.pad_token_id = tokenizer.pad_token_id
    return config


def _config(
    form: Form,
    encoder: Any,  # noqa: ANN401
    llm: Any,  # noqa: ANN401
    tokenizer: Any,  # noqa: ANN401
    record: dict[str, Any],
) -> Any:  # noqa: ANN401
    """Return the configuration of the whole, its parts as theirs say."""
    audio = {
        form.encoder_keys.get(name, name): value
        for name, value in encoder_settings(encoder).items()
    }
    text = {key: value for key, value in llm.config.to_dict().items() if key not in _NOT_KEPT}
    kind = getattr(transformers, form.architecture).config_class
    return kind(
        audio_config={"model_type": form.encoder_type, **audio},
        text_config=text,
        **{form.audio_key: tokenizer.convert_tokens_to_ids(AUDIO)},
        **form.settings,
        **{KEY: record},
    )


def _assembled(
    form: Form,
    config: Any,  # noqa: ANN401
    encoder: Any,  # noqa: ANN401
    llm: Any,  # noqa: ANN401
    seed: int,
) -> Any:  # noqa: ANN401
    """Return the model, without a copy of the weights of its parts."""
    width, wide = encoder.config.d_model, encoder.config.encoder_ffn_dim
    if form.stack == 4 and (wide != 4 * width or encoder.config.max_source_positions % 4):
        raise ModelError(
            f"{form.architecture} stacks as many outputs of {width} as fill the {wide} of the "
            "encoder's feed-forward layers, which is not 4",
            where="--stack 4",
            hint="use --stack 2, or a Whisper as released",
        )
    with torch.device("meta"):
        model = getattr(transformers, form.architecture)(config)
    own = model.model
    own.audio_tower.load_state_dict(encoder.state_dict(), strict=True, assign=True)
    if type(own.language_model) is not type(llm.base_model):
        raise ModelError(
            f"{type(own).__name__} holds a {type(own.language_model).__name__} where the LLM is a "
            f"{type(llm.base_model).__name__}",
            where="llm",
            hint="use an LLM such as Qwen2.5, Qwen3, SmolLM2 or Llama",
        )
    own.language_model.load_state_dict(llm.base_model.state_dict(), strict=True, assign=True)
    model.lm_head.weight = nn.Parameter(llm.get_output_embeddings().weight.detach().clone())
    own.multi_modal_projector.to_empty(device="cpu").to(llm.dtype)
    size = llm.get_input_embeddings().weight.detach().float().square().mean().sqrt()
    _begin_aligner(own.multi_modal_projector, float(size), seed)
    model.config.dtype = llm.dtype
    return model


def _begin_aligner(aligner: nn.Module, size: float, seed: int) -> None:
    """Draw the weights of an aligner, so that inputs of unit size give outputs of that size."""
    generator = torch.Generator().manual_seed(seed)
    linear = [one for one in aligner.modules() if isinstance(one, nn.Linear)]
    for layer in linear:
        spread = (size if layer is linear[-1] else 1.0) / math.sqrt(layer.in_features)
        drawn = torch.randn(layer.weight.shape, generator=generator) * spread
        with torch.no_grad():
            layer.weight.copy_(drawn)
            if layer.bias is not None:
                layer.bias.zero_()
