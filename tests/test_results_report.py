"""The report: what the page says, that nothing in it comes from elsewhere, and that no name can break it."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import timedelta

import pytest
from made_rows import START, Rows
from pages import read
from test_results_tuned import STUDY

from results.report import Pictures, drawn, headline_html, report_html, with_trouble
from results.report.anchors import anchor
from results.schema import DIVERGED, FAILED, RUNNING
from results.sweep import open_sweep

FORGETS = [[0.9, 0.5], [0.5, 0.9]]
KEEPS = [[0.9, 0.8], [0.5, 0.9]]
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></style></script>{{ 7 * 7 }}",
    "' onclick='alert(1)",
    "x" * 3000,
    "{% raw %}",
    "日本:Ünïcode",
]


def seeds(rows, method, R, count=4, **more):
    """The *rows* with that many seeds of *method*, which differ a little."""
    for seed in range(count):
        rows.add(
            method,
            seed,
            [[value + 0.001 * seed * (1 + i) for value in row] for i, row in enumerate(R)],
            **more,
        )
    return rows


def compared():
    """Two methods that differ surely, and joint."""
    rows = seeds(Rows(), "naive", FORGETS)
    seeds(rows, "replay", [[0.9, 0.82], [0.5, 0.9]])
    return seeds(rows, "joint", KEEPS)


def sweep_of(rows, tmp_path):
    return open_sweep(rows.written(tmp_path / "tiny"))


def page(rows, tmp_path, *, pictures=None, **more):
    """The page of *rows*, read; without plots unless they are given."""
    given = {"spec": "name: tiny", "command": "clsweep run sweep.yaml"} | more
    html = report_html(sweep_of(rows, tmp_path), pictures=pictures or Pictures(), **given)
    return read(html)


def table(page, caption):
    (found,) = (each for each in page.all("table") if each.one("caption").text == caption)
    return found


# What the page is -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The text of a page with everything in it, plots too."""
    rows = compared()
    rows.add("naive", 4, FORGETS, status=FAILED, error="Traceback", error_cause="ValueError: no")
    sweep = sweep_of(rows, tmp_path_factory.mktemp("whole"))
    return report_html(
        sweep, spec="name: tiny", command="clsweep run sweep.yaml", studies=[STUDY], notes=["a note"]
    )


