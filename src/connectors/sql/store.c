/* The store of SQL databases: the statements over its one table. */
#include "connectors/sql/store.h"

#include "base/text.h"
#include <inttypes.h>
#include <string.h>

enum { ROWS_A_PAGE = 500 };

/* "HEAD table". */
static void append_table(const struct store *store, const char *head, struct buffer *sql)
{
    buffer_append_string(sql, head);
    store->dialect->append_table(store, sql);
}

/* "HEAD table WHERE name = 'KEY'": keys hold no quote and no backslash
 * (connectors/contract/store.h). */
static void append_row(const struct store *store, const char *head, const char *key,
                       struct buffer *sql)
{
    append_table(store, head, sql);
    buffer_format(sql, " WHERE name = '%s'", key);
}

/* STATUS_END: there is no table yet. */
static enum status store_look(struct store *store, struct error *error)
{
    enum status status = store->seen ? STATUS_OK : store->dialect->exists(store, error);
    store->seen = status == STATUS_OK;
    return status;
}

/* STATUS_END: another process has dropped the table since it was seen. */
static enum status is_dropped(struct store *store)
{
    struct error ignored;
    enum status status = store->dialect->exists(store, &ignored);
    store->seen = status != STATUS_END;
    return status == STATUS_END ? STATUS_END : STATUS_FAILED;
}

/* STATUS_END: the table is not there any more. */
static enum status sql_store_run(struct store *store, struct buffer *sql,
                                 const struct store_value *parameter, sql_store_row *row,
                                 void *context, uint64_t *changed, struct error *error)
{
    enum status status =
        store->dialect->run(store, buffer_string(sql), parameter, row, context, changed, error);
    buffer_free(sql);
    return status == STATUS_FAILED ? is_dropped(store) : status;
}

enum status sql_store_create(struct store *store, struct error *error)
{
    store->seen = false; /* another process may have dropped it */
    enum status status = store_look(store, error);
    if (status == STATUS_END) {
        status = store->dialect->create(store, error);
        store->seen = status == STATUS_OK;
    }
    return status;
}

/* ---- reading */

struct reading {
    struct arena *arena;
    struct store_value *value;
    bool found;
};

static enum status parse_version(const char *field, size_t length, uint64_t *version,
                                 struct error *error)
{
    if (field != NULL && text_to_uint64(field, length, version) == STATUS_OK) {
        return STATUS_OK;
    }
    error_set(error, ERROR_LEDGER_INVALID, SQL_STORE_TABLE, "a version is not a number");
    error_hint(error, "it was edited; restore it from a backup, or empty the target and migrate "
                      "again");
    return STATUS_FAILED;
}

static enum status take_value(void *context, const char *const *fields, const size_t *lengths,
                              struct error *error)
{
    struct reading *reading = context;
    struct store_value *value = reading->value;
    reading->found = true;
    value->text = arena_try_copy(reading->arena, fields[1] != NULL ? fields[1] : "", lengths[1]);
    value->length = lengths[1];
    if (value->text == NULL) {
        return error_set(error, ERROR_MEMORY, SQL_STORE_TABLE, "no memory for a value of %zu bytes",
                         lengths[1]);
    }
    return parse_version(fields[0], lengths[0], &value->version, error);
}

enum status sql_store_get(struct store *store, const char *key, struct arena *arena,
                          struct store_value *value, struct error *error)
{
    struct reading reading = {.arena = arena, .value = value};
    struct buffer sql = {0};
    enum status status = store_look(store, error);
    if (status != STATUS_OK) {
        return status;
    }
    append_row(store, "SELECT version, value FROM ", key, &sql);
    status = sql_store_run(store, &sql, NULL, take_value, &reading, NULL, error);
    return status == STATUS_OK && !reading.found ? STATUS_END : status;
}

struct scanning {
    store_visit *visit;
    void *context;
    char last[STORE_KEY_BYTES];
    uint32_t rows;
};

static enum status visit_row(void *context, const char *const *fields, const size_t *lengths,
                             struct error *error)
{
    struct scanning *scanning = context;
    struct store_value value = {.text = fields[2] != NULL ? fields[2] : "", .length = lengths[2]};
    if (fields[0] == NULL || lengths[0] >= sizeof(scanning->last)) {
        return error_set(error, ERROR_LEDGER_INVALID, SQL_STORE_TABLE, "a name is too long");
    }
    memcpy(scanning->last, fields[0], lengths[0]);
    scanning->last[lengths[0]] = '\0';
    scanning->rows++;
    enum status status = parse_version(fields[1], lengths[1], &value.version, error);
    return status == STATUS_OK ? scanning->visit(scanning->context, scanning->last, &value, error)
                               : status;
}

/* A page of rows after `scanning->last`, or from the prefix on. */
static enum status scan_page(struct store *store, const char *prefix, struct scanning *scanning,
                             struct error *error)
{
    struct buffer sql = {0};
    size_t length = strlen(prefix);
    append_table(store, "SELECT name, version, value FROM ", &sql);
    /* the first text after all those with the prefix: its last byte is one higher */
    buffer_format(&sql, " WHERE name %s '%s' AND name < '%.*s%c' ORDER BY name LIMIT %d",
                  scanning->last[0] == '\0' ? ">=" : ">",
                  scanning->last[0] == '\0' ? prefix : scanning->last, (int)length - 1, prefix,
                  prefix[length - 1] + 1, ROWS_A_PAGE);
    scanning->rows = 0;
    return sql_store_run(store, &sql, NULL, visit_row, scanning, NULL, error);
}

