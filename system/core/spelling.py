"""Suggestions for a misspelled name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import islice

MOST_COMPARED = 1000
LONGEST_NAME = 100
# separators and letters by which a typo may be longer or shorter
MOST_SEPARATORS = 4


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


def is_typo(sent: str, name: str) -> bool:
    """Whether a sent name is another one with one letter wrong, missing, too many, or two exchanged.

    Case, "_", "-" and "[]" at the end, as PHP names a list, do not matter. The time is linear, as clients choose
    what is sent.
    """
    if abs(len(sent) - len(name)) > MOST_SEPARATORS:
        return False
    one, other = _letters(sent), _letters(name)
    start = next((index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    if start is None:
        return abs(len(one) - len(other)) <= 1 < len(other)
    ends = one[start:], other[start:]
    after = one[start + 1 :], other[start + 1 :]
    swapped = ends[0][1::-1] == ends[1][:2] and after[0][1:] == after[1][1:]
    return len(other) > 2 and (after[0] == after[1] or ends[0] == after[1] or after[0] == ends[1] or swapped)


def _letters(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").removesuffix("[]")
