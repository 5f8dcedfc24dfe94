#!lua
--[[
  Takes one change of membership into a user's list of rooms, unless a newer one
  of that room is in it: taken twice, or late, it changes nothing.

  A room that was left stays known by its seq for as long as a change could still
  be handed out again, or that one would bring the room back.

  The list holds at most `rooms_max` and `invitations_max` rooms. A room that is in
  it keeps its place, so an accepted invitation has one already. A further invitation
  takes one of `invitations_max` places, and a room joined without a listed one finds
  a place as long as fewer than `rooms_max` were joined, however many invitations
  there are. What finds none is forgotten: if it is handed out again it is decided
  anew, and what comes after it has a higher seq.

  Returns 'changed', 'known' for what a list had already, or 'unlisted' for what
  finds no place.
]]
--@ keys list left
--@ args room seq role left_ttl_ms rooms_max invitations_max
local room, seq, role = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local rooms_max, invitations_max = tonumber(ARGV[5]), tonumber(ARGV[6])
local INVITED = ':invited'

local function has_place()
  local total = redis.call('HLEN', KEYS[1])
  -- Nearly every list: nothing has to be counted.
  if total < rooms_max and total < invitations_max then return true end
  local invited = 0
  for _, value in ipairs(redis.call('HVALS', KEYS[1])) do
    if string.sub(value, -#INVITED) == INVITED then invited = invited + 1 end
  end
  if role ~= 'invited' then return total - invited < rooms_max end
  return invited < invitations_max and total < rooms_max + invitations_max
end

local known = redis.call('HGET', KEYS[1], room)
if known and tonumber(string.match(known, '^%d+')) >= seq then return 'known' end
local left = redis.call('HGET', KEYS[2], room)
if left and tonumber(left) >= seq then return 'known' end
if role == '' then
  redis.call('HDEL', KEYS[1], room)
  redis.call('HSET', KEYS[2], room, ARGV[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
else
  if not known and not has_place() then return 'unlisted' end
  redis.call('HSET', KEYS[1], room, ARGV[2] .. ':' .. role)
  if left then redis.call('HDEL', KEYS[2], room) end
end
return 'changed'
