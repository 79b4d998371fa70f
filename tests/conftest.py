"""What tests share: small data, and a word about what this machine lacks."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
import torch

from cl.datasets import Dataset

if TYPE_CHECKING:
    from object_storage import ObjectStorage
    from selenium.webdriver import Chrome

# As trials do; two threads that wait for each other on a busy machine are slower than one.
torch.set_num_threads(1)


class Need(NamedTuple):
    """What the tests with a marker need of the machine."""

    name: str
    is_there: Callable[[], bool]
    how: str


def _programs(*names: str) -> Callable[[], bool]:
    return lambda: all(map(which, names))


def _latex() -> bool:
    wanted = ["kpsewhich", "booktabs.sty", "graphicx.sty", "siunitx.sty"]
    there = _programs("pdflatex", "kpsewhich")()
    return there and subprocess.run(wanted, stdout=subprocess.DEVNULL, check=False).returncode == 0


# By marker; each has its line in pyproject.toml and its packages in .ci/run.
NEEDS = {
    "chromium": Need(
        "Chromium with its driver",
        _programs("chromium", "chromedriver"),
        "Debian: apt-get install --no-install-recommends chromium chromium-driver",
    ),
    "fashion_mnist": Need(
        "Fashion-MNIST",
        Path("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz").exists,
        "Debian: apt-get install dataset-fashion-mnist",
    ),
    "shells": Need("zsh or fish", _programs("zsh", "fish"), "Debian: apt-get install zsh fish"),
    "texlive": Need(
        "LaTeX with booktabs and siunitx",
        _latex,
        "Debian: apt-get install --no-install-recommends texlive-latex-recommended texlive-science",
    ),
}
MISSING: pytest.StashKey[dict[str, list[str]]] = pytest.StashKey()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect, aloud, the tests that need what this machine does not have."""
    missing: dict[str, list[str]] = {}
    deselected = []
    for marker in (marker for marker, need in NEEDS.items() if not need.is_there()):
        absent = [item for item in items if item.get_closest_marker(marker)]
        missing[marker] = [item.nodeid for item in absent]
        deselected += absent
        items[:] = [item for item in items if item not in absent]
    config.stash[MISSING] = missing
    if deselected:
        config.hook.pytest_deselected(items=deselected)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name the deselected tests and how to get what they need."""
    for marker, names in config.stash.get(MISSING, {}).items():
        if names:
            terminalreporter.section(f"not run: {NEEDS[marker].name} is absent ({NEEDS[marker].how})")
            for name in names:
                terminalreporter.line(name)


@pytest.fixture(scope="session")
def blobs() -> Dataset:
    """Six classes of noisy 4 x 4 images, easy to tell apart: 240 to train on, 60 to test."""
    random = np.random.default_rng(0)
    centres = random.integers(0, 256, size=(6, 4, 4))

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count) % 6
        noise = random.normal(0, 25, size=(count, 4, 4))
        return np.clip(centres[labels] + noise, 0, 255).astype(np.uint8), labels.astype(np.int64)

    x_train, y_train = draw(240)
    x_test, y_test = draw(60)
    for array in (x_train, y_train, x_test, y_test):
        array.flags.writeable = False
    return Dataset(x_train, y_train, x_test, y_test, scale=1 / 255)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[ObjectStorage]:
    """An S3 server; whoever stops it starts it again."""
    from object_storage import ObjectStorage  # noqa: PLC0415 - a second, and few tests need it

    server = ObjectStorage()
    yield server
    server.stop()


@pytest.fixture
def s3(s3_server: ObjectStorage, monkeypatch: pytest.MonkeyPatch) -> ObjectStorage:
    """The S3 server, with keys for it in the environment."""
    for name, value in s3_server.ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    s3_server.requests.clear()
    return s3_server


@pytest.fixture(params=["local", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder that does not exist yet, on this machine and in an object store."""
    if request.param == "local":
        return str(tmp_path / "place")
    storage = request.getfixturevalue("s3")
    return storage.uri(f"{storage.bucket()}/place")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chrome]:
    """One browser for all tests with the marker of that name."""
    from browsers import opened  # noqa: PLC0415 - selenium, for the few tests that look at pages

    with opened() as browser:
        yield browser


@pytest.fixture
def browser(chromium: Chrome) -> Iterator[Chrome]:
    """The browser, on a desktop; a test must leave its console empty."""
    from browsers import quiet  # noqa: PLC0415 - it was opened with it

    with quiet(chromium) as browser:
        yield browser


@pytest.fixture(scope="session")
def report_address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report as a file."""
    from browsers import written_report  # noqa: PLC0415 - for the few tests that look at pages

    return written_report(tmp_path_factory.mktemp("report"))


@pytest.fixture
def page(browser: Chrome, report_address: str) -> Chrome:
    """The browser with that report opened."""
    browser.get(report_address)
    return browser
