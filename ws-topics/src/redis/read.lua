-- ARGV: 7 the offset after which it reads; 8 messages and 9 bytes at most. Returns epoch, oldest offset, head; then offset and payload of each.
local after, most, most_bytes = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local oldest = trim()
finish()
local reply = { epoch, text(oldest), text(head) }
local at, count, sum = math.max(after + 1, oldest), 0, 0
while at <= head and count < most and (sum < most_bytes or count == 0) do
  local chunk = redis.call('XRANGE', entries, text(at) .. '-0', '+', 'COUNT', math.min(64, most - count))
  if #chunk == 0 then
    break
  end
  for _, entry in ipairs(chunk) do
    if sum >= most_bytes and count > 0 then
      break
    end
    local payload = entry[2][4]
    reply[#reply + 1] = string.match(entry[1], '^%d+')
    reply[#reply + 1] = payload
    sum, count, at = sum + #payload, count + 1, tonumber(reply[#reply - 1]) + 1
  end
end
return reply
