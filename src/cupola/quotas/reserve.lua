-- Admit a request by all limits of all its scopes, or count nothing.
--
-- KEYS: for each scope its requests, tokens, live tickets and sums.
-- ARGV: time, ticket, lease in seconds, tokens, money, whether to enforce; then for each scope its
--       six limits in the order of `model.Limits`, -1 for none.
-- Returns the slot, the scope and the limit that take longest to have room (0: none does), after
-- how many milliseconds (-1: never); then for each scope used and reset in milliseconds, of
-- requests and of tokens.

local ticket, lease, tokens, money = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local enforce = ARGV[6] == '1'
local scopes = {}
local refused = { scope = 0, limit = 0, wait = 0 }

local function refuse(scope, limit, wait)
  if refused.wait == -1 then
    return
  end
  if refused.scope == 0 or wait == -1 or wait > refused.wait then
    refused = { scope = scope, limit = limit, wait = wait }
  end
end

local function check_window(index, limit, window, wanted, most)
  if wanted > most then
    refuse(index, limit, -1)
  elseif window.used + wanted > most then
    refuse(index, limit, find_free(window, window.used + wanted - most))
  end
end

local function check_sum(index, limit, settled, reserved, wanted, most, ends)
  if wanted > most then
    refuse(index, limit, -1)
  elseif settled + reserved + wanted > most then
    refuse(index, limit, settled + wanted <= most and UNKNOWN or ends - now)
  end
end

for index = 1, #KEYS / 4 do
  local limits = {}
  for limit = 1, 6 do
    limits[limit] = tonumber(ARGV[6 + (index - 1) * 6 + limit])
  end
  local key = (index - 1) * 4
  local scope = {}
  scopes[index] = scope
  if limits[1] >= 0 then
    scope.requests = open_window(KEYS[key + 1])
    check_window(index, 1, scope.requests, 1, limits[1])
  end
  if limits[2] >= 0 then
    scope.tokens = open_window(KEYS[key + 2])
    check_window(index, 2, scope.tokens, tokens, limits[2])
  end
  if limits[3] >= 0 or limits[4] >= 0 or limits[5] >= 0 or limits[6] >= 0 then
    local sums = open_sums(KEYS[key + 4], KEYS[key + 3])
    scope.sums = sums
    drop_dead(sums)
    if limits[3] >= 0 and redis.call('ZCARD', sums.live) + 1 > limits[3] then
      refuse(index, 3, limits[3] > 0 and UNKNOWN or -1)
    end
    if limits[4] >= 0 then
      check_sum(index, 4, sums.day_tokens, sums.reserved_tokens, tokens, limits[4], sums.day_ends)
    end
    if limits[5] >= 0 then
      check_sum(index, 5, sums.month_tokens, sums.reserved_tokens, tokens, limits[5],
        sums.month_ends)
    end
    if limits[6] >= 0 then
      check_sum(index, 6, sums.month_money, sums.reserved_money, money, limits[6], sums.month_ends)
    end
  end
end

local admitted = refused.scope == 0 or not enforce
local reply = { present, refused.scope, refused.limit,
  refused.wait == -1 and -1 or math.ceil(refused.wait * 1000) }

local function report(window)
  if window == nil then
    reply[#reply + 1] = 0
    reply[#reply + 1] = 0
    return
  end
  reply[#reply + 1] = window.used
  local reset = window.used > 0 and find_end(window.newest) - now or 0
  reply[#reply + 1] = math.ceil(math.max(0, reset) * 1000)
end

for _, scope in ipairs(scopes) do
  if admitted then
    if scope.requests then
      add(scope.requests, 1)
    end
    if scope.tokens then
      add(scope.tokens, tokens)
    end
  end
  if scope.sums then
    local sums = scope.sums
    if admitted then
      sums.reserved_tokens = sums.reserved_tokens + tokens
      sums.reserved_money = sums.reserved_money + money
      redis.call('HSET', sums.key, 'ticket:' .. ticket, whole(tokens) .. ' ' .. whole(money))
      redis.call('ZADD', sums.live, whole((now + lease) * 1000), ticket)
    end
    keep_sums(sums)
  end
  report(scope.requests)
  report(scope.tokens)
end
return reply
