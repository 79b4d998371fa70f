"""Downloads by torchvision, its classes replaced so that no network is used."""

import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from cl import download as module
from cl.download import download, torchvision_datasets


def fake(write):
    class Downloaded:
        def __init__(self, root, *, train, download):
            assert not train  # both are fetched, and the smaller is then read
            assert download
            print("Downloading")  # noqa: T201 - torchvision prints too
            write(root)

    return Downloaded


@pytest.fixture
def torchvision_writes(monkeypatch):
    return lambda write: monkeypatch.setattr(torchvision_datasets(), "MNIST", fake(write))


def raw(root):
    folder = Path(root) / "MNIST" / "raw"
    folder.mkdir(parents=True)
    return folder


def test_torchvision_can_be_imported_beside_a_cpu_build_of_torch():
    assert torchvision_datasets().FashionMNIST.__mro__[1] is torchvision_datasets().MNIST


def test_complete_files_appear_in_torchvisions_layout(torchvision_writes, tmp_path, capsys):
    torchvision_writes(lambda root: (raw(root) / "train-labels-idx1-ubyte").write_text("new"))
    download("MNIST", "MNIST/raw", tmp_path / "data")
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["MNIST"]
    assert (tmp_path / "data/MNIST/raw/train-labels-idx1-ubyte").read_text() == "new"
    assert capsys.readouterr() == ("", "Downloading\n")


def test_files_beside_the_data_stay(torchvision_writes, tmp_path):
    (raw(tmp_path) / "notes").write_text("mine")
    torchvision_writes(lambda root: (raw(root) / "train-labels-idx1-ubyte").write_text("new"))
    download("MNIST", "MNIST/raw", tmp_path)
    found = {path.name: path.read_text() for path in (tmp_path / "MNIST/raw").iterdir()}
    assert found == {"notes": "mine", "train-labels-idx1-ubyte": "new"}


def test_an_archive_is_not_kept_beside_the_folder_that_was_in_it(monkeypatch, tmp_path):
    def write(root):
        (Path(root) / "cifar-100-python.tar.gz").write_text("archive")
        (Path(root) / "cifar-100-python").mkdir()
        (Path(root) / "cifar-100-python" / "train").write_text("new")

    monkeypatch.setattr(torchvision_datasets(), "CIFAR100", fake(write))
    download("CIFAR100", "cifar-100-python", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["cifar-100-python"]
    assert (tmp_path / "cifar-100-python/train").read_text() == "new"


def test_an_interrupted_download_leaves_nothing(torchvision_writes, tmp_path):
    def half(root):
        (raw(root) / "train-images-idx3-ubyte.gz").write_text("half")
        raise RuntimeError("Error downloading train-labels-idx1-ubyte.gz")

    torchvision_writes(half)
    with pytest.raises(RuntimeError, match="Error downloading"):
        download("MNIST", "MNIST/raw", tmp_path)
    assert list(tmp_path.iterdir()) == []


def importing(monkeypatch, *outcomes):
    """Replace the import by these outcomes, one per attempt; return what each attempt could see."""
    seen, left = [], list(outcomes)

    def attempt(_name):
        seen.append({name for name in sys.modules if name.startswith("torchvision")})
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(module.importlib, "import_module", attempt)
    return seen


def test_missing_operators_are_worked_around_by_a_second_import(monkeypatch):
    datasets = SimpleNamespace()
    with patch.dict(sys.modules, {"torchvision.half_imported": SimpleNamespace()}):
        seen = importing(monkeypatch, RuntimeError("operator torchvision::nms does not exist"), datasets)
        assert torchvision_datasets() is datasets
    assert "torchvision.half_imported" in seen[0]
    assert seen[1] == {"torchvision._meta_registrations"}


def test_another_error_of_the_import_is_passed_on(monkeypatch):
    importing(monkeypatch, RuntimeError("out of memory"))
    with pytest.raises(RuntimeError, match="out of memory"):
        torchvision_datasets()
