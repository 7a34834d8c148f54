-- Does all or nothing: nothing unless every key still holds what was read.
-- KEYS: those to check, then those to write. ARGV: how many to check, how many to write, then for each of them
-- '=' and the value, or '-' for no such key; then the messages to publish.
local checks, writes = tonumber(ARGV[1]), tonumber(ARGV[2])
-- First, so that a client without the permission is rejected before anything is written.
local time = redis.call('TIME')
for i = 1, checks do
    local value = redis.call('GET', KEYS[i])
    if (value and '=' .. value or '-') ~= ARGV[2 + i] then
        return false
    end
end
for i = checks + 1, checks + writes do
    local value = ARGV[2 + i]
    if value == '-' then
        redis.call('DEL', KEYS[i])
    else
        redis.call('SET', KEYS[i], string.sub(value, 2))
    end
end
for i = 3 + checks + writes, #ARGV do
    -- A user who may not publish may still write: followers read everything now and then.
    redis.pcall('PUBLISH', 'D', ARGV[i])
end
return time
