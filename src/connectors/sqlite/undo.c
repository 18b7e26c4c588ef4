/* Undo records: for each key that a run wrote, what was there before, and a hash of what it wrote.
 */
#include "connectors/sqlite/target_internal.h"
#include <stdint.h>
#include <string.h>
#include <xxhash.h>

/*
 * _transhume_undo_RUN_TABLE, made with the first chunk that writes to the table:
 *   "+KEY"   the key, a column each, typed and collated as the table's
 *   found    1: a record was there before the run, and "=COLUMN" is what it held; 2: the same, and
 *            the run took it out; 3: it was taken back, and a trigger did something else
 *   hash     transhume_hash over the record as the run left it; NULL: it did not write one
 *   "=COLUMN" every column that holds a value of its own; its type, of no affinity itself, says
 *            which the column had: BLOB_I …
 * Rows are written in the transaction of the chunk. The first image of a key stays.
 */
enum { HASH_ARGUMENTS_MAX = 100, HASH_BYTES = 16 };

static void hash_value(XXH3_state_t *state, sqlite3_value *value)
{
    int type = sqlite3_value_type(value);
    int64_t integer = 0;
    double number = 0;
    const void *bytes = &integer;
    size_t length = sizeof integer;

    if (type == SQLITE_INTEGER) {
        integer = sqlite3_value_int64(value);
    } else if (type == SQLITE_FLOAT) {
        number = sqlite3_value_double(value);
        bytes = &number;
    } else if (type == SQLITE_TEXT) {
        bytes = sqlite3_value_text(value);
        length = (size_t)sqlite3_value_bytes(value);
    } else if (type == SQLITE_BLOB) {
        bytes = sqlite3_value_blob(value);
        length = (size_t)sqlite3_value_bytes(value);
    }
    if (bytes == NULL && (type == SQLITE_TEXT || length > 0)) {
        memory_exhausted(length);
    }
    const uint64_t head[2] = {(uint64_t)type, length};
    XXH3_128bits_update(state, head, sizeof head);
    if (bytes != NULL && length > 0) {
        XXH3_128bits_update(state, bytes, length);
    }
}

static void transhume_hash(sqlite3_context *context, int count, sqlite3_value **values)
{
    XXH3_state_t *state = XXH3_createState();
    unsigned char digest[HASH_BYTES];

    if (state == NULL) {
        memory_exhausted(0);
    }
    XXH3_128bits_reset(state);
    for (int i = 0; i < count; i++) {
        hash_value(state, values[i]);
    }
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
    XXH3_freeState(state);
    memcpy(digest, canonical.digest, sizeof digest);
    sqlite3_result_blob(context, digest, sizeof digest, SQLITE_TRANSIENT);
}

enum status sqlite_undo_register(struct sqlite_database *self, sqlite3 *connection,
                                 struct error *error)
{
    int result = sqlite3_create_function_v2(connection, "transhume_hash", -1,
                                            SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                            transhume_hash, NULL, NULL, NULL);
    return result == SQLITE_OK ? STATUS_OK
                               : sqlite_target_error(self, connection, result, ERROR_INTERNAL,
                                                     "a function can't be given to it", error);
}

void sqlite_undo_append_hash(const struct sqlite_target_table *facts, const char *alias,
                             bool of_image, struct buffer *sql)
{
    uint32_t in_group = 0;

    /* a function takes only so many arguments: a hash over the hashes of groups */
    buffer_append_string(sql, "transhume_hash(transhume_hash(");
    for (uint32_t i = 0; i < facts->column_count; i++) {
        if (facts->columns[i].generated) {
            continue;
        }
        if (in_group == HASH_ARGUMENTS_MAX) {
            buffer_append_string(sql, "), transhume_hash(");
            in_group = 0;
        }
        buffer_format(sql, "%s%s.", in_group++ == 0 ? "" : ", ", alias);
        if (of_image) {
            sqlite_undo_append_column(sql, '=', facts->columns[i].name);
        } else {
            sqlite_append_name(sql, facts->columns[i].name);
        }
    }
    buffer_append_string(sql, "))");
}

const char *sqlite_undo_name(struct arena *arena, const char *run_id, const char *table)
{
    return arena_format(arena, SQLITE_UNDO_TABLE "%s_%s", run_id, table);
}

