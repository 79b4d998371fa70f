"""The method pnn: what was learned stays, exactly."""

import io
from itertools import pairwise

import pytest
import torch
from small_trial import FAST, Watch, matrix

from cl.methods import PNN, Naive, make_method
from cl.models import MultiHeadMLP
from cl.progressive import ProgressiveNeuralNet
from cl.registry import MLPSettings, SplitSettings, TrainSettings
from cl.registry.capacity import pnn_parameters
from cl.streams import make_stream
from cl.trainer import Trainer
from cl.training import learn, learn_task, make_trainer

TRAINING = [
    pytest.param(FAST, id="sgd"),
    pytest.param(
        TrainSettings(epochs=6, batch_size=16, lr=0.1, reset_optimizer=False), id="momentum carried over"
    ),
    pytest.param(TrainSettings(epochs=6, batch_size=16, lr=0.01, optimizer="adam"), id="adam"),
    pytest.param(
        TrainSettings(epochs=6, batch_size=16, lr=0.01, optimizer="adam", reset_optimizer=False),
        id="moments carried over",
    ),
]
HIDDEN = (32, 24)


def split(blobs):
    return make_stream("task-il", "split", SplitSettings().resolved(), [blobs], seed=3, val_share=0.0)


def trial(blobs, method="pnn", train=FAST, watch=None):
    chosen = make_method(method, {})
    if watch is not None:
        watch.follow(chosen)
    name = "ProgressiveNeuralNet" if method == "pnn" else "MultiHeadMLP"
    return list(learn(split(blobs), chosen, model=MLPSettings(name=name, hidden=HIDDEN), train=train, seed=3))


def columns_of(matrix):
    """R[i, j] for each task i, from [after_task][task] with -1 first."""
    return [list(accuracies) for accuracies in zip(*matrix[1:], strict=True)]


@pytest.mark.parametrize("train", TRAINING)
def test_nothing_is_forgotten_and_no_earlier_column_changes_by_a_byte(blobs, train):
    watch = Watch()
    accuracies = columns_of(matrix(trial(blobs, train=train, watch=watch)))
    for task, after in enumerate(accuracies):
        assert after[task:] == [after[task]] * (3 - task)
        assert after[task] > 0.9
    for earlier, later in pairwise(watch.weights):
        assert later[: len(earlier)].numpy().tobytes() == earlier.numpy().tobytes()


def test_the_next_column_answers_untrained_and_those_beyond_not_at_all(blobs):
    absent = [[accuracy is None for accuracy in row] for row in matrix(trial(blobs))]
    assert absent == [[False, False, True], [False, False, True], [False] * 3, [False] * 3]


@pytest.mark.parametrize("train", TRAINING)
def test_the_first_task_is_learned_exactly_as_by_naive(blobs, train):
    seen = {}
    for method in ("pnn", "naive"):
        watch = Watch()
        run = trial(blobs, method, train, watch)
        seen[method] = watch.weights[0], run[1].loss, run[0].scores[0], run[1].scores[0]
    assert torch.equal(seen["pnn"][0], seen["naive"][0])
    assert seen["pnn"][1:] == seen["naive"][1:]


def test_the_tasks_table_says_what_is_frozen(blobs):
    counts = pnn_parameters(16, HIDDEN, [2, 2, 2])
    run = trial(blobs)
    assert [report.parameters for report in run] == [counts[0], *counts]
    assert [report.diagnostics for report in run[1:]] == [
        {"trainable_parameters": 0, "frozen_parameters": count, "memory_bytes": 0} for count in counts
    ]


def test_a_trial_goes_on_bit_for_bit_where_its_state_was_saved(blobs):
    stream, train = split(blobs), TrainSettings(epochs=2, batch_size=16, lr=0.1, reset_optimizer=False)
    model = MLPSettings(name="ProgressiveNeuralNet", hidden=HIDDEN)
    straight = make_trainer(stream, PNN(), model=model, train=train, seed=3)
    learn_task(straight, stream, 0)
    learn_task(straight, stream, 1)
    file = io.BytesIO()
    torch.save(straight.state(), file)
    file.seek(0)
    resumed = make_trainer(stream, PNN(), model=model, train=train, seed=3)
    resumed.load_state(torch.load(file, weights_only=True))
    assert resumed.model.capacity_report() == straight.model.capacity_report()
    scores = [learn_task(trainer, stream, 2).scores for trainer in (straight, resumed)]
    assert scores[0] == scores[1]
    assert torch.equal(straight.learner.theta, resumed.learner.theta)


def test_the_articles_course_of_training_needs_nothing_but_model_and_method(blobs):
    stream, network = split(blobs), ProgressiveNeuralNet(16, HIDDEN, 2)
    trainer = Trainer(network, PNN(), FAST, scale=stream.scale)
    for task in range(2):
        data = stream.train(task).x, stream.train(task).y
        trainer.train_task(task, data)
        assert network.capacity_report()["per_column"][task]["frozen"] is False
        trainer.consolidate(task, data)
        assert network.capacity_report()["trainable_params"] == 0
    with pytest.raises(ValueError, match="column 1 is frozen"):
        trainer.train_task(1, data)


def test_another_model_is_refused(blobs):
    stream = split(blobs)
    trainer = Trainer(MultiHeadMLP(16, HIDDEN), PNN(), FAST)
    with pytest.raises(TypeError, match="pnn trains a ProgressiveNeuralNet, not a MultiHeadMLP"):
        trainer.train_task(0, (stream.train(0).x, stream.train(0).y))


def test_fine_tuning_a_progressive_network_is_pnn(blobs):
    """The model alone keeps the past; the method only reports and freezes."""
    weights = []
    for method in (PNN(), Naive()):
        trainer = make_trainer(
            split(blobs),
            method,
            model=MLPSettings(name="ProgressiveNeuralNet", hidden=HIDDEN),
            train=FAST,
            seed=3,
        )
        for task in range(3):
            learn_task(trainer, split(blobs), task)
        weights.append(trainer.learner.theta)
    assert torch.equal(*weights)
