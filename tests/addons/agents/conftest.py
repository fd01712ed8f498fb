"""A real worker and web server for all tests of long jobs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.task_bench import Bench

from .test_door import ADDONS, SHOP

REPORTS = '''
import time
from kernkoa import *


class Reports:
    def start(self, pages: int):
        """Start a report."""
        return exeTask(self, "build", {"pages": pages})

    def build(self, celery_instance=None, pages: int = 1):
        """Build a report."""
        celery_instance.update_state(state="inProgress", meta={"page": 1, "of": pages})
        time.sleep(0.2 if pages < 100 else 60)
        return {"pages": pages}

    @background
    def later(self, number: int):
        """Runs as a task where the client prefers that."""
        return {"number": number}
'''


@pytest.fixture(scope="package")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A site with long jobs, its Redis, worker and web server."""
    bench = Bench(tmp_path_factory.mktemp("agents"), **ADDONS, agents="public")
    bench.write("reports.py", REPORTS)
    bench.write("shop.py", SHOP)
    bench.server.start()
    try:
        bench.start_worker()
        bench.start_web()
        yield bench
    finally:
        bench.close()
