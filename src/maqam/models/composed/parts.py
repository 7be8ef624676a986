"""Reading the parts of a composed model: a Whisper encoder, a causal LLM, its tokenizer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
import transformers
from safetensors import SafetensorError

from maqam.errors import ModelError, first_line
from maqam.models.common.last_layer import last_layer_at
from maqam.models.weights.counting import Loading

Loaded = TypeVar("Loaded")

WHISPER_FOLDER = "give a folder with the config.json and the *.safetensors of a Whisper"
LLM_FOLDER = "give a folder with config.json, *.safetensors and tokenizer.json of a causal LLM"
_AGAIN = "copy the whole checkpoint again"
ENCODER_SHAPE = (  # what an encoder is built from again
    "d_model",
    "encoder_layers",
    "encoder_attention_heads",
    "encoder_ffn_dim",
    "num_mel_bins",
    "max_source_positions",
    "activation_function",
    "scale_embedding",
)
_NEEDED = ("layers", "embed_tokens")  # what the shared seam asks of an LLM


def load_encoder(source: str, dtype: torch.dtype) -> tuple[Any, Any]:
    """Load the encoder of a Whisper checkpoint, and what it hears.

    Args:
        source: Its folder or hub id.
        dtype: Number format it is wanted in.

    Returns:
        The WhisperEncoder and its feature extractor.

    Raises:
        ModelError: If it is no Whisper, or does not load whole.
    """
    config = _read(source, "encoder", WHISPER_FOLDER, transformers.AutoConfig.from_pretrained)
    if config.model_type != "whisper":
        raise ModelError(
            f"the encoder is of the architecture {config.model_type!r}, not a Whisper",
            where=source,
            hint=WHISPER_FOLDER,
        )
    model, loading = _read(
        source,
        "encoder",
        WHISPER_FOLDER,
        lambda place: transformers.WhisperModel.from_pretrained(
            place, dtype=dtype, output_loading_info=True
        ),
    )
    absent = [name for name in loading["missing_keys"] if name.startswith("encoder.")]
    Loading(source, _AGAIN).check(missing=absent, tensors=model.encoder.named_parameters())
    return model.encoder, _feature_extractor(source, config)


def encoder_settings(encoder: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return what a Whisper encoder is built from again, by Whisper's own names."""
    return {name: getattr(encoder.config, name) for name in ENCODER_SHAPE}


def load_llm(source: str, dtype: str | None) -> Any:  # noqa: ANN401
    """Load a causal LLM with its head.

    Args:
        source: Its folder or hub id.
        dtype: Number format it is wanted in; that of its checkpoint when None.

    Raises:
        ModelError: If it is no causal LLM, does not load whole, or does not give its logits by its
            layers and its head alone.
    """
    model, loading = _read(
        source,
        "LLM",
        LLM_FOLDER,
        lambda place: transformers.AutoModelForCausalLM.from_pretrained(
            place,
            dtype="auto" if dtype is None else getattr(torch, dtype),
            output_loading_info=True,
        ),
    )
    absent = loading["missing_keys"]
    Loading(source, _AGAIN).check(missing=absent, tensors=model.named_parameters())
    head, ids = model.get_output_embeddings(), torch.arange(8)[None] + 1
    plain = head is not None and all(hasattr(model.base_model, name) for name in _NEEDED)
    if plain:
        model.eval()
        with torch.no_grad():
            own = model(input_ids=ids).logits
            plain = torch.equal(head(model.base_model(input_ids=ids).last_hidden_state), own)
    if not plain:
        raise ModelError(
            f"{type(model).__name__} does more than its layers and its head, or names them "
            "otherwise: no audio LLM of transformers holds it",
            where=source,
            hint="use an LLM such as Qwen2.5, Qwen3, SmolLM2 or Llama",
        )
    return model


@torch.no_grad()
def narrows(llm: Any) -> bool:  # noqa: ANN401
    """Return whether an LLM's last layer can be computed at some positions only."""
    base, ids, chosen = llm.base_model, torch.arange(8)[None] + 1, torch.tensor([2, 5])
    whole = base(input_ids=ids).last_hidden_state[0, chosen]
    try:
        with last_layer_at(base, chosen):
            narrow = base(input_ids=ids).last_hidden_state[0, chosen]
    except (AttributeError, ValueError, RuntimeError):  # named otherwise, or of other shapes
        return False
    return bool(torch.allclose(narrow, whole, rtol=1e-2, atol=1e-2))


def load_tokenizer(source: str) -> Any:  # noqa: ANN401
    """Load the tokenizer of an LLM, to be saved as it cuts texts here.

    transformers sets up many tokenizers by their class, whatever tokenizer.json says; inside
    another model's folder the class would be another. So it is kept as plain as it is.

    Raises:
        ModelError: If there is none, or it is not one of `tokenizers`.
    """
    found = _read(source, "tokenizer", LLM_FOLDER, transformers.AutoTokenizer.from_pretrained)
    backend = getattr(found, "backend_tokenizer", None)
    if backend is None or not len(found):
        raise ModelError(
            "the LLM has no tokenizer that tokenizer.json can hold", where=source, hint=LLM_FOLDER
        )
    kept = {name: getattr(found, name) for name in ("bos_token", "eos_token", "pad_token")}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend,
        chat_template=found.chat_template,
        model_max_length=found.model_max_length,
        **{name: token for name, token in kept.items() if token is not None},
    )


def _feature_extractor(source: str, config: Any) -> Any:  # noqa: ANN401
    """Return what makes Whisper's log-mels; its own, or that of its mel bins and its positions."""
    seconds = 2 * config.max_source_positions // 100
    made = transformers.WhisperFeatureExtractor(
        feature_size=config.num_mel_bins, chunk_length=seconds
    )
    try:
        own = transformers.WhisperFeatureExtractor.from_pretrained(source)
    except (OSError, ValueError):
        return made
    for name in ("feature_size", "chunk_length", "sampling_rate", "hop_length", "n_fft"):
        if getattr(own, name) != getattr(made, name):
            raise ModelError(
                f"preprocessor_config.json says {name} {getattr(own, name)}, the encoder takes "
                f"{getattr(made, name)}",
                where=source,
                hint="use the preprocessor_config.json of the same checkpoint",
            )
    return own


def _read(source: str, what: str, hint: str, load: Callable[[str], Loaded]) -> Loaded:
    """Load a part, what is wrong with it in one line."""
    if source.startswith((".", "/", "~")) and not Path(source).is_dir():
        raise ModelError("there is no such folder", where=source, hint=hint)
    try:
        return load(source)
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise ModelError(
            f"the {what} does not load: {first_line(error)}", where=source, hint=hint
        ) from error
