-- Put what was truly spent in the place of what a ticket reserved.
--
-- KEYS: for each scope its requests, tokens, live tickets and sums.
-- ARGV: time, ticket, its slot, its tokens, tokens spent, money spent, whether it never ran; then
--       for each scope its six limits, -1 for none.

local ticket, slot, reserved = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local tokens, money, undone = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7] == '1'

local function has(index, first, last)
  for limit = first, last do
    if tonumber(ARGV[7 + (index - 1) * 6 + limit]) >= 0 then
      return true
    end
  end
  return false
end

for index = 1, #KEYS / 4 do
  local key = (index - 1) * 4
  if undone and has(index, 1, 1) then
    give_back(open_window(KEYS[key + 1]), slot, 1)
  end
  if has(index, 2, 2) and tokens ~= reserved then
    local window = open_window(KEYS[key + 2])
    if tokens > reserved then
      add(window, tokens - reserved)
    else
      give_back(window, slot, reserved - tokens)
    end
  end
  if has(index, 3, 6) then
    local sums = open_sums(KEYS[key + 4], KEYS[key + 3])
    drop_ticket(sums, ticket)
    if has(index, 4, 6) then
      sums.day_tokens = sums.day_tokens + tokens
      sums.month_tokens = sums.month_tokens + tokens
      sums.month_money = sums.month_money + money
    end
    keep_sums(sums)
  end
end
return 1
