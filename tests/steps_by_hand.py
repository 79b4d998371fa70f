"""A method in the hands of a test: its trainer, the examples of its tasks, one step at a time."""

import torch
from torch import Tensor

from cl.batch import Batch
from cl.methods.base import Method
from cl.registry import Kind, MLPSettings, SplitSettings, TrainSettings
from cl.streams import make_stream
from cl.trainer import Trainer
from cl.training import make_trainer


def trainer_on(
    data, method: Method, kind: Kind = "class-il", *, seed: int = 0, **train: object
) -> tuple[Trainer, list[Batch]]:
    """A trainer of *method* on *data* in tasks of two classes, and the examples of each task."""
    stream = make_stream(kind, "split", SplitSettings().resolved(), [data], seed=seed, val_share=0.0)
    trainer = make_trainer(
        stream, method, model=MLPSettings(hidden=(8,)), train=TrainSettings.model_validate(train), seed=seed
    )
    examples = [stream.train(task) for task in range(stream.n_tasks)]
    return trainer, [Batch(each.x, each.y, task) for task, each in enumerate(examples)]


def begin(trainer: Trainer, task: int, data: Batch) -> None:
    """Begin *task* as training does, without a step."""
    trainer.learner.begin_task(task)
    trainer.method.begin_task(trainer.learner, data)


def shift(trainer: Trainer, seed: int = 1) -> None:
    """Move all weights a little, as if something had been learned."""
    theta = trainer.learner.theta
    theta.add_(torch.randn(len(theta), generator=torch.Generator().manual_seed(seed)), alpha=0.1)


def step_gradient(trainer: Trainer, data: Batch, count: int = 16) -> tuple[Tensor, Tensor]:
    """The method's gradient and loss on the first *count* examples of *data*."""
    loss = trainer.method.gradient(trainer.learner, data, torch.arange(count))
    return trainer.learner.model.gradient.clone(), loss


def logits(trainer: Trainer, data: Batch, count: int = 16) -> Tensor:
    """The model's logits for the first *count* examples of *data*, recorded by autograd."""
    assert isinstance(data.task, int)
    return trainer.learner.model(trainer.learner.inputs(data.x[:count]), task_id=data.task)


def derivative(loss: Tensor, trainer: Trainer) -> Tensor:
    """What autograd makes of *loss*."""
    (gradient,) = torch.autograd.grad(loss, trainer.learner.model.theta)
    return gradient
