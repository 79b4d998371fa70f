"""GEM against autograd, an independent solver of its problem, the KKT conditions, and hand calculation."""

import math

import numpy as np
import pytest
import torch
from old_tasks import MODELS, SIZES, autograd, begin, contradicting, learned, stream_of, task_of
from scipy.optimize import minimize, nnls
from small_trial import matrix, reports

from cl.learner import Diverged
from cl.methods import AGEM, Naive
from cl.methods.gem import GEM, RIDGE, dual_solution
from cl.registry import KINDS


def problem(seed, tasks, parameters=20):
    """A gradient and those of *tasks* old tasks, of very different lengths, half of them violated."""
    random = np.random.default_rng(seed)
    past = random.normal(size=(tasks, parameters)) * 10.0 ** random.uniform(-3, 3, size=(tasks, 1))
    return random.normal(size=parameters), past


def with_ridge(past):
    gram = past @ past.T
    return gram + RIDGE * np.diag(gram.diagonal())


def projected(gradient, *past, margin=0.0):
    """What GEM makes of a gradient, and what it returns."""
    gradient = torch.tensor(gradient)
    change = GEM(margin=margin).project(gradient, torch.tensor(np.array(past)).to(gradient))
    return gradient, change


PROBLEMS = [(seed, tasks) for tasks in (1, 2, 5, 12) for seed in range(8)]


