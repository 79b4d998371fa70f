"""What a method can do: the moments of training, each with fine-tuning as its default."""

from __future__ import annotations

from torch import Tensor

from cl.learner import Batch, Learner
from cl.registry import Settings
from cl.streams import Stream


class Method:
    """Plain fine-tuning, in the steps that a method may change.

    A method is built from its hyperparameters alone and lives for one trial. Everything it remembers of
    the past is made in `consolidate`; while there is no past, it must learn exactly as fine-tuning does.
    """

    def __init__(self, settings: Settings) -> None:
        del settings

    def begin_task(self, learner: Learner, task: int) -> None:
        """Prepare for *task*; the default gives the model the task's outputs."""
        learner.begin_task(task)

    def training_data(self, stream: Stream, task: int) -> Batch:
        """The examples to train on during *task*; the default is the task's own."""
        examples = stream.train(task)
        return Batch(examples.x, examples.y, task)

    def remembered(self) -> Batch | None:
        """Examples of earlier tasks that mini-batches of this one may draw from; the default has none."""
        return None

    def draw(self, new: int) -> Tensor | None:
        """Which of the remembered examples join a mini-batch of *new* other ones, as positions int64 [m]."""
        del new
        return None

    def gradient(self, learner: Learner, batch: Batch) -> Tensor:
        """Write the gradient to follow to ``learner.model.gradient`` and return the loss (0-d)."""
        return learner.loss_gradient(batch)

    def consolidate(self, learner: Learner, data: Batch) -> None:
        """Keep what later tasks must know of the finished one, whose training examples are *data*."""

    def diagnostics(self) -> dict[str, float | int]:
        """What the tasks table records of the method after a task, by column name."""
        return {}
