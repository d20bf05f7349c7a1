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

local epoch = redis.call('HGET', meta, 'epoch')
local head = tonumber(redis.call('HGET', meta, 'head') or '0')
local bytes = tonumber(redis.call('HGET', meta, 'bytes') or '0')

-- A new life: there was none; or the entries are gone; or Redis has come back with an older state than the caller has seen.
if not epoch
  or (head > 0 and redis.call('EXISTS', entries) == 0)
  or (epoch == ARGV[5] and head < tonumber(ARGV[6])) then
  redis.call('DEL', meta, entries, ids)
  epoch, head, bytes = text(tonumber(time[1]) * 1000000 + tonumber(time[2])), 0, 0
  redis.call('HSET', meta, 'epoch', epoch, 'head', 0, 'bytes', 0)
end

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
  redis.call('HSET', meta, 'head', text(head), 'bytes', text(bytes))
  for _, key in ipairs(KEYS) do
    redis.call('PEXPIRE', key, keep)
  end
end
