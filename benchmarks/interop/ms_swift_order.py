"""Does ms-swift 4.6.0 train on an exported plan in its order? Its own code answers.

Makes an environment of its own and installs ms-swift from PyPI. Our command is parsed by
ms-swift's `SftArguments`; its `load_dataset`, `LazyLLMDataset` and the trainer's
`get_train_dataloader` (with `BatchSamplerShard`) deal the rows.

    python benchmarks/interop/ms_swift_order.py --environment /tmp/ms-swift
"""

import argparse
from pathlib import Path

from exports import check, environment

REQUIREMENT = "ms-swift==4.6.0"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environment", type=Path, required=True, help="folder to install into")
    given = parser.parse_args()
    python = environment(given.environment, REQUIREMENT)
    shuffled = ["--train_dataloader_shuffle", "true"]
    check("ms-swift", "ms_swift_peer.py", python, REQUIREMENT, shuffled)


if __name__ == "__main__":
    main()
