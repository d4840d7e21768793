-- Takes a schedule out, with its state, its requests and its history.
-- KEYS: entries, file, revision, channel, states, history, requests;
-- ARGV: name, the revision that is meant ('': whichever), then the ids of its
-- requests. Returns the new revision; or '' and why not.
local old = redis.call('HGET', KEYS[1], ARGV[1])
if not old then
  return {'', redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1 and 'file' or 'absent'}
elseif ARGV[2] ~= '' and string.match(old, '^(%d+) ') ~= ARGV[2] then
  return {'', 'changed'}
end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[5], ARGV[1])
redis.call('DEL', KEYS[6])
for i = 3, #ARGV do
  redis.call('HDEL', KEYS[7], ARGV[i])
end
local revision = later(KEYS[3])
redis.call('PUBLISH', KEYS[4], revision)
return {revision}
