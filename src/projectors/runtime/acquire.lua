#!lua
--[[
  Take the lease of a partition if it is free, and say where to begin.

  The fence is the text `token:owner`, not the number: after a failover that lost
  an increment two owners may be given one number, but never one text. Time is
  the server's, and only liveness rests on it; safety rests on the fence that
  every APPLY compares. It stands beside the checkpoint, which APPLY reads anyway.

  A checkpoint that has not moved over several acquisitions points at a command
  that kills its worker: `try` counts them. In careful mode the worker notes the
  command that it is about to decide as `suspect`; the same one noted twice by
  workers that died of it is the culprit. The note is taken down here, so that a
  worker that dies of something else does not count against it; and a worker that
  comes back for its own lease did not die.

  A worker that is not preferred for the partition waits `grace` milliseconds
  past the end of a lease, so that the preferred one comes first.

  Returns {1, fence, checkpoint, commands, entries, try, struck, strikes}
       or {0, milliseconds left, owner}
]]
--@ library clock.lua
--@ keys events lease checkpoint
--@ args owner ttl grace group
local now = now_ms()
local lease = redis.call('HMGET', KEYS[2], 'owner', 'expires', 'token', 'tried', 'try', 'suspect', 'struck', 'strikes')
local expires = tonumber(lease[2] or '0')
local ttl = tonumber(ARGV[2])
-- A clock that was set back must not make a lease eternal.
if expires > now + ttl then expires = now + ttl end
local free_in = expires - now + tonumber(ARGV[3])
if lease[1] ~= ARGV[1] and free_in > 0 then return {0, free_in, lease[1] or ''} end

local ck = redis.call('HMGET', KEYS[3], 'id', 'commands', 'entries')
local id = ck[1] or '0-0'
local try = 1
if lease[4] == id then try = tonumber(lease[5]) + 1 end
local struck, strikes = lease[7] or '', tonumber(lease[8] or '0')
if lease[6] and lease[6] ~= '' and lease[1] ~= ARGV[1] then
  strikes = lease[6] == struck and strikes + 1 or 1
  struck = lease[6]
end
local token = tonumber(lease[3] or '0') + 1
local fence = token .. ':' .. ARGV[1]
redis.call('HSET', KEYS[3], 'fence', fence)
redis.call('HSET', KEYS[2], 'token', token, 'owner', ARGV[1],
  'expires', now + ttl, 'tried', id, 'try', try, 'suspect', '', 'struck', struck, 'strikes', strikes)
-- The group begins anew where the checkpoint stands: a worker has a name of its own for each life,
-- and consumers of the dead would gather in it for ever. Refused only where there is no log yet.
redis.pcall('XGROUP', 'DESTROY', KEYS[1], ARGV[4])
redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[4], id, 'MKSTREAM', 'ENTRIESREAD', tonumber(ck[3] or '0'))
return {1, fence, id, tonumber(ck[2] or '0'), tonumber(ck[3] or '0'), try, struck, strikes}
