"""The growth of a progressive network, counted in layers of torch's own."""

import pytest
from torch import nn

from cl.registry.capacity import pnn_parameters


def layers_of_column(input_dim, hidden_dims, outputs, earlier):
    """Every linear map of a column, one by one."""
    dims = [input_dim, *hidden_dims]
    for below, units in zip(dims, hidden_dims, strict=False):
        yield nn.Linear(below, units, device="meta")
        for _ in range(earlier):
            yield nn.Linear(units, units, bias=False, device="meta")
    yield nn.Linear(dims[-1], outputs, device="meta")


@pytest.mark.parametrize("hidden_dims", [[7], [7, 5], [5, 7, 3]])
def test_the_count_is_that_of_separate_layers(hidden_dims):
    outputs, total, expected = [2, 4, 3], 0, []
    for k, count in enumerate(outputs):
        layers = layers_of_column(11, hidden_dims, count, k)
        total += sum(parameter.numel() for layer in layers for parameter in layer.parameters())
        expected.append(total)
    assert pnn_parameters(11, hidden_dims, outputs) == expected


def test_no_task_has_no_parameters():
    assert pnn_parameters(784, [256, 256], []) == []
