"""The method packnet: who owns which weight, and that the owned ones stay."""

import io
from itertools import pairwise

import pytest
import torch
from small_trial import FAST, Watch, matrix, reports, watched
from torch.nn import functional

from cl.methods import PackNet, make_method
from cl.models import DomainMLP, MultiHeadMLP
from cl.registry import ConvNetSettings, MLPSettings, SplitSettings, TrainSettings
from cl.streams import make_stream
from cl.trainer import Trainer
from cl.training import evaluate, learn, learn_task, make_trainer

HIDDEN = (10, 7)
WEIGHTS = [slice(0, 160), slice(170, 240)]
"""Of 16 inputs, 10 and 7 units."""
BIASES = [slice(160, 170), slice(240, 247)]
TRUNK = 247
TRAINING = [
    pytest.param(FAST, id="sgd"),
    pytest.param(
        TrainSettings(epochs=3, batch_size=16, lr=0.1, reset_optimizer=False), id="momentum carried over"
    ),
    pytest.param(TrainSettings(epochs=3, batch_size=16, lr=0.02, optimizer="adam"), id="adam"),
    pytest.param(
        TrainSettings(epochs=3, batch_size=16, lr=0.02, optimizer="adam", reset_optimizer=False),
        id="moments carried over",
    ),
]


def split(blobs):
    return make_stream("task-il", "split", SplitSettings().resolved(), [blobs], seed=3, val_share=0.0)


def trainer_on(blobs, method, train=FAST):
    return make_trainer(split(blobs), method, model=MLPSettings(hidden=HIDDEN), train=train, seed=3)


def learned(blobs, tasks=3, train=FAST, **hyperparameters):
    trainer = trainer_on(blobs, PackNet(**hyperparameters), train)
    for task in range(tasks):
        learn_task(trainer, split(blobs), task)
    return trainer


def after_each_task(blobs, train=FAST, **hyperparameters):
    """Owners and weights after each task."""
    trainer, seen = trainer_on(blobs, PackNet(**hyperparameters), train), []
    for task in range(3):
        learn_task(trainer, split(blobs), task)
        seen.append((trainer.method.owner.clone(), trainer.learner.theta.clone()))
    return seen


def counts(owner, part):
    return [int((owner[part] == task).sum()) for task in (-1, 0, 1, 2)]


def test_by_default_every_task_keeps_the_same_share_of_each_layer_to_a_weight(blobs):
    # Of 160 weights three tasks keep 53, 53 and 54; of 70, 23, 23 and 24.
    owners = [owner for owner, _ in after_each_task(blobs)]
    assert [counts(owner, WEIGHTS[0]) for owner in owners] == [
        [107, 53, 0, 0],
        [54, 53, 53, 0],
        [0, 53, 53, 54],
    ]
    assert [counts(owner, WEIGHTS[1]) for owner in owners] == [
        [47, 23, 0, 0],
        [24, 23, 23, 0],
        [0, 23, 23, 24],
    ]


def test_a_prune_rate_frees_its_share_of_what_the_task_trained(blobs):
    owners = [owner for owner, _ in after_each_task(blobs, prune_rate=0.75)]
    assert [counts(owner, WEIGHTS[0]) for owner in owners] == [
        [120, 40, 0, 0],
        [90, 40, 30, 0],
        [68, 40, 30, 22],  # 67.5 of 90 rounds to the even number
    ]


def test_owners_never_change_and_the_first_task_owns_the_biases(blobs):
    seen = after_each_task(blobs)
    for (earlier, _), (later, _) in pairwise(seen):
        assert torch.equal(later[earlier >= 0], earlier[earlier >= 0])
    for owner, _ in seen:
        assert len(owner) == TRUNK
        assert all(bool((owner[part] == 0).all()) for part in BIASES)


@pytest.mark.parametrize("train", TRAINING)
def test_owned_weights_and_earlier_heads_do_not_change_by_a_byte_and_free_ones_are_zero(blobs, train):
    seen = after_each_task(blobs, train)
    for task, (owner, theta) in enumerate(seen):
        assert not theta[:TRUNK][owner < 0].any()
        for _, later in seen[task + 1 :]:
            mine = owner >= 0
            assert later[:TRUNK][mine].numpy().tobytes() == theta[:TRUNK][mine].numpy().tobytes()
            assert later[TRUNK : len(theta)].numpy().tobytes() == theta[TRUNK:].numpy().tobytes()


@pytest.mark.parametrize("train", TRAINING)
def test_nothing_is_forgotten(blobs, train):
    run = learn(split(blobs), PackNet(), model=MLPSettings(hidden=(32, 32)), train=train, seed=3)
    for task, after in enumerate(zip(*matrix(run)[1:], strict=True)):
        assert after[task:] == (after[task],) * (3 - task)
        assert after[task] > 0.9


