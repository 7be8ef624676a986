"""What `pip install maqam` alone can do, run in an environment that has none of its extras.

It makes a small corpus, imports it, checks it, plans over it, and sees that what needs an extra
says so in one line. Run it by the Python of such an environment.
"""

import json
import subprocess
import sys
import tempfile
import wave
from pathlib import Path

MAQAM = "from maqam.cli.main import run; run()"
NUM_ROWS = 40
RECIPE = """
name: base
output: runs
data: {manifest: corpus}
schedule: {kind: uniform}
train: {num_steps: 5, batch_size: 8, micro_batches: 1}
"""


def main() -> None:
    """Run every command of the base, then some that need more."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = write_corpus(folder)
        works(folder, "--help")
        works(folder, "data", "import", "nemo", rows, "-o", "corpus", "--task", "asr")
        works(folder, "data", "check", "corpus", "--no-read")
        works(folder, "data", "stats", "corpus")
        (folder / "recipe.yaml").write_text(RECIPE, encoding="utf-8")
        works(folder, "plan", "recipe.yaml")
        works(folder, "plan", "show", "runs/base")
        works(folder, "plan", "diff", "runs/base", "runs/base")
        works(folder, "plan", "verify", "runs/base")
        works(folder, "plan", "export", "runs/base", "--to", "ms-swift", "-o", "exported")
        needs("train", folder, "train", "recipe.yaml")
        needs("audio", folder, "data", "check", "corpus")
        needs("report", folder, "report", "runs")
        needs("score", folder, "compare", "runs")
    print("the base plans, checks and imports without an extra")


def write_corpus(folder: Path) -> str:
    """Write clips of silence and the JSON lines that name them; return the name of the file."""
    lines = []
    for index in range(NUM_ROWS):
        with wave.open(str(folder / f"{index}.wav"), "wb") as sound:
            sound.setparams((1, 2, 16_000, 0, "NONE", ""))
            sound.writeframes(bytes(2 * 1600 * (1 + index % 5)))
        lines.append(json.dumps({"audio_filepath": f"{index}.wav", "text": f"كلام {index}"}))
    (folder / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return "rows.jsonl"


def called(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of Maqam in a folder."""
    command = [sys.executable, "-c", MAQAM, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def works(folder: Path, *words: str) -> None:
    """Hold that a command succeeds."""
    done = called(folder, *words)
    if done.returncode:
        sys.exit(f"maqam {' '.join(words)}: exit code {done.returncode}\n{done.stderr}")


def needs(extra: str, folder: Path, *words: str) -> None:
    """Hold that a command names the extra that it needs, without a traceback."""
    done = called(folder, *words)
    hint = f"hint: pip install 'maqam[{extra}]'"
    if done.returncode != 1 or hint not in done.stderr or "Traceback" in done.stderr:
        sys.exit(f"maqam {' '.join(words)}: not the hint of {extra!r}\n{done.stderr}")


if __name__ == "__main__":
    main()
