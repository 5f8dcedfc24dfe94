#!lua
--[[
  Append what the owner of a partition has to say about an incarnation of an edge
  whose lease has ended.

  Only the owner may: the fence is compared, so a worker that sleeps past its lease
  appends nothing. An incarnation that renewed its lease meanwhile is left alone;
  one that did not loses it here, in the same step in which its end enters the log,
  so that it learns of its end with its next renewal.

  Returns {1, id} | {0, 'fenced'} | {0, 'alive'}
]]
--@ library clock.lua
--@ keys events log checkpoint edges
--@ args fence incarnation facts batch
if redis.call('HGET', KEYS[3], 'fence') ~= ARGV[1] then return {0, 'fenced'} end
local ends = redis.call('ZSCORE', KEYS[4], ARGV[2])
if ends and tonumber(ends) > now_ms() then return {0, 'alive'} end
redis.call('ZREM', KEYS[4], ARGV[2])
redis.call('HINCRBY', KEYS[2], 'commands', ARGV[3])
return {1, redis.call('XADD', KEYS[1], '*', 'b', ARGV[4])}
