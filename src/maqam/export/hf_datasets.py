"""Hugging Face: rows in Parquet and a short script for transformers' own Trainer.

`train_sampling_strategy="sequential"` (transformers 5) reads rows in their order; accelerate gives
process r the r-th micro-batch of every window.
"""

from collections.abc import Mapping
from string import Template

from maqam.export.parts import Launch, Target

_SCRIPT = Template('''"""Train transformers' Trainer on the rows of a Maqam plan, in their order.

Needs transformers 5, datasets, peft, accelerate and librosa. A step is the plan's step only with
$world_size process(es) and the batch sizes below: sh train.sh
"""

from pathlib import Path

import torch
from datasets import Dataset, load_dataset
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoProcessor,
    Qwen2_5OmniThinkerForConditionalGeneration,
    Trainer,
    TrainingArguments,
)
from transformers.audio_utils import load_audio

MODEL = $model
ROWS = Path(__file__).with_name($rows_name)
OUTPUT = $output
LLM_PROJECTIONS = r".*language_model\\.layers\\..*_proj"  # not the audio tower's


def load_rows() -> Dataset:
    return load_dataset("parquet", data_files=str(ROWS), split="train")


def arguments(**changes) -> TrainingArguments:
    settings = dict(
        output_dir=OUTPUT,
        num_train_epochs=1,
        per_device_train_batch_size=$micro_batch_size,
        gradient_accumulation_steps=$accumulation,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        dataloader_drop_last=False,
        learning_rate=1e-4,
        bf16=torch.cuda.is_available(),
        logging_steps=10,
        seed=$seed,
        report_to="none",
    )
    return TrainingArguments(**{**settings, **changes})


class Collator:
    """Chat rows to a batch; only the last answer is supervised."""

    def __init__(self, processor) -> None:
        self.processor = processor

    def __call__(self, rows: list[dict]) -> dict[str, torch.Tensor]:
        whole = [self.text(row["messages"]) for row in rows]
        asked = [self.text(row["messages"][:-1], add_generation_prompt=True) for row in rows]
        paths = [path for row in rows for path in row["audios"]]
        sounds = [load_audio(path, sampling_rate=16_000) for path in paths]
        batch = self.processor(
            text=whole,
            audio=sounds or None,
            padding=True,
            padding_side="right",
            return_tensors="pt",
        )
        batch["labels"] = torch.full_like(batch["input_ids"], -100)
        for index, (text, prompt) in enumerate(zip(whole, asked, strict=True)):
            answer = self.processor.tokenizer(text[len(prompt) :])["input_ids"]
            end = int(batch["attention_mask"][index].sum())
            supervised = slice(end - len(answer), end)
            batch["labels"][index, supervised] = batch["input_ids"][index, supervised]
        return batch

    def text(self, messages: list[dict], add_generation_prompt: bool = False) -> str:
        turns = [{"role": one["role"], "content": self.parts(one["content"])} for one in messages]
        return self.processor.apply_chat_template(
            turns, tokenize=False, add_generation_prompt=add_generation_prompt
        )

    @staticmethod
    def parts(content: str) -> list[dict]:
        first, *texts = content.split("<audio>")
        parts = [{"type": "text", "text": first}]
        for text in texts:
            parts += [{"type": "audio"}, {"type": "text", "text": text}]
        return [part for part in parts if part.get("text") != ""]


def main() -> None:
    model = Qwen2_5OmniThinkerForConditionalGeneration.from_pretrained(MODEL, dtype="bfloat16")
    adapter = LoraConfig(r=16, lora_alpha=32, target_modules=LLM_PROJECTIONS)
    trainer = Trainer(
        get_peft_model(model, adapter),
        arguments(),
        data_collator=Collator(AutoProcessor.from_pretrained(MODEL)),
        train_dataset=load_rows(),
    )
    trainer.train()
    trainer.save_model()


if __name__ == "__main__":
    main()
''')


def _files(launch: Launch) -> Mapping[str, str]:
    settings = launch.settings
    script = _SCRIPT.substitute(
        world_size=settings.world_size,
        model=repr(settings.model),
        rows_name=repr(launch.rows_name),
        output=repr(str(launch.output)),
        micro_batch_size=settings.micro_batch_size,
        accumulation=launch.accumulation,
        seed=launch.seed % 2**32,
    )
    command = (
        "#!/bin/sh\n"
        'cd "$(dirname "$0")" || exit 1\n'
        f"exec torchrun --nproc_per_node {settings.world_size} train.py\n"
    )
    return {"train.py": script, "train.sh": command}


TARGET = Target(
    title="Hugging Face's Trainer",
    sharding="block",
    is_parquet=True,
    takes_weights=False,
    text_rows=None,
    extra_columns=(),
    tags=("<audio>",),
    reads_tokens=True,
    files=_files,
)
