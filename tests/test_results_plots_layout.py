"""How pictures look: methods that stay apart, texts that can be read, and files with names of their own."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from made_rows import Rows
from matplotlib.text import Text

from cl.registry import METHODS
from results import plots
from results.across import normalised
from results.families import families
from results.plots.sheet import Panels
from results.plots.style import METHOD_LOOKS, looks_of_methods
from results.plots.words import escaped, wrapped
from results.schema import FAILED
from results.sweep import Sweep
from results.tuned import Configuration, Range, TunedStudy

# What colour-blind people see, in linear RGB: Machado, Oliveira & Fernandes 2009, table 1, severity 1.
SEEN = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def lab(colour: str, seen: str) -> np.ndarray:
    """CIE L*a*b* of #RRGGBB as it is seen, white point D65."""
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.array(SEEN[seen]) @ linear, 0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.array(to_xyz) @ linear / [0.95047, 1, 1.08883]
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return np.array([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)])


def cells_of(T=3, seeds=2, kind="domain-il", failed=(), **methods):
    """Cells of the methods, each with these settings, of made-up accuracies."""
    random = np.random.default_rng(0)
    rows = Rows()
    for method, settings in methods.items():
        for one in settings or [{}]:
            for seed in range(seeds):
                R = random.uniform(0.1, 1, (T, T)).tolist()
                status = FAILED if (method, seed) in failed else "complete"
                rows.add(method, seed, R, kind=kind, hyperparameters=one, status=status)
    return rows.cells


def test_every_shipped_method_has_a_look_and_no_two_share_a_colour_or_a_marker():
    assert METHOD_LOOKS.keys() == METHODS.keys()
    assert len({look.colour for look in METHOD_LOOKS.values()}) == len(METHODS)
    assert len({look.marker for look in METHOD_LOOKS.values()}) == len(METHODS)


@pytest.mark.parametrize("seen", SEEN)
def test_any_two_methods_stay_apart_for_everybody(seen):
    # In this unit about 2.3 is just noticed (Mahy et al. 1994).
    colours = {name: lab(look.colour, seen) for name, look in METHOD_LOOKS.items()}
    near = {
        (one, other): float(np.linalg.norm(colours[one] - colours[other]))
        for one, other in combinations(colours, 2)
    }
    assert min(near.values()) > 14, sorted(near.items(), key=lambda each: each[1])[:3]


def test_a_method_looks_the_same_in_every_run_and_in_every_picture():
    one, other = cells_of(naive=None, ewc=None), cells_of(replay=None, ewc=None, mine=None)
    assert plots.looks_of(one)["ewc"] == plots.looks_of(other)["ewc"] == METHOD_LOOKS["ewc"]
    assert plots.looks_of(other)["mine"] == looks_of_methods(["replay", "mine"])["mine"]


def test_the_cells_of_a_grid_are_tints_of_one_colour_from_dark_to_light():
    cells = cells_of(replay=[{"ratio": ratio / 10} for ratio in range(1, 6)])
    looks = [plots.looks_of(cells)[cell.label] for cell in cells]
    lightness = [lab(look.colour, "normal")[0] for look in looks]
    assert all(dark < light for dark, light in pairwise(lightness))
    assert len({look.marker for look in looks}) == 5
    assert plots.looks_of(cells)["replay"] == METHOD_LOOKS["replay"]


def test_methods_of_ones_own_look_different_from_each_other_and_from_all_that_ship():
    own = [f"my.methods:M{place}" for place in range(18)]
    looks = looks_of_methods([*METHODS, *own])
    assert len({(look.colour, look.marker, look.dashes) for look in looks.values()}) == len(looks)
    assert {looks[name].colour for name in own}.isdisjoint(look.colour for look in METHOD_LOOKS.values())


