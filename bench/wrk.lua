-- Sends one POST body again and again; prints what happened as JSON. PENSTOCK_BENCH_BODY is the body's file,
-- PENSTOCK_BENCH_DELAY_MS a mean pause between the requests of a connection (0: none).
local file = assert(io.open(os.getenv("PENSTOCK_BENCH_BODY"), "rb"))
wrk.method = "POST"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "application/json"
file:close()

local delay_ms = tonumber(os.getenv("PENSTOCK_BENCH_DELAY_MS") or "0")
if delay_ms > 0 then
  function delay()
    return math.random(0, 2 * delay_ms)
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50_us":%d,"p99_us":%d,"max_us":%d,"failed":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99), latency.max,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
