"""For a worker, `-I tests.pool_first`: at each turn of its loop the pool is called before the transport."""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import Any

from kombu.asynchronous import hub


def pool_first(callbacks: Set[Callable[[], Any]]) -> list[Callable[[], Any]]:
    return sorted(callbacks, key=lambda callback: "asynpool" not in callback.__module__)


hub.copy = pool_first
