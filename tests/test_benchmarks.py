"""The benchmarks run, and say what they promise to say; what they measure is nobody's promise here."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from commands import ROOT, outside

from cl.registry import METHODS

TUTORIALS = ("naive", "ewc", "si", "replay", "derpp", "gem")
NUMBER = r"(-?\d+\.\d+)"


def quick(script: str) -> str:
    """What a benchmark prints in its shortest form."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / script), "--quick"],
        capture_output=True,
        text=True,
        check=False,
        env=outside(),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def numbers(line: str, text: str) -> list[float]:
    """The numbers of the one line of *text* that *line* describes, `#` standing for a number."""
    pattern = "^" + re.escape(line).replace(r"\#", NUMBER)
    found = re.findall(pattern, text, flags=re.MULTILINE)
    assert len(found) == 1, f"{line!r} in {text}"
    return [float(number) for number in (found[0] if isinstance(found[0], tuple) else found)]


@pytest.fixture(scope="module")
def speed() -> str:
    return quick("training_speed.py")


def test_training_speed_compares_with_the_tutorial_the_bare_loop_and_the_floor(speed: str) -> None:
    for method in TUTORIALS:
        target = 2 if method == "gem" else 4
        (ratio,) = numbers(f"ours/tutorial {method}: # (target: at least {target}", speed)
        assert ratio > 0
    (ratio,) = numbers("ours/bare naive: # (target: at least 0.95", speed)
    assert ratio > 0
    above, step, products = numbers("step/floor naive: # (# ms; its five products alone # ms)", speed)
    assert above == pytest.approx(step / products, rel=0.1)


def test_training_speed_shows_the_accuracy_of_all_side_by_side(speed: str) -> None:
    pattern = rf"^(\w+) +(ours|tutorial|bare) +\d+ +{NUMBER} +{NUMBER}"
    rows = re.findall(pattern, speed, flags=re.MULTILINE)
    assert [(method, who) for method, who, _, _ in rows] == [
        ("naive", "ours"),
        ("naive", "tutorial"),
        ("naive", "bare"),
        *((method, who) for method in TUTORIALS[1:] for who in ("ours", "tutorial")),
    ]
    assert all(0 < float(value) <= 1 for *_, acc, learning in rows for value in (acc, learning))


def test_step_cost_compares_a_step_of_each_method_with_its_products() -> None:
    lines = [line.split() for line in quick("step_cost.py").splitlines()]
    rows = {line[0]: [float(number) for number in line[1:]] for line in lines if line and line[0] in METHODS}
    assert rows.keys() == METHODS.keys() - {"joint", "scratch"}
    for step, products, ratio in rows.values():
        assert ratio == pytest.approx(step / products, rel=0.1)


def test_efficiency_compares_a_sweep_with_a_bare_pool() -> None:
    text = quick("efficiency.py")
    pool, sweep, ratio = numbers("round 0: pool # s, sweep # s, pool/sweep #", text)
    assert ratio == pytest.approx(pool / sweep, rel=0.1)
    assert numbers("pool/sweep, trials of 1 s: # (target: at least 0.85", text) == [ratio]


def test_trial_overhead_compares_a_trial_with_bare_ray_tune() -> None:
    text = quick("trial_overhead.py")
    bare, ours = numbers("per trial: bare Ray Tune # ms, ours # ms", text)
    assert numbers("ours - bare: # ms (target: at most 15", text) == [pytest.approx(ours - bare, abs=0.2)]


def test_scale_says_what_the_driver_costs_and_how_long_reading_takes() -> None:
    text = quick("scale.py")
    bare, ours = numbers("per trial: bare Ray Tune # ms, ours # ms", text)
    assert numbers("ours - bare: # ms (target: at most 15", text) == [pytest.approx(ours - bare, abs=0.2)]
    numbers("memory per thousand trials: # MB (target: at most 50", text)
    for what in ("rows", "plan", "resume, without a snapshot", "show, without a snapshot"):
        numbers(f"{what}: #", text)
    for verb in ("resume", "show"):
        numbers(f"{verb}, through the snapshot: # s (target: at most 2", text)


def test_aggregate_says_how_long_all_metrics_take_beside_what_one_writes_oneself() -> None:
    text = quick("aggregate.py")
    ours, _ = numbers("all metrics, summarise: # s (# s), target: less than 2 s", text)
    for what in ("trial by trial", "pandas"):
        seconds, _, ratio = numbers(f"ACC alone, {what}: # s (# s), # times as long", text)
        assert ratio == pytest.approx(seconds / ours, abs=0.02)
    numbers("all metrics, with reading through the snapshot: # s (# s)", text)


def test_coverage_has_a_line_for_every_distribution_and_number_of_seeds() -> None:
    text = quick("coverage.py")
    lines = re.findall(r"^ ([a-z].*?) +(\d+)((?: +\d+\.\d+){6})", text, flags=re.MULTILINE)
    found = {(name, int(n)): [float(number) for number in figures.split()] for name, n, figures in lines}
    names = ("normal", "near 1: beta(20, 1)", "lognormal(0, 1)", "bimodal")
    assert list(found) == [(name, n) for name in names for n in (3, 5, 10, 20, 50)]
    for *shares, t, bca, percentile in found.values():
        assert all(0 <= share <= 100 for share in shares)
        assert min(t, bca, percentile) > 0
    assert len(re.findall(r"^ (?:3|5|10|20) +\d+\.\d +\d\.\d+ *$", text, flags=re.MULTILINE)) == 4
    assert len(re.findall(r"^ (?:2|5|10) +[235] +(?:360|10000)(?: +\d+\.\d){3}", text, re.MULTILINE)) == 18


def test_the_same_seed_draws_the_same_experiments() -> None:
    first, again = (quick("coverage.py").splitlines()[1:] for _ in range(2))
    assert first == again