def test_a_convolutional_network_is_shared_out_layer_by_layer_and_forgets_nothing(blobs):
    stream, scores, weights = split(blobs), [], []
    trainer = make_trainer(
        stream,
        PackNet(),
        model=ConvNetSettings(channels=(4, 6), hidden=9),
        train=TrainSettings(epochs=8, batch_size=16, lr=0.02, optimizer="adam"),
        seed=3,
    )
    for task in range(3):
        report = learn_task(trainer, stream, task)
        scores.append([score.accuracy for score in report.scores])
        weights.append((trainer.method.owner.clone(), trainer.learner.theta.clone()))
    # 3 x 3 x 1 x 4, 3 x 3 x 4 x 6 and 6 x 9 weights, and 4 + 6 + 9 biases.
    shares = sorted(counts(trainer.method.owner, part) for part in trainer.model.trunk.weight_parts)
    assert shares == [[0, 12, 12, 12], [0, 18, 18, 18], [0, 72, 72, 72]]
    assert counts(trainer.method.owner, slice(None)) == [0, 102 + 19, 102, 102]
    for task, after in enumerate(zip(*scores, strict=True)):
        assert after[task:] == (after[task],) * (3 - task)
        assert after[task] > 0.7
    for (owner, earlier), (_, later) in pairwise(weights):
        mine = owner >= 0
        size = len(owner)
        assert later[:size][mine].numpy().tobytes() == earlier[:size][mine].numpy().tobytes()


def test_the_smallest_weights_of_each_layer_are_the_freed_ones(blobs):
    trainer = trainer_on(blobs, PackNet(prune_rate=0.5))
    before, pruned = [], []
    prune = trainer.method._prune

    def watched_prune(learner):
        before.append(learner.theta.clone())
        prune(learner)
        pruned.append((learner.step, trainer.method.owner.clone(), learner.theta.clone()))

    trainer.method._prune = watched_prune
    learn_task(trainer, split(blobs), 0)
    ((step, owner, theta),) = pruned
    assert (step, trainer.learner.steps) == (14, 20)  # two thirds of 20 steps, rounded up
    for part in WEIGHTS:
        magnitudes = before[0][part].abs()
        kept = owner[part] == 0
        assert magnitudes[kept].min() >= magnitudes[~kept].max()
        assert torch.equal(theta[part], torch.where(kept, before[0][part], 0))
    # The rest of the task retrains what was kept.
    retrained = trainer.learner.theta[:TRUNK] != theta[:TRUNK]
    assert retrained.any()
    assert not retrained[owner < 0].any()


def test_until_it_prunes_the_first_task_is_learned_exactly_as_by_naive(blobs):
    ours, theirs = (watched(blobs, "task-il", method).steps for method in ("packnet", "naive"))
    last = max(step for step in range(20) if torch.equal(ours[step].weights, theirs[step].weights))
    assert last == 13  # the weights that the 14th step starts from
    for mine, naive in zip(ours[: last + 1], theirs, strict=False):
        assert torch.equal(mine.weights, naive.weights)
        assert torch.equal(mine.gradient, naive.gradient)
        assert mine.loss == naive.loss


def test_a_task_is_answered_by_its_own_and_earlier_weights_alone(blobs):
    trainer, stream = learned(blobs), split(blobs)
    theta, owner = trainer.learner.theta, trainer.method.owner
    for task in range(3):
        masked = theta[:TRUNK] * (owner <= task)
        head = theta[TRUNK + 16 * task : TRUNK + 16 * (task + 1)].view(2, 8)
        x = stream.test(task).x * stream.scale
        hidden = torch.relu(x @ masked[:160].view(16, 10) + masked[160:170])
        hidden = torch.relu(hidden @ masked[170:240].view(10, 7) + masked[240:])
        expected = functional.linear(hidden, head[:, :7], head[:, 7]).argmax(1)
        with trainer.method.answering(trainer.learner, task):
            assert torch.equal(trainer.model.predict(x, task), expected)


def test_answering_leaves_the_weights_as_they_were_also_after_an_error(blobs):
    trainer = learned(blobs)
    before = trainer.learner.theta.clone()
    method = trainer.method
    with method.answering(trainer.learner, 0):
        hidden = trainer.learner.theta[:TRUNK] != before[:TRUNK]
        assert torch.equal(hidden, (method.owner > 0) & (before[:TRUNK] != 0))
        assert hidden.any()
    assert trainer.learner.theta.numpy().tobytes() == before.numpy().tobytes()
    with pytest.raises(RuntimeError), method.answering(trainer.learner, 0):
        raise RuntimeError
    assert trainer.learner.theta.numpy().tobytes() == before.numpy().tobytes()


