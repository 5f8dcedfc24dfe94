#!lua
--[[
  Presence of one room at one moment, with the position up to which it is known.

  Returns {position, {user, whereabouts, …}, number of members and invited}
]]
--@ keys checkpoint presence members
--@ args
local position = redis.call('HGET', KEYS[1], 'id') or '0-0'
return {position, redis.call('HGETALL', KEYS[2]), redis.call('HLEN', KEYS[3])}
