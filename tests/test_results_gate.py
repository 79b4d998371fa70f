"""The gate over seeds, against intervals worked out by hand and by scipy."""

from __future__ import annotations

import io
import math

import numpy as np
import pytest
from gate_cells import cell
from rich.console import Console
from scipy import stats

from results.gate import Verdict, compare, gate_table
from results.schema import DIVERGED

PASSES, FAILS, UNDECIDED = Verdict.passes, Verdict.fails, Verdict.undecided
STEADY = {0: 0.0, 1: 0.0, 2: 0.0}
# t(0.975, 2) from any printed table.
T2 = 4.302653


def seeds(*values, first=0):
    return dict(enumerate(values, start=first))


def challenger(**values):
    """A cell of three seeds that passes every gate against CHAMPION, but for *values*."""
    return cell("ewc", **{"acc": seeds(0.91, 0.92, 0.93), "fm": STEADY, "bwt": STEADY, **values})


CHAMPION = cell("naive", acc=seeds(0.90, 0.90, 0.90), fm=STEADY, bwt=STEADY)


def judged(ours, theirs=CHAMPION, **options):
    return {judgement.gate.metric: judgement for judgement in compare(ours, theirs, **options).judgements}


def text(comparison):
    sink = io.StringIO()
    Console(width=80, file=sink).print(gate_table(comparison))
    return [line.rstrip() for line in sink.getvalue().splitlines()]


def test_differences_are_paired_by_seed():
    # Differences 0.01, 0.02, 0.03: mean 0.02, sd 0.01.
    spread_alike = cell("naive", acc=seeds(0.50, 0.80, 0.20), fm=STEADY, bwt=STEADY)
    acc = judged(challenger(acc=seeds(0.51, 0.82, 0.23)), spread_alike)["acc"]
    half = T2 * 0.01 / math.sqrt(3)
    assert acc.bounds == (pytest.approx(0.02 - half, abs=1e-7), pytest.approx(0.02 + half, abs=1e-7))
    assert acc.verdict is PASSES


def test_cells_that_share_fewer_than_two_seeds_are_independent_samples():
    ours, theirs = [0.95, 0.93, 0.97], [0.90, 0.80, 0.85, 0.89]
    for first in (2, 3):
        champion = cell("naive", acc=seeds(*theirs, first=first), bwt=seeds(0, 0, 0, 0, first=first))
        acc = judged(challenger(acc=seeds(*ours)), champion)["acc"]
        low, high = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval(0.95)
        assert acc.bounds == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize(
    ("metric", "middle", "verdict"),
    [
        ("acc", 0.90, PASSES),
        ("acc", 0.88, UNDECIDED),
        ("acc", 0.86, FAILS),
        ("fm", 0.03, PASSES),
        ("fm", 0.05, UNDECIDED),
        ("fm", 0.07, FAILS),
        ("bwt", -0.01, PASSES),
        ("bwt", -0.03, UNDECIDED),
        ("bwt", -0.05, FAILS),
    ],
)
def test_a_gate_passes_or_fails_only_if_the_whole_interval_is_on_one_side(metric, middle, verdict):
    # sd 0.004, so the half width is 0.0099: the limits are two of them away, or in the middle.
    ours = challenger(**{metric: seeds(middle - 0.004, middle, middle + 0.004)})
    comparison = compare(ours, CHAMPION)
    verdicts = {judgement.gate.metric: judgement.verdict for judgement in comparison.judgements}
    assert verdicts == {"acc": PASSES, "fm": PASSES, "bwt": PASSES, metric: verdict}
    assert comparison.verdict is verdict


def test_fm_is_the_challengers_alone():
    forgetful = cell("naive", acc=CHAMPION.values["acc"], fm=seeds(0.9, 0.9, 0.9), bwt=STEADY)
    assert judged(challenger(), forgetful)["fm"].estimate.mean == 0


def test_one_gate_that_fails_outweighs_one_that_is_undecided():
    comparison = compare(challenger(acc=seeds(0.1, 0.5, 0.9), fm=seeds(0.5, 0.5, 0.5)), CHAMPION)
    assert [judgement.verdict for judgement in comparison.judgements] == [UNDECIDED, FAILS, PASSES]
    assert comparison.verdict is FAILS
    assert text(comparison)[-1] == "fails: FM"


def test_the_same_numbers_every_time_decide_unless_they_are_on_the_limit():
    same = judged(challenger(acc=seeds(0.9, 0.9, 0.9)))["acc"]
    assert (same.bounds, same.verdict) == ((0.0, 0.0), PASSES)
    on_the_limit = judged(challenger(fm=seeds(0.05, 0.05, 0.05)))["fm"]
    assert (on_the_limit.verdict, on_the_limit.more_seeds) == (UNDECIDED, None)


def test_an_undecided_mean_says_how_many_more_seeds_would_decide():
    fm = judged(challenger(fm=seeds(0.02, 0.03, 0.04)))["fm"]
    # 0.02 from the limit, sd 0.01: at n = 3 the half width is 0.0248, at n = 4 3.182446 * 0.01 / 2 = 0.0159.
    assert (fm.verdict, fm.more_seeds) == (UNDECIDED, (1,))
    far = judged(challenger(fm=seeds(0.03, 0.04, 0.05)))["fm"]
    # 0.01 from the limit: 2.570582 * 0.01 / 6 ** 0.5 = 0.0105 with six, 2.446912 * 0.01 / 7 ** 0.5 = 0.0092.
    assert far.more_seeds == (4,)


