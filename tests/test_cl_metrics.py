"""Every metric against values worked out by hand, and against its definition read literally."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cl.metrics import (
    METRICS,
    UndefinedMetric,
    acc,
    average_incremental_accuracy,
    bwt,
    fm,
    forgetting,
    fwt,
    fwt_gain,
    intransigence,
    intransigence_proxy,
    learning_accuracy,
    worst_task_accuracy,
)

NAN = float("nan")
ONE = [[0.9]]
TWO = [[1.0, 0.25], [0.5, 0.75]]
# Task 0 peaks after task 1, so forgetting and BWT differ; task 1 does not.
THREE = [[0.5, 1.0, 0.25], [0.5, 0.75, 0.5], [0.125, 0.25, 1.0]]
ARTICLE = [[0.97, 0.94, 0.91], [NAN, 0.95, 0.93], [NAN, NAN, 0.96]]
UPPER = {
    "acc": acc,
    "bwt": bwt,
    "fm": fm,
    "forgetting": forgetting,
    "intransigence_proxy": intransigence_proxy,
    "learning_accuracy": learning_accuracy,
    "average_incremental_accuracy": average_incremental_accuracy,
    "worst_task_accuracy": worst_task_accuracy,
}


@pytest.mark.parametrize(
    ("metric", "one", "two", "three"),
    [
        (acc, 0.9, (0.25 + 0.75) / 2, (0.25 + 0.5 + 1.0) / 3),
        (bwt, None, -0.75, (-0.25 - 0.25) / 2),
        (fm, None, 0.75, 0.25),
        (forgetting, None, 0.75, (0.75 + 0.25) / 2),
        (fwt, None, 0.5, (0.5 + 0.25) / 2),
        (intransigence_proxy, 0.1, 0.125, 0.25),
        (learning_accuracy, 0.9, 0.875, 0.75),
        (average_incremental_accuracy, 0.9, (1.0 + 0.5) / 2, (0.5 + 0.875 + 1.75 / 3) / 3),
        (worst_task_accuracy, 0.9, 0.25, 0.25),
    ],
)
def test_a_metric_of_one_two_and_three_tasks_is_what_the_hand_calculation_says(metric, one, two, three):
    if one is None:
        with pytest.raises(UndefinedMetric, match=r"^needs at least two tasks$"):
            metric(ONE)
    else:
        assert metric(ONE) == pytest.approx(one)
    assert metric(TWO) == pytest.approx(two)
    assert metric(THREE) == pytest.approx(three)


def test_the_worked_example_follows_the_formulas_and_not_the_printed_numbers():
    assert acc(ARTICLE) == pytest.approx((0.91 + 0.93 + 0.96) / 3)
    assert round(acc(ARTICLE), 4) == 0.9333
    assert bwt(ARTICLE) == pytest.approx(-0.0400)
    assert fm(ARTICLE) == pytest.approx(0.06)
    assert intransigence_proxy(ARTICLE) == pytest.approx(0.04)
    with pytest.raises(UndefinedMetric, match=r"^R\[1, 0\], R\[2, 1\] are missing$"):
        fwt(ARTICLE)


def test_the_fwt_gain_subtracts_the_untrained_accuracy_of_each_task_but_the_first():
    assert fwt_gain(TWO, [0.875, 0.125]) == pytest.approx(0.5 - 0.125)
    assert fwt_gain(THREE, [NAN, 0.25, 0.125]) == pytest.approx((0.25 + 0.125) / 2)
    with pytest.raises(UndefinedMetric, match=r"^R\[2, -1\] is missing$"):
        fwt_gain(THREE, [0.5, 0.5, NAN])
    with pytest.raises(UndefinedMetric, match=r"^R\[1, 0\] is missing$"):
        fwt_gain([[0.9, 0.8], [NAN, 0.9]], [0.5, 0.5])
    with pytest.raises(UndefinedMetric, match="two tasks"):
        fwt_gain(ONE, [0.5])


def test_intransigence_is_how_much_better_joint_training_learns_each_task():
    assert intransigence(ONE, [[0.95]]) == pytest.approx(0.05)
    assert intransigence(TWO, [[1.0, NAN], [NAN, 1.0]]) == pytest.approx(0.125)
    assert intransigence(THREE, [[0.75, 0, 0], [0, 0.75, 0], [0, 0, 0.875]]) == pytest.approx(0.125 / 3)
    with pytest.raises(UndefinedMetric, match=r"^J\[1, 1\] is missing$"):
        intransigence(TWO, [[1.0, 1.0], [1.0, NAN]])
    with pytest.raises(UndefinedMetric, match=r"^R\[0, 0\] is missing$"):
        intransigence([[NAN]], [[1.0]])


@pytest.mark.parametrize(
    ("metric", "hole", "named"),
    [
        (acc, (2, 2), "R[2, 2] is missing"),
        (bwt, (1, 1), "R[1, 1] is missing"),
        (fm, (0, 2), "R[0, 2] is missing"),
        (forgetting, (0, 1), "R[0, 1] is missing"),
        (fwt, (2, 1), "R[2, 1] is missing"),
        (learning_accuracy, (2, 2), "R[2, 2] is missing"),
        (average_incremental_accuracy, (1, 2), "R[1, 2] is missing"),
        (worst_task_accuracy, (1, 2), "R[1, 2] is missing"),
    ],
)
def test_a_metric_that_needs_a_missing_cell_is_undefined_and_names_it(metric, hole, named):
    R = np.array(THREE)
    R[hole] = NAN
    with pytest.raises(UndefinedMetric) as undefined:
        metric(R)
    assert str(undefined.value) == named


def test_many_missing_cells_are_counted_after_the_first_three():
    with pytest.raises(UndefinedMetric, match=r"^R\[0, 4\], R\[1, 4\], R\[2, 4\] and 2 more are missing$"):
        acc(np.full((5, 5), NAN))


@pytest.mark.parametrize("shape", [(0, 0), (2, 3), (2,)])
def test_an_array_that_is_no_accuracy_matrix_is_an_error_and_not_a_null(shape):
    with pytest.raises(ValueError, match="matrix"):
        acc(np.zeros(shape))


def test_matrices_of_different_size_are_an_error():
    with pytest.raises(ValueError, match="R has 2 tasks and J has 1"):
        intransigence(TWO, ONE)
    with pytest.raises(ValueError, match="one accuracy for each of 2 tasks"):
        fwt_gain(TWO, [0.5])


matrices = st.integers(2, 6).flatmap(
    lambda tasks: st.lists(
        st.lists(st.floats(0, 1), min_size=tasks, max_size=tasks), min_size=tasks, max_size=tasks
    )
)


@given(matrices)
def test_a_metric_is_its_definition_read_literally(R):
    T = len(R)
    literal = {
        "acc": sum(R[i][T - 1] for i in range(T)) / T,
        "bwt": sum(R[i][T - 1] - R[i][i] for i in range(T - 1)) / (T - 1),
        "fm": max(R[i][i] - R[i][T - 1] for i in range(T - 1)),
        "forgetting": sum(max(R[i][j] for j in range(i, T - 1)) - R[i][T - 1] for i in range(T - 1))
        / (T - 1),
        "fwt": sum(R[i][i - 1] for i in range(1, T)) / (T - 1),
        "fwt_gain": sum(R[i][i - 1] - R[i][0] for i in range(1, T)) / (T - 1),
        "intransigence": sum(R[k][k] - R[k][k] ** 2 for k in range(T)) / T * -1,
        "intransigence_proxy": 1 - sum(R[k][k] for k in range(T)) / T,
        "learning_accuracy": sum(R[k][k] for k in range(T)) / T,
        "average_incremental_accuracy": sum(sum(R[i][j] for i in range(j + 1)) / (j + 1) for j in range(T))
        / T,
        "worst_task_accuracy": min(R[i][T - 1] for i in range(T)),
    }
    arrays = {"R": R, "untrained": [row[0] for row in R], "J": np.square(R)}
    computed = {name: metric.compute(*(arrays[a] for a in metric.reads)) for name, metric in METRICS.items()}
    assert computed == pytest.approx(literal, abs=1e-12)


@given(matrices)
def test_cells_of_tasks_not_yet_seen_do_not_enter_the_metrics_of_seen_tasks(R):
    seen = np.where(np.tri(len(R), dtype=bool).T, R, NAN)
    for name, metric in UPPER.items():
        assert metric(seen) == metric(R), name


@given(matrices)
def test_forgetting_from_the_best_is_at_least_the_backward_loss_and_at_most_what_a_task_can_lose(R):
    assert forgetting(R) >= -bwt(R) - 1e-12
    assert fm(R) >= -bwt(R) - 1e-12


def test_a_metric_does_not_change_the_matrix():
    R = np.array(THREE)
    R.setflags(write=False)
    for metric in METRICS.values():
        metric.compute(*({"R": R, "untrained": R[0], "J": R}[array] for array in metric.reads))
    assert R.tolist() == THREE


@pytest.mark.parametrize("tasks", [2, 5, 12])
@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_stack_of_matrices_gets_what_each_gets_alone_to_the_last_bit(metric, tasks):
    random = np.random.default_rng(tasks)
    arrays = {name: random.random((7, tasks, tasks)) for name in ("R", "J")}
    arrays["untrained"] = random.random((7, tasks))
    stacks = [arrays[name] for name in metric.reads]
    assert metric.of_each(*stacks).tolist() == [metric.compute(*each) for each in zip(*stacks, strict=True)]


def test_a_metric_of_one_matrix_refuses_a_stack():
    with pytest.raises(ValueError, match="one matrix is expected, got 3"):
        acc(np.ones((3, 2, 2)))


def test_every_metric_has_a_name_of_its_own():
    assert len({metric.label for metric in METRICS.values()}) == len(METRICS)
    assert all(metric.compute.__name__ == name for name, metric in METRICS.items())
