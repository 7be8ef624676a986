"""Who may import whom, held by reading the source."""

import ast
import functools
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from maqam.run_layout import EvaluationLayout, PlanLayout, RunLayout, StudyLayout

TESTS = Path(__file__).parent
SOURCE = TESTS.parent / "src" / "maqam"
LAYERS = (  # lowest first; packages of one layer do not know each other
    ("errors",),
    ("yaml_files",),
    (
        "extras",
        "files",
        "progress",
        "seeding",
        "settings_file",
        "user_functions",
        "version",
    ),
    ("run_layout", "taxonomy"),
    ("tasks",),
    ("schedule", "text"),
    ("data",),
    ("score", "models"),
    ("corpora", "export", "inspection", "pooling", "synth"),
    ("evaluate", "features", "train"),
    ("diagnose",),
    ("recipe",),
    ("runs",),
    ("deploy", "report"),
    ("pocket", "studies"),
    ("cli",),
)
FLOOR = {package: floor for floor, packages in enumerate(LAYERS) for package in packages}
HEAVY = ("torch", "transformers", "peft", "accelerate")
WITHOUT_TORCH = (
    "maqam.schedule",
    "maqam.text.profiles",
    "maqam.inspection.checks",
    "maqam.data.pool",
    "maqam.score.comparison.methods",
    "maqam.recipe",
    "maqam.runs.plans",
    "maqam.runs.rescoring",
    "maqam.runs.systems",
    "maqam.report.page",
    "maqam.train.settings",
    "maqam.features.settings",
    "maqam.models.settings",
    "maqam.diagnose.settings",
)
DOORS = ("maqam.synth.espeak",)  # of what an extra installs
NAMED_ALIKE = {  # files of another kind
    "features/store.py": {"rows.npy", "offsets.npy"},
    "report/page.py": {"report.html"},  # a template
    "cli/report.py": {"report.html"},  # where the user is asked
}
MODULES = sorted(SOURCE.rglob("*.py"))
LONGEST_MODULE = 400
LARGEST_PACKAGE = 14


def _name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                is_module = (SOURCE.parent / Path(*whole.split("."))).with_suffix(".py").exists()
                is_package = (SOURCE.parent / Path(*whole.split("."))).is_dir()
                yield whole if is_module or is_package else node.module


