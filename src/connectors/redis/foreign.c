/* Keys that the database notes nothing of: strings, lists, sets, sorted sets and streams as values.
 */
#include "connectors/redis/source.h"

#include "base/text.h"

/* ---------------------------------------------------------------- commands */

void redis_foreign_command(enum redis_type type, struct text key, struct buffer *out)
{
    static const struct {
        const char *name;
        const char *arguments[3];
    } commands[] = {
        [REDIS_TYPE_HASH] = {"HGETALL", {NULL}},
        [REDIS_TYPE_JSON] = {"GET", {NULL}},
        [REDIS_TYPE_STRING] = {"GET", {NULL}},
        [REDIS_TYPE_LIST] = {"LRANGE", {"0", "-1", NULL}},
        [REDIS_TYPE_SET] = {"SMEMBERS", {NULL}},
        [REDIS_TYPE_SORTED_SET] = {"ZRANGE", {"0", "-1", "WITHSCORES"}},
        [REDIS_TYPE_STREAM] = {"XRANGE", {"-", "+", NULL}},
        [REDIS_TYPE_OTHER] = {"TYPE", {NULL}},
    };
    uint32_t count = 0;
    while (count < 3 && commands[type].arguments[count] != NULL) {
        count++;
    }
    resp_begin(out, 2 + (uint64_t)count);
    resp_string(out, commands[type].name);
    resp_word(out, key.data, key.length);
    for (uint32_t at = 0; at < count; at++) {
        resp_string(out, commands[type].arguments[at]);
    }
}

/* ---------------------------------------------------------------- values */

static void read_text(const struct resp_value *reply, struct arena *arena, struct cell *cell)
{
    redis_value_read(reply->text.data, reply->text.length, arena, cell);
}

static void read_members(const struct resp_value *reply, enum value_kind kind, struct arena *arena,
                         struct cell *value)
{
    struct cell *items = arena_allocate_zeroed(arena, (size_t)reply->count + 1, sizeof(*items));
    for (uint32_t at = 0; at < reply->count; at++) {
        read_text(&reply->items[at], arena, &items[at]);
    }
    *value = cell_items(kind, items, reply->count);
}

/* Pairs of member and score: in version 3 each a list, in version 2 one after the other. */
static void read_scores(const struct resp_value *reply, struct arena *arena, struct cell *value)
{
    bool nested = reply->count > 0 && reply->items[0].type == RESP_LIST;
    uint32_t count = nested ? reply->count : reply->count / 2;
    struct cell *items = arena_allocate_zeroed(arena, 2 * (size_t)count + 1, sizeof(*items));
    for (uint32_t at = 0; at < count; at++) {
        const struct resp_value *pair =
            nested ? reply->items[at].items : &reply->items[2 * (size_t)at];
        if (nested && reply->items[at].count != 2) {
            continue;
        }
        read_text(&pair[0], arena, &items[2 * (size_t)at]);
        read_text(&pair[1], arena, &items[2 * (size_t)at + 1]);
    }
    *value = cell_items(VALUE_MAP, items, count);
}

/* Each entry of a stream is its id and a list of names and values. */
static void read_entries(const struct resp_value *reply, struct arena *arena, struct cell *value)
{
    struct cell *entries = arena_allocate_zeroed(arena, (size_t)reply->count + 1, sizeof(*entries));
    for (uint32_t at = 0; at < reply->count; at++) {
        const struct resp_value *entry = &reply->items[at];
        struct cell *pairs = arena_allocate_zeroed(arena, 4, sizeof(*pairs));
        if (entry->count != 2) {
            continue;
        }
        pairs[0] = cell_text("id", 2);
        pairs[1] = cell_text(entry->items[0].text.data, entry->items[0].text.length);
        pairs[2] = cell_text("fields", 6);
        struct cell fields;
        read_members(&entry->items[1], VALUE_LIST, arena, &fields);
        pairs[3] = cell_items(VALUE_MAP, fields.items, fields.length / 2);
        entries[at] = cell_items(VALUE_MAP, pairs, 2);
    }
    *value = cell_items(VALUE_LIST, entries, reply->count);
}

enum status redis_foreign_read(const struct resp_value *reply, enum redis_type type,
                               struct arena *arena, struct cell *value, struct error *error)
{
    char shown[200];
    if (reply->type == RESP_ERROR) {
        text_printable(reply->text.data, reply->text.length, shown, sizeof(shown));
        return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "Redis answers: %s", shown);
    }
    if (type == REDIS_TYPE_STRING) {
        if (reply->type != RESP_TEXT) {
            return STATUS_END;
        }
        read_text(reply, arena, value);
        return STATUS_OK;
    }
    if (reply->type != RESP_LIST || reply->count == 0) {
        return STATUS_END;
    }
    switch (type) {
    case REDIS_TYPE_LIST:
        read_members(reply, VALUE_LIST, arena, value);
        return STATUS_OK;
    case REDIS_TYPE_SET:
        read_members(reply, VALUE_SET, arena, value);
        return STATUS_OK;
    case REDIS_TYPE_SORTED_SET:
        read_scores(reply, arena, value);
        return STATUS_OK;
    default:
        read_entries(reply, arena, value);
        return STATUS_OK;
    }
}
