-- Takes a schedule out, with its state, its claims and its requests. Its history
-- stays for a while.
-- KEYS: entries, file, revision, channel, states, history, pending, requests,
-- removed;
-- ARGV: name, the revision that is meant ('': whichever), for how many ms the
-- history stays. Returns the new revision; or '' and why not.
local old = redis.call('HGET', KEYS[1], ARGV[1])
if not old then
  return {'', redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 and 'file' or 'absent'}
elseif ARGV[2] ~= '' and string.match(old, '^(%d+) ') ~= ARGV[2] then
  return {'', 'changed'}
end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[5], ARGV[1])
redis.call('PEXPIRE', KEYS[6], ARGV[3])
redis.call('HSET', KEYS[9], ARGV[1], 1)
redis.call('PEXPIRE', KEYS[9], ARGV[3])
for _, ticks in ipairs({KEYS[7], KEYS[8]}) do
  local all = redis.call('HGETALL', ticks)
  for i = 1, #all, 2 do
    local known, tick = pcall(cjson.decode, all[i + 1])
    if known and type(tick) == 'table' and tick.schedule == ARGV[1] then
      redis.call('HDEL', ticks, all[i])
    end
  end
end
local revision = later(KEYS[3])
redis.call('PUBLISH', KEYS[4], revision)
return {revision}
