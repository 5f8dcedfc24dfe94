#!lua
--[[
  A worker's sign of life, and the list of all that live, in one order for all.
]]
--@ library clock.lua
--@ keys workers
--@ args worker ttl
local now = now_ms()
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
return redis.call('ZRANGE', KEYS[1], 0, -1)
