#!lua
--[[
  Single entries of a room, by their ids: replies of a thread, pins, versions.

  `mode` is 'folded' for entries as pages show them, or 'raw' for what was appended,
  which is for those alone who may see earlier versions.

  Returns {kind, entries}; an entry that is not kept, and one whose seq is another
  than was asked for, is left out.
]]
--@ library folded.lua
--@ keys conversation room folded
--@ args mode ...seqs_and_ids
local kind = redis.call('HGET', KEYS[2], 'kind')
local entries = {}
for i = 2, #ARGV, 2 do
  local seq, id = ARGV[i], ARGV[i + 1]
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  if entry and entry[2][2] == seq then
    local shown = ARGV[1] == 'folded' and folded_form(KEYS[3], seq)
    if shown then entry[2][6] = shown end
    entries[#entries + 1] = entry
  end
end
return {kind or '', entries}
