-- Writes the timings that have come into force.
-- KEYS: term, states, removed; ARGV: the term, then name, timing, since of each.
if deposed(KEYS[1], ARGV[1]) then
  return 0
end
for i = 2, #ARGV, 3 do
  local state = read(KEYS[2], ARGV[i])
  state.timing = ARGV[i + 1] ~= '' and ARGV[i + 1] or nil
  state.since = ARGV[i + 2] ~= '' and ARGV[i + 2] or nil
  write(KEYS[2], ARGV[i], state)
  redis.call('HDEL', KEYS[3], ARGV[i])
end
return 1
