-- Renews claims. ARGV: the new score, then tag, score, other for each.
-- Returns the positions of those that did not stand.
local failed = {}
for i = 2, #ARGV, 3 do
  if stands('claim', ARGV[i], ARGV[i + 1], ARGV[i + 2]) == 1 then
    redis.call('ZADD', index, ARGV[1], ARGV[i])
  else
    failed[#failed + 1] = (i - 2) / 3
  end
end
return failed
