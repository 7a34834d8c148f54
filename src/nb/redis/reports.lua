-- KEYS: the reports to make, then those to renew, then those to take back. ARGV: their value, how many milliseconds they
-- hold, how many are to be made, how many to be renewed.
local value, lifetime, made, renewed = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
for i, key in ipairs(KEYS) do
    local held = redis.call('GET', key)
    -- What another host reports of a port that has moved to it is left alone.
    local free = not held or held == value
    if i <= made or (i <= made + renewed and free) then
        redis.call('SET', key, value, 'PX', lifetime)
    elseif held == value then
        redis.call('DEL', key)
    end
end
