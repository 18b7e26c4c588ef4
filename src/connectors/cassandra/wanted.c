#include "connectors/cassandra/wanted.h"

#include "base/memory.h"
#include "connectors/cassandra/key.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include <stdlib.h>
#include <string.h>

static int compare_keys(const void *left, const void *right)
{
    const struct text *one = &((const struct cassandra_wanted_key *)left)->values;
    const struct text *other = &((const struct cassandra_wanted_key *)right)->values;
    size_t length = one->length < other->length ? one->length : other->length;
    int order = length > 0 ? memcmp(one->data, other->data, length) : 0;
    return order != 0 ? order : (one->length > other->length) - (one->length < other->length);
}

/* Once all are encoded: their bytes stay where they are. */
static void sort_and_drop_repeats(struct cassandra_wanted *wanted)
{
    const char *from = wanted->values.data;
    uint32_t kept = 0;
    for (uint32_t at = 0; at < wanted->count; at++) {
        wanted->keys[at].values.data = from;
        from += wanted->keys[at].values.length;
    }
    if (wanted->count > 1) {
        qsort(wanted->keys, wanted->count, sizeof(*wanted->keys), compare_keys);
    }
    for (uint32_t at = 0; at < wanted->count; at++) {
        if (kept == 0 || compare_keys(&wanted->keys[kept - 1], &wanted->keys[at]) != 0) {
            wanted->keys[kept++] = wanted->keys[at];
        }
    }
    wanted->count = kept;
}

static void wanted_begin(const struct read_request *request, struct cassandra_wanted *wanted)
{
    *wanted = (struct cassandra_wanted){0};
    wanted->keys = memory_allocate_zeroed((size_t)request->key_count + 1, sizeof(*wanted->keys));
}

void cassandra_wanted_free(struct cassandra_wanted *wanted)
{
    buffer_free(&wanted->values);
    free(wanted->keys);
    *wanted = (struct cassandra_wanted){0};
}

/* One that no row can have is left out. */
static enum status wanted_take(struct cassandra_wanted *wanted, enum status status, size_t before,
                               int64_t token, const struct error *why, struct error *error)
{
    if (status == STATUS_OK) {
        wanted->keys[wanted->count++] = (struct cassandra_wanted_key){
            .values = {NULL, wanted->values.length - before}, .token = token};
        return STATUS_OK;
    }
    wanted->values.length = before;
    return why->class == ERROR_CLASS_REJECT ? STATUS_OK : error_copy(error, why);
}

static enum status refuse_escapes(const struct read_request *request, const struct cell *key,
                                  struct error *error)
{
    for (uint32_t at = 0; at < request->root_key.count; at++) {
        if (key[at].kind == VALUE_ESCAPE) {
            return error_set(error, ERROR_REJECT_TYPE, request->name, "a key is of another engine");
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- of a table */

static int32_t place_of(struct column_list list, const char *name)
{
    for (uint32_t at = 0; at < list.count; at++) {
        if (strcmp(list.names[at], name) == 0) {
            return (int32_t)at;
        }
    }
    return -1;
}

static enum status add_of_table(const struct read_request *request,
                                const struct cassandra_table *table, const struct cell *key,
                                struct cell *ordered, struct cassandra_wanted *wanted,
                                struct error *error)
{
    struct error why;
    int64_t token = 0;
    size_t before = wanted->values.length;
    for (uint32_t at = 0; at < table->key.count; at++) {
        ordered[at] = key[place_of(request->root_key, table->key.names[at])];
    }
    enum status status = cassandra_key_encode(table, ordered, &wanted->values, &token, &why);
    return wanted_take(wanted, status, before, token, &why, error);
}

enum status cassandra_wanted_of_table(const struct read_request *request,
                                      const struct cassandra_table *table,
                                      struct cassandra_wanted *wanted, struct error *error)
{
    uint32_t width = request->root_key.count;
    uint32_t found = 0;
    wanted_begin(request, wanted);
    for (uint32_t at = 0; at < table->key.count; at++) {
        found += place_of(request->root_key, table->key.names[at]) >= 0;
    }
    if (found != table->key.count || found != width) {
        return error_set(error, ERROR_NOT_IMPLEMENTED, request->name,
                         "Cassandra finds rows by the whole key of their table only");
    }
    struct cell *ordered = memory_allocate_zeroed((size_t)width + 1, sizeof(*ordered));
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < request->key_count && status == STATUS_OK; at++) {
        const struct cell *key = request->keys + (size_t)at * width;
        status = refuse_escapes(request, key, error);
        if (status == STATUS_OK) {
            status = add_of_table(request, table, key, ordered, wanted, error);
        }
    }
    free(ordered);
    sort_and_drop_repeats(wanted);
    return status;
}

/* ---------------------------------------------------------------- of a query */

static enum status find_parts(const struct read_request *request, const struct cql_columns *columns,
                              uint32_t *parts, struct error *error)
{
    for (uint32_t part = 0; part < request->root_key.count; part++) {
        const char *name = request->root_key.names[part];
        size_t at = 0;
        while (at < columns->count &&
               (columns->list[at].name.length != strlen(name) ||
                memcmp(columns->list[at].name.data, name, strlen(name)) != 0)) {
            at++;
        }
        if (at == columns->count) {
            return error_set(error, ERROR_PLAN_INVALID, request->name, "the query has no column %s",
                             name);
        }
        parts[part] = (uint32_t)at;
    }
    return STATUS_OK;
}

static enum status add_of_query(const struct read_request *request,
                                const struct cql_columns *columns, const struct cell *key,
                                struct cassandra_wanted *wanted, struct error *error)
{
    struct error why;
    size_t before = wanted->values.length;
    enum status status = STATUS_OK;
    for (uint32_t part = 0; part < request->root_key.count && status == STATUS_OK; part++) {
        const struct cql_column *column = &columns->list[wanted->parts[part]];
        status = cql_value_encode(column->type, &key[part], &wanted->values, &why);
    }
    return wanted_take(wanted, status, before, 0, &why, error);
}

enum status cassandra_wanted_of_query(const struct read_request *request,
                                      const struct cql_columns *columns, struct arena *arena,
                                      struct cassandra_wanted *wanted, struct error *error)
{
    uint32_t width = request->root_key.count;
    uint32_t *parts = arena_allocate_zeroed(arena, (size_t)width + 1, sizeof(*parts));
    wanted_begin(request, wanted);
    wanted->parts = parts;
    wanted->part_count = width;
    enum status status = find_parts(request, columns, parts, error);
    for (uint32_t at = 0; at < request->key_count && status == STATUS_OK; at++) {
        const struct cell *key = request->keys + (size_t)at * width;
        status = refuse_escapes(request, key, error);
        if (status == STATUS_OK) {
            status = add_of_query(request, columns, key, wanted, error);
        }
    }
    sort_and_drop_repeats(wanted);
    return status;
}

bool cassandra_wanted_has(const struct cassandra_wanted *wanted, const struct cql_value *row)
{
    struct buffer text = {0};
    for (uint32_t part = 0; part < wanted->part_count; part++) {
        const struct cql_value *value = &row[wanted->parts[part]];
        cql_write_value(&text, value->data, value->length);
    }
    const struct cassandra_wanted_key key = {.values = {text.data, text.length}};
    bool has = wanted->count > 0 &&
               bsearch(&key, wanted->keys, wanted->count, sizeof(key), compare_keys) != NULL;
    buffer_free(&text);
    return has;
}
