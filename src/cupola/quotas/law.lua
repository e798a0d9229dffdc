-- What `quotas/law.py` says, for Redis: put before each script. Reads ARGV[1], the time to go by;
-- empty: the server's own, which all gateways share.

local SLOTS_PER_SECOND = 4
local SLOTS = 60 * SLOTS_PER_SECOND + 1
local DAY = 86400
local UNKNOWN = 1
local WINDOW_LIVES = 65 -- seconds; longer than a minute, for then nothing in it counts
local SUMS_LIVE = 32 * DAY -- longer than any month

local now
if ARGV[1] == '' then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1000000
else
  now = tonumber(ARGV[1])
end
local present = math.floor(now * SLOTS_PER_SECOND)

-- Lua would write large numbers with an exponent.
local function whole(number)
  return string.format('%.0f', number)
end

local function find_end(slot)
  return (slot + SLOTS) / SLOTS_PER_SECOND
end

local function read_slots(key, first, last)
  local names = {}
  for slot = first, last do
    names[#names + 1] = whole(slot)
  end
  return names, redis.call('HMGET', key, unpack(names))
end

-- A window is a hash: amounts by slot, and `oldest`, `newest` and `used`.
local function open_window(key)
  local head = redis.call('HMGET', key, 'oldest', 'newest', 'used')
  local window = {
    key = key,
    slot = present,
    oldest = tonumber(head[1]) or present,
    newest = tonumber(head[2]) or present,
    used = tonumber(head[3]) or 0,
  }
  if window.newest - present > SLOTS then -- the server's clock was set back, by more than a minute
    redis.call('DEL', key)
    window.oldest, window.newest, window.used = present, present, 0
  end
  window.slot = math.max(present, window.newest)
  local first = window.slot - SLOTS + 1
  if first > window.oldest then
    local names, amounts =
      read_slots(key, window.oldest, math.min(first, window.oldest + SLOTS) - 1)
    for _, amount in ipairs(amounts) do
      window.used = window.used - (tonumber(amount) or 0)
    end
    redis.call('HDEL', key, unpack(names))
    window.oldest = first
    redis.call('HSET', key, 'oldest', whole(first), 'used', whole(window.used))
  end
  return window
end

local function keep_window(window)
  redis.call('HSET', window.key, 'oldest', whole(window.oldest), 'newest', whole(window.newest),
    'used', whole(window.used))
  redis.call('EXPIRE', window.key, WINDOW_LIVES)
end

local function add(window, amount)
  redis.call('HINCRBY', window.key, whole(window.slot), whole(amount))
  window.newest = window.slot
  window.used = window.used + amount
  keep_window(window)
end

local function give_back(window, slot, amount)
  local there = tonumber(redis.call('HGET', window.key, whole(slot)) or 0) or 0
  local given = math.min(amount, there)
  if given > 0 then
    redis.call('HINCRBY', window.key, whole(slot), whole(-given))
    window.used = window.used - given
    keep_window(window)
  end
end

local function find_free(window, needed)
  local freed = 0
  local names, amounts = read_slots(window.key, window.oldest, window.slot)
  for index, name in ipairs(names) do
    freed = freed + (tonumber(amounts[index]) or 0)
    if freed >= needed then
      return find_end(tonumber(name)) - now
    end
  end
  return find_end(window.slot) - now
end

-- Days since 1970-01-01 as year, month and day of the Gregorian calendar, counted from 1 March 0,
-- so that a leap day is a year's last.
local function read_calendar()
  local day = math.floor(now / DAY)
  local since = day + 719468
  local era = math.floor(since / 146097)
  local of_era = since - era * 146097
  local year = math.floor((of_era - math.floor(of_era / 1460) + math.floor(of_era / 36524)
    - math.floor(of_era / 146096)) / 365)
  local of_year = of_era - (365 * year + math.floor(year / 4) - math.floor(year / 100))
  local shifted = math.floor((5 * of_year + 2) / 153)
  local date = of_year - math.floor((153 * shifted + 2) / 5) + 1
  local month = shifted < 10 and shifted + 3 or shifted - 9
  year = year + era * 400 + (month <= 2 and 1 or 0)
  local lengths = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
  local length = lengths[month]
  if month == 2 and (year % 4 == 0 and year % 100 ~= 0 or year % 400 == 0) then
    length = 29
  end
  return {
    day = day,
    month = year * 12 + month - 1,
    day_ends = (day + 1) * DAY,
    month_ends = (day - date + 1 + length) * DAY,
  }
end

-- The sums of a scope are a hash: what is settled in its day and month, what is reserved, and each
-- open ticket's part of that. `live` says until when each ticket is believed to be alive.
local function open_sums(key, live)
  local found = redis.call('HMGET', key, 'day', 'month', 'day_tokens', 'month_tokens',
    'month_money', 'reserved_tokens', 'reserved_money')
  local calendar = read_calendar()
  local sums = {
    key = key,
    live = live,
    day = tonumber(found[1]) or calendar.day,
    month = tonumber(found[2]) or calendar.month,
    day_tokens = tonumber(found[3]) or 0,
    month_tokens = tonumber(found[4]) or 0,
    month_money = tonumber(found[5]) or 0,
    reserved_tokens = tonumber(found[6]) or 0,
    reserved_money = tonumber(found[7]) or 0,
    day_ends = calendar.day_ends,
    month_ends = calendar.month_ends,
  }
  -- A clock that was set back does not bring a day back.
  if calendar.day > sums.day then
    sums.day, sums.day_tokens = calendar.day, 0
  end
  if calendar.month > sums.month then
    sums.month, sums.month_tokens, sums.month_money = calendar.month, 0, 0
  end
  return sums
end

local function keep_sums(sums)
  redis.call('HSET', sums.key, 'day', whole(sums.day), 'month', whole(sums.month),
    'day_tokens', whole(sums.day_tokens), 'month_tokens', whole(sums.month_tokens),
    'month_money', whole(sums.month_money), 'reserved_tokens', whole(sums.reserved_tokens),
    'reserved_money', whole(sums.reserved_money))
  redis.call('EXPIRE', sums.key, SUMS_LIVE)
  redis.call('EXPIRE', sums.live, SUMS_LIVE)
end

local function drop_ticket(sums, ticket)
  local name = 'ticket:' .. ticket
  local tokens, money = string.match(redis.call('HGET', sums.key, name) or '0 0', '(%d+) (%d+)')
  sums.reserved_tokens = sums.reserved_tokens - tonumber(tokens)
  sums.reserved_money = sums.reserved_money - tonumber(money)
  redis.call('HDEL', sums.key, name)
  redis.call('ZREM', sums.live, ticket)
end

-- A gateway that died settles nothing: its tickets end when it has not renewed them in time.
local function drop_dead(sums)
  local dead = redis.call('ZRANGEBYSCORE', sums.live, '-inf', '(' .. whole(now * 1000))
  for _, ticket in ipairs(dead) do
    drop_ticket(sums, ticket)
  end
end
