#!lua
--[[
  Apply one decided batch of a partition: all of it, once, or nothing.

  Redis does not roll back, so every check comes before the first write:

    fence       the lease may have passed to another owner while this one slept
    checkpoint  equal to `from`, else the batch was applied already, or is stale
    log         nothing after the checkpoint was trimmed away or deleted unread
    ids         XREADGROUP hands out exactly the entries that were decided; if not,
                somebody moved the group: it is made anew at the checkpoint, which
                also forgets what was handed out and never acknowledged

  What XREADGROUP hands out is in effect when the script ends, so it need not be
  acknowledged: NOACK. The consumer group shows the truth at any time and nothing is
  ever pending between two scripts.

  What the operations mean is not known here. `writes` is a MessagePack list of
  them and of the numbers of the blobs that the bell carries as well: sent once,
  written twice. An operation is a command name from the closed set below, the
  index of its key and its arguments; a number among these stands for a blob.

  Returns {'applied'} | {'already'} | {'stale', checkpoint} | {'fenced', fence}
        | {'truncated', why} | {'diverged', got}
]]
--@ keys events checkpoint bell ...changed
--@ args fence group worker from first to entries commands bells header writes ...blobs
local ALLOWED = {
  XADD = true, XTRIM = true, HSET = true, HDEL = true, SET = true, DEL = true, SADD = true, SREM = true,
  ZADD = true, ZREMRANGEBYRANK = true,
}

local ck = redis.call('HMGET', KEYS[2], 'id', 'commands', 'entries', 'fence')
local fence, at = ck[4], ck[1] or '0-0'
if fence ~= ARGV[1] then return {'fenced', fence or ''} end
if at == ARGV[6] then return {'already'} end
if at ~= ARGV[4] then return {'stale', at} end

local function later(a, b)
  local ams, an = string.match(a, '(%d+)-(%d+)')
  local bms, bn = string.match(b, '(%d+)-(%d+)')
  if ams ~= bms then return tonumber(ams) > tonumber(bms) end
  return tonumber(an) > tonumber(bn)
end
local info, flat = {}, redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #flat, 2 do info[flat[i]] = flat[i + 1] end
local added, applied = info['entries-added'], tonumber(ck[3] or '0')
if added < applied then return {'truncated', 'the log holds less than was applied'} end
local missing = added - info['length'] - applied
if missing > 0 then return {'truncated', missing .. ' entries were trimmed away'} end
if later(info['max-deleted-entry-id'], at) then
  return {'truncated', 'entries up to ' .. info['max-deleted-entry-id'] .. ' were deleted'}
end

local writes = cmsgpack.unpack(ARGV[11])
local operations, inline = writes[1], writes[2]
for _, op in ipairs(operations) do
  if not ALLOWED[op[1]] then return redis.error_reply('ERR operation ' .. op[1] .. ' is not allowed') end
  -- More than some 8,000 cannot be unpacked, which would show in the midst of the writes.
  if #op > 1002 then return redis.error_reply('ERR operation ' .. op[1] .. ' has too many arguments') end
end

local count = tonumber(ARGV[7])
local got = redis.pcall('XREADGROUP', 'GROUP', ARGV[2], ARGV[3], 'COUNT', count, 'NOACK', 'STREAMS', KEYS[1], '>')
if got and got.err and not string.find(got.err, 'NOGROUP', 1, true) then return redis.error_reply(got.err) end
local entries = got and not got.err and got[1][2] or {}
local first, last = entries[1] and entries[1][1], #entries > 0 and entries[#entries][1]
if #entries ~= count or first ~= ARGV[5] or last ~= ARGV[6] then
  redis.call('XGROUP', 'DESTROY', KEYS[1], ARGV[2])
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[2], at, 'ENTRIESREAD', applied)
  return {'diverged', got and got.err or #entries .. ' entries from ' .. (first or 'nowhere')}
end

for _, op in ipairs(operations) do
  for i = 3, #op do
    if type(op[i]) == 'number' then op[i] = ARGV[11 + op[i]] end
  end
  redis.call(op[1], KEYS[op[2]], unpack(op, 3))
end
redis.call('HSET', KEYS[2], 'id', ARGV[6], 'commands', tonumber(ck[2] or '0') + ARGV[8], 'entries', applied + count)
local bell = { 'h', ARGV[10] }
for _, number in ipairs(inline) do
  bell[#bell + 1] = 'd'
  bell[#bell + 1] = ARGV[11 + number]
end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[9], '*', unpack(bell))
return {'applied'}
