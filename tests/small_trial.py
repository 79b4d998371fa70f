"""A trial small enough for any test, its accuracy matrix, and what its method got to see."""

from dataclasses import dataclass

from torch import Tensor

from cl.batch import Batch
from cl.methods import make_method
from cl.registry import METHODS, MLPSettings, SplitSettings, TrainSettings, model_name
from cl.streams import make_stream
from cl.training import learn

FAST = TrainSettings(epochs=4, batch_size=16, lr=0.1)


@dataclass
class Step:
    """One step of training, as the method saw it."""

    task: int
    weights: Tensor
    """Before the step."""
    batch: Batch
    gradient: Tensor
    loss: float


class Watch:
    """Every step of a trial, and the weights after each task."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.weights: list[Tensor] = []

    def follow(self, method):
        """Watch *method*, which goes on as it would."""
        gradient, consolidate = method.gradient, method.consolidate

        def watched_gradient(learner, data, index):
            before, mini_batch = learner.theta.clone(), learner.mini_batch
            seen = []

            def watched_mini_batch(*arguments):
                seen.append(mini_batch(*arguments))
                return seen[-1]

            learner.mini_batch = watched_mini_batch
            loss = gradient(learner, data, index)
            learner.mini_batch = mini_batch
            self.steps.append(
                Step(learner.task, before, seen[-1], learner.model.gradient.clone(), float(loss))
            )
            return loss

        def watched_consolidate(learner, data):
            self.weights.append(learner.theta.clone())
            consolidate(learner, data)

        method.gradient, method.consolidate = watched_gradient, watched_consolidate


def reports(
    data,
    kind="class-il",
    method="naive",
    hyperparameters=None,
    train=FAST,
    seed=3,
    stream="split",
    settings=None,
    watch=None,
):
    """All reports of a small trial; *watch* sees its steps."""
    made = make_stream(
        kind,
        stream,
        settings or SplitSettings().resolved(),
        [data],
        seed=seed,
        val_share=train.val_share,
    )
    chosen = make_method(method, hyperparameters or {})
    if watch is not None:
        watch.follow(chosen)
    run = learn(
        made,
        chosen,
        model=MLPSettings(name=model_name("mlp", kind, METHODS[method]), hidden=(32,)),
        train=train,
        seed=seed,
    )
    return list(run)


def watched(data, *arguments, **settings):
    """What a method saw of the trial that `reports` would run."""
    watch = Watch()
    reports(data, *arguments, watch=watch, **settings)
    return watch


def matrix(run):
    """Accuracies [after_task][eval_task], -1 first."""
    return [[score.accuracy for score in report.scores if score.split == "test"] for report in run]
