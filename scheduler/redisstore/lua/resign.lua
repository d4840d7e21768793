-- Gives back a lease, if it still stands, and says so to those who wait for it.
-- KEYS: the lease, the channel; ARGV: term and holder, the word to say.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', KEYS[2], ARGV[2])
return 1
