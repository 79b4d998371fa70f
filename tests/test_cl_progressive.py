"""The progressive network against a slow one of torch's own layers, and what is frozen in it."""

import copy
import pickle

import pytest
import torch
from torch import nn
from torch.nn import functional

from cl.columns import PNNColumn
from cl.losses import cross_entropy
from cl.models import MultiHeadMLP
from cl.progressive import ProgressiveNeuralNet

INPUTS, HIDDEN, OUTPUTS = 6, [5, 4], 3


class SlowColumn(nn.Module):
    """A column as the article draws it: a layer of its own for every arrow."""

    def __init__(self, earlier):
        super().__init__()
        dims = [INPUTS, *HIDDEN]
        self.vertical = nn.ModuleList(nn.Linear(a, b) for a, b in zip(dims, HIDDEN, strict=False))
        self.lateral = nn.ModuleList(
            nn.ModuleList(nn.Linear(units, units, bias=False) for _ in range(earlier)) for units in HIDDEN
        )
        self.output = nn.Linear(dims[-1], OUTPUTS)

    def forward(self, x, prior):
        """Logits and hidden activations."""
        hiddens = []
        for depth, layer in enumerate(self.vertical):
            total = layer(x)
            for lateral, column in zip(self.lateral[depth], prior, strict=True):
                total = total + lateral(column[depth])
            x = torch.relu(total)
            hiddens.append(x)
        return self.output(x), hiddens

    def pieces(self):
        """The parameters in the order of ours; weights of hidden layers lie the other way round there."""
        for vertical, laterals in zip(self.vertical, self.lateral, strict=True):
            yield vertical.weight, True
            yield from ((lateral.weight, True) for lateral in laterals)
            yield vertical.bias, False
        for k in range(OUTPUTS):
            yield self.output.weight[k], False
            yield self.output.bias[k : k + 1], False

    def load(self, vector):
        """Take the parameters of one of our columns."""
        with torch.no_grad():
            for piece, turned in self.pieces():
                own, vector = vector[: piece.numel()], vector[piece.numel() :]
                piece.copy_(own.view(piece.t().shape).t() if turned else own)
        assert len(vector) == 0

    def gradient(self, loss):
        """What autograd finds, in our order."""
        for parameter in self.parameters():
            parameter.grad = None
        loss.backward()
        parts = []
        for vertical, laterals in zip(self.vertical, self.lateral, strict=True):
            parts += [layer.weight.grad.t().flatten() for layer in (vertical, *laterals)]
            parts.append(vertical.bias.grad)
        output = torch.cat([self.output.weight.grad, self.output.bias.grad[:, None]], 1)
        return torch.cat([*parts, output.flatten()])


def network(columns=3):
    model = ProgressiveNeuralNet(INPUTS, HIDDEN, OUTPUTS, seed=1)
    for _ in range(columns):
        model.add_column()
    return model.double()


def slow(model):
    columns = []
    for k, ours in enumerate(model.columns):
        columns.append(SlowColumn(k).double())
        columns[-1].load(ours.theta.detach())
    return columns


def through(columns, x):
    """Logits of every column; what earlier ones give is constant for the last."""
    prior, logits = [], []
    for column in columns:
        out, hiddens = column(x, prior)
        logits.append(out)
        prior.append([hidden.detach() for hidden in hiddens])
    return logits


def batch():
    random = torch.Generator().manual_seed(5)
    x = torch.rand(7, INPUTS, generator=random, dtype=torch.float64)
    return x, torch.randint(0, OUTPUTS, (7,), generator=random)


def write_gradient(model, x, y, task):
    rows, right, excluded = model.targets(y, task)
    passed = model.run(x, rows)
    loss, error = cross_entropy(passed.logits, right, excluded)
    model.backpropagate(passed, error)
    return loss


def test_the_logits_are_those_of_a_slow_network_of_separate_layers():
    model, (x, _) = network(), batch()
    for task, expected in enumerate(through(slow(model), x)):
        assert expected.std() > 0.05
        torch.testing.assert_close(model(x, task_id=task), expected)
        torch.testing.assert_close(model.run(x, model.head.of(task)).logits, expected.detach())
        assert torch.equal(model.predict(x, task), expected.argmax(1))


