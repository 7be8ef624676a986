"""A small LLM for machines without a GPU: random weights, then taught to copy.

`small_llm.py new MANIFEST -o LLM` trains a tokenizer on the training texts and writes a Qwen2 of
about 5 M parameters with random weights. `small_llm.py teach MODEL MANIFEST -o TAUGHT` teaches the
LLM of a composed model to copy, as the pocket model's is before it hears anything.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from maqam.cli.screen import progress_bar
from maqam.data.manifest import Manifest, read_manifest
from maqam.files import whole_folder
from maqam.models.adapters import save_weights
from maqam.models.loading import load_backbone
from maqam.models.pocket import train_tokenizer
from maqam.models.settings import ModelSettings
from maqam.pocket.build import training_texts
from maqam.pocket.copy_pretraining import Copying, learn_to_copy
from maqam.seeding import derive

START, END, PADDING = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
LONGEST = 16  # tokens of a caption that is copied: a few long ones would be padding for all others
CHAT = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] "
    "+ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def new_llm(texts: Sequence[str], folder: Path, *, vocabulary_size: int, seed: int) -> int:
    """Write an LLM with random weights and a tokenizer of its own.

    Args:
        texts: What the tokenizer is trained on, in a fixed order.
        folder: Where it goes, whole or not at all.
        vocabulary_size: Ids in all, bytes and tokens of control included.
        seed: Seed of the weights.

    Returns:
        Its number of parameters.
    """
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=train_tokenizer(texts, vocabulary_size, (PADDING, START, END)),
        pad_token=PADDING,
        eos_token=END,
        chat_template=CHAT,
        model_max_length=1024,
    )
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=256,
        intermediate_size=704,
        num_hidden_layers=6,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=256**-0.5,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "LLM"))
        model = Qwen2ForCausalLM(config)
    with whole_folder(folder) as draft:
        model.save_pretrained(draft)
        tokenizer.save_pretrained(draft)
    return sum(one.numel() for one in model.parameters())


def teach(model: Path, manifest: Manifest, folder: Path, *, copying: Copying, seed: int) -> None:
    """Teach the LLM of a composed model to copy, and write the model anew.

    Args:
        model: Folder of the composed model.
        manifest: Its transcribed training utterances are the spellings.
        folder: Where the taught model goes.
        copying: How it learns.
        seed: Seed of spellings and noise.
    """
    backbone = load_backbone(ModelSettings(kind="auto", path=str(model)))
    rows = manifest.rows(manifest.select(split="train", task="asr"))
    sizes = [len(backbone.dialogue.target_ids(row["target"])) for row in rows]
    dialogues = [row["messages"] for row, size in zip(rows, sizes, strict=True) if size <= LONGEST]
    print(f"{len(dialogues)} of {len(rows)} captions are copied: those of at most {LONGEST} tokens")
    work = folder.with_name(f"{folder.name}-copying")
    with progress_bar("teach the LLM to copy") as progress:
        learn_to_copy(backbone, dialogues, work, copying, seed, progress)
    with whole_folder(folder) as draft:
        save_weights(backbone, draft)


def main(arguments: list[str] | None = None) -> None:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("new", help="random weights and a tokenizer")
    making.add_argument("manifest", type=Path)
    making.add_argument("--vocabulary", type=int, default=1024)
    teaching = commands.add_parser("teach", help="teach the LLM of a composed model to copy")
    teaching.add_argument("model", type=Path)
    teaching.add_argument("manifest", type=Path)
    teaching.add_argument("--steps", type=int, default=Copying().num_steps)
    for command in (making, teaching):
        command.add_argument("-o", "--output", type=Path, required=True)
        command.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    manifest = read_manifest(given.manifest)
    if given.command == "new":
        size = new_llm(
            training_texts(manifest),
            given.output,
            vocabulary_size=given.vocabulary,
            seed=given.seed,
        )
        print(f"{size / 1e6:.1f} M parameters in {given.output}")
        return
    copying = Copying(num_steps=given.steps)
    teach(given.model, manifest, given.output, copying=copying, seed=given.seed)
    print(given.output)


if __name__ == "__main__":
    main()
