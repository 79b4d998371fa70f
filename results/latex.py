r"""Tables as LaTeX for a paper: booktabs rules, and numbers that siunitx sets under one another."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from cl.metrics import METRICS
from results.families import REFERENCES, by_scenario, contenders
from results.latex_text import escaped, slug
from results.layout import NULL, fixed, seeds
from results.notes import footnotes, grouped, header
from results.sheets import Sheet
from results.statistics import Interval
from results.summary import CellSummary
from results.tables import HEADLINE, NOBODY, Best

__all__ = ["sheets_latex", "summary_latex"]

# \clsweepbest expands to nothing while siunitx, version 2 that is, looks for the number behind it.
_HEAD = r"""% Preamble: \usepackage{booktabs,graphicx,siunitx}, of siunitx version 2 or 3.
% \clsweepbest sets the best of a table; define it yourself for another look.
\ifdefined\clsweepbest\else\protected\def\clsweepbest{\bfseries}\fi
"""
_DASH = "--"
_NUMBER = re.compile(r"(?P<mean>-?\d+(?:\.\d+)?)(?: ± (?P<half_width>\d+\.\d+))? *")

_SYMBOL = re.compile(r"[A-Za-z](\(A>B\))?")  # n, g, p, P(A>B)


@dataclass(frozen=True)
class _Number:
    mean: str
    half_width: str | None = None
    best: bool = False


@dataclass(frozen=True)
class _Column:
    """One column of a table, which may be several to LaTeX: how they are set, their head, and their cells."""

    setting: str
    head: str
    cells: Sequence[str]


def summary_latex(
    cells: Sequence[CellSummary],
    best: Best = NOBODY,
    *,
    metrics: Sequence[str] = HEADLINE,
    named: Collection[str] = (),
    name: str = "",
) -> str:
    r"""Per scenario a table environment, a line per cell; all in one text for ``\input``.

    Args:
        cells: the lines.
        best: labels that are set bold, by scenario and metric.
        metrics: the columns.
        named: labels that stand for their methods in comparisons.
        name: of the run; the first part of every ``\label``.
    """
    scenarios = by_scenario(cells)
    labels = _labels("-".join(filter(None, [name, "summary"])), scenarios)
    return _document(
        _summary(title, members, best, metrics, named, label)
        for (title, members), label in zip(scenarios.items(), labels, strict=True)
    )


def sheets_latex(sheets: Sequence[Sheet], *, name: str = "") -> str:
    r"""Every sheet as a table environment; all in one text for ``\input``.

    Args:
        sheets: the tables; columns of nothing but numbers are aligned at the point.
        name: of the run; the first part of every ``\label``.
    """
    labels = _labels(name, [sheet.title for sheet in sheets])
    return _document(
        _table(
            f"{escaped(sheet.title)}.",
            label,
            [_text_column(sheet, position) for position in range(len(sheet.heads))],
            sheet.notes,
        )
        for sheet, label in zip(sheets, labels, strict=True)
    )


def _document(tables: Iterable[str]) -> str:
    return "\n".join([_HEAD, *tables])


def _labels(name: str, titles: Iterable[str]) -> list[str]:
    """A label for each title, no two alike."""
    labels: list[str] = []
    for title in titles:
        label = "-".join(filter(None, [slug(name), slug(title)]))
        same = sum(each == label or each.startswith(f"{label}:") for each in labels)
        labels.append(f"{label}:{same + 1}" if same else label)
    return labels


def _table(caption: str, label: str, columns: Sequence[_Column], notes: Sequence[str]) -> str:
    """A table environment; one that is too wide for the page is made smaller as a whole."""
    rows = zip(*(column.cells for column in columns), strict=True)
    return "\n".join(
        [
            r"\begin{table}",
            r"  \centering\small",
            r"  \setlength{\tabcolsep}{4pt}\setlength{\abovetopsep}{\smallskipamount}",
            r"  \sisetup{detect-weight=true}",
            f"  \\caption{{{caption}}}",
            f"  \\label{{tab:{label}}}",
            r"  \resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            f"  \\begin{{tabular}}{{{' '.join(column.setting for column in columns)}}}",
            r"    \toprule",
            f"    {_line(column.head for column in columns)}",
            r"    \midrule",
            *(f"    {_line(row)}" for row in rows),
            r"    \bottomrule",
            r"  \end{tabular}}",
            *_below(notes),
            r"\end{table}",
            "",
        ]
    )


def _line(texts: Iterable[str]) -> str:
    return f"{' & '.join(texts)} \\\\"


def _below(notes: Sequence[str]) -> Iterator[str]:
    if notes:
        yield r"  \par\smallskip"
        yield r"  {\footnotesize\raggedright"
        yield from (f"  {escaped(note)}\\par" for note in notes)
        yield "  }"


def _summary(
    title: str,
    cells: Sequence[CellSummary],
    best: Best,
    metrics: Sequence[str],
    named: Collection[str],
    label: str,
) -> str:
    columns = [
        _Column("l", "method", [escaped(cell.label) for cell in cells]),
        _Column("r", "$n$", [seeds(cell.n, cell.planned).plain for cell in cells]),
        *(_metric(cells, name, best.get((title, name), ())) for name in metrics),
    ]
    marked = any(best.get((title, name)) for name in metrics)
    caption = " ".join(
        [
            f"{escaped(title)}: {_what_numbers(cells)}.",
            *([_MARKED] if marked else []),
            *(
                f"{header(name)}: {METRICS[name].label}."
                for name in metrics
                if header(name) != METRICS[name].label
            ),
        ]
    )
    return _table(
        caption, label, columns, [*footnotes(cells, metrics), *_not_compared(cells, named, marked=marked)]
    )


_MARKED = "Bold: the best, and all that paired $t$ tests with Holm's correction do not tell from it."


def _metric(cells: Sequence[CellSummary], metric: str, best: Collection[str]) -> _Column:
    arrow = r"$\uparrow$" if METRICS[metric].higher_is_better else r"$\downarrow$"
    return _number_column(
        f"{escaped(header(metric))} {arrow}",
        [_number(cell.metrics.get(metric), best=cell.label in best) for cell in cells],
    )


def _number(interval: Interval | None, *, best: bool) -> _Number | None:
    if interval is None:
        return None
    half_width = interval.half_width
    return _Number(fixed(interval.mean), None if half_width is None else fixed(half_width), best)


def _what_numbers(cells: Sequence[CellSummary]) -> str:
    intervals = [interval for cell in cells for interval in cell.metrics.values()]
    levels = sorted({interval.level for interval in intervals if interval.half_width is not None})
    percent = ", ".join(rf"{100 * level:g}\,\%" for level in levels)
    what = rf"mean $\pm$ half width of the {percent} interval (Student $t$)" if levels else "mean"
    counts = {(cell.n, cell.planned) for cell in cells}
    if len(counts) == 1 and all(n == planned for n, planned in counts):
        ((n, _),) = counts
        return f"{what} over $n = {n}$ seed{'s' if n != 1 else ''}"
    some = any(n != planned for n, planned in counts)
    return f"{what} over $n$ complete seeds{' ($n$/planned where some are not)' if some else ''}"


def _not_compared(cells: Sequence[CellSummary], named: Collection[str], *, marked: bool) -> Iterator[str]:
    """Why lines are not bold, whatever their numbers."""
    taking, reasons = contenders(cells, named=named)
    if marked:
        for cell in cells:
            if cell not in taking:
                reference = cell.method in REFERENCES and cell.label not in named
                why = (
                    "what others are measured against" if reference else "another line stands for the method"
                )
                reasons.setdefault(cell.label, why)
    yield from (f"not compared: {line}" for line in grouped(reasons))


def _text_column(sheet: Sheet, position: int) -> _Column:
    texts = [row[position] for row in sheet.rows]
    head = _head(sheet.heads[position])
    if position < sheet.left:
        return _Column("l", head, [escaped(text) for text in texts])
    numbers = [None if text.strip() == NULL else _NUMBER.fullmatch(text.lstrip()) for text in texts]
    if all(number or text.strip() == NULL for number, text in zip(numbers, texts, strict=True)):
        return _number_column(
            head, [number and _Number(number["mean"], number["half_width"]) for number in numbers]
        )
    # A mark behind some numbers must not move the others.
    mark = max((text[-1] for text in texts if text[-1:] in {"*", "!"}), default="")
    return _Column("r", head, [escaped(text) + _room(text, mark) for text in texts])


def _head(text: str) -> str:
    return f"${text}$" if _SYMBOL.fullmatch(text) else escaped(text)


def _room(text: str, mark: str) -> str:
    return rf"\phantom{{{mark}}}" if mark and not text.endswith(mark) else ""


def _number_column(head: str, numbers: Sequence[_Number | None]) -> _Column:
    """Numbers with their points under one another, and half widths, if there are any, behind them."""
    there = [number for number in numbers if number]
    means = _format([number.mean for number in there])
    half_widths = [number.half_width for number in there if number.half_width]
    if not there:
        return _Column("c", head, [_DASH] * len(numbers))
    if not half_widths:
        return _Column(
            f"S[table-format={means}]",
            f"{{{head}}}",
            [_mean(number) if number else f"{{{_DASH}}}" for number in numbers],
        )
    # Three columns: siunitx 3.2 sets an uncertainty with uneven blanks around the sign, and none at all
    # where it is 0.000. Bold digits are wider, which leaves a gap behind the others.
    sign = r"$\,\pm\;$" if any(number.best for number in there) else r"$\,\pm\,$"
    return _Column(
        f"S[table-format={means}]@{{}}c@{{}}S[table-format={_format(half_widths)}]",
        rf"\multicolumn{{3}}{{c}}{{{head}}}",
        [
            _with_half_width(number, sign) if number else rf"\multicolumn{{3}}{{c}}{{{_DASH}}}"
            for number in numbers
        ],
    )


def _mean(number: _Number) -> str:
    return rf"\clsweepbest {number.mean}" if number.best else number.mean


def _with_half_width(number: _Number, sign: str) -> str:
    return f"{_mean(number)} & {sign if number.half_width else ''} & {number.half_width or ''}"


def _format(numbers: Sequence[str]) -> str:
    """How many digits siunitx is to keep room for.

    >>> _format(["0.5", "-12.25"])
    '-2.2'
    """
    parts = [number.lstrip("-").partition(".") for number in numbers]
    digits = f"{max((len(whole) for whole, *_ in parts), default=1)}"
    decimals = max((len(rest) for *_, rest in parts), default=0)
    minus = "-" if any(number.startswith("-") for number in numbers) else ""
    return f"{minus}{digits}" + (f".{decimals}" if decimals else "")
