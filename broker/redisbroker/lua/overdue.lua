-- Reads claims that are older than ARGV[1] seconds, the newest of them first,
-- at most ARGV[2], without the first ARGV[3]: {tag, score, entry or nothing...}.
local now = redis.call('TIME')
local latest = now[1] + now[2] / 1000000 - ARGV[1]
local old = redis.call('ZREVRANGEBYSCORE', KEYS[2], string.format('%.6f', latest), '-inf', 'WITHSCORES', 'LIMIT', ARGV[3], ARGV[2])
local reply = {}
for i = 1, #old, 2 do
  reply[#reply + 1] = old[i]
  reply[#reply + 1] = old[i + 1]
  reply[#reply + 1] = redis.call('HGET', KEYS[1], old[i])
end
return reply
