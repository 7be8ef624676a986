import numpy as np
import pytest
import torch
import torch.nn.functional as F

from maqam.models.audio_states import EncodedStates
from maqam.models.freezing import train_only
from maqam.models.loading import load_backbone
from maqam.models.settings import ModelSettings
from maqam.train.batches import PlanBatches
from maqam.train.ctc import spell
from maqam.train.log_mels import LogMels
from maqam.train.objective import TrainingModel, spelling_embeddings, utterance_weights
from maqam.train.rows import prepare_rows
from maqam.train.settings import Objective
from tests.models import tiny

from .corpus import load_step, make_plan

TASKS = ["asr", "asr", "did", "did", "did", "ssum"]
TOKENS = np.array([10, 6, 2, 2, 2, 60])


@pytest.mark.parametrize("normalize", ["token", "utterance", "task"])
@pytest.mark.parametrize("weights", [{}, {"did": 3.0, "ssum": 0.5}])
def test_the_shares_of_a_batch_sum_to_one(normalize, weights):
    shares = utterance_weights(TASKS, TOKENS, Objective(normalize, weights)) * TOKENS
    assert shares.sum() == pytest.approx(1.0)


def test_by_token_a_summary_outweighs_thirty_labels():
    shares = utterance_weights(TASKS, TOKENS, Objective("token")) * TOKENS
    assert shares[5] == pytest.approx(30 * shares[2])


def test_by_utterance_all_weigh_the_same_and_weights_multiply():
    shares = utterance_weights(TASKS, TOKENS, Objective("utterance", {"did": 2.0})) * TOKENS
    assert np.allclose(shares, np.array([1, 1, 2, 2, 2, 1]) / 9)


def test_by_task_each_task_present_weighs_the_same():
    shares = utterance_weights(TASKS, TOKENS, Objective("task", {"ssum": 2.0})) * TOKENS
    assert np.allclose(shares, [1 / 8, 1 / 8, 1 / 12, 1 / 12, 1 / 12, 1 / 2])


def make_batches(backbone, manifest, objective, *, encodes):
    plan = make_plan(np.arange(manifest.num_utterances), num_steps=1, batch_size=12)
    prepared = prepare_rows(backbone.dialogue, manifest, plan.rows)
    log_mels = LogMels(backbone, manifest, prepared.rows)
    transcripts = spell(prepared, ["asr"]) if objective.ctc_weight else None
    return PlanBatches(
        backbone=backbone,
        plan=plan,
        prepared=prepared,
        objective=objective,
        audio_states=None if encodes else EncodedStates(backbone, log_mels),
        log_mels=log_mels if encodes else None,
        transcripts=transcripts,
    )


def gradient(learner, batches, max_tokens=None, **split):
    """Return the summed loss of a step and its gradient by parameter."""
    learner.zero_grad()
    total = 0.0
    for micro_batch in load_step(batches, 0, max_tokens, **split).micro_batches:
        loss, _, _ = learner(micro_batch)
        loss.backward()
        total += loss.item()
    named = learner.named_parameters()
    return total, {name: one.grad.clone() for name, one in named if one.grad is not None}


def test_the_loss_is_that_of_full_logits(backbone, manifest):
    batches = make_batches(backbone, manifest, Objective("token"), encodes=False)
    micro_batch = load_step(batches).micro_batches[0]
    loss, by_utterance, ctc = TrainingModel(backbone)(micro_batch)
    logits = backbone.logits(backbone.hidden(micro_batch.batch))
    labels = micro_batch.batch.input_ids.clone()
    columns = torch.arange(labels.shape[1])
    labels[columns < micro_batch.batch.target_starts[:, None]] = -100
    labels[columns >= micro_batch.batch.lengths[:, None]] = -100
    expected = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    num_targets = int((labels != -100).sum())
    assert by_utterance.sum().item() / num_targets == pytest.approx(expected.item(), rel=1e-5)
    assert ctc.item() == 0.0


@pytest.mark.parametrize("normalize", ["token", "utterance", "task"])
def test_a_gradient_is_the_same_for_any_split_into_micro_batches(backbone, manifest, normalize):
    objective = Objective(normalize, {"did": 2.0}, ctc_weight=0.5)
    train_only(backbone, ("encoder", "aligner", "llm"))
    batches = make_batches(backbone, manifest, objective, encodes=True)
    alphabet = batches.transcripts.alphabet
    learner = TrainingModel(backbone, letters=alphabet, ctc_weight=0.5, encodes=True)
    whole_loss, whole = gradient(learner, batches)
    largest = max(one.abs().max() for one in whole.values())
    for num_micro_batches, max_tokens in ((2, None), (3, None), (12, None), (1, 200), (2, 90)):
        split = {"num_micro_batches": num_micro_batches}
        loss, parts = gradient(learner, batches, max_tokens, **split)
        assert loss == pytest.approx(whole_loss, rel=1e-5)
        assert parts.keys() == whole.keys()
        for name, one in parts.items():
            assert (one - whole[name]).abs().max() <= 1e-5 * largest, name


