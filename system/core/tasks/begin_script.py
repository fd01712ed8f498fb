"""The Lua that begins a task: a part of the scripts that take messages, and of the one that starts a task."""

from __future__ import annotations

from .counts import COUNT

# as many of the newest tasks are listed
MOST_LISTED = 10_000
# no task runs so often
MOST_RUNS = 1_000

# What is no record is as none (pcall), and a number of runs that is none counts as 0: a worker would ask for ever.
# `keys` are the record, the beginning of the keys of those who wait, the counts, the index of those that run.
BEGIN = (
    COUNT
    + """
local function read_record(key)
  local fields, record = redis.pcall('HGETALL', key), {}
  for at = 1, #fields, 2 do record[fields[at]] = fields[at + 1] end
  return fields, record
end
local function begin(keys, id, record, now, seconds, run, worker)
  local queue, runs = tostring(record.queue), tonumber(record.runs)
  if not (runs and runs >= 0 and runs < MOST_RUNS) then runs = 0 end
  redis.call('HSET', keys[1], 'status', 'STARTED', 'started', now, 'run', run, 'runs', runs + 1, 'worker', worker)
  redis.call('EXPIRE', keys[1], seconds)
  redis.call('ZADD', keys[4], now, id)
  redis.call('ZREM', keys[2] .. queue, id)
  if note_waiting(keys[3], tonumber(now), queue, redis.call('ZCARD', keys[2] .. queue)) then
    redis.call('ZREMRANGEBYRANK', keys[4], 0, -MOST_LISTED - 1)
  end
  return runs + 1
end
""".replace("MOST_LISTED", str(MOST_LISTED)).replace("MOST_RUNS", str(MOST_RUNS))
)
