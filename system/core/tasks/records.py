"""The records of the tasks in Redis: one JSON text for each, read with one GET, written with one script.

A record begins {"runs":n,"status":"WORD": the script reads this much of it and nothing else. A final record
(SUCCESS, FAILURE, REVOKED) is never written over, so a task that is run again cannot lose its result, nor a
cancelled one come back.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from pydantic_core import from_json, to_json

from ..errors import BrokerUnavailable
from .celery_app import ANSWER_SECONDS, CONNECT_SECONDS, DAY, Address

log = logging.getLogger("kernkoa.tasks")

FINAL = frozenset({"SUCCESS", "FAILURE", "REVOKED"})
# what update_state may not be told: Celery's own words mean something to Celery
RESERVED_STATES = FINAL | {"PENDING", "RETRY", "STARTED", "RECEIVED", "REJECTED", "IGNORED"}
# the newest tasks, which the board lists
MOST_LISTED = 10_000

# KEYS: the record, those who wait for a worker. ARGV: the record after its runs, its seconds to live, the id, "1"
# where the message was delivered before. Answers the runs and the record before; -1 where that one is final, -2
# where the task runs already and this is a second message of it.
_START = """
local old = redis.call('GET', KEYS[1]) or ''
redis.call('ZREM', KEYS[2], ARGV[3])
local status = string.match(old, '^{"runs":%d+,"status":"([^"]*)"')
if status == 'SUCCESS' or status == 'FAILURE' or status == 'REVOKED' then return {-1, old} end
if status and status ~= 'PENDING' and status ~= 'RETRY' and ARGV[4] == '0' then return {-2, old} end
local runs = tonumber(string.match(old, '^{"runs":(%d+)') or '0') + 1
redis.call('SET', KEYS[1], '{"runs":' .. runs .. ',' .. ARGV[1], 'EX', ARGV[2])
return {runs, old}
"""

# KEYS: the record. ARGV: the record after its runs, its seconds to live, what to add to runs or "reset",
# "1" to tell those who wait. Answers the runs and the record before, runs 0 where that one was final.
_WRITE = """
local old = redis.call('GET', KEYS[1]) or ''
local status = string.match(old, '^{"runs":%d+,"status":"(%u+)"')
if status == 'SUCCESS' or status == 'FAILURE' or status == 'REVOKED' then return {-1, old} end
local runs = tonumber(string.match(old, '^{"runs":(%d+)') or '0')
if ARGV[3] == 'reset' then runs = 0 else runs = math.max(0, runs + tonumber(ARGV[3])) end
local new = '{"runs":' .. runs .. ',' .. ARGV[1]
redis.call('SET', KEYS[1], new, 'EX', ARGV[2])
if ARGV[4] == '1' then redis.call('PUBLISH', KEYS[1], new) end
return {runs, old}
"""

# the same for a record that is there and not final only: REVOKED spliced into it
_CANCEL = """
local old = redis.call('GET', KEYS[1])
if not old then return '' end
local status = string.match(old, '^{"runs":%d+,"status":"(%u+)"')
if status == 'SUCCESS' or status == 'FAILURE' or status == 'REVOKED' then return status end
local record = cjson.decode(old)
local tail = '"status":"REVOKED","result":null,"task_id":' .. cjson.encode(ARGV[1])
for _, name in ipairs({'route', 'queue', 'worker', 'queued', 'started'}) do
  if record[name] ~= nil then tail = tail .. ',"' .. name .. '":' .. cjson.encode(record[name]) end
