-- What wrk sends and says, for bench/load.ts. Arguments: method, bytes of the body, file of secrets
-- (one a line, taken in turn; "-" for none).
function init(args)
  local at = #args - 2
  local method, bytes, file = args[at], tonumber(args[at + 1]), args[at + 2]
  wrk.method = method
  if bytes > 0 then wrk.body = string.rep("x", bytes) end
  if file == "-" then return end
  local requests, n = {}, 0
  for secret in io.lines(file) do
    wrk.headers["Authorization"] = "Bearer " .. secret
    n = n + 1
    requests[n] = wrk.format()
  end
  local i = 0
  request = function()
    i = i + 1
    if i > n then i = 1 end
    return requests[i]
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%f,"p50":%d,"p99":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
