-- Say of tickets that they are still alive; of one that is not there, nothing is made.
--
-- KEYS: live tickets of scopes. ARGV: time, lease in seconds, then a ticket for each key.

local ends = whole((now + tonumber(ARGV[2])) * 1000)
for index, key in ipairs(KEYS) do
  redis.call('ZADD', key, 'XX', ends, ARGV[2 + index])
end
return 1
