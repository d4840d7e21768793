-- Extends a lease that stands. ARGV: term and holder, the lease in ms.
-- Returns 1, or 0: it is gone, or is another one.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
