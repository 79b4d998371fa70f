"""The trainer used by hand, with tensors and no stream."""

import pytest
import torch

from cl.building import make_model
from cl.methods import EWC, LwF, Naive, Replay, SeparateEWC
from cl.models import DomainMLP, MultiHeadMLP, ProgressiveNeuralNet, SingleHeadMLP
from cl.registry import MLPSettings, TrainSettings
from cl.streams import make_stream
from cl.trainer import Trainer
from cl.training import learn

SHORT = TrainSettings(epochs=1, batch_size=8)


def examples(labels, first=0):
    """Thirty examples with *labels* labels from *first* on."""
    x = torch.rand(30, 4, generator=torch.Generator().manual_seed(first))
    return x, first + torch.arange(30) % labels


def learn_tasks(trainer, *tasks):
    for task, data in enumerate(tasks):
        trainer.train_task(task, data)
        trainer.consolidate(task, data)
    return trainer


@pytest.mark.parametrize(
    ("model", "outputs", "message"),
    [
        (SingleHeadMLP(4, [8]), [], "task 0 comes next, not 1"),
        (SingleHeadMLP(4, [8]), [2, 2], "task 1 has labels up to 3, and the model 0 outputs"),
        (MultiHeadMLP(4, [8]), [4, 4], "one of the heads; got 1"),
        (ProgressiveNeuralNet(4, [8]), [4, 4], "task 1 has labels up to 3, and the model 0 outputs"),
    ],
)
def test_a_task_whose_predecessor_was_never_trained_is_refused(model, outputs, message):
    with pytest.raises(ValueError, match=message):
        Trainer(model, Naive(), SHORT, outputs=outputs).train_task(1, examples(2, first=2))


def test_tasks_are_counted_from_zero():
    with pytest.raises(ValueError, match="task 0 comes next, not -1"):
        Trainer(SingleHeadMLP(4, [8]), Naive(), SHORT).train_task(-1, examples(2))


@pytest.mark.parametrize(
    "labels",
    [
        torch.arange(30) % 2 + 0.5,
        torch.arange(30) % 2 - 1,
        torch.arange(10) % 2,
        torch.arange(30)[:, None] % 2,
        torch.zeros(0, dtype=torch.int64),
    ],
    ids=["fractions", "below zero", "too few", "a column", "none"],
)
def test_labels_that_are_not_a_whole_number_for_each_example_are_refused(labels):
    x, _ = examples(2)
    with pytest.raises(ValueError, match="labels must be whole numbers from 0, one for each of 30 examples"):
        Trainer(DomainMLP(4, [8], 2), Naive(), SHORT).train_task(0, (x, labels))


def test_an_iterator_that_was_read_in_training_has_no_examples_left_to_consolidate():
    trainer = Trainer(DomainMLP(4, [8], 2), Naive(), SHORT)
    once = iter([examples(2)])
    trainer.train_task(0, once)
    with pytest.raises(ValueError, match="no examples of task 0; an iterator that was read once is empty"):
        trainer.consolidate(0, once)


def test_only_the_task_that_was_trained_last_is_consolidated():
    trainer = Trainer(SingleHeadMLP(4, [8]), Naive(), SHORT)
    with pytest.raises(ValueError, match="nothing was trained that is not consolidated; train task 0 first"):
        trainer.consolidate(0, examples(2))
    trainer.train_task(0, examples(2))
    with pytest.raises(ValueError, match="task 0 was trained last; it must be consolidated, not 1"):
        trainer.consolidate(1, examples(2, first=2))


def test_a_task_is_consolidated_once_and_before_anything_else():
    trainer = Trainer(SingleHeadMLP(4, [8]), Replay(buffer_size=100), SHORT)
    trainer.train_task(0, examples(2))
    with pytest.raises(ValueError, match="task 0 was not consolidated yet; do so before task 1"):
        trainer.train_task(1, examples(2, first=2))
    with pytest.raises(ValueError, match="task 0 was not consolidated yet; do so, then save"):
        trainer.state()
    trainer.consolidate(0, examples(2))
    with pytest.raises(ValueError, match="nothing was trained that is not consolidated; train task 0 first"):
        trainer.consolidate(0, examples(2))
    assert trainer.method.diagnostics(trainer.learner)["memory_examples"] == 30


