"""The models: heads that grow, gradients against autograd, squared gradients against a slow loop."""

import copy
import math
import pickle
import re

import pytest
import torch
from torch.nn import functional

from cl.batch import Batch
from cl.heads import TaskIds
from cl.learner import Learner
from cl.models import DomainMLP, MultiHeadMLP, ProgressiveNeuralNet, SingleHeadMLP
from cl.network import Network
from cl.registry import TrainSettings
from cl.trunks import MLPTrunk


def multi_head() -> MultiHeadMLP:
    model = MultiHeadMLP(6, [5, 4], head_output_dim=3, seed=1)
    for _ in range(3):
        model.add_task_head()
    return model


def single_head() -> SingleHeadMLP:
    model = SingleHeadMLP(6, [5, 4], initial_classes=2, seed=1)
    model.expand_head(3)
    return model


def domain() -> DomainMLP:
    return DomainMLP(6, [5, 4], output_dim=4, seed=1)


MIXED = torch.tensor([0, 2, 1, 1, 0, 2, 2])
CASES = [
    pytest.param(multi_head, 1, id="one head"),
    pytest.param(multi_head, MIXED, id="heads mixed in a batch"),
    pytest.param(single_head, 1, id="growing head"),
    pytest.param(domain, 1, id="shared head"),
]


def batch(outputs: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(5)
    x = torch.rand(7, 6, generator=random)
    return x.double(), torch.randint(0, min(outputs, 3), (7,), generator=random)


def loss_by_autograd(model: Network, x: torch.Tensor, y: torch.Tensor, task: TaskIds) -> torch.Tensor:
    tasks = [task] * len(y) if isinstance(task, int) else task.tolist()
    losses = [
        functional.cross_entropy(model(x[i : i + 1], task_id=tasks[i]), y[i : i + 1]) for i in range(len(y))
    ]
    return torch.stack(losses).mean()


def gradient_by_hand(model: Network, x: torch.Tensor, y: torch.Tensor, task: TaskIds) -> torch.Tensor:
    """The loss; the gradient is left in the model."""
    learner = Learner(model, TrainSettings(), [], seed=0)
    return learner.loss_gradient(Batch(x, y, task))


@pytest.mark.parametrize(("make", "task"), CASES)
def test_the_gradient_by_hand_is_autograds(make, task):
    model = make().double()
    x, y = batch()
    expected = loss_by_autograd(model, x, y, task)
    (gradient,) = torch.autograd.grad(expected, model.theta)
    loss = gradient_by_hand(model, x, y, task)
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(model.gradient, gradient)


@pytest.mark.parametrize(("make", "task"), CASES)
def test_a_gradient_leaves_nothing_behind_for_the_next(make, task):
    model = make().double()
    x, y = batch()
    gradient_by_hand(model, x, y, task)
    first = model.gradient.clone()
    gradient_by_hand(model, 1 - x, y, MIXED)
    gradient_by_hand(model, x, y, task)
    assert torch.equal(model.gradient, first)


@pytest.mark.parametrize(("make", "task"), CASES)
def test_the_gradients_of_groups_are_those_of_each_group_alone(make, task):
    model = make().double()
    x, y = batch()
    sizes = [2, 4, 1]
    rows, right, excluded = model.targets(y, task)
    passed = model.run(x, rows)
    logits = passed.logits if excluded is None else passed.logits.masked_fill(excluded, -math.inf)
    error = torch.softmax(logits, 1) - functional.one_hot(right, logits.shape[1])
    gradients = model.gradients_by_group(passed, error, sizes)
    start = 0
    for size, gradient in zip(sizes, gradients, strict=True):
        own = slice(start, start + size)
        loss = loss_by_autograd(model, x[own], y[own], task if isinstance(task, int) else task[own]) * size
        torch.testing.assert_close(gradient, torch.autograd.grad(loss, model.theta)[0])
        start += size


def test_a_head_that_grows_keeps_every_old_parameter():
    model = SingleHeadMLP(6, [5], initial_classes=2)
    before = model.theta.detach().clone()
    model.expand_head(4)
    assert torch.equal(model.theta[: len(before)], before)
    assert len(model.theta) == len(before) + 4 * 6


def test_heads_and_layers_come_from_the_seed_and_not_from_what_happened_before():
    busy, idle = multi_head(), MultiHeadMLP(6, [5, 4], head_output_dim=3, seed=1)
    with torch.no_grad():
        busy.theta.mul_(2)
    busy.add_task_head()
    torch.rand(10)
    for _ in range(4):
        idle.add_task_head()
    assert torch.equal(busy.rows[9:], idle.rows[9:])
    assert not torch.equal(MultiHeadMLP(6, [5, 4], seed=2).theta, MultiHeadMLP(6, [5, 4], seed=1).theta)


def test_an_untrained_head_answers_as_it_will_once_it_exists():
    model = MultiHeadMLP(6, [5], head_output_dim=3)
    model.add_task_head()
    x = torch.rand(50, 6, generator=torch.Generator().manual_seed(0))
    before = model.predict(x, 1)
    model.add_task_head()
    assert torch.equal(model.predict(x, 1), before)
    assert torch.equal(before, model(x, task_id=1).argmax(1))


def test_a_batch_of_one_task_moves_its_own_head_only():
    model = multi_head()
    moved = torch.zeros(len(model.theta), dtype=torch.bool)
    for part in model.parts(model.targets(torch.zeros(1, dtype=torch.int64), 1).rows):
        moved[part] = True
    trunk = 6 * 5 + 5 + 5 * 4 + 4
    expected = torch.zeros_like(moved)
    expected[:trunk] = True
    expected[trunk + 15 : trunk + 30] = True
    assert torch.equal(moved, expected)
    assert model.parts(model.targets(torch.zeros(7, dtype=torch.int64), MIXED).rows) == [
        slice(0, len(model.theta))
    ]


def test_an_unknown_head_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"task_id must be 0 to 2, one of the heads; got 3"):
        multi_head()(torch.zeros(1, 6), task_id=3)
    with pytest.raises(ValueError, match="got None"):
        multi_head()(torch.zeros(1, 6))


