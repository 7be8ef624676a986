"""How large a forward pass may be: given, measured, and after running out of memory."""

import numpy as np
import pytest
import torch

from maqam.errors import RunError
from maqam.train.token_budget import MEASURED_STEPS, SAFE_TOKENS, TokenBudget

from .test_trainer import Recorder, make_trainer


class FakeMemory:
    """A GPU of which a token of a pass takes so many bytes."""

    def __init__(self, free, per_token):
        self.free, self.per_token, self.tokens = free, per_token, 0

    def begin(self):
        self.tokens = 0

    def used_bytes(self):
        return self.tokens * self.per_token

    def free_bytes(self):
        return self.free


def passes(budget, memory, num_steps, tokens):
    """Take steps of one pass each; return the limits after them."""
    limits = []
    for _ in range(num_steps):
        budget.begin_pass()
        memory.tokens = min(tokens, budget.limit)
        budget.end_pass(memory.tokens)
        budget.end_step()
        limits.append(budget.limit)
    return limits


def test_a_budget_that_is_given_stays_as_it_is():
    budget = TokenBudget(500, FakeMemory(10**9, 1))
    budget.begin_pass()
    budget.end_pass(500)
    budget.end_step()
    assert budget.limit == 500


def test_a_processor_has_no_limit():
    assert TokenBudget(None, None).limit is None


def test_a_measured_budget_grows_twofold_to_what_memory_holds_and_then_stays():
    memory = FakeMemory(free=10_000_000, per_token=1000)
    budget = TokenBudget(None, memory)
    limits = passes(budget, memory, MEASURED_STEPS + 2, tokens=10**9)
    assert limits[:3] == [SAFE_TOKENS, 2 * SAFE_TOKENS, 8000]
    memory.free *= 100
    assert passes(budget, memory, 1, tokens=10**9) == [8000]


def test_a_measured_budget_never_falls_below_what_has_passed():
    memory = FakeMemory(free=1000, per_token=1000)
    assert passes(TokenBudget(None, memory), memory, 3, tokens=10**9) == [SAFE_TOKENS] * 3


def test_running_out_of_memory_halves_a_budget_for_good():
    memory = FakeMemory(free=10**12, per_token=1)
    budget = TokenBudget(None, memory)
    budget.halve(1000)
    assert passes(budget, memory, 3, tokens=10**9) == [500] * 3


def starve(trainer, most_tokens):
    """Let every pass of more tokens than a number run out of memory, in the backward pass."""
    backward = trainer.accelerator.backward
    sizes = []

    def limited(loss, **kwargs):
        backward(loss, **kwargs)
        if sizes[-1] > most_tokens:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    forward = trainer.model.forward

    def watched(micro_batch):
        sizes.append(micro_batch.batch.input_ids.numel())
        return forward(micro_batch)

    trainer.accelerator.backward = limited
    trainer.model.forward = watched
    return sizes


def test_a_step_that_runs_out_of_memory_is_repeated_in_smaller_parts(manifest, tmp_path):
    found = {}
    for name, most in (("roomy", None), ("narrow", 120)):
        trainer, records = make_trainer(manifest, tmp_path / name, num_steps=2), []
        if most is not None:
            starve(trainer, most)
        trainer.follow([Recorder(records.append)])
        found[name] = records
    for roomy, narrow in zip(found["roomy"], found["narrow"], strict=True):
        assert narrow["loss"] == pytest.approx(roomy["loss"], rel=1e-5)
        assert narrow["grad_norm"] == pytest.approx(roomy["grad_norm"], rel=1e-4)
        assert narrow["rows_checksum"] == roomy["rows_checksum"]
        assert narrow["input_tokens"] == roomy["input_tokens"]
        assert (roomy["forward_passes"], narrow["forward_passes"] > 2) == (1, True)


def test_an_utterance_that_does_not_fit_alone_is_named_with_its_step(manifest, tmp_path):
    trainer = make_trainer(manifest, tmp_path, num_steps=2)
    starve(trainer, 0)
    rows = "|".join(map(str, np.unique(trainer._batches.plan.rows[0])))
    with pytest.raises(
        RunError, match=rf"step 1: memory does not hold manifest row ({rows}) alone, of \d+ tokens"
    ):
        trainer.follow()


def test_another_fault_of_a_pass_is_no_lack_of_memory(manifest, tmp_path):
    trainer = make_trainer(manifest, tmp_path)

    def fail(micro_batch):
        raise RuntimeError("shapes do not match")

    trainer.model.forward = fail
    with pytest.raises(RuntimeError, match="shapes do not match"):
        trainer.follow()
