"""A short class-incremental trial on the real Fashion-MNIST."""

import pytest

from cl.datasets import load
from cl.methods import make_method
from cl.registry import MLPSettings, SplitSettings, TrainSettings
from cl.streams import make_stream
from cl.training import learn

pytestmark = pytest.mark.fashion_mnist


@pytest.fixture(scope="module")
def fashion_mnist():
    return load("fashion-mnist")


def final_and_own(data, method):
    """Mean accuracy at the end, and mean accuracy of each task right after it was learned."""
    stream = make_stream("class-il", "split", SplitSettings().resolved(), [data], seed=0, val_share=0.0)
    train = TrainSettings(iterations=150)
    run = list(learn(stream, make_method(method, {}), model=MLPSettings(), train=train, seed=0))
    own = [report.scores[report.task].accuracy for report in run[1:]]
    return sum(score.accuracy for score in run[-1].scores) / 5, sum(own) / 5


def test_naive_learns_each_task_and_forgets_all_others(fashion_mnist):
    final, own = final_and_own(fashion_mnist, "naive")
    assert own > 0.95
    assert final == pytest.approx(0.2, abs=0.01)


def test_replay_forgets_much_less_and_joint_hardly_differs_between_tasks(fashion_mnist):
    naive, replay, joint = (
        final_and_own(fashion_mnist, method)[0] for method in ("naive", "replay", "joint")
    )
    assert replay > naive + 0.3
    assert joint > replay
    assert joint > 0.7
