-- A number that is above the one at a key and above all that were ever drawn
-- from it, also by a server that has lost its data since: at least the
-- milliseconds of its clock. least is a lower bound of the caller's.
local function later(key, least)
  local now = redis.call('TIME')
  local number = math.max(now[1] * 1000 + math.floor(now[2] / 1000), tonumber(redis.call('GET', key) or 0) + 1, tonumber(least) or 0)
  local text = string.format('%d', number)
  redis.call('SET', key, text)
  return text
end
