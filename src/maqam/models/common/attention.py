"""Attention in single precision while all else computes in half, for processors.

PyTorch's attention kernel for processors is made for float32: in bfloat16 its backward pass takes
longer, and eats up a part of what bfloat16 saves elsewhere (`benchmarks/encoder_step.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import sdpa_mask

from maqam.models.qwen_omni.chunks import attend

SINGLE = "sdpa_float32"


def _single_precision(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **settings: Any,  # noqa: ANN401
) -> tuple[Tensor, None]:
    """Attend as transformers' `sdpa` does, in float32; the output is float32."""
    with torch.autocast(query.device.type, enabled=False):
        whole = (query.float(), key.float(), value.float())
        return attend(module, *whole, attention_mask, **settings)


@contextmanager
def single_precision_attention(model: PreTrainedModel) -> Iterator[None]:
    """Let a model attend in float32 whatever it computes in, while the block runs."""
    AttentionInterface.register(SINGLE, _single_precision)
    AttentionMaskInterface.register(SINGLE, sdpa_mask)
    configs = [one.config for one in model.modules() if isinstance(one, PreTrainedModel)]
    before = [config._attn_implementation for config in configs]
    _set_all(configs, [SINGLE if one.startswith("sdpa") else one for one in before])
    try:
        yield
    finally:
        _set_all(configs, before)


def _set_all(configs: list[Any], implementations: list[str]) -> None:
    for config, implementation in zip(configs, implementations, strict=True):
        config._attn_implementation = implementation  # parents first, they set their parts'
