"""What a search may see: the first tasks of a stream, the same for every seed; data without a test set."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from small_trial import FAST, Watch, reports

from cl.contents import COMMON_SEED
from cl.datasets import DataError, Dataset, load
from cl.randomness import generator
from cl.registry import METHODS, STREAMS, SplitSettings, StreamSettings
from cl.streams import StreamError, make_stream
from cl.training import TaskReport

SEEDS = (0, 1, 2, 7)
RUNS = [(kind, name) for name, entry in sorted(METHODS.items()) for kind in entry.kinds]
"""Every method in every increment kind in which it runs."""


def dataset(labels=range(6), *, image=(3, 3)):
    """A read-only data set: four training examples per label and one test example, every pixel random."""
    labels = np.array(labels)
    pixels = np.random.default_rng(len(labels)).integers(0, 256, (5 * len(labels), *image)).astype(np.uint8)
    x_train, x_test = np.split(pixels, [4 * len(labels)])
    arrays = (x_train, np.tile(labels, 4), x_test, labels)
    for array in arrays:
        array.flags.writeable = False
    return Dataset(*arrays, scale=1 / 255)


SIX, TEN = dataset(), dataset(range(10))
FOUR_FILES = [dataset((k, k + 1), image=(3, 3)) for k in range(0, 8, 2)]


class Turned(StreamSettings):
    """A plug-in's stream: three tasks with all classes, brightened as the seed says."""

    def contents(self, data, seed):
        """The classes of the data, three times."""
        classes = tuple(np.unique(data.y_train).tolist())
        shifts = torch.randint(1, 256, (3,), generator=generator(seed, "shift")).tolist()
        return [(data, classes, lambda images, by=by: images + by) for by in shifts]


class Dealt(StreamSettings):
    """A plug-in's stream: pairs of the first six classes, dealt as the seed says, the first always first."""

    def contents(self, data, seed):
        """All of the one data set."""
        later = [(2, 3), (4, 5)]
        return [(data, classes, None) for classes in [(0, 1), *(later if seed % 2 else reversed(later))]]


@pytest.fixture(autouse=True)
def plug_ins(monkeypatch):
    """Streams that go by a name here, as others by a place in a module."""
    monkeypatch.setattr("cl.streams.stream_settings", {**STREAMS, "turned": Turned, "dealt": Dealt}.get)


def stream(name="split", kind="class-il", data=SIX, *, seed=0, val_share=0.0, **settings):
    data = data if isinstance(data, list) else [data]
    return make_stream(kind, name, settings, data, seed=seed, val_share=val_share)


def same(left, right):
    """Whether two streams have the same examples under the same labels in the same tasks."""
    pairs = [
        (getattr(left, split)(k), getattr(right, split)(k))
        for k in range(max(left.n_tasks, right.n_tasks))
        for split in ("train", "test")
    ]
    return all(torch.equal(a.x, b.x) and torch.equal(a.y, b.y) for a, b in pairs)


def classes(made):
    return [task.classes for task in made.tasks]


def orders(made):
    """The permutation of each task; None where there is none."""
    return [task.transform and task.transform.keywords["order"].tolist() for task in made.tasks]


# The first tasks, and those after them

SEEDED = [
    pytest.param({"data": TEN, "class_order": "seed"}, id="split in the seed's order"),
    pytest.param({"name": "permuted"}, id="permuted"),
    pytest.param({"name": "permuted", "permute_first": True, "tasks": 3}, id="permuted from the first on"),
    pytest.param({"name": "turned"}, id="plug-in"),
]
SEEDLESS = [
    pytest.param({}, id="split"),
    pytest.param({"name": "rotated", "tasks": 3}, id="rotated"),
    pytest.param({"name": "explicit", "data": FOUR_FILES}, id="explicit"),
]


@pytest.mark.parametrize("settings", [*SEEDED, *SEEDLESS])
@pytest.mark.parametrize("k", [1, 2])
def test_the_first_tasks_are_the_same_for_every_seed(settings, k):
    made = [stream(**settings, seed=seed, part=f"first-{k}") for seed in SEEDS]
    assert [each.n_tasks for each in made] == [k] * 4
    assert all(same(each, made[0]) for each in made[1:])


