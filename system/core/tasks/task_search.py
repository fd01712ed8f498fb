"""Finds tasks among the newest, by method, status, worker, queue and time.

There is no index for each of these: a script in Redis goes through the newest MOST_LISTED tasks, a thousand at a
time, until it found enough. Tasks that run and tasks that failed have an index, since a long queue or many
successes would push them off the list.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .begin_script import MOST_LISTED
from .records import Record, Records
from .redis_connection import RedisConnection

_PAGE = 1_000

# KEYS: an index. ARGV: the beginning of the keys of records, where to go on, how many to look at, the times (from,
# to), how many to find, then status, method (a part of it), queue, worker; an empty one is any. Returns how many
# were looked at, and of those that fit id and time, one after the other.
_FIND = """
local ids = redis.call('ZREVRANGEBYSCORE', KEYS[1], ARGV[5], ARGV[4], 'WITHSCORES', 'LIMIT', ARGV[2], ARGV[3])
local found, most = {}, 2 * tonumber(ARGV[6])
for at = 1, #ids, 2 do
  local record = redis.pcall('HMGET', ARGV[1] .. ids[at], 'status', 'queue', 'worker', 'route')
  local status, queue, worker, route = record[1], record[2], record[3], record[4]
  if status and (ARGV[7] == '' or ARGV[7] == status) and (ARGV[9] == '' or ARGV[9] == queue)
      and (ARGV[10] == '' or ARGV[10] == worker)
      and (ARGV[8] == '' or string.find(string.lower(route or ''), ARGV[8], 1, true)) then
    found[#found + 1] = ids[at]
    found[#found + 1] = ids[at + 1]
    if #found == most then break end
  end
end
return {#ids / 2, found}
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which tasks are meant; an empty text means any. `method` is a part of the route.

    `after` and `before` are when it was queued; with STARTED when it started, with FAILURE when it failed.
    """

    status: str = ""
    method: str = ""
    queue: str = ""
    worker: str = ""
    after: float = 0.0
    before: float = math.inf


class TaskSearch:
    """The tasks of a site, to be looked through. Raises BrokerUnavailable if Redis does not answer."""

    def __init__(self, redis: RedisConnection, records: Records) -> None:
        self._redis = redis
        self._records = records

    def find(self, wanted: Filter, most: int) -> list[Record]:
        """The records that fit, newest first, without their results; `at` is the time by which they are sorted."""
        ids: dict[str, float] = {}
        at, page = 0, min(most, _PAGE)  # without a filter the first page has enough
        while at < MOST_LISTED and len(ids) < most:
            looked, found = self._look(wanted, at, page, most - len(ids))
            ids |= found
            at += page
            if looked < page:
                break
            page = _PAGE
        records = self._records.read_many(list(ids))
        return [{**record, "at": ids[record["task_id"]]} for record in records]

    def _look(self, wanted: Filter, at: int, page: int, most: int) -> tuple[int, dict[str, float]]:
        before = "+inf" if wanted.before == math.inf else f"({wanted.before!r}"
        arguments = [self._records.key(""), at, page, wanted.after, before, most]
        words = [wanted.status, wanted.method.lower(), wanted.queue, wanted.worker]
        looked, found = self._redis.run_script(
            _FIND, [self._records.index_of(wanted.status)], [*arguments, *words]
        )
        pairs = zip(found[::2], found[1::2], strict=True)
        return int(looked), {name.decode(): float(score) for name, score in pairs}
