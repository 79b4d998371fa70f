"""DER and DER++ against hand calculation, autograd and the published order of methods."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from small_trial import watched
from steps_by_hand import begin, derivative, logits, shift, step_gradient, trainer_on
from torch.nn import functional

from cl.batch import Batch
from cl.datasets import load
from cl.methods import DER, DERpp, make_method
from cl.models import DomainMLP
from cl.registry import KINDS, MLPSettings, TrainSettings
from cl.streams import make_stream
from cl.trainer import Trainer
from cl.training import learn


def with_biases(trainer, *biases):
    """All weights 0, so that the logits of every input are these."""
    trainer.learner.theta.zero_()
    trainer.learner.model.rows[:, -1] = torch.tensor(biases)


@pytest.mark.parametrize(
    ("method", "expected", "slopes"),
    [
        # p = (3/4, 1/4). New example, label 0: ln 4/3, slopes (-1/4, 1/4). Stored logits missed by 2 and -1:
        # (4 + 1) / 2, slopes (2, -1). Remembered label 1: ln 4, slopes (3/4, -3/4).
        (DER(alpha=0.5), math.log(4 / 3) + 0.5 * 2.5, [-0.25 + 1.0, 0.25 - 0.5]),
        (
            DERpp(alpha=0.5, beta=0.25),
            math.log(4 / 3) + 0.5 * 2.5 + 0.25 * math.log(4),
            [-0.25 + 1.0 + 0.1875, 0.25 - 0.5 - 0.1875],
        ),
    ],
)
def test_the_loss_of_one_new_and_one_remembered_example_is_the_one_computed_by_hand(method, expected, slopes):
    trainer = Trainer(DomainMLP(2, [1], 2), method, outputs=[2])
    data = Batch(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), torch.tensor([1, 0]), 0)
    begin(trainer, 0, data)
    with_biases(trainer, math.log(3) - 2, 1.0)
    first = method.gradient(trainer.learner, data, torch.tensor([0]))
    assert first.item() == pytest.approx(math.log(1 + math.exp(math.log(3) - 3)))  # nothing remembered yet
    with_biases(trainer, math.log(3), 0.0)
    loss = method.gradient(trainer.learner, data, torch.tensor([1]))
    assert loss.item() == pytest.approx(expected)
    biases = trainer.learner.model.gradient[-4:].view(2, 2)[:, 1]
    torch.testing.assert_close(biases, torch.tensor(slopes))


@pytest.mark.parametrize("name", ["der", "derpp"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_the_papers_loss(blobs, kind, name):
    """At task 2, over a memory of tasks 0 and 1: whose head, or fewer outputs, the stored logits are of."""
    more = {"beta": 0.6} if name == "derpp" else {}
    method = make_method(name, {"alpha": 0.7, "buffer_size": 60, **more})
    trainer, data = trainer_on(blobs, method, kind, epochs=1, batch_size=16)
    for task in (0, 1):
        trainer.train_task(task, data[task])
        trainer.consolidate(task, data[task])
    begin(trainer, 2, data[2])
    shift(trainer)
    memory = method.memory
    x, y, of = (memory.columns[each].clone() for each in ("x", "y", "task"))
    stored = memory.columns["logits"].clone()
    drawn = method._draw(16, x.device)
    matched, labelled = drawn.matched, drawn.places[-16:]
    begin(trainer, 2, data[2])  # to draw the same again
    gradient, loss = step_gradient(trainer, data[2])

    def now(place):
        return logits(trainer, Batch(x[place][None], y[place][None], int(of[place])), 1)[0]

    misses = []
    for place in matched.tolist():
        task = int(of[place])
        known = {
            "task-il": range(2 * task, 2 * task + 2),
            "domain-il": range(2),
            "class-il": range(2 * task + 2),
        }[kind]
        assert stored[place].isfinite().nonzero()[:, 0].tolist() == list(known)
        misses.append((now(place)[: len(known)] - stored[place, list(known)]).square().mean())
    expected = functional.cross_entropy(logits(trainer, data[2]), data[2].y[:16])
    expected = expected + 0.7 * torch.stack(misses).mean()
    if name == "derpp":
        labels = [functional.cross_entropy(now(place), y[place]) for place in labelled.tolist()]
        expected = expected + 0.6 * torch.stack(labels).mean()
    assert set(of[matched].tolist()) == {0, 1}
    assert name == "der" or matched.tolist() != labelled.tolist()
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(gradient, derivative(expected, trainer), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_logits_stored_are_those_of_the_steps_own_forward_pass(blobs, kind):
    """A memory with room for all keeps what it was offered, in order."""
    method = DERpp(buffer_size=1000)
    trainer, data = trainer_on(blobs, method, kind)
    expected = []
    for task in (0, 1):
        begin(trainer, task, data[task])
        for index in torch.arange(32).split(8):
            part = data[task].take(index)
            own = logits(trainer, part, 8).detach()
            method.gradient(trainer.learner, data[task], index)
            trainer.learner.update()
            expected.extend(own)
    memory = method.memory
    assert torch.equal(memory.batch.x, torch.cat([each.x[:32] for each in data[:2]]))
    assert memory.batch.x.dtype == torch.uint8
    assert memory.batch.y.tolist() == torch.cat([each.y[:32] for each in data[:2]]).tolist()
    for place, own in enumerate(expected):
        first = 2 * (place // 32) if kind == "task-il" else 0
        row = memory.columns["logits"][place]
        torch.testing.assert_close(row[first : first + len(own)], own)
        assert row.isfinite().sum() == len(own)


def test_the_buffer_fills_from_the_first_step_on_and_every_epoch_offers_again(blobs):
    method = DER(buffer_size=100)
    trainer, data = trainer_on(blobs, method, epochs=2, batch_size=32)
    begin(trainer, 0, data[0])
    held = []
    for _ in range(2):
        for index in torch.arange(80).split(32):
            method.gradient(trainer.learner, data[0], index)
            held.append(method.memory.held)
    assert held == [32, 64, 80, 100, 100, 100]
    assert method.memory.offered == 160
    trainer.method.consolidate(trainer.learner, data[0])
    assert method.memory.offered == 160


@pytest.mark.parametrize(("method", "sizes"), [("der", [16, 26, 26, 26]), ("derpp", [16, 26, 26, 26])])
def test_a_step_draws_as_many_as_are_new_or_all_that_there_are(blobs, method, sizes):
    """What both mini-batches hold passes through the model once."""
    steps = watched(blobs, method=method, hyperparameters={"buffer_size": 10}).steps
    assert [len(step.batch) for step in steps[:4]] == sizes


def test_a_draw_is_without_replacement_and_der_and_derpp_match_the_same(blobs):
    once = TrainSettings(epochs=1, batch_size=16)  # so that no example is in memory twice
    der, derpp = (
        watched(blobs, method=name, hyperparameters={"buffer_size": 60, **beta}, train=once).steps
        for name, beta in (("der", {}), ("derpp", {"beta": 0.0}))
    )
    for one, two in zip(der, derpp, strict=True):
        matched = one.batch.x[:-16]
        assert torch.equal(matched, two.batch.x[: len(matched)])
        assert len(matched.unique(dim=0)) == len(matched)
        torch.testing.assert_close(two.gradient, one.gradient, rtol=1e-3, atol=1e-5)
    assert not torch.equal(derpp[9].batch.x[-32:-16], derpp[9].batch.x[:16])
    assert not torch.equal(derpp[9].batch.x[:16], derpp[10].batch.x[:16])


def test_the_two_mini_batches_of_derpp_are_independent_draws(blobs):
    """Over 4,000 pairs of 5 out of 12 places: every place in either, and the number in both."""
    method = DERpp(buffer_size=12)
    trainer, data = trainer_on(blobs, method)
    begin(trainer, 0, data[0])
    step_gradient(trainer, data[0])
    assert method.memory.held == 12
    matched, labelled, both = np.zeros(12), np.zeros(12), np.zeros(6)
    for _ in range(4000):
        drawn = method._draw(5, torch.device("cpu"))
        first, second = set(drawn.matched.tolist()), set(drawn.places[-5:].tolist())
        assert (len(first), len(second)) == (5, 5)
        assert len(drawn.places) == len(first | second)
        assert drawn.weights.tolist() == pytest.approx(
            [method.settings.beta / 5 if place in second else 0.0 for place in drawn.places.tolist()]
            + [1 / 5] * 5
        )
        matched[list(first)] += 1
        labelled[list(second)] += 1
        both[len(first & second)] += 1
    expected = stats.hypergeom(12, 5, 5).pmf(np.arange(6)) * 4000
    assert stats.chisquare(both[:5], expected[:5] * both[:5].sum() / expected[:5].sum()).pvalue > 0.001
    assert abs(both[5] - expected[5]) <= 4 * np.sqrt(expected[5])
    for counts in (matched, labelled):
        # Draws within a mini-batch are without replacement, which shrinks the variance by (1 - 5/12).
        chi_square = np.sum((counts - 4000 * 5 / 12) ** 2) / (4000 * 5 / 12) / (1 - 5 / 12)
        assert chi_square * 11 / 12 < 31.3  # 99.9 % quantile with 11 degrees of freedom


@pytest.mark.parametrize(("method", "off"), [("der", {"alpha": 0.0}), ("derpp", {"alpha": 0.0, "beta": 0.0})])
@pytest.mark.parametrize("kind", KINDS)
def test_without_strength_every_gradient_is_that_of_naive(blobs, kind, method, off):
    train = TrainSettings(epochs=1, batch_size=16)
    naive = watched(blobs, kind, train=train)
    ours = watched(blobs, kind, method, off, train=train)
    for plain, step in zip(naive.steps, ours.steps, strict=True):
        assert step.loss == pytest.approx(plain.loss, rel=1e-5)
        torch.testing.assert_close(step.gradient, plain.gradient, rtol=1e-4, atol=1e-6)


def final_accuracy(data, method, hyperparameters, seed):
    stream = make_stream("domain-il", "rotated", {"tasks": 6}, [data], seed=seed, val_share=0.0)
    train = TrainSettings(epochs=3, batch_size=32, lr=0.02)
    model = MLPSettings(hidden=(64,))
    *_, last = learn(stream, make_method(method, hyperparameters), model=model, train=train, seed=seed)
    return np.mean([score.accuracy for score in last.scores])


def test_derpp_is_better_than_replay_on_rotated_digits():
    """Buzzega et al. 2020, table 2. Replay takes as many from memory in a step: two for each new one."""
    data = load("digits")
    gains = [
        final_accuracy(data, "derpp", {"buffer_size": 100}, seed)
        - final_accuracy(data, "replay", {"buffer_size": 100, "ratio": 2 / 3}, seed)
        for seed in range(4)
    ]
    interval = stats.ttest_1samp(gains, 0.0).confidence_interval(0.95)
    assert interval.low > 0
