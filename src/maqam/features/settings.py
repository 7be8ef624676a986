"""How aligner outputs are computed, stored and clustered."""

from dataclasses import dataclass
from typing import ClassVar, Literal

Keep = Literal["auto", "states", "pooled", "none"]


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """The feature store of a run and the clusters made from it.

    Attributes:
        keep: "states" stores all aligner outputs, so that no run encodes audio again; "pooled"
            keeps their means, which clusters are made of, and audio is encoded while a run trains
            and is scored; "none" stores nothing, for schedules that need no cluster. "auto" keeps
            states where those of the training split take at most 20 GB and half of the free
            disk, else what the schedule needs.
        num_clusters: Clusters of the ADS embeddings; null for the paper's 500, and for one
            cluster every 20 rows on pools too small for 500, which a note then says.
        num_dimensions: Principal components kept before clustering (ours; the paper names none).
        dtype: Number format on disk. Half precision halves the file; what does not fit into it
            is refused, not clipped.
        batch_seconds: Audio that goes through the encoder at once, in seconds. It changes memory
            and speed, not the result.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    keep: Keep = "auto"
    num_clusters: int | None = None
    num_dimensions: int = 128
    dtype: Literal["float16", "float32"] = "float16"
    batch_seconds: float = 120.0

    def __post_init__(self) -> None:
        if self.num_clusters is not None and self.num_clusters < 1:
            raise ValueError(f"num_clusters must be at least 1, got {self.num_clusters}")
        if self.num_dimensions < 1:
            raise ValueError(f"num_dimensions must be at least 1, got {self.num_dimensions}")
        if not self.batch_seconds > 0:
            raise ValueError(f"batch_seconds must be above 0, got {self.batch_seconds}")
