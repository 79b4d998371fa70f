"""Methods, models and streams of one's own, named in a spec: only with permission, checked like ours."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from commands import clsweep, column, process, spec, store

from cl.registry import plugins
from sweeps.names import PlugIns
from sweeps.plan import plan
from sweeps.spec import dump_spec, load_spec

METHOD = '''
"""A pull of every weight to where it was."""

from typing import Annotated

import torch
from pydantic import Field

from cl.methods import Method
from cl.registry import MethodSettings


class PullSettings(MethodSettings):
    strength: Annotated[float, Field(ge=0, le=100)] = 1.0
    decay: float = 1.0


class Pull(Method):
    """Pull all weights to where they were.

    More of it.
    """

    Settings = PullSettings

    def __init__(self, settings=None, **hyperparameters):
        super().__init__(settings, **hyperparameters)
        self.anchor = torch.zeros(0)

    def gradient(self, learner, data, index):
        loss = super().gradient(learner, data, index)
        old = len(self.anchor)
        learner.model.gradient[:old].add_(learner.theta[:old] - self.anchor, alpha=self.settings.strength)
        return loss

    def consolidate(self, learner, data):
        self.anchor = learner.theta.clone()


class OnlyTaskIL(Pull):
    """Pull in task-il."""

    kinds = ("task-il",)
    needs = "asks for the task id"


class Breaks(Method):
    """Break in the second task."""

    def begin_task(self, learner, data):
        if learner.task == 1:
            raise RuntimeError("broken on purpose")


class Unmade(Method):
    def __init__(self):
        pass


class WrongKinds(Method):
    kinds = ("task-li",)


class WrongSettings(Method):
    Settings = dict


class TakenSettings(Method):
    class Settings(MethodSettings):
        resources: int = 1


def function():
    """Not a class."""
'''

MODELS = '''
from torch import nn

from cl.models import DomainMLP
from cl.registry import Fit, ModelSettings


class Narrow(nn.Sequential):
    """One small layer."""

    class Settings(ModelSettings):
        width: int = 8

    def __init__(self, image, width):
        channels, height, side = image
        super().__init__(nn.Flatten(), nn.Linear(channels * height * side, width), nn.ReLU())


class Plain(nn.Sequential):
    """Without settings."""

    def __init__(self, image):
        super().__init__(nn.Flatten(), nn.Linear(64, 4), nn.ReLU())


class Noisy(nn.Sequential):
    """Random features."""

    def __init__(self, image):
        super().__init__(nn.Flatten(), nn.Linear(64, 4), nn.Dropout())


class Whole(DomainMLP):
    """Builds itself."""

    class Settings(ModelSettings):
        units: int = 8

    fits = {"class-il": Fit("suboptimal", "it was made for domain-il")}

    @classmethod
    def build(cls, settings, stream):
        return cls(stream.features, [settings.units], sum(stream.outputs), seed=stream.seed)
'''

STREAMS = '''
from cl.registry import StreamSettings


class Pairs(StreamSettings):
    """Two classes for each task, the largest first."""

    tasks: int = 2

    def contents(self, data, seed):
        classes = sorted({int(label) for label in data.y_train}, reverse=True)
        return [(data, tuple(classes[2 * k : 2 * k + 2]), None) for k in range(self.tasks)]


class Empty(StreamSettings):
    """Asks for what is not there."""

    def contents(self, data, seed):
        return [(data, (data.y_train.max() + self.classes,), None)]
'''

SWEEP = """
name: mine
seeds: 1
scenarios: [{kind: class-il, stream: split-digits, tasks: 2}]
methods: [naive, "pull:Pull": {strength: {grid: [0, 50]}}]
model: {hidden: [16]}
train: {iterations: 5}
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A current folder with three modules; nothing of them stays imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    for name, text in (("pull", METHOD), ("nets", MODELS), ("streams", STREAMS)):
        Path(f"{name}.py").write_text(text)
    yield
    forget()


def forget():
    """Be as a process that has not imported any of these modules."""
    for name in list(sys.modules):
        if name.partition(".")[0] in {"pull", "nets", "streams", "helper", "mypackage"}:
            del sys.modules[name]
    for cached in (plugins.source_digest, plugins._method, plugins._model, plugins._stream):
        cached.cache_clear()