@pytest.mark.parametrize("settings", SEEDED)
def test_the_tasks_after_them_differ_between_seeds_as_those_of_a_whole_stream_do(settings):
    for part in ("after-1", None):
        made = [stream(**settings, seed=seed, part=part) for seed in SEEDS]
        assert not any(same(each, made[0]) for each in made[1:])


@pytest.mark.parametrize("settings", SEEDLESS)
def test_where_nothing_depends_on_the_seed_both_parts_together_are_the_stream(settings):
    whole, first, after = (stream(**settings, kind="task-il", part=p) for p in (None, "first-2", "after-2"))
    together = [(made, k) for made in (first, after) for k in range(made.n_tasks)]
    assert len(together) == whole.n_tasks
    for k, (made, own) in enumerate(together):
        assert torch.equal(made.train(own).x, whole.train(k).x)
        assert torch.equal(made.test(own).x, whole.test(k).x)
        assert made.train(own).y.tolist() == whole.train(k).y.tolist()


@given(
    seed=st.integers(0, 2**31 - 1),
    size=st.integers(1, 3),
    k=st.integers(1, 9),
    order=st.sampled_from(["natural", "seed"]),
)
def test_both_parts_of_a_split_share_no_class_and_have_all(seed, size, k, order):
    settings = {"data": TEN, "classes_per_task": size, "class_order": order}
    tasks = 10 // size
    if k >= tasks:
        with pytest.raises(StreamError):
            stream(**settings, seed=seed, part=f"after-{k}")
        return
    first, after = (classes(stream(**settings, seed=seed, part=f"{part}-{k}")) for part in ("first", "after"))
    assert (len(first), len(after)) == (k, tasks - k)
    flat = [label for group in [*first, *after] for label in group]
    assert len(set(flat)) == len(flat) == tasks * size


def test_the_common_classes_are_those_of_the_common_seed_and_the_others_keep_the_seeds_order():
    """Written down in `test_a_whole_stream_is_what_it_was_before_there_were_parts`."""
    settings = {"data": TEN, "class_order": "seed"}
    assert classes(stream(**settings, seed=3, part="first-2")) == [(6, 7), (5, 4)]
    # 7 8 9 5 3 1 2 6 0 4 without 6 7 5 4.
    assert classes(stream(**settings, seed=3, part="after-2")) == [(8, 9), (3, 1), (2, 0)]


@pytest.mark.parametrize("permute_first", [False, True])
def test_a_later_permutation_is_the_one_that_the_task_has_in_the_whole_stream(permute_first):
    settings = {"name": "permuted", "tasks": 4, "permute_first": permute_first, "seed": 3}
    common = orders(stream(**settings | {"seed": COMMON_SEED}))
    assert orders(stream(**settings, part="first-2")) == common[:2]
    assert orders(stream(**settings, part="after-2")) == orders(stream(**settings))[2:]
    assert (common[0] is None) == (not permute_first)


@pytest.mark.parametrize(
    ("kind", "settings", "outputs", "labels"),
    [
        ("class-il", {}, (2, 2), [[0, 1], [2, 3]]),
        ("task-il", {}, (2, 2), [[0, 1], [0, 1]]),
        ("domain-il", {}, (2, 2), [[0, 1], [0, 1]]),
        ("class-il", {"name": "rotated", "tasks": 3}, (6, 6), [[*range(6)], [*range(6, 12)]]),
        ("class-il", {"name": "explicit", "data": FOUR_FILES[:3]}, (2, 2), [[0, 1], [2, 3]]),
        ("domain-il", {"name": "explicit", "data": FOUR_FILES[:3]}, (4, 4), [[0, 1], [2, 3]]),
    ],
)
def test_the_labels_of_a_part_are_numbered_from_0(kind, settings, outputs, labels):
    made = stream(**settings, kind=kind, part="after-1")
    assert made.outputs == outputs
    assert [made.test(k).y.tolist() for k in range(2)] == labels
    assert [made.train(k).y.tolist() for k in range(2)] == [each * 4 for each in labels]


