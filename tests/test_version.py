"""Which code a run was made by."""

import subprocess
import sys
import tomllib
from pathlib import Path

from maqam import version
from maqam.train.record import versions

ROOT = Path(__file__).parents[1]


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    command = ["git", "-C", str(folder), *identity, *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def commit_in(folder: Path, monkeypatch) -> str | None:
    monkeypatch.setattr(version, "_CHECKOUT", folder)
    return version.own_commit.__wrapped__()


def make_checkout(folder: Path) -> str:
    git(folder, "init", "-q")
    (folder / "a").write_text("1")
    git(folder, "add", "a")
    git(folder, "commit", "-qm", "a")
    return git(folder, "rev-parse", "HEAD")


def test_a_checkout_tells_its_commit(tmp_path, monkeypatch):
    head = make_checkout(tmp_path)
    git(tmp_path, "tag", "-am", "v", "v1")
    assert commit_in(tmp_path, monkeypatch) == head


def test_a_checkout_whose_files_changed_says_so(tmp_path, monkeypatch):
    head = make_checkout(tmp_path)
    (tmp_path / "a").write_text("2")
    assert commit_in(tmp_path, monkeypatch) == f"{head}-dirty"


def test_the_commit_of_a_user_is_never_taken_for_ours(tmp_path, monkeypatch):
    make_checkout(tmp_path)
    inside = tmp_path / "venv"
    inside.mkdir()
    assert commit_in(inside, monkeypatch) is None


def test_a_run_records_the_commit_beside_the_versions(monkeypatch):
    monkeypatch.setattr("maqam.train.record.own_commit", lambda: "abc")
    assert versions()["maqam commit"] == "abc"
    monkeypatch.setattr("maqam.train.record.own_commit", lambda: None)
    assert "maqam commit" not in versions()


def test_the_command_prints_the_version_of_the_project():
    code = "import sys; from maqam.cli.main import run; sys.argv[1:] = ['--version']; run()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert done.stdout.startswith(f"maqam {project['version']} (")
