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

const struct redis_script redis_scripts[REDIS_SCRIPT_COUNT] = {
    [REDIS_SCRIPT_INSERT] = {insert, "4e370608e60c677e3ac20912b85dafc59f4874e4"},
    [REDIS_SCRIPT_PUT] = {put, "fd931cb258643be8486377e841b4216374be1abf"},
    [REDIS_SCRIPT_PUT_JSON] = {put_json, "0cd4a9a330fdb295de12c2f7dbed735223fbf7bd"},
};