def test_processes_share_a_step_without_changing_its_gradient(backbone, manifest):
    train_only(backbone, ("llm",))
    batches = make_batches(backbone, manifest, Objective("task"), encodes=False)
    learner = TrainingModel(backbone)
    whole_loss, whole = gradient(learner, batches)
    losses, sums = 0.0, {}
    for rank in range(3):
        split = {"rank": rank, "world_size": 3, "num_micro_batches": 2}
        loss, parts = gradient(learner, batches, **split)
        losses += loss
        sums = {name: sums.get(name, 0) + one for name, one in parts.items()}
    assert losses == pytest.approx(whole_loss, rel=1e-5)
    largest = max(one.abs().max() for one in whole.values())
    assert all((sums[name] - one).abs().max() <= 1e-5 * largest for name, one in whole.items())


def test_the_ctc_loss_is_added_and_reaches_the_encoder(backbone, manifest):
    train_only(backbone, ("encoder", "aligner"))
    objective = Objective(ctc_weight=1.0)
    batches = make_batches(backbone, manifest, objective, encodes=True)
    learner = TrainingModel(
        backbone, letters=batches.transcripts.alphabet, ctc_weight=1.0, encodes=True
    )
    loss, by_utterance, ctc = learner(load_step(batches).micro_batches[0])
    shares = by_utterance * load_step(batches).micro_batches[0].weights
    assert loss.item() == pytest.approx((shares.sum() + ctc).item(), rel=1e-5)
    loss.backward()
    assert backbone.model.model.audio_tower.conv1.weight.grad.abs().sum() > 0


def test_without_the_llm_the_loss_is_that_of_ctc(backbone, manifest):
    train_only(backbone, ("encoder", "aligner"))
    batches = make_batches(backbone, manifest, Objective(ctc_weight=0.5), encodes=True)
    letters = batches.transcripts.alphabet
    learner = TrainingModel(backbone, letters=letters, ctc_weight=0.5, encodes=True, runs_llm=False)
    micro_batch = load_step(batches).micro_batches[0]
    loss, by_utterance, ctc = learner(micro_batch)
    assert loss.item() == pytest.approx(0.5 * ctc.item(), rel=1e-6)
    assert (by_utterance > 0).tolist() == (micro_batch.ctc.lengths > 0).tolist()
    shares = by_utterance * micro_batch.ctc.weights
    assert shares.sum().item() == pytest.approx(ctc.item(), rel=1e-5)
    whole_loss, whole = gradient(learner, batches)
    parts = {name.split(".")[0 if name.startswith("ctc_head") else 2] for name in whole}
    assert parts == {"audio_tower", "ctc_head"}
    split_loss, split = gradient(learner, batches, num_micro_batches=2)
    assert split_loss == pytest.approx(whole_loss, rel=1e-5)
    largest = max(one.abs().max() for one in whole.values())
    assert all((split[name] - one).abs().max() <= 1e-5 * largest for name, one in whole.items())


def test_without_the_llm_and_ctc_there_is_nothing_to_learn_from(backbone):
    with pytest.raises(ValueError, match="there is the CTC loss only"):
        TrainingModel(backbone, encodes=True, runs_llm=False)


def test_a_frozen_encoder_stays_without_dropout_while_the_llm_trains(backbone):
    frozen, heard = TrainingModel(backbone).train(), backbone.model.model.audio_tower
    assert frozen.training
    assert not heard.training
    TrainingModel(backbone, encodes=True).train()
    assert heard.training


def test_a_ctc_head_of_embeddings_tells_its_letters_and_never_trains(backbone):
    letters = np.unique(backbone.dialogue.tokenizer.encode("نعم لا").ids)
    shown = spelling_embeddings(backbone, letters)
    assert torch.allclose(shown.square().mean(-1), torch.ones(len(letters) + 1), atol=1e-4)
    head = TrainingModel(backbone, letters=letters, ctc_head="embeddings", encodes=True).ctc_head
    assert head(shown).argmax(-1).tolist() == list(range(len(letters) + 1))
    assert not any(one.requires_grad for one in head.parameters())
    linear = TrainingModel(backbone, letters=letters, encodes=True).ctc_head
    assert all(one.requires_grad for one in linear.parameters())


def test_statistics_for_normalising_stay_the_checkpoint_s_while_the_encoder_trains(tmp_path):
    tiny.GRANITE_SPEECH.make(tmp_path)
    backbone = load_backbone(ModelSettings("auto", str(tmp_path)))
    learner = TrainingModel(backbone, encodes=True).train()
    before = {name: one.clone() for name, one in learner.named_buffers() if "running" in name}
    frames = backbone.dialogue.front_end.frames(np.ones(16_000, dtype=np.float32))
    backbone.encode_audio([frames])
    after = dict(learner.named_buffers())
    assert before
    assert all(torch.equal(one, after[name]) for name, one in before.items())
    assert backbone.model.get_submodule("model.encoder.layers.0.conv.dropout").training
