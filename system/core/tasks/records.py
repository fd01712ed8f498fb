"""The record of each task: a hash in Redis with its status, its last report, its result, and its message.

A final record (SUCCESS, FAILURE, REVOKED) is never overwritten: a task that runs again cannot lose its result,
and a cancelled one does not come back.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from types import NoneType
from typing import Any

from pydantic_core import from_json

from .begin_script import BEGIN
from .counts import COUNT, Counts
from .redis_connection import RedisConnection

FINAL = frozenset({"SUCCESS", "FAILURE", "REVOKED"})
# words with their own meaning, which a report may not use as its state
RESERVED_STATES = FINAL | {"PENDING", "RETRY", "STARTED", "RECEIVED", "REJECTED", "IGNORED"}
# as many of the newest failures
MOST_FAILED = 1_000
# a record may expire earlier by this part of its time: as if its task had ended when it started
EARLY = 1_000
# the message of a task that was successful is kept up to this size; the field `bytes` has a larger one
MOST_KEPT_BYTES = 1_024
# a task whose message was sent again so often is given up
MOST_RESENDS = 5

# what a status needs; the message is for the worker alone
FIELDS = (
    "status",
    "route",
    "queue",
    "queued",
    "due",
    "started",
    "done",
    "worker",
    "runs",
    "state",
    "result",
    "error",
    "log",
)
_LISTED = tuple(name for name in FIELDS if name not in ("result", "state", "log"))
_NUMBERS = frozenset({"queued", "due", "started", "done", "runs", "retries", "resends"})
_JSON = frozenset({"state", "result", "error", "log", "trace"})

# no time is later (the year 5138)
_LATEST = 1e11
_SHAPES: dict[str, tuple[type, ...]] = {
    "state": (dict, NoneType),
    "error": (dict, NoneType),
    "log": (list,),
    "trace": (dict,),
}

_IS_FINAL = "local function final(status) return status=='SUCCESS' or status=='FAILURE' or status=='REVOKED' end\n"

# KEYS: the record, the beginning of the keys of those who wait, the counts, the index of those that run, their
# leases. ARGV: the id, the seconds to live, "1" if the message was delivered before, the seconds of a
# lease or 0, now, the name of this run, the worker.
# Returns how often the task was started, and its record before; or -1 without a record, -2 if it is final, -3 if
# it runs and this is a second message. A run whose first reply was lost asks again and gets the same number.
_START = (
    _IS_FINAL
    + BEGIN
    + """
local fields, record = read_record(KEYS[1])
local status, queue = record.status, tostring(record.queue)
if not status then return {-1, {}} end
if status == 'STARTED' and record.run == ARGV[6] then return {tonumber(record.runs) or 1, fields} end
if final(status) then
  redis.call('ZREM', KEYS[2] .. queue, ARGV[1])
  return {-2, {}}
end
local lease, now = tonumber(ARGV[4]), tonumber(ARGV[5])
if status == 'STARTED' then
  local renewed = lease > 0 and redis.call('ZSCORE', KEYS[5], ARGV[1])
  if ARGV[3] == '0' or (renewed and renewed + lease > now) then
    redis.call('ZREM', KEYS[2] .. queue, ARGV[1])
    return {-3, {}}
  end
end
if lease > 0 then redis.call('ZADD', KEYS[5], now, ARGV[1]) end
return {begin(KEYS, ARGV[1], record, now, ARGV[2], ARGV[6], ARGV[7]), fields}
"""
)

# KEYS: the record. ARGV: its seconds to live, then the fields. Returns the status before, '' without a record.
_WRITE = (
    _IS_FINAL
    + """
local status = unpack(redis.pcall('HMGET', KEYS[1], 'status'))
if not status or final(status) then return status or '' end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('EXPIRE', KEYS[1], ARGV[1])
return status
"""
)

# KEYS: the record, the counts, the index of those that run, that of those that failed. ARGV: the id, the seconds
# to live, now, the status, then the fields. Returns the status before, '' without a record.
_END = (
    _IS_FINAL
    + COUNT
    + f"""
local status, started, bytes = unpack(redis.pcall('HMGET', KEYS[1], 'status', 'started', 'bytes'))
redis.call('ZREM', KEYS[3], ARGV[1])
if not status or final(status) then return status or '' end
local now = tonumber(ARGV[3])
started = status == 'STARTED' and tonumber(started)
redis.call('HSET', KEYS[1], 'status', ARGV[4], 'done', ARGV[3], unpack(ARGV, 5))
if not started or now - started > tonumber(ARGV[2]) / {EARLY} then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
if ARGV[4] == 'SUCCESS' and bytes then redis.call('HSET', KEYS[1], 'message', '') end
count_ended(KEYS[2], now, ARGV[4], started)
if ARGV[4] == 'FAILURE' then
  redis.call('ZADD', KEYS[4], now, ARGV[1])
  redis.call('ZREMRANGEBYRANK', KEYS[4], 0, -{MOST_FAILED} - 1)
