"""Published data over the network, by torchvision: mirrors, checksums and unpacking are its own."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType


def download(class_name: str, folder: str, directory: Path) -> None:
    """Download a torchvision data set into ``directory/folder``, torchvision's folder for this class.

    The files appear there when all are complete, so that an interrupted download leaves nothing behind
    that looks like data.

    Raises:
        OSError, RuntimeError, HTTPException: whatever stopped it, as torchvision puts it.
        ImportError: torchvision is not installed.
    """
    dataset = getattr(torchvision_datasets(), class_name)
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=directory) as temporary:
        with contextlib.redirect_stdout(sys.stderr):  # its progress must not end up in a piped table
            dataset(temporary, train=False, download=True)  # fetches both sets and reads the smaller
        _move(Path(temporary) / folder, directory / folder)


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.replace(source, target)  # one step: nobody sees half of it
    except OSError:  # the folder is there already
        for part in source.iterdir():
            os.replace(part, target / part.name)


def torchvision_datasets() -> ModuleType:
    """Import ``torchvision.datasets``, also where the operators of torchvision do not load.

    PyPI's torchvision carries CUDA operators; beside a CPU build of torch they are missing, and the
    declarations of their shapes then fail the import. The data sets need none of them.
    """
    try:
        return importlib.import_module("torchvision.datasets")
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    declarations = "torchvision._meta_registrations"
    sys.modules[declarations] = ModuleType(declarations)
    return importlib.import_module("torchvision.datasets")
