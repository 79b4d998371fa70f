"""TensorBoard's event files, read back by TensorBoard."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
from servers import serving
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import api_pb2 as hparams
from tensorboard.plugins.hparams import metadata
from tracked import ANEW, COMPLETE, DIVERGED, LATER, RUNNING, START, step

from cl.metrics import METRICS
from results.schema import STATUSES
from results.storage import StoreError
from results.trackers.tensorboard import write_tensorboard

RUN = Path("class-il/split-digits/ewc lambda=10/seed 3")


def read(folder: Path) -> EventAccumulator:
    """What TensorBoard finds in a run's folder."""
    return EventAccumulator(str(folder)).Reload()


def scalars(found: EventAccumulator, name: str) -> list[tuple[float, int, float]]:
    """The wall times, steps and values of a scalar."""
    return [
        (event.wall_time, event.step, float(np.asarray(event.tensor_proto.float_val)[0]))
        if event.tensor_proto.float_val
        else (
            event.wall_time,
            event.step,
            float(np.frombuffer(event.tensor_proto.tensor_content, np.float32)[0]),
        )
        for event in found.Tensors(name)
    ]


def content_of(folder: Path) -> dict[str, bytes]:
    """Every file by its path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def hparams_of(found: EventAccumulator, tag: str) -> Any:
    """What a run says to the tab HPARAMS under *tag*."""
    content = found.SummaryMetadata(getattr(metadata, tag)).plugin_data.content
    parse = {
        "SESSION_START_INFO_TAG": metadata.parse_session_start_info_plugin_data,
        "SESSION_END_INFO_TAG": metadata.parse_session_end_info_plugin_data,
        "EXPERIMENT_TAG": metadata.parse_experiment_plugin_data,
    }
    return parse[tag](content)


def test_every_value_is_read_back_with_its_step_and_time(tmp_path):
    write_tensorboard([COMPLETE], tmp_path)
    found, start = read(tmp_path / RUN), START.timestamp()
    assert scalars(found, "accuracy/task_0") == [(start + 2, 0, 0.75), (start + 4, 1, 0.5)]
    assert scalars(found, "task/loss") == [(start + 2, 0, 0.25), (start + 4, 1, 0.25)]
    assert scalars(found, "acc") == [(start + 5, 1, 0.75)]
    assert scalars(found, "wall_s") == [(start + 5, 1, 5.0)]


def test_a_metric_is_explained(tmp_path):
    write_tensorboard([replace(COMPLETE, final={"acc": 0.5, "val_acc": 0.25})], tmp_path)
    found = read(tmp_path / RUN)
    described = {
        name: found.SummaryMetadata(name).summary_description for name in ("acc", "val_acc", "task/loss")
    }
    assert described == {
        "acc": "ACC (test): mean_i R[i, T-1]",
        "val_acc": "ACC (val): mean_i R[i, T-1]",
        "task/loss": "",
    }


def test_what_the_trials_table_says_is_a_table_in_the_tab_text(tmp_path):
    write_tensorboard([COMPLETE], tmp_path)
    (text,) = read(tmp_path / RUN).Tensors("trial")
    lines = text.tensor_proto.string_val[0].decode().splitlines()
    assert lines[:3] == ["| column | value |", "| --- | --- |", "| trial_id | aaaa |"]
    assert r"| host | node\|7 |" in lines


def test_the_parameters_are_those_of_the_tab_hparams(tmp_path):
    write_tensorboard([COMPLETE], tmp_path)
    info = hparams_of(read(tmp_path / RUN), "SESSION_START_INFO_TAG")
    values = {name: getattr(value, value.WhichOneof("kind")) for name, value in info.hparams.items()}
    assert values == COMPLETE.params
    assert info.start_time_secs == START.timestamp()


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "running"])
def test_only_what_failed_or_diverged_is_a_failure(status, tmp_path):
    write_tensorboard([replace(COMPLETE, status=status)], tmp_path)
    info = hparams_of(read(tmp_path / RUN), "SESSION_END_INFO_TAG")
    failed = status in {"failed", "diverged"}
    assert info.status == (hparams.STATUS_FAILURE if failed else hparams.STATUS_SUCCESS)
    assert info.end_time_secs == START.timestamp() + 5


def test_the_same_trials_give_the_same_bytes_and_nothing_is_written_twice(tmp_path):
    assert write_tensorboard([COMPLETE, DIVERGED], tmp_path / "a")[1:] == (2, 0, 0)
    assert write_tensorboard([DIVERGED, COMPLETE], tmp_path / "b")[1:] == (2, 0, 0)
    runs = [path for path in content_of(tmp_path / "a") if not path.endswith("experiment")]
    assert len(runs) == 2
    assert all(content_of(tmp_path / "a")[path] == content_of(tmp_path / "b")[path] for path in runs)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*")}
    assert write_tensorboard([COMPLETE, DIVERGED], tmp_path / "a")[1:] == (0, 0, 2)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*")} == before


def test_a_trial_that_got_on_is_written_on_in_its_file(tmp_path):
    write_tensorboard([RUNNING], tmp_path)
    found = read(tmp_path / RUN)
    (file,) = (tmp_path / RUN).iterdir()
    earlier, inode = file.read_bytes(), file.stat().st_ino
    assert len(scalars(found, "accuracy/task_0")) == 1
    assert write_tensorboard([COMPLETE], tmp_path)[1:] == (0, 1, 0)
    assert (list((tmp_path / RUN).iterdir()), file.stat().st_ino) == ([file], inode)
    assert file.read_bytes().startswith(earlier)
    found.Reload()  # goes on where it was
    assert [value for *_, value in scalars(found, "accuracy/task_0")] == [0.75, 0.5]


def test_a_file_that_was_cut_off_while_it_was_lengthened_is_completed(tmp_path):
    write_tensorboard([COMPLETE], tmp_path)
    (file,) = (tmp_path / RUN).iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-7])
    write_tensorboard([COMPLETE], tmp_path)
    assert file.read_bytes() == whole


def test_a_trial_that_was_run_anew_has_only_its_new_values(tmp_path):
    write_tensorboard([COMPLETE], tmp_path)
    assert write_tensorboard([ANEW], tmp_path)[1:] == (0, 1, 0)
    assert len(list((tmp_path / RUN).iterdir())) == 1
    values = scalars(read(tmp_path / RUN), "accuracy/task_0")
    assert values == [(LATER.timestamp() + 2, 0, 0.875), (LATER.timestamp() + 4, 1, 0.625)]


def test_a_trial_under_a_new_name_is_moved(tmp_path):
    write_tensorboard([replace(COMPLETE, name="class-il/split-digits/ewc/seed 3"), DIVERGED], tmp_path)
    assert write_tensorboard([COMPLETE, DIVERGED], tmp_path)[1:] == (0, 1, 1)
    assert sorted(path.name for path in (tmp_path / RUN).parents[1].iterdir()) == [
        "ewc lambda=10",
        "ewc lambda=1000",
    ]


def test_files_of_others_stay(tmp_path):
    write_tensorboard([COMPLETE, DIVERGED], tmp_path)
    own = tmp_path / RUN / "events.out.tfevents.1767268800.somehost.17.0"
    own.write_bytes(b"theirs")
    before = content_of(tmp_path)
    write_tensorboard([COMPLETE], tmp_path)
    after = content_of(tmp_path)
    assert {path for path in before if before[path] != after[path]} == {"events.out.tfevents.0.experiment"}


def test_a_name_cannot_lead_out_of_the_folder(tmp_path):
    write_tensorboard([replace(COMPLETE, name="class-il/../../x: y?/seed 3")], tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out/class-il/_/_/x_ y_/seed 3").is_dir()


def test_the_tab_hparams_has_a_column_for_each_parameter_and_metric(tmp_path):
    mixed = replace(DIVERGED, params={**DIVERGED.params, "ewc.lambda": "all", "train.reset": False})
    write_tensorboard([COMPLETE, mixed], tmp_path)
    experiment = hparams_of(read(tmp_path), "EXPERIMENT_TAG")
    columns = {info.name: info for info in experiment.hparam_infos}
    assert list(columns) == ["scenario", "method", "seed", "ewc.lambda", "train.reset"]
    assert [name for name, info in columns.items() if info.differs] == ["ewc.lambda", "train.reset"]
    assert (columns["seed"].domain_interval.min_value, columns["seed"].type) == (3, hparams.DATA_TYPE_FLOAT64)
    assert [value.string_value for value in columns["ewc.lambda"].domain_discrete.values] == ["10.0", "all"]
    assert [value.bool_value for value in columns["train.reset"].domain_discrete.values] == [True, False]
    metrics = [info.name.tag for info in experiment.metric_infos]
    assert metrics == [*METRICS, "wall_s", "train_s", "eval_s", "peak_memory_bytes"]


def test_a_folder_in_which_a_file_is_in_the_way_is_named(tmp_path):
    (tmp_path / "class-il").touch()
    with pytest.raises(StoreError, match=r"cannot write .*: Not a directory"):
        write_tensorboard([COMPLETE], tmp_path)


def test_tensorboard_itself_shows_the_trials_and_what_is_added_while_it_runs(tmp_path):
    out = tmp_path / "out"
    write_tensorboard([RUNNING, DIVERGED], out)
    arguments = ["--logdir", str(out), "--host", "127.0.0.1", "--reload_interval", "1", "--port"]
    with serving("tensorboard", arguments, tmp_path / "log") as ask:
        everything = ["SUCCESS", "FAILURE", "RUNNING", "UNKNOWN"]
        request = {
            "experimentName": "",
            "allowedStatuses": [f"STATUS_{status}" for status in everything],
            "colParams": [{"hparam": "ewc.lambda"}, {"metric": {"tag": "acc"}}],
            "sliceSize": 10,
        }
        group = until(
            lambda: by_lambda(ask("/data/plugin/hparams/session_groups", request)), lambda x: len(x) == 2
        )
        assert group[10.0]["sessions"][0]["status"] == "STATUS_UNKNOWN"  # not over
        assert group[1000.0]["sessions"][0]["status"] == "STATUS_FAILURE"
        write_tensorboard([COMPLETE, DIVERGED], out)
        series = f"/data/plugin/scalars/scalars?{urlencode({'run': str(RUN), 'tag': 'accuracy/task_0'})}"
        values = until(lambda: ask(series), lambda found: len(found) == 2)
        assert [value for *_, value in values] == [0.75, 0.5]
        group = until(
            lambda: by_lambda(ask("/data/plugin/hparams/session_groups", request)),
            lambda x: x[10.0]["sessions"][0]["status"] == "STATUS_SUCCESS",
        )
        assert [each["value"] for each in group[10.0]["metricValues"] if each["name"]["tag"] == "acc"] == [
            0.75
        ]


def by_lambda(answer: dict[str, Any]) -> dict[float, Any]:
    return {group["hparams"]["ewc.lambda"]: group for group in answer["sessionGroups"]}


def until(ask: Any, is_so: Any) -> Any:
    """What *ask* gives once it is so, as TensorBoard loads in the background."""
    for _ in range(300):
        if is_so(found := ask()):
            return found
        time.sleep(0.2)
    raise AssertionError(found)


def test_a_value_that_has_changed_is_not_there_twice(tmp_path):
    write_tensorboard([replace(RUNNING, steps=[step(0, 0.5)])], tmp_path)
    write_tensorboard([replace(RUNNING, steps=[step(0, 0.625)])], tmp_path)
    assert [value for *_, value in scalars(read(tmp_path / RUN), "accuracy/task_0")] == [0.625]


def test_the_bytes_of_a_trial_do_not_depend_on_the_order_of_a_map(tmp_path):
    trial = replace(COMPLETE, params={f"parameter {number}": number for number in range(30, 60)})
    write_tensorboard([trial], tmp_path)
    [path] = [path for path in tmp_path.rglob("*tfevents*") if "experiment" not in path.name]
    content = read(path.parent).SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    places = [content.index(f"parameter {number}".encode()) for number in range(30, 60)]
    assert places == sorted(places), "which differs between processes, as the order of a set does"
