"""Specs: everything wrong is said at once, defaults are filled in, a dump loads as the same plan."""

import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sweeps.plan import data_names, plan
from sweeps.spec import MOST_BYTES, Spec, SpecError, catalog, dump_spec, load_spec
from sweeps.syntax import emit
from sweeps.trials import Resources

MINIMAL = {"scenarios": ["class-il/split-digits"], "methods": ["naive"]}
EVERY_METHOD = {
    "scenarios": ["domain-il/rotated-digits", "class-il/split-digits"],
    "methods": ["naive", "joint", "ewc", "replay"],
}


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "sweep.yaml"
        path.write_text(content if isinstance(content, str) else emit(content), encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def refused(written):
    def problems(content, *overrides):
        with pytest.raises(SpecError) as caught:
            load_spec(written(content), overrides)
        return [str(problem) for problem in caught.value.problems]

    return problems


def planned(spec):
    return plan(spec, dict.fromkeys(data_names(spec), "0123456789abcdef"))


def test_what_is_left_out_has_defaults(written):
    spec = load_spec(written(MINIMAL))
    assert spec.name == "sweep"
    assert spec.seeds == (0, 1, 2, 3, 4)
    assert spec.resources == Resources(1.0, 0.0, 1)
    assert spec.models == ({"name": "mlp", "hidden": [256, 256]},)
    assert spec.trains[0]["epochs"] == 5
    assert spec.trains[0]["iterations"] is None


def test_iterations_take_the_place_of_epochs(written):
    train = load_spec(written(MINIMAL), ["train.iterations=100"]).trains[0]
    assert (train["epochs"], train["iterations"]) == (None, 100)


def test_every_model_has_settings_of_its_own_and_a_grid_may_hold_whole_models(written):
    models = {"grid": [{"hidden": [20]}, {"name": "ConvNet", "hidden": 64}]}
    assert load_spec(written({**MINIMAL, "model": models})).models == (
        {"name": "mlp", "hidden": [20]},
        {"name": "ConvNet", "channels": [16, 32], "hidden": 64},
    )


def test_a_grid_may_run_over_the_names_of_models(written):
    models = {"name": {"grid": ["mlp", "DomainMLP"]}, "hidden": [20]}
    assert load_spec(written({**MINIMAL, "model": models})).models == (
        {"name": "mlp", "hidden": [20]},
        {"name": "DomainMLP", "hidden": [20]},
    )


def test_all_problems_come_in_one_message(written):
    path = written("""
        name: bad
        seeds: [1, 1]
        sceanrios: 5
        scenarios: [class-il/split-digits, class-il/split-digits]
        methods: [naiv, ewc: {lamda: 1, gamma: {grid: []}}, replay: {ratio: 1.5}]
    """)
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    assert str(caught.value).splitlines() == [
        f"{path} has 7 problems:",
        (
            "  seeds: [1, 1] is not allowed; give the number of seeds (1 to 100000), "
            "or a list of different whole numbers from 0 to 2147483647"
        ),
        (
            "  sceanrios: unknown key; did you mean 'scenarios'? "
            "allowed: name, seeds, scenarios, methods, model, train, resources, tune, chosen"
        ),
        "  scenarios[1]: 'class-il/split-digits' is the same as scenarios[0]; list each scenario once",
        (
            "  methods[0]: unknown method 'naiv'; did you mean 'naive'? allowed: naive, joint, scratch, ewc, "
            "ewc-separate, si, lwf, replay, der, derpp, gem, agem, pnn, packnet"
        ),
        "  methods.ewc.gamma.grid: [] is not allowed; a grid needs at least one value",
        (
            "  methods.ewc.lamda: unknown hyperparameter of ewc; did you mean 'lambda'? "
            "allowed: lambda, gamma, lambda_decay, fisher, fisher_samples, resources, scenarios"
        ),
        "  methods.replay.ratio: 1.5 is not allowed; give a number from 0 to 0.999",
    ]


def test_a_single_problem_is_a_single_line(written):
    path = written(MINIMAL)
    with pytest.raises(SpecError) as caught:
        load_spec(path, ["train.lr=0"])
    assert str(caught.value) == f"{path}: train.lr: 0 is not allowed; give a number above 0 and up to 1e30"


def test_very_many_problems_are_counted_not_all_printed(written):
    with pytest.raises(SpecError) as caught:
        load_spec(written({**MINIMAL, "train": {"lr": {"grid": [-i for i in range(1, 1001)]}}}))
    assert len(caught.value.problems) == 1000
    assert str(caught.value).splitlines()[-1] == "  ... and 950 more"


@pytest.mark.parametrize(
    ("section", "value", "problem"),
    [
        ("name", "a/b", "name: 'a/b' is not allowed; give the name of a folder: "),
        ("name", "..", "name: '..' is not allowed"),
        ("name", "a..b", "name: 'a..b' is not allowed"),
        ("name", "", "name: '' is not allowed"),
        ("name", "-x", "name: '-x' is not allowed"),
        ("name", "a\n", "name: 'a\\n' is not allowed"),
        ("name", 2024, "name: 2024 is not allowed"),
        ("name", None, "name: null is not allowed"),
        ("seeds", 0, "seeds: 0 is not allowed; give the number of seeds (1 to 100000)"),
        ("seeds", True, "seeds: true is not allowed"),
        ("seeds", [], "seeds: [] is not allowed"),
        ("seeds", [0, -1], "seeds: [0, -1] is not allowed"),
        ("seeds", [0, 2**31], "seeds: [0, 2147483648] is not allowed"),
        ("seeds", 10**9, "seeds: 1000000000 is not allowed"),
        ("seeds", "5", "whole numbers from 0 to 2147483647; write it without quotes"),
        (
            "scenarios",
            [],
            "scenarios: [] is not allowed; give a list of scenarios, like [class-il/split-digits]",
        ),
        (
            "scenarios",
            "class-il/split-digits",
            "scenarios: 'class-il/split-digits' is not allowed; give a list",
        ),
        ("methods", None, "methods: null is not allowed; give a list of methods, like [naive, joint]"),
        ("methods", {"naive": None}, 'methods: {"naive": null} is not allowed; give a list of methods'),
        ("methods", [5], "methods[0]: 5 is not allowed; give the name of a method, or {name: {"),
        ("methods", [{"ewc": None, "lambda": 1}], "hyperparameters are indented below the name"),
        (
            "methods",
            [{"ewc": 5}],
            "methods.ewc: 5 is not allowed; give a mapping of names to values (lambda, gamma",
        ),
        (
            "methods",
            [{"naive": {"lr": 1}}],
            "methods.naive.lr: unknown hyperparameter of naive; allowed: resources",
        ),
        (
            "methods",
            ["naive", {"naive": {}}],
            "methods[1]: 'naive' is already methods[0]; several values of one",
        ),
        ("methods", ["Naive"], "methods[0]: unknown method 'Naive'; did you mean 'naive'?"),
        (
            "methods",
            [{"ewc": {"lambda_": 1}}],
            "methods.ewc.lambda_: unknown hyperparameter of ewc; did you mean",
        ),
        (
            "methods",
            [{"ewc": {"lambda": {"grid": [1, 2, -1]}}}],
            "methods.ewc.lambda.grid[2]: -1 is not allowed; give a number from 0 to 1e30",
        ),
        (
            "methods",
            [{"ewc": {"grid": [{"lambda": 1}, {"gamma": 2}]}}],
            "methods.ewc.grid[1].gamma: 2 is not allowed; give a number from 0 to 1",
        ),
        (
            "methods",
            [{"ewc": {"fisher_samples": 0}}],
            "0 is not allowed; give a whole number from 1 to 2147483647 or 'all'",
        ),
        ("methods", [{"ewc": {"fisher_samples": "al"}}], "did you mean 'all'?"),
        (
            "model",
            {"hidden": []},
            "model.hidden: [] is not allowed; give a list of one or more, each a whole number",
        ),
        ("model", {"hidden": [True]}, "model.hidden: [true] is not allowed"),
        ("model", {"hidden": ["10"]}, 'model.hidden: ["10"] is not allowed'),
        ("model", {"hidden": 100}, "model.hidden: 100 is not allowed"),
        ("model", {"hidden": {"grid": [[100], [0]]}}, "model.hidden.grid[1]: [0] is not allowed"),
        ("model", {"hidden": {"gird": [1]}}, "did you mean {grid: ...} for {gird: ...}?"),
        ("model", [1], "model: [1] is not allowed; give a mapping of names to values (name, hidden)"),
        (
            "model",
            {"hidden": [10**5, 10**5]},
            "each a whole number from 1 to 1000000; at most 100000000 weights between two layers",
        ),
        (
            "model",
            {"name": "CovNet"},
            "model.name: unknown model 'CovNet'; did you mean 'ConvNet'? allowed: mlp",
        ),
        ("model", {"name": 3}, "model.name: 3 is not allowed; give the name of a model (mlp, MultiHeadMLP, "),
        (
            "model",
            {"name": "ConvNet", "hiden": 3},
            "model.hiden: unknown setting of ConvNet; did you mean 'hidd",
        ),
        (
            "model",
            {"name": "ConvNet", "hidden": [3]},
            "model.hidden: [3] is not allowed; give a whole number",
        ),
        ("model", {"channels": [8]}, "model.channels: unknown setting of mlp; allowed: name, hidden"),
        (
            "model",
            {"grid": [{"hidden": [20]}, {"name": "ConvNet", "channels": []}]},
            "model.grid[1].channels: [] is not allowed; give a list of one or more, each a whole number",
        ),
        (
            "model",
            {"name": {"grid": ["mlp", "mpl"]}},
            "model.name.grid[1]: unknown model 'mpl'; did you mean 'mlp'",
        ),
        ("train", {"lr": True}, "train.lr: true is not allowed; give a number above 0"),
        (
            "train",
            {"lr": "0.1"},
            "train.lr: '0.1' is not allowed; give a number above 0 and up to 1e30; write it without quotes",
        ),
        ("train", {"lr": float("nan")}, "train.lr: NaN is not allowed"),
        ("train", {"lr": float("inf")}, "train.lr: Infinity is not allowed"),
        (
            "train",
            {"batch_size": 0.5},
            "train.batch_size: 0.5 is not allowed; give a whole number from 1 to 2147483647",
        ),
        ("train", {"optimizer": "sdg"}, "'sdg' is not allowed; give 'sgd' or 'adam'; did you mean 'sgd'?"),
        ("train", {"reset_optimizer": 1}, "train.reset_optimizer: 1 is not allowed; give true or false"),
        ("train", {"epochs": 1, "iterations": 1}, "train: give epochs or iterations, not both"),
        ("train", {"epoch": 1}, "train.epoch: unknown setting of train; did you mean 'epochs'?"),
        ("train", {"lr": {"grid": [0.1, "x"]}}, "train.lr.grid[1]: 'x' is not allowed"),
        ("train", {"\x1b[31m": 1}, r"train.'\x1b[31m': unknown setting of train"),
        (
            "resources",
            {"gpu": 1.5},
            "resources.gpu: 1.5 is not allowed; give 0, a share of one GPU of at least 0.0001",
        ),
        ("resources", {"cpu": 0}, "resources.cpu: 0 is not allowed; give a number from 0.0001 to 10000"),
        ("resources", {"cpus": 1}, "resources.cpus: unknown resource; did you mean 'cpu'?"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place_and_what_is_allowed(refused, section, value, problem):
    messages = refused({**MINIMAL, section: value})
    assert len(messages) == 1
    assert problem in messages[0]
    assert "Input should" not in messages[0]
    assert messages[0].isprintable()


def test_a_rule_over_two_values_is_checked_although_a_third_is_wrong(refused):
    assert refused({**MINIMAL, "train": {"lr": -1, "epochs": 1, "iterations": 1}}) == [
        "train.lr: -1 is not allowed; give a number above 0 and up to 1e30",
        "train: give epochs or iterations, not both",
    ]


@pytest.mark.parametrize(
    ("place", "value", "problem"),
    [
        ("train.epochs", 10**23, "give a whole number from 1 to 2147483647 or null"),
        ("train.iterations", 2**31, "give a whole number from 1 to 2147483647 or null"),
        ("train.batch_size", 99999999999999999999, "give a whole number from 1 to 2147483647"),
        ("train.lr", 10**308, "give a number above 0 and up to 1e30"),
        ("train.clip_norm", 1.1e30, "give a number above 0 and up to 1e30 or null"),
        ("model.hidden", [50, 10**12], "give a list of one or more, each a whole number from 1 to 1000000"),
        ("methods.ewc.lambda", 1e300, "give a number from 0 to 1e30"),
        ("methods.ewc.fisher_samples", 2**31, "give a whole number from 1 to 2147483647 or 'all'"),
        ("methods.replay.buffer_size", 2**31, "give a whole number from 1 to 2147483647"),
        ("methods.replay.ratio", 0.99999, "give a number from 0 to 0.999"),
        ("scenarios.0.tasks", 10_001, "give a whole number from 1 to 10000"),
        ("scenarios.0.angles", [0, 3601], "give [a number from -3600 to 3600, a number from -3600 to 3600]"),
        ("scenarios.1.tasks", 10**23, "give a whole number from 1 to 10000 or null"),
        ("scenarios.1.classes_per_task", 1_000_001, "give a whole number from 1 to 1000000"),
        ("resources.cpu", 1e-5, "give a number from 0.0001 to 10000"),
        ("resources.cpu", 10_001, "give a number from 0.0001 to 10000"),
        (
            "resources.gpu",
            1e-5,
            "give 0, a share of one GPU of at least 0.0001, or a whole number of GPUs up",
        ),
        ("resources.gpu", 10_001, "give 0, a share of one GPU of at least 0.0001, or a whole number of"),
        ("resources.threads", 1025, "give a whole number from 1 to 1024"),
    ],
)
def test_a_value_that_no_trial_could_use_is_refused_with_the_range(refused, place, value, problem):
    messages = refused(EVERY_METHOD, f"{place}={json.dumps(value)}")
    assert len(messages) == 1
    assert f" is not allowed; {problem}" in messages[0]


@pytest.mark.parametrize(
    "assignment",
    [
        "train.epochs=2147483647",
        "train.batch_size=2147483647",
        "train.lr=1e30",
        "model.hidden=[1000000]",
        "methods.ewc.lambda=1e30",
        "methods.replay.ratio=0.999",
        "scenarios.0.tasks=10000",
        "resources.cpu=0.0001",
        "resources.gpu=0.0001",
        "resources.threads=1024",
    ],
)
def test_the_ends_of_a_range_are_allowed(written, assignment):
    assert load_spec(written(EVERY_METHOD), [assignment])


@pytest.mark.parametrize(
    ("section", "value", "problem"),
    [
        (
            "seeds",
            {"grid": [1, 2]},
            "seeds: takes no grid; give the number of seeds (1 to 100000), or a list",
        ),
        (
            "scenarios",
            {"grid": ["class-il/split-digits"]},
            "scenarios: takes no grid; give a list of scenarios",
        ),
        (
            "methods",
            {"grid": ["naive"]},
            "methods: takes no grid; give a list of methods, like [naive, joint]",
        ),
        ("resources", {"grid": [{"cpu": 1}]}, "resources: takes no grid"),
        ("resources", {"cpu": {"grid": [1, 2]}}, "resources.cpu: takes no grid; give a number from 0.0001"),
    ],
)
def test_a_grid_where_none_is_taken_is_said_to_be_one(refused, section, value, problem):
    messages = refused({**MINIMAL, section: value})
    assert len(messages) == 1
    assert messages[0].startswith(problem)
    assert "did you mean" not in messages[0]


def test_methods_may_be_the_elements_of_a_grid(written):
    listed = ["naive", {"ewc": {"lambda": {"grid": [1, 10]}}}, "joint"]
    in_a_grid = [{"grid": listed[:2]}, "joint"]
    assert load_spec(written({**MINIMAL, "methods": in_a_grid})) == load_spec(
        written({**MINIMAL, "methods": listed})
    )


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"grid": "joint"}, "methods[0].grid: 'joint' is not allowed; give a list of values"),
        ({"grid": []}, "methods[0].grid: [] is not allowed; a grid needs at least one value"),
        ({"grid": ["joint"], "ewc": None}, "methods[0]: a grid stands alone, without ewc beside it"),
        ({"grid": ["joint", "nave"]}, "methods[0].grid[1]: unknown method 'nave'; did you mean 'naive'?"),
        ({"grid": ["joint", "joint"]}, "methods[0].grid[1]: 'joint' is already methods[0].grid[0]; several"),
    ],
)
def test_a_mistake_in_a_grid_of_methods_has_its_place(refused, entry, problem):
    messages = refused({**MINIMAL, "methods": [entry]})
    assert len(messages) == 1
    assert messages[0].startswith(problem)


