"""`clsweep list` and the help: every name a spec can use, every verb a person can type."""

from __future__ import annotations

import pytest
from commands import clsweep
from typer.main import get_command
from typer.testing import CliRunner

from cl.registry import DATASETS, KINDS, METHODS, MODELS, STREAMS
from cli import app
from sweeps.spec import catalog

VERBS = {"run", "plan", "show", "status", "check", "gate", "list"}


def test_the_list_names_everything_that_a_spec_can():
    result = clsweep("list")
    assert result.exit_code == 0
    first = {line.split()[0] for line in result.output.splitlines() if line.startswith("  ")}
    assert first >= {*catalog(), *METHODS, *MODELS, *KINDS, *DATASETS, *(set(STREAMS) - {"explicit"})}


@pytest.mark.parametrize("name", METHODS)
def test_the_list_gives_every_hyperparameter_with_its_default(name):
    text = " ".join(clsweep("list").output.split())
    for hyperparameter, value in METHODS[name].settings().resolved().items():
        assert f"{hyperparameter} {'null' if value is None else value}" in text


@pytest.mark.parametrize(
    ("section", "names"),
    [
        ("sweeps", catalog()),
        ("methods", METHODS),
        ("models", ["mlp", *MODELS]),
        ("streams", set(STREAMS) - {"explicit"}),
        ("data", DATASETS),
    ],
)
def test_a_section_is_listed_alone_as_in_the_whole_list(section, names):
    result = clsweep("list", section)
    assert result.exit_code == 0
    assert result.output in clsweep("list").output
    assert {line.split()[0] for line in result.output.splitlines() if line.startswith("  ")} >= set(names)


def test_the_compatibility_tables_say_what_goes_with_which_kind_and_why_not_and_fit_a_narrow_screen():
    result = CliRunner().invoke(app, ["list", "compatibility"], env={"COLUMNS": "60"})
    assert result.exit_code == 0
    assert max(len(line) for line in result.output.splitlines()) <= 60
    words = [line.split() for line in result.output.splitlines()]
    for row in (
        ["task-il", "domain-il", "class-il"],
        ["MultiHeadMLP", "valid", "invalid", "invalid"],
        ["SingleHeadMLP", "suboptimal", "suboptimal", "valid"],
        ["DomainMLP", "suboptimal", "valid", "suboptimal"],
        ["ProgressiveNeuralNet", "valid", "invalid", "invalid"],
        ["ConvNet", "valid", "valid", "valid"],
        ["ewc", "valid", "valid", "valid"],
        ["pnn", "valid", "invalid", "invalid"],
        ["packnet", "valid", "invalid", "invalid"],
    ):
        assert row in words
    text = " ".join(result.output.split())
    for reason in (
        "MultiHeadMLP cannot be used in class-il: its heads are selected by the task id",
        "DomainMLP is suboptimal in task-il: it ignores the task id",
        "pnn cannot run in domain-il because it selects its column by the task id",
        "pnn trains only ProgressiveNeuralNet",
    ):
        assert reason in text


def test_a_wrong_section_is_refused_with_the_nearest():
    result = clsweep("list", "method")
    assert result.exit_code == 2
    assert result.stderr.startswith("clsweep: list: unknown section 'method'; did you mean 'methods'?")


def test_the_help_has_a_line_for_every_verb():
    result = clsweep("--help")
    assert result.exit_code == 0
    assert [verb for verb in VERBS if f" {verb} " not in result.output] == []


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_argument_and_option_of_a_verb_is_explained(verb):
    command = get_command(app).commands[verb]
    assert command.help
    assert [parameter.name for parameter in command.params if not parameter.help] == []
    assert clsweep(verb, "--help").exit_code == 0


def test_a_wrong_verb_is_refused_with_the_nearest():
    result = clsweep("rum")
    assert result.exit_code == 2
    assert "run" in result.stderr.replace("'rum'", "")
    assert "Traceback" not in result.output
