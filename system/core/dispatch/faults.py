"""The faults of a request's values, as a 422 lists them."""

from __future__ import annotations

import math
import reprlib
from typing import Any

Fault = dict[str, Any]

LONGEST_SHOWN = 100


def make_fault(name: str, source: str, expected: str, got: Any, hint: str) -> Fault:
    """A fault of a parameter as the answer lists it; long texts are cut."""
    return {
        "name": name[:LONGEST_SHOWN],
        "source": source,
        "expected": expected,
        "got": _shorten(got),
        "hint": hint if len(hint) <= 3 * LONGEST_SHOWN else hint[: 3 * LONGEST_SHOWN] + "…",
    }


def _shorten(value: Any) -> Any:
    """A value as errors show it: a long one is cut."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and math.isfinite(value) and abs(value) < 2**63:
        return float(value) if isinstance(value, float) else int(value)
    text = value if isinstance(value, str) else _show(value)
    return text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"


_shown = reprlib.Repr()
_shown.maxstring = _shown.maxother = _shown.maxlong = 2 * LONGEST_SHOWN
_show = _shown.repr
