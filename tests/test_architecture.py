"""The shape of the house: which folder may import which, what stays light, and what is shipped."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import pytest

from cl.methods import Method, make_method
from cl.registry import METHODS, Settings

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))

# What each part may import: of ours, by name of the module or of a package that holds it; and of the heavy
# libraries. A part may always import from itself.
MAY_IMPORT = {
    "cl": {"torch"},
    "sweeps": {"cl.registry"},
    "results": {"cl.metrics"},
    "orchestrator": {"cl", "sweeps", "results", "ray", "torch"},
    "cli": {"orchestrator", "sweeps", "results"},
}
WATCHED = {*MAY_IMPORT, "ray", "torch", "torchvision", "tests", "benchmarks"}
# Imported by name and inside a function, since only a download needs it.
MAY_IMPORT["cl"].add("torchvision")

LIGHT = ["cli", "cl.registry", "cl.metrics", "cl.datasets"]
PACKAGES = sorted(
    init.parent.relative_to(ROOT).as_posix().replace("/", ".")
    for part in MAY_IMPORT
    for init in (ROOT / part).rglob("__init__.py")
)


def files_of(part: str) -> list[Path]:
    """The source files of a top-level package or module."""
    folder = ROOT / part
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def imported(path: Path) -> Iterator[str]:
    """Every module that *path* imports, also in functions and for type checking only."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            # `from cl import registry` imports cl.registry, `from cl.registry import Kind` no more than that.
            for name in node.names:
                whole = ROOT.joinpath(*node.module.split("."), name.name)
                is_module = whole.with_suffix(".py").is_file() or whole.is_dir()
                yield f"{node.module}.{name.name}" if is_module else node.module


def allowed(module: str, part: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in {part, *MAY_IMPORT[part]})


def modules_of(package: str) -> list[str]:
    names = [path.relative_to(ROOT).with_suffix("").as_posix() for path in files_of(package)]
    return [name.replace("/", ".") for name in names if not name.endswith("__init__")]


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_imports_flow_one_way(part):
    files = files_of(part)
    watched = [
        (path.name, name) for path in files for name in imported(path) if name.split(".")[0] in WATCHED
    ]
    assert watched, "a part that imports nothing of ours would mean that the walk is broken"
    assert [pair for pair in watched if not allowed(pair[1], part)] == []


@pytest.mark.parametrize("module", ["cl.registry", "cl.metrics"])
def test_what_the_light_parts_share_imports_nothing_of_ours_and_no_torch(module):
    names = {name for path in files_of(module.replace(".", "/")) for name in imported(path)}
    ours = {name for name in names if name.split(".")[0] in WATCHED}
    assert {name for name in ours if not name.startswith(f"{module}.")} == set()


def test_the_walk_sees_imports_in_functions_and_for_type_checking(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(
        "import ray.tune as tune\n"
        "from cl import registry\n"
        "if TYPE_CHECKING:\n    from results.store import Store\n"
        "def verb():\n    import torch\n"
    )
    assert sorted(imported(path)) == ["cl.registry", "ray.tune", "results.store", "torch"]


def test_the_command_line_the_spec_and_the_results_load_neither_ray_nor_torch():
    modules = [*LIGHT, *modules_of("results"), *modules_of("sweeps")]
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
        "    heavy = {'ray', 'torch', 'torchvision'} & set(sys.modules)\n"
        "    assert not heavy, f'{name} loads {heavy}'\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (finished.returncode, finished.stderr) == (0, "")


def test_every_package_and_every_data_file_is_shipped():
    shipped = PROJECT["tool"]["setuptools"]
    assert sorted(shipped["packages"]) == PACKAGES
    assert shipped["py-modules"] == ["cli"]
    for package in PACKAGES:
        folder = ROOT.joinpath(*package.split("."))
        data = [
            path.name for path in folder.iterdir() if path.is_file() and path.suffix not in (".py", ".pyc")
        ]
        patterns = shipped["package-data"].get(package, [])
        assert [name for name in data if not any(fnmatch(name, pattern) for pattern in patterns)] == []


def test_every_folder_with_code_is_a_package():
    with_code = {path.parent for part in MAY_IMPORT for path in files_of(part)} - {ROOT}
    assert [folder for folder in with_code if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("name", METHODS)
def test_a_registered_method_exists_and_is_built_from_its_declared_settings(name):
    entry = METHODS[name]
    module, _, class_name = entry.implementation.partition(":")
    implementation = getattr(import_module(module), class_name)
    assert issubclass(implementation, Method)
    assert issubclass(entry.settings, Settings)
    assert type(make_method(name, entry.settings().resolved())) is implementation


def test_every_method_file_is_registered():
    files = {f"cl.methods.{path.stem}" for path in files_of("cl/methods")} - {
        "cl.methods.__init__",
        "cl.methods.base",
        "cl.methods.episodic",  # what gem and agem share
    }
    assert {entry.implementation.partition(":")[0] for entry in METHODS.values()} == files