def test_every_element_is_closed_every_id_is_the_only_one_and_every_link_leads_somewhere(whole):
    elements = list(read(whole))
    ids = [each.attributes["id"] for each in elements if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    names = ("href", "aria-labelledby", "aria-describedby", "for")
    targets = {
        target.removeprefix("#")
        for each in elements
        for name in names
        for target in each.attributes.get(name, "").split()
        if target != "data:,"
    }
    assert "main" in targets
    assert targets - set(ids) == set()


def test_nothing_is_loaded_from_elsewhere(whole):
    sources = [
        each.attributes[name]
        for each in read(whole)
        for name in ("src", "srcset", "href", "data", "action", "poster", "xlink:href")
        if name in each.attributes
    ]
    assert {source for source in sources if not source.startswith("#")} == {"data:,"}
    assert re.findall(r"https?:|//[a-z]|@import", re.sub(r"(?m)^\s*//.*", "", whole)) == []
    assert set(re.findall(r"url\((.)", whole)) <= {"#"}


def test_the_policy_allows_the_pages_own_style_and_script_and_nothing_else(whole):
    document = read(whole)
    policy = document.one("meta", http_equiv="Content-Security-Policy").attributes["content"]
    directives = dict(each.split(" ", 1) for each in policy.split("; "))
    for tag in ("style", "script"):
        content = "".join(document.one(tag).children)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert directives.pop(f"{tag}-src") == f"'sha256-{digest}'"
    assert directives.pop("img-src") == "data:"
    assert set(directives.values()) == {"'none'"}
    assert not [each for each in document if "style" in each.attributes or "onclick" in each.attributes]


def test_the_same_rows_give_the_same_page(tmp_path):
    pages = [
        report_html(sweep_of(compared(), tmp_path / place), spec=None, command="")
        for place in ("one", "other")
    ]
    one, other = (
        text.replace(str(tmp_path / place), "") for text, place in zip(pages, ("one", "other"), strict=True)
    )
    assert one == other


def test_a_live_page_may_ask_its_own_server(tmp_path):
    policy = page(compared(), tmp_path, live=True).one("meta", http_equiv="Content-Security-Policy")
    assert "connect-src 'self'" in policy.attributes["content"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_whatever_it_is(name, tmp_path):
    rows = seeds(Rows(), name, FORGETS, hyperparameters={name: name}, model={name: name}, host=name)
    seeds(rows, "joint", KEEPS, hyperparameters={name: 1})
    rows.add("other", 0, FORGETS, status=FAILED, error=name, error_cause=name)
    text = report_html(
        sweep_of(rows, tmp_path), spec=name, command=name, notes=[name], pictures=None, studies=[]
    )
    document = read(with_trouble(text, name))
    assert [len(document.all(tag)) for tag in ("script", "style", "title", "img")] == [1, 1, 1, 0]
    assert not [each for each in document for attribute in each.attributes if attribute.startswith("on")]
    assert document.one("pre", id="spec").text == " ".join(name.split())
    assert document.one("p", class_="trouble").text == " ".join(name.split())
    assert table(document, "domain-il/split-digits").rows()[0][0].startswith(" ".join(name.split()))
    assert document.one(class_="cause").one("h3").text == f"1 trial failed: {' '.join(name.split())}"


# Its tables -------------------------------------------------------------------------------------------------


def test_a_line_shows_means_and_half_widths_and_carries_the_numbers_themselves(tmp_path):
    rows = Rows().add("naive", 0, FORGETS).add("naive", 1, [[0.9, 0.7], [0.5, 0.9]])
    line = table(page(rows, tmp_path), "domain-il/split-digits")
    # ACC 0.7 and 0.8: t(0.975, 1) = 12.7062, sd = 0.0707107, half width = 12.7062 * 0.0707107 / sqrt 2.
    assert line.rows()[0][:5] == ["naive", "2", "0.750 ± 0.635", "-0.300 ± 1.271", "0.300 ± 1.271"]
    assert [place.attributes.get("data-key") for place in line.one("tbody").all("td")][1] == "0.75"


def test_a_single_seed_has_no_half_width(tmp_path):
    line = table(page(Rows().add("naive", 0, FORGETS), tmp_path), "domain-il/split-digits")
    assert line.rows()[0][:3] == ["naive", "1", "0.700"]


def test_a_cell_with_seeds_that_did_not_end_well_counts_them(tmp_path):
    rows = Rows().add("naive", 0, FORGETS).add("naive", 1, FORGETS, status=DIVERGED, error_cause="loss")
    document = page(rows, tmp_path)
    line = table(document, "domain-il/split-digits")
    assert line.rows()[0][1] == "1/2"
    assert line.one("tbody").all("td")[0].attributes["data-key"] == "1"
    assert "diverged: naive (seed 1)" in [note.text for note in document.all("li")]


def test_what_is_undefined_sorts_last_and_says_why_to_a_screen_reader_and_below_the_table(tmp_path):
    document = page(Rows().add("naive", 0, FORGETS), tmp_path)
    place = table(document, "domain-il/split-digits").one("tbody").all("td")[5]
    reason = "no complete joint trial with the same settings and seed"
    assert (place.attributes["data-key"], place.attributes["title"]) == ("", reason)
    assert place.text == f"– undefined: {reason}"
    assert f"INT: {reason}" in [note.text for note in document.all("li")]


def test_the_best_alone_is_marked_and_references_are_not(tmp_path):
    document = page(compared(), tmp_path)
    lines = table(document, "domain-il/split-digits").one("tbody").all("tr")
    heads = ("n", "ACC", "BWT", "FM", "FWT", "INT", "train s")
    marked = {
        line.one("th").text: [
            head
            for head, place in zip(heads, line.all("td"), strict=True)
            if place.attributes.get("class") == "best" and place.text.endswith("(marked)")
        ]
        for line in lines
    }
    # Both learn the second task alike, from the same head, and only naive then forgets the first.
    assert marked == {"naive": ["FWT", "INT"], "replay": ["ACC", "BWT", "FM", "FWT", "INT"], "joint": []}


def test_why_a_grid_is_not_marked_stands_below_its_table(tmp_path):
    rows = compared()
    for value in (1, 10):
        seeds(rows, "ewc", FORGETS, hyperparameters={"lambda": value})
    notes = [note.text for note in page(rows, tmp_path).all("li")]
    assert (
        "not compared, and so not marked: ewc lambda=1, ewc lambda=10: one of several of its method, and "
        "none was chosen on validation data"
    ) in notes


def test_a_pair_has_its_difference_and_its_test(tmp_path):
    document = page(compared(), tmp_path)
    caption = "domain-il/split-digits: ACC, differences paired by seed"
    ((names, n, difference, *_),) = table(document, caption).rows()
    assert (names, n) == ("replay − naive", "4")
    assert difference.startswith("0.160 ±")


def test_methods_are_compared_across_scenarios_only_where_there_are_several(tmp_path):
    one = compared()
    several = compared()
    for method, R in (("naive", FORGETS), ("replay", KEEPS), ("joint", KEEPS)):
        seeds(several, method, R, kind="task-il", chance=0.5)
    assert "across" not in {each.attributes.get("id") for each in page(one, tmp_path / "one")}
    rows = seeds(Rows(), "naive", FORGETS, chance=0.1)
    for kind, chance in (("domain-il", 0.1), ("task-il", 0.5)):
        for method, R in (("naive", FORGETS), ("replay", KEEPS), ("joint", [[0.9, 0.9], [0.5, 0.9]])):
            if (kind, method) != ("domain-il", "naive"):
                seeds(rows, method, R, kind=kind, chance=chance)
    found = table(page(rows, tmp_path / "two"), "2 scenarios: interquartile mean of chance-normalised ACC")
    assert [line[:2] for line in found.rows()] == [["naive", "8"], ["replay", "8"]]


# The pages of cells -----------------------------------------------------------------------------------------


def test_a_cell_has_its_mean_matrix_with_half_widths_and_what_was_not_learned_yet_is_slanted(tmp_path):
    rows = Rows().add("naive", 0, [[0.9, 0.5], [0.1, 0.9]]).add("naive", 1, [[0.9, 0.7], [None, 0.9]])
    matrix = page(rows, tmp_path).one("table", class_="matrix")
    assert matrix.rows() == [["0", "0.900±0.000", "0.600±1.271"], ["1", "–", "0.900±0.000"]]
    classes = [place.attributes["class"] for place in matrix.one("tbody").all("td")]
    assert classes == ["s9", "s6", "s0 early", "s9"]


def test_a_cell_lists_every_seed_with_its_status_and_its_trial(tmp_path):
    rows = (
        Rows()
        .add("naive", 0, FORGETS, wall_s=65.0, host="red", ended_at=START)
        .add("naive", 1, FORGETS, status=RUNNING)
    )
    rows.add("other", 2, FORGETS)
    cell = page(rows, tmp_path).all(class_="cell")[0]
    listed = table(cell, "Seeds").rows()
    assert [line[:3] for line in listed] == [
        ["0", "complete", "0.700"],
        ["1", "running", "–"],
        ["2", "to come", "–"],
    ]
    assert [line[-4:] for line in listed] == [
        ["1 min 5 s", "1", "red", "t0"],
        ["–", "1", "–", "t1"],
        ["–", "–", "–", "–"],
    ]


def test_a_cell_says_all_of_its_settings(tmp_path):
    rows = Rows().add(
        "ewc", 0, FORGETS, hyperparameters={"lambda": 100.0}, model={"name": "mlp", "hidden": [8]}
    )
    cell = page(rows, tmp_path).one(class_="cell")
    facts = cell.one("dl")
    said = dict(
        zip([each.text for each in facts.all("dt")], [each.text for each in facts.all("dd")], strict=True)
    )
    assert said == {
        "scenario.tasks": "2",
        "ewc.lambda": "100.0",
        "model.name": "mlp",
        "model.hidden": "[8]",
        "train.lr": "0.01",
    }


def test_the_curve_of_a_task_begins_where_it_was_learned(tmp_path):
    cell = page(Rows().add("naive", 0, [[1.0, 0.5], [0.5, 0.0]]), tmp_path).one(class_="cell")
    curves = cell.one("svg")
    right, bottom, top = 350, 160, 14
    first, second = (
        line.attributes["points"].split()
        for line in curves.all("polyline")
        if "task" in line.attributes["class"]
    )
    heights = [float(point.split(",")[1]) for point in [*first, *second]]
    assert heights == [top, (top + bottom) / 2, bottom]
    assert first[1].split(",")[0] == second[0].split(",")[0]
    assert float(second[0].split(",")[0]) < right


def test_a_single_task_has_a_matrix_of_one_and_no_curve(tmp_path):
    cell = page(Rows().add("naive", 0, [[0.9]]), tmp_path).one(class_="cell")
    assert cell.one(class_="matrix").rows() == [["0", "0.900"]]
    assert cell.all("svg") == []


def test_a_cell_without_a_complete_trial_has_no_matrix(tmp_path):
    cell = page(Rows().add("naive", 0, FORGETS, status=RUNNING), tmp_path).one(class_="cell")
    assert cell.all(class_="matrix") == []
    assert "0 of 1 seeds complete" in cell.text


# The run ----------------------------------------------------------------------------------------------------


def test_a_run_without_trials_says_so(tmp_path):
    document = page(Rows(), tmp_path)
    assert "no trials yet" in document.one(id="progress").text
    assert document.all(class_="cell") == []


def test_the_head_counts_trials_by_what_became_of_them(tmp_path):
    rows = (
        compared()
        .add("naive", 4, FORGETS, status=FAILED, error_cause="x")
        .add("replay", 4, FORGETS, status=RUNNING)
    )
    head = page(rows, tmp_path).one(id="progress")
    assert head.one("p").text == "12 of 15 trials complete, 1 running, 1 failed, 1 to come"
    assert (head.one("progress").attributes["max"], head.one("progress").attributes["value"]) == ("15", "12")


def facts(document):
    said, found = document.one(id="run").one("dl"), {}
    for each in said.children:
        if not isinstance(each, str):
            if each.tag == "dt":
                found[each.text] = []
            else:
                found[list(found)[-1]].append(each.text)
    return found


def test_the_run_says_when_where_with_what_and_on_which_data(tmp_path):
    known = {
        "host": "red",
        "cpu_model": "Xeon",
        "git_commit": "abc123",
        "git_dirty": True,
        "ray_version": "2.60",
        "packages": {"torch": "2.13", "numpy": "2.4"},
        "ended_at": START + timedelta(seconds=91),
    }
    rows = Rows().add("naive", 0, FORGETS, **known)
    rows.add("naive", 1, FORGETS, **known | {"host": "blue", "gpu_model": "H200", "device": "cuda"})
    rows.add("naive", 2, FORGETS, **known)
    said = facts(page(rows, tmp_path))
    assert said["time"] == [
        "first trial started 2026-01-01 00:00:00 UTC",
        "last one ended 2026-01-01 00:01:31 UTC, 1 min 31 s later",
    ]
    assert said["machines"] == [
        "red; Xeon; cpu, 1 thread per trial (2 trials)",
        "blue; Xeon; H200; cuda, 1 thread per trial (1 trial)",
    ]
    assert said["code"] == ["clsweep 1, started in git commit abc123, with changes that are not committed"]
    assert said["versions"] == ["Python 1, PyTorch 1, Ray 2.60"]
    assert said["packages"] == ["numpy 2.4, torch 2.13"]
    assert said["data"] == ["split-digits: d1", "results version 1"]


def test_cost_counts_failed_trials_and_searches_and_every_cpu(tmp_path):
    rows = Rows().add("naive", 0, FORGETS, wall_s=3600.0, cpu=2.0, gpu=0.5)
    rows.add("naive", 1, FORGETS, wall_s=1800.0, cpu=1.0, status=FAILED, error_cause="x")
    rows.add("naive", 2, FORGETS, wall_s=900.0, scored_on="val")
    rows.add("naive", 3, FORGETS, status=RUNNING)
    cost = table(page(rows, tmp_path, all_trials=rows.trials), "Cost")
    assert cost.rows() == [
        ["complete", "1", "2", "0.5"],
        ["failed", "1", "0.5", "0"],
        ["search", "1", "0.25", "0"],
        ["all", "3", "2.75", "0.5"],
    ]


def test_failures_are_grouped_by_cause_the_most_frequent_first(tmp_path):
    rows = Rows().add("naive", 0, FORGETS, status=DIVERGED, error_cause="loss is nan")
    for seed, cause in enumerate(["late", "often", "often"]):
        rows.add("ewc", seed, FORGETS, status=FAILED, error_cause=cause, error=f"trace {seed}")
    causes = page(rows, tmp_path).all(class_="cause")
    assert [each.one("h3").text for each in causes] == [
        "2 trials failed: often",
        "1 trial failed: late",
        "1 trial diverged: loss is nan",
    ]
    assert causes[0].one("pre").text == "trace 1"
    assert [each.text for each in causes[0].all("li")] == [
        "domain-il/split-digits, ewc, seed 1 (t2)",
        "domain-il/split-digits, ewc, seed 2 (t3)",
    ]
    assert causes[2].all("pre") == []


def test_many_failures_are_named_in_part_and_a_long_traceback_is_cut_at_its_beginning(tmp_path):
    rows = Rows()
    for seed in range(53):
        rows.add("ewc", seed, FORGETS, status=FAILED, error_cause="x", error="y" * 30_000 + "the end")
    cause = page(rows, tmp_path).one(class_="cause")
    assert cause.all("li")[-1].text == "and 3 more"
    assert len(cause.all("li")) == 51
    text = cause.one("pre").text
    assert text.startswith("... 10,007 characters before y")
    assert text.endswith("the end")


def test_the_command_and_the_spec_are_there_to_be_copied(tmp_path):
    document = page(compared(), tmp_path, spec="name: <tiny>\nseeds: 4", command="clsweep run sweep.yaml")
    assert [each.one("pre").text for each in document.all(class_="copied")] == [
        "clsweep run sweep.yaml",
        "name: <tiny> seeds: 4",
    ]
    assert "keeps no spec" in page(compared(), tmp_path / "other", spec=None).one(id="reproduce").text


def test_a_tuned_run_shows_what_was_chosen_and_everything_that_was_tried(tmp_path):
    document = page(compared(), tmp_path, studies=[STUDY])
    assert "searches that are over: 1 of 1; trials in searches: 8" in document.one(id="progress").text
    winners = table(
        document,
        "domain-il/permuted-digits: chosen by val-stream (random, race, 12 selection seeds)",
    )
    ((method, chosen, val, test, default, optimism, configurations, trials),) = winners.rows()
    assert (method, chosen, configurations, trials) == ("ewc", "lambda=1000", "4", "8")
    # (0.8 + 0.9) / 2 on validation data, (0.7 + 0.8 + 0.75) / 3 on test data.
    assert [each[:5] for each in (val, test, default, optimism)] == ["0.850", "0.750", "0.600", "0.100"]
    tried = table(document, "domain-il/permuted-digits, ewc: configurations on validation data").rows()
    assert [(line[0], line[1], line[-1]) for line in tried] == [
        ("2", "lambda=1000", "chosen"),
        ("1", "lambda=100", ""),
        ("4", "lambda=900000", "2 diverged"),
        ("3", "lambda=10", "0.600 behind no. 2"),
    ]


# Plots, notebooks, and what else is public ------------------------------------------------------------------


def test_plots_are_there_for_every_scenario_and_search_and_are_named_for_those_who_do_not_see_them(whole):
    document = read(whole)
    titles = [each.one("svg").attributes["aria-label"] for each in document.all("figure", class_="picture")]
    assert titles == [
        "domain-il/split-digits: final metrics",
        "domain-il/split-digits: forgetting curves",
        "domain-il/split-digits: paired differences",
        "domain-il/permuted-digits ewc: response to lambda",
        "domain-il/permuted-digits ewc: stability and plasticity",
    ]


def test_plots_hold_their_texts_as_text(whole):
    picture = read(whole).all("figure", class_="picture")[0]
    assert "replay (4/5 seeds)" in [each.text for each in picture.all("text")]


def test_plots_that_are_given_are_not_drawn_again(tmp_path):
    sweep = sweep_of(compared(), tmp_path)
    assert drawn(sweep) == drawn(sweep)
    document = read(report_html(sweep, spec=None, command="", pictures=Pictures()))
    assert document.all("figure", class_="picture") == []


def test_a_notebook_gets_the_headline_tables_without_script_and_without_anchors(tmp_path):
    fragment = read(headline_html(sweep_of(compared(), tmp_path)))
    assert [line[0] for line in table(fragment, "domain-il/split-digits").rows()] == [
        "naive",
        "replay",
        "joint",
    ]
    assert fragment.all("script") == []
    assert not [each for each in fragment if {"id", "href"} & each.attributes.keys()]


def test_names_that_read_the_same_have_different_anchors():
    names = ["a/b", "a-b", "A b", "日", "本", "x" * 100, "x" * 101]
    anchors = [anchor("cell", name) for name in names]
    assert len(set(anchors)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]+", each) for each in anchors)
