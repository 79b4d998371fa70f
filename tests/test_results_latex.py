"""LaTeX that compiles, whatever the names, and says what its numbers are."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from made_rows import Rows

from results.across import normalised
from results.comparison_tables import across_sheets, comparison_sheets, spread_sheets
from results.families import families
from results.latex import sheets_latex, summary_latex
from results.latex_text import escaped, slug
from results.schema import DIVERGED
from results.sheets import Sheet
from results.summary import CellSummary, summarise
from results.tables import HEADLINE
from results.tidy import across_table, bests

# Names that nobody should choose, but that a plug-in or a spec can bring.
NASTY = r"a_b %&#$~^\{}<>|\"'`--[x] é–λ→Ω€你*"


def matrix(first: float, last: float) -> list[list[float | None]]:
    """Two tasks: the first falls from 1 to *first*, the second ends at *last*."""
    return [[1.0, first], [None, last]]


def two_methods(*, name: str = "replay") -> Rows:
    """Naive, and a method that is better in all seeds."""
    rows = Rows()
    for seed, change in enumerate((-0.01, 0.0, 0.01)):
        rows.add("naive", seed, matrix(0.1 + change, 0.9 + change), chance=0.5)
        rows.add(name, seed, matrix(0.7 - change, 0.8 - change), chance=0.5)
    return rows


def cells_of(rows: Rows) -> list[CellSummary]:
    return summarise(rows.trials, rows.accuracy, reference="joint")


def in_latex(cells: Sequence[CellSummary], metrics: Sequence[str] = HEADLINE, **more: object) -> str:
    return summary_latex(cells, bests(cells, families(cells, metrics=metrics)), metrics=metrics, **more)


def caption(text: str) -> str:
    [line] = [line for line in text.splitlines() if line.startswith("  \\caption{")]
    return line.removeprefix("  \\caption{").removesuffix("}")


def test_a_summary_is_a_table_with_aligned_numbers_the_best_in_bold_and_its_notes():
    # ACC: 0.49, 0.5, 0.51 and 0.76, 0.75, 0.74; half width 4.3027 * 0.01 / sqrt(3) = 0.0248.
    # BWT: -0.91, -0.90, -0.89 and -0.29, -0.30, -0.31, as wide.
    text = in_latex(cells_of(two_methods()), ("acc", "bwt", "fwt_gain"), name="my_run")
    mean_and_half_width = "@{}c@{}S[table-format=1.3]"
    assert text.splitlines() == [
        r"% Preamble: \usepackage{booktabs,graphicx,siunitx}, of siunitx version 2 or 3.",
        r"% \clsweepbest sets the best of a table; define it yourself for another look.",
        r"\ifdefined\clsweepbest\else\protected\def\clsweepbest{\bfseries}\fi",
        "",
        r"\begin{table}",
        r"  \centering\small",
        r"  \setlength{\tabcolsep}{4pt}\setlength{\abovetopsep}{\smallskipamount}",
        r"  \sisetup{detect-weight=true}",
        (
            r"  \caption{domain-il/split-digits: mean $\pm$ half width of the 95\,\% interval (Student $t$) "
            r"over $n = 3$ seeds. Bold: the best, and all that paired $t$ tests with Holm's correction do "
            r"not tell from it.}"
        ),
        r"  \label{tab:my-run-summary-domain-il-split-digits}",
        r"  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        (
            rf"  \begin{{tabular}}{{l r S[table-format=1.3]{mean_and_half_width} "
            rf"S[table-format=-1.3]{mean_and_half_width} c}}"
        ),
        r"    \toprule",
        (
            r"    method & $n$ & \multicolumn{3}{c}{ACC $\uparrow$} & \multicolumn{3}{c}{BWT $\uparrow$} & "
            r"FWT gain $\uparrow$ \\"
        ),
        r"    \midrule",
        r"    naive & 3 & 0.500 & $\,\pm\;$ & 0.025 & -0.900 & $\,\pm\;$ & 0.025 & -- \\",
        (
            r"    replay & 3 & \clsweepbest 0.750 & $\,\pm\;$ & 0.025 & \clsweepbest -0.300 & $\,\pm\;$ & "
            r"0.025 & -- \\"
        ),
        r"    \bottomrule",
        r"  \end{tabular}}",
        r"  \par\smallskip",
        r"  {\footnotesize\raggedright",
        r"  FWT gain: R{[}1, -1{]} is missing\par",
        r"  }",
        r"\end{table}",
    ]


def test_seeds_that_are_not_complete_are_counted_and_nothing_of_theirs_is_bold():
    rows = two_methods().add("replay", 3, matrix(0.0, 0.0), status=DIVERGED)
    text = in_latex(cells_of(rows), ("acc",))
    assert "    replay & 3/4 & 0.750 & $\\,\\pm\\,$ & 0.025 \\\\" in text
    assert "\\clsweepbest 0" not in text
    assert "Bold" not in caption(text)
    assert "over $n$ complete seeds ($n$/planned where some are not)." in caption(text)
    assert "  diverged: replay (seed 3)\\par" in text


def test_one_seed_has_no_interval_and_the_caption_claims_none():
    rows = Rows().add("naive", 0, matrix(0.1, 0.9)).add("replay", 0, matrix(0.7, 0.8))
    text = in_latex(cells_of(rows), ("acc", "bwt"))
    assert "    naive & 1 & 0.500 & -0.900 \\\\" in text
    assert r"\begin{tabular}{l r S[table-format=1.3] S[table-format=-1.3]}" in text
    assert caption(text) == "domain-il/split-digits: mean over $n = 1$ seed."


def test_a_mean_without_an_interval_stands_among_means_that_have_one():
    rows = two_methods().add("ewc", 0, matrix(0.5, 0.5))
    assert "    ewc & 1/3 & 0.500 &  &  \\\\" in in_latex(cells_of(rows), ("acc",))


def test_the_level_and_short_names_are_in_the_caption_and_arrows_say_what_is_better():
    rows = two_methods()
    cells = summarise(rows.trials, rows.accuracy, level=0.9)
    text = in_latex(cells, ("fm", "intransigence"))
    assert r"half width of the 90\,\% interval" in caption(text)
    assert caption(text).endswith("INT: intransigence.")
    assert r"\multicolumn{3}{c}{FM $\downarrow$} & INT $\downarrow$" in text


def test_it_is_said_why_lines_are_not_bold():
    rows = two_methods()
    for seed in range(3):
        rows.add("joint", seed, matrix(0.9, 0.9))
        for strength in (1, 10):
            rows.add("ewc", seed, matrix(0.5, 0.5 + strength / 100), hyperparameters={"lambda": strength})
    unchosen = in_latex(cells_of(rows), ("acc",))
    assert "  not compared: joint: what others are measured against\\par" in unchosen
    assert (
        "  not compared: ewc lambda=1, ewc lambda=10: one of several of its method, "
        "and none was chosen on validation data\\par"
    ) in unchosen
    named = in_latex(cells_of(rows), ("acc",), named=["ewc lambda=10"])
    assert "  not compared: ewc lambda=1: another line stands for the method\\par" in named
    alone = in_latex(cells_of(Rows().add("joint", 0, matrix(0.9, 0.9))), ("acc",))
    assert "not compared" not in alone


def test_every_scenario_has_its_own_table_and_label():
    rows = two_methods()
    rows.add("naive", 0, matrix(0.1, 0.2), kind="class-il")
    text = in_latex(cells_of(rows), ("acc",), name="run")
    labels = [line.strip() for line in text.splitlines() if "label" in line]
    assert labels == [
        r"\label{tab:run-summary-domain-il-split-digits}",
        r"\label{tab:run-summary-class-il-split-digits}",
    ]
    assert text.count(r"\begin{table}") == text.count(r"\end{table}") == 2


def test_tables_of_titles_that_read_alike_have_different_labels():
    sheets = [Sheet(title, ("a",), (("x",),)) for title in ("a/b", "a b", "a-b", "a-b-c")]
    text = sheets_latex(sheets, name="run")
    labels = [line.strip() for line in text.splitlines() if "label" in line]
    assert labels == [rf"\label{{tab:run-{name}}}" for name in ("a-b", "a-b:2", "a-b:3", "a-b-c")]


def test_columns_of_numbers_are_aligned_at_the_point_and_marks_move_nothing():
    sheet = Sheet(
        "a % of _",
        ("first − second", "n", "difference", "p", "Holm", "more\nseeds"),
        (
            ("b − a", "5", " 0.600 ± 0.025", "<0.0001", "<0.0001*", "separated"),
            ("c − a", "12", "-0.100", "0.2500", "0.5000 ", "3"),
            ("d − a", "–", "–", "–", "– ", "–"),
        ),
        ("* differs at the 95 % level",),
    )
    lines = [line.strip() for line in sheets_latex([sheet]).splitlines()]
    start = lines.index(r"\toprule")
    difference = "S[table-format=-1.3]@{}c@{}S[table-format=1.3]"
    assert lines[start - 1] == rf"\begin{{tabular}}{{l S[table-format=2] {difference} r r r}}"
    assert lines[start + 1] == (
        r"first $-$ second & {$n$} & \multicolumn{3}{c}{difference} & $p$ & Holm & more seeds \\"
    )
    assert lines[start + 3 : start + 6] == [
        r"b $-$ a & 5 & 0.600 & $\,\pm\,$ & 0.025 & $<$0.0001 & $<$0.0001{*} & separated \\",
        r"c $-$ a & 12 & -0.100 &  &  & 0.2500 & 0.5000\phantom{*} & 3 \\",
        r"d $-$ a & {--} & \multicolumn{3}{c}{--} & -- & --\phantom{*} & -- \\",
    ]
    assert r"\caption{a \% of \_.}" in lines
    assert r"{*} differs at the 95 \% level\par" in lines


def test_nothing_to_show_is_no_table():
    assert "table}" not in summary_latex([])
    assert "table}" not in sheets_latex([])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ewc lambda=1e+05", "ewc lambda=1e+05"),
        ("5 % of a_b & c#1", r"5 \% of a\_b \& c\#1"),
        (r"\{$x^2~}", r"\textbackslash{}\{\$x\textasciicircum{}2\textasciitilde{}\}"),
        ("a--b ''", "a-{}-b '{}'"),
        ("a−b ± 2 …", r"a$-$b $\pm$ 2 \ldots{}"),
        ("[*]", "{[}{*}{]}"),
        ("λ ×", r"\texttt{U+03BB} \texttt{U+00D7}"),
        ("Zürich ñ ç Å ß ø", "Zürich ñ ç Å ß ø"),
        ("e\u0301", "é"),
        ("two\nlines", "two lines"),
        ("你", r"\texttt{U+4F60}"),
    ],
)
def test_text_is_escaped(text, expected):
    assert escaped(text) == expected


def test_labels_are_of_letters_digits_and_hyphens():
    assert slug("class-il/split-digits tasks=5 (λ)") == "class-il-split-digits-tasks-5"


PAPER = r"""
\documentclass{article}
\usepackage{booktabs,graphicx}
\usepackage{siunitx}%s
\begin{document}
Tables~\ref{tab:a-b-summary-domain-il-split-digits} to~\ref{tab:long-x}.
\input{summary.tex}
\input{comparisons.tex}
\input{across.tex}
\clearpage
\input{long.tex}
\end{document}
"""


@pytest.mark.texlive
@pytest.mark.parametrize("version", ["", "[=v2]"])
def test_it_compiles_whatever_the_names_and_fits_the_page(version: str, tmp_path: Path) -> None:
    rows = two_methods(name=NASTY).add("gem", 0, matrix(0.5, 0.5))
    for seed in range(3):
        rows.add("joint", seed, matrix(0.9, 0.9), chance=0.5)
    cells = cells_of(rows)
    scores = normalised(cells)
    found = families(cells, metrics=HEADLINE)
    assert any(pair.rejected(0.95) for family in found for pair in family.pairs)
    files = {
        "summary": in_latex(cells, name="a_b"),
        "comparisons": sheets_latex([*comparison_sheets(found), *spread_sheets(cells, ("acc",))]),
        "across": sheets_latex(across_sheets(scores, across_table(scores)), name=NASTY),
        "long": sheets_latex([Sheet("x", ("a", "b"), (("long " * 40, "0.5"),))], name="long"),
    }
    for name, text in files.items():
        (tmp_path / f"{name}.tex").write_text(text, encoding="utf-8")
    (tmp_path / "paper.tex").write_text(PAPER % version, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    for _ in range(2):  # the second time with the labels of the first
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
    assert (tmp_path / "paper.pdf").stat().st_size > 10_000
    log = (tmp_path / "paper.log").read_text(errors="replace")
    assert ("siunitx-v2.sty" in log) == bool(version)
    assert not [line for line in log.splitlines() if "Warning" in line or "Overfull" in line]
    assert "Missing character" not in log
