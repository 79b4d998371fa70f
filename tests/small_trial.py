"""A trial small enough for any test, and its accuracy matrix."""

from cl.methods import make_method
from cl.registry import ModelSettings, SplitSettings, TrainSettings
from cl.streams import make_stream
from cl.training import learn

FAST = TrainSettings(epochs=4, batch_size=16, lr=0.1)


def reports(
    data,
    kind="class-il",
    method="naive",
    hyperparameters=None,
    train=FAST,
    seed=3,
    stream="split",
    settings=None,
):
    """All reports of a small trial."""
    made = make_stream(
        kind,
        stream,
        settings or SplitSettings().resolved(),
        [data],
        seed=seed,
        val_share=train.val_share,
    )
    run = learn(
        made,
        make_method(method, hyperparameters or {}),
        model=ModelSettings(hidden=(32,)),
        train=train,
        seed=seed,
    )
    return list(run)


def matrix(run):
    """Accuracies [after_task][eval_task], -1 first."""
    return [[score.accuracy for score in report.scores if score.split == "test"] for report in run]
