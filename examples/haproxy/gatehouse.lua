-- Asks Gatehouse about a request before HAProxy forwards it; printed by `gatehouse snippet haproxy --lua`. HAProxy 2.6 or
-- newer; needs no other file.
--
--   http-request lua.gatehouse URL NAMES BACKEND
--
-- URL is a check endpoint, NAMES the identity headers, with commas. Whatever is not a 2xx ends the request here; what passes
-- has BACKEND in txn.gatehouse, and nothing is asked about twice.

-- Of the connection, and of the body that a question does not have.
local hop_by_hop = {
    ["connection"] = true, ["keep-alive"] = true, ["proxy-connection"] = true, ["te"] = true, ["trailer"] = true,
    ["transfer-encoding"] = true, ["upgrade"] = true, ["http2-settings"] = true, ["content-length"] = true,
    ["expect"] = true, ["host"] = true, ["accept-encoding"] = true,
}

-- Names that only Gatehouse may speak, by the form in which servers fold them.
local reserved = {
    "^remote%-", "^x%-remote%-", "^x%-auth%-request%-", "^x%-forwarded%-", "^forwarded$", "^x%-real%-ip$", "^x%-original%-",
    "^x%-rewrite%-url$", "^x%-client%-cert", "^x%-webauth%-", "^x%-gatehouse%-", "^gatehouse%-", "^proxy%-", "^proxy$", "^x%-envoy%-",
    "^x%-http%-method$", "^x%-http%-method%-override$", "^x%-method%-override$",
}

local function folded(name)
    return (string.gsub(string.lower(name), "[^a-z0-9]", "-"))
end

local function is_reserved(name, own)
    local canonical = folded(name)
    if own[canonical] then return true end
    for _, pattern in ipairs(reserved) do
        if string.find(canonical, pattern) then return true end
    end
    return false
end

-- HAProxy's tables of values begin at 0.
local function values(list)
    local all = {}
    for index = 0, #list do
        if list[index] ~= nil then all[#all + 1] = list[index] end
    end
    return all
end

local function refuse(txn, status, headers)
    local reply = txn:reply{ status = status }
    local reason = ""
    for _, name in ipairs({ "location", "www-authenticate", "gatehouse-reason", "x-request-id", "retry-after" }) do
        if headers and headers[name] then
            for _, value in ipairs(values(headers[name])) do
                reply:add_header(name, value)
                if name == "gatehouse-reason" then reason = value end
            end
        end
    end
    reply:add_header("cache-control", "no-store")
    if status >= 400 then
        reply:add_header("content-type", "application/problem+json")
        reply:set_body(string.format('{"status":%d,"code":"%s"}\n', status, reason))
    end
    txn:done(reply)
end

core.register_action("gatehouse", { "http-req" }, function(txn, url, names, backend)
    if txn:get_var("txn.gatehouse") then return end
    local own = {}
    for name in string.gmatch(names, "[^,]+") do own[folded(name)] = true end
    local address = txn.f:src()
    -- HAProxy's own `hdr` takes a value apart at its commas: what selects the app would not be what is asked about.
    local hosts = values(txn.http:req_get_headers()["host"] or {})
    local host = hosts[1] or ""
    local name = string.gsub(host, ":%d*$", "")
    if #hosts ~= 1 or not (string.find(name, "^[%w._-]+$") or string.find(name, "^%[[%x:.]+%]$")) then
        return refuse(txn, 421)
    end
    local question = {}
    for name, list in pairs(txn.http:req_get_headers()) do
        local canonical = folded(name)
        local is_ours = canonical == "gatehouse-key" and name == "gatehouse-key"
        if not is_ours and is_reserved(name, own) then
            txn.http:req_del_header(name)
        elseif not hop_by_hop[name] then
            question[name] = values(list)
        end
    end
    question["x-forwarded-method"] = { txn.f:method() }
    question["x-forwarded-host"] = { host }
    question["x-forwarded-uri"] = { txn.f:pathq() }
    question["x-forwarded-for"] = { address }
    local client = core.httpclient()
    local answer = client:head{ url = url, headers = question, timeout = 5000 }
    if not answer or not answer.status or answer.status == 0 then
        txn:Warning("gatehouse: no answer")
        return refuse(txn, 503)
    end
    if answer.status < 200 or answer.status > 299 then
        local status = answer.status
        if status < 300 or status > 599 then status = 503 end
        return refuse(txn, status, answer.headers)
    end
    -- Every one is in every answer, empty where there is nothing to say; what is not there is taken out all the same.
    local told = { "cookie", "authorization", "x-api-key", "x-request-id" }
    for name in string.gmatch(names, "[^,]+") do told[#told + 1] = string.lower(name) end
    for _, name in ipairs(told) do
        txn.http:req_del_header(name)
        local list = answer.headers[name]
        local value = list and table.concat(values(list), ", ") or ""
        if value ~= "" then txn.http:req_set_header(name, value) end
    end
    txn.http:req_del_header("gatehouse-key")
    txn:set_var("txn.gatehouse", backend)
    txn.http:req_set_header("X-Forwarded-For", address)
    txn.http:req_set_header("X-Forwarded-Host", host)
    txn.http:req_set_header("X-Forwarded-Proto", txn.f:ssl_fc() == 1 and "https" or "http")
end, 3)
