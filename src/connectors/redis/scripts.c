/*
 * Scripts by which records are written where others may be. KEYS[1] is the key, ARGV[1] when it
 * expires (ms since 1970) or '', then fields and values, or the JSON text.
 */
#include "connectors/redis/send_internal.h"

/* A hash where nothing is; else 0. */
static const char insert[] =
    "if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end\n"
    "for i = 2, #ARGV, 1000 do\n"
    "  redis.call('HSET', KEYS[1], unpack(ARGV, i, math.min(i + 999, #ARGV)))\n"
    "end\n"
    "if ARGV[1] ~= '' then redis.call('PEXPIREAT', KEYS[1], ARGV[1]) end\n"
    "return 1";

/* A hash in place of another one; of another type it stays. */
static const char put[] =
    "local kind = redis.call('TYPE', KEYS[1]).ok\n"
    "if kind ~= 'none' and kind ~= 'hash' then\n"
    "  return redis.error_reply('WRONGTYPE the key holds a ' .. kind)\n"
    "end\n"
    "redis.call('DEL', KEYS[1])\n"
    "for i = 2, #ARGV, 1000 do\n"
    "  redis.call('HSET', KEYS[1], unpack(ARGV, i, math.min(i + 999, #ARGV)))\n"
    "end\n"
    "if ARGV[1] ~= '' then redis.call('PEXPIREAT', KEYS[1], ARGV[1]) end\n"
    "return 1";

/* The same of a JSON object in a string. */
static const char put_json[] =
    "local kind = redis.call('TYPE', KEYS[1]).ok\n"
    "if kind ~= 'none' and kind ~= 'string' then\n"
    "  return redis.error_reply('WRONGTYPE the key holds a ' .. kind)\n"
    "end\n"
    "if kind == 'string' then\n"
    "  local good, there = pcall(cjson.decode, redis.call('GET', KEYS[1]))\n"
    "  if not good or type(there) ~= 'table' then\n"
    "    return redis.error_reply('WRONGTYPE the key holds a string that is no JSON object')\n"
    "  end\n"
    "end\n"
    "redis.call('SET', KEYS[1], ARGV[2])\n"
    "if ARGV[1] ~= '' then redis.call('PEXPIREAT', KEYS[1], ARGV[1]) end\n"
    "return 1";

/* Sets members of a JSON object, as texts, so that no number loses digits; one without a value
 * goes. ARGV: names and values as JSON has them. */
static const char merge[] =
    "local there = redis.call('GET', KEYS[1]) or '{}'\n"
    "local names, values, places = {}, {}, {}\n"
    "local function string_end(at)\n"
    "  at = at + 1\n"
    "  while true do\n"
    "    at = string.find(there, '[\"\\\\]', at)\n"
    "    if string.sub(there, at, at) == '\"' then return at end\n"
    "    at = at + 2\n"
    "  end\n"
    "end\n"
    "local function value_end(at)\n"
    "  local first = string.sub(there, at, at)\n"
    "  if first == '\"' then return string_end(at) end\n"
    "  if first ~= '{' and first ~= '[' then return string.find(there, '[,}%s]', at) - 1 end\n"
    "  local depth = 0\n"
    "  repeat\n"
    "    at = string.find(there, '[\"%[%]{}]', at)\n"
    "    local char = string.sub(there, at, at)\n"
    "    if char == '\"' then at = string_end(at) else depth = depth + ((char == '{' or char == '[') and 1 or -1) end\n"
    "    at = at + 1\n"
    "  until depth == 0\n"
    "  return at - 1\n"
    "end\n"
    "local function put(name, value)\n"
    "  if not places[name] then places[name] = #names + 1; names[#names + 1] = name end\n"
    "  values[places[name]] = value\n"
    "end\n"
    "if string.sub(there, 1, 1) ~= '{' or not pcall(cjson.decode, there) then\n"
    "  return redis.error_reply('WRONGTYPE the key holds a string that is no JSON object')\n"
    "end\n"
    "local at = string.find(there, '[^%s,]', 2)\n"
    "while string.sub(there, at, at) ~= '}' do\n"
    "  local begin, last = at, string_end(at)\n"
    "  local name = cjson.decode('[' .. string.sub(there, at, last) .. ']')[1]\n"
    "  at = string.find(there, '[^%s:]', last + 1)\n"
    "  last = value_end(at)\n"
    "  put(name, string.sub(there, begin, last))\n"
    "  at = string.find(there, '[^%s,]', last + 1)\n"
    "end\n"
    "for i = 2, #ARGV, 2 do put(cjson.decode('[' .. ARGV[i] .. ']')[1], ARGV[i] .. ':' .. ARGV[i + 1]) end\n"
    "local members = {}\n"
    "for i, value in ipairs(values) do\n"
    "  if string.sub(value, -1) ~= ':' then members[#members + 1] = value end\n"
    "end\n"
    "redis.call('SET', KEYS[1], '{' .. table.concat(members, ',') .. '}', 'KEEPTTL')\n"
    "if ARGV[1] ~= '' then redis.call('PEXPIREAT', KEYS[1], ARGV[1]) end\n"
    "return 1";

