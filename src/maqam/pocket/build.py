"""Building the pocket backbone: phase 1 of our own recipe, from random weights.

There is neither a pretrained encoder nor a pretrained LLM of this size, so it is trained in stages:

1. The LLM learns to copy text, so that it uses what stands in front of its answer.
2. Encoder and aligner learn letters by CTC, on log-mels as they are: with augmentation CTC does not
   find its letters.
3. They go on by CTC over the LLM's token embeddings, so that aligner outputs mean letters to it.
4. All parts train together with augmentation: without it the model overfits the training voices.

Dialects are dealt by the square root of their size, because the test split holds as much of each.
The training split is a larger draw of the embedded corpus; development and test splits are those of
the embedded corpus itself, whose speakers and sentences no training split of it shares.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from maqam.data.manifest import Manifest, read_manifest
from maqam.data.pool import pool_from_manifest
from maqam.errors import ConfigError
from maqam.evaluate.run import Evaluation, evaluate_rows
from maqam.files import write_text
from maqam.models.audio_states import encoded_states
from maqam.models.checkpoint import POCKET_FAMILY
from maqam.models.loading import own_device
from maqam.models.pocket import VOCABULARY_SIZE, new_pocket, save_pocket
from maqam.models.protocol import AudioLLM
from maqam.pocket.copy_pretraining import Copying, learn_to_copy
from maqam.progress import Bars
from maqam.recipe import Recipe, dump_yaml, validate
from maqam.run_layout import RunLayout
from maqam.schedule import make_plan
from maqam.seeding import derive
from maqam.synth.corpus import make_corpus
from maqam.train.phases import Phase, run_phase

RECIPE: Mapping[str, Any] = {
    "name": "encoder",
    "data": {"synth": {"train": {"asr": 30_000}, "num_speakers": [900, 5, 7]}},
    "schedule": {"kind": "alpha", "alpha": 0.5, "axis": "dialect"},
    "objective": {"ctc_weight": 1.0},
    "train": {
        "phase": "align",
        "llm": "off",
        "num_steps": 2500,
        "batch_size": 128,
        "micro_batches": 4,
        "learning_rate": 2e-3,
        "warmup": 0.05,
        "decay": 0.0,
        "beta2": 0.98,
        "checkpoint_steps": 500,
        "mixed_precision": True,
        "augment": {"warp": 0.1, "frequency_masks": 2, "time_masks": 2},
    },
}


def build(
    output: Path,
    work: Path,
    bars: Bars,
    *,
    overrides: Sequence[str] = (),
    resume: bool = False,
    copying: Copying = Copying(),  # noqa: B008
) -> Path:
    """Train the pocket backbone and write it as a plain checkpoint with its card.

    Args:
        output: Folder of the checkpoint.
        work: Folder of the corpus, of the LLM that can copy and of a run for each stage; corpus and
            LLM are reused when it holds them.
        bars: Opens a progress bar for a stage.
        overrides: Settings `key.sub=value` on top of the recipe of the first stage, from which
            those of the others follow; `train.augment` is how log-mels vary in the last.
        resume: Whether to go on from the last whole checkpoint of a stage; copying has none.
        copying: How the LLM learns to copy before it hears anything.

    Returns:
        The card, a Markdown file in `output`.

    Raises:
        ConfigError: If an override gives a stage that is not valid, or two of one name.
        RunError: As `run_phase` and `learn_to_copy`.
    """
    recipe = validate({**RECIPE, "output": str(work)}, overrides, where="pocket")
    stages = _stages(recipe)
    with bars("generate the corpus") as progress:
        manifest = read_manifest(make_corpus(work / "corpus", recipe.data.synth, progress=progress))
    backbone = new_pocket(training_texts(manifest), derive(recipe.seed, "pocket weights"))
    backbone.model.to(own_device())
    rows = manifest.select(split="train", task="asr")
    with bars("teach the LLM to copy") as progress:
        dialogues = [row["messages"] for row in manifest.rows(rows)]
        learn_to_copy(backbone, dialogues, work / "copying", copying, recipe.seed, progress)
    for stage in stages:
        plan = make_plan(
            stage.schedule,
            pool_from_manifest(manifest, rows),
            steps=stage.train.num_steps,
            batch_size=stage.train.batch_size,
            seed=stage.seed,
        )
        phase = Phase(manifest, plan, stage.train, stage.objective, stage.seed)
        with bars(f"train {stage.name}") as progress:
            run_phase(backbone, phase, stage.folder, resume=resume, progress=progress)
    scores = _scores(backbone, manifest, stages[-1], bars)
    save_pocket(backbone, output)
    card = output / "README.md"
    write_text(card, _card(recipe, copying, manifest, scores, _machine(backbone.device)))
    return card


def _stages(recipe: Recipe) -> list[Recipe]:
    """Return the stages: a new CTC head, then the LLM's embeddings, then the LLM, log-mels varied.

    The second only has to turn what the first learned, and does so within a few hundred steps.
    """
    train = recipe.train
    plain: dict[str, Any] = {"augment": {}}
    slower = {"learning_rate": train.learning_rate / 2}
    turning = {"num_steps": max(1, round(0.3 * train.num_steps)), "decay": 0.6}
    stages = [
        _stage(recipe, recipe.name, recipe.objective.ctc_head, plain),
        _stage(recipe, "embeddings", "embeddings", plain | slower | turning),
        _stage(recipe, "all", "embeddings", slower | {"llm": "full", "decay": 1.0 - train.warmup}),
    ]
    if recipe.name in ("corpus", "copying", "embeddings", "all"):
        raise ConfigError(
            f"{recipe.name!r} is the name of another folder of the build",
            where="name",
            hint="give the first stage another name",
        )
    return stages


def _stage(recipe: Recipe, name: str, ctc_head: str, train: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a stage: another name, CTC head and training settings."""
    values = recipe.model_dump()
    values["name"] = name
    values["objective"]["ctc_head"] = ctc_head
    values["train"] |= train
    return validate(values, where="pocket")


