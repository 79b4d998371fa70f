"""The evaluation gate: whether a challenger may replace a champion, by what it learned and what it forgot."""

from __future__ import annotations

from dataclasses import dataclass

from cl.metrics.matrix import METRICS
from cl.metrics.tracker import CLMetrics

__all__ = ["Gate", "GateResult", "GateVerdict", "evaluation_gates", "passes_evaluation_gate"]

_DECIMALS = 9
"""Beyond these a value is on its limit: 0.89 - 0.91 is a little below -0.02 in floating point."""


@dataclass(frozen=True)
class Gate:
    """One condition: on the challenger's value of a metric, or on how it differs from the champion's."""

    metric: str
    """A name in `METRICS`."""
    difference: bool
    """Whether challenger - champion is judged, not the challenger alone."""
    limit: float
    """The least that will do where higher is better, else the most."""

    @property
    def label(self) -> str:
        """What is judged."""
        return METRICS[self.metric].label + (" difference" if self.difference else "")

    @property
    def at_least(self) -> bool:
        """Whether the limit is one from below."""
        return METRICS[self.metric].higher_is_better

    def miss(self, value: float) -> float:
        """How far *value* is beyond the limit; negative if there is room."""
        return round(self.limit - value if self.at_least else value - self.limit, _DECIMALS)


def evaluation_gates(
    *, max_forgetting_threshold: float = 0.05, max_acc_drop: float = 0.02, max_bwt_drop: float = 0.03
) -> tuple[Gate, Gate, Gate]:
    """The three gates: ACC must hold, the FM must stay within its limit, BWT must hold.

    Raises:
        ValueError: a threshold outside -1 to 1 (accuracies are shares); a negative drop demands a gain.
    """
    thresholds = {
        "max_forgetting_threshold": max_forgetting_threshold,
        "max_acc_drop": max_acc_drop,
        "max_bwt_drop": max_bwt_drop,
    }
    for name, value in thresholds.items():
        if not -1 <= value <= 1:
            raise ValueError(f"{name} must lie between -1 and 1, got {value}")
    return (
        Gate("acc", difference=True, limit=-max_acc_drop),
        Gate("fm", difference=False, limit=max_forgetting_threshold),
        Gate("bwt", difference=True, limit=-max_bwt_drop),
    )


@dataclass(frozen=True)
class GateVerdict:
    """What one gate says of single values; without a value it does not pass."""

    gate: Gate
    value: float | None
    reason: str = ""
    """Why there is no value."""

    @property
    def passes(self) -> bool:
        """Whether there is a value and it keeps the limit, the limit itself included."""
        return self.value is not None and self.gate.miss(self.value) <= 0

    def __str__(self) -> str:
        head = f"{self.gate.label:<14}"
        if self.value is None:
            return f"{head}        –  cannot be judged: {self.reason}"
        outcome = "passes" if self.passes else f"fails by {self.gate.miss(self.value):.4f}"
        bound = "at least" if self.gate.at_least else "at most "
        return f"{head}  {self.value:7.4f}  {bound} {self.gate.limit:7.4f}  {outcome}"


@dataclass(frozen=True)
class GateResult:
    """The verdicts of all gates; true if every one passes."""

    verdicts: tuple[GateVerdict, ...]

    def __bool__(self) -> bool:
        return not self.failed

    @property
    def failed(self) -> tuple[GateVerdict, ...]:
        """The gates that do not pass."""
        return tuple(verdict for verdict in self.verdicts if not verdict.passes)

    def __str__(self) -> str:
        head = "passes the evaluation gate" if self else "does not pass the evaluation gate"
        return "\n".join([head, *(f"  {verdict}" for verdict in self.verdicts)])


def passes_evaluation_gate(
    challenger: CLMetrics,
    champion: CLMetrics,
    max_forgetting_threshold: float = 0.05,
    *,
    max_acc_drop: float = 0.02,
    max_bwt_drop: float = 0.03,
) -> GateResult:
    """Whether *challenger* may replace *champion*, judged by single values; see `evaluation_gates`.

    A gate passes on its limit; one that reads an undefined metric does not, and its reason says which.

    Raises:
        ValueError: a threshold outside -1 to 1.

    >>> champion = CLMetrics(acc=0.90, bwt=-0.05, fm=0.12)
    >>> challenger = CLMetrics(acc=0.91, bwt=-0.06, fm=0.25)
    >>> if not (result := passes_evaluation_gate(challenger, champion)):
    ...     print(result)
    does not pass the evaluation gate
      ACC difference   0.0100  at least -0.0200  passes
      FM               0.2500  at most   0.0500  fails by 0.2000
      BWT difference  -0.0100  at least -0.0300  passes
    """
    gates = evaluation_gates(
        max_forgetting_threshold=max_forgetting_threshold,
        max_acc_drop=max_acc_drop,
        max_bwt_drop=max_bwt_drop,
    )
    return GateResult(tuple(_judge(gate, challenger, champion) for gate in gates))


def _judge(gate: Gate, challenger: CLMetrics, champion: CLMetrics) -> GateVerdict:
    read = {"challenger": challenger, "champion": champion} if gate.difference else {"challenger": challenger}
    values = []
    for who, metrics in read.items():
        value = metrics.value(gate.metric)
        if value is None:
            label = METRICS[gate.metric].label
            return GateVerdict(
                gate, None, f"{who}'s {label}: {metrics.reasons.get(gate.metric, 'not given')}"
            )
        values.append(value)
    return GateVerdict(gate, values[0] - sum(values[1:]))
