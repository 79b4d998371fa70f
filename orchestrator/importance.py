"""How much of a search's score each hyperparameter explains (fANOVA, Hutter et al. 2014), by Optuna."""

from __future__ import annotations

from collections.abc import Mapping

import optuna

from orchestrator.course import Course
from orchestrator.search import distribution

FEWEST = 8
"""Configurations below which a share says nothing."""


def importance(course: Course) -> Mapping[str, float]:
    """The share of each searched hyperparameter, largest first; empty for one alone or few configurations."""
    spaces, found = course.study.tried, course.found
    scores = {number: found.scores(number) for number in range(len(found.candidates))}
    scores = {number: own for number, own in scores.items() if own}
    if len(spaces) < 2 or len(scores) < FEWEST:
        return {}
    distributions = {name: distribution(space) for name, space in spaces.items()}
    study = optuna.create_study(direction="maximize")
    for number, own in scores.items():
        values = found.candidates[number]
        params = {
            name: space.values.index(values[name]) if space.kind == "choice" else values[name]
            for name, space in spaces.items()
        }
        value = sum(own.values()) / len(own)
        study.add_trial(optuna.create_trial(params=params, distributions=distributions, value=value))
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)
