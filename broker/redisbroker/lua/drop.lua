-- Removes claims that have no message: nothing can be given back.
-- ARGV: tag, score for each.
for i = 1, #ARGV, 2 do
  if tonumber(redis.call('ZSCORE', KEYS[2], ARGV[i]) or 0) == tonumber(ARGV[i + 1]) and redis.call('HEXISTS', KEYS[1], ARGV[i]) == 0 then
    redis.call('ZREM', KEYS[2], ARGV[i])
  end
end
return 0
