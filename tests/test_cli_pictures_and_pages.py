"""`clsweep plot`, `export`, `report` and `serve` as typed: what they print, write and refuse."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import urllib.request
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from commands import clsweep, process, spec

from results.tidy import SUMMARY


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder with a run in it."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        assert clsweep("run", spec(), "--local").exit_code == 0
    return folder


@pytest.fixture(autouse=True)
def here(finished, tmp_path, monkeypatch):
    """A folder of the test's own with a copy of the run."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def printed(*arguments):
    result = clsweep(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


def refused(*arguments):
    result = clsweep(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return " ".join(result.stderr.split())


def test_plot_prints_every_file_it_has_written():
    files = [Path(line) for line in printed("plot", "runs/tiny")]
    assert {path.suffix for path in files} == {".png", ".svg"}
    assert {path.parent for path in files} == {Path("runs/tiny/plots")}, "below the run, as it was named"
    assert all(path.stat().st_size > 1000 for path in files)
    assert {path.name.partition("-")[0] for path in files} >= {"metrics", "forgetting", "matrix", "speed"}


def test_export_writes_parquet_that_says_what_it_holds():
    files = printed("export", "runs/tiny", "--output", "tables")
    assert sorted(Path(line).name for line in files) == sorted(path.name for path in Path("tables").iterdir())
    assert pq.read_table("tables/summary.parquet").schema.equals(SUMMARY)


def test_export_writes_latex_for_a_paper():
    printed("export", "runs/tiny", "--format", "latex", "--table", "summary", "--output", "paper")
    assert "\\toprule" in Path("paper/summary.tex").read_text()
    assert [path.name for path in Path("paper").iterdir()] == ["summary.tex"]


def test_export_for_a_tool_counts_what_is_new_and_repeats_nothing():
    [first] = printed("export", "runs/tiny", "--format", "tensorboard", "--output", "tb")
    assert first == "tb: trials: 8 new, 0 changed, 0 unchanged"
    [again] = printed("export", "runs/tiny", "--format", "tensorboard", "--output", "tb")
    assert again == "tb: trials: 0 new, 0 changed, 8 unchanged"


def test_report_is_one_page_beside_the_rows_or_where_it_is_wanted():
    assert printed("report", "runs/tiny")[0].endswith("runs/tiny/report.html")
    printed("report", "runs/tiny", "--output", "page.html")
    page = Path("page.html").read_text()
    assert page.lower().startswith("<!doctype html>")
    assert "class-il/split-digits" in page


def test_report_writes_into_a_pipe_and_through_a_link_and_replaces_neither():
    os.mkfifo("pipe")
    reader = threading.Thread(target=lambda: Path("read.html").write_bytes(Path("pipe").read_bytes()))
    reader.start()
    printed("report", "runs/tiny", "--output", "pipe")
    reader.join(timeout=60)
    assert Path("pipe").is_fifo()
    Path("link.html").symlink_to("page.html")
    printed("report", "runs/tiny", "--output", "link.html")
    assert Path("link.html").is_symlink()
    assert b"</html>" in Path("read.html").read_bytes()
    assert b"</html>" in Path("page.html").read_bytes()


def test_plot_names_the_parts_that_it_could_not_read():
    part = next(Path("runs/tiny/accuracy").iterdir())
    part.write_bytes(part.read_bytes()[:100])
    result = clsweep("plot", "runs/tiny", "--output", "pictures")
    assert result.exit_code == 0
    assert f"cannot read runs/tiny/accuracy/{part.name}" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plot", "runs/tini"], "did you mean runs/tiny?"),
        (["plot", "runs/tiny", "--cell", "ewcc"], "no line 'ewcc'; did you mean 'ewc'?"),
        (["export", "runs/tiny", "--table", "sumary"], "did you mean 'summary'?"),
        (["export", "runs/tiny", "--output", "tiny.yaml"], "tiny.yaml"),
        (["export", "runs/tiny", "--format", "mlflow", "--table", "trials"], "--table is for tables"),
        (["export", "runs/tiny", "--format", "optuna"], "nothing was searched"),
        (["export", "runs/tiny", "--format", "csv", "--metric", "acc"], "--metric is for papers"),
        (["export", "runs/tiny", "--format", "mlflow", "--output", "s3://b/x"], "a path on this machine"),
        (
            ["plot", "runs/tiny", "--output", "s3://b/x"],
            "--output is a path on this machine; s3://... is a URI",
        ),
        (["report", "runs/tiny", "--output", "s3://b/x.html"], "--output is a path on this machine"),
        (["report", "runs/tini"], "did you mean runs/tiny?"),
        (["report", "runs/tiny", "--output", "tiny.yaml/page.html"], "tiny.yaml"),
        (["serve", "runs/tini"], "did you mean runs/tiny?"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_message(arguments, said):
    assert said in refused(*arguments)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_its_address_and_ends_when_told_to_without_a_trace(number):
    with process("serve", "runs/tiny", "--port", "0", PYTHONUNBUFFERED="1") as serving:
        assert serving.stdout is not None
        words = serving.stdout.readline().split()
        address = next(word for word in words if word.startswith("http://127.0.0.1:"))
        with urllib.request.urlopen(address, timeout=30) as page:  # noqa: S310 - an http address, checked above
            assert b"class-il/split-digits" in page.read()
        serving.send_signal(number)
        _, err = serving.communicate(timeout=60)
    assert "Traceback" not in err
    assert serving.returncode == 0, err
