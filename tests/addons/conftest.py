"""A real Redis for the addons that count in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.task_bench import Server


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.stop()