@pytest.mark.parametrize(
    "model", [DomainMLP(4, [8], 2), SingleHeadMLP(4, [8], initial_classes=2)], ids=["shared", "growing"]
)
def test_a_label_beyond_the_outputs_is_refused(model):
    with pytest.raises(ValueError, match="task 0 has labels up to 2, and the model 2 outputs"):
        Trainer(model, Naive(), SHORT).train_task(0, examples(3))


def test_double_precision_and_small_integers_are_taken_like_the_usual_types():
    x, y = examples(2)
    usual, other = (Trainer(DomainMLP(4, [8], 2), Naive(), SHORT, scale=0.5) for _ in range(2))
    usual.train_task(0, (x, y))
    other.train_task(0, (x.double(), y.int()))
    assert torch.equal(usual.learner.theta, other.learner.theta)


def test_a_task_without_a_head_is_answered_by_as_many_outputs_as_its_labels_need():
    trainer = learn_tasks(Trainer(MultiHeadMLP(4, [8], seed=1), Naive(), SHORT), examples(2))
    x = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    predicted = trainer.model.predict(x, 1, 5)
    assert predicted.max() > 1  # two outputs would not do
    assert trainer.evaluate(1, (x, torch.arange(30) % 5)) == (predicted == torch.arange(30) % 5).sum() / 30
    trainer.model.add_task_head(5)
    assert torch.equal(trainer.model.predict(x, 1), predicted)


def test_where_tasks_share_their_outputs_a_label_of_each_is_a_class_of_the_memory():
    memory = Replay(memory="per-class", buffer_size=24)
    learn_tasks(Trainer(DomainMLP(4, [8], 2), memory, SHORT), *[examples(2)] * 3)
    assert torch.bincount(memory.memory.columns["class"]).tolist() == [4] * 6


def test_old_heads_are_told_apart():
    trainer = learn_tasks(Trainer(MultiHeadMLP(4, [8]), LwF(), SHORT), examples(3), examples(2), examples(4))
    assert trainer.method.heads == [3, 2, 4]


def test_a_state_can_be_loaded_twice():
    train = TrainSettings(epochs=1, batch_size=8, optimizer="adam", reset_optimizer=False)
    first, *others = (Trainer(MultiHeadMLP(4, [8]), Replay(), train) for _ in range(3))
    state = learn_tasks(first, examples(2)).state()
    for trainer in others:
        trainer.load_state(state)
        trainer.train_task(1, examples(2))
    assert torch.equal(*(trainer.learner.theta for trainer in others))


def test_the_state_of_another_method_is_refused():
    state = learn_tasks(Trainer(MultiHeadMLP(4, [8]), EWC(), SHORT), examples(2)).state()
    with pytest.raises(ValueError, match="the state is of EWC, not of SeparateEWC"):
        Trainer(MultiHeadMLP(4, [8]), SeparateEWC(), SHORT).load_state(state)


def test_where_tasks_share_their_outputs_a_growing_head_is_a_shared_one(blobs):
    stream = make_stream("domain-il", "split", {}, [blobs], seed=0, val_share=0.0)
    growing, shared = (
        [
            (report.loss, report.parameters, report.scores)
            for report in learn(stream, Naive(), model=MLPSettings(name=name), train=SHORT, seed=0)
        ]
        for name in ("SingleHeadMLP", "DomainMLP")
    )
    assert growing == shared


@pytest.mark.parametrize(("name", "labels"), [("SingleHeadMLP", "class-il"), ("DomainMLP", "domain-il")])
def test_a_model_that_ignores_the_task_wants_labels_that_do(blobs, name, labels):
    stream = make_stream("task-il", "split", {}, [blobs], seed=0, val_share=0.0)
    with pytest.raises(ValueError, match=f"{name} in task-il learns the labels of {labels}"):
        make_model(MLPSettings(name=name), stream)
