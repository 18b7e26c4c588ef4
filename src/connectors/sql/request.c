/* A read request as one SELECT: columns, joins, span, and an order that repeats exactly. */
#include "connectors/sql/request.h"
#include "base/text.h"
#include "connectors/sql/by_key.h"
#include "connectors/sql/digest.h"
#include <stdio.h>
#include <string.h>

enum { NAMES_ASKED_MAX = 256 };

/* ---------------------------------------------------------------- names that are not there */

static void hint_at_nearest(const char *name, const char *const *names, uint32_t count,
                            struct error *error)
{
    const char *near = text_nearest(name, names, count);
    if (near != NULL) {
        error_hint(error, "did you mean %s?", near);
    }
}

void sql_hint_at_table(const struct schema *schema, const char *name, struct error *error)
{
    const char *names[NAMES_ASKED_MAX] = {0};
    uint32_t count = schema->table_count < NAMES_ASKED_MAX ? schema->table_count : NAMES_ASKED_MAX;
    for (uint32_t i = 0; i < count; i++) {
        names[i] = schema->tables[i].name;
    }
    hint_at_nearest(name, names, count, error);
}

enum status sql_find_table(struct sql_database *self, const char *name, struct sql_table *table,
                           struct error *error)
{
    const struct schema *schema = NULL;
    if (self->dialect->catalog(self, &schema, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (self->dialect->find(self, name, table) == STATUS_OK) {
        return STATUS_OK;
    }
    error_set(error, ERROR_PLAN_INVALID, self->shown, "there is no table %s in the %s %s", name,
              self->dialect->container, self->schema);
    sql_hint_at_table(schema, name, error);
    return STATUS_FAILED;
}

enum status sql_no_such_column(const struct schema_table *table, const char *name,
                               const char *object, struct error *error)
{
    const char *names[NAMES_ASKED_MAX] = {0};
    uint32_t count = table->column_count < NAMES_ASKED_MAX ? table->column_count : NAMES_ASKED_MAX;
    for (uint32_t i = 0; i < count; i++) {
        names[i] = table->columns[i].name;
    }
    error_set(error, ERROR_PLAN_INVALID, object, "there is no column %s", name);
    hint_at_nearest(name, names, count, error);
    return STATUS_FAILED;
}

enum status sql_request_is_query(const struct read_request *asked, struct error *error)
{
    return asked->query != NULL
               ? STATUS_OK
               : error_set(error, ERROR_INTERNAL, asked->name, "a request without a root");
}

enum status sql_request_root(struct sql_database *self, const struct read_request *request,
                             struct sql_table *table, struct error *error)
{
    *table = (struct sql_table){0};
    return request->table != NULL ? sql_find_table(self, request->table, table, error)
                                  : sql_request_is_query(request, error);
}

/* ---------------------------------------------------------------- columns */

void sql_name_alias(char alias[SQL_ALIAS_BYTES], int32_t join)
{
    snprintf(alias, SQL_ALIAS_BYTES, "_t%d", join + 1);
}

static const struct schema_table *table_of(const struct sql_request *request, int32_t join)
{
    return sql_request_table(request, join)->schema;
}

int32_t sql_request_find(const struct sql_request *request, int32_t join, const char *name)
{
    const struct schema_table *table = table_of(request, join);
    bool query = join < 0 && request->asked->table == NULL;
    for (uint32_t i = 0; i < table->column_count; i++) {
        if ((query ? strcmp : request->database->dialect->compare_names)(table->columns[i].name,
                                                                         name) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

static void append_table(struct sql_request *request, int32_t join)
{
    request->database->dialect->quoting->append_table(&request->out->sql, request->database,
                                                      table_of(request, join)->name);
}

static bool is_of_query(const struct sql_request *request, int32_t join)
{
    return join < 0 && request->asked->table == NULL;
}

enum status sql_request_no_such_column(struct sql_request *request, int32_t join, const char *name)
{
    const struct schema_table *table = table_of(request, join);
    const char *object = is_of_query(request, join) ? request->asked->name : table->name;
    return sql_no_such_column(table, name, object, request->error);
}

enum status sql_request_column(struct sql_request *request, int32_t join, const char *name)
{
    return request->dialect->append_column(request, join, name)
               ? STATUS_OK
               : sql_request_no_such_column(request, join, name);
}

enum status sql_request_presence(struct sql_request *request, const struct read_column *wanted)
{
    if (wanted->join < 0) {
        buffer_append_string(&request->out->sql, request->dialect->truth);
        return STATUS_OK;
    }
    enum status status = sql_request_column(request, wanted->join,
                                            request->asked->joins[wanted->join].columns.names[0]);
    buffer_append_string(&request->out->sql, request->dialect->present);
    return status;
}

/* Without named columns: all that the root has. */
static const struct read_column *list_columns(struct sql_request *request)
{
    const struct schema_table *root = table_of(request, -1);
    request->out->documents = request->asked->column_count == 0;
    if (!request->out->documents) {
        return request->asked->columns;
    }
    struct read_column *all =
        arena_allocate_zeroed(request->arena, (size_t)root->column_count + 1, sizeof *all);
    for (uint32_t i = 0; i < root->column_count; i++) {
        all[i] = (struct read_column){.join = -1, .name = root->columns[i].name};
    }
    return all;
}

static enum status append_columns(struct sql_request *request)
{
    struct sql_select *out = request->out;
    uint32_t count = request->asked->column_count > 0 ? request->asked->column_count
                                                      : table_of(request, -1)->column_count;
    const struct read_column *wanted = list_columns(request);

    request->dialect->make_types(request, count);
    out->names = arena_allocate_zeroed(request->arena, (size_t)count + 1, sizeof *out->names);
    buffer_append_string(&out->sql, "SELECT ");
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(&out->sql, i > 0 ? ", " : "");
        if (wanted[i].join >= (int32_t)request->asked->join_count) {
            return error_set(request->error, ERROR_INTERNAL, request->asked->name,
                             "a column of a join that is not there");
        }
        if (request->dialect->append_result(request, &wanted[i]) != STATUS_OK) {
            return STATUS_FAILED;
        }
        out->names[i] = wanted[i].name;
        out->column_count++;
    }
    request->dialect->append_extra(request);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- joins */

static enum status find_tables(struct sql_request *request)
{
    const struct read_request *asked = request->asked;
    request->tables = arena_allocate_zeroed(request->arena, (size_t)asked->join_count + 1,
                                            sizeof *request->tables);
    if (sql_request_root(request->database, asked, request->tables, request->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < asked->join_count; i++) {
        const struct read_join *join = &asked->joins[i];
        if (join->from >= (int32_t)i || join->columns.count == 0 ||
            join->columns.count != join->from_columns.count) {
            return error_set(request->error, ERROR_INTERNAL, asked->name, "join %u is malformed",
                             i);
        }
        if (sql_find_table(request->database, join->table, &request->tables[i + 1],
                           request->error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return is_of_query(request, -1) ? request->dialect->describe_query(request, request->tables)
                                    : STATUS_OK;
}

enum status sql_request_equals(struct sql_request *request, uint32_t join, const char *alias)
{
    for (uint32_t i = 0; i < request->asked->joins[join].columns.count; i++) {
        buffer_append_string(&request->out->sql, i > 0 ? " AND " : "");
        if (request->dialect->append_equal(request, join, i, alias) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

void sql_request_begin_join(struct sql_request *request, uint32_t join, bool many)
{
    struct buffer *sql = &request->out->sql;
    char alias[SQL_ALIAS_BYTES];
    sql_name_alias(alias, (int32_t)join);
    buffer_append_string(sql, many ? " JOIN " : " LEFT JOIN ");
    append_table(request, (int32_t)join);
    buffer_format(sql, " AS %s ON ", alias);
}

bool sql_join_takes_first(const struct schema_table *table, const struct read_join *join)
{
    return !join->many && !schema_is_unique_key(table, join->columns);
}

static enum status append_join(struct sql_request *request, uint32_t index)
{
    const struct read_join *join = &request->asked->joins[index];
    char alias[SQL_ALIAS_BYTES];
    if (sql_join_takes_first(table_of(request, (int32_t)index), join)) {
        return request->dialect->append_first_partner(request, index);
    }
    sql_request_begin_join(request, index, join->many);
    sql_name_alias(alias, (int32_t)index);
    return sql_request_equals(request, index, alias);
}

void sql_append_query(struct buffer *sql, const char *query)
{
    size_t length = strlen(query);
    while (length > 0 && strchr(" \t\r\n;", query[length - 1]) != NULL) {
        length--;
    }
    buffer_append_byte(sql, '(');
    buffer_append(sql, query, length);
    buffer_append_string(sql, "\n)");
}

static enum status append_from(struct sql_request *request)
{
    struct buffer *sql = &request->out->sql;
    buffer_append_string(sql, " FROM ");
    if (is_of_query(request, -1)) {
        sql_append_query(sql, request->asked->query);
    } else {
        append_table(request, -1);
    }
    buffer_append_string(sql, " AS _t0");
    for (uint32_t i = 0; i < request->asked->join_count; i++) {
        if (append_join(request, i) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- order */

static enum status order_by_root(struct sql_request *request)
{
    const struct column_list key = request->asked->root_key;
    if (key.count == 0 && is_of_query(request, -1)) {
        error_set(request->error, ERROR_PLAN_INVALID, request->asked->name,
                  "its rows have no key to be ordered by");
        error_hint(request->error, "name the columns that identify a row in the entity's key");
        return STATUS_FAILED;
    }
    if (key.count == 0) {
        request->dialect->append_row_key(request, -1);
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < key.count; i++) {
        buffer_append_string(&request->out->sql, i > 0 ? ", " : "");
        if (sql_request_column(request, -1, key.names[i]) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status append_order(struct sql_request *request)
{
    const struct read_request *asked = request->asked;
    struct buffer *sql = &request->out->sql;

    if (!asked->ordered) {
        return STATUS_OK;
    }
    buffer_append_string(sql, " ORDER BY ");
    if (order_by_root(request) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < asked->order_count; i++) {
        buffer_append_string(sql, ", ");
        if (request->dialect->append_order(request, &asked->orders[i]) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    for (uint32_t i = 0; i < asked->join_count; i++) {
        if (asked->joins[i].many) {
            buffer_append_string(sql, ", ");
            request->dialect->append_row_key(request, (int32_t)i);
        }
    }
    return STATUS_OK;
}

static enum status append_root_column(void *context, const char *name)
{
    return sql_request_column(context, -1, name);
}

struct sql_by_key_words sql_request_words(const struct sql_database *database,
                                          const struct sql_request_dialect *dialect)
{
    return (struct sql_by_key_words){.rules = dialect->rules,
                                     .append_text = database->dialect->quoting->append_text,
                                     .name_time = dialect->name_time,
                                     .is_null = dialect->is_null,
                                     .quotes_numbers = dialect->quotes_numbers,
                                     .bytes_before = dialect->bytes_before,
                                     .bytes_behind = dialect->bytes_behind};
}

/* The rows of the span, and of these those of the buckets that are asked for. */
static enum status append_where(struct sql_request *request, const struct span *span)
{
    const struct buffer *sql = &request->out->sql;
    size_t before = sql->length;
    if (request->dialect->append_span(request, span) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!request->sums && request->asked->digest != NULL) {
        return sql_digest_append_wanted(request, sql->length > before ? " AND " : " WHERE ");
    }
    struct sql_by_key_words words = sql_request_words(request->database, request->dialect);
    words.compared = request->dialect->compared;
    words.comparing = request;
    if (request->asked->since_bound != NULL) {
        buffer_append_string(&request->out->sql, sql->length > before ? " AND " : " WHERE ");
        if (sql_append_since(request->asked, &words, append_root_column, request,
                             &request->out->sql, request->error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (request->asked->keys == NULL) {
        return STATUS_OK;
    }
    buffer_append_string(&request->out->sql, sql->length > before ? " AND " : " WHERE ");
    return sql_append_by_key(request->asked, &words, append_root_column, request,
                             &request->out->sql, request->error);
}

enum status sql_request_write(struct sql_request *request, const struct span *span)
{
    struct buffer *sql = &request->out->sql;
    if (find_tables(request) != STATUS_OK ||
        (request->sums ? sql_digest_begin(request) : append_columns(request)) != STATUS_OK ||
        append_from(request) != STATUS_OK || append_where(request, span) != STATUS_OK ||
        (request->sums ? sql_digest_end(request) : append_order(request)) != STATUS_OK) {
        buffer_free(sql);
        return STATUS_FAILED;
    }
    return STATUS_OK;
}
