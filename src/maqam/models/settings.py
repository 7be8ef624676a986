"""Which audio LLM a run starts from."""

from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The backbone of a run and the numbers it computes in.

    Attributes:
        kind: "pocket" is the small model shipped with Maqam; "qwen2_5_omni" any checkpoint of
            that architecture.
        path: Local folder or hub id of the checkpoint; null for the shipped pocket weights.
        dtype: Number format of the weights while training and decoding.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    kind: Literal["pocket", "qwen2_5_omni"] = "pocket"
    path: str | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"
