-- The state of a schedule, as in scheduler.State without what is pending.
-- Moments are texts of one length. What is no JSON is no state.
local function read(key, name)
  local known, state = pcall(cjson.decode, redis.call('HGET', key, name) or '{}')
  return known and type(state) == 'table' and state or {}
end

local function write(key, name, state)
  redis.call('HSET', key, name, cjson.encode(state))
end

-- Moves the youngest tick; whether it was younger.
local function due(state, moment)
  local younger = moment > (state.last_due or '')
  if younger then
    state.last_due = moment
  end
  return younger
end
