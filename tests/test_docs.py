"""The documentation is followed to the letter, from the top of each page to its end."""

from __future__ import annotations

import contextlib
import csv
import doctest
import html
import importlib.util
import io
import math
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

import cli
from results.store import open_run
from results.summary import summarise
from sweeps.names import PlugIns
from sweeps.spec import SpecError, load_spec

# The first test that needs it runs the quickstart sweep, which takes a minute or two.
pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
FOLLOWED_ELSEWHERE = ["README.md", "docs/analysis.md", "docs/running.md"]
# Changes to the code itself, and the spec that needs them.
WORKED_EXAMPLE = ["cl/methods/l2.py", "cl/registry/methods.py", "l2.yaml"]
WRITTEN = [*PAGES, "CONTRIBUTING.md", "CHANGELOG.md"]

_FILE = re.compile(r"# ([\w/.-]+\.\w+)(:.*)?$")
_NOT_RUN = re.compile(r"<!-- not run: (.+) -->$")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it is, its language, its text, and why it is not run, if it is not."""

    place: str
    language: str
    text: str
    not_run: str

    @property
    def file(self) -> str:
        """The file it is, named by a comment on its first line; empty if it is none."""
        match = _FILE.match(self.text.partition("\n")[0])
        return match.group(1) if match and self.language != "console" else ""

    def commands(self) -> Iterator[tuple[str, str]]:
        """The commands of a console block, each with the output shown below it."""
        for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def blocks_of(page: str) -> list[Block]:
    blocks, opened, before = [], None, ""
    for number, line in enumerate((ROOT / page).read_text(encoding="utf-8").splitlines(), start=1):
        if not line.startswith("```"):
            if opened is None:
                before = line
            else:
                opened[2].append(line)
        elif opened is None:
            opened = (f"{page}:{number}", line[3:], list[str](), _NOT_RUN.match(before))
        else:
            place, language, lines, not_run = opened
            text = "".join(f"{one}\n" for one in lines)
            blocks.append(Block(place, language, text, not_run.group(1) if not_run else ""))
            opened, before = None, ""
    assert opened is None, f"{page}: a block is not closed"
    return blocks


def follow(page: str, folder: Path) -> list[Any]:
    """Do what *page* says, in *folder*; return what its Python (names) and SQL (rows) gave."""
    results = []
    for block in blocks_of(page):
        if block.not_run or block.file in WORKED_EXAMPLE:
            continue
        if block.file:
            (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (folder / block.file).write_text(block.text)
        elif block.language == "console":
            for command, output in block.commands():
                check_command(f"{block.place}: {command}", command, output, folder)
        elif block.language == "python":
            names: dict[str, Any] = {}
            with contextlib.chdir(folder):
                exec(compile(block.text, block.place, "exec"), names)  # noqa: S102 - our own documentation
            results.append(names)
        elif block.language == "sql":
            with contextlib.chdir(folder):
                results.append(duckdb.sql(block.text).fetchall())
    return results


def check_command(what: str, command: str, output: str, folder: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=os.environ | {"PATH": path, "COLUMNS": "100", "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == (2 if output.startswith("clsweep: ") else 0), f"{what}\n{done.stdout}"
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    if output and not doctest.OutputChecker().check_output(output, done.stdout, flags):
        pytest.fail(f"{what}\nshown:\n{output}\nbut it printed:\n{done.stdout}")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where somebody has followed the README: it holds ``runs/quickstart``."""
    folder = tmp_path_factory.mktemp("docs")
    follow("README.md", folder)
    return folder


def test_the_readme_can_be_followed_and_leaves_a_complete_quickstart(folder: Path) -> None:
    trials = open_run(folder / "runs/quickstart").trials()
    assert set(trials["status"].to_pylist()) == {"complete"}


@pytest.mark.parametrize("page", [page for page in PAGES if page not in FOLLOWED_ELSEWHERE])
def test_the_page_can_be_followed(page: str, folder: Path) -> None:
    follow(page, folder)


def shown(folder: Path, *arguments: str) -> list[dict[str, str]]:
    """What `clsweep show` says of the ACC in the quickstart's run, as rows of its CSV."""
    with contextlib.chdir(folder):
        result = CliRunner().invoke(cli.app, ["show", "runs/quickstart", "--format", "csv", *arguments])
    assert result.exit_code == 0, result.output
    return [row for row in csv.DictReader(io.StringIO(result.stdout)) if row["metric"] == "acc"]


def rows_of(answer: Any) -> list[list[Any]]:
    """The rows of an answer in SQL, or of the frame *answer* in Polars or pandas; null is None in all."""
    if isinstance(answer, dict):
        frame = answer["answer"]
        answer = frame.rows() if hasattr(frame, "rows") else frame.to_numpy().tolist()
    return [
        [None if isinstance(value, float) and math.isnan(value) else value for value in row] for row in answer
    ]