@pytest.mark.parametrize("columns", [1, 2, 3])
def test_the_gradient_by_hand_is_autograds_of_the_slow_network(columns):
    model, (x, y) = network(columns), batch()
    theirs = slow(model)
    expected = functional.cross_entropy(through(theirs, x)[-1], y)
    loss = write_gradient(model, x, y, columns - 1)
    torch.testing.assert_close(loss, expected.detach())
    (part,) = model.parts(model.head.of(columns - 1))
    torch.testing.assert_close(model.gradient[part], theirs[-1].gradient(expected))
    assert not model.gradient[: part.start].any()
    assert part.stop == len(model.theta)


def test_forward_is_differentiable_in_its_own_column_only():
    model, (x, y) = network(), batch()
    (gradient,) = torch.autograd.grad(functional.cross_entropy(model(x, task_id=2), y), model.theta)
    write_gradient(model, x, y, 2)
    torch.testing.assert_close(model.gradient, gradient)


def test_a_gradient_writes_to_the_newest_column_and_nowhere_else():
    model, (x, y) = network(), batch()
    write_gradient(model, x, y, 2)
    expected = model.gradient.clone()
    start = model.parts(slice(0, 1))[0].start
    expected[:start] = 7
    model.gradient.fill_(7)
    write_gradient(model, x, y, 2)
    assert torch.equal(model.gradient, expected)


def test_a_column_alone_computes_what_it_does_in_the_network():
    model, (x, _) = network(), batch()
    prior = []
    for task, column in enumerate(model.columns):
        logits, hiddens = column(x, prior)
        assert [tuple(hidden.shape) for hidden in hiddens] == [(7, 5), (7, 4)]
        torch.testing.assert_close(logits, model(x, task_id=task))
        prior.append(hiddens)


def test_a_column_without_prior_activations_skips_its_laterals():
    column, (x, _) = PNNColumn(INPUTS, HIDDEN, OUTPUTS, n_laterals=2).double(), batch()
    silent = [[torch.zeros(7, units, dtype=torch.float64) for units in HIDDEN] for _ in range(2)]
    torch.testing.assert_close(column(x)[0], column(x, silent)[0])
    loud = [[hidden + 1 for hidden in hiddens] for hiddens in silent]
    assert not torch.allclose(column(x)[0], column(x, loud)[0])


def test_parameters_after_each_task_are_the_articles():
    model, counts = ProgressiveNeuralNet(784, [256, 256], 2), []
    for _ in range(5):
        model.add_column()
        counts.append(len(model.theta))
    assert counts == [267_266, 665_604, 1_195_014, 1_855_496, 2_647_050]


def test_the_capacity_report_counts_what_learns_and_what_is_frozen():
    model = ProgressiveNeuralNet(784, [256, 256], 2)
    model.add_column()
    model.add_column()
    expected = {
        "n_columns": 2,
        "total_params": 665_604,
        "frozen_params": 267_266,
        "trainable_params": 398_338,
        "per_column": {0: {"params": 267_266, "frozen": True}, 1: {"params": 398_338, "frozen": False}},
    }
    assert model.capacity_report() == expected
    model.freeze()
    expected |= {"frozen_params": 665_604, "trainable_params": 0}
    expected["per_column"][1]["frozen"] = True
    assert model.capacity_report() == expected


def test_columns_share_the_memory_of_theta_and_only_the_newest_requires_gradients():
    model = network()
    assert [column.theta.requires_grad for column in model.columns] == [False, False, True]
    assert torch.equal(torch.cat([column.theta for column in model.columns]), model.theta)
    with torch.no_grad():
        model.theta.mul_(2)
    assert torch.equal(torch.cat([column.theta for column in model.columns]), model.theta)
    assert len(list(model.parameters())) == 1


