#!lua
--[[
  Changed messages as pages show them: bytes from the hash of their block of seqs.
  Blocks are named here, of a prefix that is a key of the script; all of them share
  its slot.
]]
--@ constants BLOCK_SIZE

local function block_of(seq) return math.floor(tonumber(seq) / BLOCK_SIZE) end

-- The folded form of one entry, or false.
local function folded_form(folded, seq)
  return redis.call('HGET', folded .. ':' .. block_of(seq), seq .. 'e')
end

-- Puts the folded form of each entry that has one in its place, one read a block.
local function put_folded(entries, folded)
  local from, block = 1, nil
  local function replace(to)
    local fields = {}
    for i = from, to do fields[#fields + 1] = entries[i][2][2] .. 'e' end
    local shown = redis.call('HMGET', folded .. ':' .. block, unpack(fields))
    for i = from, to do
      if shown[i - from + 1] then entries[i][2][6] = shown[i - from + 1] end
    end
  end
  for i = 1, #entries do
    local its = block_of(entries[i][2][2])
    if its ~= block then
      if block then replace(i - 1) end
      from, block = i, its
    end
  end
  if block then replace(#entries) end
  return entries
end
