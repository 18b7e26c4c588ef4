/* Tables that are there: what they hold, whether they fit the plan, counting and emptying them. */
#include "connectors/keyed/keys.h"
#include "connectors/redis/redis.h"

#include "base/text.h"

/* ---------------------------------------------------------------- inspect */

/* The first key is enough. */
static enum status find_any(void *context, const char *key, size_t length, struct error *error)
{
    bool *any = context;
    (void)key;
    (void)length;
    (void)error;
    *any = true;
    return STATUS_END;
}

static enum status holds_any(struct redis_database *self, const char *table, bool *any,
                             struct error *error)
{
    struct buffer prefix = {0};
    *any = false;
    redis_key_prefix(table, &prefix);
    enum status status = redis_scan(self, buffer_string(&prefix), NULL, find_any, any, error);
    buffer_free(&prefix);
    return status == STATUS_END ? STATUS_OK : status;
}

static const struct redis_note *find_note(const struct redis_note *notes, uint32_t count,
                                          const char *table)
{
    const struct redis_note *found = NULL;
    for (uint32_t at = 0; at < count; at++) {
        found = strcmp(notes[at].table, table) == 0 ? &notes[at] : found;
    }
    return found;
}

enum status redis_inspect(struct database *database, const struct target_table *tables,
                          uint32_t table_count, bool *table_exists, bool *record_exists,
                          struct error *error)
{
    struct redis_database *self = redis_of(database);
    struct redis_note *notes = NULL;
    uint32_t count = 0;
    struct arena *arena = arena_create(0);
    enum status status = redis_notes_read(self, arena, &notes, &count, error);
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        status = holds_any(self, tables[at].name, &record_exists[at], error);
        table_exists[at] = record_exists[at] || find_note(notes, count, tables[at].name) != NULL;
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- checking */

static void check_name(const struct target_table *table, struct buffer *out)
{
    if (strncmp(table->name, REDIS_OWN_PREFIX, sizeof(REDIS_OWN_PREFIX) - 1) == 0 ||
        strcmp(table->name, "transhume") == 0 || table->name[0] == '{') {
        buffer_append_string(out, "names that begin with _transhume or {, and transhume itself, "
                                  "are not to be had: keys of the program begin so\n");
    }
    if (strchr(table->name, ':') != NULL) {
        buffer_append_string(out, "its name has a colon, which ends a table's name in its keys\n");
    }
}

static void check_features(const struct target_table *table, struct buffer *out)
{
    if (table->key.count == 0) {
        buffer_append_string(out,
                             "it has no key: each record is under a key of its own in Redis\n");
    }
    if (table->key.count > KEYED_KEY_COLUMNS_MAX) {
        buffer_format(out, "its key has more than %d columns\n", KEYED_KEY_COLUMNS_MAX);
    }
}

static void check_note(const struct redis_database *self, const struct target_table *table,
                       const struct redis_note *note, struct buffer *out)
{
    if (note->form != self->form) {
        buffer_format(out, "the table is there as %s; write ?form=%s behind the URI\n",
                      note->form == REDIS_JSON ? "JSON documents" : "hashes",
                      note->form == REDIS_JSON ? "json" : "hash");
    }
    if (!column_list_is_equal(note->key, table->key)) {
        buffer_append_string(out, "the table is there with the key ");
        keyed_check_append_keys(note->key, table->key, out);
    }
}

enum status redis_check_table(struct database *database, const struct check_request *request,
                              struct buffer *out, struct error *error)
{
    struct redis_database *self = redis_of(database);
    struct redis_note note;
    struct arena *arena = arena_create(0);
    check_name(request->table, out);
    check_features(request->table, out);
    const struct redis_indexes none = {0};
    bool any = false;
    enum status status = redis_note_read(self, request->table->name, arena, &note, error);
    if (status == STATUS_OK) {
        check_note(self, request->table, &note, out);
        redis_indexes_check(self, request->table, &note.indexes, out);
    } else if (status == STATUS_END && request->table->index_count > 0) {
        status = holds_any(self, request->table->name, &any, error);
        redis_indexes_check(self, request->table, any ? &none : NULL, out);
    }
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- counting */

enum status redis_count(struct database *database, const struct target_table *table,
                        uint64_t *count, struct error *error)
{
    struct buffer prefix = {0};
    redis_key_prefix(table->name, &prefix);
    enum status status = redis_scan_count(redis_of(database), buffer_string(&prefix), count, error);
    buffer_free(&prefix);
    return status;
}

/* ---------------------------------------------------------------- deleting */

struct emptying {
    struct redis_database *database;
    const char *table;
};

/* The keys of a page are deleted all at once; in a cluster those of a slot may be in another one by
 * now: one by one. */
static enum status delete_page(void *context, struct redis_client *client, uint16_t node,
                               const struct resp_value *keys, struct error *error)
{
    const struct emptying *emptying = context;
    struct redis_database *self = emptying->database;
    bool cluster = redis_server_is_cluster(self->server);
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < keys->count && status == STATUS_OK;) {
        struct buffer command = {0};
        struct resp_value reply;
        uint32_t count = cluster ? 1 : keys->count;
        resp_begin(&command, 1 + (uint64_t)count);
        resp_string(&command, "UNLINK");
        for (uint32_t end = at + count; at < end; at++) {
            resp_word(&command, keys->items[at].text.data, keys->items[at].text.length);
        }
        const struct text key = keys->items[at - count].text;
        const struct redis_call call = {.command = &command,
                                        .to_node = !cluster,
                                        .node = node,
                                        .slot = redis_slot_of(key.data, key.length),
                                        .writes = true,
                                        .lease = keyed_lease(&self->keyed),
                                        .object = emptying->table};
        status = redis_client_call(client, &call, arena, &reply, error);
        buffer_free(&command);
        arena_reset(arena);
    }
    arena_destroy(arena);
    return status;
}

enum status redis_empty_table(struct database *database, const struct target_table *table,
                              struct error *error)
{
    struct redis_database *self = redis_of(database);
    struct emptying emptying = {self, table->name};
    struct buffer prefix = {0};
    const struct redis_indexes *indexes = NULL;
    redis_key_prefix(table->name, &prefix);
    enum status status = redis_indexes_find(self, table->name, &indexes, error);
    status = status == STATUS_OK ? redis_scan_pages(self, buffer_string(&prefix), NULL, delete_page,
                                                    &emptying, error)
                                 : status;
    if (status == STATUS_OK && indexes->count > 0) {
        buffer_clear(&prefix);
        buffer_append_string(&prefix, REDIS_INDEX_PREFIX);
        redis_key_prefix(table->name, &prefix);
        status =
            redis_scan_pages(self, buffer_string(&prefix), NULL, delete_page, &emptying, error);
    }
    buffer_free(&prefix);
    return status;
}

/* ---------------------------------------------------------------- caveats */

enum status redis_target_caveats(struct database *database, struct buffer *out, struct error *error)
{
    const struct redis_facts *facts = redis_server_facts(redis_of(database)->server);
    (void)error;
    if (!facts->append_only && facts->replicas == 0) {
        buffer_append_string(out,
                             "the server keeps no append-only file and has no replica: what it "
                             "acknowledges is lost if it ends before its next snapshot\n");
    }
    return STATUS_OK;
}