def test_text_is_shown_as_it_is():
    assert escaped("a$b$") == r"a\$b\$"
    assert escaped("_mine:Method") == " _mine:Method"
    assert wrapped("my.very.long.module:AndItsClass", 20) == "my.very.long.module:\nAndItsClass"
    assert wrapped("short:Class", 20) == "short:Class"


def test_panels_are_placed_by_inches():
    panels = Panels(2, 4, 2.0, 1.0, across=0.5, group=2, apart=1.0, down=0.25, left=1.0, right=0.5)
    assert panels.inches == (1 + 4 * 2 + 3 * 0.5 + 1 + 0.5, 0.28 + 2 + 0.25 + 0.5)
    assert panels.corner(0) == (1.0, 0.5 + 1.25)
    assert panels.corner(6) == (1 + 2 * 2.5 + 1, 0.5)


LONG = {"strength": 1, "another_quite_long_name": 100, "hidden": "[100, 100, 100]"}
EXTREMES = {
    "one of everything": cells_of(T=1, seeds=1, naive=None),
    "one task": cells_of(T=1, seeds=3, naive=None, joint=None),
    "fifty tasks, twenty methods": cells_of(
        T=50, seeds=2, **dict.fromkeys((*METHODS, *(f"my.own.module:Method{place}" for place in range(6))))
    ),
    "long labels": cells_of(
        **{"_my.$own$.module:MethodOfManyLetters": [LONG | {"strength": s} for s in (1, 20)], "ewc": None}
    ),
    "failed seeds": cells_of(
        T=5, seeds=3, failed=[("ewc", 0), ("si", 0), ("si", 1), ("si", 2)], ewc=None, si=None, naive=None
    ),
}


def figures_of(cells):
    """All pictures of these cells that there are."""
    timed = [replace(cell, train_s=10.0**place, chance=0.1) for place, cell in enumerate(cells)]
    yield plots.metrics_figure(timed)
    yield plots.matrix_figure(timed)
    yield plots.forgetting_figure(timed)
    yield plots.speed_figure(timed)
    yield from map(plots.difference_figure, families(cells))
    if (scores := normalised(timed)).methods:
        yield plots.profile_figure(scores)


@pytest.mark.parametrize("cells", EXTREMES.values(), ids=EXTREMES)
def test_every_text_stays_within_its_picture_and_names_of_rows_do_not_touch(cells):
    for figure in figures_of(cells):
        figure.draw_without_rendering()
        width, height = figure.bbox.size
        for text in drawn_texts(figure):
            box = text.get_window_extent()
            assert min(box.x0, box.y0, width - box.x1, height - box.y1) >= -1, text
        for axes in figure.axes:
            boxes = [label.get_window_extent() for label in axes.get_yticklabels() if label.get_text()]
            boxes.sort(key=lambda box: box.y0)
            assert all(below.y1 <= above.y0 + 1 for below, above in pairwise(boxes))


@pytest.mark.parametrize("cells", EXTREMES.values(), ids=EXTREMES)
def test_title_panels_legend_and_notes_lie_one_below_the_other(cells):
    for figure in figures_of(cells):
        figure.draw_without_rendering()
        title, *notes = (text.get_window_extent() for text in figure.texts if text.get_text())
        panels = [axes.get_tightbbox() for axes in figure.axes]
        legends = [legend.get_window_extent() for legend in figure.legends]
        stack = [[title], panels, legends, notes]
        for above, below in pairwise([part for part in stack if part]):
            assert min(box.y0 for box in above) >= max(box.y1 for box in below) - 1, figure.texts[0]


def drawn_texts(figure) -> list[Text]:
    """The texts of a figure, but for numbers beyond the ends of an axis."""
    hidden = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        ticks = (*axis.get_major_ticks(), *axis.get_minor_ticks())
        hidden |= {tick.label1 for tick in ticks if not low <= tick.get_loc() <= high or not axis.axes.axison}
    return [
        text
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in hidden
    ]


