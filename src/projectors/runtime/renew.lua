#!lua
--[[
  Prolong a lease that is still ours. Returns 1, or 0 when another owner has it.
]]
--@ keys lease checkpoint
--@ args fence ttl
if redis.call('HGET', KEYS[2], 'fence') ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', KEYS[1], 'expires', string.format('%.0f', now + ARGV[2]))
return 1
