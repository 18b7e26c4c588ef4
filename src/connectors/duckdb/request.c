/* A read request as one SELECT, in DuckDB's words. */
#include "connectors/duckdb/duckdb_internal.h"
#include "connectors/sql/by_key.h"
#include <inttypes.h>
#include <string.h>

struct compiler {
    struct sql_request base;
    struct duckdb_handle *connection;
    struct duckdb_table query;
    struct duckdb_select *out;
};

static const struct duckdb_form truth_form = {.id = DUCKDB_BOOLEAN, .type = {.kind = VALUE_BOOL}};
static const struct duckdb_form place_form = {.id = DUCKDB_BIGINT, .type = {.kind = VALUE_INT64}};

static struct compiler *compiler_of(struct sql_request *request)
{
    return (struct compiler *)request;
}

static struct duckdb_database *database_of(const struct sql_request *request)
{
    return duckdb_database_of(&request->database->base);
}

static const struct duckdb_table *table_of(const struct sql_request *request, int32_t join)
{
    return duckdb_facts_of(sql_request_table(request, join));
}

static enum status describe_query(struct sql_request *request, struct sql_table *query)
{
    struct compiler *compiler = compiler_of(request);
    struct schema_table *schema = arena_allocate_zeroed(request->arena, 1, sizeof *schema);
    struct duckdb_form *forms = NULL;
    enum status status =
        duckdb_describe_query(database_of(request), compiler->connection, request->asked->query,
                              request->arena, schema, &forms, request->error);
    compiler->query = (struct duckdb_table){.schema = schema, .forms = forms};
    *query = duckdb_table_of(&compiler->query);
    return status;
}

/* ---------------------------------------------------------------- columns */

static void append_named(struct sql_request *request, int32_t join, const char *name)
{
    char alias[SQL_ALIAS_BYTES];
    sql_name_alias(alias, join);
    duckdb_append(&request->out->sql, "%s.%n", alias, name);
}

static bool is_place(const struct sql_request *request, int32_t join, const char *name)
{
    return strcmp(name, DUCKDB_ROWID) == 0 && table_of(request, join)->schema->row_key != NULL;
}

static bool append_column(struct sql_request *request, int32_t join, const char *name)
{
    if (sql_request_find(request, join, name) < 0 && !is_place(request, join, name)) {
        return false;
    }
    append_named(request, join, name);
    return true;
}

static void make_types(struct sql_request *request, uint32_t count)
{
    struct duckdb_select *out = compiler_of(request)->out;
    out->forms = arena_allocate_zeroed(request->arena, (size_t)count + 1, sizeof *out->forms);
}

void duckdb_append_selected(struct buffer *sql, const struct duckdb_form *form, const char *alias,
                            const char *name)
{
    bool text = form->as_text || form->id == DUCKDB_BIGNUM;
    buffer_append_string(sql, text ? "CAST(" : "");
    if (alias != NULL) {
        buffer_format(sql, "%s.", alias);
    }
    duckdb_append(sql, "%n%s", name, text ? " AS VARCHAR)" : "");
}

static enum status append_result(struct sql_request *request, const struct read_column *wanted)
{
    struct duckdb_form *form = &compiler_of(request)->out->forms[request->out->column_count];
    char alias[SQL_ALIAS_BYTES];
    if (wanted->presence) {
        *form = truth_form;
        return sql_request_presence(request, wanted);
    }
    int32_t at = sql_request_find(request, wanted->join, wanted->name);
    if (at < 0 && !is_place(request, wanted->join, wanted->name)) {
        return sql_request_no_such_column(request, wanted->join, wanted->name);
    }
    *form = at >= 0 ? table_of(request, wanted->join)->forms[at] : place_form;
    sql_name_alias(alias, wanted->join);
    duckdb_append_selected(&request->out->sql, form, alias, wanted->name);
    return STATUS_OK;
}

static void append_nothing(struct sql_request *request)
{
    (void)request;
}

/* ---------------------------------------------------------------- joins */

static bool is_moment(enum value_kind kind)
{
    return kind == VALUE_DATE || kind == VALUE_TIMESTAMP;
}

static bool is_alike(const struct duckdb_form *left, const struct duckdb_form *right)
{
    enum value_kind kind = left->type.kind;
    enum value_kind other = right->type.kind;
    return (kind == other && left->id != DUCKDB_ENUM && right->id != DUCKDB_ENUM) ||
           (value_kind_is_number(kind) && value_kind_is_number(other)) ||
           (is_moment(kind) && is_moment(other));
}

/* Equal by value; of two kinds: as texts. */
static enum status append_equal(struct sql_request *request, uint32_t index, uint32_t part,
                                const char *to_alias)
{
    const struct read_join *join = &request->asked->joins[index];
    const char *from_name = join->from_columns.names[part];
    const char *to_name = join->columns.names[part];
    int32_t from = sql_request_find(request, join->from, from_name);
    int32_t to = sql_request_find(request, (int32_t)index, to_name);
    char from_alias[SQL_ALIAS_BYTES];
    if (from < 0) {
        return sql_request_no_such_column(request, join->from, from_name);
    }
    if (to < 0) {
        return sql_request_no_such_column(request, (int32_t)index, to_name);
    }
    sql_name_alias(from_alias, join->from);
    bool alike = is_alike(&table_of(request, join->from)->forms[from],
                          &table_of(request, (int32_t)index)->forms[to]);
    duckdb_append(&request->out->sql,
                  alike ? "%s.%n = %s.%n" : "CAST(%s.%n AS VARCHAR) = CAST(%s.%n AS VARCHAR)",
                  from_alias, from_name, to_alias, to_name);
    return STATUS_OK;
}