@pytest.mark.parametrize("section", ["scenarios", "methods"])
def test_what_has_no_default_is_missed(refused, section):
    messages = refused({name: value for name, value in MINIMAL.items() if name != section})
    assert len(messages) == 1
    assert messages[0].startswith(f"{section}: is missing; give a list of {section}, like [")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty; give a mapping with name, seeds, scenarios"),
        ("# only a comment", "is empty"),
        ("- a\n- b", '["a", "b"] is not allowed; give a mapping with'),
        ("just text", "'just text' is not allowed; give a mapping with"),
        ("a: [", "line 1, column 5: "),
        (
            "name: !!python/object/apply:os.system ['exit 7']",
            "the tag !!python/object/apply:os.system is not",
        ),
        ("[" * 10_000, "nested more than 20 levels deep"),
    ],
)
def test_text_that_is_no_mapping_is_refused(refused, text, problem):
    messages = refused(text)
    assert len(messages) == 1
    assert problem in messages[0]


def test_loading_executes_nothing(written, tmp_path):
    trap = tmp_path / "trap"
    for call in (f"!!python/object/apply:os.mkdir ['{trap}']", f"!!python/object/new:os.mkdir ['{trap}']"):
        with pytest.raises(SpecError):
            load_spec(written(f"name: {call}"))
        with pytest.raises(SpecError):
            load_spec(written(MINIMAL), [f"name={call}"])
    assert not trap.exists()