def run(*settings, text=SWEEP):
    """Run the sweep with *settings* in this process; what was printed."""
    options = [part for setting in settings for part in ("--set", setting)]
    result = clsweep("run", spec(text, "mine.yaml"), "--local", "--allow-plugins", *options)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*settings, flag=True):
    """The problems of the sweep with *settings*, without where they are from."""
    options = [part for setting in settings for part in ("--set", setting)]
    result = clsweep("plan", spec(SWEEP, "mine.yaml"), *options, *(["--allow-plugins"] if flag else []))
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return result.stderr.removeprefix("clsweep: mine.yaml: ").rstrip("\n")


def matrices():
    """The accuracies of every cell by its strength, None for naive."""
    trials = {row["trial_id"]: row for row in store("mine").trials().to_pylist()}
    cells = {}
    for row in store("mine").accuracy().to_pylist():
        trial = trials[row["trial_id"]]
        strength = json.loads(trial["hyperparameters"]).get("strength")
        cells.setdefault(strength, []).append(row["accuracy"])
    return cells


@pytest.mark.parametrize("verb", ["run", "plan"])
def test_without_the_flag_nothing_is_imported_and_the_message_says_what_it_does(verb):
    Path("pull.py").write_text("raise SystemExit('imported')")
    result = clsweep(verb, spec(SWEEP, "mine.yaml"))
    assert result.exit_code == 2
    assert result.stderr == (
        "clsweep: mine.yaml: methods[1]: 'pull:Pull' is code outside clsweep; it is imported and run only "
        "with --allow-plugins\n"
    )
    assert "pull" not in sys.modules


def test_a_method_of_ones_own_runs_beside_ours_and_is_naive_at_strength_0():
    text = run()
    assert "pull:Pull strength=50" in text
    cells = matrices()
    assert cells[0.0] == cells[None]
    assert cells[50.0] != cells[None]
    assert cells[50.0][:4] == cells[None][:4], "task 0 is learned alike"


