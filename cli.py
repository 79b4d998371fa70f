"""The verbs a person types: each parses, calls and prints. Heavy imports are inside the verbs.

Longer than other modules: the options of a verb are its signature.
"""

from __future__ import annotations

import io
import re
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from orchestrator.options import Options
    from orchestrator.preparation import Prepared
    from results.store import Store

app = typer.Typer(
    help="Continual-learning sweeps: which method forgets least, at which settings, and how sure is that?",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)

OK, SOME_FAILED, WRONG_REQUEST, INTERRUPTED = 0, 1, 2, 130


def _specs(incomplete: str) -> list[tuple[str, str]]:
    from orchestrator.completion import specs

    return list(specs(incomplete))


def _runs(incomplete: str) -> list[tuple[str, str]]:
    from orchestrator.completion import runs

    return list(runs(incomplete))


def _methods(ctx: typer.Context, incomplete: str) -> list[str]:
    from orchestrator.completion import methods

    return methods(_run_so_far(ctx), incomplete)


def _scenarios(ctx: typer.Context, incomplete: str) -> list[str]:
    from orchestrator.completion import scenarios

    return scenarios(_run_so_far(ctx), incomplete)


def _run_so_far(ctx: typer.Context) -> str | None:
    """The run that the command line names, also before the option that is being completed has its value."""
    return ctx.params.get("run_folder") or next(iter(ctx.args), None)


def _metrics(incomplete: str) -> list[str]:
    from orchestrator.completion import metrics

    return metrics(incomplete)


def _orders(incomplete: str) -> list[str]:
    from orchestrator.completion import orders

    return orders(incomplete)


def _on_this_machine(output: Path | None) -> Path | None:
    """*output* unless it is a URI, of which a path has lost a slash."""
    if output is not None and re.match(r"[a-z][a-z0-9+.-]+:/", str(output), re.IGNORECASE):
        _refuse(f"--output is a path on this machine; {output.parts[0]}//... is a URI")
    return output


SpecArgument = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help="A sweep's YAML file, or the name of a shipped one (clsweep list).",
        autocompletion=_specs,
    ),
]
RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="A run's folder, such as runs/quickstart or s3://bucket/quickstart.",
        autocompletion=_runs,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PLACE=VALUE", help="Override a value of the spec: --set train.epochs=1."),
]
StorageOption = Annotated[
    str, typer.Option(metavar="DIR|URI", help="The folder that runs go to: a path, s3://... or gs://...")
]
DataOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where MNIST-format data is, or is downloaded to (else ./data)."),
]
PlugInOption = Annotated[
    bool,
    typer.Option("--allow-plugins", help="Import and run the code that the spec names as module:Class."),
]

AddressOption = Annotated[
    str | None,
    typer.Option(metavar="auto|HOST:PORT", help="Join this Ray cluster instead of starting a Ray."),
]
LocalOption = Annotated[
    bool, typer.Option("--local", help="Run in this process, one trial after another, without Ray.")
]
RetriesOption = Annotated[int, typer.Option(min=0, help="How often a trial whose process died starts again.")]
CheckpointOption = Annotated[
    float,
    typer.Option(
        metavar="SECONDS", min=0, help="A trial is saved after a task once so much time has passed."
    ),
]
NoCheckpointsOption = Annotated[
    bool, typer.Option("--no-checkpoints", help="Save no trial: one that is interrupted starts over.")
]
PatienceOption = Annotated[
    float,
    typer.Option(metavar="SECONDS", min=0, help="How long to go on trying when the storage fails."),
]


ScenarioOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scenario", metavar="SCENARIO", help="Only this scenario, not all.", autocompletion=_scenarios
    ),
]
MetricOption = Annotated[
    list[str] | None,
    typer.Option(
        "--metric", metavar="METRIC", help="Only this metric, not the usual ones.", autocompletion=_metrics
    ),
]
BaselineOption = Annotated[
    str | None,
    typer.Option(
        metavar="METHOD",
        help="Compare all others with this method or line, not all with all.",
        autocompletion=_methods,
    ),
]
CellOption = Annotated[
    list[str] | None,
    typer.Option("--cell", metavar="LINE", help="Let this line of a grid stand for its method."),
]
MarginOption = Annotated[
    float, typer.Option(metavar="X", min=0, max=1, help="The difference that seeds should show.")
]
LevelOption = Annotated[
    float, typer.Option(metavar="LEVEL", min=0.5, max=0.9999, help="Level of the two-sided intervals.")
]
AllOption = Annotated[
    bool, typer.Option("--all", help="Also trials of earlier settings of this sweep, not in its spec now.")
]


