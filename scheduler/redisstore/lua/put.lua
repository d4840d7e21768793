-- Writes a schedule. KEYS: entries, file, revision, channel, and, of a new one,
-- what may be left of one of that name: its state goes, its history stays.
-- KEYS[5] to KEYS[7]: states, history, removed.
-- ARGV: name, the revision that it replaces ('': it is new), the schedule.
-- Returns the new revision; or '' and why not.
local entries, file = KEYS[1], KEYS[2]
local old = redis.call('HGET', entries, ARGV[1])
if not old and redis.call('HEXISTS', file, ARGV[1]) == 1 then
  return {'', 'file'}
elseif ARGV[2] == '' and old then
  return {'', 'exists'}
elseif ARGV[2] ~= '' and not old then
  return {'', 'absent'}
elseif ARGV[2] ~= '' and string.match(old, '^(%d+) ') ~= ARGV[2] then
  return {'', 'changed'}
end
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[5], ARGV[1])
  redis.call('PERSIST', KEYS[6])
  redis.call('HDEL', KEYS[7], ARGV[1])
end
local revision = later(KEYS[3])
redis.call('HSET', entries, ARGV[1], revision .. ' ' .. ARGV[3])
redis.call('PUBLISH', KEYS[4], revision)
return {revision}
