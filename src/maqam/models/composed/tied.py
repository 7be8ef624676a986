"""A head that is the LLM's embeddings, in classes of transformers that tie none.

While such a model trains, the two are one parameter, as in the LLM alone; its files hold both, as
the class expects them.
"""

from typing import Any

import torch
from torch import Tensor

from maqam.models.composed.record import KEY

_HEAD = "lm_head.weight"


def tie_head(model: Any) -> None:  # noqa: ANN401
    """Make the head of a composed model one with its embeddings, where its LLM's is, in place.

    Args:
        model: The model with its head; one that was not composed is left as it is.
    """
    config = model.config
    if not hasattr(config, KEY) or not config.get_text_config().tie_word_embeddings:
        return
    embeddings = model.get_input_embeddings().weight
    if model.lm_head.weight is embeddings:
        return
    if torch.equal(model.lm_head.weight, embeddings):  # else some other tool trained them apart
        model.lm_head.weight = embeddings
        model.register_state_dict_post_hook(_written_twice)


def _written_twice(
    module: torch.nn.Module, state: dict[str, Tensor], prefix: str, metadata: dict[str, Any]
) -> None:
    name = f"{prefix}{_HEAD}"
    if name in state:
        state[name] = state[name].clone()
