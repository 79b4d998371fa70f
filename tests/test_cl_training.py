"""The training loop: its reports, its pairing across methods, its reproducibility."""

import numpy as np
import pytest
import torch
from small_trial import FAST, Watch, matrix, reports, watched

from cl.datasets import Dataset
from cl.learner import Diverged
from cl.methods import make_method
from cl.registry import KINDS, METHODS, MLPSettings, SplitSettings, TrainSettings
from cl.streams import make_stream
from cl.trainer import planned_steps
from cl.training import learn

RUNS = [(kind, name) for name, entry in sorted(METHODS.items()) for kind in entry.kinds]
"""Every method in every increment kind in which it runs."""

AT_TASK_0 = {"der", "derpp", "packnet"}
"""They do more than fine-tuning already in task 0: replay what the buffer holds by then, and prune."""


@pytest.mark.parametrize(("kind", "method"), RUNS)
def test_every_report_scores_every_task_and_a_null_stands_for_an_absent_output(blobs, kind, method):
    run = reports(blobs, kind, method)
    assert [report.task for report in run] == [-1, 0, 1, 2]
    assert all([score.task for score in report.scores] == [0, 1, 2] for report in run)
    absent = [[accuracy is None for accuracy in row] for row in matrix(run)]
    if kind == "class-il":
        assert absent == [[False, True, True], [False, True, True], [False, False, True], [False] * 3]
    elif method == "pnn":  # the next column can answer untrained, but it is wired to all before it
        assert absent == [[False, False, True], [False, False, True], [False] * 3, [False] * 3]
    else:
        assert absent == [[False] * 3] * 4


def test_a_task_with_a_class_that_has_no_output_yet_is_null():
    """Task 1 shares class 0 with task 0 and brings class 2; half an answer is none."""

    def task(*labels):
        y = np.repeat(np.array(labels), 4)
        x = np.random.default_rng(0).random((8, 3)).astype(np.float32)
        return Dataset(x, y, x, y, scale=1.0)

    made = make_stream("class-il", "explicit", {}, [task(0, 1), task(0, 2)], seed=0, val_share=0.0)
    run = learn(made, make_method("naive", {}), model=MLPSettings(hidden=(4,)), train=FAST, seed=0)
    assert [[accuracy is None for accuracy in row] for row in matrix(run)] == [
        [False, True],
        [False, True],
        [False, False],
    ]


@pytest.mark.parametrize(("kind", "method"), RUNS)
def test_every_method_learns_every_task(blobs, kind, method):
    R = matrix(reports(blobs, kind, method, train=FAST.model_copy(update={"epochs": 8})))
    assert [R[task + 1][task] for task in range(3)] == pytest.approx([1.0] * 3, abs=0.051)


def test_the_order_naive_below_replay_below_joint_holds_in_class_il(blobs):
    naive, replay, joint = (
        sum(matrix(reports(blobs, "class-il", method))[-1]) / 3 for method in ("naive", "replay", "joint")
    )
    assert naive == pytest.approx(1 / 3, abs=0.02)
    assert naive < replay - 0.3
    assert joint > 0.95


@pytest.mark.parametrize(("kind", "method"), [run for run in RUNS if run[1] not in AT_TASK_0])
def test_task_0_is_learned_identically_by_every_method(blobs, kind, method):
    ours, naive = Watch(), Watch()
    run, plain = reports(blobs, kind, method, watch=ours), reports(blobs, kind, watch=naive)
    assert torch.equal(ours.weights[0], naive.weights[0])
    assert [row[0] for row in matrix(run)[:2]] == [row[0] for row in matrix(plain)[:2]]
    assert run[1].loss == plain[1].loss


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "train",
    [
        pytest.param(FAST, id="sgd"),
        pytest.param(
            TrainSettings(epochs=2, optimizer="adam", lr=0.01, reset_optimizer=False), id="adam kept"
        ),
        pytest.param(TrainSettings(epochs=2, batch_size=16, reset_optimizer=False), id="momentum kept"),
    ],
)
@pytest.mark.parametrize(
    ("method", "hyperparameters"),
    [
        ("ewc", {"lambda": 0}),
        ("ewc", {"lambda": 0, "fisher": "sampled"}),
        ("ewc-separate", {"lambda": 0}),
        ("si", {"c": 0}),
        ("lwf", {"alpha": 0}),
        ("replay", {"ratio": 0}),
        ("replay", {"ratio": 0, "memory": "per-class"}),
    ],
)
def test_a_method_at_strength_0_is_naive_bit_for_bit(blobs, kind, train, method, hyperparameters):
    plain, reduced = Watch(), Watch()
    expected = reports(blobs, kind, train=train, watch=plain)
    found = reports(blobs, kind, method, hyperparameters, train=train, watch=reduced)
    assert matrix(found) == matrix(expected)
    assert [report.loss for report in found] == [report.loss for report in expected]
    assert all(map(torch.equal, reduced.weights, plain.weights))
    assert len(reduced.weights) == 3


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(blobs):
    losses = [[report.loss for report in reports(blobs, seed=seed)] for seed in (3, 3, 4)]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