def test_every_way_to_the_answer_gives_what_show_says(folder: Path) -> None:
    answers = [rows_of(answer) for answer in follow("docs/analysis.md", folder)[-6:]]
    summary = {(row["scenario_label"], row["label"]): row for row in shown(folder)}
    gains = {
        (row["scenario_label"], label): row
        for label in {label for _, label in summary} - {"naive"}
        for row in shown(folder, "--compare", "--baseline", "naive", "--cell", label)
        if row["first"] == label
    }
    assert len(summary) == len(gains) + 2 == 14

    def line(key: tuple[str, str], *, exported: bool) -> list[Any]:
        row, gain = summary[key], gains.get(key)
        identity = [*key] if exported else [row["scenario"], row["method"], row["hyperparameters"]]
        numbers = [float(row["mean"]), float(row["half_width"])]
        if gain is None:
            numbers += [] if exported else [0.0, 0.0]
        elif not exported or key[1] in {"replay ratio=0.5", "ewc lambda=100"}:
            numbers += [float(gain["difference"]), float(gain["half_width"])]
        # Quantiles in the SQL have six decimals.
        close = [pytest.approx(number, rel=1e-6, abs=1e-9) for number in numbers]
        return [*identity, int(row["n"]), *close, *([None] * (4 - len(close)))]

    from_exported, from_parts = (
        sorted((line(key, exported=exported) for key in summary), key=lambda row: row[:3])
        for exported in (True, False)
    )
    assert answers == [from_exported] * 3 + [from_parts] * 3


def test_what_ray_and_local_computed_is_the_same_bit_for_bit(folder: Path) -> None:
    ((compared, different),) = follow("docs/running.md", folder)[-1]
    assert (compared, different) == (4 * 5 * 6, 0)


def test_the_worked_example_is_a_method_after_one_file_and_one_entry(tmp_path: Path) -> None:
    for package in ("cl", "sweeps", "orchestrator", "results"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "cli.py", tmp_path)
    blocks = blocks_of("docs/extending.md")
    method, settings, entry, spec = (block for block in blocks if block.file in WORKED_EXAMPLE)
    (tmp_path / method.file).write_text(method.text)
    (tmp_path / spec.file).write_text(spec.text)
    source = (tmp_path / entry.file).read_text()
    for text, before in (
        (f"{settings.text}\n\n", "@dataclass(frozen=True)\nclass MethodEntry"),
        (entry.text, '        "naive": MethodEntry'),
    ):
        assert source.count(before) == 1
        source = source.replace(before, text + before)
    (tmp_path / entry.file).write_text(source)
    subprocess.run([sys.executable, "cli.py", "run", spec.file, "--local"], cwd=tmp_path, check=True)
    store = open_run(tmp_path / "runs/l2")
    naive, without, with_pull = summarise(store.trials(), store.accuracy())
    assert (naive.label, without.label, with_pull.label) == ("naive", "l2 lambda=0", "l2 lambda=0.01")
    assert without.matrices[0].tolist() == naive.matrices[0].tolist()
    assert with_pull.matrices[0][:, 0].tolist() == naive.matrices[0][:, 0].tolist()
    assert with_pull.matrices[0].tolist() != naive.matrices[0].tolist()


@pytest.mark.parametrize("page", WRITTEN)
def test_commands_that_are_not_run_have_valid_options_and_targets(page: str) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    for block in blocks_of(page):
        for command, _ in block.commands() if block.language == "console" else ():
            program, *arguments = command.split()
            if program == "make":
                assert arguments[0] in targets, command
            elif program == "clsweep" and block.not_run:
                # Help is given only once everything before it has been understood.
                assert CliRunner().invoke(cli.app, [*arguments, "--help"]).exit_code == 0, command


@pytest.mark.parametrize("page", PAGES)
def test_every_spec_is_valid_but_for_the_one_about_mistakes(page: str, tmp_path: Path) -> None:
    for name in ("blobs", "patches", "patches0", "patches1", "shapes"):
        (tmp_path / f"{name}.npz").touch()
    for block in blocks_of(page):
        if block.language == "yaml" and block.file not in WORKED_EXAMPLE:
            (tmp_path / block.file).write_text(block.text)
            with pytest.raises(SpecError) if block.file == "traps.yaml" else contextlib.nullcontext():
                load_spec(str(tmp_path / block.file), plug_ins=PlugIns.unseen)


def test_the_picture_shows_what_the_quickstart_prints_but_for_the_numbers(folder: Path) -> None:
    location = importlib.util.spec_from_file_location("picture", ROOT / "docs/picture.py")
    assert location is not None
    assert location.loader is not None
    module = importlib.util.module_from_spec(location)
    location.loader.exec_module(module)
    committed = (ROOT / "docs/quickstart.svg").read_text(encoding="utf-8")
    assert without_numbers(committed) == without_numbers(module.picture(folder / "runs/quickstart"))


def without_numbers(svg: str) -> str:
    text = " ".join(html.unescape(part) for part in re.findall(r">([^<]*)</text>", svg))
    return " ".join(re.sub(r"-?\d+\.\d{3}\b", "x", text.replace("─", "")).split())


def anchors(page: Path) -> set[str]:
    """What headings are called in links, as GitHub does it."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", WRITTEN)
def test_links_within_the_project_lead_somewhere(page: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = (ROOT / page).parent / file if file else ROOT / page
        assert target.is_file(), f"{page}: {link}"
        assert not anchor or anchor in anchors(target), f"{page}: {link}"
