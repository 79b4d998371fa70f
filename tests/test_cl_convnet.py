"""The convolutional network: against ordinary layers, in every increment kind, and under every method."""

import math
import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from cl.convnet import ConvNet
from cl.datasets import Dataset
from cl.heads import GrowingHead, MultiHead, SharedHead
from cl.methods import make_method
from cl.registry import METHODS, ConvNetSettings, SplitSettings, TrainSettings
from cl.streams import Stream, make_stream
from cl.training import learn, learn_task, make_trainer

SMALL = ConvNetSettings(channels=(8, 16), hidden=32)
FAST = TrainSettings(epochs=5, batch_size=16, lr=0.05)


def coloured(image: tuple[int, ...] = (3, 9, 8)) -> Dataset:
    """Four classes of noisy images, each with a bright stripe of its own: 160 to train on, 40 to test."""
    random = np.random.default_rng(0)

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count) % 4
        images = random.integers(0, 100, size=(count, *image))
        for i, label in enumerate(labels):
            images[i][..., np.arange(image[-1]) * 4 // image[-1] == label] += 150
        return images.astype(np.uint8), labels

    return Dataset(*draw(160), *draw(40), scale=1 / 255)


COLOURED = coloured()


def stream(kind: str = "class-il", data: Dataset = COLOURED, seed: int = 0) -> Stream:
    return make_stream(kind, "split", SplitSettings().resolved(), [data], seed=seed, val_share=0.0)


def ordinary(model: ConvNet, image: tuple[int, ...], channels: list[int], hidden: int) -> nn.Sequential:
    """The network as one writes it with torch's layers, with the same weights."""
    colours, height, width = image if len(image) == 3 else (1, *image)
    layers: list[nn.Module] = [nn.Unflatten(1, (colours, height, width))]
    for inputs, outputs in pairwise([colours, *channels]):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        height, width = height // 2, width // 2
    layers += [nn.Flatten(), nn.Linear(channels[-1] * height * width, hidden), nn.ReLU()]
    made = nn.Sequential(*layers, nn.Linear(hidden, model.outputs)).double()
    *trunk, weight, bias = made.parameters()
    nn.utils.vector_to_parameters(model.theta[: model.trunk.size], trunk)
    with torch.no_grad():
        weight.copy_(model.rows[:, :-1])
        bias.copy_(model.rows[:, -1])
    return made


@pytest.mark.parametrize("image", [(8, 8), (1, 8, 8), (3, 9, 14)])
@pytest.mark.parametrize("channels", [[3], [3, 2], [2, 3, 4]], ids=lambda channels: f"depth {len(channels)}")
def test_it_computes_what_ordinary_layers_compute(image, channels):
    model = ConvNet(image, channels, hidden=5)
    model.append_outputs(4)
    model.double()
    random = torch.Generator().manual_seed(0)
    x = torch.rand(6, math.prod(image), generator=random, dtype=torch.float64)
    y = torch.randint(0, 4, (6,), generator=random)
    same = ordinary(model, image, channels, 5)
    passed = model.run(x)
    torch.testing.assert_close(passed.logits, same(x).detach())
    model.backpropagate(passed, torch.softmax(passed.logits, 1) - functional.one_hot(y, 4))
    gradients = torch.autograd.grad(
        functional.cross_entropy(same(x), y, reduction="sum"), list(same.parameters())
    )
    *trunk, weight, bias = gradients
    rows = torch.cat([weight, bias[:, None]], 1)
    expected = torch.cat([part.flatten() for part in (*trunk, rows)])
    torch.testing.assert_close(model.gradient, expected)


@pytest.mark.parametrize("image", [(8, 9), (3, 9, 8)])
def test_squared_gradients_are_those_of_each_example_alone(image):
    model = ConvNet(image, [3, 2], hidden=5)
    model.append_outputs(4)
    model.double()
    random = torch.Generator().manual_seed(0)
    x = torch.rand(6, math.prod(image), generator=random, dtype=torch.float64)
    errors = torch.randn(6, 4, generator=random, dtype=torch.float64)
    total, expected = torch.zeros_like(model.theta), torch.zeros_like(model.theta)
    model.add_squares(model.run(x), errors, torch.ones(6, dtype=torch.float64), total)
    for i in range(6):
        model.backpropagate(model.run(x[i : i + 1]), errors[i : i + 1])
        expected += model.gradient.square()
    torch.testing.assert_close(total, expected)


def test_parameters_are_counted_by_hand():
    model = ConvNet((3, 32, 32))
    model.append_outputs(10)
    first, second = 3 * 16 * 9 + 16, 16 * 32 * 9 + 32
    assert len(model.theta) == first + second + 32 * 8 * 8 * 128 + 128 + 128 * 10 + 10


def test_layers_and_outputs_come_from_the_seed():
    first, second, other = (ConvNet((8, 8), [3], 5, seed=seed) for seed in (1, 1, 2))
    with torch.no_grad():
        second.theta.mul_(2)
    for model in (first, second, other):
        model.append_outputs(2)
    assert torch.equal(first.theta[: first.trunk.size] * 2, second.theta[: first.trunk.size])
    assert torch.equal(first.rows, second.rows)
    assert not torch.equal(first.theta[: first.trunk.size], other.theta[: first.trunk.size])


def test_it_can_be_pickled():
    model = ConvNet((3, 9, 8), [3, 2], hidden=5)
    model.append_outputs(4)
    x = torch.rand(20, 3 * 9 * 8, generator=torch.Generator().manual_seed(0))
    same = pickle.loads(pickle.dumps(model))  # noqa: S301 - what this test has just written
    assert torch.equal(same(x), model(x))


@pytest.mark.parametrize(
    ("kind", "head"), [("task-il", MultiHead), ("domain-il", SharedHead), ("class-il", GrowingHead)]
)
def test_the_head_fits_the_increment_kind(kind, head):
    model = ConvNet.build(SMALL, stream(kind, seed=5))
    assert type(model.head) is head
    assert model.outputs == 0
    assert torch.equal(model.theta, ConvNet((3, 9, 8), SMALL.channels, SMALL.hidden, seed=5).theta)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ((27,), r"images of shape .* are needed; the data's shape is \(27,\)"),
        ((3, 9, 3), r"2 convolutions halve .* at least 4 x 4; the data's shape is \(3, 9, 3\)"),
        ((3, 9), r"at least 4 x 4; the data's shape is \(3, 9\)"),
    ],
)
def test_what_is_no_image_or_too_small_is_refused(image, message):
    with pytest.raises(ValueError, match=message):
        ConvNet(image)
    with pytest.raises(ValueError, match=message):
        ConvNet.check(SMALL, stream(data=coloured(image)))


