#!lua
--[[
  Where one user stands in some rooms of one partition: what a list of rooms shows
  and what its unread counts follow from. Five keys a room; the last one is the
  prefix of the blocks of changed messages, which the script names by itself.

  Returns for each room {membership, kind, name, epoch, head seq, messages, mark,
  own calls, calls of all, deleted after the mark, newest message}. A membership of
  '' is none, and then nothing else is told.
]]
--@ library folded.lua
--@ keys ...rooms
--@ args user messages mark own all last
local standings = {}
for i = 1, #KEYS, 5 do
  local room, members, gone, conversation, folded = unpack(KEYS, i, i + 4)
  local membership = redis.call('HGET', members, ARGV[1])
  if not membership then
    standings[#standings + 1] = {''}
  else
    local is = redis.call('HMGET', room, 'kind', 'name', 'epoch', 'seq', unpack(ARGV, 2))
    local mark, last = is[6], is[9]
    local deleted, newest = {}, false
    if mark then
      deleted = redis.call('ZRANGEBYSCORE', gone, '(' .. string.match(mark, '^%d+'), '+inf')
    end
    if last then
      local seq, id = string.match(last, '^(%d+) (%S+)$')
      newest = folded_form(folded, seq)
      if not newest then
        local found = redis.call('XRANGE', conversation, id, id)[1]
        newest = found and found[2][6]
      end
    end
    standings[#standings + 1] = {
      membership, is[1], is[2], is[3], is[4], is[5], mark, is[7], is[8], deleted, newest,
    }
  end
end
return standings
