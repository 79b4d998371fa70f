"""Forward transfer against a model from scratch: values by hand, and what people and programs see."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

import pyarrow.parquet as pq
import pytest
from made_rows import Rows, screen

from results.layout import csv_text
from results.schema import FAILED
from results.transfer import Transfer, forward_transfer, has_reference
from results.transfer_tables import TRANSFER, to_arrow, to_markdown, transfer_tables

HALF_T1 = 12.706205 / 2
"""For two seeds the half width is t(0.975, 1) sd / sqrt(2) = 12.706205 / 2 times their distance."""


def epochs(*first: float | None) -> list[Mapping[str, object]]:
    """Task rows with these accuracies after the first epoch."""
    return [{"first_epoch_accuracy": accuracy} for accuracy in first]


def transferred(rows: Rows) -> list[Transfer]:
    return forward_transfer(rows.cells, rows.trials, rows.accuracy, rows.tasks)


def values(rows: Sequence[Transfer], method: str, task: int | None) -> tuple[dict[str, float], ...]:
    """The mean accuracies and gains of a method on a task."""
    (row,) = [row for row in rows if (row.cell.method, row.task) == (method, task)]
    return tuple({name: interval.mean for name, interval in of.items()} for of in (row.accuracy, row.gain))


def three_tasks() -> Rows:
    """Fine-tuning and the reference, of one seed."""
    rows = Rows()
    rows.add(
        "naive",
        0,
        [[0.9, 0.8, 0.7], [0.4, 0.8, 0.6], [0.5, 0.6, 0.9]],
        untrained=[0.1, 0.2, 0.3],
        tasks=epochs(0.5, 0.6, 0.7),
    )
    return rows.add(
        "scratch",
        0,
        [[0.9, 0.1, 0.1], [0.3, 0.85, 0.2], [0.2, 0.3, 0.95]],
        untrained=[0.5, 0.45, 0.55],
        tasks=epochs(0.5, 0.7, 0.65),
    )


def test_each_task_is_compared_with_a_model_trained_on_it_alone():
    rows = transferred(three_tasks())
    assert values(rows, "naive", 1) == (
        {"zero_shot": 0.4, "first_epoch": 0.6, "end": 0.8},
        pytest.approx({"zero_shot": 0.4 - 0.45, "first_epoch": 0.6 - 0.7, "end": 0.8 - 0.85}),
    )
    assert values(rows, "naive", 2) == (
        {"zero_shot": 0.6, "first_epoch": 0.7, "end": 0.9},
        pytest.approx({"zero_shot": 0.6 - 0.55, "first_epoch": 0.7 - 0.65, "end": 0.9 - 0.95}),
    )
    assert [(row.cell.method, row.task) for row in rows] == [
        (method, task) for task in (1, 2, None) for method in ("naive", "scratch")
    ]


def test_a_model_from_scratch_has_seen_nothing_before_its_task():
    accuracy, gain = values(transferred(three_tasks()), "scratch", 2)
    assert accuracy == {"zero_shot": 0.55, "first_epoch": 0.65, "end": 0.95}
    assert gain == {}


def test_the_mean_is_over_the_tasks_that_have_others_before_them():
    accuracy, gain = values(transferred(three_tasks()), "naive", None)
    assert accuracy == pytest.approx({"zero_shot": 0.5, "first_epoch": 0.65, "end": 0.85})
    assert gain == pytest.approx({"zero_shot": 0.0, "first_epoch": -0.025, "end": -0.05})


def two_tasks(rows: Rows, method: str, seed: int, end: float, **options: object) -> Rows:
    R = [[1.0, 1.0], [0.5, end]]
    return rows.add(method, seed, R, untrained=[0.5, 0.5], tasks=epochs(0.5, 0.25), **options)


def test_differences_are_paired_by_seed_and_their_interval_is_not_that_of_the_accuracies():
    rows = Rows()
    for seed, own, alone in ((0, 0.5, 0.625), (1, 0.75, 0.8125)):
        two_tasks(rows, "naive", seed, own)
        two_tasks(rows, "scratch", seed, alone)
    row = transferred(rows)[0]
    assert (row.accuracy["end"].n, row.accuracy["end"].mean) == (2, 0.625)
    assert row.accuracy["end"].half_width == pytest.approx(HALF_T1 * 0.25)
    assert (row.gain["end"].n, row.gain["end"].mean) == (2, -0.09375)
    assert row.gain["end"].half_width == pytest.approx(HALF_T1 * 0.0625)


def test_the_mean_over_tasks_is_taken_per_seed_so_that_the_seed_is_the_unit():
    rows = Rows()
    for seed, ends in enumerate(((1.0, 0.5), (0.5, 1.0))):
        R = [[1.0, 1.0, 1.0], [0.5, ends[0], 0.5], [0.5, 0.5, ends[1]]]
        rows.add("scratch", seed, R, untrained=[0.5] * 3)
    mean = transferred(rows)[-1].accuracy["end"]
    assert (mean.n, mean.mean, mean.half_width) == (2, 0.75, 0.0)


def test_a_seed_that_only_one_side_has_is_in_no_difference():
    rows = Rows()
    for method, seed, end in (
        ("naive", 0, 0.5),
        ("naive", 1, 0.75),
        ("scratch", 1, 0.5),
        ("scratch", 2, 1.0),
    ):
        two_tasks(rows, method, seed, end)
    naive, scratch = transferred(rows)[:2]
    assert (naive.accuracy["end"].n, naive.accuracy["end"].mean) == (2, 0.625)
    assert (naive.gain["end"].n, naive.gain["end"].mean, naive.gain["end"].half_width) == (1, 0.25, None)
    assert (scratch.accuracy["end"].n, scratch.accuracy["end"].mean) == (2, 0.75)
    assert "naive: some seeds have no complete scratch trial to be paired with" in screen(
        transfer_tables([naive, scratch])
    )


def test_only_a_reference_of_the_same_settings_is_compared_with():
    rows = Rows()
    two_tasks(rows, "scratch", 0, 0.5, train={"lr": 0.1})
    two_tasks(rows, "naive", 0, 0.75, train={"lr": 0.1})
    two_tasks(rows, "naive", 0, 1.0, train={"lr": 1.0})
    gains = {row.cell.label: row.gain for row in transferred(rows)}
    assert gains["naive train.lr=0.1"]["end"].mean == 0.25
    assert gains["naive train.lr=1"] == {}


def test_without_an_output_before_the_task_zero_shot_is_undefined_and_the_rest_is_not():
    rows = Rows()
    for method, end in (("naive", 0.75), ("scratch", 0.5)):
        R = [[1.0, 0.0], [None, end]]
        rows.add(method, 0, R, untrained=[0.5, None], tasks=epochs(0.5, 0.25), kind="class-il")
    found = transferred(rows)
    assert values(found, "naive", 1) == (
        {"first_epoch": 0.25, "end": 0.75},
        {"first_epoch": 0.0, "end": 0.25},
    )
    text = screen(transfer_tables(found))
    assert "zero-shot: undefined, since there is no output for the task yet" in text
    assert not any("before any example" in line for line in text)


def test_what_was_not_recorded_is_missing_and_not_zero():
    rows = three_tasks()
    rows.add("ewc", 0, [[0.5] * 3] * 3, tasks=epochs(0.5, 0.25, None))
    found = transferred(rows)
    assert values(found, "ewc", 1)[0]["first_epoch"] == 0.25
    assert "first_epoch" not in values(found, "ewc", 2)[0]
    assert "first_epoch" not in values(found, "ewc", None)[0], "the mean of some tasks is another quantity"
    assert values(found, "ewc", None)[0]["end"] == 0.5


def test_what_has_nothing_to_be_compared_with_is_not_there():
    rows = two_tasks(Rows(), "naive", 0, 0.5)
    two_tasks(rows, "scratch", 0, 0.5, status=FAILED)
    assert not has_reference(rows.cells)
    assert transferred(rows) == []
    two_tasks(rows, "scratch", 0, 0.5, kind="task-il")
    two_tasks(rows, "joint", 0, 0.5, kind="task-il")
    assert has_reference(rows.cells)
    assert {(row.cell.kind, row.cell.method) for row in transferred(rows)} == {("task-il", "scratch")}
    assert transferred(Rows().add("scratch", 0, [[1.0]], untrained=[0.5])) == []
    assert transfer_tables([]) == []
    assert to_markdown([]) == ""


def five_seeds() -> list[Transfer]:
    """Two tasks in task-il; the accuracies of naive are below those of scratch by the same in each seed."""
    rows = Rows()
    for seed, shift in enumerate((-0.02, -0.01, 0.0, 0.01, 0.02)):
        for method, first, end in (("naive", 0.7, 0.9), ("pnn", 0.82, 0.95), ("scratch", 0.8, 0.96)):
            R = [[1.0, 1.0], [0.5, end + shift]]
            options = {"untrained": [0.5, 0.48], "tasks": epochs(0.5, first + shift), "kind": "task-il"}
            rows.add(method, seed, R, **options)
    return transferred(rows)


def test_the_table_at_80_columns_names_the_untrained_head_and_sets_the_reference_beside():
    # sd = sqrt(0.001 / 4) = 0.0158, half width = 2.776445 * 0.0158 / sqrt(5) = 0.0196.
    assert screen(transfer_tables(five_seeds())) == [
        "task-il/split-digits: forward transfer",
        "                  zero-shot:",
        "                   untrained       after            −      end of            −",
        "task  method   n        head     1 epoch      scratch        task      scratch",
        "──────────────────────────────────────────────────────────────────────────────",
        "1     naive    5  0.500±.000  0.700±.020  -0.100±.000  0.900±.020  -0.060±.000",
        "      pnn      5  0.500±.000  0.820±.020   0.020±.000  0.950±.020  -0.010±.000",
        "      scratch  5  0.480±.000  0.800±.020               0.960±.020",
        "mean  naive    5  0.500±.000  0.700±.020  -0.100±.000  0.900±.020  -0.060±.000",
        "      pnn      5  0.500±.000  0.820±.020   0.020±.000  0.950±.020  -0.010±.000",
        "      scratch  5  0.480±.000  0.800±.020               0.960±.020",
        "zero-shot: before any example of the task; of scratch, the untrained model's",
        "− scratch: minus that of a fresh model trained on the task alone, paired by seed",
        "mean ± 95 % half-width over n seeds (Student t)",
    ]


@pytest.mark.parametrize("width", [60, 70, 80, 100])
def test_no_line_of_the_table_is_wider_than_the_terminal_and_no_number_is_cut(width):
    shown = screen(transfer_tables(five_seeds(), width=width), width)
    assert max(map(len, shown)) <= width
    assert "…" not in "".join(shown)
    assert sum(".820" in line for line in shown) == 2


def test_a_head_that_all_tasks_share_is_called_so():
    assert "shared" in "\n".join(screen(transfer_tables(transferred(three_tasks()))))


def test_the_table_as_markdown_repeats_the_task_in_every_line():
    lines = to_markdown(five_seeds()).splitlines()
    assert lines[:2] == ["### task-il/split-digits: forward transfer", ""]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:9]]
    gain, none = "-0.100 ± 0.000", ""
    assert cells[0] == [
        *("task", "method", "n", "zero-shot: untrained head"),
        *("after 1 epoch", "− scratch", "end of task", "− scratch"),
    ]
    assert cells[2] == [
        "1",
        "naive",
        "5",
        "0.500 ± 0.000",
        "0.700 ± 0.020",
        gain,
        "0.900 ± 0.020",
        "-0.060 ± 0.000",
    ]
    assert cells[4] == ["1", "scratch", "5", "0.480 ± 0.000", "0.800 ± 0.020", none, "0.960 ± 0.020", none]
    assert [line[0] for line in cells[2:]] == ["1", "1", "1", "mean", "mean"]
    assert len({len(line) for line in lines[2:9]}) == 1


def test_programs_get_a_typed_row_per_cell_task_and_measure(tmp_path):
    table = to_arrow(transferred(three_tasks()))
    assert table.schema.equals(TRANSFER, check_metadata=True)
    assert table.num_rows == 2 * 3 * 3
    pq.write_table(table, tmp_path / "transfer.parquet")
    assert pq.read_table(tmp_path / "transfer.parquet").equals(table)
    rows = {(row["label"], row["task"], row["measure"]): row for row in table.to_pylist()}
    naive = rows["naive", 2, "end"]
    assert (naive["mean"], naive["n"], naive["half_width"], naive["sd"]) == (0.9, 1, None, None)
    assert (naive["gain"], naive["gain_n"], naive["level"]) == (pytest.approx(-0.05), 1, 0.95)
    assert rows["naive", None, "zero_shot"]["mean"] == pytest.approx(0.5)
    alone = rows["scratch", 1, "end"]
    assert (alone["mean"], alone["gain"], alone["gain_n"]) == (0.85, None, 0)


def test_csv_has_the_same_rows_with_empty_fields_for_null():
    rows = list(csv.DictReader(io.StringIO(csv_text(to_arrow(transferred(three_tasks()))))))
    assert len(rows) == 2 * 3 * 3
    means = [row for row in rows if (row["label"], row["task"], row["measure"]) == ("scratch", "", "end")]
    assert [(float(row["mean"]), row["gain"]) for row in means] == [(pytest.approx(0.9), "")]
