"""Adapters on the LLM: added in place, saved as PEFT folders, merged into weights."""

from maqam.models.adapters.kinds import check_rows, load_adapter, new_adapter
from maqam.models.adapters.lora import (
    add_adapter,
    begin_from,
    merge_adapter,
    remove_adapter,
    save_adapter,
    save_weights,
)
from maqam.models.adapters.rows import Rows, routed
from maqam.models.weights.names import target_pattern

__all__ = [
    "Rows",
    "add_adapter",
    "begin_from",
    "check_rows",
    "load_adapter",
    "merge_adapter",
    "new_adapter",
    "remove_adapter",
    "routed",
    "save_adapter",
    "save_weights",
    "target_pattern",
]