end
return status
"""
)

Record = dict[str, Any]
Raw = list[bytes | None]


class Records:
    """The records of a site's tasks. Its methods raise BrokerUnavailable if Redis does not answer."""

    def __init__(self, redis: RedisConnection, seconds: float) -> None:
        self._redis = redis
        self.seconds = int(seconds)
        self.counts = Counts(redis)

    def key(self, task_id: str) -> str:
        return self._redis.key("task", task_id)

    @property
    def index(self) -> str:
        """The key of the newest tasks, by the time at which they were queued."""
        return self._redis.key("tasks", "newest")

    def index_of(self, status: str) -> str:
        """The key of the index that has the tasks of a status: by the time they started, failed or were queued."""
        if status in ("STARTED", "FAILURE"):
            return self._redis.key("tasks", "started" if status == "STARTED" else "failed")
        return self.index

    def start(self, task_id: str, run: str, worker: str, redelivered: bool, lease: float) -> tuple[int, Record]:
        """Record that a task runs. Returns the number of its runs and the record, or what _START says.

        `run` is the name of this run: a start that is repeated, because its reply was lost, counts once.
        """
        now = self._redis.now()
        keys = [self.key(task_id), self._redis.key("waiting", ""), self.counts.key(now)]
        keys += [self.index_of("STARTED"), self._redis.key("running")]
        arguments = [task_id, self.seconds, int(redelivered), lease, now, run, worker]
        runs, found = self._redis.run_script(_START, keys, arguments)
        return int(runs), decode_pairs(found)

    def write(self, task_id: str, fields: Mapping[str, Any]) -> str:
        """Write fields of a record unless it is final. Returns the status before; "" if there is no record."""
        values = [part for item in fields.items() for part in item]
        found = self._redis.run_script(_WRITE, [self.key(task_id)], [self.seconds, *values])
        return str(found.decode() if isinstance(found, bytes) else found)

    def cancel(self, task_id: str) -> str:
        """Cancel a task, queued or running. Returns the status before; "" for an unknown id."""
        return self.end(task_id, "REVOKED", {})

    def end(self, task_id: str, status: str, fields: Mapping[str, Any]) -> str:
        """Record the end of a task, and count it, unless it is final. Returns the status before, as `write`."""
        now = self._redis.now()
        keys = [self.key(task_id), self.counts.key(now), self.index_of("STARTED"), self.index_of("FAILURE")]
        values = [part for item in fields.items() for part in item]
        found = self._redis.run_script(_END, keys, [task_id, self.seconds, now, status, *values])
        return str(found.decode() if isinstance(found, bytes) else found)

    def read(self, task_id: str) -> Raw | None:
        """The raw values of FIELDS; None for an id that was never given, or has expired."""
        with self._redis.reached():
            raw: Raw = self._redis.client.hmget(self.key(task_id), FIELDS)
        return raw if raw[0] is not None else None

    def load(self, task_id: str) -> Record:
        """The whole record of a task, with its message; empty for an unknown id."""
        with self._redis.reached():
            found = self._redis.client.hgetall(self.key(task_id))
        record = decode({name.decode(): value for name, value in found.items()})
        return {"task_id": task_id, **record} if "status" in record else {}

    def statuses(self, task_ids: Iterable[str]) -> list[str]:
        """The status of each task; "" for one without a record."""
        with self._redis.reached():
            pipe = self._redis.client.pipeline(transaction=False)
            for task_id in task_ids:
                pipe.hget(self.key(task_id), "status")
            found = pipe.execute(raise_on_error=False)
        return [status.decode(errors="replace") if isinstance(status, bytes) else "" for status in found]

    def read_many(self, ids: Sequence[str]) -> list[Record]:
        """The records of tasks, in the order of their ids, without their results; none of an unknown id."""
        with self._redis.reached():
            pipe = self._redis.client.pipeline(transaction=False)
            for task_id in ids:
                pipe.hmget(self.key(task_id), _LISTED)
            raw = pipe.execute(raise_on_error=False)  # a key of another type is no record
        records = (decode_fields(values, _LISTED) if isinstance(values, list) else {} for values in raw)
        pairs = zip(ids, records, strict=True)
        return [{"task_id": task_id, **record} for task_id, record in pairs if "status" in record]


def decode_fields(raw: Raw, names: tuple[str, ...] = FIELDS) -> Record:
    """A record from the values of its fields; empty if there is none."""
    return decode({name: value for name, value in zip(names, raw, strict=True) if value is not None})


def decode_pairs(found: Sequence[bytes]) -> Record:
    """A record from names and values by turns."""
    names = (name.decode() for name in found[::2])
    return decode(dict(zip(names, found[1::2], strict=True)))


def decode(fields: Mapping[str, bytes]) -> Record:
    """A record from its fields in Redis. What cannot be read there is left out."""
    found: Record = {}
    for name, value in fields.items():
        try:
            found[name] = _decode_field(name, value)
        except ValueError:
            continue
    return found


def _decode_field(name: str, value: bytes) -> Any:
    if name in _JSON:
        found = from_json(value)
        if not isinstance(found, _SHAPES.get(name, object)):
            raise ValueError(name)
        return found
    if name in _NUMBERS:
        number = float(value)
        if not 0 <= number < _LATEST:
            raise ValueError(name)
        return number
    return value if name == "message" else value.decode(errors="replace")


def watch(read: Any, seen: Raw | None, seconds: float) -> Raw | None:
    """Read a record until it differs from what was seen, or the time is up."""
    deadline, pause = time.monotonic() + seconds, 0.005
    raw: Raw | None = read()
    while raw == seen and time.monotonic() < deadline:
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * 1.5, 0.25)
        raw = read()
    return raw
