-- ARGV: 7 for how long ids are known, in ms; then id and payload of each entry. Returns the epoch and the offset of each.
local window = tonumber(ARGV[7])
local reply = { epoch }
local before = head
for place = 8, #ARGV, 2 do
  local id, payload = ARGV[place], ARGV[place + 1]
  local stored = redis.call('ZSCORE', ids, id)
  if stored then
    reply[#reply + 1] = text(tonumber(stored))
  else
    head = head + 1
    redis.call('XADD', entries, text(head) .. '-0', 't', text(now), 'p', payload)
    redis.call('ZADD', ids, text(head), id)
    bytes = bytes + #payload + 512
    reply[#reply + 1] = text(head)
  end
end
-- All were there already: nothing is written, for which Redis may have no room now.
if head == before then
  return reply
end
-- Whatever was there at the mark, a window ago, is forgotten.
local mark = redis.call('HMGET', meta, 'mark_time', 'mark_head')
local mark_time, mark_head = tonumber(mark[1]), tonumber(mark[2])
if mark_time and mark_time > now then
  -- The clock was set back.
  redis.call('HSET', meta, 'mark_time', text(now))
elseif not mark_time or now - mark_time >= window then
  redis.call('ZREMRANGEBYSCORE', ids, '-inf', text(mark_head or 0))
  redis.call('HSET', meta, 'mark_time', text(now), 'mark_head', text(head))
end
trim()
finish()
return reply
