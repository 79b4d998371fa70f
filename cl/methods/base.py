"""What a method can do: the moments of training, each with fine-tuning as its default."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

from torch import Tensor

from cl.batch import Batch
from cl.learner import Learner
from cl.registry import MethodSettings
from cl.state import bytes_of, load_state, state_of

Diagnostics = dict[str, float | int | list[int]]


class Method:
    """Plain fine-tuning, in the steps that a method may change.

    A method lives for one trial. Everything it remembers of the past is made in `consolidate`; while there
    is no past, it must learn exactly as fine-tuning does. What it carries from task to task is in public
    attributes, which are saved and restored; what begins with an underscore is made anew in `begin_task`.

    Args:
        settings: the hyperparameters; or give them by name, as in ``EWC(lambda_=10.0)``.
    """

    Settings: ClassVar[type[MethodSettings]] = MethodSettings
    """The declaration of the hyperparameters."""

    def __init__(self, settings: MethodSettings | None = None, **hyperparameters: Any) -> None:
        self.settings = self.Settings(**hyperparameters) if settings is None else settings

    def trains_on(self, task: int) -> Iterable[int]:
        """The tasks whose examples are trained on during *task*; the default is the task itself."""
        return [task]

    def begin_task(self, learner: Learner, data: Batch) -> None:
        """Prepare for ``learner.task``, which has its outputs and whose training examples are *data*."""

    def gradient(self, learner: Learner, data: Batch, index: Tensor) -> Tensor:
        """Write the gradient to follow to ``learner.model.gradient`` and return the loss (0-d).

        The step's mini-batch is what *data*, the task's training examples, holds at *index* (int64 [n]).
        """
        return learner.loss_gradient(learner.mini_batch(data, index))

    def after_step(self, learner: Learner) -> None:
        """See ``learner.theta`` after each optimiser step."""

    def consolidate(self, learner: Learner, data: Batch) -> None:
        """Keep what later tasks must know of the finished one, whose training examples are *data*."""

    def answering(self, learner: Learner, task: int) -> AbstractContextManager[None]:
        """The time in which the model answers for *task*; the default changes nothing."""
        del learner, task
        return nullcontext()

    def diagnostics(self, learner: Learner) -> Diagnostics:
        """What the tasks table records of the method after a task, by column name.

        By default the bytes of its state, which it holds for the sake of earlier tasks.
        """
        del learner
        return {"memory_bytes": bytes_of(self.state())}

    def state(self) -> dict[str, Any]:
        """What the method carries from task to task."""
        return state_of(self, without=("settings",))

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue where *state* was taken."""
        load_state(self, state)
