-- Takes each charge's cost from its bucket, or nothing from any: ports.Buckets says how, and ratelimit.Take is the
-- same in Go. A bucket is when it will have recovered, in ticks of 100 ns since 2026: a double counts them exactly
-- until 2054. The time is the server's, so that the clocks of replicas do not matter.
--
-- KEYS: the buckets. ARGV, four for each: ticks to recover from a cost of one, burst, cost, 1 for a dry run;
-- all zero without a limit. Returns how far each bucket was ahead of the time.
local time = redis.call('TIME')
local now = (time[1] - 1767225600) * 10000000 + time[2] * 10

local was, ahead, after = {}, {}, {}
local refused = false
for i, key in ipairs(KEYS) do
	local each, burst, cost = tonumber(ARGV[4 * i - 3]), tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1])
	local tat = burst > 0 and redis.call('GET', key) -- without a limit nothing is asked nor taken
	was[i] = tat and math.max(tat - now, 0) or 0
	ahead[i] = math.min(was[i], each * burst)
	after[i] = ahead[i] + each * cost
	if after[i] > each * burst then
		after[i] = ahead[i]
		refused = refused or ARGV[4 * i] ~= '1'
	end
end

for i, key in ipairs(KEYS) do
	local becomes = refused and ahead[i] or after[i]
	if becomes ~= was[i] then
		-- Kept for a little longer than it says, as Redis' time for keys may be a little older.
		redis.call('SET', key, string.format('%.0f', now + becomes), 'PX', math.ceil(becomes / 10000) + 10)
	end
end
return ahead
