"""What the classes of each task are called under each increment kind."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from cl.registry import Kind


def number_labels(
    kind: Kind, groups: Sequence[tuple[int, ...]], *, same_classes: bool
) -> tuple[list[tuple[int, ...]], tuple[int, ...]]:
    """Return for each task the y of each of its classes, and the outputs as `cl.streams.Stream` defines them.

    ``same_classes`` says that a label names the same class in every task (explicit tasks); elsewhere
    tasks share no class: split by construction, permuted and rotated because the images differ.

    >>> number_labels("class-il", [(3, 5), (5, 8)], same_classes=True)
    ([(0, 1), (1, 2)], (2, 1))
    >>> number_labels("class-il", [(3, 5), (3, 5)], same_classes=False)
    ([(0, 1), (2, 3)], (2, 2))
    """
    if kind == "class-il":
        rows: dict[tuple[int, int], int] = {}
        targets, outputs = [], []
        for k, group in enumerate(groups):
            known = len(rows)
            targets.append(tuple(rows.setdefault((0 if same_classes else k, c), len(rows)) for c in group))
            outputs.append(len(rows) - known)
        return targets, tuple(outputs)
    if kind == "domain-il" and same_classes:
        union = sorted(set(chain.from_iterable(groups)))
        return [tuple(union.index(c) for c in group) for group in groups], (len(union),) * len(groups)
    widths = tuple(len(group) for group in groups)
    shared = (max(widths),) * len(groups)
    return [tuple(range(width)) for width in widths], shared if kind == "domain-il" else widths
