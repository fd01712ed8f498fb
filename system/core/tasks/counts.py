"""How many tasks ended, how long they took and how many waited: a minute at a time, kept for a day.

The scripts that start and end a task count it: one hash an hour, whose fields begin with the minute.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from .redis_connection import RedisConnection

HOUR = 3600
KEPT_HOURS = 25
# two steps of a duration's logarithm are a factor of two: a count is right within a fifth
_STEPS = 2

# the length of a queue is noted exactly up to here, and then each time it is a multiple of this
EXACT = 16

# ARGV of the scripts have the time as `now`; `counts` is the key of its hour. note_waiting returns whether it is
# the first of a queue in a minute
COUNT = f"""
local function keep(counts) redis.call('EXPIRE', counts, {KEPT_HOURS * HOUR}) end
local function count_ended(counts, now, status, started)
  local what = math.floor(now / 60) .. ' ' .. status
  if started then
    local milliseconds = math.max(1, (now - started) * 1000)
    what = what .. ' ' .. math.ceil(math.log(milliseconds) / math.log(2) * {_STEPS})
  end
  if redis.call('HINCRBY', counts, what, 1) == 1 then keep(counts) end
end
local function note_waiting(counts, now, queue, number)
  if number > {EXACT} and number % {EXACT} > 0 then return false end
  local is_first = redis.call('HSET', counts, math.floor(now / 60) .. ' waiting ' .. queue, number) == 1
  if is_first then keep(counts) end
  return is_first
end
local function note_most(counts, now, queue, number)
  if number > {EXACT} and number % {EXACT} > 0 then return end
  local most = math.floor(now / 60) .. ' most ' .. queue
  if number > tonumber(redis.call('HGET', counts, most) or -1) then redis.call('HSET', counts, most, number) end
end
"""


@dataclass(slots=True)
class Minute:
    """What was counted in one or more minutes: ended tasks by status, durations by step, the lengths of queues.

    `waiting` is how many waited at the end, `most` how many at most.
    """

    ended: Counter[str] = field(default_factory=Counter)
    took: Counter[int] = field(default_factory=Counter)
    waiting: dict[str, int] = field(default_factory=dict)
    most: dict[str, int] = field(default_factory=dict)

    def seconds(self, share: float) -> float:
        """The duration that this share of the tasks did not exceed: 0.5 is the median. 0 without tasks."""
        left = share * self.took.total()
        for step in sorted(self.took):
            left -= self.took[step]
            if left <= 0:
                return float(2 ** ((step - 0.5) / _STEPS) / 1000)
        return 0.0


class Counts:
    """The counts of a site. Raises BrokerUnavailable if Redis does not answer."""

    def __init__(self, redis: RedisConnection) -> None:
        self._redis = redis

    def key(self, now: float) -> str:
        """The key of an hour."""
        return self._redis.key("counts", str(int(now // HOUR)))

    def read(self, minutes: int, step: int = 1) -> list[Minute]:
        """The last so many minutes, the oldest first, `step` of them in one; the current one is the last.

        A queue keeps its length until the next count.
        """
        now = time.time()
        last = int(now // 60)
        first = last - minutes + 1
        with self._redis.reached():
            pipe = self._redis.client.pipeline(transaction=False)
            for hour in range(first // 60 - 1, last // 60 + 1):  # one more, for the queues
                pipe.hgetall(self.key(hour * HOUR))
            hours = pipe.execute()
        found = _decode([item for hour in hours for item in hour.items()])
        return _join(found, first, last, step)


def _decode(items: list[tuple[bytes, bytes]]) -> dict[int, Minute]:
    """The minutes of hashes; what cannot be read there is left out."""
    found: dict[int, Minute] = {}
    for name, value in items:
        try:
            _put(found, name.decode(), int(value))
        except ValueError:
            continue
    return found


def _put(found: dict[int, Minute], name: str, number: int) -> None:
    minute, kind, *rest = name.split(" ", 2)
    if not (kind.isupper() or kind in ("waiting", "most")):
        return
    counted = found.setdefault(int(minute), Minute())
    if not kind.isupper():
        (counted.waiting if kind == "waiting" else counted.most)[rest[0]] = number
        return
    counted.ended[kind] += number
    for step in rest:
        counted.took[int(step)] += number


def _join(found: dict[int, Minute], first: int, last: int, step: int) -> list[Minute]:
    waiting: dict[str, int] = {}
    for minute in sorted(found):
        if minute < first:
            waiting |= found[minute].waiting
    joined = []
    for start in range(first, last + 1, step):
        whole = Minute(most=dict(waiting))
        for minute in range(start, min(start + step, last + 1)):
            counted = found.get(minute, Minute())
            whole.ended += counted.ended
            whole.took += counted.took
            waiting |= counted.waiting
            for queue, number in counted.most.items():
                whole.most[queue] = max(number, whole.most.get(queue, 0))
        whole.waiting = dict(waiting)
        joined.append(whole)
    return joined
