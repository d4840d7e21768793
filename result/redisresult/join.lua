-- Notes that a member of a chord has ended, once.
--
-- KEYS[1]  acklab-chord-<id>, a hash: the members by their places, "v" and the
--          value or "x" for one that has failed; joined and failed, how many;
--          last and first-failed, whose joins made the chord complete and broken
-- ARGV[1]  the place    ARGV[2]  what is put there    ARGV[3]  the size
-- ARGV[4]  milliseconds to live, 0: for ever
--
-- Answers {joined, failed, 1 if it was the last, 1 if it was the first to fail}.
local key, member = KEYS[1], ARGV[1]
if redis.call('HSETNX', key, member, ARGV[2]) == 1 then
	if ARGV[2] == 'x' and redis.call('HINCRBY', key, 'failed', 1) == 1 then
		redis.call('HSET', key, 'first-failed', member)
	end
	if redis.call('HINCRBY', key, 'joined', 1) == tonumber(ARGV[3]) then
		redis.call('HSET', key, 'last', member)
	end
end
if ARGV[4] ~= '0' then
	redis.call('PEXPIRE', key, ARGV[4])
end
local now = redis.call('HMGET', key, 'joined', 'failed', 'last', 'first-failed')
return {tonumber(now[1]), tonumber(now[2]) or 0, now[3] == member and 1 or 0, now[4] == member and 1 or 0}
