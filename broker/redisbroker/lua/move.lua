-- Ends claims and puts each message on a list. KEYS from the third: the lists.
-- ARGV: by, then tag, score, other, command, message for each; the command is
-- RPUSH (the end that is taken next) or LPUSH.
-- Returns the word on each that did not stand: {position, word...}; -2: what is
-- at the key is no list.
local failed = {}
for i = 2, #ARGV, 5 do
  local n = (i - 2) / 5
  local said = stands(ARGV[1], ARGV[i], ARGV[i + 1], ARGV[i + 2])
  if said == 1 then
    local kind = redis.call('TYPE', KEYS[3 + n]).ok
    if kind == 'list' or kind == 'none' then
      redis.call('ZREM', index, ARGV[i])
      redis.call('HDEL', unacked, ARGV[i])
      redis.call(ARGV[i + 3], KEYS[3 + n], ARGV[i + 4])
    else
      said = -2
    end
  end
  if said ~= 1 then
    failed[#failed + 1] = n
    failed[#failed + 1] = said
  end
end
return failed