def training_texts(manifest: Manifest) -> list[str]:
    """Return what a tokenizer is trained on: every training target and prompt, once, in order."""
    texts = [str(text) for text in manifest.column("target")[manifest.select(split="train")]]
    prompts = [prompt for task in manifest.tasks.values() for prompt in task.prompts.values()]
    labels = [label for task in manifest.tasks.values() for label in task.labels]
    return list(dict.fromkeys([*prompts, *labels, *texts]))


def _scores(
    backbone: AudioLLM, manifest: Manifest, recipe: Recipe, bars: Bars
) -> Mapping[str, Any]:
    rows = manifest.select(split="test", task="asr")
    states = encoded_states(backbone, manifest)
    with bars("score the test split") as progress:
        return evaluate_rows(
            backbone,
            manifest,
            rows,
            RunLayout(recipe.folder).evaluation("test").folder,
            Evaluation(recipe.score, states, recipe.seed),
            progress=progress,
        )


def _machine(device: torch.device) -> str:
    """Name what computed."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "a processor"
    return f"{name} with PyTorch {torch.__version__}"


def _card(
    recipe: Recipe,
    copying: Copying,
    manifest: Manifest,
    scores: Mapping[str, Any],
    machine: str,
) -> str:
    hours = manifest.column("seconds")[manifest.select(split="train", task="asr")].sum() / 3600
    rows = [
        f"| {row['metric']} | {row['group']} | {row['profile']} | {100 * row['value']:.1f} % | "
        f"{100 * row['low']:.1f} to {100 * row['high']:.1f} | {row['num_utterances']} |"
        for row in scores["scores"]
        if row["metric"] in ("wer", "cer") and row["low"] is not None
    ]
    table = [
        f"| {stage.name} | {', '.join(stage.train.trainable_parts)} "
        f"| {stage.train.num_steps} x {stage.train.batch_size} "
        f"| {stage.train.learning_rate:g} | {stage.train.decay:g} | {stage.objective.ctc_head} "
        f"| {'varied' if stage.train.augment.is_on else 'as they are'} |"
        for stage in _stages(recipe)
    ]
    return CARD.format(
        hours=hours,
        utterances=len(manifest.select(split="train", task="asr")),
        copying=copying,
        stages="\n".join(table),
        rows="\n".join(rows),
        recipe=dump_yaml(recipe.model_copy(update={"output": "runs/pocket"})),
        machine=machine,
        tokens=VOCABULARY_SIZE,
        family=POCKET_FAMILY,
        fingerprint=manifest.fingerprint,
    )


CARD = """\
# The pocket audio LLM

`{family.architecture}` with about 5 M parameters: 2.1 M encoder, 0.05 M
aligner, 2.9 M LLM with tied embeddings, byte-level BPE of {tokens} tokens, chat and audio tokens of
{family.title}. Weights are in half precision.

**All its training speech is synthetic** (eSpeak NG), so it understands the embedded corpus and
nothing else. It is a stand-in that lets every part of Maqam run on a laptop, not a model of Arabic.

## How it was made

    maqam pocket build -o DIR

Phase 1 from random weights, on {utterances} utterances ({hours:.1f} h) of speech recognition with
the corpus fingerprint `{fingerprint}`. First the LLM learns to copy, in {copying.num_steps} steps
of {copying.batch_size} strings that are shown to it as its own token embeddings, stretched, parted
by blanks and blurred: it learns where to look before what it sees is worth a look. Then come three
stages with a CTC loss on the aligner outputs, whose head is dropped afterwards; the last has the
next-token loss too.

| stage | trains | steps x utterances | learning rate | decay | CTC head | log-mels |
|---|---|---|---|---|---|---|
{stages}

`embeddings` are those of the LLM: what the aligner gives becomes what the LLM learned to copy.
Varied are log-mels whose frequencies are warped and of which bands and spans are masked.

The last stage was computed on {machine}.
Data and plans are the same on every machine, but not the rounding of sums: a build elsewhere gives
other weights.

## What it scores

Test split of the embedded corpus: speakers and sentences that no training split of it holds; half
of it noisy (8 to 30 dB).

| score | group | profile | value | 95 % interval | utterances |
|---|---|---|---|---|---|
{rows}

## Recipe

The first stage follows it, without `augment`; the others differ from it as the table says.

```yaml
{recipe}```
"""
