-- Writes all keys, or none if the value of one has changed since it was read.
-- KEYS: keys to write. ARGV: two for each key, the value that was read and the value to write, each as '=' and the value,
-- or '-' for no such key; then the messages for Dragonflow's controllers.
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
    -- Errors are ignored, such as a missing permission: controllers and hosts also read all records periodically.
    redis.pcall('PUBLISH', 'D', ARGV[i])
end
return 1
