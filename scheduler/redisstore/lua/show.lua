-- Writes down which schedules the leader has from its file.
-- KEYS: term, file, removed; ARGV: the term, then name and schedule of each.
if deposed(KEYS[1], ARGV[1]) then
  return 0
end
redis.call('DEL', KEYS[2])
for i = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  redis.call('HDEL', KEYS[3], ARGV[i])
end
return 1
