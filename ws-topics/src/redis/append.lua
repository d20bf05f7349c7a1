-- ARGV: 7 for how long ids are known, in ms; then id and payload of each entry. Returns the epoch and the offset of each.
local window = tonumber(ARGV[7])
local reply = { epoch }
for place = 8, #ARGV, 2 do
  local id, payload = ARGV[place], ARGV[place + 1]
  local known = redis.call('ZSCORE', ids, id)
  if known then
    reply[#reply + 1] = text(tonumber(known))
  else
    head = head + 1
    redis.call('XADD', entries, text(head) .. '-0', 't', text(now), 'p', payload)
    redis.call('ZADD', ids, text(head), id)
    bytes = bytes + #payload + 512
    reply[#reply + 1] = text(head)
  end
end
-- Whatever was there at the mark, a window ago, is forgotten.
local mark = redis.call('HMGET', meta, 'mark_time', 'mark_head')
if not mark[1] or now - tonumber(mark[1]) >= window then
  redis.call('ZREMRANGEBYSCORE', ids, '-inf', mark[2] or '0')
  redis.call('HSET', meta, 'mark_time', text(now), 'mark_head', text(head))
end
trim()
finish()
return reply
