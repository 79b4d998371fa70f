"""torch's own kernels, below its public functions: the only module that calls them.

A training step of a small network is dozens of small operations, and what surrounds a kernel (the graph,
checks, the search for an overload) costs as much as the kernel. Tests compare each with the public function.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_nll_loss = torch.ops.aten.nll_loss_forward.default
_nll_loss_backward = torch.ops.aten.nll_loss_backward.default
_log_softmax_backward = torch.ops.aten._log_softmax_backward_data.default
_threshold_backward = torch.ops.aten.threshold_backward.grad_input
_MEAN, _IGNORED_LABEL = 1, -100  # torch's defaults, as its kernels want them


def relu_affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """relu(x @ weight + bias) for *x* [n, in] and *weight* [in, out]; cuBLAS fuses it."""
    return torch._addmm_activation(bias, x, weight)


def relu_backward_(error: Tensor, activation: Tensor) -> None:
    """Zero *error* in place wherever the ReLU that gave *activation* was closed."""
    _threshold_backward(error, activation, 0, grad_input=error)


def cross_entropy(log_probabilities: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """The mean cross-entropy (0-d) and its gradient with respect to the logits, [n, outputs].

    Args:
        log_probabilities: log-softmax of the logits, [n, outputs]; -inf where an output is closed.
        right: int64 [n], the right output of each example.
    """
    chosen = (right, None, _MEAN, _IGNORED_LABEL)
    loss: Tensor
    loss, examples = _nll_loss(log_probabilities, *chosen)
    error = _nll_loss_backward(torch.ones_like(loss), log_probabilities, *chosen, examples)
    return loss, _log_softmax_backward(error, log_probabilities, 1, error.dtype)


def sgd_(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    velocities: Sequence[Tensor],
    *,
    lr: float,
    momentum: float,
    scale: float,
) -> None:
    """One step in place and in one pass: v <- momentum v + scale g, parameter <- parameter - lr v."""
    # The scale goes in as dampening, since the kernel's own `grad_scale` would write the gradient back. With
    # no momentum it has no dampening, and a step is lr * scale * g.
    damped = momentum != 0
    torch._fused_sgd_(
        list(parameters),
        list(gradients),
        list(velocities) if damped else [],
        weight_decay=0.0,
        momentum=momentum,
        lr=lr if damped else lr * scale,
        dampening=1.0 - scale if damped else 0.0,
        nesterov=False,
        maximize=False,
        is_first_step=False,
    )


def adam_(
    parameters: Sequence[Tensor],
    gradients: Sequence[Tensor],
    means: Sequence[Tensor],
    squares: Sequence[Tensor],
    steps: Sequence[Tensor],
    *,
    lr: float,
    betas: tuple[float, float],
    epsilon: float,
) -> None:
    """One step of Adam in place and in one pass; *steps* says how many each part has taken with this one."""
    torch._fused_adam_(
        list(parameters),
        list(gradients),
        list(means),
        list(squares),
        [],
        list(steps),
        lr=lr,
        beta1=betas[0],
        beta2=betas[1],
        weight_decay=0.0,
        eps=epsilon,
        amsgrad=False,
        maximize=False,
    )
