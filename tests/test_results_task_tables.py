"""What a task costs and what a method says of itself, averaged over seeds by hand."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from made_rows import Rows, screen

from results.records import Records, records
from results.schema import FAILED
from results.task_tables import cost_tables, task_tables

R = [[1.0, 0.75], [0.5, 0.25]]


def cost(seconds: float, **values: object) -> dict[str, object]:
    usual = {"steps": 10, "examples": 640, "passes": 10, "parameters": 1000}
    return {"train_s": seconds, **usual, **values}


def recorded(rows: Rows) -> list[Records]:
    return records(rows.cells, rows.trials, rows.tasks)


def by_task(rows: Rows, width: int = 80) -> list[str]:
    return screen(task_tables(recorded(rows), width=width), width)


def costs(rows: Rows) -> list[str]:
    return screen(cost_tables(recorded(rows)))


def cells_of(lines: Sequence[str], method: str) -> list[str]:
    (line,) = [line for line in lines if line.startswith(f"{method} ")]
    return line.split()[1:]


def test_the_fisher_share_stands_beside_the_accuracy_that_is_left_to_learn_with():
    rows = Rows()
    for seed, shares in enumerate(((0.25, 0.5), (0.5, 1.0))):
        R_of_seed = [[1.0 - seed / 4, 0.0], [0.0, 0.5 - seed / 4]]
        tasks = [
            cost(1.0 + seed, fisher_nonzero_share=share, memory_bytes=8000 * (k + 1))
            for k, share in enumerate(shares)
        ]
        rows.add("ewc", seed, R_of_seed, tasks=tasks)
    assert by_task(rows) == [
        "domain-il/split-digits  ewc",
        "by task, mean of 2 seeds",
        "               Fisher",
        "task  learned     > 0  seconds  steps  examples  passes  parameters   memory",
        "────────────────────────────────────────────────────────────────────────────",
        "   0    0.875   0.375     1.50     10       640      10       1,000  8.00 kB",
        "   1    0.375   0.750     1.50     10       640      10       1,000  16.0 kB",
    ]


def test_columns_that_do_not_fit_stand_below_with_their_tasks():
    def gem(by_task: list[int], violations: int, norm: float | None) -> dict[str, object]:
        memory = {"memory_examples": sum(by_task), "memory_by_task": by_task, "memory_bytes": 999}
        return cost(12.34, **memory, gem_violations=violations, gem_projection_norm=norm)

    lines = by_task(Rows().add("gem", 0, R, tasks=[gem([200], 0, None), gem([200, 150], 4, 0.5)]))
    assert lines == [
        "domain-il/split-digits  gem",
        "by task, 1 seed",
        "                                                               memory   memory",
        "task  learned  seconds  steps  examples  passes  parameters  examples  by task",
        "──────────────────────────────────────────────────────────────────────────────",
        "   0    1.000     12.3     10       640      10       1,000       200      200",
        "   1    0.250     12.3     10       640      10       1,000       350  200 150",
        "",
        "              projected  projection",
        "task  memory      steps        norm",
        "───────────────────────────────────",
        "   0   999 B          0           –",
        "   1   999 B          4       0.500",
    ]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_line_is_wider_than_the_terminal_and_every_column_is_there(width):
    tasks = [cost(1.0, memory_by_task=[50] * 10, trainable_parameters=123_456, frozen_parameters=7)] * 2
    lines = by_task(Rows().add("packnet", 0, R, tasks=tasks), width)
    assert max(map(len, lines)) <= width
    text = " ".join(lines)
    assert all(head in text for head in ("learned", "passes", "parameters", "by task", "trainable", "frozen"))
    assert text.count("123,456") == 2


def test_the_memory_of_each_task_is_averaged_over_seeds():
    rows = Rows()
    for seed, by_seed in enumerate(([30, 10], [10, 30])):
        rows.add("replay", seed, R, tasks=[cost(1.0, memory_by_task=[40]), cost(1.0, memory_by_task=by_seed)])
    assert by_task(rows)[-1].endswith("  20 20")


def test_what_a_plug_in_says_is_a_column_under_its_own_name():
    tasks = [cost(1.0, other={"mean_drift": 0.125}), cost(1.0)]
    lines = by_task(Rows().add("mine", 0, R, tasks=tasks))
    assert [line.split()[-1] for line in lines[2:4] + lines[5:]] == ["mean", "drift", "0.125", "–"]


def test_a_diagnostic_that_no_seed_has_is_no_column():
    text = " ".join(by_task(Rows().add("naive", 0, R, tasks=[cost(1.0)] * 2)))
    assert "parameters" in text
    assert not any(word in text for word in ("Fisher", "memory", "projected", "frozen"))


def test_only_complete_trials_are_shown():
    rows = Rows().add("naive", 0, R, tasks=[cost(1.0)] * 2)
    rows.add("naive", 1, R, tasks=[cost(100.0)], status=FAILED)
    rows.add("ewc", 1, R, tasks=[cost(100.0)], status=FAILED)
    assert by_task(rows)[:2] == ["domain-il/split-digits  naive", "by task, 1 seed"]
    assert "ewc" not in " ".join(by_task(rows))
    assert cells_of(costs(rows), "naive")[:3] == ["1/2", "0.500", "2.00"]
    assert cells_of(costs(rows), "ewc") == ["0/2", *"–––––––"]


def test_methods_are_compared_by_what_a_whole_trial_costs():
    rows = Rows()
    for seed in (0, 1):
        small, large = cost(1.0, memory_bytes=3_000_000), cost(2.0 + seed, parameters=1500, memory_bytes=1)
        rows.add("replay", seed, R, tasks=[small, large | {"examples": 1280, "passes": 20}])
    rows.add("naive", 0, R, tasks=[cost(150.0), cost(100.0)])
    lines = costs(rows)
    assert lines[0] == "domain-il/split-digits: cost"
    assert lines[1].split()[2:] == ["ACC", "seconds", "steps", "examples", "passes", "parameters", "memory"]
    acc = ["2", "0.500±0.000"]
    assert cells_of(lines, "replay") == [*acc, "3.50", "20", "1,920", "30", "1,500", "3.00", "MB"]
    assert cells_of(lines, "naive") == ["1/2", "0.500", "250", "20", "1,280", "20", "1,000", "–"]


def test_costs_that_earlier_versions_did_not_record_are_unknown_and_not_zero():
    lines = costs(Rows().add("naive", 0, R, tasks=[cost(1.0), cost(1.0, examples=None, passes=None)]))
    assert cells_of(lines, "naive") == ["1", "0.500", "2.00", "20", "–", "–", "1,000", "–"]


def test_each_scenario_has_its_table_of_costs_and_no_line_is_too_wide():
    rows = Rows()
    for kind in ("task-il", "class-il"):
        for strength in (1, 10000):
            tasks = [cost(1234.5, steps=10**6, examples=10**9, passes=10**6, parameters=10**7)]
            rows.add("ewc", 0, [[1.0]], tasks=tasks, kind=kind, hyperparameters={"lambda": strength})
    lines = costs(rows)
    assert [line for line in lines if line.endswith(": cost")] == [
        "task-il/split-digits: cost",
        "class-il/split-digits: cost",
    ]
    assert max(map(len, lines)) <= 80
    assert " ".join(lines).count("1,000,000,000") == 4
