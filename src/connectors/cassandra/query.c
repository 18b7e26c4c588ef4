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

static enum status query_refuse(const char *why, struct error *error)
{
    error_set(error, ERROR_PLAN_INVALID, "query", "%s", why);
    return error_hint(error, "a query is one SELECT in CQL, without parameters");
}

static bool is_word(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
           (character >= '0' && character <= '9') || character == '_';
}

/* Behind the token that begins there: a word, what is in quotes, or any other character. */
static const char *skip_token(const char *at)
{
    if (*at == '\'' || *at == '"') {
        const char quote = *at;
        for (at++; *at != '\0' && (*at != quote || at[1] == quote); at += 1 + (*at == quote)) {
        }
        return *at != '\0' ? at + 1 : at;
    }
    if (strncmp(at, "$$", 2) == 0) {
        const char *end = strstr(at + 2, "$$");
        return end != NULL ? end + 2 : at + strlen(at);
    }
    if (!is_word(*at)) {
        return *at != '\0' ? at + 1 : at;
    }
    while (is_word(*at)) {
        at++;
    }
    return at;
}

static bool is_keyword(const char *at, const char *word)
{
    size_t length = strlen(word);
    return strncasecmp(at, word, length) == 0 && !is_word(at[length]);
}

/* Where the name of the table begins that has no keyspace before it; NULL: it has, or there is
 * none. */
static const char *find_bare_table(const char *query)
{
    const char *at = skip_blanks(query);
    while (*at != '\0' && !is_keyword(at, "from")) {
        at = skip_blanks(skip_token(at));
    }
    const char *name = *at != '\0' ? skip_blanks(skip_token(at)) : at;
    return *name != '\0' && *skip_blanks(skip_token(name)) != '.' ? name : NULL;
}

enum status cassandra_query_text(const struct cassandra *self, const char *query,
                                 struct arena *arena, const char **text, struct error *error)
{
    if (!is_keyword(skip_blanks(query), "select")) {
        return query_refuse("the query is no SELECT", error);
    }
    const char *table = find_bare_table(query);
    if (table == NULL) {
        *text = query;
        return STATUS_OK;
    }
    struct buffer made = {0};
    buffer_append(&made, query, (size_t)(table - query));
    cql_name_append((struct text){self->keyspace, strlen(self->keyspace)}, &made);
    buffer_append_byte(&made, '.');
    buffer_append_string(&made, table);
    *text = arena_copy(arena, made.data, made.length);
    buffer_free(&made);
    return STATUS_OK;
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

/* Columns are told apart by their names. */
static enum status check_names(const struct shape_of_query *shape, struct error *error)
{
    for (uint32_t at = 1; at < shape->column_count; at++) {
        for (uint32_t before = 0; before < at; before++) {
            if (strcmp(shape->columns[at].name, shape->columns[before].name) == 0) {
                error_set(error, ERROR_PLAN_INVALID, "query", "it has two columns named %s",
                          shape->columns[at].name);
                return error_hint(error, "leave one out, or name it otherwise: %s AS …",
                                  shape->columns[at].name);
            }
        }
    }
    return STATUS_OK;
}

static enum status query_prepare(struct cassandra *self, const char *query, struct arena *arena,
                                 struct shape_of_query *shape, struct error *error)
{
    const struct cql_prepared *prepared = NULL;
    const char *text = NULL;
    *shape = (struct shape_of_query){0};
    if (cassandra_query_text(self, query, arena, &text, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    pthread_mutex_lock(&self->keyed.control_mutex);
    enum status status = cassandra_calls_prepare(self, self->control, text, &prepared, error);
    if (status == STATUS_OK && prepared->parameters.count > 0) {
        status = query_refuse("the query has parameters", error);
    } else if (status == STATUS_OK && prepared->columns.list == NULL) {
        status = query_refuse("the query has no columns", error);
    } else if (status == STATUS_OK) {
        copy_columns(&prepared->columns, self->keyspace, arena, shape);
        status = check_names(shape, error);
    } else if (error->class == ERROR_CLASS_STOP) {
        error_recode(error, ERROR_PLAN_INVALID);
        error_context(error, "the query: ");
    }
    pthread_mutex_unlock(&self->keyed.control_mutex);
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
    if (query_prepare(cassandra_of(self), text, arena, &shape, error) != STATUS_OK) {
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
    if (query_prepare(self, text, arena, &shape, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *key = key_of(self, &shape);
    return STATUS_OK;
}
