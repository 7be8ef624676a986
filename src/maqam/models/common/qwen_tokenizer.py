"""The tokenizer of Qwen's checkpoints, set up as its class in transformers sets it up."""

from typing import Any

from maqam import extras

_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def as_qwen2(tokenizer: Any) -> None:  # noqa: ANN401  a tokenizers.Tokenizer
    """Set the normaliser and the cut into words that transformers gives every `Qwen2Tokenizer`.

    It does so whatever tokenizer.json says, and transformers itself cannot be asked: it loads
    torch with any tokenizer.
    """
    tokenizers = extras.load("tokenizers")
    tokenizer.normalizer = tokenizers.normalizers.NFC()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Split(
                tokenizers.Regex(_WORDS), behavior="isolated", invert=False
            ),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
