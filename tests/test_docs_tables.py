"""The tables of the documentation are the code's: settings, columns, metrics, options."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

import cli
from cl import registry
from cl.methods import Method
from cl.metrics import METRICS
from results.meanings import SCHEMAS
from results.schema import STATUSES
from sweeps import sections
from sweeps.tuning import ChosenSettings, TuneSettings
from sweeps.validation import allowed

ROOT = Path(__file__).parents[1]
VERBS = [
    *("run", "tune", "plan", "show", "plot", "export", "report", "serve", "compare"),
    *("status", "check", "gate", "list"),
]
# What no schema says, since it is checked as the scenarios are.
IN_WORDS = {"source": "the name of a stream, or a mapping with its settings"}


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def tables_of(text: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """The header and the rows of every table."""
    for match in re.finditer(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        lines = [
            [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in match.group().splitlines()
        ]
        assert len({len(cells) for cells in lines}) == 1, f"{lines[0]} has rows of different lengths"
        yield lines[0], lines[2:]


def table(page: str, *header: str) -> list[list[str]]:
    """The rows of the one table of *page* whose header begins so."""
    (found,) = [rows for head, rows in tables_of(read(page)) if head[: len(header)] == list(header)]
    return found


def plain(cell: str) -> str:
    return cell.replace("`", "")


def declared(settings: type[registry.Settings]) -> list[list[str]]:
    defaults = settings().resolved()
    properties: Mapping[str, Any] = settings.model_json_schema()["properties"]
    return [
        [f"`{name}`", IN_WORDS.get(name) or allowed(schema), f"`{json.dumps(defaults.get(name))}`"]
        for name, schema in properties.items()
    ]


SETTINGS = {
    "setting of mlp": registry.MLPSettings,
    "setting of ConvNet": registry.ConvNetSettings,
    "setting of train": registry.TrainSettings,
    "setting of resources": sections.ResourceSettings,
    "setting of tune": TuneSettings,
    **{f"setting of {name}": settings for name, settings in registry.STREAMS.items()},
}


@pytest.mark.parametrize("title", SETTINGS)
def test_the_spec_page_has_every_setting_with_its_range_and_default(title: str) -> None:
    rows = table("docs/spec.md", title, "value", "default", "meaning")
    assert [row[:3] for row in rows] == declared(SETTINGS[title])


def test_the_spec_page_has_every_setting_of_chosen() -> None:
    rows = table("docs/spec.md", "setting of chosen", "value")
    assert [plain(row[0]) for row in rows] == list(ChosenSettings.model_fields)


def test_the_spec_page_has_every_key() -> None:
    fields = sections.Head.model_json_schema()["properties"]
    rows = table("docs/spec.md", "key", "value", "default")
    assert [plain(row[0]) for row in rows] == list(fields)
    described = {name: field["description"] for name, field in fields.items() if "description" in field}
    assert {plain(row[0]): row[1] for row in rows if plain(row[0]) in described} == described


@pytest.mark.parametrize("method", registry.METHODS)
def test_the_methods_page_has_every_method_with_its_hyperparameters(method: str) -> None:
    assert f"\n## {method}\n" in read("docs/methods.md")
    if registry.METHODS[method].settings.model_fields:
        rows = table("docs/methods.md", f"hyperparameter of {method}", "value", "default", "meaning")
        assert [row[:3] for row in rows] == declared(registry.METHODS[method].settings)


def test_the_page_on_extending_has_every_function_of_a_method() -> None:
    described = [plain(row[0]) for row in table("docs/extending.md", "function")]
    functions = {name: value for name, value in vars(Method).items() if inspect.isfunction(value)}
    assert described == [
        f"{name}({', '.join(inspect.getfullargspec(function).args[1:])})"
        for name, function in functions.items()
        if not name.startswith("_")
    ]


def test_the_page_on_extending_has_what_a_method_can_say_of_itself() -> None:
    described = {plain(row[0]) for row in table("docs/extending.md", "attribute", "meaning")}
    fields = {field.name for field in dataclasses.fields(registry.MethodEntry)}
    # What is said of a method that starts anew matters to `show`, which imports no plug-in.
    assert described == fields - {"summary", "settings", "implementation", "fresh"} | {"Settings"}


def columns(schema: pa.Schema) -> list[list[str]]:
    return [
        [
            f"`{field.name}`",
            str(field.type),
            "yes" if field.nullable else "no",
            field.metadata.get(b"unit", b"").decode(),
            field.metadata[b"description"].decode(),
        ]
        for field in schema
    ]


def test_the_results_page_has_every_column_of_every_table_in_order() -> None:
    header = ["type", "null", "unit", "meaning"]
    found = [rows for head, rows in tables_of(read("docs/results.md")) if head == ["column", *header]]
    *others, transfer = map(columns, SCHEMAS.values())
    assert found == others
    # What all lines about a cell begin with is not said again.
    shared = len(transfer) - len(table("docs/results.md", "column of forward transfer", *header))
    assert transfer[:shared] == columns(SCHEMAS["summary"])[:shared]
    assert table("docs/results.md", "column of forward transfer", *header) == transfer[shared:]
    assert shared == SCHEMAS["summary"].names.index("metric")


def test_the_results_page_has_every_status() -> None:
    assert tuple(plain(row[0]) for row in table("docs/results.md", "status")) == STATUSES


def test_the_scenarios_page_has_every_metric_and_kind() -> None:
    assert table("docs/scenarios.md", "metric", "name", "definition", "better") == [
        [
            metric.label,
            f"`{name}`",
            f"`{metric.definition}`",
            "higher" if metric.higher_is_better else "lower",
        ]
        for name, metric in METRICS.items()
    ]
    kinds = table("docs/scenarios.md", "kind", "task known in training")
    assert {plain(row[0]): row[3] for row in kinds} == registry.MODEL_OF_KIND


def test_the_data_page_has_every_data_set() -> None:
    assert [row[:5] for row in table("docs/data.md", "data set", "classes")] == [
        [
            f"`{name}`",
            str(data.classes),
            " × ".join(map(str, data.image)),
            str(data.train),
            str(data.test),
        ]
        for name, data in registry.DATASETS.items()
    ]


def help_of(*verb: str) -> str:
    return CliRunner().invoke(cli.app, [*verb, "--help"], env={"COLUMNS": "300", "NO_COLOR": "1"}).output


@pytest.mark.parametrize("verb", VERBS)
def test_the_command_line_page_says_what_help_says(verb: str) -> None:
    section = read("docs/cli.md").partition(f"\n## {verb}\n")[2].partition("\n## ")[0]
    documented = {}
    for header, rows in tables_of(section):
        for name, *default, meaning in rows:
            shown = f" [default: {default[0]}]" if default and default[0] else ""
            documented[plain(name) if header[0] == "argument" else re.split(r"[` ]", name)[1]] = (
                meaning + shown
            )
    # A line is "│ *  SPEC  <str>  What it is. [required] │" or "│ --set  PLACE=VALUE  What it is. │".
    lines = [line.strip("│* ") for line in help_of(verb).splitlines() if line.startswith("│")]
    words = [re.split(r"\s{2,}", line) for line in lines]
    assert documented == {first: last.removesuffix(" [required]") for first, *_, last in words}


def test_the_command_line_page_has_every_verb() -> None:
    assert re.findall(r"│ ([a-z]+) ", help_of()) == VERBS
    assert re.findall(r"^## ([a-z]+)$", read("docs/cli.md"), flags=re.MULTILINE) == VERBS
