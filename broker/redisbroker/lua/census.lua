-- Reads all that is held: a transaction would be refused by a full Redis.
-- KEYS: unacked, unacked_index, the dead letters, then pairs of a list and its
-- set of delayed messages.
-- Returns the time in ms, unacked, the dead, then each list and each set.
local now = redis.call('TIME')
local reply = {now[1] * 1000 + math.floor(now[2] / 1000), redis.call('HGETALL', KEYS[1]), redis.call('LRANGE', KEYS[3], 0, -1)}
for i = 4, #KEYS, 2 do
  reply[#reply + 1] = redis.call('LRANGE', KEYS[i], 0, -1)
  reply[#reply + 1] = redis.call('ZRANGE', KEYS[i + 1], 0, -1, 'WITHSCORES')
end
return reply
