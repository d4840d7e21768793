-- Takes messages from queues and claims them, in one step.
-- KEYS: unacked, unacked_index, then four lists for each queue, in the order
-- in which they are served.
-- ARGV: a prefix for made-up tags, then for each queue how many are wanted and
-- what follows the message in its entry of unacked.
-- Returns the claims' score, then for each queue {tag, message, tag, message...}.
local unacked, index = KEYS[1], KEYS[2]
local now = redis.call('TIME')
local score = now[1] .. '.' .. string.format('%06d', now[2])
local made = 0

-- The search is for one plain text that begins with a rare letter, and anchored
-- from there: cjson, or a pattern, would take longer than all the rest.
local function tag(message)
  local from, to = string.find(message, '_tag"', 1, true)
  if from then
    if string.sub(message, from - 9, from - 1) == '"delivery' and not string.find(message, '_tag"', to, true) then
      local found = string.match(message, '^%s*:%s*"([^"\\]+)"', to + 1)
      if found then
        return found
      end
    end
    local ok, whole = pcall(cjson.decode, message)
    if ok and type(whole) == 'table' and type(whole.properties) == 'table' then
      local found = whole.properties.delivery_tag
      if type(found) == 'string' and found ~= '' then
        return found
      end
    end
  end
  made = made + 1
  return ARGV[1] .. made
end

local reply, some = {score}, false
for queue = 1, (#ARGV - 1) / 2 do
  local room, ending = tonumber(ARGV[2 * queue]), ARGV[2 * queue + 1]
  local taken = {}
  for step = 1, 4 do
    local list = KEYS[4 * queue - 2 + step]
    local messages = room > 0 and redis.pcall('LRANGE', list, -room, -1) or {}
    if messages.err then -- a key of another kind: what was taken before it is not to be lost sight of
      if not some then
        return messages
      end
    elseif #messages > 0 then
      -- The first write is one that a full Redis allows; after it, it allows
      -- the others too.
      redis.call('LTRIM', list, 0, -1 - #messages)
      local ids, claims, entries = {}, {}, {}
      for i = #messages, 1, -1 do
        local id = tag(messages[i])
        ids[#ids + 1] = id
        claims[#claims + 1] = score
        claims[#claims + 1] = id
        entries[#entries + 1] = id
        entries[#entries + 1] = '[' .. messages[i] .. ending
        taken[#taken + 1] = id
        taken[#taken + 1] = messages[i]
      end
      local failed = redis.pcall('HSET', unacked, unpack(entries))
      if type(failed) ~= 'table' then
        failed = redis.pcall('ZADD', index, unpack(claims))
      end
      if type(failed) == 'table' then -- a key of another kind: as if nothing had been taken
        redis.pcall('HDEL', unacked, unpack(ids))
        redis.call('RPUSH', list, unpack(messages))
        return failed
      end
      room, some = room - #messages, true
    end
  end
  reply[#reply + 1] = taken
end
return reply
