-- Moves what is due to its list. KEYS: pairs of a set of delayed messages and
-- the list; ARGV[1]: how many of each at most.
-- Returns in how many milliseconds the next one is due; -1: there is none.
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local wait = -1
for i = 1, #KEYS, 2 do
  local messages = redis.call('ZRANGEBYSCORE', KEYS[i], '-inf', string.format('%d', ms), 'LIMIT', 0, ARGV[1])
  if #messages > 0 then
    redis.call('ZREM', KEYS[i], unpack(messages))
    local failed = redis.pcall('LPUSH', KEYS[i + 1], unpack(messages))
    if type(failed) == 'table' then -- a key of another kind: they stay due
      for _, message in ipairs(messages) do
        redis.call('ZADD', KEYS[i], ms, message)
      end
      return failed
    end
  end
  local first = redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')
  if #first > 0 then
    local left = math.max(tonumber(first[2]) - ms, 0)
    if wait < 0 or left < wait then
      wait = left
    end
  end
end
return wait
