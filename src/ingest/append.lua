#!lua
--[[
  Append one packed batch of commands and facts to a partition's log, unless its
  projector is too far behind.

  The count of appended commands, facts included, is kept beside the log, because one entry holds
  many: backlog and lag are counted in commands.

  Returns {1, id} | {0, backlog}
]]
--@ keys events log checkpoint
--@ args commands backlogMax batch
local commands = tonumber(ARGV[1])
local appended = tonumber(redis.call('HGET', KEYS[2], 'commands') or '0')
local applied = tonumber(redis.call('HGET', KEYS[3], 'commands') or '0')
if appended - applied + commands > tonumber(ARGV[2]) then return {0, appended - applied} end
redis.call('HINCRBY', KEYS[2], 'commands', commands)
return {1, redis.call('XADD', KEYS[1], '*', 'b', ARGV[3])}
