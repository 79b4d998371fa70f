"""A trial that stopped between two tasks goes on as if nothing had happened, whatever its method."""

import io

import pytest
import torch

from cl.methods import make_method
from cl.registry import METHODS, MLPSettings, SplitSettings, TrainSettings
from cl.streams import make_stream
from cl.training import learn_task, make_trainer

# Momentum outlives a task, so the optimiser's state must have been saved too.
TRAINS = {
    name: TrainSettings(epochs=2, batch_size=16, optimizer=name, lr=lr, reset_optimizer=False)
    for name, lr in (("sgd", 0.1), ("adam", 0.01))
}


METHODS_IN_KINDS = [
    *((name, {}, kind) for name, entry in METHODS.items() for kind in entry.kinds),
    ("replay", {"memory": "per-class", "loss_weight": "balanced"}, "class-il"),
    ("ewc", {"fisher": "sampled", "gamma": 0.5, "lambda_decay": 0.5}, "class-il"),
    ("lwf", {"weight": "balanced"}, "task-il"),
    ("packnet", {"prune_rate": 0.5}, "task-il"),
]


def trainer_on(stream, method, hyperparameters, train):
    model = MLPSettings(name="ProgressiveNeuralNet" if method == "pnn" else "mlp", hidden=(12,))
    return make_trainer(stream, make_method(method, hyperparameters), model=model, train=train, seed=4)


def plain(state):
    """A state with lists for tensors, to be compared."""
    if isinstance(state, torch.Tensor):
        return state.tolist()
    if isinstance(state, dict):
        return {name: plain(value) for name, value in state.items()}
    return [plain(value) for value in state] if isinstance(state, list | tuple) else state


@pytest.mark.parametrize("train", TRAINS.values(), ids=TRAINS)
@pytest.mark.parametrize(("method", "hyperparameters", "kind"), METHODS_IN_KINDS)
def test_a_trial_that_is_resumed_equals_an_undisturbed_one_bit_for_bit(
    blobs, method, hyperparameters, kind, train
):
    stream = make_stream(kind, "split", SplitSettings().resolved(), [blobs], seed=4, val_share=0.0)
    undisturbed = trainer_on(stream, method, hyperparameters, train)
    learn_task(undisturbed, stream, 0)
    learn_task(undisturbed, stream, 1)
    saved, state = io.BytesIO(), plain(undisturbed.state())
    torch.save(undisturbed.state(), saved)
    expected = learn_task(undisturbed, stream, 2)

    saved.seek(0)
    resumed = trainer_on(stream, method, hyperparameters, train)
    resumed.load_state(torch.load(saved, weights_only=True))
    assert plain(resumed.state()) == state
    report = learn_task(resumed, stream, 2)
    assert torch.equal(resumed.learner.theta, undisturbed.learner.theta)
    assert report.scores == expected.scores
    assert report.loss == expected.loss
    assert report.diagnostics == expected.diagnostics
    assert (report.examples, report.passes, report.parameters) == (
        expected.examples,
        expected.passes,
        expected.parameters,
    )
