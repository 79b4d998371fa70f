"""rliable, the library of Agarwal et al. 2021, as it can be imported."""

from __future__ import annotations

import importlib.util
import sys

if "arch" not in sys.modules:
    # arch 7, which rliable wants, has a bootstrap that works beside models that do not import with pandas 3.
    # So the package is entered without executing its `__init__`, which imports those.
    spec = importlib.util.find_spec("arch")
    assert spec is not None
    sys.modules["arch"] = importlib.util.module_from_spec(spec)

from rliable import library, metrics

__all__ = ["library", "metrics"]
