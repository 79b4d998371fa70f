"""The kernels against torch's public functions."""

import torch
from torch.nn import functional

from cl.kernels import adam_, cross_entropy, relu_affine, relu_backward_, sgd_


def random(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_the_affine_map_and_its_relu_are_those_of_linear():
    x, weight, bias = random(5, 7), random(7, 3), random(3)
    expected = functional.linear(x, weight.t(), bias).relu()
    assert 0 < (expected == 0).sum() < expected.numel()
    torch.testing.assert_close(relu_affine(x, weight, bias), expected)


def test_the_error_passes_where_the_relu_was_open():
    error, activation = torch.tensor([1.0, 2.0, -3.0]), torch.tensor([0.5, 0.0, 2.0])
    relu_backward_(error, activation)
    assert error.tolist() == [1.0, 0.0, -3.0]


def test_cross_entropy_and_its_gradient_are_those_of_autograd():
    logits, right = random(6, 4).requires_grad_(), torch.tensor([0, 3, 1, 1, 2, 0])
    with torch.no_grad():
        logits[0, 3] = -torch.inf  # an output that is closed to the first example
    expected = functional.cross_entropy(logits, right)
    expected.backward()
    loss, error = cross_entropy(torch.log_softmax(logits.detach(), 1), right)
    torch.testing.assert_close(loss, expected.detach())
    torch.testing.assert_close(error, logits.grad)
    assert error[0, 3] == 0


def test_a_step_by_hand():
    parameter, velocity = torch.tensor([1.0]), torch.tensor([2.0])
    sgd_([parameter], [torch.tensor([4.0])], [velocity], lr=0.1, momentum=0.5, scale=0.25)
    torch.testing.assert_close(velocity, torch.tensor([2.0]))  # 0.5 * 2 + 0.25 * 4
    torch.testing.assert_close(parameter, torch.tensor([0.8]))
    sgd_([parameter], [torch.tensor([4.0])], [velocity], lr=0.1, momentum=0.0, scale=0.25)
    torch.testing.assert_close(parameter, torch.tensor([0.7]))


def test_a_step_of_adam_by_hand():
    parameter, mean, square = torch.tensor([1.0]), torch.tensor([0.0]), torch.tensor([0.0])
    adam_(
        [parameter],
        [torch.tensor([2.0])],
        [mean],
        [square],
        [torch.tensor(1.0)],
        lr=0.1,
        betas=(0.9, 0.99),
        epsilon=0.0,
    )
    torch.testing.assert_close(mean, torch.tensor([0.2]))  # 0.1 * 2
    torch.testing.assert_close(square, torch.tensor([0.04]))  # 0.01 * 2^2
    torch.testing.assert_close(parameter, torch.tensor([0.9]))  # both corrected, so the step is lr * 2 / 2