def test_initial_weights_have_torchs_default_distribution():
    ours = MLPTrunk(400, [300]).initial(seed=3)
    theirs = torch.nn.Linear(400, 300)
    assert ours.abs().max() <= 1 / 20
    assert abs(ours.std() - theirs.weight.detach().std()) < 1e-3
    assert abs(ours.mean()) < 1e-3


def test_parameters_are_counted_as_in_separate_layers():
    model = SingleHeadMLP(784, [256, 256], initial_classes=10)
    assert len(model.theta) == 784 * 256 + 256 + 256 * 256 + 256 + 256 * 10 + 10


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])  # noqa: S301 - what this test has just written
def test_a_copy_is_a_model_of_its_own(copied):
    original = single_head()
    model = copied(original)
    x, y = torch.rand(7, 6), torch.randint(0, 5, (7,))
    with torch.no_grad():
        model.theta.mul_(2)
    assert not torch.equal(model(x), original(x))
    assert torch.equal(model.predict(x, 0), model(x).argmax(1))
    gradient_by_hand(model, x, y, 0)
    expected = torch.autograd.grad(loss_by_autograd(model, x, y, 0), model.theta)[0]
    torch.testing.assert_close(model.gradient, expected)


def test_the_gradient_survives_a_zero_grad():
    model, x, y = single_head(), torch.rand(7, 6), torch.randint(0, 5, (7,))
    model.zero_grad()
    gradient_by_hand(model, x, y, 0)
    expected = torch.autograd.grad(loss_by_autograd(model, x, y, 0), model.theta)[0]
    torch.testing.assert_close(model.gradient, expected)


@pytest.mark.parametrize("model", [SingleHeadMLP, MultiHeadMLP, DomainMLP, ProgressiveNeuralNet])
@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ((0, [3]), "input_dim must be at least 1, the features of an example; got 0"),
        ((4, []), "hidden_dims must be the units of each hidden layer, one layer or more; got []"),
        ((4, [3, 0]), "hidden_dims must be the units of each hidden layer, one layer or more; got [3, 0]"),
    ],
)
def test_layers_that_no_perceptron_can_have_are_refused(model, layers, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        model(*layers)
