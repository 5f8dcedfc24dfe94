#!lua
--[[
  Give a lease back in good order: the preferred owner need not wait, and the
  count of failed tries starts anew. The fence goes too, else a renewal on its
  way would bring the lease back to life with nobody behind it. Returns 1, or 0
  when another owner has it already.
]]
--@ library clock.lua
--@ keys lease checkpoint
--@ args fence
if redis.call('HGET', KEYS[2], 'fence') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'owner', '', 'expires', now_ms())
redis.call('HDEL', KEYS[2], 'fence')
redis.call('HDEL', KEYS[1], 'tried', 'try', 'suspect', 'struck', 'strikes')
return 1
