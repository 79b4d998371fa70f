"""The git work tree that a command was started in: its commit, and what makes it dirty."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from orchestrator import work_tree as module
from orchestrator.work_tree import WorkTree, of_the_command, work_tree
from results.storage import Folder

NOTHING = WorkTree(None, None)


def git(folder: Path, *arguments: str) -> str:
    """What git prints."""
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    """Git without the settings of this machine, and without a work tree that the temporary folder is in."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))


@pytest.fixture
def tree(tmp_path):
    """A work tree with one commit: two files, one of them in a folder, and what is ignored."""
    folder = tmp_path / "tree of mine"
    (folder / "sweeps").mkdir(parents=True)
    (folder / "method.py").write_text("lambda = 1\n")
    (folder / "sweeps" / "mine.yaml").write_text("seeds: 1\n")
    (folder / ".gitignore").write_text("*.log\n")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "one")
    return folder


def dirty_after(tree, change):
    change(tree)
    return work_tree(tree).dirty


def test_a_tree_as_it_was_committed_is_clean_and_has_its_commit(tree):
    commit = git(tree, "rev-parse", "HEAD")
    assert re.fullmatch("[0-9a-f]{40}", commit)
    assert work_tree(tree) == WorkTree(commit, dirty=False)


def test_the_commit_is_the_one_checked_out(tree):
    first = work_tree(tree).commit
    (tree / "method.py").write_text("lambda = 2\n")
    git(tree, "commit", "--quiet", "--all", "--message", "two")
    assert work_tree(tree).commit != first
    git(tree, "checkout", "--quiet", first)
    assert work_tree(tree) == WorkTree(first, dirty=False)


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: (tree / "method.py").write_text("lambda = 3\n"),
        lambda tree: (tree / "method.py").unlink(),
        lambda tree: git(tree, "mv", "method.py", "other.py"),
        lambda tree: (tree / "plugin.py").write_text("a method that nobody has committed"),
    ],
    ids=["changed", "deleted", "staged", "untracked"],
)
def test_what_the_commit_does_not_hold_makes_it_dirty(tree, change):
    assert dirty_after(tree, change) is True
    assert work_tree(tree / "sweeps").dirty is True, "seen from any folder of the tree"


def test_what_git_ignores_does_not(tree):
    assert dirty_after(tree, lambda tree: (tree / "ray.log").write_text("chatter")) is False


def test_an_untracked_file_counts_for_a_user_whose_git_does_not_show_them_too(tree):
    git(tree, "config", "status.showUntrackedFiles", "no")
    assert dirty_after(tree, lambda tree: (tree / "plugin.py").write_text("")) is True


@pytest.mark.parametrize(
    ("start", "storage"),
    [
        ("", "runs"),
        ("sweeps", "runs"),
        ("sweeps", "../runs"),
        ("", "[p]*"),
        ("", "a b/:!c"),
        ("", "."),
        ("sweeps", ".."),
        ("", "link"),
        ("", "../elsewhere"),
    ],
)
def test_what_a_run_writes_does_not_make_its_tree_dirty_and_everything_else_does(
    tree, monkeypatch, start, storage
):
    (tree.parent / "elsewhere").mkdir()
    (tree / "link").symlink_to(tree.parent / "elsewhere")
    git(tree, "add", "link")
    git(tree, "commit", "--quiet", "--message", "a link")
    monkeypatch.chdir(tree / start)
    root = Folder.at(storage) / "tiny"
    (root / "trials").write("t1.parquet", b"rows")
    assert of_the_command(root).dirty is False
    (tree / "plugin.py").write_text("")
    assert of_the_command(root).dirty is True


def test_other_runs_beside_it_do_not_either_whether_they_are_committed_or_not(tree, monkeypatch):
    monkeypatch.chdir(tree)
    runs = Folder.at("runs")
    (runs / "earlier").write("sweep.yaml", b"seeds: 1")
    git(tree, "add", "runs")
    git(tree, "commit", "--quiet", "--message", "results")
    (runs / "earlier").write("sweep.yaml", b"seeds: 2")
    (runs / "another").write("sweep.yaml", b"seeds: 1")
    assert of_the_command(runs / "tiny").dirty is False
    assert work_tree(tree).dirty is True


def test_a_storage_folder_that_is_a_link_nobody_has_committed_does_not_either(tree, monkeypatch):
    (tree.parent / "scratch").mkdir()
    (tree / "runs").symlink_to(tree.parent / "scratch")
    monkeypatch.chdir(tree)
    assert of_the_command(Folder.at("runs") / "tiny").dirty is False


def test_results_in_an_object_store_leave_nothing_out(tree, monkeypatch):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.chdir(tree)
    root = Folder.at("s3://bucket/runs?region=eu-west-1") / "tiny"
    assert of_the_command(root) == work_tree(tree)
    (tree / "runs").mkdir()
    (tree / "runs" / "plugin.py").write_text("")
    assert of_the_command(root).dirty is True


def test_a_folder_outside_any_tree_and_a_tree_without_a_commit_have_nothing(tmp_path):
    assert work_tree(tmp_path) == NOTHING
    git(tmp_path, "init", "--quiet")
    assert work_tree(tmp_path) == NOTHING
    assert work_tree(tmp_path / ".git") == NOTHING


def test_a_folder_that_somebody_has_removed_has_nothing(tmp_path, monkeypatch):
    gone, storage = tmp_path / "gone", Folder.at(tmp_path / "runs")
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert of_the_command(storage / "tiny") == NOTHING
    monkeypatch.undo()


def test_a_machine_without_git_has_nothing(tree, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert work_tree(tree) == NOTHING


def test_a_git_that_takes_too_long_over_the_files_leaves_the_commit(tree, tmp_path, monkeypatch):
    commit = work_tree(tree).commit
    slow = tmp_path / "git"
    slow.write_text(f'#!/bin/sh\ncase "$*" in *status*) exec sleep 100;; esac\nprintf "%s\\n" / {commit}\n')
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(module, "WITHIN_S", 0.5)
    assert work_tree(tree) == WorkTree(commit, dirty=None)


def test_git_is_asked_without_a_trace_in_the_tree(tree):
    # Git would like to note that a file which was touched is the same.
    os.utime(tree / "method.py", ns=(10**18, 10**18))
    before = {path: path.read_bytes() for path in sorted(tree.rglob("*")) if path.is_file()}
    assert work_tree(tree).dirty is False
    assert {path: path.read_bytes() for path in sorted(tree.rglob("*")) if path.is_file()} == before


def test_a_monitor_or_a_hook_that_the_tree_names_is_not_started(tree, tmp_path):
    hook, mark = tmp_path / "monitor", tmp_path / "started"
    hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
    hook.chmod(0o755)
    git(tree, "config", "core.fsmonitor", str(hook))
    assert work_tree(tree).dirty is False
    assert not mark.exists()