class Format(StrEnum):
    """How `show` writes what it shows."""

    table = "table"
    markdown = "markdown"
    csv = "csv"
    parquet = "parquet"


class TextFormat(StrEnum):
    """How `compare` writes what it found."""

    table = "table"
    markdown = "markdown"
    csv = "csv"


class ExportFormat(StrEnum):
    """What `export` writes."""

    parquet = "parquet"
    csv = "csv"
    json = "json"
    markdown = "markdown"
    latex = "latex"
    tensorboard = "tensorboard"
    mlflow = "mlflow"
    wandb = "wandb"
    optuna = "optuna"


class Ended(StrEnum):
    """How a trial ended that `run --rerun` repeats."""

    complete = "complete"
    diverged = "diverged"
    stopped = "stopped"


def main() -> None:
    """Run the command line; a user's mistake ends with one message and exit code 2."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # an encoding without ± or – shows ? for them
            stream.reconfigure(errors="replace")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OSError as error:  # such as a full disk behind the standard output
        print(f"clsweep: {error}", file=sys.stderr)
        sys.exit(SOME_FAILED)


@app.command()
def run(
    spec: SpecArgument,
    overrides: SetOption = None,
    storage: StorageOption = "runs",
    data_dir: DataOption = None,
    address: AddressOption = None,
    local: LocalOption = False,
    retries: RetriesOption = 2,
    rerun: Annotated[
        list[Ended] | None, typer.Option(help="Repeat trials that ended so; failed ones always are.")
    ] = None,
    checkpoint_every: CheckpointOption = 10.0,
    no_checkpoints: NoCheckpointsOption = False,
    patience: PatienceOption = 300.0,
    allow_plugins: PlugInOption = False,
) -> None:
    """Run a sweep: whatever of it is missing, then print its tables."""
    options = _options(local, address, retries, checkpoint_every, no_checkpoints, patience)
    prepared = _prepared(spec, overrides, data_dir, allow_plugins=allow_plugins)
    if prepared.studies:
        _refuse(f"{prepared.spec.name} has the section tune; clsweep tune {spec} searches and then reports")

    from orchestrator.printing import head
    from orchestrator.recording import missing
    from orchestrator.sweep import run_sweep

    def work(store: Store) -> int:
        again = [status.value for status in rerun or []]
        todo = missing(prepared.plan.trials, store.statuses(), again=again)
        for line in head(prepared, store, todo=len(todo), local=local):
            print(line)
        return run_sweep(prepared, todo, store, options)

    _carried_out(prepared, storage, work)


@app.command()
def tune(
    spec: SpecArgument,
    overrides: SetOption = None,
    storage: StorageOption = "runs",
    data_dir: DataOption = None,
    write: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the winners as a spec, to be run as an ordinary sweep."),
    ] = None,
    address: AddressOption = None,
    local: LocalOption = False,
    retries: RetriesOption = 2,
    checkpoint_every: CheckpointOption = 10.0,
    no_checkpoints: NoCheckpointsOption = False,
    patience: PatienceOption = 300.0,
    allow_plugins: PlugInOption = False,
) -> None:
    """Search hyperparameters without test data, then measure the winners on seeds the search never saw."""
    options = _options(local, address, retries, checkpoint_every, no_checkpoints, patience)
    prepared = _prepared(spec, overrides, data_dir, allow_plugins=allow_plugins)
    if not prepared.studies:
        _refuse(
            f"{prepared.spec.name} has no section tune, which says how to search; clsweep run {spec} runs it"
        )

    from orchestrator.printing import head_of_tuning
    from orchestrator.sweep import run_tuned
    from orchestrator.tuning import tuned_sweep

    def work(store: Store) -> int:
        sweep = tuned_sweep(prepared, store)
        for line in head_of_tuning(prepared, sweep, store, local=local):
            print(line)
        return run_tuned(prepared, sweep, store, options)

    def winners(store: Store) -> None:
        if write is not None:
            from orchestrator.winners import NoWinners, write_winners

            try:
                print(write_winners(prepared.spec, store, write))
            except NoWinners as error:
                _fail(str(error), SOME_FAILED)
            except OSError as error:
                _fail(f"cannot write {write}: {error.strerror or error}", SOME_FAILED)

    _carried_out(prepared, storage, work, then=winners)


@app.command()
def plan(
    spec: SpecArgument,
    overrides: SetOption = None,
    storage: StorageOption = "runs",
    data_dir: DataOption = None,
    allow_plugins: PlugInOption = False,
) -> None:
    """Show what a sweep would run, what is done already, and how long the rest should take."""
    prepared = _prepared(spec, overrides, data_dir, allow_plugins=allow_plugins)

    from rich.console import Console

    from orchestrator.estimate import estimate
    from orchestrator.planning import plan_table
    from orchestrator.recording import missing
    from orchestrator.showing import damage, shown
    from orchestrator.staleness import stale
    from results.comparison_tables import planned_power
    from results.store import StoreError

    store = _store(storage, prepared.spec.name)
    if prepared.studies:
        _plan_tuning(prepared, store)
        return
    try:
        statuses, timings = store.statuses(), store.trials().to_pylist()
    except StoreError as error:
        _fail(str(error), WRONG_REQUEST)
    todo = missing(prepared.plan.trials, statuses)
    expected = estimate(todo, prepared.data, prepared.streams, timings)
    not_planned = stale(timings, prepared.plan.trials)
    seen = shown(store, metrics=["acc"]).sweep.families(["acc"]) if statuses else []
    power = planned_power(len(prepared.spec.seeds), seen)
    Console().print(plan_table(prepared.plan, statuses, todo, expected, not_planned, power))
    for note in damage(store):
        print(note)


def _plan_tuning(prepared: Prepared, store: Store) -> None:
    """Show what a sweep that is tuned would run."""
    from rich.console import Console

    from orchestrator.showing import shown
    from orchestrator.tuning import tuned_sweep
    from orchestrator.tuning_plan import tuning_plan
    from results.store import StoreError

    try:
        seen = shown(store, metrics=["acc"]).sweep.families(["acc"]) if store.spec() else []
        Console().print(tuning_plan(prepared, tuned_sweep(prepared, store), store, seen))
    except StoreError as error:
        _fail(str(error), WRONG_REQUEST)


@app.command()
def show(
    run_folder: RunArgument,
    matrix: Annotated[
        bool, typer.Option("--matrix", help="Print each cell's seed-averaged accuracy matrix.")
    ] = False,
    tasks: Annotated[
        bool, typer.Option("--tasks", help="Print each cell's costs, and its diagnostics task by task.")
    ] = False,
    transfer: Annotated[
        bool, typer.Option("--transfer", help="Print forward transfer alone, against the method scratch.")
    ] = False,
    response: Annotated[
        bool,
        typer.Option(
            "--response", help="Print what a search tried: configurations, response curves, importance."
        ),
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="Print paired differences between methods, with their tests.")
    ] = False,
    power: Annotated[
        bool,
        typer.Option(
            "--power", help="Print what differences the seeds can show, and how many seeds would show more."
        ),
    ] = False,
    across: Annotated[
        bool, typer.Option("--across", help="Print methods over all scenarios, on chance-normalised scores.")
    ] = False,
    spread: Annotated[
        bool,
        typer.Option("--spread", help="Print median, interquartile mean and ends of the seeds, and BCa."),
    ] = False,
    plot: Annotated[
        bool, typer.Option("--plot", help="Draw final metrics and forgetting curves in the terminal.")
    ] = False,
    scenarios: ScenarioOption = None,
    methods: Annotated[
        list[str] | None,
        typer.Option(
            "--method", metavar="METHOD", help="Show this method or line, not all.", autocompletion=_methods
        ),
    ] = None,
    metrics: MetricOption = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="ORDER",
            help="Order lines by a metric (best first), method, n or train_s.",
            autocompletion=_orders,
        ),
    ] = None,
    baseline: BaselineOption = None,
    named: CellOption = None,
    level: LevelOption = 0.95,
    margin: MarginOption = 0.02,
    form: Annotated[Format, typer.Option("--format", help="How to write it.")] = Format.table,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to a file instead of the screen.",
            callback=_on_this_machine,
        ),
    ] = None,
    everything: AllOption = False,
) -> None:
    """Print a run's tables: per scenario a line per cell, mean ± half-width over seeds, the best marked."""
    from orchestrator.printing import print_tables
    from orchestrator.showing import NoSearch, NoTransfer
    from orchestrator.views import ALONE, ON_SCREEN, UNUSED, Request
    from results.families import NoSuchCell
    from results.storage import reason
    from results.store import StoreError, open_run

    if form is Format.parquet and output is None:
        _refuse("--format parquet is not for the screen; name a file with --output FILE")
    given = dict(zip(ALONE, (transfer, response, compare, power, across, spread, plot), strict=True))
    alone = [name for name, is_given in given.items() if is_given]
    if len(alone) > 1:
        _refuse(f"--{alone[0]} is printed alone; it does not go with --{alone[1]}")
    for name, is_given in {**given, "matrix": matrix, "tasks": tasks}.items():
        if is_given and form is not Format.table and name in {*ON_SCREEN, "matrix", "tasks"}:
            _refuse(f"--{name} is part of the table; it does not go with --format {form}")
        if is_given and alone and name not in alone:
            _refuse(f"--{alone[0]} is printed alone; it does not go with --{name}")
    what = alone[0] if alone else "summary"
    options = {"scenario": scenarios, "method": methods, "metric": metrics, "by": by, "cell": named}
    _refuse_unused(what, [name for name, value in options.items() if value], UNUSED)
    if baseline is not None and what not in {"compare", "power"}:
        _refuse("--baseline says what to compare with; it goes with --compare and --power")
    request = Request(
        what=what,
        form=form,
        output=output,
        matrix=matrix,
        tasks=tasks,
        everything=everything,
        scenarios=scenarios or (),
        methods=methods or (),
        metrics=metrics or (),
        by=by,
        baseline=baseline,
        named=named or (),
        level=level,
        margin=margin,
    )
    try:
        print_tables(open_run(run_folder), request)
    except (StoreError, NoTransfer, NoSearch, NoSuchCell) as error:
        _fail(str(error), WRONG_REQUEST)
    except OSError as error:
        if output is None:
            raise
        _fail(f"cannot write {output}: {reason(error)}", WRONG_REQUEST)