/*
 * A hash and its places in the table's indexes. ARGV: an empty one, put, insert, update or delete,
 * how many indexes there are; of each its base, 1 if it is sorted, how many columns it is of,
 * these; how many fields to empty, these; then fields and values. Times are seconds since 1970 in a
 * sorted set, by the days of the proleptic Gregorian calendar.
 */
static const char indexed[] =
    "local key, mode, at, indexes = KEYS[1], ARGV[2], 4, {}\n"
    "local kind = redis.call('TYPE', key).ok\n"
    "if mode == 'insert' and kind ~= 'none' then return 0 end\n"
    "if kind ~= 'none' and kind ~= 'hash' then\n"
    "  if mode == 'delete' then return redis.call('UNLINK', key) end\n"
    "  return redis.error_reply('WRONGTYPE the key holds a ' .. kind)\n"
    "end\n"
    "for i = 1, tonumber(ARGV[3]) do\n"
    "  local index = {base = ARGV[at], sorted = ARGV[at + 1] == '1', names = {}}\n"
    "  for j = 1, tonumber(ARGV[at + 2]) do index.names[j] = ARGV[at + 2 + j] end\n"
    "  at = at + 3 + #index.names\n"
    "  index.equal = index.sorted and #index.names - 1 or #index.names\n"
    "  indexes[i] = index\n"
    "end\n"
    "local function number(text)\n"
    "  if tonumber(text) then return text end\n"
    "  local y, m, d, rest = string.match(text, '^(%-?%d+)%-(%d%d)%-(%d%d)(.*)$')\n"
    "  if not y then return nil end\n"
    "  y, m, d = tonumber(y), tonumber(m), tonumber(d)\n"
    "  if m <= 2 then y, m = y - 1, m + 12 end\n"
    "  local days = 365 * y + math.floor(y / 4) - math.floor(y / 100) + math.floor(y / 400)\n"
    "    + math.floor((153 * (m - 3) + 2) / 5) + d - 1 - 719468\n"
    "  local h, n, s = string.match(rest, '^[T ](%d%d):(%d%d):(%d%d%.?%d*)')\n"
    "  return string.format('%.17g', days * 86400 + (h and h * 3600 + n * 60 + s or 0))\n"
    "end\n"
    "local function place(index)\n"
    "  local found, score = index.base, nil\n"
    "  for i, name in ipairs(index.names) do\n"
    "    local value = redis.call('HGET', key, name)\n"
    "    if not value then return nil end\n"
    "    if i > index.equal then\n"
    "      score = number(value)\n"
    "      if not score then return nil end\n"
    "    else\n"
    "      if i < index.equal then value = string.gsub(string.gsub(value, '%%', '%%25'), ':', '%%3A') end\n"
    "      found = found .. ':' .. value\n"
    "    end\n"
    "  end\n"
    "  return found, score\n"
    "end\n"
    "for _, index in ipairs(indexes) do\n"
    "  index.old = kind == 'hash' and place(index) or nil\n"
    "end\n"
    "local names = tonumber(ARGV[at])\n"
    "if mode == 'put' or mode == 'delete' then redis.call('DEL', key) end\n"
    "for i = at + names + 1, #ARGV, 1000 do\n"
    "  redis.call('HSET', key, unpack(ARGV, i, math.min(i + 999, #ARGV)))\n"
    "end\n"
    "for i = at + 1, at + names, 1000 do\n"
    "  redis.call('HDEL', key, unpack(ARGV, i, math.min(i + 999, at + names)))\n"
    "end\n"
    "for _, index in ipairs(indexes) do\n"
    "  local new, score\n"
    "  if mode ~= 'delete' then new, score = place(index) end\n"
    "  if index.old and index.old ~= new then redis.call(index.sorted and 'ZREM' or 'SREM', index.old, key) end\n"
    "  if new and index.sorted then redis.call('ZADD', new, score, key)\n"
    "  elseif new then redis.call('SADD', new, key) end\n"
    "end\n"
    "return 1";

const struct redis_script redis_scripts[REDIS_SCRIPT_COUNT] = {
    [REDIS_SCRIPT_INSERT] = {insert, "4e370608e60c677e3ac20912b85dafc59f4874e4"},
    [REDIS_SCRIPT_PUT] = {put, "fd931cb258643be8486377e841b4216374be1abf"},
    [REDIS_SCRIPT_MERGE] = {merge, "9f5654931b53d95fbb7082d2427311950cf79ef6"},
    [REDIS_SCRIPT_INDEXED] = {indexed, "d0840faf748fc8aee6f401c73ab4a250165b29e8"},
    [REDIS_SCRIPT_PUT_JSON] = {put_json, "0cd4a9a330fdb295de12c2f7dbed735223fbf7bd"},
};
