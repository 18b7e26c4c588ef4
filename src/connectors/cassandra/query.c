#include "connectors/cassandra/query.h"

#include "connectors/cassandra/calls.h"
#include "connectors/cassandra/protocol/cql_model.h"
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- the text */

static const char *skip_line(const char *at)
{
    at += strcspn(at, "\r\n");
    return at;
}

/* Over blanks and comments: -- and // to the end of the line, and those of C. */
static const char *skip_blanks(const char *at)
{
    for (;;) {
        at += strspn(at, " \t\r\n");
        if (strncmp(at, "--", 2) == 0 || strncmp(at, "//", 2) == 0) {
            at = skip_line(at);
        } else if (strncmp(at, "/*", 2) == 0) {
            const char *end = strstr(at + 2, "*/");
            at = end != NULL ? end + 2 : at + strlen(at);
        } else {
            return at;
        }
    }
}

static enum status refuse(const char *why, struct error *error)
{
    error_set(error, ERROR_PLAN_INVALID, "query", "%s", why);
    return error_hint(error, "a query is one SELECT in CQL, without parameters");
}

enum status cassandra_query_check(const char *text, struct error *error)
{
    const char *begin = skip_blanks(text);
    const char *word_end = begin + 6;
    bool select =
        strncasecmp(begin, "select", 6) == 0 && (strchr(" \t\r\n*(\"'/-", *word_end) != NULL);
    return select && *word_end != '\0' ? STATUS_OK : refuse("the query is no SELECT", error);
}

/* ---------------------------------------------------------------- its columns */

struct shape_of_query {
    struct schema_column *columns;
    uint32_t column_count;
    const char *table; /* of the keyspace, that it is about; NULL: not known */
};

static bool is_keyspace(struct text name, const char *keyspace)
{
    return strlen(keyspace) == name.length && memcmp(keyspace, name.data, name.length) == 0;
}

/* The columns as the server tells them once the query is prepared; all copied. */
static void copy_columns(const struct cql_columns *from, const char *keyspace, struct arena *arena,
                         struct shape_of_query *to)
{
    to->columns = arena_allocate_zeroed(arena, from->count + 1, sizeof(*to->columns));
    to->column_count = (uint32_t)from->count;
    for (size_t at = 0; at < from->count; at++) {
        const struct cql_column *column = &from->list[at];
        to->columns[at] = (struct schema_column){
            .name = arena_copy(arena, column->name.data, column->name.length),
            .type = cql_type_to_model(column->type, arena)};
    }
    if (from->count > 0 && is_keyspace(from->list[0].keyspace, keyspace)) {
        to->table = arena_copy(arena, from->list[0].table.data, from->list[0].table.length);
    }
}

static enum status prepare(struct cassandra *self, const char *text, struct arena *arena,
                           struct shape_of_query *shape, struct error *error)
{
    const struct cql_prepared *prepared = NULL;
    *shape = (struct shape_of_query){0};
    if (cassandra_query_check(text, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    pthread_mutex_lock(&self->control_mutex);
    enum status status = cassandra_calls_prepare(self, self->control, text, &prepared, error);
    if (status == STATUS_OK && prepared->parameters.count > 0) {
        status = refuse("the query has parameters", error);
    } else if (status == STATUS_OK && prepared->columns.list == NULL) {
        status = refuse("the query has no columns", error);
    } else if (status == STATUS_OK) {
        copy_columns(&prepared->columns, self->keyspace, arena, shape);
    } else if (error->class == ERROR_CLASS_STOP) {
        error_recode(error, ERROR_PLAN_INVALID);
        error_context(error, "the query: ");
    }
    pthread_mutex_unlock(&self->control_mutex);
    return status;
}

static bool has_column(const struct shape_of_query *shape, const char *name)
{
    for (uint32_t at = 0; at < shape->column_count; at++) {
        if (strcmp(shape->columns[at].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static struct column_list key_of(struct cassandra *self, const struct shape_of_query *shape)
{
    const struct cassandra_table *table = NULL;
    struct error ignored;
    if (shape->table == NULL ||
        cassandra_schema_find(self, shape->table, &table, &ignored) != STATUS_OK) {
        return (struct column_list){0};
    }
    for (uint32_t at = 0; at < table->key.count; at++) {
        if (!has_column(shape, table->key.names[at])) {
            return (struct column_list){0};
        }
    }
    return table->key;
}

enum status cassandra_query_describe(struct database *self, const char *text, struct arena *arena,
                                     struct schema_table *table, struct error *error)
{
    struct shape_of_query shape;
    if (prepare(cassandra_of(self), text, arena, &shape, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *table = (struct schema_table){.kind = SCHEMA_QUERY,
                                   .name = "query",
                                   .columns = shape.columns,
                                   .column_count = shape.column_count,
                                   .row_count = -1,
                                   .size_bytes = -1,
                                   .long_bytes = -1};
    return STATUS_OK;
}

enum status cassandra_query_key(struct cassandra *self, const char *text, struct arena *arena,
                                struct column_list *key, struct error *error)
{
    struct shape_of_query shape;
    *key = (struct column_list){0};
    if (prepare(self, text, arena, &shape, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *key = key_of(self, &shape);
    return STATUS_OK;
}
