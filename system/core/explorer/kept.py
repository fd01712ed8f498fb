"""Values that are computed once and kept until their source changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """The newest `most` values by name, each with the source that it was made of.

    A value is valid while its source is the same object, or an equal tuple. Threads may share it: at worst two
    of them compute the same value.
    """

    def __init__(self, most: int = 4096) -> None:
        self._most = most
        self._values: OrderedDict[str, tuple[object, Value]] = OrderedDict()

    def get(self, name: str, source: object, make: Callable[[], Value]) -> Value:
        """The value of a name; made again where its source changed."""
        known = self._values.get(name)
        if known is None or not (known[0] is source or (isinstance(source, tuple) and known[0] == source)):
            known = source, make()
            self.put(name, *known)
        return known[1]

    def find(self, name: str) -> tuple[object, Value] | None:
        """The source and the value of a name, whether they still fit or not."""
        return self._values.get(name)

    def put(self, name: str, source: object, value: Value) -> None:
        """Keep a value; of too many the oldest goes."""
        self._values[name] = source, value
        if len(self._values) > self._most:
            self._values.popitem(last=False)
