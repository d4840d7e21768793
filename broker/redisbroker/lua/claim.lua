-- Whether a claim still stands: 1 yes, 0 there is none, -1 it is another one.
-- by is 'claim' or 'celery'; there is the score in the index, score when the
-- claim was made, other when it may have been renewed, or ''. Celery asks for
-- the tag alone.
local unacked, index = KEYS[1], KEYS[2]
local function word(by, there, score, other)
  if not there then
    return 0
  end
  if by == 'celery' then
    return 1
  end
  there = tonumber(there)
  if there == tonumber(score) or there == tonumber(other) then
    return 1
  end
  return -1
end

local function stands(by, id, score, other)
  return word(by, redis.call('ZSCORE', index, id), score, other)
end
