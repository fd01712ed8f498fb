"""The queues of a site: puts a task into one, counts what waits, renews leases, finds messages that were lost."""

from __future__ import annotations

import base64
import json
import uuid
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from .begin_script import MOST_LISTED
from .counts import COUNT
from .records import FINAL, Record, Records, decode
from .redis_connection import RedisConnection
from .tracing import trace_headers

QUEUE = "tasks"
# the name of the one Celery task, which runs any task method
RUN = "kernkoa.run"

# KEYS: the record, the index of the newest, those who wait for a worker, the queue, the counts. ARGV: the id, when
# it was queued, when it is due, how many may wait (0: any), the message or "", the queue's name, then more fields.
# The record of a task that waits does not expire. Returns 1, also if it was done before and the reply was lost; 0
# if the id is taken; -1 if too many wait.
_PUT = (
    COUNT
    + f"""
local queued = redis.call('HGET', KEYS[1], 'queued')
if queued then return queued == ARGV[2] and 1 or 0 end
local most, waiting = tonumber(ARGV[4]), redis.call('ZCARD', KEYS[3])
local now, due, queue = tonumber(ARGV[2]), ARGV[3], ARGV[6]
if most > 0 and waiting >= most then return -1 end
redis.call('HSET', KEYS[1], 'status', 'PENDING', 'queue', queue, 'queued', ARGV[2], 'due', due, unpack(ARGV, 7))
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
if note_waiting(KEYS[5], now, queue, waiting + 1) then
  redis.call('ZREMRANGEBYRANK', KEYS[2], 0, -{MOST_LISTED} - 1)
end
note_most(KEYS[5], now, queue, waiting + 1)
redis.call('ZADD', KEYS[3], due, ARGV[1])
if ARGV[5] ~= '' then redis.call('LPUSH', KEYS[4], ARGV[5]) end
return 1
"""
)

# The same for a task that waits again. KEYS: the record, those who wait, the queue. ARGV: the id, when it is due,
# the message or "", "1" to send only what waits, then the fields. Returns the status before; '' if there is no
# record. A second try, of which the first was done and its reply lost, is known by its time.
_PUT_AGAIN = """
local status, due = unpack(redis.pcall('HMGET', KEYS[1], 'status', 'due'))
if not status or status == 'SUCCESS' or status == 'FAILURE' or status == 'REVOKED' then return status or '' end
if status ~= 'STARTED' and due == ARGV[2] then return status end
if ARGV[4] == '1' and not redis.call('ZSCORE', KEYS[2], ARGV[1]) then return status end
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
redis.call('PERSIST', KEYS[1])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
if ARGV[3] ~= '' then redis.call('LPUSH', KEYS[3], ARGV[3]) end
return status
"""


def make_message(task_id: str, route: str, queue: str, eta: float | None, retries: int = 0) -> str:
    """A message of Celery's protocol, version 2, as its Redis transport keeps it. A delayed task has an `eta`.

    It has the id, and the trace of the request: what a user sent is in the record, where neither Celery nor kombu
    reads it.
    """
    headers = {
        "lang": "py",
        "task": RUN,
        "id": task_id,
        "root_id": task_id,
        "parent_id": None,
        "group": None,
        "shadow": route,
        "eta": None if eta is None else datetime.fromtimestamp(eta, UTC).isoformat(),
        "expires": None,
        "retries": retries,
        "timelimit": [None, None],
        "argsrepr": "()",
        "kwargsrepr": "{}",
    }
    properties = {
        "correlation_id": task_id,
        "delivery_mode": 2,
        "delivery_info": {"exchange": "", "routing_key": queue},
        "priority": 0,
        "body_encoding": "base64",
        "delivery_tag": str(uuid.uuid4()),
    }
    return json.dumps({**_BODY, "headers": {**trace_headers(), **headers}, "properties": properties})


_BODY = {
    "body": base64.b64encode(b'[[], {}, {"callbacks":null,"errbacks":null,"chain":null,"chord":null}]').decode(),
    "content-encoding": "utf-8",
    "content-type": "application/json",
}


