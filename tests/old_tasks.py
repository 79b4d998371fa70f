"""A model that has learned tasks, with what autograd says of them: what GEM and A-GEM are tested against."""

import torch
from torch.nn import functional

from cl.batch import Batch
from cl.registry import ConvNetSettings, MLPSettings, SplitSettings, TrainSettings
from cl.streams import make_stream
from cl.training import make_trainer

MODELS = {"mlp": MLPSettings(hidden=(8,)), "ConvNet": ConvNetSettings(channels=(2,), hidden=8)}
SHORT = TrainSettings(epochs=1, batch_size=16, lr=0.1)
SIZES = (30, 70, 50)
"""Examples that are taken of each task's 80."""


def stream_of(data, kind):
    return make_stream(kind, "split", SplitSettings().resolved(), [data], seed=0, val_share=0.0)


def task_of(stream, task):
    examples = stream.train(task)
    return Batch(examples.x, examples.y, task).take(torch.arange(SIZES[task]))


def contradicting(stream):
    """Examples of task 0 under labels of task 2, or where it shares them, each other's: they harm task 0."""
    data = task_of(stream, 0)
    return Batch(data.x, data.y + 4 if stream.kind == "class-il" else 1 - data.y, 0)


def learned(stream, method, tasks=2, model="mlp", seed=0):
    """A trainer that has learned some tasks and begun the next."""
    trainer = make_trainer(stream, method, model=MODELS[model], train=SHORT, seed=seed)
    for task in range(tasks):
        trainer.train_task(task, task_of(stream, task))
        trainer.consolidate(task, task_of(stream, task))
    begin(trainer, tasks, task_of(stream, tasks))
    return trainer


def begin(trainer, task, data):
    """Begin *task* without a step."""
    trainer.learner.begin_task(task)
    trainer.method.begin_task(trainer.learner, data)


def autograd(trainer, batch):
    """The gradient of the mean cross-entropy of stored examples of one task, in double precision."""
    model = trainer.learner.model
    theta = model.theta.detach().double()
    x = trainer.learner.inputs(batch.x).double()
    model.double()
    logits = model(x, task_id=batch.task)
    (gradient,) = torch.autograd.grad(functional.cross_entropy(logits, batch.y), model.theta)
    model.float()
    trainer.learner.theta = model.theta.detach()
    assert torch.equal(trainer.learner.theta.double(), theta)
    return gradient
