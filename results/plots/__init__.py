"""Pictures, with matplotlib: every plot draws on the axes that it is given and returns them.

A function that ends in ``_figure`` lays out a whole picture, with a title and with n and the level of the
intervals below it; `save` writes it. Colours can be told apart by colour-blind people, and the same method
looks the same everywhere: give the ``looks`` of all cells of a run, `looks_of`, to each picture.
"""

from results.plots.across import performance_profiles, profile_figure
from results.plots.comparisons import difference_figure, paired_differences
from results.plots.curves import average_curve, forgetting_figure, task_curve
from results.plots.matrices import accuracy_matrix, half_width_matrix, matrix_figure
from results.plots.metrics import metric_rows, metrics_figure
from results.plots.pictures import Picture, pictures
from results.plots.sheet import save
from results.plots.speed import speed_against_accuracy, speed_figure
from results.plots.style import Look, Looks, looks_of
from results.plots.tuned import response_curve, response_figure, stability_figure, stability_plasticity

__all__ = [
    "Look",
    "Looks",
    "Picture",
    "accuracy_matrix",
    "average_curve",
    "difference_figure",
    "forgetting_figure",
    "half_width_matrix",
    "looks_of",
    "matrix_figure",
    "metric_rows",
    "metrics_figure",
    "paired_differences",
    "performance_profiles",
    "pictures",
    "profile_figure",
    "response_curve",
    "response_figure",
    "save",
    "speed_against_accuracy",
    "speed_figure",
    "stability_figure",
    "stability_plasticity",
    "task_curve",
]
