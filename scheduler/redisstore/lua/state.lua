-- The state of a schedule, as in scheduler.State without what is pending.
-- Moments are texts of one length. What is not of this form, as readState in Go
-- says it, is no state, and is written over.
local function text(v)
  return v == nil or type(v) == 'string'
end

local function moment(v)
  return v == nil or type(v) == 'string' and
    string.match(v, '^%d%d%d%d%-[01]%d%-[0-3]%dT[0-2]%d:[0-5]%d:[0-5]%d%.%d%d%d%d%d%d%d%d%dZ$') ~= nil
end

local function count(v)
  return v == nil or type(v) == 'number' and v >= 0 and v < 1e14 and v == math.floor(v)
end

local function read(key, name)
  local known, s = pcall(cjson.decode, redis.call('HGET', key, name) or '{}')
  if not known or type(s) ~= 'table' or
    not (text(s.timing) and text(s.last_task) and count(s.runs) and
      moment(s.since) and moment(s.last_due) and moment(s.last_sent)) then
    return {}
  end
  return {timing = s.timing, since = s.since, last_due = s.last_due,
    last_sent = s.last_sent, last_task = s.last_task, runs = s.runs}
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
