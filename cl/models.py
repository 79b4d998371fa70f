"""The four architectures of the article.

Three multilayer perceptrons, one per increment kind, share a trunk of ReLU layers and differ in their head:
which outputs a task adds, and which of them compete for an example. The progressive network has modules of
its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from cl.columns import PNNColumn
from cl.heads import GrowingHead, MultiHead, SharedHead
from cl.network import Network
from cl.progressive import ProgressiveNeuralNet
from cl.registry import MLPSettings
from cl.streams import Stream
from cl.trunks import MLPTrunk

__all__ = ["DomainMLP", "MultiHeadMLP", "PNNColumn", "ProgressiveNeuralNet", "SingleHeadMLP"]


class MultiHeadMLP(Network):
    """One head per task, for task-il: the task's identity is known and selects the head.

    >>> import torch
    >>> model = MultiHeadMLP(input_dim=4, hidden_dims=[8], head_output_dim=2)
    >>> model.add_task_head(), model.add_task_head()
    (0, 1)
    >>> model(torch.zeros(3, 4), task_id=1).shape
    torch.Size([3, 2])
    """

    def __init__(
        self, input_dim: int, hidden_dims: Sequence[int], head_output_dim: int = 2, *, seed: int = 0
    ) -> None:
        super().__init__(MLPTrunk(input_dim, hidden_dims), MultiHead(), seed=seed)
        self.head_output_dim = head_output_dim

    @classmethod
    def build(cls, settings: MLPSettings, stream: Stream) -> Self:
        """The model for *stream*, without heads yet."""
        return cls(stream.features, settings.hidden, seed=stream.seed)

    def add_task_head(self, outputs: int | None = None) -> int:
        """Append a head (by default of ``head_output_dim`` outputs) and return its task."""
        self.append_outputs(self.head_output_dim if outputs is None else outputs)
        return len(self.head.starts) - 2


class SingleHeadMLP(Network):
    """One head that grows with the classes, for class-il: all classes seen so far compete.

    >>> import torch
    >>> model = SingleHeadMLP(input_dim=4, hidden_dims=[8], initial_classes=2)
    >>> before = model(torch.ones(1, 4))
    >>> model.expand_head(n_new_classes=2)
    >>> after = model(torch.ones(1, 4))
    >>> after.shape, torch.allclose(after[:, :2], before)
    (torch.Size([1, 4]), True)
    """

    def __init__(
        self, input_dim: int, hidden_dims: Sequence[int], initial_classes: int = 0, *, seed: int = 0
    ) -> None:
        super().__init__(MLPTrunk(input_dim, hidden_dims), GrowingHead(), seed=seed)
        if initial_classes:
            self.append_outputs(initial_classes)

    @classmethod
    def build(cls, settings: MLPSettings, stream: Stream) -> Self:
        """The model for *stream*, without outputs yet; where tasks share their outputs, they come at once."""
        model = cls(stream.features, settings.hidden, seed=stream.seed)
        if stream.kind == "domain-il":
            model.head = SharedHead()
        return model

    def expand_head(self, n_new_classes: int) -> None:
        """Append outputs for new classes; the old rows keep their values bit for bit."""
        self.append_outputs(n_new_classes)


class DomainMLP(Network):
    """One fixed head that all tasks share, for domain-il.

    >>> import torch
    >>> DomainMLP(input_dim=4, hidden_dims=[8], output_dim=10)(torch.zeros(3, 4)).shape
    torch.Size([3, 10])
    """

    def __init__(
        self, input_dim: int, hidden_dims: Sequence[int], output_dim: int = 0, *, seed: int = 0
    ) -> None:
        super().__init__(MLPTrunk(input_dim, hidden_dims), SharedHead(), seed=seed)
        if output_dim:
            self.append_outputs(output_dim)

    @classmethod
    def build(cls, settings: MLPSettings, stream: Stream) -> Self:
        """The model for *stream*, with all the outputs that its tasks will ever need."""
        outputs = sum(stream.outputs) if stream.kind == "class-il" else max(stream.outputs)
        return cls(stream.features, settings.hidden, outputs, seed=stream.seed)