def sweep_of(cells) -> Sweep:
    return Sweep(None, None, None, cells)


def test_a_run_has_its_pictures_scenario_by_scenario_with_reasons_for_those_it_lacks():
    cells = [replace(cell, chance=0.1) for cell in cells_of(naive=None, joint=None)]
    assert {picture.name: picture.reason for picture in plots.pictures(sweep_of(cells))} == {
        "metrics-domain-il-split-digits": "",
        "forgetting-domain-il-split-digits": "",
        "matrix-domain-il-split-digits": "",
        "differences-domain-il-split-digits": "fewer than two methods can be compared",
        "speed-domain-il-split-digits": "no cell has both ACC and a training time",
        "profiles": "two scenarios are needed",
    }
    assert plots.pictures(sweep_of([])) == []


def test_a_picture_is_drawn_exactly_if_there_is_no_reason_against_it():
    cells = [replace(cell, chance=0.1, train_s=1.0) for cell in cells_of(naive=None, joint=None, ewc=None)]
    both = [*cells, *(replace(cell, scenario_label="other") for cell in cells)]
    found = plots.pictures(sweep_of(both))
    assert len(found) == 11
    assert all(picture.draw and not picture.reason for picture in found)
    assert all(picture.draw().axes for picture in found)


def test_scenarios_that_lack_the_reference_are_named_as_the_reason():
    cells = cells_of(naive=None, ewc=None)
    both = [*cells, *(replace(cell, scenario_label="other") for cell in cells)]
    (profiles,) = (each for each in plots.pictures(sweep_of(both)) if each.kind == "profiles")
    assert profiles.reason == (
        "two scenarios are needed; domain-il/split-digits, other: no complete joint, which would score 1"
    )


def test_a_scenario_without_a_complete_trial_is_named_once():
    cells = cells_of(failed=[("naive", 0), ("naive", 1)], naive=None)
    (metrics, profiles) = plots.pictures(sweep_of(cells))
    assert (metrics.draw, metrics.reason) == (None, "no trial is complete")
    assert profiles.draw is None


def test_names_of_files_are_plain_and_no_two_are_alike():
    cells = cells_of(naive=None)
    titles = ["a/b angle=-90", "a/b angle=90", "A/B angle=90", "../..", "x" * 300]
    run = sweep_of([replace(cell, scenario_label=title) for title in titles for cell in cells])
    names = [picture.name for picture in plots.pictures(run) if picture.kind == "metrics"]
    assert names[:4] == [
        "metrics-a-b-angle-90",
        "metrics-a-b-angle-90-2",
        "metrics-A-B-angle-90-3",
        "metrics",
    ]
    assert len(names[4]) == 120


def test_searches_have_a_picture_per_hyperparameter_and_one_of_stability():
    tried = Configuration(1, {"lambda": 1.0}, 1, 0.5, {"acc": {0: 0.5}}, 0, "")
    study = TunedStudy(
        scenario="a/b",
        method="ewc",
        searched_on="a/b",
        protocol="val-stream",
        search="random",
        scheduler="none",
        metric="val_acc",
        selection_seeds=1,
        ranges={"lambda": Range((1.0, 9.0), continuous=True, logarithmic=False, numeric=True)},
        configurations=(tried,),
        winner=None,
        trials=1,
        done=False,
        test={},
        default={"lambda": 2.0},
        default_test={},
        level=0.9,
    )
    response, stability = plots.pictures(sweep_of([]), [study, replace(study, configurations=())])
    assert response.name == "response-a-b-ewc-lambda"
    assert response.draw is not None
    assert "mean and 90 % interval" in response.draw().texts[1].get_text()
    assert (stability.draw, stability.reason) == (None, "no configuration has forgetting")


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    def fails(partial, **_):
        partial.write_bytes(b"half of it")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        plots.save(SimpleNamespace(savefig=fails), tmp_path, "one")
    assert list(tmp_path.iterdir()) == []