def test_hyperparameters_of_ones_own_method_are_checked_as_ours_are():
    assert refused("methods.pull:Pull.strength=101") == (
        "methods.pull:Pull.strength: 101 is not allowed; give a number from 0 to 100"
    )
    assert refused("methods.pull:Pull.strenght=1") == (
        "methods.pull:Pull.strenght: unknown hyperparameter of pull:Pull; did you mean 'strength'? "
        "allowed: strength, decay, resources, scenarios"
    )


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("pull", "methods[0]: unknown method 'pull'; allowed: naive"),
        ("absent:Pull", "there is no module 'absent' in the current folder, the spec's or what is installed"),
        (
            "pull.absent:Pull",
            "there is no module 'pull.absent' in the current folder, the spec's or what is installed",
        ),
        ("pull:Pul", "pull.py has no 'Pul'; did you mean 'Pull'? it defines PullSettings, Pull, OnlyTaskIL"),
        (
            "pull:function",
            "the function function is no method; give a class that derives from cl.methods.Method",
        ),
        ("nets:Narrow", "the class Narrow is no method; give a class that derives from cl.methods.Method"),
        ("pull:", "is not of the form module:Class, such as mypackage.mymethod:MyMethod"),
        ("pull:WrongKinds", "its attribute kinds = ('task-li',) is not allowed"),
        ("pull:WrongSettings", "its Settings, the class dict, must derive from cl.registry.MethodSettings"),
        ("pull:TakenSettings", "declares resources, which a spec itself uses"),
        ("broken:Pull", "importing broken failed: ZeroDivisionError: division by zero"),
        ("leaves:Pull", "importing leaves failed: SystemExit: 3"),
        ("misses:Pull", "importing misses failed: ModuleNotFoundError: No module named 'nowhere'"),
    ],
)
def test_a_method_that_cannot_be_used_is_refused_with_its_place_and_the_reason(name, problem):
    for module, text in (
        ("broken", "1 / 0"),
        ("leaves", "raise SystemExit(3)"),
        ("misses", "import nowhere"),
    ):
        Path(f"{module}.py").write_text(text)
    message = refused(f"methods=['{name}']")
    assert message.startswith("methods[0]: ")
    assert repr(name) in message
    assert problem in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (
            "pull:function",
            "model.name: 'pull:function': the function function is no model; give a class that",
        ),
        ("nets:Narow", "nets.py has no 'Narow'; did you mean 'Narrow'?"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused(name, problem):
    assert problem in refused("methods=[naive]", f"model={{name: '{name}'}}")


def test_a_stream_that_cannot_be_used_is_refused():
    wrong = refused("methods=[naive]", "scenarios=[{kind: class-il, stream: 'pull:Pull', data: digits}]")
    assert wrong.startswith(
        "scenarios[0].stream: 'pull:Pull': the class Pull is no stream; give a class that"
    )
    missing = refused("methods=[naive]", "scenarios=[{kind: class-il, stream: 'streams:Pairs'}]")
    assert missing.startswith("scenarios[0].data: is missing; streams:Pairs needs the name of a data set")
    setting = refused(
        "methods=[naive]", "scenarios=[{kind: class-il, stream: 'streams:Pairs', data: digits, task: 2}]"
    )
    assert setting.startswith(
        "scenarios[0].task: unknown setting of streams:Pairs-digits; did you mean 'tasks'?"
    )


def test_where_ones_own_method_cannot_run_it_is_excluded_with_its_reason():
    scenarios = "scenarios=[task-il/split-digits, class-il/split-digits]"
    result = clsweep(
        "plan", spec(SWEEP), "--allow-plugins", "--set", scenarios, "--set", "methods=['pull:OnlyTaskIL']"
    )
    text = " ".join(result.output.split())
    assert (
        "excluded: class-il/split-digits with pull:OnlyTaskIL: pull:OnlyTaskIL cannot run in class-il" in text
    )
    assert "because it asks for the task id" in text


@pytest.mark.parametrize("kind", ["task-il", "domain-il", "class-il"])
def test_a_plain_torch_module_is_a_model_under_the_head_of_every_kind(kind):
    models = "model={grid: [{name: 'nets:Narrow', width: 4}, {name: 'nets:Plain'}]}"
    run("methods=[naive, ewc]", models, f"scenarios=[{{kind: {kind}, stream: split-digits, tasks: 2}}]")
    assert column(store("mine").trials(), "status") == ["complete"] * 4
    heads = {"task-il": 2 * 2, "domain-il": 2, "class-il": 4}[kind]
    # 64 pixels to 4 features, and 4 features to the outputs of both tasks.
    assert max(column(store("mine").tasks(), "parameters")) == 65 * 4 + 5 * heads


def test_a_class_that_builds_itself_is_a_model_and_says_where_it_is_not_at_its_best():
    text = run("methods=[naive]", "model={name: 'nets:Whole', units: 4}")
    assert (
        "warning: class-il/split-digits: nets:Whole is suboptimal in class-il: it was made for domain-il"
        in text
    )
    assert column(store("mine").tasks(), "parameters") == [65 * 4 + 5 * 4] * 2


def test_a_module_that_cannot_be_a_model_is_refused_before_anything_runs():
    message = refused("methods=[naive]", "model={name: 'nets:Noisy'}")
    assert message.startswith(
        "clsweep: class-il/split-digits: nets:Noisy: to be a trunk, a module must give each example"
    )
    assert not Path("runs").exists()


def test_a_method_that_cannot_be_made_is_refused_before_anything_runs():
    message = refused("methods=['pull:Unmade', naive]")
    assert message.startswith(
        "clsweep: class-il/split-digits: pull:Unmade: TypeError: Unmade.__init__() takes 1"
    )
    assert not Path("runs").exists()


def test_a_stream_of_ones_own_makes_the_tasks():
    scenarios = "scenarios=[{kind: class-il, stream: 'streams:Pairs', data: digits, tasks: {grid: [2, 3]}}]"
    run("methods=[naive]", scenarios)
    trials = store("mine").trials()
    assert column(trials, "scenario") == ["class-il/streams:Pairs-digits"] * 2
    assert sorted(column(trials, "n_tasks")) == [2, 3]


def test_a_stream_that_fails_is_refused_before_anything_runs():
    message = refused(
        "methods=[naive]", "scenarios=[{kind: class-il, stream: 'streams:Empty', data: digits}]"
    )
    assert message.startswith("clsweep: class-il/streams:Empty-digits: AttributeError: 'Empty' object has no")


def test_a_plug_in_that_raises_in_training_fails_its_trials_alone():
    result = clsweep(
        "run", spec(SWEEP), "--local", "--allow-plugins", "--set", "methods=['pull:Breaks', naive]"
    )
    assert result.exit_code == 1
    assert "1 trial failed: RuntimeError: broken on purpose" in result.output
    assert sorted(column(store("mine").trials(), "status")) == ["complete", "failed"]


def test_other_source_makes_other_trials_and_the_same_source_none():
    run()
    before = set(column(store("mine").trials(), "trial_id"))
    forget()
    assert "3 of them done before" in run()
    forget()
    Path("pull.py").write_text(METHOD + "\n# A comment, which changes nothing; but who can know that?\n")
    text = run()
    after = column(store("mine").trials(), "trial_id")
    assert len(after) == 5, "naive is as it was"
    assert before < set(after)
    assert "2 trials of earlier settings are not shown" in text


def test_any_file_of_a_package_is_its_source(tmp_path):
    package = Path("mypackage/inner")
    package.mkdir(parents=True)
    Path("mypackage/__init__.py").touch()
    Path("mypackage/strength.py").write_text("STRENGTH = 1.0\n")
    package.joinpath("method.py").write_text(METHOD)
    digests = []
    for text in ("STRENGTH = 1.0\n", "STRENGTH = 2.0\n", "STRENGTH = 1.0\n"):
        forget()
        Path("mypackage/strength.py").write_text(text)
        plugins.search([tmp_path])
        digests.append(plugins.source_digest("mypackage.inner.method:Pull"))
    assert digests[0] == digests[2] != digests[1]
    assert plugins.location("mypackage.inner.method:Pull") == tmp_path / "mypackage"


def test_modules_beside_the_spec_are_found_from_anywhere(tmp_path, monkeypatch):
    spec(SWEEP, "mine.yaml")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert clsweep("plan", "../mine.yaml", "--allow-plugins").exit_code == 0


def test_a_module_in_the_folder_does_not_hide_one_that_is_installed():
    for name in ("numpy", "results", "json"):
        Path(f"{name}.py").write_text("raise SystemExit('imported')")
    run()


def test_what_is_dumped_loads_as_an_equal_plan_imported_or_not():
    text = SWEEP.replace("model: {hidden: [16]}", "model: {name: 'nets:Narrow', width: 4}").replace(
        "stream: split-digits", "stream: 'streams:Pairs', data: digits"
    )
    imported = load_spec(spec(text, "mine.yaml"), plug_ins=PlugIns.imported)
    Path("dumped.yaml").write_text(dump_spec(imported))
    digests = {("digits",): "d1g175"}
    again = load_spec("dumped.yaml", plug_ins=PlugIns.imported)
    assert [trial.id for trial in plan(again, digests).trials] == [
        trial.id for trial in plan(imported, digests).trials
    ]
    unseen = load_spec("dumped.yaml", plug_ins=PlugIns.unseen)
    assert [trial.plug_ins for trial in plan(unseen, digests).trials] == [
        trial.plug_ins for trial in plan(imported, digests).trials
    ]


def test_a_run_is_shown_as_ever_where_its_plug_ins_are_gone(tmp_path):
    shown = run("methods.pull:Pull.strength=2.0", "seeds=2").partition("scenario")
    for path in tmp_path.glob("*.py"):
        path.unlink()
    forget()
    result = clsweep("show", "runs/mine")
    assert result.exit_code == 0
    assert result.output.strip() in shown[0] + shown[1] + shown[2]
    assert "pull:Pull" in result.output
    assert "not shown" not in result.output


def test_a_run_is_shown_although_its_spec_was_replaced_by_one_that_nobody_resolved():
    run()
    Path("runs/mine/sweep.yaml").write_text(SWEEP)
    result = clsweep("show", "runs/mine")
    assert result.exit_code == 0
    assert "2 trials of earlier settings are not shown" in result.output


def test_a_worker_with_other_source_than_the_plan_refuses_to_compute():
    checked = load_spec(spec(SWEEP, "mine.yaml"), plug_ins=PlugIns.imported)
    trial = plan(checked, {("digits",): "d1g175"}).trials[-1]
    Path("pull.py").write_text(METHOD + "\n")
    forget()
    from cl.datasets import load  # noqa: PLC0415 - the other tests do not need it
    from orchestrator.outcome import outcomes_of  # noqa: PLC0415 - the same

    (outcome,) = outcomes_of(trial, [load("digits")])
    assert (outcome.status, outcome.cause) == (
        "failed",
        "ValueError: the source of pull:Pull on this machine is not that of the plan",
    )


def test_ray_computes_with_plug_ins_what_local_does():
    Path("helper.py").write_text("HALF = 0.5\n")
    Path("pull.py").write_text(METHOD.replace("import torch", "import torch\nfrom helper import HALF"))
    done = process("run", spec(SWEEP, "mine.yaml"), "--allow-plugins", "--storage", "ray")
    output, errors = done.communicate(timeout=280)
    assert done.returncode == 0, output + errors
    run()
    ours = {row["trial_id"]: row for row in store("mine").accuracy().to_pylist()}
    theirs = {row["trial_id"]: row for row in store("mine", "ray").accuracy().to_pylist()}
    assert ours == theirs