@pytest.mark.parametrize("margin", [0.0, 0.5])
@pytest.mark.parametrize(("seed", "tasks"), PROBLEMS)
def test_the_dual_is_solved_as_an_independent_solver_does(seed, tasks, margin):
    """With v = margin + u and a Cholesky factor L of the Gram matrix, it is least squares over u >= 0."""
    gradient, past = problem(seed, tasks)
    gram = with_ridge(past)
    lower = np.linalg.cholesky(gram)
    u, _ = nnls(lower.T, -np.linalg.solve(lower, past @ gradient + gram @ np.full(tasks, margin)))
    found = dual_solution(past @ past.T, past @ gradient, margin)
    lengths = np.linalg.norm(past, axis=1)  # the part that v_k |g_k| has in the step
    np.testing.assert_allclose(found * lengths, (margin + u) * lengths, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("margin", [0.0, 0.5])
@pytest.mark.parametrize(("seed", "tasks"), PROBLEMS)
def test_the_solution_meets_the_kkt_conditions(seed, tasks, margin):
    gradient, past = problem(seed, tasks)
    v = dual_solution(past @ past.T, past @ gradient, margin)
    lengths = np.linalg.norm(past, axis=1)
    slope = (with_ridge(past) @ v + past @ gradient) / lengths
    assert (v >= margin - 1e-9).all()
    assert (slope >= -1e-9 * np.linalg.norm(v * lengths)).all()
    np.testing.assert_allclose(
        slope * (v - margin) * lengths, 0.0, atol=1e-9 * max(1, v @ with_ridge(past) @ v)
    )


@pytest.mark.parametrize(("seed", "tasks"), PROBLEMS)
def test_without_a_margin_the_step_is_the_nearest_that_harms_no_old_task(seed, tasks):
    """The primal problem (equation 9), by a solver that knows nothing of the dual."""
    gradient, past = problem(seed, tasks)
    directions = past / np.linalg.norm(past, axis=1, keepdims=True)
    nearest = minimize(
        lambda step: 0.5 * ((step - gradient) ** 2).sum(),
        gradient,
        jac=lambda step: step - gradient,
        constraints={"type": "ineq", "fun": lambda step: directions @ step, "jac": lambda _: directions},
        method="SLSQP",
        options={"ftol": 1e-12},
    )
    assert nearest.success
    step, _ = projected(gradient, *past)
    # The ridge leaves a thousandth of a violation.
    assert (directions @ step.numpy() >= -5 * RIDGE * np.linalg.norm(gradient)).all()
    np.testing.assert_allclose(step, nearest.x, atol=0.01 * np.linalg.norm(gradient))


@pytest.mark.parametrize(
    ("gradient", "past", "margin", "expected"),
    [
        pytest.param([-1.0, 1.0], [[1.0, 0.0]], 0.0, [0.0, 1.0], id="onto the boundary"),
        pytest.param([-1.0, 1.0], [[0.0, -2.0]], 0.0, [-1.0, 0.0], id="whatever the length"),
        pytest.param([-1.0, -2.0], [[1.0, 0.0], [0.0, 1.0]], 0.0, [0.0, 0.0], id="into the corner"),
        pytest.param([-1.0, 3.0], [[1.0, 0.0], [0.0, 1.0]], 0.0, [0.0, 3.0], id="only where violated"),
        pytest.param([-1.0, 1.0], [[1.0, 0.0]], 0.5, [0.0, 1.0], id="v is above the margin"),
        pytest.param([-1.0, 1.0], [[1.0, 0.0]], 2.0, [1.0, 1.0], id="the margin moves it on"),
        pytest.param([-1.0, 3.0], [[1.0, 0.0], [0.0, 1.0]], 0.5, [0.0, 3.5], id="and by all old tasks"),
    ],
)
def test_the_projection_by_hand(gradient, past, margin, expected):
    step, change = projected(gradient, *past, margin=margin)
    assert step.tolist() == pytest.approx(expected, abs=3 * RIDGE)
    assert change == pytest.approx(math.dist(expected, gradient) / math.hypot(*gradient), abs=3 * RIDGE)


def test_a_gradient_that_harms_no_old_task_stays_as_it_is():
    gradient, change = projected([0.1, 0.3], [1.0, 0.0], [3.0, -1.0], margin=0.5)
    assert torch.equal(gradient, torch.tensor([0.1, 0.3]))
    assert change is None


@pytest.mark.parametrize("length", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("tasks", [1, 2, 30])
def test_old_tasks_that_agree_are_as_one_whatever_the_unit_of_their_loss(tasks, length):
    """Their Gram matrix is singular."""
    random = torch.Generator().manual_seed(0)
    old, new = torch.randn(2, 1000, generator=random).unbind()
    new -= 0.5 * old
    expected = new - (new @ old) / (old @ old) * old
    GEM(margin=0.0).project(new, (length * old).repeat(tasks, 1))
    torch.testing.assert_close(new, expected, rtol=0, atol=3 * RIDGE)


@pytest.mark.parametrize("margin", [0.0, 0.5])
def test_an_old_task_without_a_gradient_changes_nothing(margin):
    alone, _ = projected([-1.0, 1.0], [1.0, 0.5], margin=margin)
    beside, _ = projected([-1.0, 1.0], [0.0, 0.0], [1.0, 0.5], margin=margin)
    torch.testing.assert_close(beside, alone)
    assert projected([-1.0, 1.0], [0.0, 0.0], margin=margin)[1] is None


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e30])
@pytest.mark.parametrize("which", ["new", "old", "both"])
def test_a_gradient_whose_norm_is_not_finite_is_a_divergence(value, which):
    new, old = torch.tensor([-1.0, 1.0]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    for vector in {"new": [new], "old": [old[0]], "both": [new, old[1]]}[which]:
        vector[0] = -value if vector is new else value
    with pytest.raises(Diverged, match="not finite"):
        GEM().project(new, old)


@pytest.mark.parametrize("factor", [math.nan, 1e20])
def test_weights_that_ran_away_end_the_trial_as_diverged(blobs, factor):
    stream = stream_of(blobs, "domain-il")
    trainer = learned(stream, GEM())
    trainer.learner.theta.mul_(factor)
    with pytest.raises(Diverged):
        trainer.train_task(2, task_of(stream, 2))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_the_projection_of_what_autograd_says(blobs, kind, model):
    """One mean per old task, whatever the sizes of their memories."""
    stream = stream_of(blobs, kind)
    trainer, data = learned(stream, GEM(memory_per_task=50), model=model), contradicting(stream)
    learner, method = trainer.learner, trainer.method
    parts = method.memory.parts
    assert [len(part) for part in parts] == [30, 50]
    index = torch.arange(16)
    new, old = autograd(trainer, data.take(index)), [autograd(trainer, part) for part in parts]
    found = method.past_gradients(learner, method._past)
    torch.testing.assert_close(found.double(), torch.stack(old), rtol=1e-4, atol=1e-6)

    loss = method.gradient(learner, data, index)
    expected = new.clone()
    change = GEM().project(expected, torch.stack(old))
    assert change is not None
    torch.testing.assert_close(learner.model.gradient.double(), expected, rtol=1e-3, atol=1e-4)
    report = method.diagnostics(learner)
    assert report["gem_violations"] == 1
    assert report["gem_projection_norm"] == pytest.approx(change, rel=1e-3)
    # What is remembered has no part in the loss.
    assert loss == pytest.approx(float(Naive().gradient(learner, data, index)))


def test_a_step_without_violation_is_that_of_naive_bit_for_bit(blobs):
    """The new task is the old one again, so its gradient is the memory's."""
    stream = stream_of(blobs, "domain-il")
    trainer, data = learned(stream, GEM(), tasks=1), task_of(stream, 0)
    learner = trainer.learner
    index = torch.arange(len(data))
    trainer.method.gradient(learner, data, index)
    found = learner.model.gradient.clone()
    Naive().gradient(learner, data, index)
    assert found.norm() > 0.01
    assert torch.equal(found, learner.model.gradient)
    report = trainer.method.diagnostics(learner)
    assert report["gem_violations"] == 0
    assert "gem_projection_norm" not in report


class Foreseen(GEM):
    """A GEM whose one old task has the new gradient times a factor, foreseen for every step."""

    def __init__(self, *factors):
        super().__init__(margin=0.0)
        self.factors = list(factors)

    def past_gradients(self, learner, past):
        """What was foreseen for this step."""
        assert len(past) == SIZES[0]
        return learner.model.gradient[None] * self.factors.pop(0)


def test_violations_and_the_size_of_projections_are_counted_per_task(blobs):
    """Where g_1 is -g, the step is 0 with v = 1, where it is -2g, with v = 1/2; less a ridge of 1/1000."""
    stream = stream_of(blobs, "domain-il")
    trainer, data = learned(stream, Foreseen(1.0, -1.0, 0.5, -2.0, 1.0), tasks=1), task_of(stream, 1)
    trainer.train_task(1, data)
    trainer.consolidate(1, data)
    report = trainer.method.diagnostics(trainer.learner)
    assert trainer.method.factors == []
    assert report["gem_violations"] == 2
    assert report["gem_projection_norm"] == pytest.approx(1 / 1.001)
    begin(trainer, 2, task_of(stream, 2))
    assert trainer.method.diagnostics(trainer.learner)["gem_violations"] == 0


@pytest.mark.parametrize("method", [GEM, AGEM])
def test_every_finished_task_has_its_own_distinct_random_examples(blobs, method):
    stream = stream_of(blobs, "class-il")
    kept = []
    for seed in (0, 0, 1):
        trainer = learned(stream, method(memory_per_task=40), seed=seed)
        parts = trainer.method.memory.parts
        assert [(part.task, len(part)) for part in parts] == [(0, 30), (1, 40)]
        for part in parts:
            stored = [tuple(row) for row in task_of(stream, part.task).x.tolist()]
            places = [stored.index(tuple(row)) for row in part.x.tolist()]
            assert len(set(places)) == len(part)
            assert part.y.tolist() == task_of(stream, part.task).y[places].tolist()
        kept.append(places)
    assert kept[0] == kept[1]
    assert kept[0] != kept[2]
    assert 10 < sum(place < 35 for place in kept[0]) < 30  # of the 40 from 70; the first 40 would be 35


@pytest.mark.parametrize("method", [GEM, AGEM])
def test_diagnostics_say_what_is_remembered(blobs, method):
    """A byte for each of 16 pixels and eight for the label."""
    trainer = learned(stream_of(blobs, "class-il"), method(memory_per_task=40))
    report = trainer.method.diagnostics(trainer.learner)
    assert report["memory_examples"] == 70
    assert report["memory_bytes"] == 70 * (16 + 8)
    assert report["memory_by_task"] == [30, 40]


@pytest.mark.parametrize("method", [GEM, AGEM])
@pytest.mark.parametrize("kind", KINDS)
def test_without_a_memory_it_learns_as_naive_does(blobs, kind, method):
    stream = stream_of(blobs, kind)
    forgetful = method()
    forgetful.consolidate = lambda *_: None
    trainers = [learned(stream, each) for each in (forgetful, Naive())]
    for trainer in trainers:
        trainer.train_task(2, task_of(stream, 2))
    assert torch.equal(*(trainer.learner.theta for trainer in trainers))


def test_the_memory_is_seen_once_a_step_and_trained_on_never(blobs):
    gem, naive = reports(blobs, "class-il", "gem", {"memory_per_task": 10}), reports(blobs, "class-il")
    assert [report.steps for report in gem] == [report.steps for report in naive] == [0, 20, 20, 20]
    assert [report.passes for report in gem[1:]] == [20, 40, 40]
    assert [report.examples for report in gem[1:]] == [320, 320 + 20 * 10, 320 + 20 * 20]


def test_gem_forgets_less_than_naive_in_class_il(blobs):
    gem, naive = (sum(matrix(reports(blobs, "class-il", name))[-1]) / 3 for name in ("gem", "naive"))
    assert gem > naive + 0.3