def test_more_trials_than_anyone_can_run_are_refused(refused):
    many = {"grid": list(range(1, 1001))}
    messages = refused({**MINIMAL, "seeds": 100, "train": {"batch_size": many}, "model": {"hidden": [many]}})
    assert messages == [
        "seeds, scenarios, methods and grids make 100000000 trials; at most 1000000 are allowed"
    ]


def test_overrides_and_the_file_are_checked_together(refused):
    messages = refused({**MINIMAL, "seeds": 0}, "methods.ewc.lambda=1", "train.lr=-1")
    assert [message.partition(":")[0] for message in messages] == ["--set methods.ewc", "seeds", "train.lr"]


@pytest.mark.parametrize(
    "source", ["quikstart", "nowhere/at/all.yaml", "x" * 5000, "~nobody-of-this-name/a.yaml"]
)
def test_a_sweep_that_is_not_there_is_refused_with_those_that_are(source):
    with pytest.raises(SpecError, match="no such file, and no such sweep") as caught:
        load_spec(source)
    assert "quickstart" in str(caught.value)


def test_a_misspelt_file_name_suggests_its_neighbour(tmp_path):
    (tmp_path / "lambdas.yaml").touch()
    with pytest.raises(SpecError, match=r"did you mean 'lambdas\.yaml'\?"):
        load_spec(str(tmp_path / "lamdas.yaml"))