static void append_row_key(struct sql_request *request, int32_t join)
{
    const struct duckdb_table *table = table_of(request, join);
    struct buffer *sql = &request->out->sql;
    char alias[SQL_ALIAS_BYTES];
    sql_name_alias(alias, join);
    if (table->key.count > 0) {
        sql_append_names(sql, &duckdb_quoting, alias, table->key);
    } else if (table->schema->row_key != NULL) {
        buffer_format(sql, "%s." DUCKDB_ROWID, alias);
    } else {
        for (uint32_t i = 0; i < table->schema->column_count; i++) {
            buffer_append_string(sql, i > 0 ? ", " : "");
            append_named(request, join, table->schema->columns[i].name);
        }
    }
}

/* The first by its key, or by its place. */
static enum status append_first_partner(struct sql_request *request, uint32_t index)
{
    const struct duckdb_table *table = table_of(request, (int32_t)index);
    struct buffer *sql = &request->out->sql;
    char alias[SQL_ALIAS_BYTES];
    if (table->schema->row_key == NULL) {
        error_set(request->error, ERROR_PLAN_INVALID, request->asked->name,
                  "the view %s is looked up by columns that are not unique", table->schema->name);
        return error_hint(request->error, "look up in a table, or by a query");
    }
    sql_name_alias(alias, (int32_t)index);
    sql_request_begin_join(request, index, false);
    buffer_format(sql, "%s." DUCKDB_ROWID " = (SELECT ", alias);
    if (table->key.count > 0) {
        duckdb_append(sql, "arg_min(_x." DUCKDB_ROWID ", row(%L))", "_x", table->key);
    } else {
        buffer_append_string(sql, "min(_x." DUCKDB_ROWID ")");
    }
    duckdb_append(sql, " FROM %t AS _x WHERE ", request->database, table->schema->name);
    enum status status = sql_request_equals(request, index, "_x");
    buffer_append_byte(sql, ')');
    return status;
}

/* ---------------------------------------------------------------- order and span */

static enum status append_order(struct sql_request *request, const struct read_order *order)
{
    if (sql_request_column(request, order->join, order->name) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&request->out->sql,
                         order->descending ? " DESC NULLS LAST" : " ASC NULLS FIRST");
    return STATUS_OK;
}

static enum status append_span(struct sql_request *request, const struct span *span)
{
    const struct duckdb_table *root = request->asked->table != NULL ? table_of(request, -1) : NULL;
    return duckdb_span_append(&request->out->sql, span, root, request->error);
}

/* Years beyond 9999 have no sign, and those before the first count backwards from 1. */
static void name_time(struct buffer *text)
{
    enum { MONTH_AND_DAY = 6 };
    const char *from = buffer_string(text);
    bool sign = from[0] == '-' || from[0] == '+';
    const char *digits = from + sign;
    size_t length = strspn(digits, "0123456789");
    const char *rest = digits + length;
    int64_t year = 0;
    if (text_to_int64(digits, length, &year) != STATUS_OK || strlen(rest) < MONTH_AND_DAY) {
        return; /* infinity */
    }
    struct buffer named = {0};
    if (from[0] == '-' || year == 0) {
        const char *time = rest + MONTH_AND_DAY;
        buffer_format(&named, "%04" PRId64 "%.*s (BC)%s%s", year + 1, (int)MONTH_AND_DAY, rest,
                      *time != '\0' ? " " : "", *time != '\0' ? time + 1 : "");
    } else {
        buffer_append_string(&named, digits);
    }
    buffer_free(text);
    *text = named;
}

static const struct sql_request_dialect dialect = {
    .truth = "true",
    .present = " IS NOT NULL",
    .rules = &duckdb_rules,
    .name_time = name_time,
    .is_null = " IS NULL",
    .quotes_numbers = true,
    .bytes_before = "unhex('",
    .bytes_behind = "')",
    .describe_query = describe_query,
    .make_types = make_types,
    .append_column = append_column,
    .append_result = append_result,
    .append_extra = append_nothing,
    .append_equal = append_equal,
    .append_first_partner = append_first_partner,
    .append_row_key = append_row_key,
    .append_order = append_order,
    .append_span = append_span,
};

enum status duckdb_request_compile(struct duckdb_database *self, struct duckdb_handle *connection,
                                   const struct read_request *request, const struct span *span,
                                   struct arena *arena, struct duckdb_select *select,
                                   struct error *error)
{
    struct compiler compiler = {.base = {.dialect = &dialect,
                                         .database = &self->sql,
                                         .asked = request,
                                         .arena = arena,
                                         .out = &select->base,
                                         .error = error},
                                .connection = connection,
                                .out = select};
    *select = (struct duckdb_select){0};
    return sql_request_write(&compiler.base, span);
}

enum status duckdb_since_query(struct database *self, const struct read_request *request,
                               struct buffer *query, struct error *error)
{
    struct sql_database *database = sql_database_of(self);
    const struct sql_by_key_words words = sql_request_words(database, &dialect);
    return sql_since_query(database, request, &words, query, error);
}

struct sql_by_key_words duckdb_by_key_words(const struct sql_database *self)
{
    return sql_request_words(self, &dialect);
}
