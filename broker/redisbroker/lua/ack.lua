-- Forgets messages. ARGV: by, then for each moment of claiming: score, other,
-- how many tags, the tags.
-- Returns the word on each that did not stand: {position, word...}.
local ids, failed = {}, {}
local at, position = 2, 0
while at < #ARGV do
  local score, other, first, last = ARGV[at], ARGV[at + 1], at + 3, at + 2 + ARGV[at + 2]
  local there = redis.pcall('ZMSCORE', index, unpack(ARGV, first, last))
  if there.err then -- older than 6.2
    there = {}
    for i = first, last do
      there[#there + 1] = redis.call('ZSCORE', index, ARGV[i])
    end
  end
  for i = first, last do
    local said = word(ARGV[1], there[i - first + 1], score, other)
    if said == 1 then
      ids[#ids + 1] = ARGV[i]
    else
      failed[#failed + 1] = position
      failed[#failed + 1] = said
    end
    position = position + 1
  end
  at = last + 1
end
if #ids > 0 then
  redis.call('ZREM', index, unpack(ids))
  redis.call('HDEL', unacked, unpack(ids))
end
return failed
