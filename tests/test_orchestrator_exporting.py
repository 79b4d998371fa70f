"""A run's tables as files: in its own folder or another, compared as it was asked for."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from made_rows import Rows

from orchestrator.exporting import exported
from results.export import NoRows
from results.families import NoSuchCell
from results.store import open_run
from results.sweep import TABLES


def some() -> Rows:
    """Four methods of three seeds."""
    rows = Rows()
    for seed in range(3):
        for method, acc in (("replay", 0.7), ("naive", 0.5), ("joint", 0.9), ("scratch", 0.8)):
            last = acc + seed / 100 * (1 if method == "naive" else 2)
            rows.add(method, seed, [[1.0, last], [None, last]], tasks=[{}, {}], chance=0.5)
    return rows


def test_a_run_is_exported_into_its_own_folder_wherever_that_is(place):
    store = some().written(place)
    files = list(exported(store, "json", names=["trials"]))
    assert files == [f"{store.root}/export/trials.json", f"{store.root}/export/columns.json"]
    rows = json.loads((store.root / "export").read("trials.json").to_pybytes())
    assert len(rows) == 12
    assert len(list(exported(open_run(place), "parquet"))) == len(TABLES)


def test_what_is_compared_and_how_is_as_it_was_asked_for(tmp_path):
    store = some().written(tmp_path / "mine")
    options = {"baseline": "naive", "named": ["joint"], "level": 0.9, "margin": 0.5}
    list(exported(store, "parquet", tmp_path / "out", names=["comparisons"], **options))
    frame = pd.read_parquet(tmp_path / "out/comparisons.parquet").query("metric == 'acc'")
    assert set(zip(frame["first"], frame["second"], strict=True)) == {("replay", "naive"), ("joint", "naive")}
    assert (set(frame["level"]), set(frame["margin"]), set(frame["baseline"])) == ({0.9}, {0.5}, {"naive"})
    list(exported(store, "latex", tmp_path / "out", names=["comparisons"], metrics=["BWT"]))
    text = (tmp_path / "out/comparisons.tex").read_text(encoding="utf-8")
    assert ("BWT" in text, "ACC" in text) == (True, False)
    with pytest.raises(NoSuchCell, match="did you mean 'replay'"):
        list(exported(store, "parquet", tmp_path / "out", names=["comparisons"], baseline="repaly"))
    with pytest.raises(NoSuchCell, match="no metric"):
        list(exported(store, "latex", tmp_path / "out", metrics=["accuracy-ish"]))


def test_trials_that_the_spec_does_not_plan_any_more_are_exported_only_if_all_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = some().written(tmp_path / "mine")
    store.write_spec("name: mine\nseeds: 1\nscenarios: [class-il/split-digits]\nmethods: [naive]\n")
    with pytest.raises(NoRows, match="table trials has no rows"):
        list(exported(store, "json", "out", names=["trials"]))
    [file, _] = exported(store, "json", "out", names=["trials"], everything=True)
    assert len(json.loads((tmp_path / file).read_text(encoding="utf-8"))) == 12
