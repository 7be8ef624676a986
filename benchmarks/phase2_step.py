"""One phase-2 step: ours against `transformers.Trainer` with PEFT used the plain way.

Ours reads stored aligner outputs, projects supervised positions only and groups micro-batches by
length. The plain way runs the encoder in every step, pads audio to a maximum length as the stock
processor does, projects every position and takes micro-batches in the order of the plan. Model,
adapter, rows, precision, optimiser and number of micro-batches are the same.

    python benchmarks/phase2_step.py [--corpus DIR]

Prints utterances per second of both, round by round in turns, and their ratio. The plain way is
also measured with its log-mels made beforehand, which leaves only the model's share of the gain.
Audio is padded to 30 s there, the default of Whisper's feature extractor; a processor set to
longer audio pads to more (`--padding-seconds`) and the plain way is slower still.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    WhisperFeatureExtractor,
)

from maqam.data.audio import read_audio
from maqam.data.manifest import Manifest, read_manifest
from maqam.data.pool import pool_from_manifest
from maqam.features.extract import fill_store, store_contents
from maqam.features.settings import FeatureSettings
from maqam.features.store import FeatureStore
from maqam.models.adapters import add_adapter
from maqam.models.freezing import train_only
from maqam.models.loading import load_backbone
from maqam.models.protocol import AudioLLM
from maqam.models.settings import ModelSettings
from maqam.schedule import Uniform, make_plan
from maqam.schedule.plan import Plan
from maqam.train.batches import PlanBatches
from maqam.train.objective import TrainingModel
from maqam.train.rows import prepare_rows
from maqam.train.settings import Objective, TrainSettings
from maqam.train.trainer import PlanTrainer

SEED = 0


class Clock(TrainerCallback):
    """Notes when each step ends; the first one, which warms up, is not counted."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, args, state, control, **kwargs) -> None:  # noqa: ANN001, ANN003
        """Note the time."""
        self.ends.append(time.perf_counter())

    def rate(self, batch_size: int) -> float:
        """Utterances per second, data reading included."""
        return batch_size * (len(self.ends) - 1) / (self.ends[-1] - self.ends[0])


class PlainCollator:
    """What the stock processor does with a micro-batch."""

    def __init__(
        self, backbone: AudioLLM, manifest: Manifest, padding_seconds: int, *, beforehand: bool
    ) -> None:
        self._dialogue = backbone.dialogue
        self._count = backbone.dialogue.num_audio_tokens
        self._manifest = manifest
        self._beforehand = beforehand
        self._extract = WhisperFeatureExtractor(feature_size=128, chunk_length=padding_seconds)
        self._made: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def prepare(self, rows: np.ndarray) -> None:
        """Make the log-mels of rows before the clock runs."""
        for row in self._manifest.rows(rows):
            if row["audios"] and self._beforehand:
                self._log_mel(row)

    def __call__(self, indexes: list[int]) -> dict[str, torch.Tensor]:
        """Read, extract and pad some rows, as they come."""
        features, masks, ids, labels = [], [], [], []
        for row in self._manifest.rows(indexes):
            width = 0
            if row["audios"]:
                feature, mask = self._log_mel(row)
                width = self._count(int(mask.sum()))
                features.append(feature)
                masks.append(mask)
            encoded = self._dialogue.encode(row["messages"], width)
            ids.append(torch.from_numpy(encoded.input_ids))
            label = ids[-1].clone()
            label[: encoded.target_start] = -100
            labels.append(label)
        pad = torch.nn.utils.rnn.pad_sequence
        batch = {
            "input_ids": pad(ids, batch_first=True, padding_value=self._dialogue.padding_id),
            "labels": pad(labels, batch_first=True, padding_value=-100),
            "attention_mask": pad([torch.ones_like(one) for one in ids], batch_first=True),
        }
        if features:
            batch["input_features"] = torch.stack(features)
            batch["feature_attention_mask"] = torch.stack(masks)
        return batch

    def _log_mel(self, row: dict) -> tuple[torch.Tensor, torch.Tensor]:
        name = row["id"]
        if name not in self._made:
            samples = read_audio(
                self._manifest.folder / row["audios"][0],
                start=row["start"],
                seconds=row["seconds"],
            )
            made = self._extract(
                samples,
                sampling_rate=16_000,
                padding="max_length",
                return_attention_mask=True,
                return_tensors="pt",
            )
            one = made["input_features"][0], made["attention_mask"][0]
            if not self._beforehand:
                return one
            self._made[name] = one
        return self._made[name]


