"""A `transformers.Trainer` that follows a plan.

The plan deals the rows, the objective has weighed them, so of the Trainer's loop only the
optimiser, mixed precision, process groups, checkpoints and trackers are used: it neither
shuffles, nor rescales the loss, nor replays data on resume.
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from maqam.errors import RunError, first_few
from maqam.models.qwen_omni.attention import single_precision_attention
from maqam.schedule.plan import rows_checksum
from maqam.seeding import derive
from maqam.train.batches import PlanBatches, PlanSampler
from maqam.train.checkpoints import new_checkpoint
from maqam.train.objective import MicroBatch, TrainingModel
from maqam.train.settings import TrainSettings

WEIGHTS = "model.safetensors"


class PlanTrainer(Trainer):  # type: ignore[misc]  # transformers is untyped to us
    """Trains a learner on the micro-batches of a plan.

    Args:
        learner: The model and its loss.
        batches: The micro-batches of every step.
        settings: Optimiser and budget.
        seed: The run's seed; dropout of each micro-batch follows from it and the step.
        folder: Where checkpoints go.
    """

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        learner: TrainingModel,
        batches: PlanBatches,
        settings: TrainSettings,
        seed: int,
        folder: Path,
    ) -> None:
        self._batches = batches
        self._settings = settings
        self._seed = seed
        self._write: Callable[[Mapping[str, Any]], None] | None = None
        self._first_step = 0
        self._micro_batch = 0
        self._clock = time.perf_counter()
        super().__init__(
            model=learner,
            args=training_arguments(settings, folder, seed, learner),
            train_dataset=batches,
        )
        self.remove_callback(PrinterCallback)
        batches.rank, batches.world_size = self.args.process_index, self.args.world_size
        self._tally = self._new_tally()

    def follow(
        self,
        write: Callable[[Mapping[str, Any]], None] | None,
        checkpoint: tuple[Path, int] | None = None,
    ) -> None:
        """Take the steps of the plan that are left.

        Args:
            write: Called with the record of each step; None on processes that keep none.
            checkpoint: Folder of the checkpoint to go on from, and its step.
        """
        self._write = write
        self._clock = time.perf_counter()
        path = None
        if checkpoint is not None:
            folder, self._first_step = checkpoint
            path = str(folder)
        halves = self.args.bf16 and self.args.device.type == "cpu"
        with single_precision_attention(self.model.thinker) if halves else nullcontext():
            self.train(resume_from_checkpoint=path)

    @property
    def batches(self) -> PlanBatches:
        """The micro-batches that are followed."""
        return self._batches

    def get_train_dataloader(self) -> DataLoader[dict[str, MicroBatch]]:
        """Give the micro-batches that are left, in the plan's order."""
        return DataLoader(
            self._batches,
            batch_size=None,
            sampler=PlanSampler(self._batches, self._first_step),
            collate_fn=_as_it_is,  # type: ignore[arg-type]
            num_workers=self._settings.workers,
            multiprocessing_context="fork" if self._settings.workers else None,
        )

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> LambdaLR:
        """Give the warmup-stable-decay curve of the settings."""
        self.lr_scheduler: LambdaLR = LambdaLR(optimizer or self.optimizer, self._rate)
        return self.lr_scheduler

    def _rate(self, step: int) -> float:
        """Give the learning rate of a step as a fraction of its peak, dips of switches taken."""
        rate = self._settings.rate(step)
        for at, switch in self._batches.plan.switches.items():
            if step >= at:
                rate *= switch.rate(step - at, self.args.adam_beta1, self._beta2(at))
        return rate

    def _beta2(self, step: int) -> float:
        """Give AdamW's beta2 at a step: that of the last switch which sets one."""
        given = [
            switch.beta2
            for at, switch in sorted(self._batches.plan.switches.items())
            if step >= at and switch.beta2 is not None
        ]
        return given[-1] if given else self._settings.beta2

    def training_step(
        self,
        model: nn.Module,
        inputs: dict[str, MicroBatch],
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Add the gradient of one micro-batch, with the optimiser set as the step needs it.

        Raises:
            RunError: If its loss is not a finite number; no step is taken on it.
        """
        step = self.state.global_step
        place = (step, self._micro_batch, self.args.process_index)
        torch.manual_seed(derive(self._seed, "dropout", *place))
        for group in self.optimizer.param_groups:
            group["betas"] = (self.args.adam_beta1, self._beta2(step))
        self._micro_batch = (self._micro_batch + 1) % self._batches.num_micro_batches
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        if not math.isfinite(float(loss)):
            raise self._diverged(f"the loss is {float(loss)}", inputs["micro_batch"].rows)
        return loss

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, MicroBatch],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Give the micro-batch's part of the step's loss.

        Processes average their gradients, so the part is multiplied by their number.
        """
        micro_batch = inputs["micro_batch"]
        loss: Tensor
        loss, by_utterance, ctc = model(micro_batch)
        prepared = self._batches.prepared
        codes = prepared.tasks[prepared.positions(micro_batch.rows)]
        tally = self._tally
        tally.index_add_(0, torch.from_numpy(codes).to(tally.device), by_utterance.to(tally.dtype))
        tally[-2] += ctc
        tally[-1] += int(micro_batch.batch.lengths.sum())
        tally[-3] += rows_checksum(micro_batch.rows)
        return loss * int(self.args.world_size)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Write the record of a step, and hand it to the trackers in use."""
        if "grad_norm" not in logs:
            return
        record = self._record(logs)
        self._tally = self._new_tally()
        if self._write is not None:
            self._write(record)
        self.callback_handler.on_log(self.args, self.state, self.control, logs)
        self._clock = time.perf_counter()

    def _record(self, logs: dict[str, float]) -> dict[str, Any]:
        prepared = self._batches.prepared
        step = self.state.global_step
        positions = prepared.positions(self._batches.plan.batch(step - 1))
        codes, size = prepared.tasks[positions], len(prepared.task_names)
        utterances = np.bincount(codes, minlength=size)
        tokens = np.bincount(
            codes, weights=prepared.num_target_tokens[positions], minlength=size
        ).astype(int)
        sums = self.accelerator.reduce(self._tally, "sum").tolist()
        present = [(code, name) for code, name in enumerate(prepared.task_names) if tokens[code]]
        record: dict[str, Any] = {
            "step": step,
            "loss": logs["loss"],
            "grad_norm": logs["grad_norm"],
            "lr": logs["learning_rate"],
            "seconds": time.perf_counter() - self._clock,
            "utterances": len(positions),
            "target_tokens": int(tokens.sum()),
            "input_tokens": int(sums[-1]),
            "rows_checksum": int(sums[-3]),
            "loss_by_task": {name: sums[code] / int(tokens[code]) for code, name in present},
            "utterances_by_task": {name: int(utterances[code]) for code, name in present},
            "target_tokens_by_task": {name: int(tokens[code]) for code, name in present},
        }
        if self._batches.transcripts is not None:
            record["ctc_loss"] = sums[-2]
        return record

    def _new_tally(self) -> Tensor:
        """Give zeros for the loss of each task, and a step's rows, CTC loss and input tokens."""
        num_tasks = len(self._batches.prepared.task_names)
        return torch.zeros(num_tasks + 3, dtype=torch.float64, device=self.args.device)

    def _get_grad_norm(self, model: nn.Module, grad_norm: Any = None) -> Any:  # noqa: ANN401
        """Stop on gradients that are not finite numbers before the optimiser takes them."""
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        if not math.isfinite(float(norm)):
            rows = self._batches.plan.batch(self.state.global_step)
            raise self._diverged(f"the gradient norm is {float(norm)}", rows)
        return norm

    def _diverged(self, problem: str, rows: np.ndarray) -> RunError:
        return RunError(
            f"{problem} on manifest rows {first_few(sorted(int(row) for row in rows))}",
            where=f"step {self.state.global_step + 1}",
            hint="lower train.learning_rate, or look at these rows; the last checkpoint is whole",
        )

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:  # noqa: ANN401
        """Write a checkpoint that appears whole or not at all.

        No random state is stored: every draw follows from the seed and the step.
        """
        if self.args.should_save:
            with new_checkpoint(Path(self.args.output_dir), self.state.global_step) as folder:
                self.save_model(str(folder), _internal_call=True)
                self._save_optimizer_and_scheduler(str(folder))
                self.state.save_to_json(str(folder / "trainer_state.json"))
        self.accelerator.wait_for_everyone()
        self._clock = time.perf_counter()

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ANN401
        """Write the parameters that train; the others are those of the backbone."""
        trained = {
            name: value.detach().contiguous()
            for name, value in self.model.named_parameters()
            if value.requires_grad
        }
        save_file(trained, Path(output_dir or self.args.output_dir) / WEIGHTS)

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: nn.Module | None = None
    ) -> None:
        """Read the parameters that train."""
        stored = load_file(Path(resume_from_checkpoint) / WEIGHTS)
        (model or self.model).load_state_dict(stored, strict=False)


