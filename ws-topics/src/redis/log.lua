-- The log of a topic: the beginning of append.lua and read.lua.
--
-- KEYS: what is known of the log; its entries, a stream whose ids are OFFSET-0; the ids of the entries that came lately.
-- ARGV: 1 messages at most, 2 bytes at most, 3 age at most in ms, 4 ms after the last use at which it is forgotten,
-- 5 and 6 epoch and offset that the caller has seen.
local meta, entries, ids = KEYS[1], KEYS[2], KEYS[3]
local max_messages, max_bytes, max_age, keep = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

local function text(number)
  return string.format('%.0f', number)
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function is_a(kind, key)
  local found = redis.call('TYPE', key).ok
  return found == kind or found == 'none'
end

-- What something else has written to these keys makes this log begin anew, and no call fail.
local is_ours = is_a('hash', meta) and is_a('stream', entries) and is_a('zset', ids)
local known = is_ours and redis.call('HMGET', meta, 'epoch', 'head', 'bytes') or {}
local epoch, head, bytes = known[1], tonumber(known[2] or '0'), tonumber(known[3] or '0')

-- A new life: there was none; or the entries are gone; or Redis has come back with an older state than the caller has seen.
if not epoch or not tonumber(epoch) or not head or not bytes
  or (head > 0 and redis.call('EXISTS', entries) == 0)
  or (epoch == ARGV[5] and head < tonumber(ARGV[6])) then
  redis.call('DEL', meta, entries, ids)
  epoch, head, bytes = text(tonumber(time[1]) * 1000000 + tonumber(time[2])), 0, 0
  redis.call('HSET', meta, 'epoch', epoch, 'head', 0, 'bytes', 0)
end

-- Entries that something else has added, which can only be behind ours, become one without content: a gap in its place. No id can come before theirs
-- otherwise, and so the stream is made again.
if #redis.call('XRANGE', entries, text(head) .. '-1', '+', 'COUNT', 1) > 0 then
  local honest = redis.call('XRANGE', entries, '-', text(head) .. '-0')
  redis.call('DEL', entries)
  for _, entry in ipairs(honest) do
    redis.call('XADD', entries, entry[1], unpack(entry[2]))
  end
  head, bytes = head + 1, bytes + 512
  redis.call('XADD', entries, text(head) .. '-0', 't', text(now), 'p', '')
  redis.call('HSET', meta, 'head', text(head), 'bytes', text(bytes))
end

local known_head, known_bytes = head, bytes

-- Drops what is beyond the limits, and returns the oldest offset that is left.
local function trim()
  local count = redis.call('XLEN', entries)
  while count > 0 do
    local first = redis.call('XRANGE', entries, '-', '+', 'COUNT', 1)[1]
    local offset, fields = tonumber(string.match(first[1], '^%d+')), first[2]
    -- One message is kept, whatever its length.
    local fits = count <= max_messages and (bytes <= max_bytes or count == 1)
    if fits and now - tonumber(fields[2]) <= max_age then
      return offset
    end
    redis.call('XTRIM', entries, 'MINID', text(offset + 1) .. '-0')
    bytes, count = bytes - #fields[4] - 512, count - 1
  end
  return head + 1
end

local function finish()
  -- To read needs no memory, and works where there is none.
  if head ~= known_head or bytes ~= known_bytes then
    redis.call('HSET', meta, 'head', text(head), 'bytes', text(bytes))
  end
  for _, key in ipairs(KEYS) do
    redis.call('PEXPIRE', key, keep)
  end
end
