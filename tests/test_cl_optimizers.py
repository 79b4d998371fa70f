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


@pytest.mark.parametrize(("make_ours", "make_theirs"), PAIRS)
def test_parameters_that_are_appended_start_afresh_as_a_group_added_to_torch(make_ours, make_theirs):
    random = torch.Generator().manual_seed(0)
    theta = torch.rand(3, generator=random, dtype=torch.float64)
    old, new = torch.nn.Parameter(theta.clone()), torch.nn.Parameter(torch.ones(2, dtype=torch.float64))
    ours, theirs = make_ours(), make_theirs([old])
    ours.resize(theta)
    for step in range(40):
        if step == 30:
            theta = torch.cat([theta, new.detach()])
            ours.resize(theta)
            theirs.add_param_group({"params": [new]})
        gradient = torch.randn(len(theta), generator=random, dtype=torch.float64)
        old.grad = gradient[:3].clone()
        if step >= 30:
            new.grad = gradient[3:].clone()
        ours.step(theta, gradient, 1.0, [slice(0, len(theta))])
        theirs.step()
    torch.testing.assert_close(theta, torch.cat([old, new]).detach())


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("norm", [1e3, 1e9, 1e18])
def test_a_huge_gradient_is_clipped_as_in_torch(momentum, norm):
    theta, parameter = torch.ones(3), torch.nn.Parameter(torch.ones(3))
    gradient = torch.tensor([norm, -norm, norm / 2])
    ours, theirs = SGD(0.1, momentum), torch.optim.SGD([parameter], lr=0.1, momentum=momentum)
    ours.resize(theta)
    for _ in range(2):
        parameter.grad = gradient.clone()
        norm_before = torch.nn.utils.clip_grad_norm_([parameter], 1.0).item()
        theirs.step()
        ours.step(theta, gradient.clone(), 1.0 / (norm_before + 1e-6), [slice(0, 3)])
    torch.testing.assert_close(theta, parameter.detach())


@pytest.mark.parametrize("optimizer", [SGD(0.1, 0.9), Adam(0.1)], ids=["sgd", "adam"])
def test_what_has_come_to_rest_moves_only_where_a_gradient_says_so(optimizer):
    theta, whole = torch.zeros(4), [slice(0, 4)]
    optimizer.resize(theta)
    optimizer.step(theta, torch.ones(4), 1.0, whole)
    optimizer.rest_outside([slice(0, 1), slice(3, 4)])
    before = theta.clone()
    optimizer.step(theta, torch.zeros(4), 1.0, whole)
    assert (theta != before).tolist() == [True, False, False, True]
    optimizer.step(theta, torch.tensor([0.0, 1.0, 0.0, 0.0]), 1.0, whole)
    assert (theta != before).tolist() == [True, True, False, True]


def test_the_settings_choose_the_optimiser():
    sgd, adam = (
        make_optimizer(TrainSettings(lr=0.2, momentum=0.5)),
        make_optimizer(TrainSettings(optimizer="adam")),
    )
    assert isinstance(sgd, SGD)
    assert (sgd.lr, sgd.momentum) == (0.2, 0.5)
    assert isinstance(adam, Adam)
