"""Our optimisers against those of torch."""

import pytest
import torch

from cl.optimizers import SGD, Adam, make_optimizer
from cl.registry import TrainSettings

PAIRS = [
    pytest.param(
        lambda: SGD(0.1, 0.9), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), id="sgd with momentum"
    ),
    pytest.param(lambda: SGD(0.1, 0.0), lambda p: torch.optim.SGD(p, lr=0.1), id="plain sgd"),
    pytest.param(lambda: Adam(0.01), lambda p: torch.optim.Adam(p, lr=0.01), id="adam"),
]


@pytest.mark.parametrize(("make_ours", "make_theirs"), PAIRS)
def test_twenty_steps_are_those_of_torch(make_ours, make_theirs):
    random = torch.Generator().manual_seed(0)
    theta = torch.rand(10, generator=random, dtype=torch.float64)
    parameter = torch.nn.Parameter(theta.clone())
    ours, theirs = make_ours(), make_theirs([parameter])
    ours.resize(theta)
    for _ in range(20):
        gradient = torch.randn(10, generator=random, dtype=torch.float64)
        ours.step(theta, gradient.clone(), 0.5, [slice(0, 3), slice(3, 10)])
        parameter.grad = gradient * 0.5
        theirs.step()
    torch.testing.assert_close(theta, parameter.detach())


@pytest.mark.parametrize(("make_ours", "make_theirs"), PAIRS)
def test_other_parts_do_not_move_and_memory_of_old_parameters_survives_growth(make_ours, make_theirs):
    ours, parameter = make_ours(), torch.nn.Parameter(torch.ones(2))
    theirs = make_theirs([parameter])
    theta = torch.ones(2)
    ours.resize(theta)
    for grown in (2, 4):
        theta = torch.cat([theta, torch.ones(grown - len(theta))])
        ours.resize(theta)
        ours.step(theta, torch.full((grown,), 0.3), 1.0, [slice(0, 2)])
        parameter.grad = torch.full((2,), 0.3)
        theirs.step()
    torch.testing.assert_close(theta[:2], parameter.detach())
    assert torch.equal(theta[2:], torch.ones(2))


def test_the_settings_choose_the_optimiser():
    sgd, adam = (
        make_optimizer(TrainSettings(lr=0.2, momentum=0.5)),
        make_optimizer(TrainSettings(optimizer="adam")),
    )
    assert isinstance(sgd, SGD)
    assert (sgd.lr, sgd.momentum) == (0.2, 0.5)
    assert isinstance(adam, Adam)
