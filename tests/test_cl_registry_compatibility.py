"""What goes together: the tables of the design, entry by entry, and methods that are bound to models."""

from __future__ import annotations

import pytest

from cl.registry import (
    KINDS,
    METHODS,
    MODELS,
    Fit,
    PlugInError,
    compatibility,
    method_entry,
    method_fit,
    model_entry,
    model_fit,
    stream_settings,
)

V, S, I = "valid", "suboptimal", "invalid"  # noqa: E741 - the letters of the table below


@pytest.mark.parametrize(
    ("model", "levels"),
    [
        ("MultiHeadMLP", (V, I, I)),
        ("ProgressiveNeuralNet", (V, I, I)),
        ("DomainMLP", (S, V, S)),
        ("SingleHeadMLP", (S, S, V)),
        ("ConvNet", (V, V, V)),
    ],
)
def test_models_suit_the_kinds_as_the_table_says(model, levels):
    assert tuple(model_fit(kind, model, MODELS[model]).level for kind in KINDS) == levels


@pytest.mark.parametrize("method", METHODS)
def test_only_pnn_and_packnet_need_task_ids(method):
    elsewhere = I if method in {"pnn", "packnet"} else V
    fits = [method_fit(kind, method, METHODS[method]).level for kind in KINDS]
    assert fits == [V, elsewhere, elsewhere]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", sorted(set(METHODS) - {"pnn", "packnet"}))
def test_the_model_that_a_spec_leaves_open_always_fits(kind, method):
    assert compatibility(kind, method) == Fit("valid")


def test_every_level_but_valid_comes_with_a_reason_that_names_what_is_meant():
    for method in METHODS:
        for model in ("mlp", *MODELS):
            for kind in KINDS:
                fit = compatibility(kind, method, model)
                assert bool(fit.reason) == (fit.level != "valid")
                assert not fit.reason or method in fit.reason or model in fit.reason


@pytest.mark.parametrize(
    ("method", "model", "reason"),
    [
        ("pnn", "MultiHeadMLP", "pnn cannot train MultiHeadMLP, only ProgressiveNeuralNet"),
        (
            "ewc",
            "ProgressiveNeuralNet",
            "ewc cannot train ProgressiveNeuralNet, which only pnn makes grow",
        ),
        ("packnet", "SingleHeadMLP", "packnet cannot train SingleHeadMLP, only MultiHeadMLP or ConvNet"),
    ],
)
def test_a_method_and_a_model_that_exclude_each_other_say_so(method, model, reason):
    assert compatibility("task-il", method, model) == Fit("invalid", reason)


@pytest.mark.parametrize(("method", "model"), [("pnn", "ProgressiveNeuralNet"), ("packnet", "ConvNet")])
def test_a_method_may_have_the_models_that_it_names(method, model):
    assert compatibility("task-il", method, model) == Fit("valid")


@pytest.mark.parametrize("entry", [method_entry, model_entry, stream_settings])
def test_an_unknown_name_is_answered_with_those_that_are_known(entry):
    with pytest.raises(PlugInError, match=r"^unknown \w+ 'nothing'; allowed: (naive|MultiHeadMLP|split), "):
        entry("nothing")
