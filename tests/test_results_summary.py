"""Cells, their means over seeds, and why a metric has none, against hand calculations."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from cl.metrics import METRICS
from results.matrices import trial_matrices
from results.schema import ACCURACY, COMPLETE, DIVERGED, FAILED, RUNNING, TRIALS, to_table
from results.statistics import Interval
from results.summary import CellSummary, mean_matrix, summarise

NAN = float("nan")
START = datetime(2026, 1, 1, tzinfo=UTC)


class Rows:
    """Rows of a sweep, added trial by trial in the order in which they start."""

    def __init__(self) -> None:
        self.trials: list[dict[str, object]] = []
        self.accuracy: list[dict[str, object]] = []

    def add(
        self,
        method: str,
        seed: int,
        R: Sequence[Sequence[float]] = (),
        *,
        untrained: Sequence[float] = (),
        status: str = COMPLETE,
        kind: str = "domain-il",
        hyperparameters: object = None,
        settings: object = None,
        train: object = None,
        tasks: int = 2,
        **values: object,
    ) -> Rows:
        """One trial with its matrix; everything else has a usual value."""
        trial_id = f"t{len(self.trials)}"
        identity = {"trial_id": trial_id, "scenario": f"{kind}/split-digits", "method": method, "seed": seed}
        texts = {
            "scenario_settings": json.dumps(settings or {"tasks": 2}),
            "hyperparameters": json.dumps(hyperparameters or {}),
            "model": json.dumps({"hidden": [256, 256]}),
            "train": json.dumps(train or {"lr": 0.01, "epochs": 5}),
        }
        versions = dict.fromkeys(("clsweep_version", "python_version", "torch_version"), "1")
        self.trials.append(
            {
                **identity,
                **texts,
                **versions,
                "sweep": "s",
                "kind": kind,
                "stream": "split-digits",
                "n_tasks": tasks,
                "status": status,
                "attempts": 1,
                "started_at": START + timedelta(seconds=len(self.trials)),
                "device": "cpu",
                "threads": 1,
                "cpu": 1.0,
                "gpu": 0.0,
                "data_digest": "d1",
                "results_version": 1,
                **values,
            }
        )
        columns = [*([untrained] if untrained else []), *zip(*R, strict=True)]
        first = -1 if untrained else 0
        for after, column in enumerate(columns, start=first):
            for task, value in enumerate(column):
                cell = {"after_task": after, "eval_task": task, "accuracy": value}
                self.accuracy.append({**identity, **cell, "split": "test", "n_eval": 72})
        return self

    def summarise(self, **options: object) -> list[CellSummary]:
        """The cells of the tables that these rows make."""
        tables = to_table(TRIALS, self.trials), to_table(ACCURACY, self.accuracy)
        return summarise(*tables, **{"reference": "joint", "fresh": {"joint", "scratch"}, **options})


def test_metrics_are_computed_per_seed_and_then_averaged():
    rows = Rows().add("naive", 0, [[1.0, 0.5], [0.25, 0.75]]).add("naive", 1, [[0.75, 0.75], [0.5, 1.0]])
    (cell,) = rows.summarise()
    assert cell.values["acc"] == {0: 0.625, 1: 0.875}
    # sd = 0.25 / sqrt(2); t(0.975, 1) = 12.706205, so the half width is 12.706205 * 0.25 / 2.
    assert cell.metrics["acc"] == Interval(
        2, 0.75, pytest.approx(0.125 * math.sqrt(2)), pytest.approx(1.588276)
    )
    assert cell.metrics["bwt"].mean == -0.25
    assert cell.metrics["fm"].mean == 0.25
    assert cell.metrics["fwt"].mean == 0.375
    assert cell.metrics["learning_accuracy"].mean == 0.875
    assert cell.n == cell.planned == 2


def test_the_fm_of_a_cell_is_not_that_of_its_mean_matrix():
    dropped_first = [[1.0, 1.0, 0.5], [0.5, 1.0, 1.0], [0.5, 0.5, 1.0]]
    dropped_second = [[1.0, 1.0, 1.0], [0.5, 1.0, 0.5], [0.5, 0.5, 1.0]]
    rows = Rows().add("naive", 0, dropped_first, tasks=3).add("naive", 1, dropped_second, tasks=3)
    (cell,) = rows.summarise()
    mean, n = mean_matrix(cell)
    assert cell.metrics["fm"].mean == 0.5
    assert METRICS["fm"].compute(mean) == 0.25
    assert n == 2
    assert mean.tolist() == [[1.0, 1.0, 0.75], [0.5, 1.0, 0.75], [0.5, 0.5, 1.0]]


def test_three_seeds_give_the_student_interval():
    rows = Rows()
    for seed, final in enumerate([0.25, 0.5, 0.75]):
        rows.add("naive", seed, [[1.0, final], [0.0, final]])
    interval = rows.summarise()[0].metrics["acc"]
    assert interval == Interval(3, 0.5, 0.25, pytest.approx(4.302653 * 0.25 / math.sqrt(3), abs=1e-6))
    assert rows.summarise(level=0.5)[0].metrics["acc"].half_width == pytest.approx(
        0.816497 * 0.25 / math.sqrt(3), abs=1e-6
    )


def test_only_complete_trials_enter_means_and_the_others_are_counted():
    good, bad = [[1.0, 0.5], [0.5, 0.5]], [[0.0, 0.0], [0.0, 0.0]]
    rows = Rows().add("naive", 0, good)
    for seed, status in enumerate([FAILED, DIVERGED, DIVERGED, RUNNING], start=1):
        rows.add("naive", seed, bad, status=status)
    rows.add("joint", 7, good)
    naive, joint = rows.summarise()
    assert naive.metrics["acc"] == Interval(1, 0.5, None, None)
    assert (naive.n, naive.planned, naive.missing) == (1, 6, (7,))
    assert naive.seeds == {0: COMPLETE, 1: FAILED, 2: DIVERGED, 3: DIVERGED, 4: RUNNING}
    assert naive.with_status(DIVERGED) == (2, 3)
    assert (joint.n, joint.planned, joint.missing) == (1, 6, (0, 1, 2, 3, 4))


def test_a_cell_without_a_complete_trial_has_no_means_and_says_so():
    (cell,) = Rows().add("naive", 0, status=FAILED).summarise()
    assert cell.metrics == {}
    assert set(cell.reasons.values()) == {"no complete trial"}
    with pytest.raises(ValueError, match="naive in domain-il/split-digits has no complete trial"):
        mean_matrix(cell)


def test_intransigence_pairs_each_trial_with_the_joint_trial_of_its_seed():
    rows = Rows()
    for seed, learned, reference in ((0, 0.5, 0.75), (1, 0.75, 0.875)):
        rows.add("naive", seed, [[learned, 0.0], [0.0, learned]])
        rows.add("joint", seed, [[reference, 0.0], [0.0, reference]])
    naive, joint = rows.summarise()
    assert naive.values["intransigence"] == {0: 0.25, 1: 0.125}
    assert joint.metrics["intransigence"].mean == 0.0


@pytest.mark.parametrize(
    "conditions",
    [
        {"train": {"lr": 0.1, "epochs": 5}},
        {"settings": {"tasks": 3}},
        {"data_digest": "d2"},
        {"results_version": 2},
        {"kind": "task-il"},
        {"status": DIVERGED},
        {"seed": 1},
    ],
    ids=str,
)
def test_a_joint_trial_under_other_conditions_is_no_reference(conditions):
    R = [[1.0, 0.5], [0.5, 0.5]]
    rows = Rows().add("naive", 0, R).add("joint", **{"seed": 0, "R": R, **conditions})
    naive = next(cell for cell in rows.summarise() if cell.method == "naive")
    assert "intransigence" not in naive.metrics
    assert naive.reasons["intransigence"] == "no complete joint trial with the same settings and seed"


def test_a_metric_that_some_seeds_lack_is_the_mean_of_the_others_and_names_the_seeds():
    R = [[1.0, 0.5], [0.5, 0.75]]
    rows = Rows().add("naive", 0, R).add("naive", 1, R).add("naive", 2, [[1.0, NAN], [0.5, 0.5]])
    (cell,) = rows.add("joint", 1, R).summarise()[:1]
    assert cell.metrics["intransigence"].n == 1
    assert cell.reasons["intransigence"] == (
        "seeds 0, 2: no complete joint trial with the same settings and seed"
    )
    assert cell.metrics["acc"] == Interval(2, 0.625, 0.0, 0.0)
    assert cell.reasons["acc"] == "seed 2: R[0, 1] is missing"


def test_a_metric_without_meaning_is_null_whatever_the_accuracies():
    R, undefined = [[1.0, 0.5], [0.5, 0.5]], {"bwt", "fm", "forgetting"}
    rows = Rows().add("joint", 0, R, untrained=[0.5, 0.5]).add("scratch", 0, R, untrained=[0.5, 0.5])
    for cell in rows.summarise():
        assert cell.reasons == dict.fromkeys(undefined, "undefined, since each task trains a fresh model")
        assert cell.metrics.keys() == METRICS.keys() - undefined


def test_which_method_is_the_reference_and_which_start_anew_is_for_the_caller_to_say():
    R, J = [[1.0, 0.5], [0.5, 0.5]], [[0.5, 0.5], [0.5, 0.75]]
    rows = Rows().add("naive", 0, R).add("mine", 0, J)
    naive, mine = rows.summarise(reference="mine", fresh={"mine"})
    assert naive.values["intransigence"] == {0: -0.125}  # (0.5 - 1.0 + 0.75 - 0.5) / 2
    assert "bwt" in naive.metrics
    assert "bwt" not in mine.metrics
    alone = rows.summarise(reference="", fresh=())[0]
    assert alone.reasons["intransigence"] == "no complete reference trial with the same settings and seed"


@pytest.mark.parametrize(
    ("before_it_is_learned", "undefined"), [(NAN, {"fwt", "fwt_gain"}), (0.25, set[str]())]
)
def test_forward_transfer_in_class_il_needs_outputs_for_unseen_tasks(before_it_is_learned, undefined):
    R = [[1.0, 0.5], [before_it_is_learned, 0.5]]
    rows = Rows().add("naive", 0, R, untrained=[0.5, before_it_is_learned], kind="class-il")
    cell = rows.add("joint", 0, R, kind="class-il").summarise()[0]
    assert cell.reasons == dict.fromkeys(undefined, "undefined in class-il: unseen classes have no output")
    assert cell.metrics.keys() == METRICS.keys() - undefined


def test_what_has_not_started_is_missing_and_a_cell_of_its_own_if_it_is_alone():
    rows = Rows().add("naive", 0, [[1.0, 0.5], [0.5, 0.75]])
    known = to_table(TRIALS, rows.trials).to_pylist()[0]
    cells = rows.summarise(
        not_started=[
            known | {"seed": 1},
            known | {"method": "replay"},
            known | {"method": "replay", "seed": 1},
        ]
    )
    assert [(cell.method, cell.n, cell.planned, cell.missing) for cell in cells] == [
        ("naive", 1, 2, (1,)),
        ("replay", 0, 2, (0, 1)),
    ]


def test_a_single_task_has_an_accuracy_and_no_transfer():
    (cell,) = Rows().add("naive", 0, [[0.5]], untrained=[0.25], tasks=1).summarise()
    assert cell.metrics["acc"].mean == 0.5
    assert cell.reasons["bwt"] == cell.reasons["fwt_gain"] == "needs at least two tasks"


def test_the_untrained_accuracy_enters_the_fwt_gain_alone():
    (cell,) = Rows().add("naive", 0, [[1.0, 0.5], [0.75, 1.0]], untrained=[0.0, 0.5]).summarise()
    assert cell.metrics["fwt_gain"].mean == 0.25
    assert cell.metrics["acc"].mean == 0.75


def test_validation_rows_do_not_enter():
    rows = Rows().add("naive", 0, [[1.0, 0.5], [0.5, 0.5]])
    rows.accuracy += [{**row, "split": "val", "accuracy": 0.0} for row in rows.accuracy]
    assert rows.summarise()[0].metrics["acc"].mean == 0.5


def test_labels_show_only_what_varies_and_a_grid_ascends():
    rows = Rows()
    for strength in (10000.0, 1.0, 100.0):
        rows.add("ewc", 0, hyperparameters={"lambda": strength, "gamma": 1.0})
    rows.add("naive", 0)
    cells = rows.summarise()
    assert [cell.label for cell in cells] == ["ewc lambda=1", "ewc lambda=100", "ewc lambda=10000", "naive"]
    assert {cell.scenario_label for cell in cells} == {"domain-il/split-digits"}


def test_varying_training_and_scenario_settings_are_told_apart():
    rows = Rows()
    for tasks in (5, 3):
        for rate in (0.1, 0.01):
            rows.add("naive", 0, settings={"tasks": tasks}, train={"lr": rate, "epochs": 5})
    assert [(cell.scenario_label, cell.label) for cell in rows.summarise()] == [
        ("domain-il/split-digits tasks=3", "naive train.lr=0.01"),
        ("domain-il/split-digits tasks=3", "naive train.lr=0.1"),
        ("domain-il/split-digits tasks=5", "naive train.lr=0.01"),
        ("domain-il/split-digits tasks=5", "naive train.lr=0.1"),
    ]


def test_other_data_and_other_results_versions_are_never_averaged_together():
    rows = Rows().add("naive", 0).add("naive", 1, data_digest="d2").add("naive", 2, results_version=2)
    assert [cell.scenario_label for cell in rows.summarise()] == [
        "domain-il/split-digits data=d1 results_version=1",
        "domain-il/split-digits data=d1 results_version=2",
        "domain-il/split-digits data=d2 results_version=1",
    ]


def test_settings_are_the_same_in_any_order_of_their_names():
    rows = (
        Rows().add("naive", 0, train={"lr": 0.1, "epochs": 5}).add("naive", 1, train={"epochs": 5, "lr": 0.1})
    )
    assert len(rows.summarise()) == 1


def test_cells_stand_in_the_order_in_which_the_sweep_started_them():
    rows = Rows()
    for seed in (0, 1):
        for kind in ("task-il", "class-il"):
            for method in ("replay", "joint", "naive"):
                rows.add(method, seed, kind=kind)
    rows.trials.reverse()
    expected = [(kind, method) for kind in ("task-il", "class-il") for method in ("replay", "joint", "naive")]
    assert [(cell.kind, cell.method) for cell in rows.summarise()] == expected


def test_a_seed_run_twice_counts_once_by_its_latest_complete_trial():
    rows = Rows().add("naive", 0, [[1.0, 0.25], [0.5, 0.25]], device="cpu")
    rows.add("naive", 0, [[1.0, 0.5], [0.5, 0.5]], device="cuda").add("naive", 0, status=RUNNING, threads=4)
    (cell,) = rows.summarise()
    assert cell.values["acc"] == {0: 0.5}
    assert cell.seeds == {0: COMPLETE}


def test_only_the_metrics_asked_for_are_computed():
    (cell,) = Rows().add("naive", 0, [[1.0, 0.5], [0.5, 0.5]]).summarise(metrics=["acc"])
    assert list(cell.values) == list(cell.metrics) == ["acc"]


def test_a_sweep_without_trials_has_no_cells():
    assert Rows().summarise() == []


def test_matrices_of_different_size_are_kept_apart():
    rows = Rows().add("naive", 0, [[0.5]], untrained=[0.25], tasks=1)
    rows.add("naive", 1, [[1.0, 0.5], [NAN, 0.75]])
    matrices = trial_matrices({"t1": 2, "t0": 1}, to_table(ACCURACY, rows.accuracy))
    np.testing.assert_array_equal(matrices["t0"].R, [[0.5]])
    np.testing.assert_array_equal(matrices["t0"].untrained, [0.25])
    np.testing.assert_array_equal(matrices["t1"].R, [[1.0, 0.5], [NAN, 0.75]])
    np.testing.assert_array_equal(matrices["t1"].untrained, [NAN, NAN])


@pytest.mark.parametrize("cell", [{"eval_task": 2}, {"after_task": 2}, {"after_task": -2}])
def test_a_row_outside_the_matrix_is_an_error_and_lands_in_no_other_trial(cell):
    rows = Rows().add("naive", 0, [[1.0, 0.5], [0.5, 0.5]])
    rows.accuracy[0] |= cell
    with pytest.raises(ValueError, match="trial t0 has 2 tasks, but a row for task"):
        rows.summarise()


def test_the_time_of_training_is_a_mean_over_complete_seeds():
    R = [[1.0, 0.5], [NAN, 1.0]]
    rows = Rows().add("naive", 0, R, train_s=2.0).add("naive", 1, R, train_s=5.0)
    rows.add("naive", 2, status=FAILED, train_s=100.0).add("joint", 0, status=FAILED, train_s=1.0)
    assert [cell.train_s for cell in rows.summarise()] == [3.5, None]
