-- Writes down which ticks are about to be published.
-- A schedule that was removed meanwhile leaves nothing.
-- KEYS: term, states, pending, removed; ARGV: the term, how many names, then name
-- and youngest due ('': by hand alone) of each, then name, id and tick of each.
if deposed(KEYS[1], ARGV[1]) then
  return 0
end
local names = tonumber(ARGV[2])
for i = 3, 2 * names + 1, 2 do
  if ARGV[i + 1] ~= '' and redis.call('HEXISTS', KEYS[4], ARGV[i]) == 0 then
    local state = read(KEYS[2], ARGV[i])
    due(state, ARGV[i + 1])
    write(KEYS[2], ARGV[i], state)
  end
end
for i = 2 * names + 3, #ARGV, 3 do
  if redis.call('HEXISTS', KEYS[4], ARGV[i]) == 0 then
    redis.call('HSET', KEYS[3], ARGV[i + 1], ARGV[i + 2])
  end
end
return 1