@pytest.mark.parametrize(
    ("settings", "weights"),
    [
        (ConvNetSettings(channels=(1000, 200_000), hidden=8), 9 * 1000 * 200_000),
        (ConvNetSettings(channels=(30_000,), hidden=10_000), 30_000 * 4 * 4 * 10_000),
    ],
)
def test_more_weights_than_a_machine_should_be_asked_for_are_refused(settings, weights):
    with pytest.raises(ValueError, match=f"at most 100000000 weights between two layers; .* are {weights}"):
        ConvNet.check(settings, stream())


def test_the_smallest_image_is_not_refused():
    ConvNet.check(SMALL, stream(data=coloured((4, 4))))
    ConvNet((4, 4))


def test_the_same_trial_twice_is_the_same_bit_for_bit():
    def weights(seed: int) -> torch.Tensor:
        made = stream(seed=seed)
        trainer = make_trainer(made, make_method("ewc", {}), model=SMALL, train=FAST, seed=seed)
        for task in range(made.n_tasks):
            learn_task(trainer, made, task)
        return trainer.learner.theta

    first = weights(1)
    torch.rand(1)
    assert torch.equal(weights(1), first)
    assert not torch.equal(weights(2), first)


CASES = [
    pytest.param(kind, method, id=f"{kind} {method}")
    for method, entry in METHODS.items()
    if entry.models is None or "ConvNet" in entry.models
    for kind in entry.kinds
]


@pytest.mark.parametrize(("kind", "method"), CASES)
def test_every_method_learns_with_it(kind, method):
    reports = list(learn(stream(kind), make_method(method, {}), model=SMALL, train=FAST, seed=0))
    assert [report.task for report in reports] == [-1, 0, 1]
    matrix = [[score.accuracy for score in report.scores] for report in reports]
    assert [len(column) for column in matrix] == [2, 2, 2]
    assert min(matrix[1][0], matrix[2][1]) > 0.8  # what was just learned; two answers tie at a half
