"""The messages that a worker holds unacknowledged, in Redis: many are taken and acknowledged in one round trip."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from itertools import count
from typing import Any

import redis

from .begin_script import BEGIN
from .redis_connection import run_script

# ARGV begin with: now, the length of the keys' prefix, the name of the worker ("": it begins no task here), the
# seconds that a record lives. KEYS with the held messages, and the times of their leases.
# A task that is as it was queued and is due begins with its message: no other command is needed before it runs.
# All others, and those with a large record, are begun by the process that runs them, which looks closer.
_HOLD = (
    BEGIN
    + """
local now, prefix = ARGV[1], string.sub(KEYS[1], 1, tonumber(ARGV[2]))
local function begin_held(id, run)
  if ARGV[3] == '' or not id then return false end
  local key = prefix .. 'task:' .. id
  local fields, record = read_record(key)
  local is_new = record.status == 'PENDING' or record.status == 'RETRY'
  local is_due = tonumber(record.due) and tonumber(record.due) <= tonumber(now)
  if not (is_new and is_due and #(record.message or '') <= LARGEST) then return false end
  local counts = prefix .. 'counts:' .. math.floor(now / 3600)
  local keys = {key, prefix .. 'waiting:', counts, prefix .. 'tasks:started'}
  return {id, begin(keys, id, record, now, ARGV[4], run, ARGV[3]), fields}
end
local function hold(tag, text)
  redis.call('ZADD', KEYS[2], now, tag)
  redis.call('HSET', KEYS[1], tag, text)
end
""".replace("LARGEST", "10000")
)

# More ARGV: the tag of a message, its text, the id of its task, the name of its run. Returns what began.
_HOLD_ONE = _HOLD + "hold(ARGV[5], ARGV[6])\nreturn begin_held(ARGV[7], ARGV[8])"

# More KEYS: the queues. More ARGV: how many messages are acknowledged, their tags, then a tag for each that may be
# taken.
# Takes one message from each queue in turn, and holds it. What is held is text of the form that kombu restores.
# Returns for each message taken the number of its queue, its text and what began.
_EXCHANGE = (
    _HOLD
    + """
local acknowledged = tonumber(ARGV[5])
if acknowledged > 0 then
  redis.call('HDEL', KEYS[1], unpack(ARGV, 6, acknowledged + 5))
  redis.call('ZREM', KEYS[2], unpack(ARGV, 6, acknowledged + 5))
end
local taken, queues, turn, empty, tag = {}, #KEYS - 2, 0, 0, acknowledged + 6
while tag <= #ARGV and empty < queues do
  local queue = KEYS[3 + turn % queues]
  local text = redis.call('RPOP', queue)
  if text then
    hold(ARGV[tag], '[' .. text .. ',"",' .. cjson.encode(string.sub(queue, #prefix + 1)) .. ']')
    local id = string.match(text, '"id": ?"([^"]+)"')
    taken[#taken + 1] = {turn % queues, text, begin_held(id, ARGV[tag])}
    tag, empty = tag + 1, 0
  else
    empty = empty + 1
  end
  turn = turn + 1
end
return taken
"""
)

# as many messages are taken, or acknowledged, at once
MOST_AT_ONCE = 100


# the id of a task, the number of its runs, its record before as names and values; None if it did not begin
Begun = tuple[bytes, int, list[bytes]] | None


class HeldMessages:
    """What a channel of a worker holds. Its methods raise redis-py's errors.

    Where `worker` has the name of one, tasks begin with their messages, and their records live for `seconds`.
    """

    def __init__(self, channel: Any) -> None:
        self.worker, self.seconds = "", 0
        self._channel = channel
        self._client = redis.Redis(connection_pool=channel.pool)
        self._prefix = channel.global_keyprefix
        self._keys = [self._prefix + channel.unacked_key, self._prefix + channel.unacked_index_key]
        self._name, self._numbers = uuid.uuid4().hex, count()

    def acknowledge(self, tags: Sequence[str]) -> None:
        """Forget messages."""
        self._exchange(tags, [], [])

    def take(
        self, acknowledged: Sequence[str], queues: Sequence[str], most: int
    ) -> list[tuple[str, str, bytes, Begun]]:
        """Acknowledge messages, and take up to so many: the tag, queue and text of each, and what began.

        If the reply is lost, the lease of what was taken ends, and it is requeued.
        """
        tags = [self._new_name() for _ in range(min(most, MOST_AT_ONCE))]
        taken = self._exchange(acknowledged, queues, tags)
        return [(tag, queues[place], *more) for tag, (place, *more) in zip(tags, taken, strict=False)]

    def hold(self, tag: str, text: str, task_id: str) -> Begun:
        """Keep a message that came without `take`. Returns what began."""
        found: Begun = self._run(_HOLD_ONE, self._keys, [tag, text, task_id, self._new_name()])
        return found

    def _new_name(self) -> str:
        return f"{self._name}.{next(self._numbers)}"

    def _exchange(self, acknowledged: Sequence[str], queues: Sequence[str], tags: list[str]) -> Any:
        keys = [*self._keys, *(self._prefix + queue for queue in queues)]
        return self._run(_EXCHANGE, keys, [len(acknowledged), *acknowledged, *tags])

    def _run(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        now = float(self._channel.clock.now(self._client))
        first = [now, len(self._prefix), self.worker, self.seconds]
        return run_script(self._client, script, keys, [*first, *arguments])