def ours(
    backbone: AudioLLM,
    manifest: Manifest,
    plan: Plan,
    stored: FeatureStore,
    settings: TrainSettings,
) -> float:
    prepared = prepare_rows(backbone.dialogue, manifest, plan.rows)
    batches = PlanBatches(
        backbone,
        plan,
        prepared,
        Objective(),
        stored,
    )
    with tempfile.TemporaryDirectory() as folder:
        settings = replace(settings, num_steps=plan.num_steps, checkpoint_steps=plan.num_steps + 1)
        trainer = PlanTrainer(TrainingModel(backbone), batches, settings, SEED, Path(folder))
        trainer.args.save_strategy = "no"
        clock = Clock()
        trainer.add_callback(clock)
        trainer.follow()
    return clock.rate(plan.batch_size)


def plain(
    backbone: AudioLLM, plan: Plan, collator: PlainCollator, settings: TrainSettings
) -> float:
    collator.prepare(np.unique(plan.rows))
    with tempfile.TemporaryDirectory() as folder:
        args = TrainingArguments(
            output_dir=folder,
            max_steps=plan.num_steps,
            per_device_train_batch_size=plan.batch_size // settings.micro_batches,
            gradient_accumulation_steps=settings.micro_batches,
            train_sampling_strategy="sequential",
            learning_rate=settings.learning_rate,
            remove_unused_columns=False,
            save_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
            report_to="none",
        )
        clock = Clock()
        trainer = Trainer(
            backbone.model,
            args,
            data_collator=collator,
            train_dataset=[int(row) for row in plan.rows],
            callbacks=[clock],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return clock.rate(plan.batch_size)


def adapted(model: str | None, settings: TrainSettings) -> AudioLLM:
    backbone = load_backbone(ModelSettings(path=model))
    add_adapter(backbone, rank=settings.lora_rank, alpha=settings.lora_alpha, seed=SEED)
    train_only(backbone, ("adapter",))
    return backbone


def small_corpus(folder: Path) -> Path:
    from maqam.synth.corpus import make_corpus
    from maqam.synth.settings import SynthSettings

    return make_corpus(folder, SynthSettings())


def describe(name: str, values: list[float], unit: str) -> None:
    print(
        f"{name:<44} {statistics.median(values):7.2f} {unit} "
        f"({min(values):.2f} to {max(values):.2f} in {len(values)} rounds)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, help="folder of a manifest; made if absent")
    parser.add_argument("--model", help="folder of a checkpoint; the shipped pocket if absent")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=5, help="of each round, the first uncounted")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--micro-batches", type=int, default=4)
    parser.add_argument("--padding-seconds", type=int, default=30, help="maximum audio length")
    options = parser.parse_args()
    scratch = tempfile.TemporaryDirectory()
    folder = Path(scratch.name)
    manifest = read_manifest(options.corpus or small_corpus(folder / "corpus"))
    settings = TrainSettings(
        batch_size=options.batch_size, micro_batches=options.micro_batches, num_steps=1, warmup=0.0
    )
    pool = pool_from_manifest(manifest, manifest.select(split="train"))
    own, peer = (adapted(options.model, settings) for _ in range(2))
    stock = PlainCollator(peer, manifest, options.padding_seconds, beforehand=False)
    beforehand = PlainCollator(peer, manifest, options.padding_seconds, beforehand=True)
    rates: dict[str, list[float]] = {
        name: [] for name in ("ours", "plain", "beforehand", "filling")
    }
    for number in range(options.rounds):
        plan = make_plan(
            Uniform(), pool, steps=options.steps, batch_size=options.batch_size, seed=number
        )
        begun = time.perf_counter()
        place = folder / f"features-{number}"
        stored = fill_store(own, store_contents(own, manifest, plan.rows, FeatureSettings()), place)
        rates["filling"].append(stored.rows.size / (time.perf_counter() - begun))
        rates["ours"].append(ours(own, manifest, plan, stored, settings))
        rates["plain"].append(plain(peer, plan, stock, settings))
        rates["beforehand"].append(plain(peer, plan, beforehand, settings))
    peers = ("plain", "beforehand")
    pairs = {name: list(zip(rates["ours"], rates[name], strict=True)) for name in peers}
    print(f"{torch.get_num_threads()} threads, steps of {options.batch_size} utterances")
    describe("ours", rates["ours"], "utterances/s")
    describe("ours, filling the store, once", rates["filling"], "utterances/s")
    describe("plain", rates["plain"], "utterances/s")
    describe("plain, log-mels made beforehand", rates["beforehand"], "utterances/s")
    describe("ours / plain", [a / b for a, b in pairs["plain"]], "x (goal 3)")
    describe("ours / plain, log-mels made beforehand", [a / b for a, b in pairs["beforehand"]], "x")
    scratch.cleanup()


if __name__ == "__main__":
    main()
