"""What a folder of the catalogue holds, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Contents(Mapping[str, Item], Generic[Item]):
    """The folders or the libraries of a folder: their names, and each of them once it is asked for.

    A folder of thousands costs a request no more than its listing. `made` are those made so far; the next listing
    takes them over, so that a file remains the same library.
    """

    def __init__(
        self, make: Callable[[str], Item], names: Set[str] = frozenset(), made: dict[str, Item] | None = None
    ):
        self._make, self._names = make, names
        self.made = {} if made is None else made

    def __getitem__(self, name: str) -> Item:
        if name not in self._names:
            raise KeyError(name)
        return self.made.get(name) or self.made.setdefault(name, self._make(name))  # one, of two threads

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __eq__(self, other: object) -> bool:
        """Whether both are of one folder and have the same names; nothing is made for that."""
        return isinstance(other, Contents) and self.made is other.made and self._names == other._names

    __hash__ = None  # type: ignore[assignment]  # as of any mapping

    def listed_again(self, names: Set[str]) -> tuple[Contents[Item], list[Item]]:
        """The contents with these names, and the items that are gone."""
        gone = [self.made.pop(name) for name in [*self.made] if name not in names]
        return Contents(self._make, names, self.made), gone
