#include "connectors/cassandra/system_rows.h"

#include "base/bytes.h"
#include <string.h>

enum { NUMBER_BYTES_MAX = 8, ITEM_BYTES = 4 /* of an item's length */ };

/* ---------------------------------------------------------------- rows */

static enum status check_answer(const struct cql_response *response, size_t field_count,
                                struct error *error)
{
    bool rows = response->opcode == CQL_RESULT && response->kind == CQL_RESULT_ROWS &&
                response->rows.columns.count == field_count;
    return rows ? STATUS_OK
                : error_set(error, ERROR_NETWORK_ANSWER, "system_schema",
                            "the server's tables have other columns than expected");
}

enum status system_rows_read(struct cassandra *self, const char *select, const char *column,
                             const char *value, size_t field_count, struct arena *arena,
                             struct system_rows *rows, struct error *error)
{
    struct buffer text = {0};
    struct buffer values = {0};
    struct cql_reply reply = {0};
    buffer_append_string(&text, select);
    cql_write_value(&values, self->keyspace, (int32_t)strlen(self->keyspace));
    if (value != NULL) {
        buffer_format(&text, " AND %s = ?", column);
        cql_write_value(&values, value, (int32_t)strlen(value));
    }
    enum status status =
        cassandra_run_prepared(self, buffer_string(&text), &values, value != NULL ? 2 : 1, CQL_ONE,
                               true, arena, &reply, error);
    if (status == STATUS_OK) {
        status = check_answer(&reply.response, field_count, error);
    }
    if (status == STATUS_OK) {
        rows->rows = reply.response.rows;
    }
    buffer_free(&text);
    buffer_free(&values);
    return status;
}

bool system_rows_next(struct system_rows *rows, struct cql_value *fields)
{
    return cql_rows_next(&rows->rows, fields) == STATUS_OK;
}

enum status system_rows_end(const struct system_rows *rows, struct error *error)
{
    return !rows->rows.content.failed ? STATUS_OK
                                      : error_set(error, ERROR_NETWORK_ANSWER, "system_schema",
                                                  "rows of the server's tables are cut short");
}

/* ---------------------------------------------------------------- values */

struct text system_text(struct cql_value value)
{
    return value.length < 0 ? (struct text){NULL, 0}
                            : (struct text){(const char *)value.data, (size_t)value.length};
}

int64_t system_number(struct cql_value value)
{
    if (value.length <= 0 || value.length > NUMBER_BYTES_MAX) {
        return 0;
    }
    int unused = 64 - 8 * value.length;
    return (int64_t)(bytes_get_be(value.data, value.length) << unused) >> unused;
}

struct text *system_list(struct cql_value value, struct arena *arena, size_t *count)
{
    struct cql_reader reader = cql_reader_of(value.data, value.length > 0 ? value.length : 0);
    size_t items = cql_read_count(&reader, ITEM_BYTES);
    struct text *texts = arena_allocate_zeroed(arena, items + 1, sizeof(*texts));
    for (size_t at = 0; at < items; at++) {
        texts[at] = system_text(cql_read_value(&reader));
    }
    *count = items;
    return texts;
}

static bool is(struct text text, const char *word)
{
    return text.data != NULL && text.length == strlen(word) &&
           memcmp(text.data, word, text.length) == 0;
}

bool system_list_holds(struct cql_value list, const char *text)
{
    bool found = false;
    struct cql_reader reader = cql_reader_of(list.data, list.length > 0 ? list.length : 0);
    for (size_t left = cql_read_count(&reader, ITEM_BYTES); left > 0; left--) {
        found |= is(system_text(cql_read_value(&reader)), text);
    }
    return found;
}

struct text system_map_find(struct cql_value map, const char *key)
{
    struct text found = {NULL, 0};
    struct cql_reader reader = cql_reader_of(map.data, map.length > 0 ? map.length : 0);
    for (size_t left = cql_read_count(&reader, 2 * ITEM_BYTES); left > 0; left--) {
        bool wanted = is(system_text(cql_read_value(&reader)), key);
        struct text value = system_text(cql_read_value(&reader));
        found = wanted ? value : found;
    }
    return found;
}
