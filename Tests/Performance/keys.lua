-- For wrk: every request carries the next of the credentials in a file, one a line, in an order that is drawn once.
-- Environment: GATEHOUSE_CREDENTIALS (the file), GATEHOUSE_HEADER (the header's name), GATEHOUSE_HEADERS (further
-- headers, `Name: value` separated by `|`).

local requests = {}
local position = 0

function init(arguments)
    local file = assert(io.open(os.getenv("GATEHOUSE_CREDENTIALS")))
    local name = os.getenv("GATEHOUSE_HEADER") or "X-API-Key"
    local headers = {}
    for line in string.gmatch(os.getenv("GATEHOUSE_HEADERS") or "", "[^|]+") do
        local key, value = string.match(line, "^([^:]+): (.*)$")
        headers[key] = value
    end
    -- Formatted here, so that the load itself costs the same for one credential and for ten thousand.
    for line in file:lines() do
        headers[name] = line
        requests[#requests + 1] = wrk.format("GET", wrk.path, headers)
    end
    file:close()
    math.randomseed(4711)
    for index = #requests, 2, -1 do
        local other = math.random(index)
        requests[index], requests[other] = requests[other], requests[index]
    end
end

function request()
    position = position % #requests + 1
    return requests[position]
end

function done(summary, latency, all)
    local errors = summary.errors
    local failed = errors.connect + errors.read + errors.write + errors.timeout + errors.status
    io.write(string.format("RESULT %d %d %d\n", summary.requests, failed, latency:percentile(99)))
end
