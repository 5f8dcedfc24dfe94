#!lua
--[[
  Takes one change of membership into a user's list of rooms, unless a newer one
  of that room is in it: taken twice, or late, it changes nothing.

  A room that was left stays known by its seq for as long as a change could still
  be handed out again, or that one would bring the room back.

  Returns 1 when it changed something, else 0.
]]
--@ keys list left
--@ args room seq role left_ttl_ms
local room, seq, role = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local known = redis.call('HGET', KEYS[1], room)
if known and tonumber(string.match(known, '^%d+')) >= seq then return 0 end
local left = redis.call('HGET', KEYS[2], room)
if left and tonumber(left) >= seq then return 0 end
if role == '' then
  redis.call('HDEL', KEYS[1], room)
  redis.call('HSET', KEYS[2], room, ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
else
  redis.call('HSET', KEYS[1], room, ARGV[2] .. ':' .. role)
  if left then redis.call('HDEL', KEYS[2], room) end
end
return 1
