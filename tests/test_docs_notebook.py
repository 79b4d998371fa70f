"""The notebook of the documentation runs from its first cell to its last, and shows what it promises."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs" / "tour.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook with its outputs, executed in an empty folder."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    folder = tmp_path_factory.mktemp("notebook")
    with pytest.MonkeyPatch.context() as patched:
        # Its commands are those of this environment, and its settings nobody's.
        patched.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        patched.setenv("IPYTHONDIR", str(folder / "ipython"))
        patched.setenv("JUPYTER_PLATFORM_DIRS", "1")
        client = NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(folder)}})
        return client.execute()


def outputs(notebook, kind):
    """What cells gave, of this MIME type."""
    return [
        output["data"][kind]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if kind in output.get("data", {})
    ]


def test_the_notebook_is_kept_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells)


def test_the_sweep_prints_its_tables_as_html(executed):
    [sweep, *frames] = outputs(executed, "text/html")
    assert "replay" in sweep
    assert "class-il/split-digits" in sweep
    assert len(frames) >= 3


def test_the_plots_are_pictures(executed):
    assert len(outputs(executed, "image/png")) == 2


def test_the_last_cell_checks_the_numbers_by_hand(executed):
    assert 0 < float(executed.cells[-1]["outputs"][-1]["data"]["text/plain"]) < 1