def _refuse_unused(what: str, given: Sequence[str], unused: Mapping[str, Collection[str]]) -> None:
    for name in given:
        if name in unused.get(what, ()):
            _refuse(f"--{name} changes nothing in --{what}; leave it out")


@app.command()
def plot(
    run_folder: RunArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Where the pictures go (else RUN/plots).",
            callback=_on_this_machine,
        ),
    ] = None,
    named: CellOption = None,
    level: LevelOption = 0.95,
    everything: AllOption = False,
) -> None:
    """Draw a run as PNG and SVG: matrices, forgetting curves, metrics, differences, what a search found."""
    from orchestrator.plotting import NotDrawn, NothingToDraw, plotted
    from orchestrator.showing import damage
    from results.families import NoSuchCell
    from results.store import StoreError, open_run

    try:
        store = open_run(run_folder)
        folder = _output_folder(store, output, "plots", "the pictures")
        for path in plotted(store, folder, everything=everything, level=level, named=named or ()):
            print(path, file=sys.stderr if isinstance(path, NotDrawn) else sys.stdout)
        for note in damage(store):
            print(note, file=sys.stderr)
    except (StoreError, NothingToDraw, NoSuchCell) as error:
        _fail(str(error), WRONG_REQUEST)
    except BrokenPipeError:  # nobody reads the names of the files any more
        raise
    except OSError as error:
        _fail(f"cannot write {error.filename or output}: {error.strerror or error}", WRONG_REQUEST)


