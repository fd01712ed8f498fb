"""Runs `async def` methods and hooks, and streams of async generators, in the thread of their request.

Each runs in its own event loop, as in Flask. Flask's asgiref would run it in another thread, where the connections
and transactions of `dbs` are not those of the request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextvars import Context, copy_context
from types import CoroutineType
from typing import Any

_UNSET: Any = object()


def finish(answer: Any) -> Any:
    """The result of an `async def` function; what a plain function returned is returned as it is."""
    if type(answer) is not CoroutineType:
        return answer
    import asyncio  # 1.5 MB, for those who use it

    with asyncio.Runner() as runner:
        context = copy_context()
        try:
            return runner.run(answer, context=context)
        finally:
            _take_over(context)


def _take_over(context: Context) -> None:
    """Set the context variables that a coroutine has set: a method sees those of its `before` hook."""
    for variable, value in context.items():
        if variable.get(_UNSET) is not value:
            variable.set(value)


def iterate(values: AsyncIterator[Any]) -> Iterator[Any]:
    """The values of an async iterator, one after the other, all in one event loop."""
    import asyncio

    end: Any = object()

    async def advance() -> Any:
        return await anext(values, end)

    async def close() -> None:
        if hasattr(values, "aclose"):
            await values.aclose()

    with asyncio.Runner() as runner:
        try:
            while (value := runner.run(advance())) is not end:
                yield value
        finally:
            runner.run(close())
