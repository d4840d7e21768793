-- The state of a schedule, as in scheduler.State without what is pending.
-- Moments are texts of one length. What is no JSON is no state.
local function read(key, name)
  local known, state = pcall(cjson.decode, redis.call('HGET', key, name) or '{}')
  return known and type(state) == 'table' and state or {}
end

local function write(key, name, state)
  redis.call('HSET', key, name, cjson.encode(state))
end

local function due(state, moment)
  if moment > (state.last_due or '') then
    state.last_due = moment
  end
end
