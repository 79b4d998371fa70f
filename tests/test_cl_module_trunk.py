"""Any module as a trunk: its gradients against plain autograd and slow loops, and what is refused."""

import copy
import pickle
from functools import partial
from unittest.mock import Mock

import pytest
import torch
from torch import nn
from torch.nn import functional

from cl import module_trunk
from cl.heads import GrowingHead
from cl.module_trunk import ModuleTrunk
from cl.network import Network

COLOURS = (2, 5, 5)


def layers() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), nn.Tanh(), nn.Flatten(), nn.Linear(36, 6), nn.Tanh()
    )


def network(make=layers, image=COLOURS, seed: int = 1) -> Network:
    model = Network(ModuleTrunk(make, image), GrowingHead(), seed=seed)
    model.append_outputs(3)
    return model.double()


def plain(model: Network, make=layers) -> nn.Sequential:
    """An ordinary module with the same weights."""
    trunk, rows = make().double(), model.rows
    head = nn.Linear(rows.shape[1] - 1, len(rows)).double()
    nn.utils.vector_to_parameters(model.theta[: model.trunk.size], trunk.parameters())
    with torch.no_grad():
        head.weight.copy_(rows[:, :-1])
        head.bias.copy_(rows[:, -1])
    return nn.Sequential(trunk, head)


