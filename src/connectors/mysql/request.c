/* A read request as one SELECT: columns, joins, span, and an order that repeats exactly. */
#include "connectors/mysql/source.h"
#include <stdio.h>
#include <string.h>

enum { NAMES_ASKED_MAX = 256 };

static enum status no_such_table(struct maria_database *self, const struct maria_catalog *catalog,
                                 const char *name, struct error *error)
{
    const char *names[NAMES_ASKED_MAX] = {0};
    uint32_t count =
        catalog->table_count < NAMES_ASKED_MAX ? catalog->table_count : NAMES_ASKED_MAX;
    for (uint32_t i = 0; i < count; i++) {
        names[i] = catalog->tables[i].schema->name;
    }
    const char *near = text_nearest(name, names, count);
    error_set(error, ERROR_PLAN_INVALID, self->shown, "there is no table %s in the database %s",
              name, self->schema);
    if (near != NULL) {
        error_hint(error, "did you mean %s?", near);
    }
    return STATUS_FAILED;
}

static enum status find_table(struct maria_database *self, const char *name,
                              const struct maria_table **table, struct error *error)
{
    const struct maria_catalog *catalog = NULL;
    if (maria_catalog_get(self, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *table = maria_catalog_find(catalog, name);
    return *table != NULL ? STATUS_OK : no_such_table(self, catalog, name, error);
}

enum status maria_request_root(struct maria_database *self, const struct read_request *request,
                               const struct maria_table **table, struct error *error)
{
    *table = NULL;
    if (request->table == NULL) {
        return request->query != NULL
                   ? STATUS_OK
                   : error_set(error, ERROR_INTERNAL, request->name, "a request without a root");
    }
    return find_table(self, request->table, table, error);
}

struct compiler {
    struct maria_database *self;
    MYSQL *connection;
    const struct read_request *request;
    const struct maria_table *root; /* NULL: a query */
    struct schema_table query;
    struct maria_column *query_columns;
    const struct maria_table **joined;
    struct arena *arena;
    struct maria_request *out;
    struct error *error;
};

static void name_alias(char alias[16], int32_t join)
{
    snprintf(alias, 16, "_t%d", join + 1);
}

static const struct maria_table *table_of(const struct compiler *compiler, int32_t join)
{
    return join < 0 ? compiler->root : compiler->joined[join];
}

/* ---------------------------------------------------------------- columns */

/* NULL: there is none of that name. */
static const struct maria_column *find_column(const struct compiler *compiler, int32_t join,
                                              const char *name)
{
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

static enum status no_such_column(const struct compiler *compiler, int32_t join, const char *name)
{
    const struct maria_table *table = table_of(compiler, join);
    const struct schema_table *schema = table != NULL ? table->schema : &compiler->query;
    const char *names[NAMES_ASKED_MAX] = {0};
    uint32_t count =
        schema->column_count < NAMES_ASKED_MAX ? schema->column_count : NAMES_ASKED_MAX;
    for (uint32_t i = 0; i < count; i++) {
        names[i] = schema->columns[i].name;
    }
    const char *near = text_nearest(name, names, count);
    error_set(compiler->error, ERROR_PLAN_INVALID,
              table != NULL ? schema->name : compiler->request->name, "there is no column %s",
              name);
    if (near != NULL) {
        error_hint(compiler->error, "did you mean %s?", near);
    }
    return STATUS_FAILED;
}

static enum status append_column(struct compiler *compiler, int32_t join, const char *name,
                                 const struct maria_column **column)
{
    char alias[16];
    *column = find_column(compiler, join, name);
    if (*column == NULL) {
        return no_such_column(compiler, join, name);
    }
    name_alias(alias, join);
    buffer_format(&compiler->out->sql, "%s.", alias);
    maria_append_name(&compiler->out->sql, name);
    return STATUS_OK;
}

static enum status append_presence(struct compiler *compiler, const struct read_column *wanted)
{
    const struct maria_column *ignored = NULL;
    if (wanted->join < 0) {
        buffer_append_string(&compiler->out->sql, "1");
        return STATUS_OK;
    }
    enum status status = append_column(
        compiler, wanted->join, compiler->request->joins[wanted->join].columns.names[0], &ignored);
    buffer_append_string(&compiler->out->sql, " IS NOT NULL");
    return status;
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

static enum status append_result(struct compiler *compiler, const struct read_column *wanted,
                                 struct maria_type *type)
{
    char alias[16];
    if (wanted->presence) {
        *type = (struct maria_type){.format = MARIA_AS_INT, .type = {.kind = VALUE_BOOL}};
        return append_presence(compiler, wanted);
    }
    const struct maria_column *column = find_column(compiler, wanted->join, wanted->name);
    if (column == NULL) {
        return no_such_column(compiler, wanted->join, wanted->name);
    }
    *type = column->type;
    name_alias(alias, wanted->join);
    maria_append_selected(&compiler->out->sql, type, alias, wanted->name);
    return STATUS_OK;
}

/* Without named columns: all that the root has. */
static enum status list_columns(struct compiler *compiler, const struct read_column **columns,
                                uint32_t *count)
{
    const struct schema_table *schema =
        compiler->root != NULL ? compiler->root->schema : &compiler->query;
    *columns = compiler->request->columns;
    *count = compiler->request->column_count;
    compiler->out->documents = *count == 0;
    if (*count > 0) {
        return STATUS_OK;
    }
    struct read_column *all =
        arena_allocate_zeroed(compiler->arena, (size_t)schema->column_count + 1, sizeof *all);
    for (uint32_t i = 0; all != NULL && i < schema->column_count; i++) {
        all[i] = (struct read_column){.join = -1, .name = schema->columns[i].name};
    }
    *columns = all;
    *count = schema->column_count;
    return all != NULL ? STATUS_OK
                       : error_set(compiler->error, ERROR_MEMORY, compiler->request->name,
                                   "no memory for columns");
}

static enum status append_columns(struct compiler *compiler)
{
    struct maria_request *out = compiler->out;
    const struct read_column *wanted = NULL;
    uint32_t count = 0;

    if (list_columns(compiler, &wanted, &count) != STATUS_OK) {
        return STATUS_FAILED;
    }
    out->columns = arena_allocate_zeroed(compiler->arena, (size_t)count + 1, sizeof *out->columns);
    out->names = arena_allocate_zeroed(compiler->arena, (size_t)count + 1, sizeof *out->names);
    if (out->columns == NULL || out->names == NULL) {
        return error_set(compiler->error, ERROR_MEMORY, compiler->request->name,
                         "no memory for columns");
    }
    buffer_append_string(&out->sql, "SELECT ");
    for (uint32_t i = 0; i < count; i++) {
        buffer_append_string(&out->sql, i > 0 ? ", " : "");
        if (wanted[i].join >= (int32_t)compiler->request->join_count) {
            return error_set(compiler->error, ERROR_INTERNAL, compiler->request->name,
                             "a column of a join that is not there");
        }
        if (append_result(compiler, &wanted[i], &out->columns[i]) != STATUS_OK) {
            return STATUS_FAILED;
        }
        out->names[i] = wanted[i].name;
        out->column_count++;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- joins */

/*
 * Equal by value, as everywhere else: texts by their bytes, whatever their collations say, and
 * beside that by the collations, which an index serves. Of two kinds: as texts.
 */
static void append_equal(struct buffer *sql, const struct maria_column *from,
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

static enum status append_equals(struct compiler *compiler, uint32_t index, const char *to_alias)
{
    const struct read_join *join = &compiler->request->joins[index];
    char from_alias[16];
    name_alias(from_alias, join->from);
    for (uint32_t i = 0; i < join->columns.count; i++) {
        const struct maria_column *from =
            find_column(compiler, join->from, join->from_columns.names[i]);
        const struct maria_column *to =
            find_column(compiler, (int32_t)index, join->columns.names[i]);
        if (from == NULL || to == NULL) {
            return no_such_column(compiler, from == NULL ? join->from : (int32_t)index,
                                  from == NULL ? join->from_columns.names[i]
                                               : join->columns.names[i]);
        }
        buffer_append_string(&compiler->out->sql, i > 0 ? " AND " : "");
        append_equal(&compiler->out->sql, from, from_alias, to, to_alias);
    }
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

/* What tells two rows of a table apart; without a key all of its columns. */
static void append_row_key(struct buffer *sql, const struct maria_table *table, const char *alias)
{
    if (table->key.count > 0) {
        maria_append_names(sql, alias, table->key);
        return;
    }
    for (uint32_t i = 0; i < table->schema->column_count; i++) {
        buffer_append_string(sql, i > 0 ? ", " : "");
        append_byte_order(sql, &table->columns[i], alias, table->columns[i].name);
    }
}

/* At most one partner: the first by its own key. */
static enum status append_first_partner(struct compiler *compiler, uint32_t index,
                                        const char *alias)
{
    const struct maria_table *table = compiler->joined[index];
    struct buffer *sql = &compiler->out->sql;
    if (table->key.count == 0) {
        error_set(compiler->error, ERROR_PLAN_INVALID, compiler->request->name,
                  "the table %s is looked up by columns that are not unique, and has no key that "
                  "would tell the first one",
                  table->schema->name);
        error_hint(compiler->error, "give the table a primary key, or look up by unique columns");
        return STATUS_FAILED;
    }
    buffer_append_byte(sql, '(');
    maria_append_names(sql, alias, table->key);
    buffer_append_string(sql, ") = (SELECT ");
    maria_append_names(sql, "_x", table->key);
    buffer_append_string(sql, " FROM ");
    maria_append_table(sql, compiler->self, table->schema->name);
    buffer_append_string(sql, " AS _x WHERE ");
    if (append_equals(compiler, index, "_x") != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(sql, " ORDER BY ");
    maria_append_names(sql, "_x", table->key);
    buffer_append_string(sql, " LIMIT 1)");
    return STATUS_OK;
}

static enum status append_join(struct compiler *compiler, uint32_t index)
{
    const struct read_join *join = &compiler->request->joins[index];
    struct buffer *sql = &compiler->out->sql;
    const struct maria_table *table = compiler->joined[index];
    char alias[16];

    name_alias(alias, (int32_t)index);
    buffer_append_string(sql, join->many ? " JOIN " : " LEFT JOIN ");
    maria_append_table(sql, compiler->self, table->schema->name);
    buffer_format(sql, " AS %s ON ", alias);
    bool single = join->many || schema_is_unique_key(table->schema, join->columns);
    return single ? append_equals(compiler, index, alias)
                  : append_first_partner(compiler, index, alias);
}

static enum status resolve_joins(struct compiler *compiler)
{
    const struct read_request *request = compiler->request;
    compiler->joined = arena_allocate_zeroed(compiler->arena, (size_t)request->join_count + 1,
                                             sizeof(struct maria_table *));
    if (compiler->joined == NULL) {
        return error_set(compiler->error, ERROR_MEMORY, request->name, "no memory for joins");
    }
    for (uint32_t i = 0; i < request->join_count; i++) {
        const struct read_join *join = &request->joins[i];
        if (join->from >= (int32_t)i || join->columns.count == 0 ||
            join->columns.count != join->from_columns.count) {
            return error_set(compiler->error, ERROR_INTERNAL, request->name, "join %u is malformed",
                             i);
        }
        if (find_table(compiler->self, join->table, &compiler->joined[i], compiler->error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status append_from(struct compiler *compiler)
{
    struct buffer *sql = &compiler->out->sql;
    buffer_append_string(sql, " FROM ");
    if (compiler->root == NULL) {
        maria_append_query(sql, compiler->request->query);
    } else {
        maria_append_table(sql, compiler->self, compiler->root->schema->name);
    }
    buffer_append_string(sql, " AS _t0");
    for (uint32_t i = 0; i < compiler->request->join_count; i++) {
        if (append_join(compiler, i) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- order */

static enum status order_by_root(struct compiler *compiler)
{
    const struct read_request *request = compiler->request;
    struct buffer *sql = &compiler->out->sql;
    const struct maria_column *ignored = NULL;

    if (request->root_key.count == 0) {
        if (compiler->root == NULL) {
            error_set(compiler->error, ERROR_PLAN_INVALID, request->name,
                      "its rows have no key to be ordered by");
            error_hint(compiler->error, "name the columns that identify a row in the entity's key");
            return STATUS_FAILED;
        }
        append_row_key(sql, compiler->root, "_t0");
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < request->root_key.count; i++) {
        buffer_append_string(sql, i > 0 ? ", " : "");
        if (append_column(compiler, -1, request->root_key.names[i], &ignored) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* NULLs first, as the server has it, and texts by their bytes. */
static enum status append_order_of(struct compiler *compiler, const struct read_order *order)
{
    const struct maria_column *column = find_column(compiler, order->join, order->name);
    struct buffer *sql = &compiler->out->sql;
    char alias[16];
    if (column == NULL) {
        return no_such_column(compiler, order->join, order->name);
    }
    name_alias(alias, order->join);
    buffer_append_string(sql, ", ");
    append_byte_order(sql, column, alias, order->name);
    buffer_append_string(sql, order->descending ? " DESC" : "");
    return STATUS_OK;
}

static enum status append_order(struct compiler *compiler)
{
    const struct read_request *request = compiler->request;
    struct buffer *sql = &compiler->out->sql;
    char alias[16];

    if (!request->ordered) {
        return STATUS_OK;
    }
    buffer_append_string(sql, " ORDER BY ");
    if (order_by_root(compiler) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < request->order_count; i++) {
        if (append_order_of(compiler, &request->orders[i]) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    for (uint32_t i = 0; i < request->join_count; i++) {
        if (request->joins[i].many) {
            buffer_append_string(sql, ", ");
            name_alias(alias, (int32_t)i);
            append_row_key(sql, compiler->joined[i], alias);
        }
    }
    return STATUS_OK;
}

enum status maria_request_compile(struct maria_database *self, MYSQL *connection,
                                  const struct read_request *request, const struct span *span,
                                  struct arena *arena, struct maria_request *compiled,
                                  struct error *error)
{
    struct compiler compiler = {.self = self,
                                .connection = connection,
                                .request = request,
                                .arena = arena,
                                .out = compiled,
                                .error = error};

    *compiled = (struct maria_request){0};
    if (maria_request_root(self, request, &compiler.root, error) != STATUS_OK ||
        resolve_joins(&compiler) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (compiler.root == NULL &&
        maria_describe_query(self, connection, request->query, arena, &compiler.query,
                             &compiler.query_columns, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (append_columns(&compiler) != STATUS_OK || append_from(&compiler) != STATUS_OK ||
        maria_span_append(&compiled->sql, span, compiler.root, error) != STATUS_OK ||
        append_order(&compiler) != STATUS_OK) {
        buffer_free(&compiled->sql);
        return STATUS_FAILED;
    }
    if (compiled->sql.failed) {
        buffer_free(&compiled->sql);
        return error_set(error, ERROR_MEMORY, request->name, "no memory for a statement");
    }
    return STATUS_OK;
}