class Queues:
    """The queues of a site in Redis. Its methods raise BrokerUnavailable if Redis does not answer."""

    def __init__(self, redis: RedisConnection, records: Records) -> None:
        self._redis = redis
        self._records = records

    def put(
        self, task_id: str, queue: str, times: tuple[float, float], most: int, message: str, more: Record
    ) -> int:
        """Record a new task and put its message into its queue, both or neither. See _PUT.

        `times` are when it is queued and when it is due; `more` are fields of the record.
        """
        keys = [self._records.key(task_id), self._records.index, self._waiting(queue), self._redis.key(queue)]
        keys.append(self._records.counts.key(times[0]))
        values = [part for item in more.items() for part in item]
        return int(self._redis.run_script(_PUT, keys, [task_id, *times, most, message, queue, *values]))

    def put_again(
        self, task_id: str, queue: str, due: float, message: str, fields: Record, lost: bool = False
    ) -> str:
        """Requeue a task, unless it is final. Returns its status before.

        With `lost` only if it still waits: a worker may have taken it meanwhile.
        """
        keys = [self._records.key(task_id), self._waiting(queue), self._redis.key(queue)]
        values = [part for item in {"status": "PENDING", "due": due, **fields}.items() for part in item]
        found = self._redis.run_script(_PUT_AGAIN, keys, [task_id, due, message, int(lost), *values])
        return str(found.decode() if isinstance(found, bytes) else found)

    def take_back(self, task_id: str, queue: str) -> None:
        """Remove a task whose message could not be sent."""
        with self._redis.reached():
            pipe = self._redis.client.pipeline()
            pipe.delete(self._records.key(task_id)).zrem(self._records.index, task_id)
            pipe.zrem(self._waiting(queue), task_id).execute()

    def purge(self, queue: str) -> list[str]:
        """Empty a queue. Returns the ids of the tasks that waited in it; their records do not change."""
        with self._redis.reached():
            pipe = self._redis.client.pipeline()
            pipe.zrange(self._waiting(queue), 0, -1)
            pipe.delete(self._waiting(queue), self._redis.key(queue))
            return [name.decode() for name in pipe.execute()[0]]

    def put_off(self, task_id: str, due: float) -> None:
        """Keep a task and its trace until it is due, for a broker that cannot delay a message."""
        trace = trace_headers()
        with self._redis.reached():
            pipe = self._redis.client.pipeline()
            pipe.zadd(self._redis.key("delayed"), {task_id: due})
            if trace:
                pipe.hset(self._records.key(task_id), "trace", json.dumps(trace))
            pipe.execute()

    def find_due(self) -> list[Record]:
        """The tasks that were put off and are due. They stay in the list: see drop_delayed."""
        with self._redis.reached():
            client = self._redis.client
            due = client.zrangebyscore(self._redis.key("delayed"), 0, self._redis.now(), 0, 100)
            found = [client.hgetall(self._records.key(name.decode())) for name in due]
        records = [decode({name.decode(): value for name, value in fields.items()}) for fields in found]
        return [{"task_id": name.decode(), **record} for name, record in zip(due, records, strict=True)]

    def drop_delayed(self, task_id: str) -> None:
        """Forget that a task was put off."""
        with self._redis.reached():
            self._redis.client.zrem(self._redis.key("delayed"), task_id)

    def _waiting(self, queue: str) -> str:
        return self._redis.key("waiting", queue)

    def count(self, queues: tuple[str, ...]) -> dict[str, int]:
        """How many tasks wait for a worker, by queue."""
        with self._redis.reached():
            pipe = self._redis.client.pipeline(transaction=False)
            for queue in queues:
                pipe.zcard(self._waiting(queue))
            return dict(zip(queues, pipe.execute(), strict=True))

    def renew(self, tags: set[str]) -> None:
        """Renew the leases of the messages with these delivery tags."""
        if tags:
            with self._redis.reached():
                held = self._redis.key("unacked_index")
                self._redis.client.zadd(held, dict.fromkeys(tags, self._redis.now()), xx=True)

    def find_lost(self, queue: str, seconds: float) -> list[Record]:
        """The records of tasks whose message was lost: a worker died before it received the popped message.

        Redis hands a message to a worker's socket and forgets it; the worker writes it down with its next command.
        A queue is first in, first out: a task that was due well before the next message, and that no worker holds,
        is lost. Requeued tasks come before all others, as if they had been due at 0. One worker looks, once in so
        many seconds.
        """
        with self._redis.reached():
            client = self._redis.client
            if not client.set(self._redis.key("looked", queue), "1", nx=True, ex=max(1, int(seconds))):
                return []
            before = self._oldest(queue) - seconds
            waiting = client.zrangebyscore(self._waiting(queue), 0, before, 0, 1000)
            held = b"".join(client.hvals(self._redis.key("unacked"))) if waiting else b""
            gone = self._missing_twice(queue, [name for name in waiting if name not in held], seconds)
            pipe = client.pipeline(transaction=False)
            for task_id in gone:
                pipe.hgetall(self._records.key(task_id))
            found = pipe.execute(raise_on_error=False) if gone else []  # a key of another type is no record
            records = [_read_record(fields) for fields in found]
            over = [task_id for task_id, record in zip(gone, records, strict=True) if not _waits(record)]
            if over:
                client.zrem(self._waiting(queue), *over)
        pairs = zip(gone, records, strict=True)
        return [{"task_id": task_id, **record} for task_id, record in pairs if _waits(record)]

    def _missing_twice(self, queue: str, missing: list[bytes], seconds: float) -> list[str]:
        """The tasks that were also missing at the last check: a message may be on its way to a worker."""
        key = self._redis.key("missing", queue)
        pipe = self._redis.client.pipeline()
        pipe.smembers(key).delete(key)
        if missing:
            pipe.sadd(key, *missing).expire(key, int(4 * seconds) + 1)
        before = pipe.execute()[0]
        return [name.decode() for name in missing if name in before]

    def _oldest(self, queue: str) -> float:
        """When the next message of a queue was due; now if it is empty, 0 if it is not known."""
        raw = self._redis.client.lindex(self._redis.key(queue), -1)
        if raw is None:
            return self._redis.now()
        task_id = read_task_id(raw)
        score = self._redis.client.zscore(self._waiting(queue), task_id) if task_id else None
        return float(score or 0)


def read_task_id(raw: bytes) -> str:
    """The id in a message; "" if it is not a message."""
    try:
        found: Any = from_json(raw)["headers"]["id"]
    except (ValueError, LookupError, TypeError):
        return ""
    return found if isinstance(found, str) else ""


def _read_record(fields: Any) -> Record:
    if not isinstance(fields, dict):
        return {}
    return decode({name.decode(errors="replace"): value for name, value in fields.items()})


def _waits(record: Record) -> bool:
    return record.get("status", "SUCCESS") not in FINAL
