"""The tracker: what it records, what it refuses, and the metrics of the matrix that it holds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl.metrics import METRICS, CLMetrics, CLMetricsTracker, UndefinedMetric

NAN = float("nan")


def tracked(R, *, n_tasks=None, untrained=()):
    """A tracker that was told every cell that is not NaN, column by column."""
    tracker = CLMetricsTracker(n_tasks or len(R))
    columns = [*([untrained] if len(untrained) else []), *zip(*R, strict=True)]
    for after, column in enumerate(columns, start=-1 if len(untrained) else 0):
        for task, accuracy in enumerate(column):
            if not np.isnan(accuracy):
                tracker.record(task_id=task, after_task=after, accuracy=accuracy)
    return tracker


def outcome(metric, arrays):
    """The value of a metric, or why it has none."""
    try:
        return metric.compute(*(arrays[array] for array in metric.reads)), None
    except UndefinedMetric as error:
        return None, str(error)


def article():
    """The worked example: three tasks of five."""
    return tracked([[0.97, 0.94, 0.91], [NAN, 0.95, 0.93], [NAN, NAN, 0.96]], n_tasks=5)


def test_the_worked_example_is_what_the_formulas_give_over_the_three_tasks_learned():
    metrics = article().compute()
    assert metrics.acc == pytest.approx((0.91 + 0.93 + 0.96) / 3)
    assert metrics.bwt == pytest.approx((-0.06 - 0.02) / 2)
    assert metrics.fm == pytest.approx(0.06)
    assert metrics.forgetting == pytest.approx((0.06 + 0.02) / 2)
    assert metrics.fwt is None
    assert metrics.reasons["fwt"] == "R[1, 0], R[2, 1] are missing"
    assert metrics.intransigence_proxy == pytest.approx(0.04)
    assert metrics.learning_accuracy == pytest.approx(0.96)
    assert metrics.average_incremental_accuracy == pytest.approx((0.97 + 0.945 + 2.8 / 3) / 3)
    assert metrics.worst_task_accuracy == 0.91
    assert metrics.per_task_forgetting == (pytest.approx(-0.06), pytest.approx(-0.02))


def test_metrics_are_over_the_tasks_learned_so_far():
    tracker = CLMetricsTracker(n_tasks=3)
    tracker.record(task_id=0, after_task=0, accuracy=0.75)
    tracker.record(task_id=1, after_task=0, accuracy=0.5)
    assert (tracker.n_learned, tracker.compute().acc) == (1, 0.75)
    tracker.record(task_id=0, after_task=1, accuracy=0.25)
    tracker.record(task_id=1, after_task=1, accuracy=1.0)
    two = tracker.compute()
    assert (tracker.n_learned, two.acc, two.bwt, two.fm, two.fwt) == (2, 0.625, -0.5, 0.5, 0.5)
    assert two.per_task_forgetting == (-0.5,)
    for task, accuracy in enumerate((0.5, 0.5, 1.0)):
        tracker.record(task_id=task, after_task=2, accuracy=accuracy)
    three = tracker.compute()
    assert (tracker.n_learned, three.acc, three.bwt, three.fm) == (3, pytest.approx(2 / 3), -0.375, 0.5)
    assert three.forgetting == (0.25 + 0.5) / 2
    assert three.per_task_forgetting == (-0.25, -0.5)


def test_a_single_task_has_no_backward_transfer_and_says_why():
    metrics = tracked([[0.75]]).compute()
    assert (metrics.acc, metrics.learning_accuracy, metrics.worst_task_accuracy) == (0.75, 0.75, 0.75)
    assert (metrics.intransigence_proxy, metrics.per_task_forgetting) == (0.25, ())
    for name in ("bwt", "fm", "forgetting", "fwt", "fwt_gain"):
        assert metrics.value(name) is None
        assert metrics.reasons[name] == "needs at least two tasks"


def test_a_metric_that_needs_a_cell_nobody_recorded_is_undefined_and_names_it():
    metrics = tracked([[1.0, NAN, 0.5], [NAN, NAN, 0.75], [NAN, NAN, 1.0]]).compute()
    assert metrics.acc == 0.75
    assert (metrics.bwt, metrics.reasons["bwt"]) == (None, "R[1, 1] is missing")
    assert metrics.per_task_forgetting == (-0.5, None)


def test_in_class_il_only_what_reads_unseen_classes_is_undefined():
    R = [[1.0, 0.5], [NAN, 0.75]]
    metrics = tracked(R, untrained=[NAN, NAN]).compute(joint=[[1.0, 1.0], [NAN, 1.0]])
    undefined = {name for name in METRICS if metrics.value(name) is None}
    assert undefined == {"fwt", "fwt_gain"} == set(metrics.reasons)
    assert metrics.reasons["fwt"] == "R[1, 0] is missing"


def test_the_fwt_gain_reads_the_untrained_model():
    tracker = tracked([[1.0, 0.5], [0.625, 0.75]], untrained=[0.5, 0.125])
    assert tracker.compute().fwt_gain == 0.5
    assert tracker.untrained.tolist() == [0.5, 0.125]
    assert tracker.matrix.tolist() == [[1.0, 0.5], [0.625, 0.75]]


def test_intransigence_is_against_the_joint_matrix_of_the_tasks_learned():
    R = [[0.75, 0.5, NAN], [0.5, 0.5, NAN], [NAN, NAN, NAN]]
    J = [[1.0, 1.0, 1.0], [0.0, 0.75, 1.0], [0.0, 0.0, 1.0]]
    assert tracked(R).compute(joint=J).intransigence == 0.25
    without = tracked(R).compute()
    assert (without.intransigence, without.intransigence_proxy) == (None, 0.375)
    assert without.reasons["intransigence"] == "needs the matrix of joint training"
    with pytest.raises(ValueError, match=r"joint must be a matrix of at least 2 tasks, got shape \(1, 1\)"):
        tracked(R).compute(joint=[[1.0]])


@given(
    st.integers(1, 4).flatmap(
        lambda tasks: st.lists(
            st.lists(st.floats(0, 1), min_size=tasks + 1, max_size=tasks + 1), min_size=tasks, max_size=tasks
        )
    )
)
def test_every_metric_is_that_of_the_matrix(cells):
    untrained, R = [row[0] for row in cells], [row[1:] for row in cells]
    metrics = tracked(R, untrained=untrained).compute(joint=np.square(R))
    arrays = {"R": R, "untrained": untrained, "J": np.square(R)}
    for name, metric in METRICS.items():
        value, reason = outcome(metric, arrays)
        assert (metrics.value(name), metrics.reasons.get(name)) == (value, reason)


def test_the_record_has_a_field_for_every_metric():
    fields = [field.name for field in dataclasses.fields(CLMetrics)]
    assert fields == [*METRICS, "per_task_forgetting", "reasons"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        CLMetrics().acc = 1.0


@pytest.mark.parametrize("value", [NAN, float("inf")])
def test_a_metric_is_a_number_or_none(value):
    with pytest.raises(ValueError, match="bwt must be finite, or None where it is undefined"):
        CLMetrics(bwt=value)


@pytest.mark.parametrize(
    ("task", "after", "accuracy", "message"),
    [
        (3, 0, 0.5, "task_id must lie in 0 to 2, got 3"),
        (-1, 0, 0.5, "task_id must lie in 0 to 2, got -1"),
        (0, 3, 0.5, r"after_task must lie in -1 \(untrained\) to 2, got 3"),
        (0, -2, 0.5, r"after_task must lie in -1 \(untrained\) to 2, got -2"),
        (0, 1, 97.0, "accuracy must be a share from 0 to 1, got 97.0 for task 0 after task 1"),
        (0, 1, -0.1, "accuracy must be a share"),
        (0, 1, NAN, "what was not measured is not recorded"),
        (0, 1, float("inf"), "accuracy must be a share"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_the_matrix_alone(task, after, accuracy, message):
    tracker = CLMetricsTracker(3)
    with pytest.raises(ValueError, match=message):
        tracker.record(task_id=task, after_task=after, accuracy=accuracy)
    assert np.isnan(tracker.matrix).all()


def test_a_cell_can_be_recorded_again_but_not_changed():
    tracker = tracked([[0.5]])
    tracker.record(task_id=0, after_task=0, accuracy=0.5)
    with pytest.raises(ValueError, match=r"R\[0, 0\] is already 0.5, and now 0.75; a new training run"):
        tracker.record(task_id=0, after_task=0, accuracy=0.75)
    assert tracker.matrix.tolist() == [[0.5]]


def test_numbers_of_numpy_can_be_recorded():
    tracker = CLMetricsTracker(np.int64(2))
    tracker.record(np.int64(1), np.int32(1), np.float32(0.5))
    assert tracker.matrix[1, 1] == 0.5


def test_a_tracker_has_at_least_one_task():
    with pytest.raises(ValueError, match="n_tasks must be at least 1, got 0"):
        CLMetricsTracker(0)


@pytest.mark.parametrize("untrained", [(), (0.5, 0.5)])
def test_before_any_task_is_learned_there_are_no_metrics(untrained):
    with pytest.raises(ValueError, match="nothing is recorded yet after any task"):
        tracked([[NAN, NAN], [NAN, NAN]], untrained=untrained).compute()


def test_the_matrix_is_a_copy():
    tracker = tracked([[0.5]])
    tracker.matrix[0, 0] = tracker.untrained[0] = 1.0
    assert tracker.matrix.tolist() == [[0.5]]
    assert np.isnan(tracker.untrained).all()


@pytest.mark.parametrize(
    ("final", "words"),
    [(0.25, "-0.5000 (forgetting)"), (0.75, "0.0000 (nothing forgotten)"), (1.0, "0.2500 (improvement)")],
)
def test_the_summary_says_what_the_sign_of_bwt_means(final, words):
    summary = tracked([[0.75, final], [NAN, 0.5]]).compute().summary("naive")
    assert f"  BWT (backward transfer)   : {words}" in summary.splitlines()


def test_the_summary_has_intransigence_beside_its_proxy_if_there_is_a_joint_matrix():
    tracker = tracked([[0.75]])
    with_joint = tracker.compute(joint=[[1.0]]).summary("x").splitlines()
    assert with_joint[7:9] == [
        "  Intransigence (proxy)     : 0.2500",
        "  Intransigence             : 0.2500",
    ]
    assert "  BWT (backward transfer)   : – (needs at least two tasks)" in with_joint
    assert not [line for line in tracker.compute().summary("x").splitlines() if "Intransigence  " in line]


def test_a_task_whose_forgetting_is_unknown_is_a_dash_in_the_summary():
    lines = tracked([[1.0, NAN, 0.5], [NAN, NAN, 0.75], [NAN, NAN, 1.0]]).compute().summary("x").splitlines()
    assert lines[-4:-1] == ["  Per-task forgetting:", "    Task 0: -0.5000", "    Task 1: –"]


def test_the_printed_matrix_tells_what_is_not_learned_from_what_is_not_recorded():
    assert article().matrix_text().splitlines() == [
        "            T0    T1    T2    T3    T4",
        "──────────────────────────────────────",
        "Task 0 | 0.970 0.940 0.910     –     –",
        "Task 1 |     — 0.950 0.930     –     –",
        "Task 2 |     —     — 0.960     –     –",
        "Task 3 |     —     —     —     –     –",
        "Task 4 |     —     —     —     —     –",
    ]


def test_the_printed_matrix_of_ten_tasks_and_more_stays_aligned():
    assert len({len(line) for line in tracked(np.ones((11, 11))).matrix_text().splitlines()}) == 1