def test_what_else_draws_random_numbers_does_not_matter(blobs):
    torch.manual_seed(1)
    first = [report.loss for report in reports(blobs)]
    torch.manual_seed(2)
    torch.rand(17)
    assert [report.loss for report in reports(blobs)] == first


def test_the_shared_data_survives_every_method(blobs):
    before = blobs.x_train.copy(), blobs.x_test.copy()
    for kind, method in RUNS:
        reports(blobs, kind, method)
    assert (blobs.x_train == before[0]).all()
    assert (blobs.x_test == before[1]).all()


def test_old_heads_stay_as_they_were_in_task_il(blobs):
    """Momentum that outlives a task must not move the heads of earlier ones."""
    train = TrainSettings(epochs=2, batch_size=16, optimizer="adam", lr=0.01, reset_optimizer=False)
    made = make_stream("task-il", "split", SplitSettings().resolved(), [blobs], seed=0, val_share=0.0)
    method = make_method("naive", {})
    kept = []
    begin = method.begin_task

    def spy(learner, data):
        begin(learner, data)
        kept.append((learner, learner.model.rows[: 2 * learner.task].clone()))

    method.begin_task = spy
    list(learn(made, method, model=MLPSettings(hidden=(8,)), train=train, seed=0))
    learner, rows = kept[-1]
    assert torch.equal(learner.model.rows[:4], rows)


def test_a_loss_that_is_not_finite_ends_the_trial_as_diverged(blobs):
    wild = TrainSettings(epochs=5, batch_size=16, lr=1e20, clip_norm=None)
    with pytest.raises(Diverged, match="task 0"):
        reports(blobs, train=wild)


def test_a_weight_that_is_not_finite_ends_the_trial_as_diverged_though_no_later_loss_shows_it(blobs):
    """One task of one step: its loss is large and finite, its gradient times the learning rate is not."""
    x_train, x_test = (x.astype(np.float32) * np.float32(1e32) for x in (blobs.x_train, blobs.x_test))
    huge = Dataset(x_train, blobs.y_train, x_test, blobs.y_test, scale=1.0)
    wild = TrainSettings(iterations=1, batch_size=16, lr=1e10, clip_norm=None)
    with pytest.raises(Diverged, match=r"weight.* task 0"):
        reports(huge, train=wild, settings=SplitSettings(tasks=1).resolved())


def test_a_gradient_too_large_to_be_clipped_ends_the_trial_as_diverged(blobs):
    """Its square overflows, though the loss and every weight are finite."""
    x_train, x_test = (x.astype(np.float32) * np.float32(1e32) for x in (blobs.x_train, blobs.x_test))
    huge = Dataset(x_train, blobs.y_train, x_test, blobs.y_test, scale=1.0)
    clipped = TrainSettings(iterations=1, batch_size=16, clip_norm=1.0)
    with pytest.raises(Diverged, match=r"the gradient's norm was inf in task 0"):
        reports(huge, train=clipped, settings=SplitSettings(tasks=1).resolved())


def rows(x):
    """Each example as something that can be compared and sorted."""
    return [tuple(row) for row in x.tolist()]


def test_every_epoch_sees_every_example_once_in_an_order_of_its_own(blobs):
    train = TrainSettings(epochs=3, batch_size=32)
    seen = [step.batch for step in watched(blobs, train=train).steps]
    assert [len(batch) for batch in seen] == [32, 32, 16] * 9
    first, second, third = (
        [row for batch in seen[start : start + 3] for row in rows(batch.x)] for start in (0, 3, 6)
    )
    assert len(set(first)) == 80
    assert sorted(first) == sorted(second) == sorted(third)
    assert first != second != third != first


