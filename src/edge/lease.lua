#!lua
--[[
  Hold the lease of an incarnation of an edge in one partition. Time is the server's.
  A renewal is refused when the lease is gone: the log says, or soon will, that the
  incarnation has ended, and what it says from then on counts for nothing.

  Returns 1, or 0 when it is gone.
]]
--@ library clock.lua
--@ keys edges
--@ args incarnation ttl isNew
if ARGV[3] == '0' and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now_ms() + ARGV[2], ARGV[1])
return 1
