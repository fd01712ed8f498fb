"""The state of a library's module, to detect whether another library changed it while loading."""

from __future__ import annotations

import functools
import gc
import logging
import sys
import types
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

# the packages of the catalogue's libraries
OWN = ("catalog.", "system.addons.")
# how many objects of a module are looked at
MOST_OBJECTS = 3_000
# values that hold nothing, of the most frequent types
_PLAIN = frozenset({str, int, float, bytes, bool, type(None), types.ModuleType})
_OWN_ORIGINS = (*OWN, ".")
_LEAVES = (
    types.ModuleType,
    types.CodeType,
    types.FrameType,
    types.GenericAlias,
    functools._lru_cache_wrapper,  # a cache, not state
    logging.Logger,  # it leads to every other logger
    str,
    bytes,
    int,
    float,
)


# the identity of each object, and how many it holds
State = Mapping[int, int]


def state_of(module: types.ModuleType, imported: Mapping[str, str]) -> State:
    """The objects that a module holds: its containers and instances, and what is in them.

    `imported` says where its names come from: what other packages made is left out. No code of the objects is run.
    """
    names = vars(module)
    foreign = {name for name, origin in imported_names(names, imported) if not origin.startswith(_OWN_ORIGINS)}
    queue = deque(value for name, value in names.items() if name not in foreign and not name.startswith("__"))
    seen: dict[int, int] = {}
    while queue and len(seen) < MOST_OBJECTS:
        value = queue.popleft()
        if id(value) in seen:
            continue
        if type(value) in _PLAIN:
            seen[id(value)] = 0
            continue
        size = _size_of(value)
        held = list(_held_by(value)) if size <= MOST_OBJECTS else []
        seen[id(value)] = max(size, len(held))
        queue.extend(held)
    return seen


def _size_of(value: object) -> int:
    """How many values a container of Python's holds; 0 for anything else."""
    kind: Any
    for kind in (dict, list, tuple, set, frozenset):
        if issubclass(type(value), kind):
            return int(kind.__len__(value))
    return 0


def _held_by(value: Any) -> Iterable[object]:
    kind = type(value)
    if issubclass(kind, _LEAVES):
        return ()
    if issubclass(kind, types.FunctionType):
        return filter(None, (value.__closure__, value.__defaults__, value.__kwdefaults__))
    if issubclass(kind, type):
        is_own = str(vars(value).get("__module__")).startswith(OWN)
        return (
            (held for name, held in vars(value).items() if not name.startswith(("__", "_abc_"))) if is_own else ()
        )
    if issubclass(kind, dict):  # the collector does not visit keys that are text
        return chain(dict.keys(value), dict.values(value))
    return gc.get_referents(value)


def imported_names(names: Mapping[str, object], imported: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The names of a module that its imports bind, each with the module that it comes from.

    `names` are those of the module, `imported` those of its outline.
    """
    for key, source in imported.items():
        origin = source.partition(":")[0]
        if not key.startswith("*"):
            yield key, origin
            continue
        offered = vars(sys.modules[origin]) if origin in sys.modules else {}
        yield from ((name, origin) for name, value in names.items() if name in offered and offered[name] is value)
