"""A `transformers.Trainer` that follows a plan.

The plan deals the rows, the objective has weighed them, so of the Trainer's loop only the
optimiser, mixed precision, process groups and checkpoints are used: it neither shuffles, nor
rescales the loss, nor replays data on resume. What the Trainer takes for a batch is a whole step,
and a gradient is the plain sum over its micro-batches on all processes.
"""

import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils.memory import should_reduce_batch_size
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainingArguments

from maqam.errors import RunError, first_few
from maqam.models.tuning.settings import Experts
from maqam.models.weights.counting import Loading
from maqam.schedule.sampler import PlanStepSampler
from maqam.seeding import derive
from maqam.train.batches import LoadedStep, PlanBatches, Step
from maqam.train.checkpoints import checkpoint_folder, new_checkpoint
from maqam.train.interrupts import Interrupts
from maqam.train.objective import MicroBatch, TrainingModel
from maqam.train.observers.observer import Gradients, Observer, Training, watched
from maqam.train.settings import TrainSettings
from maqam.train.tally import Tally, check_copies, sum_gradients
from maqam.train.token_budget import CudaMemory, TokenBudget

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
        self._folder = folder
        self._observers: Sequence[Observer] = ()
        self._interrupts = Interrupts()
        self._first_step = 0
        self._clock = time.perf_counter()
        super().__init__(
            model=learner,
            args=training_arguments(settings, folder, seed, learner),
            train_dataset=batches,
        )
        check_copies(self.accelerator.distributed_type)
        self.remove_callback(PrinterCallback)
        is_measured = self.args.device.type == "cuda"
        self._budget = TokenBudget(settings.micro_tokens, CudaMemory() if is_measured else None)
        self._steps = PlanStepSampler(
            batches.plan,
            rank=self.args.process_index,
            world_size=self.args.world_size,
            num_micro_batches=settings.micro_batches,
            lengths=batches.prepared.lengths,
            max_tokens=lambda: self._budget.limit,
        )

    def follow(
        self, observers: Sequence[Observer] = (), checkpoint: tuple[Path, int] | None = None
    ) -> None:
        """Take the steps of the plan that are left.

        Args:
            observers: What watches, in the order they are called.
            checkpoint: Folder of the checkpoint to go on from, and its step.

        Raises:
            KeyboardInterrupt: After Ctrl-C, with a checkpoint of the step it fell in.
        """
        path = None
        if checkpoint is not None:
            folder, self._first_step = checkpoint
            self._steps.start_at(self._first_step)
            path = str(folder)
        training = Training(
            self.model,
            self._batches,
            self._first_step,
            self.is_world_process_zero(),
            self.args,
        )
        self._observers = observers
        halves = self.args.bf16 and self.args.device.type == "cpu"
        with (
            self._interrupts.listening(),
            watched(observers, training),
            self._batches.backbone.single_precision_attention() if halves else nullcontext(),
        ):
            self._clock = time.perf_counter()
            self.train(resume_from_checkpoint=path)

    def get_train_dataloader(self) -> DataLoader[LoadedStep]:
        """Return the steps that are left, in the plan's order."""
        return DataLoader(
            self._batches,
            batch_size=None,
            sampler=self._steps,
            collate_fn=_as_it_is,  # type: ignore[arg-type]
            num_workers=self._settings.workers,
            multiprocessing_context="fork" if self._settings.workers else None,
        )

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> LambdaLR:
        """Return the warmup-stable-decay curve of the settings."""
        self.lr_scheduler: LambdaLR = LambdaLR(optimizer or self.optimizer, self._rate)
        return self.lr_scheduler

    def _rate(self, step: int) -> float:
        """Return the learning rate of a step as a fraction of its peak, dips of switches taken."""
        rate = self._settings.rate(step)
        for at, switch in self._batches.plan.switches.items():
            if step >= at:
                rate *= switch.rate(step - at, self.args.adam_beta1, self._beta2(at))
        return rate

    def _beta2(self, step: int) -> float:
        """Return AdamW's beta2 at a step: that of the last switch which sets one."""
        given = [
            switch.beta2
            for at, switch in sorted(self._batches.plan.switches.items())
            if step >= at and switch.beta2 is not None
        ]
        return given[-1] if given else self._settings.beta2

    def training_step(
        self,
        model: nn.Module,
        inputs: dict[str, LoadedStep],
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Compute the gradient of a step, with the optimiser set as the step needs it.

        A step that ran out of memory on any process is repeated by all of them, in smaller parts.

        Raises:
            RunError: If the loss is not a finite number, or one utterance does not fit into
                memory; no step is taken then.
        """
        for group in self.optimizer.param_groups:
            group["betas"] = (self.args.adam_beta1, self._beta2(self.state.global_step))
        loaded = self._within_budget(inputs["loaded"])
        loss, failed_tokens = self._add_gradients(model, loaded)
        while failed_tokens := sum_gradients(self.model, failed_tokens):
            self.model.zero_grad()
            torch.cuda.empty_cache()
            self._budget.halve(failed_tokens)
            loaded = self._within_budget(loaded)
            loss, failed_tokens = self._add_gradients(model, loaded)
        self._budget.end_step()
        passes = len(loaded.micro_batches) * self.args.world_size
        gradients = Gradients(self.model, self._batches, loaded.step, passes, self.optimizer)
        for observer in self._observers:
            observer.on_gradients(gradients)
        return loss

    def _within_budget(self, loaded: LoadedStep) -> LoadedStep:
        """Cut a step again where it was cut by a larger budget than there is now."""
        limit, cut_by = self._budget.limit, loaded.max_tokens
        if limit is None or (cut_by is not None and cut_by <= limit):
            return loaded
        return self._batches[self._steps.part(loaded.step.number)]

    def _add_gradients(self, model: nn.Module, loaded: LoadedStep) -> tuple[Tensor, int]:
        """Add the gradients of this process' micro-batches.

        Returns:
            This process' part of the loss, and the tokens of the micro-batch that ran out of
            memory, 0 if none did.
        """
        self._tally = Tally.zeros(len(self._batches.prepared.task_names), self.args.device)
        total = torch.zeros((), device=self.args.device)
        for index, micro_batch in enumerate(loaded.micro_batches):
            place = (loaded.step.number, index, self.args.process_index)
            torch.manual_seed(derive(self._seed, "dropout", *place))
            num_tokens = micro_batch.batch.input_ids.numel()
            self._budget.begin_pass()
            try:
                with self.accelerator.no_sync(model):
                    loss = super().training_step(model, {"micro_batch": micro_batch})
            except RuntimeError as error:
                if not should_reduce_batch_size(error):
                    raise
                if len(micro_batch.rows) == 1:
                    raise _does_not_fit(loaded.step, micro_batch) from error
                return total, num_tokens
            self._budget.end_pass(num_tokens)
            if not math.isfinite(float(loss)):
                raise self._diverged(f"the loss is {float(loss)}", micro_batch.rows)
            total += loss
        return total, 0

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, MicroBatch],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor:
        """Return the micro-batch's part of the step's loss."""
        micro_batch = inputs["micro_batch"]
        loss: Tensor
        loss, by_utterance, ctc = model(micro_batch)
        prepared = self._batches.prepared
        codes = prepared.tasks[prepared.positions(micro_batch.rows)]
        self._tally.add(micro_batch, codes, by_utterance, ctc, self.model.routers)
        return loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Hand the record of a step to the observers; end the run where the user asked for it."""
        if "grad_norm" not in logs:
            return
        self._tally.interrupts = int(self._interrupts.noticed)
        tally = self._tally.over_processes(partial(self.accelerator.reduce, reduction="sum"))
        record = self._record(logs, tally)
        for observer in self._observers:
            observer.on_step(record, self.model)
        if tally.interrupts:
            self._interrupts.noticed = True
            self.control.should_save = True
            self.control.should_training_stop = True
        self._clock = time.perf_counter()

    def _record(self, logs: dict[str, float], tally: Tally) -> dict[str, Any]:
        prepared = self._batches.prepared
        step = self.state.global_step
        positions = prepared.positions(self._batches.plan.batch(step - 1))
        codes, size = prepared.tasks[positions], len(prepared.task_names)
        utterances = np.bincount(codes, minlength=size)
        tokens = np.bincount(
            codes, weights=prepared.num_target_tokens[positions], minlength=size
        ).astype(int)
        losses = tally.losses.tolist()
        present = [(code, name) for code, name in enumerate(prepared.task_names) if tokens[code]]
        record: dict[str, Any] = {
            "step": step,
            "loss": logs["loss"] * self.args.world_size,  # the Trainer averages over processes
            "grad_norm": logs["grad_norm"],
            "lr": logs["learning_rate"],
            "seconds": time.perf_counter() - self._clock,
            "utterances": len(positions),
            "target_tokens": int(tokens.sum()),
            "input_tokens": tally.input_tokens,
            "forward_passes": tally.forward_passes,
            "rows_checksum": tally.rows_checksum,
            "loss_by_task": {name: losses[code] / int(tokens[code]) for code, name in present},
            "utterances_by_task": {name: int(utterances[code]) for code, name in present},
            "target_tokens_by_task": {name: int(tokens[code]) for code, name in present},
        }
        if self._batches.transcripts is not None:
            record["ctc_loss"] = float(tally.ctc_loss)
        if isinstance(self._settings.adapter, Experts):
            record["balance_loss"] = float(tally.balance)
            record["router_entropy_by_task"] = {
                name: float(tally.entropies[code]) / int(utterances[code]) for code, name in present
            }
        return record

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
            with new_checkpoint(self._folder, self.state.global_step) as folder:
                self.save_model(str(folder), _internal_call=True)
                self._save_optimizer_and_scheduler(str(folder))
                self.state.save_to_json(str(folder / "trainer_state.json"))
        self.accelerator.wait_for_everyone()
        for observer in self._observers:
            observer.on_checkpoint(checkpoint_folder(self._folder, self.state.global_step))
        self._clock = time.perf_counter()

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ANN401
        """Write the parameters that train; the others are those of the backbone."""
        trained = {
            name: value.detach().contiguous()
            for name, value in self.model.named_parameters()
            if value.requires_grad
        }
        save_file(trained, Path(output_dir or self.args.output_dir) / WEIGHTS)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """Read the optimiser's state; the rate is that of this run, which may go on for longer."""
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is not None:
            rates = [base * self._rate(self._first_step) for base in self.lr_scheduler.base_lrs]
            for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
                group["lr"] = rate
            self.lr_scheduler._last_lr = rates

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: nn.Module | None = None
    ) -> None:
        """Read the parameters that train."""
        trained = {name: one for name, one in self.model.named_parameters() if one.requires_grad}
        stored = load_file(Path(resume_from_checkpoint) / WEIGHTS)
        anew = "the run was begun by another version of Maqam: train it anew"
        if stored.keys() != trained.keys():
            raise RunError(
                f"{len(stored.keys() ^ trained.keys())} parameters are not those that train",
                where=resume_from_checkpoint,
                hint=anew,
            )
        Loading(resume_from_checkpoint, anew).check_same(stored, trained)
        (model or self.model).load_state_dict(stored, strict=False)


def training_arguments(
    settings: TrainSettings, folder: Path, seed: int, learner: TrainingModel
) -> TrainingArguments:
    """Return the Trainer's arguments: what the settings say, and everything else out of the way."""
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=settings.total_steps,
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


def _does_not_fit(step: Step, micro_batch: MicroBatch) -> RunError:
    """Say that no smaller part is left to try."""
    return RunError(
        f"memory does not hold manifest row {int(micro_batch.rows[0])} alone, of "
        f"{micro_batch.batch.input_ids.numel()} tokens",
        where=f"step {step.number + 1}",
        hint="leave long rows out, or train with mixed precision, a smaller model or rank",
    )


def _as_it_is(loaded: LoadedStep) -> dict[str, LoadedStep]:
    return {"loaded": loaded}
