"""Completion of the command line, asked of the shells themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import clsweep, spec

from orchestrator.completion import methods, runs, scenarios, specs

PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a run, a spec and other files."""
    monkeypatch.chdir(tmp_path)
    assert clsweep("run", spec(), "--local").exit_code == 0
    Path("notes.txt").touch()
    Path("runs/old").mkdir()
    return tmp_path


def test_specs_are_shipped_sweeps_and_yaml_files(here):
    offered = dict(specs(""))
    assert {"quickstart", "tiny.yaml", "runs/"} <= offered.keys()
    assert "notes.txt" not in offered
    assert list(dict(specs("qui"))) == ["quickstart"]
    assert dict(specs(f"{here}/ti")) == {f"{here}/tiny.yaml": "spec"}


@pytest.mark.usefixtures("here")
def test_runs_are_found_where_sweeps_put_them():
    assert dict(runs("")) == {"runs/tiny": "run", "runs/old/": "folder"}
    assert dict(runs("runs/t")) == {"runs/tiny": "run"}
    assert dict(runs("ru")) == {"runs/": "folder"}
    assert dict(runs("nowhere/at/all")) == {}


@pytest.mark.usefixtures("here")
def test_names_are_those_of_the_run():
    assert methods("runs/tiny", "") == ["ewc", "joint", "naive", "replay"]
    assert methods("runs/tiny", "r") == ["replay"]
    assert scenarios("runs/tiny", "") == ["class-il/split-digits"]
    assert methods("runs/nowhere", "") == methods(None, "") == []


# Without the settings of whoever runs the test.
BARE = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}


def asked(shell: str, script: str, folder: Path) -> list[str]:
    """What the shell prints, in a home of its own."""
    environment = {"HOME": str(folder), "PATH": PATH, "TERM": "dumb", "LANG": "C.UTF-8"}
    finished = subprocess.run(
        [shell, *BARE[shell], "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stderr == ""
    return finished.stdout.split()


# What the tabulator does, as a script: bash calls the function that the installed script has
# registered, with the words of the line.
BASH = """
eval "$(clsweep --show-completion bash)"
COMP_WORDS=({line}) COMP_CWORD={position}
_clsweep_completion clsweep
echo "${{COMPREPLY[@]}}"
"""


def test_bash_completes_verbs_runs_options_and_names(here):
    def completed(*words: str) -> list[str]:
        line = " ".join(f"'{word}'" for word in ("clsweep", *words))
        return asked("bash", BASH.format(line=line, position=len(words)), here)

    assert "status" in completed("sta")
    assert completed("show", "runs/ti") == ["runs/tiny"]
    assert completed("show", "runs/tiny", "--acro") == ["--across"]
    assert completed("show", "runs/tiny", "--method", "re") == ["replay"]
    assert completed("show", "runs/tiny", "--metric", "learning") == ["learning_accuracy"]
    assert "quickstart" in completed("run", "quick")


@pytest.mark.shells
def test_fish_completes_by_asking_what_follows(here):
    script = (
        "clsweep --show-completion fish | source\ncomplete --do-complete 'clsweep show runs/tiny --method re'"
    )
    assert "replay" in asked("fish", script, here)


@pytest.mark.shells
def test_zsh_completes_with_the_script_that_is_installed(here):
    # _arguments hands the candidates to the line editor, which a script has none of: print them instead.
    script = """
    autoload -Uz compinit && compinit -u -d ./dump
    eval "$(clsweep --show-completion zsh)"
    _arguments() { print -l "$@" }
    words=(clsweep show runs/tiny --method re) CURRENT=5
    _clsweep_completion
    """
    assert "replay" in " ".join(asked("zsh", script, here))
