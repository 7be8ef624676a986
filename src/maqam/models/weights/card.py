"""The card of an adapter or of weights: what it was trained on, and how it is loaded."""

import re
from collections.abc import Mapping

About = Mapping[str, str | Mapping[str, int]]

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def adapter_card(architecture: str, base: str, holder: str, about: About) -> str:
    """Return the README of an adapter.

    Args:
        architecture: Class of transformers that it goes on.
        base: Hub id of the model, or its path from the adapter's folder.
        holder: What a larger model of the hub calls that class, with a dot; empty for none.
        about: What there is to say of the training, by what it is.
    """
    load = f"model = transformers.{architecture}.from_pretrained({base!r})"
    lines = [
        *front_matter({"library_name": "peft", "base_model": base}),
        "# LoRA adapter of an audio LLM",
        "",
        f"Trained by Maqam on the LLM of `{base}`.",
        "",
        *table(about),
        "## Loading it",
        "",
        "```python",
        "import peft, transformers",
        "",
        load,
        'model = peft.PeftModel.from_pretrained(model, "THIS FOLDER")',
        "```",
        "",
    ]
    if not is_hub_id(base):
        lines += [f"`{base}` is the path of the model from this folder.", ""]
    if holder:
        part = holder.rstrip(".")
        lines += [
            f"A larger model that holds this one as its part `{part}` takes the adapter there: "
            f"`PeftModel.from_pretrained(whole.{part}, ...)`. Tools that address the larger model "
            "(vLLM, ms-swift) need its longer names: `maqam model export RUN --to peft`.",
            "",
        ]
    return "\n".join(lines)


def front_matter(values: Mapping[str, str]) -> list[str]:
    """Return the lines of YAML that the hub reads; a base that is no hub id is left out."""
    kept = {
        name: value for name, value in values.items() if name != "base_model" or is_hub_id(value)
    }
    tags = ["tags:", "- audio", "- maqam"]
    return ["---", *(f"{name}: {value}" for name, value in kept.items()), *tags, "---", ""]


def table(about: About) -> list[str]:
    """Return lines of Markdown that say what was trained; none where nothing is known."""
    if not about:
        return []
    rows = [f"| {name} | {_cell(value)} |" for name, value in about.items()]
    return ["| | |", "|---|---|", *rows, ""]


def is_hub_id(base: str) -> bool:
    """Tell a hub id from a path.

    Examples:
        >>> is_hub_id("Qwen/Qwen2-Audio-7B"), is_hub_id("../../weights")
        (True, False)
    """
    return _HUB_ID.fullmatch(base) is not None and not base.startswith(".")


def _cell(value: str | Mapping[str, int]) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(f"{name} ({count:,})" for name, count in value.items())
    return " ".join(value.split()).replace("|", "\\|")