@pytest.mark.parametrize("part", ["first-3", "after-3", "first-4", "after-9999"])
@pytest.mark.parametrize("name", ["split", "rotated", "permuted", "turned"])
def test_a_part_beyond_the_last_task_is_refused(name, part):
    settings = {"tasks": 3} if name in STREAMS else {}
    with pytest.raises(StreamError) as caught:
        stream(name, part=part, **settings)
    assert str(caught.value) == f"part: {part} needs more than {part.partition('-')[2]} tasks; there are 3"


def test_a_plug_in_whose_first_classes_depend_on_the_seed_has_no_parts():
    assert classes(stream("dealt", seed=1, part="first-1")) == [(0, 1)]
    assert classes(stream("dealt", seed=1, part="after-1")) == [(2, 3), (4, 5)]
    with pytest.raises(StreamError) as caught:
        stream("dealt", seed=1, part="first-2")
    assert str(caught.value) == (
        "the classes of its first 2 tasks depend on the seed, so no part can be taken"
    )


# A whole stream


@pytest.mark.parametrize(
    ("seed", "groups", "permutation_of_task_1"),
    [
        (0, [(6, 7), (5, 4), (3, 2), (0, 1), (9, 8)], [5, 7, 4, 3, 8, 6, 2, 1, 0]),
        (3, [(7, 8), (9, 5), (3, 1), (2, 6), (0, 4)], [8, 6, 3, 2, 5, 7, 4, 0, 1]),
    ],
)
def test_a_whole_stream_is_what_it_was_before_there_were_parts(seed, groups, permutation_of_task_1):
    # Written down from the version before: with other tasks, old results would belong to other trials.
    assert classes(stream(data=TEN, class_order="seed", seed=seed)) == groups
    assert orders(stream("permuted", seed=seed))[:2] == [None, permutation_of_task_1]


@pytest.mark.parametrize("settings", [each for each in STREAMS.values() if each is not StreamSettings])
def test_a_whole_stream_does_not_mention_parts(settings):
    assert "part" not in settings().resolved()
    assert settings().first_k == 0
    assert settings(part="after-12").resolved()["part"] == "after-12"
    assert settings(part="after-12").first_k == settings(part="first-12").first_k == 12


@pytest.mark.parametrize(
    "part", ["first", "first-", "first-0", "first-02", "first-10000", "last-2", "first-2\n"]
)
def test_what_is_no_part_is_refused(part):
    with pytest.raises(ValidationError, match="part"):
        SplitSettings(part=part)


# The accuracy of guessing


@pytest.mark.parametrize(
    ("settings", "by_kind"),
    [
        ({}, {"task-il": 1 / 2, "domain-il": 1 / 2, "class-il": 1 / 6}),
        ({"classes_per_task": 3}, {"task-il": 1 / 3, "domain-il": 1 / 3, "class-il": 1 / 6}),
        ({"part": "after-1"}, {"task-il": 1 / 2, "domain-il": 1 / 2, "class-il": 1 / 4}),
        (
            {"name": "permuted", "data": dataset((2, 5, 9)), "tasks": 4},
            {"task-il": 1 / 3, "domain-il": 1 / 3, "class-il": 1 / 12},
        ),
        (
            # Heads of 2, 3 and 2 outputs; five classes in all, of which two come back.
            {"name": "explicit", "data": [dataset((4, 7)), dataset((0, 7, 9)), dataset((2, 4))]},
            {"task-il": (1 / 2 + 1 / 3 + 1 / 2) / 3, "domain-il": 1 / 5, "class-il": 1 / 5},
        ),
    ],
)
def test_chance_is_one_over_the_outputs_to_choose_from_in_the_end(settings, by_kind):
    for kind, chance in by_kind.items():
        assert stream(**settings, kind=kind).chance == pytest.approx(chance, rel=1e-12)


# Data without a test set


def test_without_a_test_set_the_training_set_is_the_same_and_nothing_else_is_held():
    hidden = SIX.without_test()
    assert hidden.x_train is SIX.x_train
    assert hidden.y_train is SIX.y_train
    assert (hidden.x_test.shape, hidden.x_test.dtype) == ((0, 3, 3), np.uint8)
    assert (hidden.y_test.shape, hidden.y_test.dtype, hidden.scale) == ((0,), np.int64, SIX.scale)
    assert hidden.x_test.base is None
    assert hidden.y_test.base is None
    assert SIX.x_test.tobytes() not in pickle.dumps(hidden)
    assert hidden.digest != SIX.digest


