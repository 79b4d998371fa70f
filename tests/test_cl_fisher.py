"""The Fisher's diagonal against a slow loop over single examples, and which examples it takes."""

import copy

import numpy as np
import pytest
import torch
from steps_by_hand import begin, trainer_on
from torch.nn import functional

import cl.fisher
from cl.datasets import Dataset
from cl.fisher import fisher_diagonal
from cl.methods import EWC, Naive
from cl.randomness import generator
from cl.registry import KINDS


def own_pixels():
    """Two tasks of 60 examples, each with a pixel of its own: what a sum over examples took, can be read."""
    x = np.tile(np.eye(60, dtype=np.float32), (2, 1))
    y = np.repeat(np.arange(4), 30)
    return Dataset(x, y, x, y, scale=1.0)


def begun(data, kind="class-il", task=0, seed=0):
    """A learner that has begun *task*, and the examples of the task."""
    trainer, tasks = trainer_on(data, Naive(), kind, seed=seed)
    for each in range(task + 1):
        begin(trainer, each, tasks[each])
    return trainer.learner, tasks[task]


def squares_of(learner, data, place, label):
    """The squared gradient of one example's log-likelihood of *label*, in float64: [parameters]."""
    model = copy.deepcopy(learner.model).double()
    x = learner.inputs(data.x[place : place + 1]).double()
    loss = functional.cross_entropy(model(x, task_id=data.task), torch.tensor([label]))
    return torch.autograd.grad(loss, model.theta)[0].square()


def probabilities_of(learner, data, place):
    model = copy.deepcopy(learner.model).double()
    with torch.no_grad():
        logits = model(learner.inputs(data.x[place : place + 1]).double(), task_id=data.task)
    return torch.softmax(logits[0], 0).tolist()


def slow_fisher(learner, data, labels):
    """One example after the other, one label after the other; *labels* as in `fisher_diagonal`."""
    random = generator(learner.seed, "fisher", learner.task)
    order = torch.randperm(len(data), generator=random).tolist()
    draws = torch.rand(len(data), generator=random).tolist()
    total = torch.zeros(len(learner.theta), dtype=torch.float64)
    for place, draw in zip(order, draws, strict=True):
        if labels == "empirical":
            total += squares_of(learner, data, place, int(data.y[place]))
            continue
        probabilities = probabilities_of(learner, data, place)
        if labels == "exact":
            for label, probability in enumerate(probabilities):
                total += probability * squares_of(learner, data, place, label)
        else:
            label = 0
            while draw > sum(probabilities[: label + 1]):
                label += 1
            total += squares_of(learner, data, place, label)
    return total / len(data)


@pytest.mark.parametrize("labels", ["exact", "sampled", "empirical"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_fisher_is_that_of_a_slow_loop(blobs, kind, labels):
    learner, data = begun(blobs, kind, task=1)
    fisher = fisher_diagonal(learner, data, labels, "all")
    expected = slow_fisher(learner, data, labels)
    assert expected.max() > 1e-3
    torch.testing.assert_close(fisher.double(), expected, rtol=1e-4, atol=1e-9)


def test_the_three_choices_of_labels_are_three_fishers(blobs):
    learner, data = begun(blobs)
    exact, sampled, empirical = (
        fisher_diagonal(learner, data, labels, "all") for labels in ("exact", "sampled", "empirical")
    )
    assert not torch.allclose(exact, sampled, rtol=0.01)
    assert not torch.allclose(exact, empirical, rtol=0.01)
    assert not torch.allclose(sampled, empirical, rtol=0.01)


def test_sampled_labels_give_the_exact_fisher_on_average(blobs):
    learner, data = begun(blobs)
    exact = fisher_diagonal(learner, data, "exact", "all")
    sampled = []
    for seed in range(300):
        learner.seed = seed
        sampled.append(fisher_diagonal(learner, data, "sampled", "all"))
    draws = torch.stack(sampled).double()
    error = draws.std(0) / 300**0.5
    # 162 means, each within 4 of its standard errors but for one in some 16,000.
    assert ((draws.mean(0) - exact).abs() <= 4 * error + 1e-9).all()


def taken(fisher, squares):
    """The examples whose own parameters, those that no other example reaches, have a Fisher."""
    own = (squares > 0) & ((squares > 0).sum(0) == 1)
    assert own.any(1).all()
    return (own & (fisher > 0)).any(1).nonzero()[:, 0].tolist()


def true_squares(learner, data):
    labels = data.y.tolist()
    return torch.stack([squares_of(learner, data, place, label) for place, label in enumerate(labels)])


@pytest.mark.parametrize(("wanted", "count"), [(1, 1), (30, 30), (60, 60), (1000, 60), ("all", 60)])
def test_the_fisher_is_a_mean_over_distinct_examples(wanted, count):
    learner, data = begun(own_pixels())
    fisher, squares = fisher_diagonal(learner, data, "empirical", wanted), true_squares(learner, data)
    drawn = taken(fisher, squares)
    assert len(drawn) == count
    torch.testing.assert_close(fisher.double(), squares[drawn].mean(0), rtol=1e-4, atol=1e-9)


def test_the_examples_of_the_fisher_are_random_and_differ_between_tasks_and_seeds():
    drawn = []
    for seed, task in ((0, 0), (0, 0), (0, 1), (1, 0)):
        learner, data = begun(own_pixels(), "domain-il", task, seed)
        fisher = fisher_diagonal(learner, data, "empirical", 30)
        drawn.append(taken(fisher, true_squares(learner, data)))
    assert [len(each) for each in drawn] == [30] * 4
    assert drawn[0] == drawn[1]
    # Of 60 examples, so about 15 are from the first half; the first or last 30 would be 30 or none.
    assert all(5 < sum(place < 30 for place in each) < 25 for each in drawn)
    assert drawn[0] != drawn[2]
    assert drawn[0] != drawn[3]


def test_the_fisher_does_not_depend_on_how_many_examples_go_through_at_once(blobs, monkeypatch):
    learner, data = begun(blobs)
    whole = fisher_diagonal(learner, data, "sampled", 50)
    monkeypatch.setattr(cl.fisher, "_CHUNK", 7)
    torch.testing.assert_close(fisher_diagonal(learner, data, "sampled", 50), whole)


@pytest.mark.parametrize(("labels", "cost"), [("exact", 2), ("sampled", 1), ("empirical", 1)])
def test_what_the_fisher_costs_is_counted(blobs, labels, cost):
    """The exact Fisher takes a gradient for each of the task's two labels."""
    trainer, tasks = trainer_on(blobs, EWC(fisher=labels, fisher_samples=30))
    begin(trainer, 0, tasks[0])
    trainer.method.consolidate(trainer.learner, tasks[0])
    assert (trainer.learner.examples, trainer.learner.passes) == (30 * cost, cost)
