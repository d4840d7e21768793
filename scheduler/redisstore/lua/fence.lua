-- Who writes for a term that is not the last one drawn writes nothing: a later
-- one has begun, or the server has lost what it knew of it. 0 leads without
-- having asked.
local function deposed(key, term)
  return term ~= '0' and redis.call('GET', key) ~= term
end
