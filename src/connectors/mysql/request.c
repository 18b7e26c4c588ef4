/* A read request as one SELECT, in MySQL's words. */
#include "connectors/mysql/source.h"
#include "connectors/sql/digest.h"
#include <string.h>

static enum status find_table(struct maria_database *self, const char *name,
                              const struct maria_table **table, struct error *error)
{
    const struct maria_catalog *catalog = NULL;
    if (maria_catalog_get(self, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *table = maria_catalog_find(catalog, name);
    return *table != NULL ? STATUS_OK
                          : sql_no_such_table(catalog->schema, name, self->shown, "database",
                                              self->schema, error);
}

enum status maria_request_root(struct maria_database *self, const struct read_request *request,
                               const struct maria_table **table, struct error *error)
{
    *table = NULL;
    return request->table != NULL ? find_table(self, request->table, table, error)
                                  : sql_request_is_query(request, error);
}

struct compiler {
    struct sql_request base;
    struct sql_dialect dialect;
    struct sql_digest_words digest_words;
    struct maria_database *self;
    MYSQL *connection;
    const struct maria_table **tables; /* the root first; NULL: a query */
    struct schema_table query;
    struct maria_column *query_columns;
    struct maria_request *out;
};

static struct compiler *compiler_of(struct sql_request *request)
{
    return (struct compiler *)request;
}

/* ---------------------------------------------------------------- tables */

static const struct maria_table *table_of(const struct compiler *compiler, int32_t join)
{
    return compiler->tables[join + 1];
}

static enum status find_joined(struct sql_request *request, int32_t join, const char *name)
{
    struct compiler *compiler = compiler_of(request);
    return find_table(compiler->self, name, &compiler->tables[join + 1], request->error);
}

static enum status describe_query(struct sql_request *request)
{
    struct compiler *compiler = compiler_of(request);
    return maria_describe_query(compiler->self, compiler->connection, request->asked->query,
                                request->arena, &compiler->query, &compiler->query_columns,
                                request->error);
}

static const struct schema_table *schema_of(const struct sql_request *request, int32_t join)
{
    const struct compiler *compiler = (const struct compiler *)request;
    const struct maria_table *table = table_of(compiler, join);
    return table != NULL ? table->schema : &compiler->query;
}

static void append_table(struct sql_request *request, const char *name)
{
    maria_append_table(&request->out->sql, compiler_of(request)->self, name);
}

/* ---------------------------------------------------------------- columns */

/* NULL: there is none of that name. */
static const struct maria_column *find_column(struct sql_request *request, int32_t join,
                                              const char *name)
{
    const struct compiler *compiler = compiler_of(request);
    const struct maria_table *table = table_of(compiler, join);
    if (table != NULL) {
        int32_t position = maria_find_column(table, name);
        return position >= 0 ? &table->columns[position] : NULL;
    }
    for (uint32_t i = 0; i < compiler->query.column_count; i++) {
        if (strcmp(compiler->query_columns[i].name, name) == 0) {
            return &compiler->query_columns[i];
        }
    }
    return NULL;
}

static bool append_column(struct sql_request *request, int32_t join, const char *name)
{
    char alias[SQL_ALIAS_BYTES];
    if (find_column(request, join, name) == NULL) {
        return false;
    }
    sql_name_alias(alias, join);
    buffer_format(&request->out->sql, "%s.", alias);
    maria_append_name(&request->out->sql, name);
    return true;
}

void maria_append_selected(struct buffer *sql, const struct maria_type *type, const char *alias,
                           const char *name)
{
    if (alias != NULL) {
        buffer_format(sql, "%s.", alias);
    }
    maria_append_name(sql, name);
    /* a float's own text is rounded to six digits */
    buffer_append_string(sql, type->format == MARIA_AS_FLOAT ? "*1e0"
                              : type->format == MARIA_AS_BIT ? "+0"
                                                             : "");
}

static enum status make_types(struct sql_request *request, uint32_t count)
{
    struct maria_request *out = compiler_of(request)->out;
    out->columns = arena_allocate_zeroed(request->arena, (size_t)count + 1, sizeof *out->columns);
    return out->columns != NULL ? STATUS_OK : sql_request_no_memory(request, "columns");
}

static enum status append_result(struct sql_request *request, const struct read_column *wanted)
{
    struct maria_type *type = &compiler_of(request)->out->columns[request->out->column_count];
    char alias[SQL_ALIAS_BYTES];
    if (wanted->presence) {
        *type = (struct maria_type){.format = MARIA_AS_INT, .type = {.kind = VALUE_BOOL}};
        return sql_request_presence(request, wanted);
    }
    const struct maria_column *column = find_column(request, wanted->join, wanted->name);
    if (column == NULL) {
        return sql_request_no_such_column(request, wanted->join, wanted->name);
    }
    *type = column->type;
    sql_name_alias(alias, wanted->join);
    maria_append_selected(&request->out->sql, type, alias, wanted->name);
    return STATUS_OK;
}

static void append_nothing(struct sql_request *request)
{
    (void)request;
}

/* ---------------------------------------------------------------- joins */

/*
 * Equal by value, as everywhere else: texts by their bytes, whatever their collations say, and
 * beside that by the collations, which an index serves. Of two kinds: as texts.
 */
static void append_equal_columns(struct buffer *sql, const struct maria_column *from,
                                 const char *from_alias, const struct maria_column *to,
                                 const char *to_alias)
{
    bool numbers =
        value_kind_is_number(from->type.type.kind) && value_kind_is_number(to->type.type.kind);
    bool texts = from->type.type.kind == VALUE_TEXT && to->type.type.kind == VALUE_TEXT;
    bool alike = numbers || from->type.type.kind == to->type.type.kind;
    if (alike) {
        buffer_format(sql, "%s.", from_alias);
        maria_append_name(sql, from->name);
        buffer_format(sql, " = %s.", to_alias);
        maria_append_name(sql, to->name);
    }
    if (alike && !texts) {
        return;
    }
    buffer_append_string(sql, alike ? " AND CAST(CONVERT(" : "CAST(CONVERT(");
    buffer_format(sql, "%s.", from_alias);
    maria_append_name(sql, from->name);
    buffer_format(sql, " USING utf8mb4) AS BINARY) = CAST(CONVERT(%s.", to_alias);
    maria_append_name(sql, to->name);
    buffer_append_string(sql, " USING utf8mb4) AS BINARY)");
}

static enum status append_equal(struct sql_request *request, uint32_t index, uint32_t part,
                                const char *to_alias)
{
    const struct read_join *join = &request->asked->joins[index];
    const char *from_name = join->from_columns.names[part];
    const char *to_name = join->columns.names[part];
    const struct maria_column *from = find_column(request, join->from, from_name);
    const struct maria_column *to = find_column(request, (int32_t)index, to_name);
    char from_alias[SQL_ALIAS_BYTES];
    if (from == NULL) {
        return sql_request_no_such_column(request, join->from, from_name);
    }
    if (to == NULL) {
        return sql_request_no_such_column(request, (int32_t)index, to_name);
    }
    sql_name_alias(from_alias, join->from);
    append_equal_columns(&request->out->sql, from, from_alias, to, to_alias);
    return STATUS_OK;
}

static void append_byte_order(struct buffer *sql, const struct maria_column *column,
                              const char *alias, const char *name)
{
    bool text = column->type.type.kind == VALUE_TEXT || column->type.type.kind == VALUE_JSON;
    buffer_append_string(sql, text ? "CAST(CONVERT(" : "");
    buffer_format(sql, "%s.", alias);
    maria_append_name(sql, name);
    buffer_append_string(sql, text ? " USING utf8mb4) AS BINARY)" : "");
}

/* Without a key all columns. */
static void append_row_key(struct sql_request *request, int32_t join)
{
    const struct maria_table *table = table_of(compiler_of(request), join);
    struct buffer *sql = &request->out->sql;
    char alias[SQL_ALIAS_BYTES];
    sql_name_alias(alias, join);
    if (table->key.count > 0) {
        maria_append_names(sql, alias, table->key);
        return;
    }
    for (uint32_t i = 0; i < table->schema->column_count; i++) {
        buffer_append_string(sql, i > 0 ? ", " : "");
        append_byte_order(sql, &table->columns[i], alias, table->columns[i].name);
    }
}

static enum status append_first_partner(struct sql_request *request, uint32_t index)
{
    const struct maria_table *table = table_of(compiler_of(request), (int32_t)index);
    struct buffer *sql = &request->out->sql;
    char alias[SQL_ALIAS_BYTES];
    if (table->key.count == 0) {
        error_set(request->error, ERROR_PLAN_INVALID, request->asked->name,
                  "the table %s is looked up by columns that are not unique, and has no key that "
                  "would tell the first one",
                  table->schema->name);
        error_hint(request->error, "give the table a primary key, or look up by unique columns");
        return STATUS_FAILED;
    }
    sql_name_alias(alias, (int32_t)index);
    sql_request_begin_join(request, index, false);
    buffer_append_byte(sql, '(');
    maria_append_names(sql, alias, table->key);
    buffer_append_string(sql, ") = (SELECT ");
    maria_append_names(sql, "_x", table->key);
    buffer_append_string(sql, " FROM ");
    append_table(request, table->schema->name);
    buffer_append_string(sql, " AS _x WHERE ");
    if (sql_request_equals(request, index, "_x") != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(sql, " ORDER BY ");
    maria_append_names(sql, "_x", table->key);
    buffer_append_string(sql, " LIMIT 1)");
    return STATUS_OK;
}

/* ---------------------------------------------------------------- order and span */

/* NULLs are first to the server too. */
static enum status append_order(struct sql_request *request, const struct read_order *order)
{
    const struct maria_column *column = find_column(request, order->join, order->name);
    char alias[SQL_ALIAS_BYTES];
    if (column == NULL) {
        return sql_request_no_such_column(request, order->join, order->name);
    }
    sql_name_alias(alias, order->join);
    append_byte_order(&request->out->sql, column, alias, order->name);
    buffer_append_string(&request->out->sql, order->descending ? " DESC" : "");
    return STATUS_OK;
}

static enum status append_span(struct sql_request *request, const struct span *span)
{
    return maria_span_append(&request->out->sql, span, table_of(compiler_of(request), -1),
                             request->error);
}

/* ---------------------------------------------------------------- digests */

static enum status append_part(struct sql_request *request, const struct digest_column *wanted)
{
    struct buffer selected = {0};
    const struct maria_column *column = find_column(request, -1, wanted->name);
    if (column == NULL) {
        return sql_request_no_such_column(request, -1, wanted->name);
    }
    buffer_append_string(&selected, "_t0.");
    maria_append_name(&selected, wanted->name);
    bool failed = selected.failed;
    if (!failed) {
        maria_digest_append_part(&request->out->sql, column, buffer_string(&selected), wanted->key);
    }
    buffer_free(&selected);
    return failed ? sql_request_no_memory(request, "a statement") : STATUS_OK;
}

#define HALF(from) "COALESCE(SUM(CAST(CONV(SUBSTR(_d.h, " from ", 16), 16, 10) AS UNSIGNED)), 0)"
/* With LIMIT the server computes each row's hash once, and keeps the rows in a temporary table;
 * without, it computes it wherever it is used, and keeps nothing but the sums. */
static const struct sql_digest_words digest_words = {
    .head = "SELECT _d.b, COUNT(*), COUNT(_d.h), " HALF("1") ", " HALF("17") " FROM (",
    .tail = " LIMIT 18446744073709551615) AS _d GROUP BY _d.b",
    .open = "CONCAT(",
    .between = ", ';', ",
    .close = ")",
    .md5 = "MD5(",
    .number = "CAST(CONV(SUBSTR(",
    .number_end = ", 29, 4), 16, 10) AS UNSIGNED)",
    .append_part = append_part,
};
static const char unlimited_tail[] = ") AS _d GROUP BY _d.b";

static const struct sql_dialect dialect = {
    .truth = "1",
    .digest_words = &digest_words,
    .find_table = find_joined,
    .describe_query = describe_query,
    .make_types = make_types,
    .table = schema_of,
    .append_table = append_table,
    .append_column = append_column,
    .append_result = append_result,
    .append_extra = append_nothing,
    .append_equal = append_equal,
    .append_first_partner = append_first_partner,
    .append_row_key = append_row_key,
    .append_order = append_order,
    .append_span = append_span,
};

/* However many rows it has. */
static bool is_one_piece(struct maria_database *self, const struct read_request *request)
{
    const struct maria_table *table = NULL;
    struct error ignored = {0};
    return maria_request_root(self, request, &table, &ignored) == STATUS_OK &&
           table->key.count == 0;
}

static enum status compile(struct maria_database *self, MYSQL *connection,
                           const struct read_request *request, const struct span *span, bool sums,
                           struct arena *arena, struct maria_request *compiled, struct error *error)
{
    struct compiler compiler = {.base = {.asked = request,
                                         .arena = arena,
                                         .out = &compiled->select,
                                         .error = error,
                                         .sums = sums},
                                .dialect = dialect,
                                .digest_words = digest_words,
                                .self = self,
                                .connection = connection,
                                .out = compiled};
    compiler.base.dialect = &compiler.dialect;
    compiler.dialect.digest_words = &compiler.digest_words;
    if (sums && is_one_piece(self, request)) {
        compiler.digest_words.tail = unlimited_tail;
    }

    *compiled = (struct maria_request){0};
    compiler.tables =
        arena_allocate_zeroed(arena, (size_t)request->join_count + 1, sizeof(struct maria_table *));
    return compiler.tables != NULL ? sql_request_write(&compiler.base, span)
                                   : sql_request_no_memory(&compiler.base, "joins");
}

enum status maria_request_compile(struct maria_database *self, MYSQL *connection,
                                  const struct read_request *request, const struct span *span,
                                  struct arena *arena, struct maria_request *compiled,
                                  struct error *error)
{
    return compile(self, connection, request, span, false, arena, compiled, error);
}

enum status maria_digest_compile(struct maria_database *self, MYSQL *connection,
                                 const struct read_request *request, const struct span *span,
                                 struct arena *arena, struct buffer *sql, struct error *error)
{
    struct maria_request compiled;
    enum status status = compile(self, connection, request, span, true, arena, &compiled, error);
    *sql = compiled.select.sql;
    return status;
}
