-- Asks for a tick by hand. KEYS: entries, file, asked, channel, requests;
-- ARGV: name, id, tick. Returns the new number of asked; or '' and why not.
if redis.call('HEXISTS', KEYS[1], ARGV[1]) + redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then
  return {'', 'absent'}
end
redis.call('HSET', KEYS[5], ARGV[2], ARGV[3])
local number = later(KEYS[3])
redis.call('PUBLISH', KEYS[4], number)
return {number}
