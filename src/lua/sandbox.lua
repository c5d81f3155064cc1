-- The sandbox of scripts: what a script finds as its globals, and how it is run.
--
-- Scripts see *views*: empty tables whose metatables look into the real ones and refuse changes. What the views look into,
-- and the functions kept here as locals, are out of a script's reach, so that no script can change anything for the next.
local host = ...

local getinfo = debug.getinfo
local getmetatable, setmetatable, rawget, rawset = getmetatable, setmetatable, rawget, rawset
local loadstring, pcall, collectgarbage = loadstring, pcall, collectgarbage
local type, tostring, select, byte, concat = type, tostring, select, string.byte, table.concat

local READONLY = "Attempt to modify a readonly table"

-- What getmetatable() answers for a view, and what it is a view of.
local views = setmetatable({}, {__mode = "k"})
local behind = setmetatable({}, {__mode = "k"})

local function view(of, metatable)
    metatable = metatable or {}
    metatable.__index = of
    metatable.__newindex = host.readonly
    local seen = setmetatable({}, metatable)
    views[seen] = false
    behind[seen] = of
    return seen
end

local globals = {}
for name in ([[_VERSION assert error gcinfo ipairs next pairs rawequal select tonumber tostring type xpcall]]):gmatch("%S+") do
    globals[name] = _G[name]
end

math.random, math.randomseed = host.random, host.randomseed
for name in ("find match gmatch gfind gsub"):gmatch("%S+") do
    string[name] = host.guard(string[name], views, "pattern")
end
for name in ("insert remove sort setn"):gmatch("%S+") do
    table[name] = host.guard(table[name], views, "changes")
end
globals.setmetatable = host.guard(setmetatable, views, "changes")
globals.rawset = host.guard(rawset, views, "changes")
globals.unpack = host.guard(unpack, views, "range")
for name, library in pairs({
    string = string,
    table = table,
    math = math,
    coroutine = coroutine,
    os = {clock = os.clock},
    redis = host.redis,
}) do
    globals[name] = view(library)
end
for name, library in pairs(host.libraries) do
    globals[name] = view(library)
end

function globals.getmetatable(...)
    local of = views[(...)]
    if of == nil then return getmetatable(...) end
    return of or nil
end

function globals.rawget(...)
    local of = behind[(...)]
    if of == nil then return rawget(...) end
    return rawget(of, (select(2, ...)))
end

-- How garbage is collected stays as it is.
function globals.collectgarbage(what, ...)
    if what == "stop" or what == "restart" then return 0 end
    if what == "setpause" or what == "setstepmul" then return 200 end
    return collectgarbage(what, ...)
end

-- What is raised as a table with a text comes as that text.
local function caught(ok, e, ...)
    if not ok and type(e) == "table" then
        local text = e.err
        if type(text) == "string" then return false, text end
    end
    return ok, e, ...
end

function globals.pcall(...)
    return caught(pcall(...))
end

-- Compiled code is not loaded: it could do what no source can.
function globals.loadstring(code, name)
    if type(code) == "string" and byte(code) == 27 then
        return nil, "[string \"LuaQ\"]:1: unexpected symbol near 'char(27)'"
    end
    return loadstring(code, name)
end

globals.load = host.loader(function(reader, name)
    local pieces = {}
    while true do
        local ok, piece = pcall(reader)
        if not ok then return nil, piece end
        if piece == nil or piece == "" then break end
        if type(piece) ~= "string" then return nil, "reader function must return a string" end
        pieces[#pieces + 1] = piece
    end
    return globals.loadstring(concat(pieces), name or "=(load)")
end)

-- A name that is not there is a mistake of the script's, and said so.
local environment_meta = {}
local environment = view(setmetatable(globals, {__index = host.missing}), environment_meta)
globals._G = environment
views[environment] = view({__index = environment})
getmetatable("").__metatable = view({__index = globals.string})

-- While a library of functions is loaded, all that it finds is this.
local loading
if host.loading then
    loading = setmetatable({redis = view(setmetatable(host.loading, {__index = host.missing}))}, {__index = host.missing})
end

-- An error becomes a table, with the place that it came from. One that is thrown by the server is its own object.
local function on_error(e)
    local level = 2
    local info = getinfo(level, "Sl")
    if info and info.what == "C" then
        level = 3
        info = getinfo(level, "Sl")
    end
    while info and info.source == "=sandbox" do
        level = level + 1
        info = getinfo(level, "Sl")
    end
    if type(e) == "userdata" then e = host.explain(e) end
    if views[e] ~= nil then e = READONLY end
    if type(e) ~= "table" then e = {err = "ERR " .. tostring(e)} end
    if info then
        rawset(e, "source", info.source)
        rawset(e, "line", info.currentline)
    end
    return e
end

return {
    environment = environment,
    globals = globals,
    on_error = on_error,
    set_loading = function(on)
        environment_meta.__index = on and loading or globals
    end,
}
