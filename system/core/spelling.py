"""Suggestions for a misspelled name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice

MOST_COMPARED = 1000
LONGEST_NAME = 100


def near_names(name: str, known: Iterable[str], most: int = 3, likeness: float = 0.6) -> list[str]:
    """The known names that are spelled like a name, the nearest first, at most `most` of them.

    `likeness` is between 0 and 1 (the same). Upper and lower case are the same. At most MOST_COMPARED names are
    looked at, none longer than LONGEST_NAME.
    """
    if not name or len(name) > LONGEST_NAME:
        return []
    by_text: dict[str, str] = {}
    for other in islice(known, MOST_COMPARED):
        if len(other) <= LONGEST_NAME:
            by_text.setdefault(other.lower(), other)
    return [by_text[text] for text in difflib.get_close_matches(name.lower(), by_text, most, likeness)]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The sentence " Did you mean a or b?" for a misspelled name; empty where no known name is near."""
    near = near_names(name, known)
    return f" Did you mean {' or '.join(near)}?" if near else ""
