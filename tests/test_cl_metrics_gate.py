"""The evaluation gate on single values."""

from __future__ import annotations

import pytest

from cl.metrics import CLMetrics, CLMetricsTracker, Gate, evaluation_gates, passes_evaluation_gate

CHAMPION = CLMetrics(acc=0.90, bwt=-0.05, fm=0.30)


def failed(**values: float | None) -> list[str]:
    """The gates that fail a challenger as good as the champion but for *values*."""
    challenger = CLMetrics(**{"acc": 0.90, "bwt": -0.05, "fm": 0.05, **values})
    result = passes_evaluation_gate(challenger, CHAMPION)
    assert bool(result) is not bool(result.failed)
    return [verdict.gate.metric for verdict in result.failed]


@pytest.mark.parametrize(
    ("values", "gates"),
    [
        ({}, []),
        ({"acc": 0.89}, []),
        ({"acc": 0.879}, ["acc"]),
        ({"fm": 0.051}, ["fm"]),
        ({"bwt": -0.079}, []),
        ({"bwt": -0.081}, ["bwt"]),
        ({"acc": 1.0, "bwt": 0.0, "fm": 0.25}, ["fm"]),
        ({"acc": 0.5, "bwt": -0.5, "fm": 0.5}, ["acc", "fm", "bwt"]),
    ],
)
def test_each_gate_fails_what_is_beyond_its_limit_and_no_other(values, gates):
    assert failed(**values) == gates


def test_a_value_on_the_limit_passes_whatever_floating_point_makes_of_it():
    assert 0.89 - 0.91 < -0.02, "or else this would be no test"
    for cents in range(2, 101):
        champion = CLMetrics(acc=cents / 100, bwt=-cents / 100, fm=0.0)
        challenger = CLMetrics(acc=(cents - 2) / 100, bwt=-(cents + 3) / 100, fm=0.05)
        assert passes_evaluation_gate(challenger, champion), cents


def test_the_champions_forgetting_is_no_excuse():
    assert failed(fm=0.2) == ["fm"], "though the champion's is 0.3"


def test_a_result_says_by_how_much():
    result = passes_evaluation_gate(CLMetrics(acc=0.75, bwt=-0.25, fm=0.125), CLMetrics(acc=1.0, bwt=0.0))
    assert [verdict.value for verdict in result.verdicts] == [-0.25, 0.125, -0.25]
    assert [verdict.gate.miss(verdict.value) for verdict in result.failed] == [0.23, 0.075, 0.22]
    assert str(result) == "\n".join(
        [
            "does not pass the evaluation gate",
            "  ACC difference  -0.2500  at least -0.0200  fails by 0.2300",
            "  FM               0.1250  at most   0.0500  fails by 0.0750",
            "  BWT difference  -0.2500  at least -0.0300  fails by 0.2200",
        ]
    )
    assert str(passes_evaluation_gate(CHAMPION, CHAMPION, max_forgetting_threshold=0.3)).startswith("passes")


def test_thresholds_can_be_given():
    worse = CLMetrics(acc=0.80, bwt=-0.15, fm=0.30)
    generous = {"max_forgetting_threshold": 0.3, "max_acc_drop": 0.1, "max_bwt_drop": 0.1}
    assert passes_evaluation_gate(worse, CHAMPION, **generous)
    for name in generous:
        strict = passes_evaluation_gate(worse, CHAMPION, **(generous | {name: 0.05}))
        assert [verdict.gate.metric for verdict in strict.failed] == [
            name.split("_")[1].replace("forgetting", "fm")
        ]


def test_a_negative_drop_demands_a_gain():
    better = CLMetrics(acc=0.92, bwt=-0.05, fm=0.0)
    assert passes_evaluation_gate(better, CHAMPION, max_acc_drop=-0.01)
    assert not passes_evaluation_gate(better, CHAMPION, max_acc_drop=-0.03)


@pytest.mark.parametrize("name", ["max_forgetting_threshold", "max_acc_drop", "max_bwt_drop"])
@pytest.mark.parametrize("value", [5, -1.5, float("nan"), float("inf")])
def test_a_threshold_is_a_share(name, value):
    with pytest.raises(ValueError, match=f"{name} must lie between -1 and 1, got {value}"):
        passes_evaluation_gate(CHAMPION, CHAMPION, **{name: value})


def test_a_gate_that_cannot_be_judged_does_not_pass_and_says_whose_value_is_missing():
    tracker = CLMetricsTracker(1)
    tracker.record(task_id=0, after_task=0, accuracy=0.95)
    after_one_task = tracker.compute()
    result = passes_evaluation_gate(after_one_task, CHAMPION)
    assert [(verdict.gate.metric, verdict.reason) for verdict in result.failed] == [
        ("fm", "challenger's FM: needs at least two tasks"),
        ("bwt", "challenger's BWT: needs at least two tasks"),
    ]
    against = passes_evaluation_gate(CLMetrics(acc=0.95, bwt=-0.01, fm=0.01), after_one_task)
    assert [verdict.reason for verdict in against.failed] == ["champion's BWT: needs at least two tasks"]
    assert str(against).splitlines()[-1] == (
        "  BWT difference        –  cannot be judged: champion's BWT: needs at least two tasks"
    )
    assert passes_evaluation_gate(CLMetrics(), CHAMPION).failed[0].reason == "challenger's ACC: not given"


def test_the_gates_are_those_of_the_article():
    assert evaluation_gates() == (
        Gate("acc", difference=True, limit=-0.02),
        Gate("fm", difference=False, limit=0.05),
        Gate("bwt", difference=True, limit=-0.03),
    )
