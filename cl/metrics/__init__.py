"""Continual-learning metrics: functions of the accuracy matrix, the tracker that fills it, and the gate."""

from cl.metrics.gate import Gate, GateResult, GateVerdict, evaluation_gates, passes_evaluation_gate
from cl.metrics.layout import matrix_text
from cl.metrics.matrix import (
    METRICS,
    Metric,
    UndefinedMetric,
    acc,
    average_incremental_accuracy,
    bwt,
    fm,
    forgetting,
    fwt,
    fwt_gain,
    intransigence,
    intransigence_proxy,
    learning_accuracy,
    worst_task_accuracy,
)
from cl.metrics.tracker import CLMetrics, CLMetricsTracker

__all__ = [
    "METRICS",
    "CLMetrics",
    "CLMetricsTracker",
    "Gate",
    "GateResult",
    "GateVerdict",
    "Metric",
    "UndefinedMetric",
    "acc",
    "average_incremental_accuracy",
    "bwt",
    "evaluation_gates",
    "fm",
    "forgetting",
    "fwt",
    "fwt_gain",
    "intransigence",
    "intransigence_proxy",
    "learning_accuracy",
    "matrix_text",
    "passes_evaluation_gate",
    "worst_task_accuracy",
]