end
local new = '{"runs":' .. record['runs'] .. ',' .. tail .. ',"done":' .. ARGV[2] .. '}'
redis.call('SET', KEYS[1], new, 'EX', ARGV[3])
redis.call('PUBLISH', KEYS[1], new)
return 'cancelled'
"""

Record = dict[str, Any]


def make_key_prefix(name: str) -> str:
    """What the keys of the records of a site begin with."""
    return f"{name}:task:"


def encode_tail(record: Record) -> str:
    """A record as JSON, `status` first, without its opening brace: the script puts the runs before it."""
    return to_json({"status": record["status"], **record}, inf_nan_mode="null").decode()[1:]


def connect(address: Address) -> Any:
    """A client of Redis that answers or fails within a second. A lost connection is tried once more."""
    import redis  # 0.1 s: only where tasks are used
    from redis.backoff import NoBackoff
    from redis.retry import Retry
    from redis.sentinel import Sentinel

    options: dict[str, Any] = {
        "socket_timeout": ANSWER_SECONDS,
        "retry": Retry(NoBackoff(), 1, supported_errors=(redis.exceptions.ConnectionError,)),
    }
    if address.master:
        options |= {
            "socket_connect_timeout": CONNECT_SECONDS,
            "db": address.database,
            "password": address.password,
        }
        sentinel: Any = Sentinel
        return sentinel(list(address.sentinels), **options).master_for(address.master)
    if not address.client.startswith("unix:"):
        options["socket_connect_timeout"] = CONNECT_SECONDS
    return redis.Redis.from_url(address.client, **options)


class Records:
    """The records of a site's tasks. Its methods raise BrokerUnavailable where Redis does not answer."""

    def __init__(self, name: str, address: Address, seconds: float, advice: str = "") -> None:
        self._name = name
        self._address = address
        self._seconds = int(seconds)
        self._advice = advice
        self._prefix = make_key_prefix(name)
        self._index = f"{name}:tasks:newest"
        self._workers = f"{name}:workers"

    @cached_property
    def client(self) -> Any:
        return connect(self._address)

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Redis's own errors become BrokerUnavailable."""
        from redis.exceptions import RedisError

        try:
            yield
        except (RedisError, OSError) as error:
            raise self.unavailable(error) from error

    def unavailable(self, error: BaseException) -> BrokerUnavailable:
        log.warning("Redis does not answer: %s", error)
        return BrokerUnavailable(
            f"Tasks cannot be reached at the moment: Redis does not answer. {self._advice or 'Try again soon.'}"
        )

    def key(self, task_id: str) -> str:
        return self._prefix + task_id

    def mark(self, task_id: str, queue: str, message: Record, due: float) -> bool:
        """Say that a task is queued, before it is; False where the id is taken.

        The mark keeps the message until a worker starts it: see find_lost.
        """
        queued = message["queued"]
        record = {"status": "PENDING", "route": message["route"], "queue": queue, "queued": queued}
        record |= {"task_id": task_id, "message": message}
        with self.reached():
            pipe = self.client.pipeline(transaction=False)
            pipe.set(self.key(task_id), '{"runs":0,' + encode_tail(record), nx=True, ex=self._seconds)
            pipe.zadd(self._index, {task_id: queued})
            pipe.zremrangebyrank(self._index, 0, -MOST_LISTED - 1)
            pipe.zadd(self._waiting(queue), {task_id: due}, nx=True)
            return bool(pipe.execute()[0])

    def _waiting(self, queue: str) -> str:
        return f"{self._name}:waiting:{queue}"

    def start(
        self, client: Any, task_id: str, record: Record, queue: str, redelivered: bool
    ) -> tuple[int, Record]:
        """Say that a task runs: the runs so far, -1 where it ended, -2 where it runs; and the record before."""
        keys = self.key(task_id), self._waiting(queue)
        flag = "1" if redelivered else "0"
        runs, old = client.eval(_START, 2, *keys, encode_tail(record), self._seconds, task_id, flag)
        return runs, from_json(old) if old else {}

    def find_lost(self, queue: str, seconds: float) -> list[Record]:
        """The marks of tasks whose message is gone: popped for a worker that died before it had it.

        Redis hands a message to a worker's socket and forgets it; the worker writes it down with its next command.
        A queue is first in, first out: what was due well before the message that is next, is not in the queue any
        more, and what no worker holds either, is lost. One worker looks, once in so many seconds.
        """
        with self.reached():
            if not self.client.set(f"{self._name}:looked:{queue}", "1", nx=True, ex=max(1, int(seconds))):
                return []
            before = self._oldest(queue) - seconds
            ids = [name.decode() for name in self.client.zrangebyscore(self._waiting(queue), 0, before, 0, 1000)]
            if not ids:
                return []
            held = b"".join(self.client.hvals(f"{self._name}:unacked"))
            gone = [task_id for task_id in ids if task_id.encode() not in held]
            raw = self.client.mget([self.key(task_id) for task_id in gone]) if gone else []
        records = [from_json(text) if text else {} for text in raw]
        for task_id, record in zip(gone, records, strict=True):
            if not _waits(record):
                self.client.zrem(self._waiting(queue), task_id)
        return [record for record in records if _waits(record)]

    def _oldest(self, queue: str) -> float:
        """When the message that is next in a queue was due; now where there is none, 0 where it cannot be told."""
        raw = self.client.lindex(f"{self._name}:{queue}", -1)
        if raw is None:
            return time.time()
        score = self.client.zscore(self._waiting(queue), from_json(raw)["headers"]["id"])
        return float(score or 0)

    def wait(self, client: Any, task_id: str, queue: str, due: float) -> None:
        """A task waits for a worker again; raises the client's own errors."""
        client.zadd(self._waiting(queue), {task_id: due})

    def forget(self, task_id: str, queue: str) -> None:
        """Take a mark back: the task could not be queued. Quiet where Redis is away: the mark expires."""
        from redis.exceptions import RedisError

        try:
            pipe = self.client.pipeline()
            pipe.delete(self.key(task_id)).zrem(self._index, task_id).zrem(self._waiting(queue), task_id).execute()
        except (RedisError, OSError) as error:
            log.debug("The mark of %s stays until it expires: %s", task_id, error)

    def read(self, task_id: str) -> bytes | None:
        """The raw record: one GET. None for an id that was never given, or has expired."""
        with self.reached():
            return self.client.get(self.key(task_id))  # type: ignore[no-any-return]

    def write(self, task_id: str, record: Record, add: int | str = 0) -> tuple[int, Record]:
        """Write a record unless the one there is final; the runs (-1 where it is) and the record before."""
        with self.reached():
            return self.write_with(self.client, task_id, encode_tail(record), add, record["status"] in FINAL)

    def write_with(self, client: Any, task_id: str, tail: str, add: int | str, told: bool) -> tuple[int, Record]:
        """As write, with a client and an encoded record of the caller's; raises that client's own errors."""
        key = self.key(task_id)
        runs, old = client.eval(_WRITE, 1, key, tail, self._seconds, add, "1" if told else "0")
        return runs, from_json(old) if old else {}

    def cancel(self, task_id: str) -> str:
        """Cancel a task, queued or running: "cancelled", the status of one that ended, "" for an unknown id."""
        with self.reached():
            answer = self.client.eval(_CANCEL, 1, self.key(task_id), task_id, time.time(), self._seconds)
        return str(answer.decode() if isinstance(answer, bytes) else answer)

    def claim(self, token: str, value: str) -> str | None:
        """Keep a value under a token for a day; the value that is there already, None where there was none."""
        with self.reached():
            key = f"{self._name}:once:{token}"
            if self.client.set(key, value, nx=True, ex=DAY):
                return None
            return (self.client.get(key) or b"").decode() or None

    def release(self, token: str) -> None:
        with self.reached():
            self.client.delete(f"{self._name}:once:{token}")

    def newest(self, most: int) -> list[Record]:
        """The records of the newest tasks, newest first."""
        with self.reached():
            ids = [name.decode() for name in self.client.zrevrange(self._index, 0, most - 1)]
            raw = self.client.mget([self.key(task_id) for task_id in ids]) if ids else []
        return [{"task_id": task_id, **from_json(text)} for task_id, text in zip(ids, raw, strict=True) if text]

    def count_queued(self, queues: tuple[str, ...]) -> dict[str, int]:
        """How many messages wait in each queue."""
        with self.reached():
            pipe = self.client.pipeline(transaction=False)
            for queue in queues:
                pipe.llen(f"{self._name}:{queue}")
            return dict(zip(queues, pipe.execute(), strict=True))

    def greet(self, worker: str, about: Record) -> None:
        """A worker says that it is alive."""
        with self.reached():
            self.client.hset(self._workers, worker, json.dumps({**about, "seen": time.time()}))

    def leave(self, worker: str) -> None:
        with self.reached():
            self.client.hdel(self._workers, worker)

    def workers(self, seconds: float) -> list[Record]:
        """The workers that said within so many seconds that they are alive."""
        with self.reached():
            told = self.client.hgetall(self._workers)
        found = [{"name": name.decode(), **from_json(text)} for name, text in told.items()]
        gone = [about["name"] for about in found if time.time() - about["seen"] > max(seconds, 3600)]
        if gone:
            with self.reached():
                self.client.hdel(self._workers, *gone)
        return sorted(
            (about for about in found if time.time() - about["seen"] <= seconds), key=lambda about: about["name"]
        )

    def judge_server(self) -> list[str]:
        """What a Redis is not set up for: it may lose tasks. Nothing where it does not tell its settings."""
        from redis.exceptions import RedisError

        try:
            found = self.client.config_get("appendonly", "maxmemory", "maxmemory-policy")
        except (RedisError, OSError):
            return []
        told = {_text(name): _text(value) for name, value in found.items()}
        warnings = []
        if told.get("maxmemory", "0") != "0" and told.get("maxmemory-policy", "noeviction") != "noeviction":
            warnings.append(
                f"Redis has maxmemory-policy {told['maxmemory-policy']}: when it is full it throws queued tasks "
                "away. Set it to noeviction."
            )
        if told.get("appendonly") == "no":
            warnings.append("Redis has appendonly no: queued tasks are lost when it restarts. Set it to yes.")
        return warnings

    def renew(self, tags: set[str]) -> None:
        """Renew the leases of messages that a worker holds, by their delivery tags."""
        if tags:
            with self.reached():
                self.client.zadd(f"{self._name}:unacked_index", dict.fromkeys(tags, time.time()), xx=True)

    def heads(self, task_ids: list[str]) -> list[bytes]:
        """The beginnings of some records: enough to tell which are cancelled."""
        with self.reached():
            pipe = self.client.pipeline(transaction=False)
            for task_id in task_ids:
                pipe.getrange(self.key(task_id), 0, 40)
            return list(pipe.execute())

    def remember_slot(self, route: str, slot: float, first: bool = False) -> float:
        """Keep when a scheduled method was last due; with `first` only where nothing is kept. What is kept."""
        with self.reached():
            key = f"{self._name}:schedules"
            (self.client.hsetnx if first else self.client.hset)(key, route, slot)
            return float(self.client.hget(key, route))


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _waits(record: Record) -> bool:
    return record.get("status") in ("PENDING", "RETRY") and "message" in record


def watch(read: Callable[[], bytes | None], seen: bytes | None, seconds: float) -> bytes | None:
    """Read a record until it differs from what was seen, or the time is up."""
    deadline, pause = time.monotonic() + seconds, 0.005
    raw = read()
    while raw == seen and time.monotonic() < deadline:
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * 1.5, 0.25)
        raw = read()
    return raw
