"""What the base package does alone, and what it says where an extra is missing."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from maqam import extras
from maqam.data import audio
from maqam.errors import MissingExtraError
from tests.factories import make_tone

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
OPTIONAL = PROJECT["optional-dependencies"]
ABSENT = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {sorted(extras.EXTRA_OF)}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""


def distribution(requirement: str) -> str:
    return re.match(r"[\w.-]+", requirement)[0].lower().replace("_", "-")


def imported_libraries() -> set[str]:
    """Return the top names of everything `src` imports that is not Python's own."""
    found = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "extras.load":
                found.add(ast.literal_eval(node.args[0]).partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"maqam"}


def test_every_library_that_is_imported_is_declared_in_the_base_or_in_its_extra():
    base = {distribution(one) for one in PROJECT["dependencies"]}
    known = {
        name: {one.lower() for one in found} for name, found in packages_distributions().items()
    }
    by_the_user = {"datasets"}  # named in the templates of exports, asked for by one importer
    with_pydantic = {"pydantic_core"}  # one exact version comes with each pydantic
    for library in imported_libraries() - by_the_user - with_pydantic:
        brings = known[library]
        extra = extras.EXTRA_OF.get(library)
        declared = base if extra is None else {distribution(one) for one in OPTIONAL[extra]}
        assert {one.replace("_", "-") for one in brings} & declared, f"{library} of {extra}"


def test_all_is_every_extra_of_a_user():
    (whole,) = OPTIONAL["all"]
    names = set(whole.removeprefix("maqam[").removesuffix("]").split(","))
    assert names == set(extras.EXTRA_OF.values())
    assert names == set(OPTIONAL) - {"all", "dev", "docs", "bench"}


def test_the_base_has_at_most_eight_dependencies():
    assert len(PROJECT["dependencies"]) <= 8


@pytest.mark.slow
def test_the_base_imports_checks_and_plans_without_any_extra(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(ABSENT, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(ROOT / "src")])
    done = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "base.py")],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "without an extra" in done.stdout


def test_a_library_that_is_not_installed_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(MissingExtraError, match="soxr is not installed") as failure:
        extras.load("soxr")
    assert failure.value.hint == "pip install 'maqam[audio]'"


def test_a_module_of_no_extra_stays_an_error_of_python():
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        extras.load("no_such_module")


def test_without_libsndfile_the_length_of_a_plain_wav_is_the_same(tmp_path, monkeypatch):
    file = make_tone(tmp_path / "a.wav", seconds=1.25, sample_rate=44_100)
    known = audio.audio_seconds(file)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    assert audio.audio_seconds(file) == known


def test_without_libsndfile_another_format_names_the_extra(tmp_path, monkeypatch):
    file = make_tone(tmp_path / "a.flac")
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingExtraError, match="only plain WAV headers") as failure:
        audio.audio_seconds(file)
    assert failure.value.hint == "pip install 'maqam[audio]'"