def images(count: int = 7, image=COLOURS) -> torch.Tensor:
    return torch.rand(count, *image, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


LABELS = torch.tensor([0, 2, 1, 1, 0, 2, 2])


def gradient_of(module: nn.Sequential, loss: torch.Tensor) -> torch.Tensor:
    """As in ``theta``: the trunk, then each output's weights and bias."""
    gradients = torch.autograd.grad(loss, list(module.parameters()))
    *trunk, weight, bias = gradients
    return torch.cat([*(part.flatten() for part in trunk), torch.cat([weight, bias[:, None]], 1).flatten()])


def losses_of(module: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(module(x), y, reduction="none")


def errors_of(logits: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Of each example's own loss."""
    return torch.softmax(logits, 1) - functional.one_hot(y, logits.shape[1])


def test_the_gradient_is_that_of_an_ordinary_module():
    model, x = network(), images()
    passed = model.run(x.flatten(1))
    model.backpropagate(passed, errors_of(passed.logits, LABELS))
    same = plain(model)
    torch.testing.assert_close(passed.logits, same(x).detach())
    torch.testing.assert_close(model.gradient, gradient_of(same, losses_of(same, x, LABELS).sum()))


def test_forward_is_ordinary_pytorch():
    model, x = network(), images()
    same = plain(model)
    loss = losses_of(same, x, LABELS).mean()
    (gradient,) = torch.autograd.grad(losses_of(model, x, LABELS).mean(), model.theta)
    torch.testing.assert_close(gradient, gradient_of(same, loss))


def test_a_pass_has_as_many_ways_back_as_are_asked_for():
    model, x = network(), images()
    error = errors_of(model.run(x.flatten(1)).logits, LABELS)
    passed = model.run(x.flatten(1))
    model.backpropagate(passed, error)
    first = model.gradient.clone()
    model.backpropagate(passed, 2 * error)
    torch.testing.assert_close(model.gradient, 2 * first)
    with torch.no_grad():
        passed = model.run(x.flatten(1))
        model.backpropagate(passed, error)
    assert torch.equal(model.gradient, first)


def test_the_gradients_of_groups_are_those_of_each_group_alone():
    model, x = network(), images()
    passed = model.run(x.flatten(1))
    gradients = model.gradients_by_group(passed, errors_of(passed.logits, LABELS), [2, 4, 1])
    same = plain(model)
    losses = losses_of(same, x, LABELS).split([2, 4, 1])
    for loss, gradient in zip(losses, gradients, strict=True):
        own = torch.autograd.grad(loss.sum(), list(same[0].parameters()), retain_graph=True)
        trunk = torch.cat([part.flatten() for part in own])
        torch.testing.assert_close(gradient[: len(trunk)], trunk)
        torch.testing.assert_close(
            gradient[len(trunk) :].view(3, -1)[:, -1],
            torch.autograd.grad(loss.sum(), same[1].bias, retain_graph=True)[0],
        )


@pytest.mark.parametrize(("numbers", "chunks"), [(1, 7), (2**22, 1), (3 * 306, 3)])
def test_squares_are_those_of_a_slow_loop(numbers, chunks, monkeypatch):
    monkeypatch.setattr(module_trunk, "_NUMBERS", numbers)
    mapped = Mock(wraps=module_trunk.vmap)
    monkeypatch.setattr(module_trunk, "vmap", mapped)
    model, x = network(), images()
    weight = torch.linspace(0, 3, 7, dtype=torch.float64)
    total = torch.ones_like(model.theta)
    passed = model.run(x.flatten(1))
    model.add_squares(passed, errors_of(passed.logits, LABELS), weight, total)
    same, expected = plain(model), torch.ones_like(total)
    for i in range(7):
        loss = losses_of(same, x[i : i + 1], LABELS[i : i + 1]).sum()
        expected += weight[i] * gradient_of(same, loss).square()
    torch.testing.assert_close(total, expected.detach())
    assert mapped.call_count == chunks


def test_weights_are_the_parameters_with_more_than_one_dimension():
    # Conv2d 4 x 2 x 3 x 3 and 4, GroupNorm 4 and 4, Linear 6 x 36 and 6.
    trunk = ModuleTrunk(layers, COLOURS)
    assert trunk.weight_parts == [slice(0, 72), slice(84, 300)]
    assert (trunk.size, trunk.width) == (306, 6)


def test_initial_weights_are_the_modules_own_and_come_from_the_seed():
    def seven() -> nn.Module:
        layer = nn.Linear(4, 3)
        nn.init.constant_(layer.bias, 7)
        return layer

    theta = ModuleTrunk(seven, (4,)).initial(seed=5)
    assert theta[12:].tolist() == [7, 7, 7]
    assert len(theta[:12].unique()) == 12
    assert theta[:12].abs().max() <= 1 / 2  # torch's bound for 4 inputs
    torch.rand(10)
    assert torch.equal(ModuleTrunk(seven, (4,)).initial(seed=5), theta)
    assert not torch.equal(ModuleTrunk(seven, (4,)).initial(seed=6), theta)


def test_making_a_trunk_leaves_torchs_generator_where_it_was():
    before = torch.get_rng_state()
    network()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])  # noqa: S301 - what this test has just written
def test_a_copy_is_a_model_of_its_own(copied):
    original, x = network(), images().flatten(1)
    before = original(x).detach().clone()
    model = copied(original)
    with torch.no_grad():
        model.theta.mul_(2)
    assert torch.equal(original(x), before)
    passed = model.run(x)
    model.backpropagate(passed, errors_of(passed.logits, LABELS))
    assert torch.equal(passed.logits.argmax(1), model.predict(x, 0))
    same = plain(model)
    torch.testing.assert_close(
        model.gradient, gradient_of(same, losses_of(same, x.view(-1, *COLOURS), LABELS).sum())
    )


def test_frozen_parameters_and_buffers_are_constants():
    def partly_frozen() -> nn.Module:
        norm = nn.BatchNorm2d(2).eval()
        nn.init.constant_(norm.running_mean, 0.25)
        return nn.Sequential(norm.requires_grad_(False), nn.Flatten(), nn.Linear(50, 4))

    model, x = network(partly_frozen), images()
    assert model.trunk.size == 50 * 4 + 4
    weight, bias = model.theta[:200].view(4, 50), model.theta[200:204]
    hidden = functional.linear((x - 0.25).flatten(1) / (1 + 1e-5) ** 0.5, weight, bias)
    torch.testing.assert_close(model.run(x.flatten(1)).hidden, hidden.detach())


def test_a_parameter_used_twice_is_one():
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = self.second = nn.Linear(4, 4)
            self.unused = nn.Parameter(torch.ones(3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(torch.tanh(self.first(x)))

    model, x = network(Twice, (4,)), images(image=(4,))
    assert model.trunk.size == 4 * 4 + 4 + 3
    model.gradient.fill_(9)  # whatever an earlier batch left there
    passed = model.run(x)
    model.backpropagate(passed, errors_of(passed.logits, LABELS))
    (expected,) = torch.autograd.grad(losses_of(model, x, LABELS).sum(), model.theta)
    torch.testing.assert_close(model.gradient, expected)
    order = [name for name, _ in Twice().named_parameters()]
    assert order[0] == "unused"
    assert model.gradient[:3].tolist() == [0, 0, 0]


def test_lazy_layers_and_unflattened_outputs_need_no_counting():
    trunk = ModuleTrunk(lambda: nn.LazyConv2d(2, 3), (1, 4, 4))
    assert (trunk.size, trunk.width) == (2 * 9 + 2, 2 * 2 * 2)
    assert torch.equal(trunk.initial(1), ModuleTrunk(lambda: nn.Conv2d(1, 2, 3), (4, 4)).initial(1))


class Noisy(nn.Linear):
    """Draws random numbers."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Without some of the outputs."""
        return functional.dropout(super().forward(x))


class Centred(nn.Linear):
    """Looks at the other examples."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Around the mean of the batch."""
        return super().forward(x - x.mean(0))


@pytest.mark.parametrize(
    "make",
    [
        partial(nn.Sequential, nn.Linear(4, 3), nn.BatchNorm1d(3)),
        partial(nn.Sequential, nn.Linear(4, 3), nn.BatchNorm1d(3, track_running_stats=False)),
        partial(nn.Sequential, nn.Linear(4, 3), nn.Dropout(0.001)),
        partial(Noisy, 4, 3),
        partial(Centred, 4, 3),
        partial(nn.Sequential, nn.Linear(4, 3), nn.Flatten(0)),
    ],
    ids=["BatchNorm", "BatchNorm without buffers", "Dropout", "dropout inside", "batch mean", "no rows"],
)
def test_what_is_not_a_function_of_each_example_is_refused_with_what_to_use_instead(make):
    with pytest.raises(ValueError, match=r"depends on the example .*Use GroupNorm in place of BatchNorm"):
        ModuleTrunk(make, (4,))


@pytest.mark.parametrize("make", [nn.Identity, lambda: nn.Linear(4, 3).requires_grad_(False)])
def test_a_module_without_parameters_to_train_is_refused(make):
    with pytest.raises(ValueError, match="needs parameters to train"):
        ModuleTrunk(make, (4,))
