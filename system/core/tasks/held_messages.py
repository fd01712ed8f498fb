"""The messages that a worker holds unacknowledged, in Redis: many are taken and acknowledged in one round trip."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from itertools import count
from typing import Any

import redis

from .redis_connection import run_script

# KEYS: the held messages, the times of their leases, then the queues. ARGV: now, the length of the keys' prefix,
# how many messages are acknowledged, their tags, then a tag for each message that may be taken.
# Takes one message from each queue in turn, and holds it. What is held is text of the form that kombu restores.
# Returns the number of its queue and its text for each message taken.
_EXCHANGE = """
local now, prefix, acknowledged = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if acknowledged > 0 then
  redis.call('HDEL', KEYS[1], unpack(ARGV, 4, acknowledged + 3))
  redis.call('ZREM', KEYS[2], unpack(ARGV, 4, acknowledged + 3))
end
local taken, queues, turn, empty, tag = {}, #KEYS - 2, 0, 0, acknowledged + 4
while tag <= #ARGV and empty < queues do
  local queue = KEYS[3 + turn % queues]
  local text = redis.call('RPOP', queue)
  if text then
    local place = cjson.encode(string.sub(queue, prefix + 1))
    redis.call('ZADD', KEYS[2], now, ARGV[tag])
    redis.call('HSET', KEYS[1], ARGV[tag], '[' .. text .. ',"",' .. place .. ']')
    taken[#taken + 1] = {turn % queues, text}
    tag, empty = tag + 1, 0
  else
    empty = empty + 1
  end
  turn = turn + 1
end
return taken
"""

# as many messages are taken, or acknowledged, at once
MOST_AT_ONCE = 100


class HeldMessages:
    """What a channel of a worker holds. Its methods raise redis-py's errors."""

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._client = redis.Redis(connection_pool=channel.pool)
        self._prefix = channel.global_keyprefix
        self._keys = [self._prefix + channel.unacked_key, self._prefix + channel.unacked_index_key]
        self._name, self._numbers = uuid.uuid4().hex, count()

    def acknowledge(self, tags: Sequence[str]) -> None:
        """Forget messages."""
        self._run(tags, [], [])

    def take(self, acknowledged: Sequence[str], queues: Sequence[str], most: int) -> list[tuple[str, str, bytes]]:
        """Acknowledge messages, and take up to so many: the tag, queue and text of each.

        If the reply is lost, the lease of what was taken ends, and it is requeued.
        """
        tags = [f"{self._name}.{next(self._numbers)}" for _ in range(min(most, MOST_AT_ONCE))]
        taken = self._run(acknowledged, queues, tags)
        return [(tag, queues[place], text) for tag, (place, text) in zip(tags, taken, strict=False)]

    def hold(self, tag: str, text: str) -> None:
        """Keep a message that came without `take`."""
        pipe = self._client.pipeline(transaction=False)
        pipe.zadd(self._keys[1], {tag: self._now()})
        pipe.hset(self._keys[0], tag, text)
        pipe.execute()

    def _run(self, acknowledged: Sequence[str], queues: Sequence[str], tags: list[str]) -> Any:
        keys = [*self._keys, *(self._prefix + queue for queue in queues)]
        arguments = [self._now(), len(self._prefix), len(acknowledged), *acknowledged, *tags]
        return run_script(self._client, _EXCHANGE, keys, arguments)

    def _now(self) -> float:
        return float(self._channel.clock.now(self._client))
