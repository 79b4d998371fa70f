"""A-GEM against its closed form and autograd."""

import pytest
import torch
from old_tasks import MODELS, autograd, begin, contradicting, learned, stream_of, task_of

from cl.methods import AGEM, Naive
from cl.registry import KINDS


def projected(gradient, reference):
    """What A-GEM makes of a gradient, and what it returns."""
    gradient = torch.tensor(gradient)
    change = AGEM().project(gradient, torch.tensor([reference]))
    return gradient, change


@pytest.mark.parametrize(
    ("gradient", "reference", "expected", "change"),
    [
        pytest.param([-1.0, 1.0], [2.0, 0.0], [0.0, 1.0], 0.5**0.5, id="along an axis"),
        # <g, g_ref> = -5 and |g_ref|^2 = 5, so g + g_ref; |g_ref| = |g|.
        pytest.param([-1.0, -2.0], [1.0, 2.0], [0.0, 0.0], 1.0, id="opposed"),
        # <g, g_ref> = -10 and |g_ref|^2 = 25, so g + 0.4 g_ref, moved by 2; |g|^2 = 20.
        pytest.param([2.0, -4.0], [3.0, 4.0], [3.2, -2.4], 2 / 20**0.5, id="at an angle"),
    ],
)
def test_the_closed_form_by_hand(gradient, reference, expected, change):
    found, moved = projected(gradient, reference)
    assert found.tolist() == pytest.approx(expected, abs=1e-6)
    assert moved == pytest.approx(change)
    assert float(found @ torch.tensor(reference)) == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("reference", [[1.0, 0.0], [-3.0, 1.0], [0.0, 0.0]])
def test_a_gradient_that_does_no_harm_stays_as_it_is(reference):
    gradient, change = projected([0.1, 0.3], reference)
    assert torch.equal(gradient, torch.tensor([0.1, 0.3]))
    assert change is None


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_follows_the_closed_form_of_what_autograd_says(blobs, kind, model):
    """The sample is all of the memory, 30 and 50 examples: one mean over all of them."""
    stream = stream_of(blobs, kind)
    trainer = learned(stream, AGEM(memory_per_task=50, sample_size=80), model=model)
    learner, method, data = trainer.learner, trainer.method, contradicting(stream)
    index = torch.arange(16)
    new = autograd(trainer, data.take(index))
    first, second = (autograd(trainer, part) for part in method.memory.parts)
    reference = (30 * first + 50 * second) / 80
    assert new @ reference < 0
    expected = new - (new @ reference) / (reference @ reference) * reference

    loss = method.gradient(learner, data, index)
    torch.testing.assert_close(learner.model.gradient.double(), expected, rtol=1e-4, atol=1e-6)
    report = method.diagnostics(learner)
    assert report["gem_violations"] == 1
    assert report["gem_projection_norm"] == pytest.approx(float((expected - new).norm() / new.norm()))
    assert loss == pytest.approx(float(Naive().gradient(learner, data, index)))


def test_every_step_draws_a_sample_of_its_own_from_all_old_tasks(blobs):
    """A sample of one example has the gradient of one of the examples in memory."""
    trainer = learned(stream_of(blobs, "class-il"), AGEM(memory_per_task=4, sample_size=1))
    learner, method = trainer.learner, trainer.method
    single = [
        autograd(trainer, part.take(torch.tensor([place])))
        for part in method.memory.parts
        for place in range(4)
    ]

    def draw():
        found = method.past_gradients(learner, method._past).double()
        return int(torch.stack([(found - each).norm() for each in single]).argmin()), found

    drawn = [draw() for _ in range(60)]
    for place, found in drawn:
        torch.testing.assert_close(found[0], single[place], rtol=1e-4, atol=1e-6)
    assert {place for place, _ in drawn} == set(range(8))
    begin(trainer, 2, task_of(stream_of(blobs, "class-il"), 2))
    assert [draw()[0] for _ in range(60)] == [place for place, _ in drawn]


def test_a_sample_has_no_example_twice(blobs):
    trainer = learned(stream_of(blobs, "class-il"), AGEM(memory_per_task=40, sample_size=1000))
    trainer.learner.examples = 0
    trainer.method.past_gradients(trainer.learner, trainer.method._past)
    assert trainer.learner.examples == 70
