"""The state of an object as tensors and plain values, which `torch.save` can keep and safely read."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any


def state_of(thing: Any, without: Collection[str] = ()) -> dict[str, Any]:
    """The public attributes of *thing*; of those that have a ``state`` of their own, that.

    The tensors are the live ones: save or copy them before training goes on.
    """
    return {
        name: value.state() if hasattr(value, "state") else value
        for name, value in vars(thing).items()
        if not name.startswith("_") and name not in without
    }


def load_state(thing: Any, state: dict[str, Any]) -> None:
    """Give *thing* the attributes that `state_of` read: copies, since much is written in place."""
    for name, value in state.items():
        load = getattr(getattr(thing, name, None), "load_state", None)
        if load is not None:
            load(value)
        else:
            setattr(thing, name, copy.deepcopy(value))
