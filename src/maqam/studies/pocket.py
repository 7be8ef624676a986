"""Building the pocket backbone: phase 1 of our own recipe, from random weights.

There is no pretrained LLM of this size to adapt, so the LLM trains in full beside encoder and
aligner, with the auxiliary CTC loss that keeps it from learning the text and ignoring the audio.
The training split is a larger draw of the embedded corpus; development and test splits are those of
the embedded corpus itself, whose speakers and sentences no training split of it shares.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from maqam.data.manifest import Manifest, read_manifest
from maqam.data.pool import pool_from_manifest
from maqam.data.synth.corpus import make_corpus
from maqam.evaluate.run import Evaluation, evaluate_rows
from maqam.models.backbone import Backbone
from maqam.models.hearing import online_states
from maqam.models.pocket import VOCABULARY_SIZE, new_pocket, save_pocket
from maqam.models.qwen_omni import own_device
from maqam.recipe import Recipe, dump_yaml, validate
from maqam.schedule import compile
from maqam.seeding import derive
from maqam.studies.files import write_text
from maqam.studies.progress import Bars
from maqam.tasks import TASKS
from maqam.train.phases import Phase, run_phase

RECIPE: Mapping[str, Any] = {
    "name": "phase1",
    "data": {"synth": {"train": {"asr": 12_000}}},
    "schedule": {"kind": "uniform"},
    "objective": {"ctc_weight": 1.0},
    "train": {
        "phase": "align",
        "llm": "full",
        "num_steps": 6000,
        "batch_size": 16,
        "micro_batches": 2,
        "learning_rate": 2e-3,
        "warmup": 0.05,
        "decay": 0.4,
        "beta2": 0.98,
        "checkpoint_steps": 200,
        "augment": {"warp": 0.12, "frequency_masks": 2, "time_masks": 2},
    },
}


def build(
    output: Path, work: Path, bars: Bars, *, overrides: Sequence[str] = (), resume: bool = False
) -> Path:
    """Train the pocket backbone and write it as a plain checkpoint with its card.

    Args:
        output: Folder of the checkpoint.
        work: Folder of the corpus and the run; reused when it holds them.
        bars: Opens a progress bar for a stage.
        overrides: Settings `key.sub=value` on top of the recipe.
        resume: Whether to go on from the last whole checkpoint of the run.

    Returns:
        The card, a Markdown file in `output`.
    """
    recipe = validate({**RECIPE, "output": str(work)}, overrides, where="pocket")
    with bars("speak the corpus") as progress:
        manifest = read_manifest(make_corpus(work / "corpus", recipe.data.synth, progress=progress))
    backbone = new_pocket(_texts(manifest), derive(recipe.seed, "pocket weights"))
    backbone.model.to(own_device())
    rows = manifest.select(split="train", task="asr")
    plan = compile(
        recipe.schedule,
        pool_from_manifest(manifest, rows),
        steps=recipe.train.num_steps,
        batch_size=recipe.train.batch_size,
        seed=recipe.seed,
    )
    phase = Phase(manifest, plan, recipe.train, recipe.objective, recipe.seed)
    with bars("train encoder, aligner, LLM") as progress:
        run_phase(backbone, phase, recipe.folder, resume=resume, progress=progress)
    scores = _scores(backbone, manifest, recipe, bars)
    save_pocket(backbone, output)
    card = output / "README.md"
    write_text(card, _card(recipe, manifest, scores))
    return card


def _texts(manifest: Manifest) -> list[str]:
    """Give what the tokenizer is trained on: every training target and prompt, once, in order."""
    texts = [str(text) for text in manifest.column("target")[manifest.select(split="train")]]
    prompts = [prompt for task in TASKS.values() for prompt in task.prompts.values()]
    labels = [label for task in TASKS.values() for label in task.labels]
    return list(dict.fromkeys([*prompts, *labels, *texts]))


def _scores(
    backbone: Backbone, manifest: Manifest, recipe: Recipe, bars: Bars
) -> Mapping[str, Any]:
    rows = manifest.select(split="test", task="asr")
    states = online_states(backbone, manifest)
    with bars("score the test split") as progress:
        return evaluate_rows(
            backbone,
            manifest,
            rows,
            recipe.folder / "eval" / "test",
            Evaluation(recipe.score, states, recipe.seed),
            progress=progress,
        )


def _card(recipe: Recipe, manifest: Manifest, scores: Mapping[str, Any]) -> str:
    hours = manifest.column("seconds")[manifest.select(split="train", task="asr")].sum() / 3600
    rows = [
        f"| {row['metric']} | {row['group']} | {row['profile']} | {100 * row['value']:.1f} % | "
        f"{100 * row['low']:.1f} to {100 * row['high']:.1f} | {row['num_utterances']} |"
        for row in scores["scores"]
        if row["metric"] in ("wer", "cer") and row["low"] is not None
    ]
    return CARD.format(
        hours=hours,
        utterances=len(manifest.select(split="train", task="asr")),
        steps=recipe.train.num_steps,
        rows="\n".join(rows),
        recipe=dump_yaml(recipe.model_copy(update={"output": "runs/pocket"})),
        tokens=VOCABULARY_SIZE,
        fingerprint=manifest.fingerprint,
    )


CARD = """\
# The pocket audio LLM

`Qwen2_5OmniThinkerForConditionalGeneration` with about 5 M parameters: 2.1 M encoder, 0.05 M
aligner, 2.4 M LLM with tied embeddings, byte-level BPE of {tokens} tokens, chat and audio tokens of
Qwen2.5-Omni. Weights are in half precision.

**All its training speech is synthetic** (eSpeak NG), so it understands the embedded corpus and
nothing else. It is a stand-in that lets every part of Maqam run on a laptop, not a model of Arabic.

## How it was made

    maqam pocket build -o DIR

Phase 1 from random weights: {utterances} utterances ({hours:.1f} h) of speech recognition,
{steps} steps, encoder, aligner and LLM in full, with an auxiliary CTC loss on the aligner outputs
whose head is dropped afterwards. Corpus fingerprint `{fingerprint}`.

## What it scores

Test split of the embedded corpus: speakers and sentences that no training split of it holds; half
of it noisy (8 to 30 dB).

| score | group | profile | value | 95 % interval | utterances |
|---|---|---|---|---|---|
{rows}

## Recipe

```yaml
{recipe}```
"""