def training_arguments(
    settings: TrainSettings, folder: Path, seed: int, learner: TrainingModel
) -> TrainingArguments:
    """Give the Trainer's arguments: what the settings say, and everything else out of the way."""
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=settings.num_steps,
        gradient_accumulation_steps=settings.micro_batches,
        learning_rate=settings.learning_rate,
        adam_beta2=settings.beta2,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        bf16=settings.mixed_precision,
        save_steps=settings.checkpoint_steps,
        logging_steps=1,
        logging_nan_inf_filter=False,
        seed=derive(seed, "trainer") % 2**32,
        ignore_data_skip=True,
        average_tokens_across_devices=False,
        remove_unused_columns=False,
        disable_tqdm=True,
        use_cpu=next(learner.parameters()).device.type == "cpu",
        report_to="none",
    )


class StepProgress(TrainerCallback):  # type: ignore[misc]
    """Reports the steps done, and lets Ctrl-C end a run after the step it falls in.

    Args:
        report: Called with the steps done and their total.
    """

    def __init__(self, report: Callable[[int, int], None] | None = None) -> None:
        self._report = report
        self.interrupted = False

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Report the step; ask for a checkpoint and the end where the user asked for it."""
        if self._report is not None:
            self._report(state.global_step, state.max_steps)
        if self.interrupted:
            control.should_save = True
            control.should_training_stop = True

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take Ctrl-C as the wish to stop after this step; a second one stops at once.

        Raises:
            KeyboardInterrupt: At the end of the block, if the run was interrupted.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.getsignal(signal.SIGINT)

        def note(number: int, frame: FrameType | None) -> None:
            self.interrupted = True
            signal.signal(signal.SIGINT, before)

        signal.signal(signal.SIGINT, note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
        if self.interrupted:
            raise KeyboardInterrupt


def _as_it_is(item: dict[str, MicroBatch]) -> dict[str, MicroBatch]:
    return item