def test_independent_samples_say_what_each_would_need():
    ours = challenger(acc=seeds(0.85, 0.90, 0.95))
    champion = cell("naive", acc=seeds(0.9, 0.95, 0.85, 0.9, first=10), bwt=seeds(0, 0, 0, 0, first=10))
    acc = judged(ours, champion)["acc"]
    first, second = acc.more_seeds
    assert (acc.verdict, first - second) == (UNDECIDED, 1)
    lines = text(compare(ours, champion))
    assert f"ACC: about {first} more seeds of the challenger and {second} of the champion would" in " ".join(
        lines
    )
    assert any("independent samples of 3 and 4 seeds (Welch)" in line for line in lines)


def test_one_seed_decides_nothing():
    one = cell("ewc", acc={0: 0.99}, fm={0: 0.0}, bwt={0: 0.0})
    comparison = compare(one, CHAMPION)
    assert {judgement.verdict for judgement in comparison.judgements} == {UNDECIDED}
    assert {judgement.bounds for judgement in comparison.judgements} == {None}
    lines = text(comparison)
    assert "FM: one seed has no interval; two are the least" in lines
    assert lines[-1] == "undecided: ACC, FM, BWT"


def test_a_metric_without_a_value_is_undecided_and_says_whose_it_is():
    reason = "undefined, since each task trains a fresh model"
    joint = cell("joint", acc=CHAMPION.values["acc"], reasons={"bwt": reason})
    comparison = compare(challenger(), joint)
    assert comparison.judgements[2].reason == f"BWT of the champion joint: {reason}"
    assert (comparison.judgements[2].more_seeds, comparison.verdict) == (None, UNDECIDED)
    nothing = dict.fromkeys(("acc", "fm", "bwt"), "no complete trial")
    lines = text(compare(cell("ewc", reasons=nothing, missing=[0, 1]), CHAMPION))
    assert "ACC: cannot be judged (ACC of the challenger ewc: no complete trial)" in lines
    assert "challenger: 0 of 2 seeds complete" in lines


@pytest.mark.parametrize("lack", [{"ended": {3: DIVERGED}}, {"missing": [3]}, {"bwt": {0: 0.0, 1: 0.0}}])
def test_a_challenger_that_lacks_seeds_does_not_pass(lack):
    assert compare(challenger(), CHAMPION).verdict is PASSES
    comparison = compare(challenger(**lack), CHAMPION)
    assert {judgement.verdict for judgement in comparison.judgements} == {PASSES}
    assert comparison.verdict is UNDECIDED
    assert text(comparison)[-1] == "undecided"


def test_a_metric_that_no_seed_can_have_is_not_said_to_lack_seeds():
    joint = cell("joint", acc=CHAMPION.values["acc"], reasons={"bwt": "undefined", "fm": "undefined"})
    comparison = compare(joint, CHAMPION)
    assert (comparison.verdict, comparison.lacks_seeds) == (UNDECIDED, False)
    assert not any("lacks seeds" in line for line in text(comparison))


def test_a_champion_may_lack_seeds_and_the_table_says_so():
    champion = cell("naive", acc=CHAMPION.values["acc"], bwt=STEADY, ended={3: DIVERGED})
    comparison = compare(challenger(), champion)
    assert comparison.verdict is PASSES
    assert "champion: 3 of 4 seeds complete" in text(comparison)


def test_the_table_says_what_every_estimate_rests_on():
    four = cell("ewc", acc=seeds(0.91, 0.92, 0.93, 0.94), fm=seeds(0, 0, 0, 0.0), bwt=seeds(0, 0, 0, 0.0))
    lines = text(compare(four, CHAMPION))
    assert lines[:3] == [
        "class-il/split-digits",
        "challenger ewc, champion naive",
        "gate             estimate       95 % interval       limit   verdict",
    ]
    assert [" ".join(line.split()) for line in lines[4:]] == [
        "ACC difference 0.0200 -0.0048 to 0.0448 > -0.0200 passes",
        "FM 0.0000 0.0000 to 0.0000 < 0.0500 passes",
        "BWT difference 0.0000 0.0000 to 0.0000 > -0.0300 passes",
        "ACC, BWT: challenger - champion, paired by seed, 3 shared of 4 and 3 (Student t)",
        "FM: challenger's, 4 seeds (Student t)",
        "passes",
    ]


def test_the_widest_numbers_fit_eighty_columns():
    wide = challenger(acc=seeds(0.0, 1.0, 0.0), fm=seeds(-1.0, 1.0, 0.0), bwt=seeds(-1.0, 1.0, 0.0))
    lines = text(compare(wide, CHAMPION))
    assert max(map(len, lines)) <= 80
    assert any("-2.4841 to 2.4841" in line and "undecided" in line for line in lines)


def test_the_level_and_the_thresholds_can_be_chosen():
    ours = challenger(fm=seeds(0.02, 0.03, 0.04))
    assert judged(ours)["fm"].verdict is UNDECIDED
    assert judged(ours, level=0.8)["fm"].verdict is PASSES
    assert judged(ours, max_forgetting_threshold=0.06)["fm"].verdict is PASSES
    assert any("80 % interval" in line for line in text(compare(ours, CHAMPION, level=0.8)))


def test_a_challenger_on_the_limit_passes_a_gate_once_in_forty_times():
    # One-sided, a two-sided interval of 95 % is wrong 2.5 times in a hundred.
    random = np.random.default_rng(7)
    passed = 0
    for sample in random.normal(0.05, 0.02, size=(4000, 4)):
        passed += judged(challenger(fm=seeds(*sample)))["fm"].verdict is PASSES
    assert passed / 4000 == pytest.approx(0.025, abs=0.0075)  # three standard errors