@pytest.mark.parametrize(
    ("data", "val_share", "splits"),
    [
        (SIX, 0.0, ("test",)),
        (SIX, 0.25, ("test", "val")),
        (SIX.without_test(), 0.25, ("val",)),
    ],
)
def test_a_stream_is_scored_on_what_there_is(data, val_share, splits):
    made = stream(data=data, val_share=val_share)
    assert made.splits == splits
    for split in splits:
        assert len(made.scored(split, 1).y) == 2  # a test example of each class, a quarter of eight
    assert made.scored(splits[-1], 1) is (made.validation(1) if "val" in splits else made.test(1))


def test_a_stream_with_nothing_to_score_on_is_refused():
    with pytest.raises(StreamError) as caught:
        stream(data=SIX.without_test())
    assert str(caught.value) == "there are no test examples and none are held out: nothing to score on"


@pytest.mark.parametrize(("kind", "method"), RUNS)
def test_every_method_learns_the_same_and_scores_the_same_without_a_test_set(blobs, kind, method):
    train = FAST.model_copy(update={"epochs": 1, "val_share": 0.25})
    with_test, without = Watch(), Watch()
    expected = reports(blobs, kind, method, train=train, watch=with_test)
    found = reports(blobs.without_test(), kind, method, train=train, watch=without)
    assert all(map(torch.equal, without.weights, with_test.weights))
    assert len(without.weights) == 3
    assert [report.scores for report in found] == [
        tuple(score for score in report.scores if score.split == "val") for report in expected
    ]
    assert [[(score.task, score.n) for score in report.scores] for report in found] == [
        [(task, 20) for task in range(3)]
    ] * 4
    assert [report.n_tasks for report in found] == [report.n_tasks for report in expected] == [3] * 4


def test_the_first_epoch_is_scored_on_validation_data_only_without_a_test_set(blobs):
    """Test labels are swapped within each task, so that what is right on one split is wrong on the other."""
    swapped = Dataset(blobs.x_train, blobs.y_train, blobs.x_test, blobs.y_test ^ 1, blobs.scale)
    train = FAST.model_copy(update={"batch_size": 2, "val_share": 0.25})
    on_test = [each.first_epoch_accuracy for each in reports(swapped, "task-il", train=train)]
    on_val = [each.first_epoch_accuracy for each in reports(swapped.without_test(), "task-il", train=train)]
    assert on_test == [None, 0.0, 0.0, 0.0]
    assert on_val == [None, 1.0, 1.0, 1.0]


def test_a_report_without_scores_is_of_no_task():
    assert TaskReport(-1, ()).n_tasks == 0


@pytest.mark.parametrize(
    ("x_test", "y_test", "problem"),
    [
        (
            (0, 2),
            (0,),
            (
                "x_test has shape (0, 2); expected (N, features), (N, height, width) or "
                "(N, channels, height, width), none 0"
            ),
        ),
        ((2, 2), (0,), "x_test has 2 examples but y_test has 0 labels"),
        ((0, 2), (2,), "x_test has 0 examples but y_test has 2 labels"),
        ((0, 3), (0,), "an example has shape (2,) in x_train but (3,) in x_test"),
    ],
)
def test_a_file_of_ones_own_needs_a_test_set(tmp_path, x_test, y_test, problem):
    path = tmp_path / "own.npz"
    np.savez(
        path,
        x_train=np.arange(8, dtype=np.uint8).reshape(4, 2),
        y_train=np.array([0, 1, 0, 1]),
        x_test=np.zeros(x_test, np.uint8),
        y_test=np.zeros(y_test, np.int64),
    )
    with pytest.raises(DataError) as caught:
        load(str(path))
    assert str(caught.value) == f"{path}: {problem}"


def test_a_training_set_without_examples_is_refused_all_the_same():
    nothing, labels = np.zeros((0, 2), np.uint8), np.zeros(0, np.int64)
    with pytest.raises(DataError, match=r"^x_train has shape \(0, 2\); expected "):
        Dataset(nothing, labels, nothing, labels, scale=1.0)