def test_in_the_middle_of_a_task_earlier_ones_are_answered_as_before(blobs):
    trainer, stream = learned(blobs, tasks=1), split(blobs)
    x, y = stream.test(0).x, stream.test(0).y
    inputs = trainer.learner.inputs(x)
    before = trainer.model.run(inputs, slice(0, 2)).logits
    training = trainer.epochs(1, (stream.train(1).x, stream.train(1).y))
    next(training)
    assert not torch.equal(trainer.model.run(inputs, slice(0, 2)).logits, before)
    with trainer.method.answering(trainer.learner, 0):
        assert torch.equal(trainer.model.run(inputs, slice(0, 2)).logits, before)
    assert trainer.evaluate(0, (x, y)) == evaluate(learned(blobs, tasks=1), stream)[0].accuracy


def test_a_task_to_come_is_answered_by_all_weights_and_its_untrained_head(blobs):
    trainer, stream = learned(blobs, tasks=2), split(blobs)
    inputs = trainer.learner.inputs(stream.test(2).x)
    expected = trainer.model.predict(inputs, 2, 2)
    right = (expected == stream.test(2).y).double().mean().item()
    assert evaluate(trainer, stream)[2].accuracy == pytest.approx(right)


def test_the_norm_that_is_clipped_is_that_of_what_moves(blobs):
    watch = Watch()
    method = make_method("packnet", {})
    watch.follow(method)
    list(learn(split(blobs), method, model=MLPSettings(hidden=HIDDEN), train=FAST, seed=3))
    for step in watch.steps:
        if step.task == 2:  # the last task owns what it trained, from its first step on
            assert not step.gradient[:TRUNK][method.owner != 2].any()
            assert step.gradient[:TRUNK][method.owner == 2].any()


def test_the_tasks_table_counts_free_and_owned_parameters(blobs):
    run = reports(blobs, "task-il", "packnet", settings=SplitSettings().resolved())
    free = [16 * 32 - 170, 16 * 32 - 341, 0]  # of 512 weights three tasks keep 170, 171 and 171
    assert [report.diagnostics["trainable_parameters"] for report in run[1:]] == free
    assert [report.diagnostics["frozen_parameters"] for report in run[1:]] == [
        report.parameters - count for report, count in zip(run[1:], free, strict=True)
    ]
    assert run[1].diagnostics["memory_bytes"] == 2 * (16 * 32 + 32)


def test_a_trial_goes_on_bit_for_bit_where_its_state_was_saved(blobs):
    stream, train = split(blobs), TRAINING[1].values[0]
    straight = learned(blobs, tasks=2, train=train)
    file = io.BytesIO()
    torch.save(straight.state(), file)
    file.seek(0)
    resumed = trainer_on(blobs, PackNet(), train)
    resumed.load_state(torch.load(file, weights_only=True))
    assert evaluate(resumed, stream) == evaluate(straight, stream)
    scores = [learn_task(trainer, stream, 2).scores for trainer in (straight, resumed)]
    assert scores[0] == scores[1]
    assert torch.equal(straight.learner.theta, resumed.learner.theta)
    assert torch.equal(straight.method.owner, resumed.method.owner)


def test_one_step_is_enough_to_be_pruned(blobs):
    trainer = learned(blobs, tasks=1, train=TrainSettings(iterations=1))
    assert counts(trainer.method.owner, WEIGHTS[0]) == [107, 53, 0, 0]


def test_a_task_for_which_nothing_was_left_is_refused_with_the_way_out(blobs):
    stream = split(blobs)
    data = [(stream.train(task).x, stream.train(task).y) for task in range(2)]
    trainer = Trainer(MultiHeadMLP(16, HIDDEN), PackNet(), FAST, scale=stream.scale)
    trainer.train_task(0, data[0])  # as far as anyone knows, the only one
    trainer.consolidate(0, data[0])
    with pytest.raises(ValueError, match=r"no free weight for task 1: give a larger prune_rate, or none"):
        trainer.train_task(1, data[1])
    trainer = Trainer(MultiHeadMLP(16, HIDDEN), PackNet(prune_rate=0.5), FAST, scale=stream.scale)
    for task in range(2):
        trainer.train_task(task, data[task])
        trainer.consolidate(task, data[task])


def test_a_model_without_a_head_per_task_is_refused(blobs):
    stream = split(blobs)
    trainer = Trainer(DomainMLP(16, HIDDEN, 2), PackNet(), FAST)
    with pytest.raises(TypeError, match="packnet trains a network with a head per task, not a DomainMLP"):
        trainer.train_task(0, (stream.train(0).x, stream.train(0).y))
