#!lua
--[[
  Where a cursor stands in a room's history, and one page of what follows it.

  A cursor names its entry three ways. The epoch alone does not reveal a lost
  tail, the seq may have been given out twice, and the id may have been trimmed;
  so the entry must be there with that very seq, or its absence be explained.

  Without a cursor (seq -1) and with one that no longer stands, the page is the
  newest one. Entries of those pages come newest first.

  As in page.lua, what was changed since is given in its folded form.

  Returns {status, kind, epoch, head seq, head id, entries}
    ok        entries after the cursor, oldest first
    snapshot  there was no cursor
    gap       entries between the cursor and the oldest kept are gone
    reset     the cursor is from a history that is no longer this room's
    unknown   there is no such room
]]
--@ library folded.lua
--@ keys conversation room folded
--@ args epoch seq id limit
local room = redis.call('HMGET', KEYS[2], 'kind', 'epoch', 'seq', 'id', 'folds')
local kind, epoch, head, head_id, folds = room[1], room[2], room[3], room[4], room[5]
if not kind then return {'unknown', '', '0', '0', '0-0', {}} end
local seq, id, limit = tonumber(ARGV[2]), ARGV[3], ARGV[4]

local function shown(entries)
  return folds and put_folded(entries, KEYS[3]) or entries
end
local function page(status)
  local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', limit)
  return {status, kind, epoch, head, head_id, shown(newest)}
end
local function after(from)
  return {'ok', kind, epoch, head, head_id, shown(redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', limit))}
end

if seq < 0 then return page('snapshot') end
if epoch ~= ARGV[1] or seq > tonumber(head) then return page('reset') end
if seq > 0 then
  local here = redis.call('XRANGE', KEYS[1], id, id)
  if here[1] then
    if tonumber(here[1][2][2]) ~= seq then return page('reset') end
    return after('(' .. id)
  end
  if seq == tonumber(head) then
    if id == head_id then return after('(' .. id) end
    return page('reset')
  end
end
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not first then return page('gap') end
local first_seq = tonumber(first[2][2])
-- `p` is the way back to the entry before: `1500-3`, milliseconds and what stands behind the dash.
local back, n = string.match(first[2][4], '^(%-?%d+)%-?(%d*)$')
local first_prev = string.format('%.0f-%s', string.match(first[1], '^%d+') - back, n == '' and '0' or n)
-- The cursor's own entry is gone, but nothing after it.
if first_seq == seq + 1 and first_prev == id then return after('-') end
if first_seq > seq + 1 then return page('gap') end
return page('reset')