def test_steps_are_counted_in_epochs_or_iterations(blobs):
    assert [report.steps for report in reports(blobs)] == [0, 20, 20, 20]  # 80 examples: 5 batches, 4 epochs
    seven = TrainSettings(iterations=7, batch_size=16)
    assert [report.steps for report in reports(blobs, train=seven)] == [0, 7, 7, 7]
    assert [report.steps for report in reports(blobs, method="joint", train=seven)] == [0, 7, 14, 21]
    assert [report.steps for report in reports(blobs, method="joint")] == [0, 20, 40, 60]
    assert planned_steps(FAST, 81) == 24


def test_the_loss_is_the_mean_of_the_last_epoch(blobs):
    watch = Watch()
    run = reports(blobs, train=TrainSettings(epochs=2, batch_size=16, lr=0.1), watch=watch)
    losses = [step.loss for step in watch.steps]  # 5 batches an epoch, 10 a task
    expected = [sum(losses[end - 5 : end]) / 5 for end in (10, 20, 30)]
    assert [report.loss for report in run] == [None, *(pytest.approx(loss) for loss in expected)]


def test_validation_examples_are_scored_apart_and_not_trained_on(blobs):
    train = TrainSettings(epochs=4, batch_size=16, lr=0.1, val_share=0.25)
    made = make_stream("class-il", "split", SplitSettings().resolved(), [blobs], seed=3, val_share=0.25)
    flat = rows(blobs.x_train.reshape(240, 16))

    def inverted(x):
        """The data set with these of its training examples as negatives."""
        chosen = [flat.index(row) for row in rows(x)]
        pixels = blobs.x_train.copy()
        pixels[chosen] = 255 - pixels[chosen]
        return Dataset(pixels, blobs.y_train, blobs.x_test, blobs.y_test, blobs.scale)

    def outcome(data):
        watch = Watch()
        last = reports(data, train=train, watch=watch)[-1]
        return watch.weights[-1], {(s.task, s.split): (s.n, s.accuracy) for s in last.scores}

    weights, scores = outcome(blobs)
    unchanged, rescored = outcome(inverted(made.validation(2).x))
    assert {place: n for place, (n, _) in scores.items()} == {
        (task, split): 20 for task in range(3) for split in ("test", "val")
    }
    assert torch.equal(unchanged, weights)
    assert {place for place in scores if rescored[place] != scores[place]} == {(2, "val")}
    changed, _ = outcome(inverted(made.train(2).x[:1]))
    assert not torch.equal(changed, weights)


def test_momentum_survives_a_task_only_where_the_optimiser_is_not_reset(blobs):
    """After one step a task, the kept velocity is the step of task 0, times the momentum."""

    def run(**settings):
        train = TrainSettings(iterations=1, batch_size=16, momentum=0.5, clip_norm=None, **settings)
        return watched(blobs, "domain-il", train=train)

    reset, kept = run(), run(reset_optimizer=False)
    first_step = kept.weights[0] - kept.steps[0].weights
    assert torch.equal(kept.weights[0], reset.weights[0])
    assert first_step.norm() > 1e-3
    torch.testing.assert_close(kept.weights[1] - reset.weights[1], 0.5 * first_step, rtol=0, atol=1e-7)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_joint_starts_each_task_with_a_new_optimiser_whatever_the_setting(blobs, optimizer):
    reset, kept = (
        watched(blobs, method="joint", train=FAST.model_copy(update={"optimizer": optimizer, **settings}))
        for settings in ({}, {"reset_optimizer": False})
    )
    assert all(map(torch.equal, kept.weights, reset.weights))


@pytest.mark.parametrize("clip", [1e-3, 1e3, None])
def test_clipping_bounds_a_step_and_null_does_not(blobs, clip):
    """A step is the gradient times the learning rate; beyond the clip, it is shortened to that norm."""
    train = TrainSettings(iterations=1, batch_size=16, lr=0.5, momentum=0.0, clip_norm=clip)
    seen = watched(blobs, "domain-il", train=train)
    gradient = seen.steps[0].gradient
    assert 1e-2 < gradient.norm() < 1e2
    expected = gradient * (1e-3 / gradient.norm()) if clip == 1e-3 else gradient
    step = seen.weights[0] - seen.steps[0].weights
    torch.testing.assert_close(step, -0.5 * expected, rtol=1e-3, atol=1e-7)
