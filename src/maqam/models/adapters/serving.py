"""What servers load of adapters by task or of experts: one LoRA a task, or one for all rows."""

from pathlib import Path

import torch

from maqam.errors import ModelError
from maqam.models.adapters.folders import Matrices, read_lora, write_lora
from maqam.models.adapters.routed import read_routing
from maqam.models.protocol import AudioLLM
from maqam.models.tuning.names import ROUTING


def peft_folders(folder: Path) -> dict[str | None, Path]:
    """Return the PEFT folders of a saved adapter, by the task whose rows go through each.

    Args:
        folder: Adapter folder of a run.

    Returns:
        For one LoRA, which all rows go through, its folder by None.

    Raises:
        ModelError: If the adapters are experts, which no PEFT folder can route to.
    """
    if not (folder / ROUTING).is_file():
        return {None: folder}
    routing = read_routing(folder)
    if routing["kind"] == "moe":
        raise ModelError(
            "every layer decides which experts a token goes through: PEFT has no such adapter",
            where=str(folder),
            hint="write their average by maqam.models.adapters.serving.write_average",
        )
    return {task: folder / place for task, place in routing["folders"].items()}


def write_average(backbone: AudioLLM, folder: Path, output: Path) -> None:
    """Write the mean of adapters by task, or of experts, as one PEFT folder.

    The mean is that of the weight changes, kept exactly: matrices A are stacked, matrices B stand
    side by side, so that the rank is the sum of all.

    Args:
        backbone: The model.
        folder: Adapter folder of a run.
        output: Where the LoRA goes.

    Raises:
        ModelError: If the folder holds one LoRA already, or no adapters of this model.
    """
    if not (folder / ROUTING).is_file():
        raise ModelError(
            "the folder holds one LoRA, which is the average of itself",
            where=str(folder),
            hint="load it as it is",
        )
    places = read_routing(folder)["folders"].values()
    loras = [read_lora(backbone, folder / place) for place in places]
    averaged = {
        name: Matrices(
            torch.cat([lora[name].a for lora in loras]),
            torch.cat([lora[name].b for lora in loras], dim=1) / len(loras),
            loras[0][name].scale,
        )
        for name in loras[0]
    }
    write_lora(backbone, averaged, output)
