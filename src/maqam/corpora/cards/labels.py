"""How a card says what the labels of its corpus are."""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from maqam.settings_file import nearest
from maqam.taxonomy.tree import read_taxonomy


class Labels(BaseModel):
    """How the labels of a corpus become shared names.

    Attributes:
        taxonomy: "dialect", "emotion" or "intensity".
        scheme: Its label set; null if `map` is all there is.
        map: Labels that the label set lacks, each with a code of the taxonomy or null.
        ignore_case: Whether labels are looked up in lower case.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    taxonomy: Literal["dialect", "emotion", "intensity"]
    scheme: str | None = None
    map: Mapping[str, str | None] = {}
    ignore_case: bool = False

    @property
    def codes(self) -> dict[str, str | None]:
        """Its labels and their codes."""
        known = read_taxonomy(self.taxonomy).scheme(self.scheme) if self.scheme else {}
        return {**known, **self.map}

    @property
    def levels(self) -> tuple[str, ...]:
        """Levels of the taxonomy that its labels are on."""
        nodes = read_taxonomy(self.taxonomy).nodes
        return tuple(dict.fromkeys(nodes[code].level for code in self.codes.values() if code))

    @model_validator(mode="after")
    def _are_known(self) -> "Labels":
        found = read_taxonomy(self.taxonomy)
        if self.scheme is not None and self.scheme not in found.schemes:
            raise ValueError(f"no scheme {self.scheme!r}; {nearest(self.scheme, found.schemes)}")
        wrong = [code for code in self.map.values() if code is not None and code not in found.nodes]
        if wrong:
            raise ValueError(f"no {self.taxonomy} {', '.join(wrong)}")
        return self