const char *sqlite_affinity_type(enum sqlite_affinity affinity)
{
    static const char *const types[] = {[SQLITE_AFFINITY_NONE] = "BLOB",
                                        [SQLITE_AFFINITY_TEXT] = "TEXT",
                                        [SQLITE_AFFINITY_NUMERIC] = "NUMERIC",
                                        [SQLITE_AFFINITY_INTEGER] = "INTEGER",
                                        [SQLITE_AFFINITY_REAL] = "REAL"};
    return types[affinity];
}

void sqlite_undo_append_column(struct buffer *sql, char prefix, const char *name)
{
    struct buffer whole = {0};

    buffer_append_byte(&whole, prefix);
    buffer_append_string(&whole, name);
    sqlite_append_name(sql, buffer_string(&whole));
    buffer_free(&whole);
}

void sqlite_undo_append_keeping(const struct sqlite_target_table *facts,
                                const struct target_table *table, const char *name, int found,
                                const char *alias, struct buffer *sql)
{
    struct buffer images = {0};
    sqlite_append(sql, "INSERT OR IGNORE INTO main.%n", name);
    for (uint32_t i = 0; i < table->key.count; i++) {
        const struct sqlite_target_column *key =
            sqlite_target_find_column(facts, table->key.names[i]);
        buffer_append_string(sql, i == 0 ? " (" : ", ");
        sqlite_undo_append_column(sql, '+', key->name);
        sqlite_append(&images, "%s%s%n", i == 0 ? "" : ", ", alias, key->name);
    }
    buffer_append_string(sql, ", found");
    buffer_format(&images, ", %d", found);
    for (uint32_t i = 0; i < facts->column_count; i++) {
        if (!facts->columns[i].generated) {
            buffer_append_string(sql, ", ");
            sqlite_undo_append_column(sql, '=', facts->columns[i].name);
            sqlite_append(&images, ", %s%n", alias, facts->columns[i].name);
        }
    }
    buffer_append_string(sql, ") SELECT ");
    buffer_append_buffer(sql, &images);
    buffer_free(&images);
}

static enum status append_keys(sqlite3 *connection, const struct sqlite_target_table *facts,
                               const struct target_table *table, struct buffer *sql,
                               struct error *error)
{
    for (uint32_t i = 0; i < table->key.count; i++) {
        const struct sqlite_target_column *key =
            sqlite_target_find_column(facts, table->key.names[i]);
        const char *collation = NULL;
        if (key == NULL) {
            return error_set(error, ERROR_TARGET_SCHEMA, table->name, "the table has no column %s",
                             table->key.names[i]);
        }
        sqlite3_table_column_metadata(connection, "main", facts->name, key->name, NULL, &collation,
                                      NULL, NULL, NULL);
        sqlite_undo_append_column(sql, '+', key->name);
        sqlite_append(sql, " %s COLLATE %n, ", sqlite_affinity_type(key->affinity),
                      collation != NULL ? collation : "BINARY");
    }
    return STATUS_OK;
}

enum status sqlite_undo_make(struct sqlite_database *self, sqlite3 *connection, const char *name,
                             const struct sqlite_target_table *facts,
                             const struct target_table *table, struct error *error)
{
    struct buffer sql = {0};

    sqlite_append(&sql, "CREATE TABLE IF NOT EXISTS main.%n (", name);
    enum status status = append_keys(connection, facts, table, &sql, error);
    buffer_append_string(&sql, "found INTEGER NOT NULL, hash BLOB");
    for (uint32_t i = 0; i < facts->column_count; i++) {
        if (!facts->columns[i].generated) {
            buffer_append_string(&sql, ", ");
            sqlite_undo_append_column(&sql, '=', facts->columns[i].name);
            buffer_append_string(&sql, " BLOB_");
            buffer_append_byte(&sql, sqlite_affinity_letter(facts->columns[i].affinity));
        }
    }
    for (uint32_t i = 0; i < table->key.count && status == STATUS_OK; i++) {
        const struct sqlite_target_column *key =
            sqlite_target_find_column(facts, table->key.names[i]);
        buffer_append_string(&sql, i == 0 ? ", PRIMARY KEY (" : ", ");
        sqlite_undo_append_column(&sql, '+', key->name);
    }
    buffer_append_string(&sql, ")) WITHOUT ROWID");
    if (status == STATUS_OK) {
        status = sqlite_target_execute(self, connection, buffer_string(&sql), ERROR_TARGET_SCHEMA,
                                       error);
    }
    buffer_free(&sql);
    return status;
}