def test_the_first_column_is_the_multi_head_perceptron_with_one_head():
    columns, heads = ProgressiveNeuralNet(9, [8, 7], 2, seed=4), MultiHeadMLP(9, [8, 7], 2, seed=4)
    columns.add_column()
    heads.add_task_head()
    assert torch.equal(columns.theta, heads.theta)
    x, y = torch.rand(5, 9), torch.arange(5) % 2
    assert torch.equal(write_gradient(columns, x, y, 0), write_gradient(heads, x, y, 0))
    assert torch.equal(columns.gradient, heads.gradient)
    assert torch.equal(columns.predict(x, 0), heads.predict(x, 0))


def test_columns_come_from_the_seed_and_their_number_and_each_map_from_its_own_stream():
    busy, idle = network(), network(4)
    with torch.no_grad():
        busy.theta.mul_(2)
    busy.add_column()
    assert torch.equal(busy.columns[3].theta, idle.columns[3].theta)
    pieces = [piece for column in slow(idle) for piece, _ in column.pieces() if piece.numel() > 5]
    firsts = [piece.detach().flatten()[0].item() for piece in pieces]
    assert len(set(firsts)) == len(firsts) == 4 * 2 + 2 * (1 + 2 + 3)


def test_vertical_and_lateral_maps_have_torchs_default_distribution():
    column = PNNColumn(100, [400], 2, n_laterals=1, seed=2).theta.detach()
    vertical, lateral = column[: 100 * 400], column[100 * 400 : 500 * 400]
    for weights, bound in ((vertical, 1 / 10), (lateral, 1 / 20)):
        assert 0.99 * bound < weights.abs().max() <= bound
        assert abs(weights.std() - bound / 3**0.5) < 0.01 * bound


def test_the_next_task_is_answered_by_the_column_it_will_start_from():
    model = network(2).float()
    x = 9 * torch.randn(50, INPUTS, generator=torch.Generator().manual_seed(0))
    assert [model.can_answer(task, OUTPUTS - 1) for task in range(4)] == [True, True, True, False]
    before = model.predict(x, 2)
    assert len(before.unique()) > 1
    model.add_column()
    assert torch.equal(model.predict(x, 2), before)
    assert model.predict(x, 3, outputs=9).max() < 9


def test_a_column_may_bring_outputs_of_its_own_number():
    model = ProgressiveNeuralNet(INPUTS, HIDDEN)
    for task, outputs in enumerate([2, 4]):
        model.begin_task(task, outputs)
        model.begin_task(task, outputs)
    x = torch.rand(3, INPUTS)
    assert [model(x, task_id=task).shape[1] for task in range(2)] == [2, 4]
    assert model.outputs == 6


def test_what_cannot_learn_is_refused():
    model, (x, y) = network(2), batch()
    with pytest.raises(ValueError, match="column 0 is frozen"):
        write_gradient(model, x, y, 0)
    model.freeze()
    with pytest.raises(ValueError, match="column 1 is frozen"):
        write_gradient(model, x, y, 1)
    with pytest.raises(TypeError, match="belongs to one task"):
        model.targets(y, torch.zeros_like(y))
    with pytest.raises(ValueError, match="task_id must be 0 to 1"):
        model(x, task_id=2)
    passed = model.run(x)
    with pytest.raises(NotImplementedError, match="gradients by group"):
        model.gradients_by_group(passed, passed.logits, [7])
    with pytest.raises(NotImplementedError, match="squared gradients"):
        model.add_squares(passed, passed.logits, x[:, 0], model.gradient)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])  # noqa: S301 - what this test has just written
def test_a_copy_is_a_model_of_its_own(copied):
    original, (x, y) = network(), batch()
    model = copied(original)
    with torch.no_grad():
        model.theta.mul_(2)
    assert not torch.equal(model(x, task_id=2), original(x, task_id=2))
    assert torch.equal(model.predict(x, 2), model(x, task_id=2).argmax(1))
    assert model.capacity_report() == original.capacity_report()
    (expected,) = torch.autograd.grad(functional.cross_entropy(model(x, task_id=2), y), model.theta)
    write_gradient(model, x, y, 2)
    torch.testing.assert_close(model.gradient, expected)


def test_a_pickled_network_holds_its_parameters_once():
    model = ProgressiveNeuralNet(64, [64, 64], seed=1)
    for _ in range(3):
        model.add_column()
    assert len(pickle.dumps(model)) < 1.2 * model.theta.nbytes