def _output_folder(store: Store, output: Path | None, name: str, what: str) -> Path:
    """Where *what* is written: as asked for, or into the folder *name* of the run."""
    if output is None and not store.root.is_local:
        _refuse(f"the run is not on this machine's disk; say where {what} go with --output")
    from results.storage import is_uri

    place = str(store.root)  # as it was given; a URI of this disk is no path
    return output or Path(store.root.path if is_uri(place) else place) / name


@app.command()
def export(
    run_folder: RunArgument,
    form: Annotated[
        ExportFormat,
        typer.Option("--format", help="For programs, for papers (markdown, latex), or for other tools."),
    ] = ExportFormat.parquet,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="DIR|URI", help="Where the files go (else RUN/export)."),
    ] = None,
    names: Annotated[
        list[str] | None, typer.Option("--table", metavar="TABLE", help="Only this table, not all.")
    ] = None,
    metrics: MetricOption = None,
    baseline: BaselineOption = None,
    named: CellOption = None,
    level: LevelOption = 0.95,
    margin: MarginOption = 0.02,
    everything: AllOption = False,
) -> None:
    """Write a run's tables as files, or its trials for TensorBoard, MLflow, W&B or Optuna's dashboard."""
    from orchestrator.tracking import TOOLS
    from results.store import StoreError, open_run

    given = {"--table": names, "--metric": metrics, "--baseline": baseline, "--cell": named}
    if form in TOOLS and (other := [option for option, value in given.items() if value]):
        _refuse(f"{other[0]} is for tables; --format {form} writes trials")
    if metrics and form not in {ExportFormat.markdown, ExportFormat.latex}:
        _refuse(f"--metric is for papers (markdown, latex); tables as {form} have all metrics")
    try:
        store = open_run(run_folder)
        if form in TOOLS:
            _export_trials(store, form, output, everything=everything)
            return
        choice = {"names": names or (), "metrics": metrics or (), "baseline": baseline, "named": named or ()}
        _export_tables(
            store, form, output, {**choice, "level": level, "margin": margin, "everything": everything}
        )
    except StoreError as error:
        _fail(str(error), WRONG_REQUEST)


