"""What a trial computes with: packages in their versions, and the GPU."""

from __future__ import annotations

import json
import re
import tomllib
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch

from orchestrator import environment
from orchestrator.environment import gpu_model, packages, version

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture
def anew():
    """Nothing is remembered from before, nor afterwards."""
    packages.cache_clear()
    yield
    packages.cache_clear()


def test_the_packages_are_those_that_the_project_declares_without_extras():
    declared = {re.split(r"[\[<>=,]", line)[0] for line in PROJECT["project"]["dependencies"]}
    assert set(json.loads(packages())) == declared


def test_the_versions_are_those_that_the_process_computes_with():
    found = json.loads(packages())
    assert found["numpy"] == np.__version__
    assert found["torch"] == torch.__version__


@pytest.mark.usefixtures("anew")
def test_packages_that_are_not_installed_are_left_out(monkeypatch):
    wanted = ["numpy>=2.0", "no-such-package>=1", 'pytest>=8; extra == "dev"']
    monkeypatch.setattr(metadata, "requires", lambda _: wanted)
    assert json.loads(packages()) == {"numpy": np.__version__}


@pytest.mark.usefixtures("anew")
@pytest.mark.parametrize("trouble", [metadata.PackageNotFoundError("clsweep"), PermissionError("metadata")])
def test_where_clsweep_is_not_installed_or_cannot_be_read_they_are_unknown(monkeypatch, trouble):
    def absent(_):
        raise trouble

    monkeypatch.setattr(metadata, "requires", absent)
    assert packages() == "{}"


def test_a_package_whose_files_are_damaged_has_no_version(monkeypatch):
    def damaged(_):
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    monkeypatch.setattr(metadata, "version", damaged)
    assert version("numpy") is None


@pytest.mark.usefixtures("anew")
def test_they_are_looked_up_once_in_a_process(monkeypatch):
    asked = []
    monkeypatch.setattr(environment, "version", lambda name: asked.append(name) or "1")
    first = packages()
    assert packages() is first
    assert len(asked) == len(set(asked)) > 0


def test_a_trial_on_a_gpu_has_its_name_and_one_on_a_cpu_has_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H200")
    assert gpu_model("cuda") == "NVIDIA H200"
    assert gpu_model("cpu") is None


@pytest.mark.parametrize(
    "trouble",
    [AssertionError("Torch not compiled with CUDA enabled"), RuntimeError("CUDA error: device-side assert")],
)
def test_a_gpu_that_cannot_be_asked_is_unknown(monkeypatch, trouble):
    def broken():
        raise trouble

    monkeypatch.setattr(torch.cuda, "get_device_name", broken)
    assert gpu_model("cuda") is None
