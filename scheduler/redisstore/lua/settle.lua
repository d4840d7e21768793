-- Writes down how ticks ended, each once: one that is neither pending nor asked
-- for, and not younger than all before, was settled before. A schedule that was
-- removed meanwhile gets neither state nor history.
-- KEYS: term, states, pending, requests, removed, then the history of each outcome;
-- ARGV: the term, how many outcomes the history keeps, then for each outcome:
-- name, id, due ('': by hand), when it was sent ('': it was not), the outcome.
if deposed(KEYS[1], ARGV[1]) then
  return 0
end
local history = 6
for i = 3, #ARGV, 5 do
  local name, id, moment, sent, outcome = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local open = redis.call('HDEL', KEYS[3], id) + redis.call('HDEL', KEYS[4], id) > 0
  local state = read(KEYS[2], name)
  local removed = redis.call('HEXISTS', KEYS[5], name) == 1
  if (due(state, moment) or open) and not removed then
    if sent ~= '' then
      state.last_sent, state.last_task = sent, id
      if moment ~= '' then
        state.runs = (state.runs or 0) + 1
      end
    end
    write(KEYS[2], name, state)
    redis.call('LPUSH', KEYS[history], outcome)
    redis.call('LTRIM', KEYS[history], 0, ARGV[2] - 1)
  end
  history = history + 1
end
return 1
