-- Stores one state of a task and publishes it, as Celery's backend does, unless
-- what is there stands higher (package result, Standing).
--
-- KEYS[1]  celery-task-meta-<id>, also the channel
-- ARGV[1]  the JSON    ARGV[2]  milliseconds to live, 0: for ever
-- ARGV[3]  its standing
-- FINAL and BEST are put in by put.go.
--
-- Answers 1: it is stored, 0: it does not replace a finished state, -1: nor a
-- later unfinished one.
local key, value, mine, final, best = KEYS[1], ARGV[1], tonumber(ARGV[3]), FINAL, BEST

-- The first state of a task, which most often is the only one, has nothing to be
-- compared with.
local new
if ARGV[2] == '0' then
	new = redis.call('SET', key, value, 'NX')
else
	new = redis.call('SET', key, value, 'NX', 'PX', ARGV[2])
end
if new then
	redis.call('PUBLISH', key, value)
	return 1
end

-- Celery and we write the status first, so the beginning of a large value is
-- enough. Whatever else writes it later is read whole.
local head = redis.call('GETRANGE', key, 0, 63)
if head ~= '' then
	local status = string.match(head, '^%s*{%s*"status"%s*:%s*"([^"\\]*)"')
	local meta
	if not status then
		local ok, decoded = pcall(cjson.decode, redis.call('GET', key))
		meta = ok and type(decoded) == 'table' and decoded or {}
		status = meta.status
	end
	local old
	if status == 'SUCCESS' then
		old = best
	elseif status == 'FAILURE' or status == 'REVOKED' then
		old = final
	elseif mine < final then -- only then the try matters
		if not meta then
			local ok, decoded = pcall(cjson.decode, redis.call('GET', key))
			meta = ok and type(decoded) == 'table' and decoded or {}
		end
		local places = {PENDING = 0, RECEIVED = 1, STARTED = 2, RETRY = 3}
		if type(status) == 'string' then
			old = 4 * (tonumber(meta.retries) or 0) + (places[status] or places.STARTED)
		end
	end
	if old and (old > mine or old == mine and old >= final) then
		if old >= final then
			return redis.call('GET', key) == value and 1 or 0
		end
		return -1
	end
end

if ARGV[2] == '0' then
	redis.call('SET', key, value)
else
	redis.call('PSETEX', key, ARGV[2], value)
end
redis.call('PUBLISH', key, value)
return 1
