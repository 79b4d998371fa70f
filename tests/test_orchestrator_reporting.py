"""`clsweep report`: where the file goes, and what the page says that only the whole run knows."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import TINY, clsweep, spec, store
from made_rows import Rows
from pages import read

from orchestrator.reporting import page_of, reported
from results.schema import FAILED, RUNNING
from results.storage import StoreError
from results.store import Store

R = [[0.9, 0.5], [0.5, 0.9]]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(tmp_path):
    """A run with one trial and no spec."""
    return Rows().add("naive", 0, R).written(tmp_path / "tiny")


def command(page):
    return read(page).one(id="command").text


def test_a_report_lies_beside_the_rows_unless_another_place_is_named(run):
    beside = f"{run.root.path}/report.html"
    assert reported(run) == beside
    assert reported(run, Path("new/page.html")) == "new/page.html"
    assert Path("new/page.html").read_bytes() == Path(beside).read_bytes()


def test_a_report_is_replaced_as_a_whole(run):
    Path("page.html").write_text("old")
    reported(run, Path("page.html"))
    assert Path("page.html").read_text(encoding="utf-8").endswith("</html>")
    assert [path.name for path in Path().iterdir() if path.is_file()] == ["page.html"]


@pytest.mark.parametrize("output", ["tiny", "tiny/trials/t0.parquet/page.html"])
def test_a_file_that_cannot_be_written_is_one_message(run, output):
    with pytest.raises(StoreError, match=rf"^cannot write (\./)?{output}: "):
        reported(run, Path(output))
    assert isinstance(run, Store)


def test_a_report_in_an_object_store_lies_beside_its_rows_too(s3):
    place = s3.uri(f"{s3.bucket()}/runs/tiny")
    store = Store(place)
    Rows().add("naive", 0, R).written(place)
    where = reported(store)
    assert where.endswith("/runs/tiny/report.html")
    assert store.root.read("report.html").to_pybytes().endswith(b"</html>")


def test_the_command_runs_the_spec_of_the_report():
    assert clsweep("run", spec(), "--local").exit_code == 0
    page = read(page_of(store()))
    assert page.one(id="command").text == "clsweep run sweep.yaml"
    assert page.one(id="spec").text == " ".join(store().spec().split())
    assert page.one(id="progress").one("p").text == "all 8 trials complete"


def test_a_tuned_run_is_reproduced_by_tune_and_shows_its_searches_and_what_they_cost():
    text = TINY.replace("joint, ewc, replay: {buffer_size: 50}", "ewc: {lambda: {loguniform: [1, 100]}}")
    tune = "tune: {protocol: val-stream, search: random, configs: 2, seeds: 2}\n"
    assert clsweep("tune", spec(text + tune), "--local").exit_code == 0
    page = read(page_of(store()))
    assert page.one(id="command").text == "clsweep tune sweep.yaml"
    assert "chosen by val-stream" in page.one(id="searches").text
    cost = {line[0]: line[1] for line in page.one("table", id="cost").rows()}
    assert cost["search"] == "4"


def test_a_run_of_plug_ins_is_reproduced_with_leave_to_import_them(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(tmp_path)
    Path("mine_report.py").write_text("from cl.methods import Method\n\n\nclass Mine(Method):\n    pass\n")
    text = TINY.replace("joint, ewc, replay: {buffer_size: 50}", "'mine_report:Mine'")
    result = clsweep("run", spec(text), "--local", "--allow-plugins")
    assert result.exit_code == 0, result.output
    assert command(page_of(store())) == "clsweep run sweep.yaml --allow-plugins"


def test_without_a_spec_the_command_says_what_is_known(run):
    assert command(page_of(run)) == f"clsweep run SPEC --storage {run.root.parent}"


def test_trials_without_a_driver_are_called_interrupted(tmp_path):
    store = Rows().add("naive", 0, R, status=RUNNING).written(tmp_path / "tiny")
    notes = read(page_of(store)).one(id="progress").text
    assert "no driver is running, 1 trial interrupted; to continue: clsweep run SPEC" in notes


def test_failures_are_in_the_report(tmp_path):
    store = Rows().add("naive", 0, R, status=FAILED, error="E", error_cause="why").written(tmp_path / "tiny")
    assert read(page_of(store)).one(id="failures").one("h3").text == "1 trial failed: why"