def _export_tables(store: Store, form: str, output: str | None, choice: dict[str, Any]) -> None:
    from orchestrator.exporting import exported
    from orchestrator.showing import damage
    from results.export import NoRows
    from results.families import NoSuchCell
    from results.sweep import NoSuchTable

    try:
        for path in exported(store, form, output, **choice):
            print(path)
    except (NoSuchTable, NoSuchCell, NoRows) as error:
        _fail(str(error), WRONG_REQUEST)
    for note in damage(store):
        print(note, file=sys.stderr)


def _export_trials(store: Store, tool: str, output: str | None, *, everything: bool) -> None:
    from orchestrator.showing import NoSearch
    from orchestrator.tracking import tracked
    from results.trackers.process import NotInstalled

    place = _on_this_machine(Path(output) if output else None)
    folder = _output_folder(store, place, f"export/{tool}", "the records")
    try:
        written = tracked(store, tool, folder, everything=everything)
    except (NoSearch, NotInstalled) as error:
        _fail(str(error), WRONG_REQUEST)
    counts = f"{written.new} new, {written.changed} changed, {written.unchanged} unchanged"
    print(f"{written.place}: trials: {counts}")


@app.command()
def report(
    run_folder: RunArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where the page goes (else RUN/report.html).",
            callback=_on_this_machine,
        ),
    ] = None,
    named: CellOption = None,
    level: LevelOption = 0.95,
    everything: AllOption = False,
) -> None:
    """Write a run as one HTML page that opens offline: tables, pictures, single cells, failures, origin."""
    from orchestrator.reporting import reported
    from results.families import NoSuchCell
    from results.store import StoreError, open_run

    try:
        store = open_run(run_folder)
        print(reported(store, output, named=named or (), level=level, everything=everything))
    except (StoreError, NoSuchCell) as error:
        _fail(str(error), WRONG_REQUEST)


@app.command()
def serve(
    run_folder: RunArgument,
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="0 is any that is free.")] = 8631,
) -> None:
    """Keep a run's report fresh in a browser of this machine while the sweep runs, until Ctrl-C."""
    from orchestrator.serving import CannotListen, serve
    from results.store import StoreError, open_run

    try:
        serve(open_run(run_folder), port)
    except (StoreError, CannotListen) as error:
        _fail(str(error), WRONG_REQUEST)


