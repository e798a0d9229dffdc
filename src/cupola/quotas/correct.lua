-- Read what a scope has settled, and with more arguments put it right by the word of a ledger.
--
-- KEYS: the scope's live tickets and sums.
-- ARGV: time; then day, month and the three sums as they were before the ledger was asked, and the
--       same as it knows them.

local sums = open_sums(KEYS[2], KEYS[1])

local function correct(name, before, known)
  sums[name] = math.min(math.max(sums[name], known), known + math.max(0, sums[name] - before))
end

if #ARGV > 1 then
  local told = {}
  for index = 2, 11 do
    told[index - 1] = tonumber(ARGV[index])
  end
  if told[1] == sums.day and told[6] == sums.day then
    correct('day_tokens', told[3], told[8])
  end
  if told[2] == sums.month and told[7] == sums.month then
    correct('month_tokens', told[4], told[9])
    correct('month_money', told[5], told[10])
  end
  keep_sums(sums)
end
return { whole(sums.day), whole(sums.month), whole(sums.day_tokens), whole(sums.month_tokens),
  whole(sums.month_money) }
