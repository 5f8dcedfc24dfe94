#!lua
--[[
  A page of history by seq. Entry ids are times, so the place of a seq is found
  by halving the time between the first and the last entry: g(ms), the seq of the
  first entry not before ms, only rises.

  `before` (0: past the newest) gives the `limit` entries below it; `after` (-1:
  none) the ones above it. Returns {kind, epoch, head seq, first kept seq, entries
  oldest first}; kind '' for a room that does not exist.

  A message that was changed is given in its folded form, and an edit that another
  change took the place of without its text.
]]
--@ library folded.lua
--@ keys conversation room folded
--@ args before after limit
local room = redis.call('HMGET', KEYS[2], 'kind', 'epoch', 'seq', 'folds')
if not room[1] then return {'', '0', '0', '0', {}} end
local head = tonumber(room[3])
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if not first then return {room[1], room[2], room[3], '0', {}} end

local before, after, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local function seq_of(entry) return tonumber(entry[2][2]) end
local function ms_of(entry) return tonumber(string.match(entry[1], '^%d+')) end
local from, to
if after >= 0 then
  -- From the oldest kept on, where what follows `after` is gone.
  from = math.max(after + 1, seq_of(first))
  to = math.min(head, from + limit - 1)
else
  if before <= 0 or before > head then before = head + 1 end
  from, to = math.max(before - limit, seq_of(first)), before - 1
end
if from > to then return {room[1], room[2], room[3], seq_of(first), {}} end

local low, high = ms_of(first), ms_of(last) + 1
while high - low > 1 do
  local middle = math.floor((low + high) / 2)
  local entry = redis.call('XRANGE', KEYS[1], string.format('%.0f', middle), '+', 'COUNT', 1)[1]
  if entry and seq_of(entry) <= from then low = middle else high = middle end
end
local start = redis.call('XRANGE', KEYS[1], string.format('%.0f', low), '+', 'COUNT', 1)[1]
local skip = from - seq_of(start)
local found = redis.call('XRANGE', KEYS[1], start[1], '+', 'COUNT', skip + to - from + 1)
local entries = {}
for i = skip + 1, #found do entries[#entries + 1] = found[i] end
if room[4] then put_folded(entries, KEYS[3]) end
return {room[1], room[2], room[3], seq_of(first), entries}
