"""The tokenizer of a Mistral checkpoint, which comes as tekken.json and nothing else."""

import base64
import json
from typing import Any

from maqam import extras


def read_tekken(text: str) -> Any:  # noqa: ANN401  a tokenizers.Tokenizer
    """Return the tokenizer that a tekken.json describes, without mistral-common.

    Ids begin with the tokens of control; the pieces of text follow in the order of their ranks, and
    two pieces merge wherever they make a third.

    Args:
        text: The file's text.

    Raises:
        ValueError: If the text is no tekken.json, or of a form older than tokens of control in it.
    """
    try:
        read = json.loads(text)
        config, control = read["config"], read["special_tokens"]
        pattern, names = config["pattern"], [str(one["token_str"]) for one in control]
        num_control = config.get("default_num_special_tokens") or len(names)
        size = config.get("default_vocab_size") or num_control + len(read["vocab"])
        pieces = [base64.b64decode(one["token_bytes"]) for one in read["vocab"]]
    except (KeyError, TypeError) as error:
        raise ValueError(f"tekken.json lacks {error}") from error
    names += [f"<SPECIAL_{index}>" for index in range(len(names), num_control)]
    ranks = {piece: rank for rank, piece in enumerate(pieces[: size - num_control])}
    letters = _letters()
    written = {piece: "".join(letters[one] for one in piece) for piece in ranks}
    merges = [
        (written[left], written[right]) for piece in ranks for left, right in _halves(piece, ranks)
    ]
    vocabulary = {name: index for index, name in enumerate(names)}
    vocabulary |= {written[piece]: num_control + rank for piece, rank in ranks.items()}
    tokenizers = extras.load("tokenizers")
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.BPE(vocabulary, merges, fuse_unk=False, ignore_merges=True)
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Split(tokenizers.Regex(pattern), behavior="isolated"),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens(names)
    return tokenizer


def _halves(piece: bytes, ranks: dict[bytes, int]) -> list[tuple[bytes, bytes]]:
    """Return the pairs of pieces that make a piece, those of lower ranks first."""
    cuts = [(piece[:at], piece[at:]) for at in range(1, len(piece))]
    known = [one for one in cuts if one[0] in ranks and one[1] in ranks]
    return sorted(known, key=lambda one: (ranks[one[0]], ranks[one[1]]))


def _letters() -> list[str]:
    """Return the letter that stands for each byte in a byte-level vocabulary."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in own]
    letters = {byte: chr(byte) for byte in own}
    letters |= {byte: chr(256 + index) for index, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]
