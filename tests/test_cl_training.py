"""The training loop: its reports, its pairing across methods, its reproducibility."""

import math

import pytest
import torch
from small_trial import FAST, matrix, reports

from cl.learner import Diverged
from cl.methods import make_method
from cl.registry import KINDS, METHODS, ModelSettings, SplitSettings, TrainSettings
from cl.streams import make_stream
from cl.training import learn, planned_steps


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_report_scores_every_task_and_a_null_stands_for_an_absent_output(blobs, kind, method):
    run = reports(blobs, kind, method)
    assert [report.task for report in run] == [-1, 0, 1, 2]
    assert all([score.task for score in report.scores] == [0, 1, 2] for report in run)
    absent = [[accuracy is None for accuracy in row] for row in matrix(run)]
    if kind == "class-il":
        assert absent == [[False, True, True], [False, True, True], [False, False, True], [False] * 3]
    else:
        assert absent == [[False] * 3] * 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_learns_every_task(blobs, kind, method):
    R = matrix(reports(blobs, kind, method))
    assert [R[task + 1][task] for task in range(3)] == pytest.approx([1.0] * 3, abs=0.1)


def test_the_order_naive_below_replay_below_joint_holds_in_class_il(blobs):
    naive, replay, joint = (
        sum(matrix(reports(blobs, "class-il", method))[-1]) / 3 for method in ("naive", "replay", "joint")
    )
    assert naive == pytest.approx(1 / 3, abs=0.02)
    assert naive < replay - 0.3
    assert joint > 0.95


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", sorted(METHODS))
def test_task_0_is_learned_identically_by_every_method(blobs, kind, method):
    assert matrix(reports(blobs, kind, method))[:2] == matrix(reports(blobs, kind))[:2]


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
    [("ewc", {"lambda": 0}), ("ewc", {"lambda": 0, "fisher": "sampled"}), ("replay", {"ratio": 0})],
)
def test_a_method_at_strength_0_is_naive_bit_for_bit(blobs, kind, train, method, hyperparameters):
    plain = reports(blobs, kind, train=train)
    reduced = reports(blobs, kind, method, hyperparameters, train=train)
    assert matrix(reduced) == matrix(plain)
    assert [report.loss for report in reduced] == [report.loss for report in plain]


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
    for method in METHODS:
        reports(blobs, method=method)
    assert (blobs.x_train == before[0]).all()
    assert (blobs.x_test == before[1]).all()


def test_old_heads_stay_as_they_were_in_task_il(blobs):
    """Momentum that outlives a task must not move the heads of earlier ones."""
    train = TrainSettings(epochs=2, batch_size=16, optimizer="adam", lr=0.01, reset_optimizer=False)
    made = make_stream("task-il", "split", SplitSettings().resolved(), [blobs], seed=0, val_share=0.0)
    method = make_method("naive", {})
    kept = []
    begin = method.begin_task

    def spy(learner, task):
        begin(learner, task)
        kept.append((learner, learner.model.rows[: 2 * task].clone()))

    method.begin_task = spy
    list(learn(made, method, model=ModelSettings(hidden=(8,)), train=train, seed=0))
    learner, rows = kept[-1]
    assert torch.equal(learner.model.rows[:4], rows)


def test_a_loss_that_is_not_finite_ends_the_trial_as_diverged(blobs):
    wild = TrainSettings(epochs=5, batch_size=16, lr=1e20, clip_norm=None)
    with pytest.raises(Diverged, match="task 0"):
        reports(blobs, train=wild)


def test_steps_are_counted_in_epochs_or_iterations(blobs):
    assert [report.steps for report in reports(blobs)] == [0, 20, 20, 20]  # 80 examples: 5 batches, 4 epochs
    seven = TrainSettings(iterations=7, batch_size=16)
    assert [report.steps for report in reports(blobs, train=seven)] == [0, 7, 7, 7]
    assert [report.steps for report in reports(blobs, method="joint", train=seven)] == [0, 7, 14, 21]
    assert [report.steps for report in reports(blobs, method="joint")] == [0, 20, 40, 60]
    assert planned_steps(FAST, 81) == 24


def test_the_loss_is_the_mean_of_the_last_epoch(blobs):
    first = reports(blobs, train=TrainSettings(epochs=1, batch_size=80))[1].loss
    assert first == pytest.approx(math.log(2), abs=0.1)


def test_validation_examples_are_scored_apart_and_not_trained_on(blobs):
    run = reports(blobs, train=TrainSettings(epochs=4, batch_size=16, val_share=0.25))
    assert [(score.task, score.split, score.n) for score in run[1].scores] == [
        (task, split, n) for task in range(3) for split, n in (("test", 20), ("val", 20))
    ]
    assert run[1].steps == 16


def test_clipping_bounds_a_step_and_null_does_not(blobs):
    """One step at learning rate 1 moves the weights by the gradient's norm, or by the clip if smaller."""
    for clip, exact in ((1e-3, True), (None, False)):
        train = TrainSettings(iterations=1, batch_size=16, lr=1.0, momentum=0.0, clip_norm=clip)
        made = make_stream("domain-il", "split", SplitSettings().resolved(), [blobs], seed=0, val_share=0.0)
        moved = []
        method = make_method("naive", {})

        def watch(learner, _data, moved=moved):
            fresh = type(learner.model)(16, (8,), seed=0)
            fresh.begin_task(0, 2)
            moved.append(float((learner.theta - fresh.theta.detach()).norm()))

        method.consolidate = watch
        next(
            iter(
                r
                for r in learn(made, method, model=ModelSettings(hidden=(8,)), train=train, seed=0)
                if r.task == 0
            )
        )
        assert (moved[0] == pytest.approx(1e-3, rel=1e-2)) is exact
