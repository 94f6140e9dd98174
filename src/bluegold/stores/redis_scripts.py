"""What a Redis or Valkey server does in one step for the key-value store (Lua, executed atomically).

Keys of one store: ``keys`` (a sorted set of all keys, ordered by their bytes), ``values`` (a hash), ``revision`` (how
many batches there were), ``log`` (keys that changed, by revision), ``was`` (what they held before), ``lock``.  The last
changes are kept, so that a snapshot can read what was there when it was opened.
"""

from __future__ import annotations

__all__ = ["APPLY", "PARTS", "READ", "RENEW"]

#: the keys of one store, in the order in which the scripts take them
PARTS = ("keys", "values", "revision", "log", "was", "lock", "oldest")

_COMMON = """
local keys, values, revision, log, was, lock, oldest = unpack(KEYS)
local function below(a, b)
  local shorter = math.min(#a, #b)
  for i = 1, shorter do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end
"""

#: ARGV: the revision to read at ('' for now), then get KEY | floor KEY PREFIX | between LOW HIGH LIMIT
READ = (
    _COMMON
    + """
local now = tonumber(redis.call('GET', revision) or '0')
local at = ARGV[1] == '' and now or tonumber(ARGV[1])
local old, changed = {}, false
if at < now then
  if at < tonumber(redis.call('GET', oldest) or '0') then
    return redis.error_reply('GONE the snapshot is too old')
  end
  for _, entry in ipairs(redis.call('ZRANGEBYSCORE', log, '(' .. at, '+inf')) do
    local key = string.sub(entry, string.find(entry, ':', 1, true) + 1)
    if old[key] == nil then
      old[key] = redis.call('HGET', was, entry)
      changed = true
    end
  end
end
local function value(key)
  if old[key] ~= nil then return old[key] end
  return redis.call('HGET', values, key)
end
if ARGV[2] == 'get' then return {at, value(ARGV[3])} end
if ARGV[2] == 'floor' then
  local key, prefix, bound, best = ARGV[3], ARGV[4], '[' .. ARGV[3], nil
  while true do
    best = redis.call('ZREVRANGEBYLEX', keys, bound, '-', 'LIMIT', 0, 1)[1]
    if not best or value(best) then break end
    bound = '(' .. best
  end
  for other, held in pairs(old) do
    if held and not below(key, other) and (not best or below(best, other)) then best = other end
  end
  if not best or string.sub(best, 1, #prefix) ~= prefix then return {at} end
  return {at, best, value(best)}
end
local low, high, limit = ARGV[3], ARGV[4], tonumber(ARGV[5])
local found = redis.call('ZRANGEBYLEX', keys, low, high, 'LIMIT', 0, changed and -1 or limit)
if changed then
  local there, merged = {}, {}
  for _, key in ipairs(found) do
    there[key] = true
    if old[key] ~= false then merged[#merged + 1] = key end
  end
  for key, held in pairs(old) do
    local inside = (low == '-' or not below(key, string.sub(low, 2)))
      and (high == '+' or below(key, string.sub(high, 2)))
    if held and not there[key] and inside then merged[#merged + 1] = key end
  end
  table.sort(merged, below)
  found = merged
end
local pairs_ = {at}
for i, key in ipairs(found) do
  if limit >= 0 and i > limit then break end
  pairs_[#pairs_ + 1] = key
  pairs_[#pairs_ + 1] = value(key)
end
return pairs_
"""
)

#: ARGV: the token of the lock, how many changes are remembered, then put KEY VALUE | delete KEY ''
APPLY = (
    _COMMON
    + """
if redis.call('GET', lock) ~= ARGV[1] then return redis.error_reply('LOST the turn to write is over') end
if #ARGV > 2 then
  local now = redis.call('INCR', revision)
  for i = 3, #ARGV, 3 do
    local key = ARGV[i + 1]
    local entry = string.format('%d', now) .. ':' .. key
    local held = redis.call('HGET', values, key)
    if held then redis.call('HSET', was, entry, held) end
    redis.call('ZADD', log, now, entry)
    if ARGV[i] == 'put' then
      redis.call('ZADD', keys, 0, key)
      redis.call('HSET', values, key, ARGV[i + 2])
    else
      redis.call('ZREM', keys, key)
      redis.call('HDEL', values, key)
    end
  end
  local many = redis.call('ZCARD', log) - tonumber(ARGV[2])
  if many > 0 then
    local last = redis.call('ZRANGE', log, many - 1, many - 1, 'WITHSCORES')[2]
    for _, entry in ipairs(redis.call('ZRANGEBYSCORE', log, '-inf', last)) do redis.call('HDEL', was, entry) end
    redis.call('ZREMRANGEBYSCORE', log, '-inf', last)
    redis.call('SET', oldest, last)
  end
end
redis.call('DEL', lock)
return 1
"""
)

#: ARGV: the token of the lock, milliseconds
RENEW = (
    _COMMON
    + """
if redis.call('GET', lock) ~= ARGV[1] then return redis.error_reply('LOST the turn to write is over') end
return redis.call('PEXPIRE', lock, ARGV[2])
"""
)
