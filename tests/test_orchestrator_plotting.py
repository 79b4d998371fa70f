"""The pictures of a run: files with names of their own, each there once it is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import clsweep, spec, store

from orchestrator.plotting import NotDrawn, NothingToDraw, plotted
from results.families import NoSuchCell

# Two scenarios of three tasks, five steps each: a trial takes about 20 ms.
TWO = """
name: two
seeds: 2
scenarios:
  - {kind: class-il, stream: split-digits, tasks: 3}
  - {kind: domain-il, stream: split-digits, tasks: 3}
methods: [naive, joint, replay: {buffer_size: 50, ratio: {grid: [0.25, 0.5]}}]
model: {hidden: [16]}
train: {iterations: 5}
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(*more: str) -> None:
    result = clsweep("run", spec(TWO, "two.yaml"), "--local", *more)
    assert result.exit_code == 0, result.output


def test_every_picture_of_a_run_is_written_and_those_it_lacks_are_named():
    run()
    files, lacking = set(), []
    for each in plotted(store("two"), Path("pictures")):
        match each:
            case NotDrawn():
                lacking.append(str(each))
            case path:
                assert path.stat().st_size > 1000
                files.add(path.name)
    kinds = ("metrics", "forgetting", "matrix", "speed")
    scenarios = ("class-il-split-digits", "domain-il-split-digits")
    names = [f"{kind}-{scenario}" for kind in kinds for scenario in scenarios]
    names.append("profiles")
    assert files == {f"{name}.{ending}" for name in names for ending in ("png", "svg")}
    assert {path.name for path in Path("pictures").iterdir()} == files
    assert lacking == [
        f"not drawn: differences-{scenario}: fewer than two methods can be compared; replay ratio=0.25, "
        "replay ratio=0.5: one of several of its method, and none was chosen on validation data"
        for scenario in scenarios
    ]


def test_a_line_that_is_named_stands_for_its_method():
    run()
    found = {
        getattr(each, "name", "") for each in plotted(store("two"), Path("p"), named=["replay ratio=0.5"])
    }
    assert "differences-class-il-split-digits.svg" in found
    with pytest.raises(NoSuchCell, match=r"did you mean 'replay ratio=0\.5'"):
        list(plotted(store("two"), Path("p"), named=["replay ratio=0.55"]))


def test_the_level_is_that_of_the_intervals():
    run("--set", "scenarios=[class-il/split-digits]", "--set", "methods=[naive]")
    list(plotted(store("two"), Path("p"), level=0.9))
    svg = Path("p/metrics-class-il-split-digits.svg").read_text(encoding="utf-8")
    assert "<!-- mean and 90 % interval (Student t), n = 2 seeds" in svg


def test_a_run_without_a_complete_trial_is_one_message():
    run("--set", "train.lr=1e30", "--set", "train.clip_norm=null")
    with pytest.raises(NothingToDraw, match="runs/two: no trial is complete, so there is nothing to draw"):
        list(plotted(store("two"), Path("p")))
    assert not Path("p").exists()
