"""`clsweep list` and the help: every name a spec can use, every verb a person can type."""

from __future__ import annotations

import pytest
from commands import clsweep
from typer.main import get_command

from cl.registry import DATASETS, KINDS, METHODS, STREAMS
from cli import app
from sweeps.spec import catalog

VERBS = {"run", "plan", "show", "gate", "list"}


def test_the_list_names_everything_that_a_spec_can():
    result = clsweep("list")
    assert result.exit_code == 0
    first = {line.split()[0] for line in result.output.splitlines() if line.startswith("  ")}
    assert first >= {*catalog(), *METHODS, *KINDS, *DATASETS, *(set(STREAMS) - {"explicit"})}


@pytest.mark.parametrize("name", METHODS)
def test_the_list_gives_every_hyperparameter_with_its_default(name):
    text = " ".join(clsweep("list").output.split())
    for hyperparameter, value in METHODS[name].settings().resolved().items():
        assert f"{hyperparameter} {value}" in text


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