def _package(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_a_module_imports_from_lower_layers_and_its_own_package_only() -> None:
    upward = []
    for path in MODULES:
        own = _package(_name(path))
        for imported in _imports(_tree(path)) if own else ():
            other = _package(imported) if imported.startswith("maqam.") else ""
            if other and other != own and FLOOR[other] >= FLOOR[own]:
                upward.append(f"{_name(path)} imports {imported}")
    assert upward == []


def test_the_contributors_page_prints_the_layers_as_they_are_here() -> None:
    page = (SOURCE.parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    printed = "\n".join(" ".join(packages) for packages in reversed(LAYERS))
    assert f"```\n{printed}\n```" in page


def test_imports_stand_at_the_top_but_for_the_command_line() -> None:
    inside = []
    for path in MODULES:
        if _package(_name(path)) == "cli" or _name(path) in DOORS:
            continue
        for function in ast.walk(_tree(path)):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                nodes = ast.walk(function)
                if any(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes):
                    inside.append(f"{_name(path)}.{function.name}")
        if "TYPE_CHECKING" in path.read_text(encoding="utf-8"):
            inside.append(f"{_name(path)}: TYPE_CHECKING")
    assert inside == []


def test_docstrings_begin_with_what_is_returned_or_done() -> None:
    wrong = []
    for path in MODULES:
        for node in ast.walk(_tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                text = ast.get_docstring(node) or ""
                if text.startswith(("Give ", "Gives ")):
                    wrong.append(f"{_name(path)}:{node.lineno}: write Return, Yield, Compute ...")
    assert not wrong


def test_a_module_fits_in_a_sitting() -> None:
    lengths = {_name(path): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_a_package_fits_on_a_page() -> None:
    for folder in SOURCE.rglob("*"):
        if folder.is_dir():
            modules = [p for p in folder.glob("*.py") if p.name != "__init__.py"]
            assert len(modules) <= LARGEST_PACKAGE, folder


def test_no_other_module_has_a_way_of_its_own_to_write_whole_files():
    own = ("cannot be written: {", ".tmp", ".partial", "os.getpid")
    found = [
        (path.relative_to(SOURCE).as_posix(), words)
        for path in SOURCE.rglob("*.py")
        for words in own
        if path != SOURCE / "files.py" and words in path.read_text(encoding="utf-8")
    ]
    assert found == [("train/checkpoints.py", "cannot be written: {")]  # of torch's own errors


def _layout_names() -> set[str]:
    """Return the name of everything a layout knows."""
    place = Path("place")
    layouts = (
        PlanLayout(place),
        EvaluationLayout(place),
        RunLayout(place),
        StudyLayout(place),
    )
    paths = [
        value.folder if isinstance(value, PlanLayout) else value
        for layout in layouts
        for name in dir(type(layout))
        if isinstance(getattr(type(layout), name), property)
        for value in [getattr(layout, name)]
        if isinstance(value, Path | PlanLayout)
    ]
    return {part for path in paths for part in path.parts if part != "place"} | {"judge.json"}


def _spelled(path: Path, known: set[str]) -> list[str]:
    """Return the known names that a module spells: files anywhere, folders where a path is made."""
    found = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            node = node.right
            if isinstance(node, ast.Constant) and node.value in known:
                found.append(node.value)
        elif isinstance(node, ast.Constant) and node.value in known and "." in str(node.value):
            found.append(node.value)
    return found


def test_no_other_module_spells_a_file_of_a_run_or_a_study() -> None:
    known = _layout_names()
    assert {"run.json", "train.jsonl", "weights", "scores.json", "plan.json", "study.json"} <= known
    used = {
        path.relative_to(SOURCE).as_posix(): _spelled(path, known)
        for path in SOURCE.rglob("*.py")
        if path != SOURCE / "run_layout.py"
    }
    assert {module: set(found) for module, found in used.items() if found} == NAMED_ALIKE


def test_progress_has_one_type() -> None:
    spelled = ("Callable[[int, int]", "Callable[[int, int | None]")
    found = [_name(path) for path in MODULES for words in spelled if words in path.read_text()]
    assert found == ["maqam.progress"]


def test_folders_of_tests_have_the_names_of_the_packages_they_test() -> None:
    folders = {
        test.parent.relative_to(TESTS) for test in TESTS.rglob("test_*.py") if test.parent != TESTS
    }
    assert sorted(f.as_posix() for f in folders if not (SOURCE / f).is_dir()) == []


def test_a_public_class_name_is_given_once() -> None:
    places: dict[str, list[str]] = {}
    for path in MODULES:
        for node in _tree(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(_name(path))
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_modules_do_not_import_in_circles() -> None:
    known = {_name(path) for path in MODULES}
    graph = {
        _name(path): {
            name for name in _imports(_tree(path)) if name in known and name != _name(path)
        }
        for path in MODULES
    }
    left = dict(graph)
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]
    assert not left, f"in a circle, or above one: {sorted(left)}"


def test_what_needs_no_torch_loads_none() -> None:
    code = (
        "import importlib, sys\n"
        f"for module in {WITHOUT_TORCH}:\n"
        "    importlib.import_module(module)\n"
        f"    if loaded := [heavy for heavy in {HEAVY} if heavy in sys.modules]:\n"
        "        sys.exit(f'{module} loads {loaded}')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_loads_no_numpy() -> None:
    code = (
        "import sys; from maqam.cli.main import main; code = main(['--help']); "
        "print(code, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("0 False")


def test_nothing_outside_the_models_names_a_family_or_its_parts() -> None:
    """Exports name models too: those are the names that other trainers give them."""
    own = re.compile(
        r"qwen|chatml|thinker|im_start|im_end|endoftext|<\|audio|audio_tower|language_model\b"
        r"|multi_modal_projector|25 (audio )?tokens",
        re.IGNORECASE,
    )
    named = {
        _name(path): own.findall(path.read_text(encoding="utf-8"))
        for path in MODULES
        if _package(_name(path)) not in ("models", "export")
    }
    assert {module: words for module, words in named.items() if words} == {}
