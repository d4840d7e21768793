-- Gives the lease to a holder, if nobody else has it.
-- ARGV: the holder, the lease in ms, the least term.
-- Returns the term; or '', who holds it, and for how many ms it still will.
local leader, term = KEYS[1], KEYS[2]
local standing = redis.call('GET', leader)
if standing and string.match(standing, '^%d+ (.*)$') ~= ARGV[1] then
  return {'', standing, redis.call('PTTL', leader)}
end
local number = later(term, ARGV[3])
redis.call('SET', leader, number .. ' ' .. ARGV[1], 'PX', ARGV[2])
return {number}
