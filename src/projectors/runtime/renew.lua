#!lua
--[[
  Prolong a lease that is still ours. Returns 1, or 0 when another owner has it.
]]
--@ library clock.lua
--@ keys lease checkpoint
--@ args fence ttl
if redis.call('HGET', KEYS[2], 'fence') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'expires', now_ms() + ARGV[2])
return 1
