"""Does LLaMA-Factory 0.9.5 train on an exported plan in its order? Its own code answers.

Makes an environment of its own and installs LLaMA-Factory from PyPI. Our YAML is parsed by its
`get_train_args`; its `load_tokenizer`, `get_dataset` (rows to tokens) and `CustomSeq2SeqTrainer`
(SequentialSampler, then accelerate's BatchSamplerShard) deal the rows.

    python benchmarks/interop/llamafactory_order.py --environment /tmp/llamafactory
"""

import argparse
from pathlib import Path

from exports import check, environment

REQUIREMENT = "llamafactory==0.9.5"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environment", type=Path, required=True, help="folder to install into")
    given = parser.parse_args()
    python = environment(given.environment, REQUIREMENT)
    check("llamafactory", "llamafactory_peer.py", python, REQUIREMENT, ["disable_shuffling=false"])


if __name__ == "__main__":
    main()
