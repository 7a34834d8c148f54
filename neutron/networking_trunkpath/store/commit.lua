-- Does all or nothing: nothing unless every key to be written still holds what was read.
-- KEYS: what is written. ARGV: for each of them what was read and what to write, '=' and the value or '-' for no such key;
-- then the messages for Dragonflow's controllers.
for i, key in ipairs(KEYS) do
    local held = redis.call('GET', key)
    if (held and '=' .. held or '-') ~= ARGV[2 * i - 1] then
        return 0
    end
end
for i, key in ipairs(KEYS) do
    local value = ARGV[2 * i]
    if value == '-' then
        redis.call('DEL', key)
    else
        redis.call('SET', key, string.sub(value, 2))
    end
end
for i = 2 * #KEYS + 1, #ARGV do
    -- Who may not publish may still write: controllers and hosts read everything now and then.
    redis.pcall('PUBLISH', 'D', ARGV[i])
end
return 1