@app.command()
def compare(
    run_a: Annotated[str, typer.Argument(metavar="RUN_A", help="A run's folder: what there was before.")],
    run_b: Annotated[str, typer.Argument(metavar="RUN_B", help="Another run's folder: what there is now.")],
    scenarios: ScenarioOption = None,
    methods: Annotated[
        list[str] | None,
        typer.Option("--method", metavar="METHOD", help="Compare this method or line, not all."),
    ] = None,
    metrics: MetricOption = None,
    level: LevelOption = 0.95,
    form: Annotated[TextFormat, typer.Option("--format", help="How to write it.")] = TextFormat.table,
    exact: Annotated[
        bool, typer.Option("--exact", help="Exit code 0 only if all numbers are the same bit for bit.")
    ] = False,
    everything: AllOption = False,
) -> None:
    """Say what changed between two runs: exit code 0 if nothing surely did, else 1."""
    from orchestrator.comparing import Wanted, print_comparison
    from results.families import NoSuchCell
    from results.store import StoreError
    from results.two_runs import NothingInCommon

    wanted = Wanted(
        form=form,
        scenarios=scenarios or (),
        methods=methods or (),
        metrics=metrics or (),
        level=level,
        everything=everything,
        exact=exact,
    )
    try:
        differ = print_comparison(run_a, run_b, wanted)
    except (StoreError, NoSuchCell, NothingInCommon) as error:
        _fail(str(error), WRONG_REQUEST)
    raise typer.Exit(SOME_FAILED if differ else OK)


@app.command()
def status(run_folder: RunArgument) -> None:
    """Say how far a run is: trials by status, who drives it, what failed and why, and the time left."""
    from rich.console import Console
    from rich.table import Table

    from orchestrator.standing import standing
    from orchestrator.status import status_view
    from results.store import StoreError, open_run

    try:
        for part in status_view(standing(open_run(run_folder))):
            Console(highlight=False).print(part, soft_wrap=not isinstance(part, Table))  # whole paths
    except StoreError as error:
        _fail(str(error), WRONG_REQUEST)


@app.command()
def check(run_folder: RunArgument) -> None:
    """Audit a run: what is missing, there twice, damaged or altered, and how to mend it."""
    from rich.console import Console

    from orchestrator.auditing import audit_view, audited
    from results.store import StoreError, open_run

    try:
        audit = audited(open_run(run_folder))
    except StoreError as error:
        _fail(str(error), WRONG_REQUEST)
    for part in audit_view(audit):
        Console(highlight=False).print(part, soft_wrap=True)
    raise typer.Exit(SOME_FAILED if audit.findings else OK)


@app.command()
def gate(
    challenger: Annotated[
        str, typer.Argument(metavar="CHALLENGER", help="The run that has what would replace another.")
    ],
    champion: Annotated[
        str, typer.Argument(metavar="CHAMPION", help="The run that has what would be replaced.")
    ],
    scenarios: ScenarioOption = None,
    challenger_cell: Annotated[
        str | None,
        typer.Option(metavar="CELL", help="The challenger's line in a table, such as 'ewc lambda=100'."),
    ] = None,
    champion_cell: Annotated[
        str | None, typer.Option(metavar="CELL", help="The champion's line in a table.")
    ] = None,
    max_forgetting: Annotated[
        float, typer.Option(metavar="X", min=-1, max=1, help="The challenger's FM must be below this.")
    ] = 0.05,
    max_acc_drop: Annotated[
        float, typer.Option(metavar="X", min=-1, max=1, help="ACC may drop by less than this.")
    ] = 0.02,
    max_bwt_drop: Annotated[
        float, typer.Option(metavar="X", min=-1, max=1, help="BWT may drop by less than this.")
    ] = 0.03,
    level: LevelOption = 0.95,
) -> None:
    """Say whether one run may replace another: exit code 0 if it surely does well enough, else 1."""
    from rich.console import Console

    from orchestrator.showing import damage, shown
    from results.contenders import NoMatch, Side, matched
    from results.gate import Verdict, compare, gate_table
    from results.store import StoreError, open_run

    try:
        stores = [open_run(challenger), open_run(champion)]
        cells = [shown(store).sweep.cells for store in stores]
        ours, theirs = ((store.root.files, store.root.path) for store in stores)
        if ours == theirs:  # a cell is known to be on both sides by being the same object
            cells[1] = cells[0]
        sides = (
            Side("challenger", challenger, cells[0], challenger_cell),
            Side("champion", champion, cells[1], champion_cell),
        )
        pairs = matched(*sides, scenarios or ())
    except (StoreError, NoMatch) as error:
        _fail(str(error), WRONG_REQUEST)
    thresholds = {
        "max_forgetting_threshold": max_forgetting,
        "max_acc_drop": max_acc_drop,
        "max_bwt_drop": max_bwt_drop,
    }
    comparisons = [compare(ours, theirs, level=level, **thresholds) for ours, theirs in pairs]
    for comparison in comparisons:
        Console().print(gate_table(comparison), "")
    for note in dict.fromkeys(note for store in stores for note in damage(store)):
        print(note)
    passed = all(comparison.verdict is Verdict.passes for comparison in comparisons)
    raise typer.Exit(OK if passed else SOME_FAILED)