enum status sql_store_scan(struct store *store, const char *prefix, store_visit *visit,
                           void *context, struct error *error)
{
    struct scanning scanning = {.visit = visit, .context = context};
    enum status status = store_look(store, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    do {
        status = scan_page(store, prefix, &scanning, error);
    } while (status == STATUS_OK && scanning.rows == ROWS_A_PAGE);
    return status == STATUS_END ? STATUS_OK : status;
}

/* ---- writing */

void sql_store_append_insert(const struct store *store, const char *key, struct buffer *sql)
{
    append_table(store, store->dialect->insert, sql);
    buffer_format(sql, " (name, version, value) VALUES ('%s', 1, %s)%s", key,
                  store->dialect->parameter, store->dialect->insert_end);
}

void sql_store_append_guard(const struct store *store, const char *key, uint64_t version,
                            struct buffer *sql)
{
    append_row(store, " FROM ", key, sql);
    buffer_format(sql, " AND version = %" PRIu64, version);
}

static enum status no_table(struct error *error)
{
    return error_set(error, ERROR_TARGET_MISSING, SQL_STORE_TABLE,
                     "the ledger's table is not there any more");
}

enum status sql_store_put_if(struct store *store, const char *key, const char *text, size_t length,
                             uint64_t expected, uint64_t *version, struct error *error)
{
    const struct store_value value = {.text = text, .length = length};
    struct buffer sql = {0};
    uint64_t changed = 0;
    enum status status = store_look(store, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? no_table(error) : status;
    }
    if (expected == STORE_ABSENT) {
        sql_store_append_insert(store, key, &sql);
    } else {
        append_table(store, "UPDATE ", &sql);
        buffer_format(&sql,
                      " SET version = version + 1, value = %s WHERE name = '%s' AND version = "
                      "%" PRIu64,
                      store->dialect->parameter, key, expected);
    }
    status = sql_store_run(store, &sql, &value, NULL, NULL, &changed, error);
    *version = expected + 1;
    return status == STATUS_END                  ? no_table(error)
           : status == STATUS_OK && changed == 0 ? STATUS_AGAIN
                                                 : status;
}

enum status sql_store_delete_if(struct store *store, const char *key, uint64_t expected,
                                struct error *error)
{
    struct buffer sql = {0};
    uint64_t changed = 0;
    enum status status = store_look(store, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    append_row(store, "DELETE FROM ", key, &sql);
    if (expected != STORE_ANY_VERSION) {
        buffer_format(&sql, " AND version = %" PRIu64, expected);
    }
    status = sql_store_run(store, &sql, NULL, NULL, NULL, &changed, error);
    if (status != STATUS_OK || changed > 0 || expected == STORE_ANY_VERSION) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    struct store_value value;
    struct arena *arena = arena_create(1024);
    status = sql_store_get(store, key, arena, &value, error);
    arena_destroy(arena);
    return status == STATUS_OK ? STATUS_AGAIN : status == STATUS_END ? STATUS_OK : status;
}

static enum status put_absent(struct store *store, const struct store_pair *pair,
                              struct error *error)
{
    const struct store_value value = {.text = pair->text, .length = pair->length};
    struct buffer sql = {0};
    uint64_t changed = 0;
    sql_store_append_insert(store, pair->key, &sql);
    enum status status =
        store->dialect->run(store, buffer_string(&sql), &value, NULL, NULL, &changed, error);
    buffer_free(&sql);
    return status == STATUS_OK && changed == 0 ? STATUS_AGAIN : status;
}

enum status sql_store_put_many(struct store *store, const struct store_pair *pairs, uint32_t count,
                               struct error *error)
{
    enum status status = store_look(store, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? no_table(error) : status;
    }
    if (store->dialect->begin(store, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        status = put_absent(store, &pairs[i], error);
    }
    status = store->dialect->end(store, status, error);
    return status == STATUS_FAILED && is_dropped(store) == STATUS_END ? no_table(error) : status;
}

enum status sql_store_check_form(const char *name, const char *generated, const char *check,
                                 const char *wanted, const char *found, struct error *error)
{
    if (generated != NULL) {
        error_set(error, ERROR_NOT_OURS, name,
                  "it is a table of ours, but carries the generated column %s", generated);
    } else if (check != NULL) {
        error_set(error, ERROR_NOT_OURS, name, "it is a table of ours, but carries the check %s",
                  check);
    } else if (wanted != NULL && (found == NULL || strcmp(found, wanted) != 0)) {
        error_set(error, ERROR_NOT_OURS, name,
                  "it has the name of a table of ours, but other columns: %s",
                  found != NULL ? found : "none");
    } else {
        return STATUS_OK;
    }
    return error_hint(error, SQL_STORE_NOT_OURS_HINT);
}
