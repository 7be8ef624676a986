"""Adapters of every kind by one interface: made, saved, loaded, begun from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from peft import PeftModel

from maqam.errors import ModelError
from maqam.models.adapters import lora
from maqam.models.adapters.layers import ExpertsLinear, RoutedLinear
from maqam.models.adapters.routed import RoutedAdapter, add_routed, load_routed, read_routing
from maqam.models.adapters.rows import check_tasks
from maqam.models.protocol import AudioLLM
from maqam.models.tuning.names import ROUTING
from maqam.models.tuning.ranks import Matched
from maqam.models.tuning.settings import Lora, NewAdapter
from maqam.models.weights.card import About


class TrainedAdapter(Protocol):
    """An adapter on a backbone, of whatever kind."""

    @property
    def matched(self) -> Matched | None:
        """What its ranks were matched to, if to anything."""
        ...

    def save(self, folder: Path, about: About | None = None) -> None:
        """Write it as a PEFT folder, or as several.

        Args:
            folder: Where it goes.
            about: What its card says of the training, by what it is.
        """
        ...

    def begin_from(self, folder: Path) -> None:
        """Load saved weights into it."""
        ...


@dataclass(frozen=True, slots=True)
class OneLora:
    """One LoRA on a backbone.

    Attributes:
        model: PEFT's view of the model.
        matched: None: it is what others are matched to.
    """

    model: PeftModel
    matched: Matched | None = None

    def save(self, folder: Path, about: About | None = None) -> None:
        """Write it as a PEFT folder."""
        lora.save_adapter(self.model, folder, about)

    def begin_from(self, folder: Path) -> None:
        """Load the weights of a saved LoRA of the same form into it.

        Raises:
            ModelError: If the folder holds none.
        """
        if (folder / ROUTING).is_file():
            kind = read_routing(folder)["kind"]
            raise ModelError(
                f'the folder holds adapters of kind "{kind}", the run trains one LoRA',
                where=str(folder),
                hint=f"set train.adapter={kind}, or begin from one of the folders in it",
            )
        lora.begin_from(self.model, folder)


def new_adapter(backbone: AudioLLM, new: NewAdapter) -> TrainedAdapter:
    """Put an untrained adapter on the LLM of a backbone, in place.

    Args:
        backbone: The model; it must not have an adapter yet.
        new: Kind, ranks, tasks and seed.

    Raises:
        ModelError: If the LLM has adapters already, or the ranks do not fit its layers.
    """
    if not isinstance(new.kind, Lora):
        return add_routed(backbone, new)
    model = lora.add_adapter(
        backbone,
        rank=new.rank,
        alpha=new.alpha,
        dropout=new.dropout,
        seed=new.seed,
        kind=new.kind,
    )
    return OneLora(model)


def load_adapter(backbone: AudioLLM, folder: Path) -> PeftModel | RoutedAdapter:
    """Put a saved adapter of any kind on the LLM of a backbone, in place and frozen.

    Returns:
        PEFT's view of the model for one LoRA, the layers for adapters of tasks or experts.

    Raises:
        ModelError: If the LLM has adapters already, or the folder holds no adapter of it.
    """
    if (folder / ROUTING).is_file():
        return load_routed(backbone, folder)
    return lora.load_adapter(backbone, folder)


def check_rows(backbone: AudioLLM, tasks: Sequence[str]) -> None:
    """Refuse rows that the adapters of a backbone, if they are by task, have none for.

    Args:
        backbone: The model.
        tasks: Task of each row.

    Raises:
        ModelError: If there are such rows; they are counted by task.
    """
    for layer in backbone.model.modules():
        if isinstance(layer, RoutedLinear) and not isinstance(layer, ExpertsLinear):
            check_tasks(tasks, layer.form.names)
            return
