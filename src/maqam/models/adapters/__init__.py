"""Adapters on the LLM: added in place, saved as PEFT folders, merged into weights."""

from maqam.models.adapters.lora import (
    add_adapter,
    begin_from,
    load_adapter,
    merge_adapter,
    remove_adapter,
    save_adapter,
    save_weights,
)
from maqam.models.weights.names import target_pattern

__all__ = [
    "add_adapter",
    "begin_from",
    "load_adapter",
    "merge_adapter",
    "remove_adapter",
    "save_adapter",
    "save_weights",
    "target_pattern",
]
