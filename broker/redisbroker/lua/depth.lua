-- Counts a queue. KEYS: unacked, unacked_index, the dead letters, then pairs of
-- a list and its set of delayed messages. ARGV: the queue's name in JSON.
-- Returns ready, unacked, delayed, dead, then the message of each list that is
-- taken next.
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local ready, delayed, next = 0, 0, {}
for i = 4, #KEYS, 2 do
  ready = ready + redis.call('LLEN', KEYS[i])
  local due = redis.call('ZCOUNT', KEYS[i + 1], '-inf', string.format('%d', ms))
  ready = ready + due
  delayed = delayed + redis.call('ZCARD', KEYS[i + 1]) - due
  next[#next + 1] = redis.call('LINDEX', KEYS[i], -1) or ''
end
-- An entry of unacked ends with the routing key: ours without a space before
-- it, kombu's with one.
local count, ending = 0, ARGV[1] .. ']'
for _, entry in ipairs(redis.call('HVALS', KEYS[1])) do
  if string.sub(entry, -#ending) == ending then
    local before = string.sub(entry, -#ending - 1, -#ending - 1)
    if before == ',' or before == ' ' then
      count = count + 1
    end
  end
end
return {ready, count, delayed, redis.call('LLEN', KEYS[3]), unpack(next)}
