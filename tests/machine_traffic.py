"""Clients of a site of several machines, and what they were answered."""

from __future__ import annotations

import collections
import json
import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from tests.machine_site import MachineSite, fetch
from tests.task_bench import wait_for


@dataclass(frozen=True)
class Failure:
    """A request that got no answer as expected. `through` are the machines that the front tried."""

    at: float
    what: str
    through: str
    told: str

    @property
    def kind(self) -> str:
        address = self.what.partition("?")[0]
        return (
            f"{'/status' if '/status' in address else address} through {self.through or 'none'}: {self.told[:60]}"
        )


@dataclass
class Traffic:
    """Clients that read, keep a session, write to the database, start tasks and watch them, all through the front."""

    site: MachineSite
    pause: float = 0.0
    answered: int = 0
    failures: list[Failure] = field(default_factory=list)
    unavailable: list[float] = field(default_factory=list)  # when exeTask or a status said that Redis is away
    versions: collections.Counter[str] = field(default_factory=collections.Counter)
    sessions: list[set[str]] = field(default_factory=list)
    lost_sessions: int = 0
    orders: set[str] = field(default_factory=set)
    tasks: dict[str, str] = field(default_factory=dict)  # id: number
    started_by: dict[str, str] = field(default_factory=dict)
    watched_by: dict[str, set[str]] = field(default_factory=dict)
    slowest: float = 0.0

    def __enter__(self) -> Traffic:
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._number = 0
        self._threads = [threading.Thread(target=self._repeat, args=(job,), daemon=True) for job in self.jobs]
        for thread in self._threads:
            thread.start()
        return self

    @property
    def jobs(self) -> tuple[Any, ...]:
        """What the clients do, each without end."""
        return (self._read, self._read, self._visit, self._visit, self._order, self._run_tasks, self._run_tasks)

    def until(self, version: str) -> None:
        """Wait until the page is of this version."""
        wait_for(lambda: self.versions[version], 30, f"version {version}; {self.versions}, {self.failures[-5:]}")

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def more(self, count: int = 100, seconds: float = 60) -> None:
        """Wait until this many more requests were answered."""
        aim = self.answered + count
        wait_for(lambda: self.answered >= aim, seconds, f"{count} answers; {self.failures[-5:]}")

    def snapshot(self) -> tuple[int, int, int]:
        """The numbers of answers, failures and 503 so far."""
        with self._lock:
            return self.answered, len(self.failures), len(self.unavailable)

    def describe_since(self, before: tuple[int, int, int]) -> str:
        """What happened since a snapshot, in one line."""
        answered, failed, unavailable = (now - then for now, then in zip(self.snapshot(), before, strict=True))
        times = self.unavailable[before[2] :] or [0.0]
        line = f"{answered:6,} answered, {failed} failed, {unavailable} were 503 in {times[-1] - times[0]:.1f} s"
        kinds = collections.Counter(one.kind for one in self.failures[before[1] :])
        return line + "".join(f"\n    {count} times {kind}" for kind, count in kinds.most_common(8))

    def _repeat(self, job: Any) -> None:
        state: dict[str, Any] = {}
        while not self._over.is_set():
            job(state)
            time.sleep(self.pause)

    def _ask(
        self, verb: str, path: str, headers: dict[str, str] | None = None
    ) -> tuple[dict[str, str], Any, str] | None:
        """Headers, JSON and the machine that answered; None for a failure, which is noted."""
        began = time.time()
        told, through = "", ""
        try:
            status, found, body = fetch(self.site.front, verb, path, headers)
            through = found.get("x-upstream", "")
            if status == 200:
                with self._lock:
                    self.answered += 1
                    self.slowest = max(self.slowest, time.time() - began)
                return found, json.loads(body), through.rpartition(", ")[2]
            told = f"{status} {body[:120]!r}"
            if status == 503 and b"asks cannot be" in body:
                with self._lock:
                    self.unavailable.append(began)
                return None
        except (OSError, HTTPException, ValueError) as error:
            told = repr(error)
        with self._lock:
            self.failures.append(Failure(began, f"{verb} {path}", through, told))
        return None

    def _next(self) -> str:
        with self._lock:
            self._number += 1
            return f"n{self._number}"

    def _read(self, _: dict[str, Any]) -> None:
        found = self._ask("GET", "/site/page")
        if found:
            with self._lock:
                self.versions[f"{found[1]['version']} of release {found[1]['release']}"] += 1

    def _visit(self, state: dict[str, Any]) -> None:
        found = self._ask("GET", "/site/visit", {"Cookie": state["cookie"]} if state else {})
        if not found:
            return
        if not state:
            state.update(visits=0, machines=set())
            self.sessions.append(state["machines"])
        state["visits"] += 1
        with self._lock:
            self.lost_sessions += found[1]["visits"] != state["visits"]
        state["visits"] = found[1]["visits"]
        state["machines"].add(found[1]["machine"])
        state["cookie"] = found[0]["set-cookie"].partition(";")[0]

    def _order(self, _: dict[str, Any]) -> None:
        number = self._next()
        if self._ask("POST", f"/site/order?number={number}"):
            self.orders.add(number)

    def _run_tasks(self, _: dict[str, Any]) -> None:
        number = self._next()
        found = self._ask("POST", f"/site/start?number={number}")
        if not found:
            return
        task_id = found[1]["id"]
        self.tasks[task_id] = number
        self.started_by[task_id] = found[2]
        deadline = time.monotonic() + 60
        while not self._over.is_set() and time.monotonic() < deadline:
            told = self._ask("GET", f"/status/{task_id}")
            if told:
                self.watched_by.setdefault(task_id, set()).add(told[2])
                if told[1]["status"] in ("SUCCESS", "FAILURE"):
                    return
            time.sleep(0.05)


def judge(traffic: Traffic, seconds: float = 45) -> dict[str, Any]:
    """What happened to what was accepted: tasks have so many seconds to end."""
    site = traffic.site
    deadline = time.monotonic() + seconds
    results = {task_id: _await_result(site, task_id, deadline) for task_id in traffic.tasks}
    stored = {row[0] for row in site.query("select number from orders")}
    runs = collections.Counter(str(row[0]) for row in site.query("select id from runs"))
    ticks = [count for name, count in runs.items() if name not in traffic.tasks]
    moved = [task for task, machines in traffic.watched_by.items() if machines - {traffic.started_by[task]}]
    return {
        "requests answered": traffic.answered,
        "failed": len(traffic.failures),
        "503 of exeTask and /status while Redis was away": len(traffic.unavailable),
        "slowest answer in s": round(traffic.slowest, 2),
        "versions seen": dict(traffic.versions),
        "machines of each session": [len(machines) for machines in traffic.sessions],
        "sessions lost": traffic.lost_sessions,
        "orders accepted": len(traffic.orders),
        "orders lost": len(traffic.orders - stored),
        "tasks accepted": len(results),
        "tasks started here and watched there": len(moved),
        "tasks lost": sum(told.get("data") != traffic.tasks[name] for name, told in results.items()),
        "tasks run more than once": sum(runs[name] > 1 for name in results),
        "schedules run": len(ticks),
        "schedules run more than once": sum(count > 1 for count in ticks),
    }


def _await_result(site: MachineSite, task_id: str, deadline: float) -> dict[str, Any]:
    while True:
        status, _, body = fetch(site.front, "GET", f"/status/{task_id}")
        told: dict[str, Any] = json.loads(body) if status == 200 else {"status": status}
        if told["status"] in ("SUCCESS", "FAILURE", 404) or time.monotonic() > deadline:
            return told
        time.sleep(0.1)