@pytest.mark.parametrize("name", ["d.yaml", "."])
def test_a_folder_that_is_no_run_is_said_to_be_a_folder(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.yaml").mkdir()
    with pytest.raises(SpecError) as caught:
        load_spec(name)
    assert str(caught.value).startswith(f"{name}: is a folder without a sweep.yaml, so not that of a run; ")


def test_a_device_is_said_to_be_no_regular_file():
    with pytest.raises(SpecError) as caught:
        load_spec("/dev/null")
    assert str(caught.value).startswith("/dev/null: is not a regular file; ")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "data.npz"
    path.write_bytes(b"PK\x03\x04\xff\xfe")
    with pytest.raises(SpecError, match="is not text in UTF-8; not a spec"):
        load_spec(str(path))
    path.write_bytes(b"#" * (MOST_BYTES + 1))
    with pytest.raises(SpecError, match="larger than 1000000 bytes; not a spec"):
        load_spec(str(path))


def test_a_byte_order_mark_is_no_obstacle(written):
    assert load_spec(written("\ufeff" + emit(MINIMAL))).name == "sweep"


def test_the_folder_of_a_run_is_a_source(written, tmp_path):
    path = written(MINIMAL)
    assert load_spec(str(tmp_path)) == load_spec(path)


def test_the_sweeps_that_ship_load_and_say_what_they_are():
    assert "quickstart" in catalog()
    for name, summary in catalog().items():
        assert load_spec(name).name == name
        assert len(summary) > 20


def test_data_files_over_a_shipped_sweep_lie_in_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.npz").touch()
    spec = load_spec("quickstart", ["scenarios=[{kind: class-il, stream: split, data: mine.npz}]"])
    assert spec.scenarios[0].scenario.data == (str(tmp_path / "mine.npz"),)


EVERYTHING = """
    name: 1e-3x
    seeds: [3, 1]
    scenarios:
      - class-il/split-digits
      - kind: {grid: [task-il, domain-il]}
        stream: permuted-digits
        tasks: {grid: [5, 10]}
        resources: {cpu: 2}
      - {kind: domain-il, stream: rotated, data: mine.npz, angles: [0, 90]}
      - {kind: domain-il, stream: [mine.npz, other.npz]}
    methods:
      - naive
      - ewc: {gamma: {grid: [0.5, 1]}, lambda: {grid: [1e-5, 100]}, resources: {threads: 2}}
      - replay: {grid: [{ratio: 0.25}, {ratio: 0.5, buffer_size: {grid: [100, 200]}}]}
    model: {grid: [{hidden: {grid: [[100], [256, 256]]}}, {name: ConvNet, channels: [8]}]}
    train: {grid: [{epochs: 2}, {iterations: 100, clip_norm: null}]}
    resources: {cpu: 0.5}
"""


@pytest.mark.parametrize("text", [EVERYTHING, emit(MINIMAL)])
def test_what_is_dumped_loads_as_an_equal_plan(written, tmp_path, text):
    for name in ("mine.npz", "other.npz"):
        (tmp_path / name).touch()
    spec = load_spec(written(text))
    again = load_spec(written(dump_spec(spec)))
    assert planned(again) == planned(spec)
    assert [trial.id for trial in planned(again).trials] == [trial.id for trial in planned(spec).trials]
    assert again == spec


def test_the_dump_shows_every_default_and_keeps_grids_readable(written):
    content = {**MINIMAL, "methods": [{"replay": {"ratio": {"grid": [0.25, 0.5]}}}]}
    assert dump_spec(load_spec(written(content))).splitlines() == [
        "name: sweep",
        "seeds: 5",
        "scenarios:",
        (
            "- {kind: class-il, stream: split-digits, normalize: false, tasks: 5, classes_per_task: 2, "
            "class_order: natural}"
        ),
        "methods:",
        "- replay:",
        "    ratio:",
        "      grid: [0.25, 0.5]",
        "    buffer_size: 500",
        "    memory: reservoir",
        "    loss_weight: batch",
        "model:",
        "  name: mlp",
        "  hidden: [256, 256]",
        (
            "train: {epochs: 5, iterations: null, batch_size: 64, optimizer: sgd, lr: 0.01, momentum: 0.9, "
            "clip_norm: 1.0,"
        ),
        "  val_share: 0.0, reset_optimizer: true}",
        "resources: {cpu: 1.0, gpu: 0.0, threads: 1, device: auto}",
    ]


LAMBDAS = st.lists(st.floats(0, 1e6), min_size=1, max_size=3)
RATES = st.lists(st.floats(1e-8, 1), min_size=1, max_size=2)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(LAMBDAS, RATES, st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=2, unique=True))
def test_ids_survive_the_way_through_a_file(written, lambdas, rates, seeds):
    content = {
        **MINIMAL,
        "seeds": seeds,
        "methods": [{"ewc": {"lambda": {"grid": lambdas}}}],
        "train": {"lr": {"grid": rates}},
    }
    spec = load_spec(written(content))
    again = load_spec(written(dump_spec(spec)))
    assert [trial.id for trial in planned(again).trials] == [trial.id for trial in planned(spec).trials]


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["ewc", "sgd"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=4)
            | st.sampled_from(
                ["grid", "lambda", "kind", "stream", "data", "tasks", "resources", "cpu", "ewc", "lr"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
SECTIONS = st.sampled_from(["name", "seeds", "scenarios", "methods", "model", "train", "resources"])


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(SECTIONS, ANYTHING)
def test_whatever_a_section_holds_it_is_accepted_or_refused_in_words(written, section, value):
    try:
        outcome = load_spec(written({**MINIMAL, section: value}))
    except SpecError as error:
        outcome = error
    assert isinstance(outcome, Spec) or all(problem.text for problem in outcome.problems)


def test_reading_specs_loads_nothing_heavy():
    code = (
        "import sys, sweeps.plan; "
        "print([name for name in ('numpy', 'torch', 'ray', 'pyarrow') if name in sys.modules])"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert finished.stdout == "[]\n"