@app.command("list")
def list_names(
    section: Annotated[
        str | None,
        typer.Argument(
            metavar="SECTION", help="Only sweeps, methods, models, streams or data; or compatibility."
        ),
    ] = None,
) -> None:
    """List what a spec can name: shipped sweeps, methods with their hyperparameters, models, streams."""
    from rich.console import Console

    from sweeps.listing import SECTIONS, listing
    from sweeps.problems import unknown

    if section is not None and section not in SECTIONS:
        _refuse(str(unknown("list", "section", section, list(SECTIONS))))
    Console().print(listing(section))


def _prepared(
    spec: str, overrides: list[str] | None, data_dir: Path | None, *, allow_plugins: bool
) -> Prepared:
    """Read the spec, then its data; what is wrong with either is one message."""
    from sweeps.names import PlugIns
    from sweeps.problems import SpecError
    from sweeps.spec import load_spec

    plug_ins = PlugIns.imported if allow_plugins else PlugIns.refused
    try:
        checked = load_spec(spec, overrides or [], plug_ins=plug_ins)
    except SpecError as error:
        _fail(str(error), WRONG_REQUEST)
    from orchestrator.errors import PrepareError
    from orchestrator.preparation import prepare

    try:
        return prepare(checked, data_dir)
    except PrepareError as error:
        _fail(str(error), WRONG_REQUEST)


def _options(
    local: bool,
    address: str | None,
    retries: int,
    checkpoint_every: float,
    no_checkpoints: bool,
    patience: float,
) -> Options:
    """How a sweep is run; what contradicts itself is refused before anything is read."""
    if local and address is not None:
        _refuse("--local runs without Ray, so --address cannot be given with it")
    if address is not None and address.startswith("ray://"):
        _refuse_ray_client(address)

    from orchestrator.options import Options

    every_s = None if no_checkpoints else checkpoint_every
    return Options(local, address, retries, every_s, patience)


def _carried_out(
    prepared: Prepared,
    storage: str,
    work: Callable[[Store], int],
    then: Callable[[Store], None] = lambda _: None,
) -> NoReturn:
    """Do *work*, print the tables of the run, and *then* the rest; whatever ends it, say what is safe."""
    from orchestrator.errors import ResourceError
    from orchestrator.lease import Held
    from orchestrator.printing import print_tables
    from orchestrator.views import Request
    from results.store import StoreError

    store = _store(storage, prepared.spec.name)
    try:
        failed = work(store)
        print_tables(store, Request())
        then(store)
    except KeyboardInterrupt:
        print(f"\nInterrupted. Everything finished is in {store.root}; the same command continues:")
        print("  " + _continue_command())
        raise typer.Exit(INTERRUPTED) from None
    except Held as error:
        _fail(str(error), WRONG_REQUEST)
    except StoreError as error:
        _fail(
            f"{error}\nEvery trial that was reported as done is safe; the same command continues.",
            SOME_FAILED,
        )
    except ResourceError as error:
        _fail(str(error), WRONG_REQUEST)
    raise typer.Exit(SOME_FAILED if failed else OK)


def _store(storage: str, name: str) -> Store:
    """Where the sweep *name* goes."""
    from results.storage import Folder
    from results.store import Store, StoreError

    try:
        return Store(Folder.at(storage) / name)
    except StoreError as error:
        _fail(str(error), WRONG_REQUEST)


def _continue_command() -> str:
    import shlex

    from results.storage import masked

    return shlex.join(["clsweep", *map(masked, sys.argv[1:])])


def _refuse_ray_client(address: str) -> NoReturn:
    host = address.removeprefix("ray://").rpartition(":")[0] or "HOST"
    command = _continue_command().replace(address, "auto")
    _refuse(
        f"--address {address}: Ray Client is not supported, since results would be written on the "
        "disk of the cluster's head node; submit the sweep as a job instead:\n"
        f"  ray job submit --address http://{host}:8265 --working-dir . -- {command}"
    )


def _refuse(message: str) -> NoReturn:
    _fail(message, WRONG_REQUEST)


def _fail(message: str, code: int) -> NoReturn:
    print(f"clsweep: {message}", file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    main()
