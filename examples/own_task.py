"""A task of one's own, by YAML alone: which language is spoken? From files to a plan.

Run it in an empty folder:  python examples/own_task.py
"""

import wave
from pathlib import Path

from maqam.cli.main import main
from maqam.data.manifest import read_manifest
from maqam.data.pool import pool_from_manifest
from maqam.schedule import Ads, make_plan

TASKS = """
lid:
  title: spoken language identification
  prompts: {en: Which language is spoken?, ar: ما اللغة؟}
  input: audio
  labels: [arabic, english, french]
  level: 2
"""

# The corpus: a table of clips (silence here), and the task beside it.
corpus = Path("clips")
corpus.mkdir()
(corpus / "tasks.yaml").write_text(TASKS, encoding="utf-8")
lines = ["audio,label,split"]
for index in range(60):
    with wave.open(str(corpus / f"{index}.wav"), "wb") as clip:
        clip.setparams((1, 2, 16_000, 0, "NONE", ""))
        clip.writeframes(bytes(32_000))
    language = ("arabic", "arabic", "arabic", "english", "french")[index % 5]
    lines.append(f"{index}.wav,{language},train")
(corpus / "table.csv").write_text("\n".join(lines), encoding="utf-8")

main(["data", "import", "table", "clips/table.csv", "-o", "manifest", "--task", "lid"])

manifest = read_manifest("manifest")
pool = pool_from_manifest(manifest, manifest.select(split="train"))
plan = make_plan(Ads(axes=("task", "label")), pool, steps=5, batch_size=9, seed=0)
shares = plan.shares["label"]
for step in range(plan.num_steps):
    counts = dict(zip(shares.names, shares.counts[step].tolist(), strict=True))
    print(f"step {step}: {counts}")
