#include "connectors/cassandra/wanted.h"

#include "connectors/cassandra/key.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include <string.h>

/* ---------------------------------------------------------------- of a table */

static enum status encode_key(const void *context, const struct cell *key,
                              struct keyed_wanted *wanted, struct error *error)
{
    return cassandra_key_encode(context, key, &wanted->bytes, &wanted->token, error);
}

enum status cassandra_wanted_of_table(const struct read_request *request,
                                      const struct cassandra_table *table,
                                      struct keyed_wanted *wanted, struct error *error)
{
    const struct keyed_wanting wanting = {
        .key = table->key,
        .name = request->name,
        .refusal = "Cassandra finds rows by the whole key of their table only",
        .encode = encode_key,
        .context = table};
    return keyed_wanted_read(request, &wanting, wanted, error);
}

/* ---------------------------------------------------------------- of a query */

struct query_key {
    const struct cql_columns *columns;
    const uint32_t *parts;
    uint32_t part_count;
};

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

static enum status encode_parts(const void *context, const struct cell *key,
                                struct keyed_wanted *wanted, struct error *error)
{
    const struct query_key *of = context;
    enum status status = STATUS_OK;
    for (uint32_t part = 0; part < of->part_count && status == STATUS_OK; part++) {
        const struct cql_column *column = &of->columns->list[of->parts[part]];
        status = cql_value_encode(column->type, &key[part], &wanted->bytes, error);
    }
    return status;
}

enum status cassandra_wanted_of_query(const struct read_request *request,
                                      const struct cql_columns *columns, struct arena *arena,
                                      const uint32_t **parts, struct keyed_wanted *wanted,
                                      struct error *error)
{
    uint32_t width = request->root_key.count;
    uint32_t *places = arena_allocate_zeroed(arena, (size_t)width + 1, sizeof(*places));
    const struct query_key key = {columns, places, width};
    const struct keyed_wanting wanting = {.key = request->root_key,
                                          .name = request->name,
                                          .refusal = "a key has a column twice",
                                          .encode = encode_parts,
                                          .context = &key};
    *parts = places;
    return find_parts(request, columns, places, error) == STATUS_OK
               ? keyed_wanted_read(request, &wanting, wanted, error)
               : STATUS_FAILED;
}

bool cassandra_wanted_has(const struct keyed_wanted *wanted, const uint32_t *parts,
                          uint32_t part_count, const struct cql_value *row)
{
    struct buffer text = {0};
    for (uint32_t part = 0; part < part_count; part++) {
        const struct cql_value *value = &row[parts[part]];
        cql_write_value(&text, value->data, value->length);
    }
    bool has = keyed_wanted_has(wanted, (struct text){text.data, text.length});
    buffer_free(&text);
    return has;
}
