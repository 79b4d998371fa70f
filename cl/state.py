"""The state of an object as tensors and plain values, which `torch.save` can keep and safely read."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

from torch import Tensor


def state_of(thing: Any, without: Collection[str] = ()) -> dict[str, Any]:
    """The public attributes of *thing*; of those that have a ``state`` of their own, that.

    The tensors are the live ones: save or copy them before training goes on.
    """
    return {
        name: value.state() if hasattr(value, "state") else value
        for name, value in vars(thing).items()
        if not name.startswith("_") and name not in without
    }


def bytes_of(state: Any) -> int:
    """Bytes of all tensors in a state.

    >>> import torch
    >>> bytes_of({"anchors": [torch.zeros(2), torch.zeros(3)], "seen": 7})
    20
    """
    if isinstance(state, Tensor):
        return state.nbytes
    if isinstance(state, Mapping):
        state = state.values()
    elif not isinstance(state, list | tuple):
        return 0
    return sum(map(bytes_of, state))


def load_state(thing: Any, state: dict[str, Any]) -> None:
    """Give *thing* the attributes that `state_of` read: copies, since much is written in place."""
    for name, value in state.items():
        load = getattr(getattr(thing, name, None), "load_state", None)
        if load is not None:
            load(value)
        else:
            setattr(thing, name, copy.deepcopy(value))
