/* A read request as one SELECT: columns, joins, span, and an order that repeats exactly. */
#include "connectors/sql/request.h"
#include "connectors/sql/by_key.h"
#include "connectors/sqlite/source.h"
#include <stdio.h>
#include <string.h>

enum status request_root(struct sqlite_database *self, const struct read_request *request,
                         const struct catalog_table **table, struct error *error)
{
    const struct catalog *catalog = NULL;

    *table = NULL;
    if (request->table == NULL) {
        return request->query != NULL
                   ? STATUS_OK
                   : error_set(error, ERROR_INTERNAL, request->name, "a request without a root");
    }
    if (catalog_get(self, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *table = catalog_find(catalog, request->table);
    if (*table != NULL) {
        return STATUS_OK;
    }
    error_set(error, ERROR_PLAN_INVALID, self->sql.shown, "there is no table %s", request->table);
    sql_hint_at_table(catalog->schema, request->table, error);
    return STATUS_FAILED;
}

struct compiler {
    struct sqlite_database *self;
    const struct read_request *request;
    struct request_options options;
    const struct catalog_table *root; /* NULL: a query */
    struct join_facts *joins;
    struct arena *arena;
    struct request_sql *out;
    struct buffer handed; /* the call of SOURCE_ROW_FUNCTION, if there is one */
    struct error *error;
};

static const struct catalog_table *table_of(const struct compiler *compiler, int32_t join)
{
    return join < 0 ? compiler->root : compiler->joins[join].table;
}

static void alias_of(int32_t join, char alias[16])
{
    snprintf(alias, 16, "_t%d", join + 1);
}

/* ---------------------------------------------------------------- columns */

/* Named, so that a later column of the result never stands for it. */
static void begin_result(struct compiler *compiler)
{
    bool first = compiler->out->result_count == 0 && !compiler->out->hands_over;
    buffer_append_string(&compiler->out->sql, first ? "SELECT " : ", ");
    compiler->out->result_count++;
}

static enum status append_presence(struct compiler *compiler, const struct read_column *column)
{
    struct buffer *sql = &compiler->out->sql;
    char alias[16];

    if (column->join < 0) {
        buffer_append_string(sql, "1");
        return STATUS_OK;
    }
    alias_of(column->join, alias);
    enum status status = join_append_column(sql, alias, table_of(compiler, column->join),
                                            compiler->request->joins[column->join].columns.names[0],
                                            compiler->error);
    buffer_append_string(sql, " IS NOT NULL");
    return status;
}

/* Its value unless it is a text or BLOB, then its class: 3 text, 4 BLOB, 0 else. */
static enum status append_careful(struct compiler *compiler, const char *alias,
                                  struct request_column *column)
{
    static const char *const pieces[] = {"CASE WHEN typeof(",
                                         ") IN ('text', 'blob') THEN NULL ELSE ", " END"};
    struct buffer *sql = &compiler->out->sql;

    for (int i = 0; i < 3; i++) {
        buffer_append_string(sql, pieces[i]);
        if (i < 2 && join_append_column(sql, alias, column->table, column->name, compiler->error) !=
                         STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    begin_result(compiler);
    buffer_append_string(sql, "CASE typeof(");
    if (join_append_column(sql, alias, column->table, column->name, compiler->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(sql, ") WHEN 'text' THEN 3 WHEN 'blob' THEN 4 ELSE 0 END");
    column->careful = true;
    return STATUS_OK;
}

static enum status append_result(struct compiler *compiler, const struct read_column *wanted,
                                 struct request_column *column)
{
    char alias[16];
    const struct catalog_table *table = table_of(compiler, wanted->join);

    alias_of(wanted->join, alias);
    *column = (struct request_column){.join = wanted->join,
                                      .table = table,
                                      .column = -1,
                                      .scale = -1,
                                      .name = wanted->name,
                                      .result = compiler->out->result_count};
    begin_result(compiler);
    if (wanted->presence) {
        column->rule = READ_PRESENCE;
        return append_presence(compiler, wanted);
    }
    column->column = table != NULL ? catalog_find_column(table, wanted->name) : -1;
    column->is_rowid = table != NULL && column->column == table->rowid_column;
    if (column->column >= 0) {
        const struct column_type *read = &table->columns[column->column].read;
        column->rule = read->rule;
        column->scale = read->type.precision > 0 ? read->type.scale : -1;
    }
    if (compiler->options.mode == READ_CAREFUL && table != NULL && table->sliceable &&
        column->column >= 0 && !column->is_rowid) {
        return append_careful(compiler, alias, column);
    }
    return join_append_column(&compiler->out->sql, alias, table, wanted->name, compiler->error);
}

/* One row key for each table that is read carefully. */
static void append_careful_keys(struct compiler *compiler)
{
    struct request_sql *out = compiler->out;
    for (int32_t join = -1; join < (int32_t)compiler->request->join_count; join++) {
        const struct catalog_table *table = table_of(compiler, join);
        uint32_t result = out->result_count;
        char alias[16];
        bool used = false;
        for (uint32_t i = 0; i < out->column_count; i++) {
            if (out->columns[i].careful && out->columns[i].join == join) {
                out->columns[i].rowid_result = result;
                used = true;
            }
        }
        if (used) {
            alias_of(join, alias);
            begin_result(compiler);
            buffer_format(&out->sql, "%s.%s", alias, table->schema->row_key);
        }
    }
}

/* Without named columns: all that the root has. */
static enum status list_columns(struct compiler *compiler, const struct read_column **columns,
                                uint32_t *count)
{
    struct schema_table described = {0};
    const struct schema_table *schema =
        compiler->root != NULL ? compiler->root->schema : &described;

    *columns = compiler->request->columns;
    *count = compiler->request->column_count;
    compiler->out->documents = *count == 0;
    if (*count > 0) {
        return STATUS_OK;
    }
    if (compiler->root == NULL &&
        query_describe_on(compiler->options.connection, compiler->request->query, compiler->arena,
                          &described, compiler->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct read_column *all =
        arena_allocate_zeroed(compiler->arena, schema->column_count + 1, sizeof *all);
    for (uint32_t i = 0; i < schema->column_count; i++) {
        all[i] = (struct read_column){.join = -1, .name = schema->columns[i].name};
    }
    *columns = all;
    *count = schema->column_count;
    return STATUS_OK;
}

/*
 * Rows of one table in the order of their rowids. NOT INDEXED leaves no other order, and there is
 * no ORDER BY: statistics of a time when the table had one row make SQLite sort for it. Nor is
 * there an upper bound: whoever takes the rows ends the reading at the first row beyond, see
 * check_rowids_end in reader.c.
 */
static bool walks_rowids(const struct compiler *compiler, const struct span_bounds *bounds,
                         uint32_t column_count)
{
    const struct read_request *request = compiler->request;
    const struct catalog_table *root = compiler->root;
    int64_t results = (compiler->options.mode == READ_CAREFUL ? 2 : 1) * (int64_t)column_count + 2;
    return compiler->options.may_hand_over && root != NULL && root->schema->kind == SCHEMA_TABLE &&
           root->schema->row_key != NULL && root->key_count == 0 && !bounds->by_key &&
           request->since_bound == NULL && /* an index of it is quicker */
           request->join_count == 0 && (request->order_count == 0 || !request->ordered) &&
           results <= compiler->self->sql.base.limits.request_columns_max;
}

/*
 * Such rows may be handed over by a function in the WHERE: SQLite goes on from row to row without a
 * word in between. Nothing else is in that WHERE but the rowid's lower bound, so that the order of
 * its terms does not matter: whoever takes the rows looks at the bounds, too.
 */
static bool can_hand_over(const struct compiler *compiler, uint32_t column_count)
{
    enum { CURSOR_AND_ROWID = 2 };
    const struct request_options *options = &compiler->options;
    return compiler->out->walks_rowids && compiler->request->keys == NULL &&
           options->mode == READ_NORMAL && !options->with_offset &&
           (int64_t)column_count + CURSOR_AND_ROWID <=
               sqlite3_limit(options->connection, SQLITE_LIMIT_FUNCTION_ARG, -1);
}

static enum status append_columns(struct compiler *compiler, const struct span_bounds *bounds)
{
    struct request_sql *out = compiler->out;
    const struct read_column *wanted = NULL;
    uint32_t count = 0;

    if (list_columns(compiler, &wanted, &count) != STATUS_OK) {
        return STATUS_FAILED;
    }
    out->walks_rowids = walks_rowids(compiler, bounds, count);
    out->hands_over = can_hand_over(compiler, count);
    out->root = compiler->root;
    out->columns = arena_allocate_zeroed(compiler->arena, count + 1, sizeof *out->columns);
    for (uint32_t i = 0; i < count; i++) {
        if (wanted[i].join >= (int32_t)compiler->request->join_count) {
            return error_set(compiler->error, ERROR_INTERNAL, compiler->request->name,
                             "a column of a join that is not there");
        }
        if (append_result(compiler, &wanted[i], &out->columns[i]) != STATUS_OK) {
            return STATUS_FAILED;
        }
        out->column_count++;
    }
    append_careful_keys(compiler);
    if (out->walks_rowids && !out->hands_over) {
        out->walked_result = out->result_count;
        begin_result(compiler);
        buffer_format(&out->sql, "_t0.%s", compiler->root->schema->row_key);
    }
    if (out->hands_over) { /* what was written are its arguments */
        compiler->handed = out->sql;
        out->sql = (struct buffer){0};
        buffer_append_string(&out->sql, "SELECT 1");
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the rest of the statement */

static enum status append_from(struct compiler *compiler)
{
    struct buffer *sql = &compiler->out->sql;

    buffer_append_string(sql, " FROM ");
    if (compiler->root == NULL) {
        size_t length = 0;
        if (query_check(compiler->options.connection, compiler->request->query, &length,
                        compiler->error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        query_append(sql, compiler->request->query, length);
        buffer_append_string(sql, " AS _t0");
    } else {
        sqlite_append(sql, "%s.%n AS _t0", compiler->options.schema, compiler->root->schema->name);
        if (compiler->root->schema->kind == SCHEMA_TABLE && compiler->root->key_count == 0 &&
            compiler->request->since_bound == NULL) {
            /* the rowid's order, whichever columns are asked for */
            buffer_append_string(sql, " NOT INDEXED");
        }
    }
    for (uint32_t i = 0; i < compiler->request->join_count; i++) {
        if (join_append(sql, compiler->request, i, compiler->joins, compiler->options.schema,
                        compiler->error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status append_span(struct compiler *compiler, const struct span *span,
                               const struct span_bounds *bounds)
{
    const struct catalog_table *root = compiler->root;
    if (span == NULL || (!bounds->has_low && !bounds->has_high)) {
        return STATUS_OK;
    }
    bool fits = root != NULL && (bounds->by_key ? bounds->parts <= catalog_key_prefix(root)
                                                : root->schema->row_key != NULL);
    if (!fits) {
        error_set(compiler->error, ERROR_LEDGER_INVALID, compiler->request->name,
                  "the span %s is of a table with another key", span->printable);
        error_hint(compiler->error, "the table was changed since the run began; start a new run");
        return STATUS_FAILED;
    }
    struct span_bounds written = *bounds;
    written.has_high = bounds->has_high && !compiler->out->walks_rowids;
    span_append_condition(&compiler->out->sql, &written, root, "_t0");
    return STATUS_OK;
}

static const struct sql_rules key_rules = {.truth_is_number = true};
static const struct sql_by_key_words by_key_words = {.rules = &key_rules,
                                                     .append_text = sqlite_append_literal,
                                                     .is_null = " IS NULL",
                                                     .bytes_before = "x'",
                                                     .bytes_behind = "'"};

static enum status append_root_column(void *context, const char *name)
{
    struct compiler *compiler = context;
    return join_append_column(&compiler->out->sql, "_t0", compiler->root, name, compiler->error);
}

enum status sqlite_since_query(struct database *self, const struct read_request *request,
                               struct buffer *query, struct error *error)
{
    return sql_since_query(sql_database_of(self), request, &by_key_words, query, error);
}

static enum status append_where(struct compiler *compiler, const struct span *span,
                                const struct span_bounds *bounds)
{
    struct buffer *sql = &compiler->out->sql;
    bool by_key = compiler->request->keys != NULL;
    bool since = compiler->request->since_bound != NULL;
    if (compiler->out->hands_over || bounds->has_low || bounds->has_high || by_key || since) {
        buffer_append_string(sql, " WHERE 1");
    }
    if (append_span(compiler, span, bounds) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (since) {
        buffer_append_string(sql, " AND ");
        if (sql_append_since(compiler->request, &by_key_words, append_root_column, compiler, sql,
                             compiler->error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (by_key) {
        buffer_append_string(sql, " AND ");
        if (sql_append_by_key(compiler->request, &by_key_words, append_root_column, compiler, sql,
                              compiler->error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (compiler->out->hands_over) {
        sqlite_append(sql, " AND " SOURCE_ROW_FUNCTION "(:cursor, _t0.%s%b)",
                      compiler->root->schema->row_key, &compiler->handed);
    }
    return STATUS_OK;
}

static const char *next_separator(bool *begun)
{
    const char *separator = *begun ? ", " : " ORDER BY ";
    *begun = true;
    return separator;
}

static enum status order_by_root(struct compiler *compiler, bool *begun)
{
    struct buffer *sql = &compiler->out->sql;
    const struct read_request *request = compiler->request;
    const struct catalog_table *root = compiler->root;

    if (root != NULL && join_row_key_count(root) > 0) {
        if (!compiler->out->walks_rowids) {
            join_append_order(sql, root, "_t0", false, next_separator(begun));
        }
        compiler->out->restarts = true;
        return STATUS_OK;
    }
    if (!request->ordered) {
        return STATUS_OK;
    }
    bool is_table = root != NULL && root->schema->kind == SCHEMA_TABLE;
    if (request->root_key.count == 0 && !(is_table && request->order_count == 0)) {
        error_set(compiler->error, ERROR_PLAN_INVALID, request->name,
                  "its rows have no key to be ordered by");
        error_hint(compiler->error, "name the columns that identify a row in the entity's key");
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < request->root_key.count; i++) {
        buffer_append_string(sql, next_separator(begun));
        if (join_append_column(sql, "_t0", root, request->root_key.names[i], compiler->error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_append_string(sql, " COLLATE BINARY");
    }
    return STATUS_OK;
}

/* Its row key; without one all columns that are asked for, which tells as much of two rows as is
 * seen. */
static enum status order_by_join(struct compiler *compiler, int32_t join, bool *begun)
{
    struct buffer *sql = &compiler->out->sql;
    const struct join_facts *facts = &compiler->joins[join];
    char alias[16];

    alias_of(join, alias);
    if (join_row_key_count(facts->table) > 0) {
        alias[1] = facts->spill != NULL ? 'x' : 't';
        join_append_order(sql, facts->table, alias, facts->spill != NULL, next_separator(begun));
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < compiler->out->column_count; i++) {
        const struct request_column *column = &compiler->out->columns[i];
        if (column->join != join || column->rule == READ_PRESENCE) {
            continue;
        }
        buffer_append_string(sql, next_separator(begun));
        if (join_append_column(sql, alias, facts->table, column->name, compiler->error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_append_string(sql, " COLLATE BINARY");
    }
    return STATUS_OK;
}

static enum status append_order(struct compiler *compiler)
{
    const struct read_request *request = compiler->request;
    struct buffer *sql = &compiler->out->sql;
    bool begun = false;

    if (order_by_root(compiler, &begun) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (!begun && !request->ordered) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < request->order_count && request->ordered; i++) {
        const struct read_order *order = &request->orders[i];
        char alias[16];
        alias_of(order->join, alias);
        buffer_append_string(sql, next_separator(&begun));
        if (join_append_column(sql, alias, table_of(compiler, order->join), order->name,
                               compiler->error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_append_string(sql, order->descending ? " DESC" : "");
    }
    for (uint32_t i = 0; i < request->join_count; i++) {
        if (request->joins[i].many && order_by_join(compiler, (int32_t)i, &begun) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* Every table that could hold a large value can be sliced. */
static bool all_sliceable(const struct compiler *compiler)
{
    for (uint32_t i = 0; i < compiler->out->column_count; i++) {
        const struct request_column *column = &compiler->out->columns[i];
        bool may_be_large = column->rule != READ_PRESENCE && !column->is_rowid;
        if (may_be_large && (column->table == NULL || !column->table->sliceable)) {
            return false;
        }
    }
    return true;
}

enum status request_compile(struct sqlite_database *self, const struct read_request *request,
                            const struct span *span, struct request_options options,
                            struct arena *arena, struct request_sql *compiled, struct error *error)
{
    struct compiler compiler = {
        .self = self,
        .request = request,
        .options = options,
        .arena = arena,
        .out = compiled,
        .error = error,
    };

    struct span_bounds bounds;

    *compiled = (struct request_sql){0};
    if (span_decode(span, &bounds, error) != STATUS_OK ||
        request_root(self, request, &compiler.root, error) != STATUS_OK ||
        join_resolve(self, request, options.connection, arena, &compiler.joins, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < request->join_count && !options.with_spills; i++) {
        compiler.joins[i].spill = NULL;
    }
    enum status status = append_columns(&compiler, &bounds);
    status = status == STATUS_OK ? append_from(&compiler) : status;
    status = status == STATUS_OK ? append_where(&compiler, span, &bounds) : status;
    status = status == STATUS_OK ? append_order(&compiler) : status;
    buffer_free(&compiler.handed);
    if (status != STATUS_OK) {
        request_free(compiled);
        return STATUS_FAILED;
    }
    compiled->sliceable = all_sliceable(&compiler);
    buffer_append_string(&compiled->sql, options.with_offset ? " LIMIT -1 OFFSET :skip" : "");
    return STATUS_OK;
}

void request_free(struct request_sql *compiled)
{
    buffer_free(&compiled->sql);
}

enum status sqlite_express_select(struct sqlite_database *source,
                                  const struct read_request *request, const struct span *span,
                                  const char *schema, struct buffer *sql, struct error *error)
{
    struct request_sql compiled;
    struct request_options options = {.schema = schema != NULL ? schema : "main"};
    enum status status = STATUS_FAILED;

    if (request->table == NULL || request->join_count > 0 || request->column_count == 0) {
        return STATUS_AGAIN;
    }
    struct arena *arena = arena_create(0);
    status = request_compile(source, request, span, options, arena, &compiled, error);
    if (status == STATUS_OK) {
        buffer_append_buffer(sql, &compiled.sql);
        request_free(&compiled);
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- what SQLite can join */

/* A view or a query may stand for many tables. */
static bool reads_a_view(struct sqlite_database *self, const struct read_request *request)
{
    const struct catalog_table *table =
        request->table != NULL ? catalog_find(&self->source->catalog, request->table) : NULL;
    bool view = table == NULL || table->schema->kind != SCHEMA_TABLE;
    for (uint32_t i = 0; i < request->join_count && !view; i++) {
        table = catalog_find(&self->source->catalog, request->joins[i].table);
        view = table != NULL && table->schema->kind != SCHEMA_TABLE;
    }
    return view;
}

enum status source_accepts(struct database *database, const struct read_request *request,
                           struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    const struct request_options options = {.schema = "main", .connection = self->control};
    struct request_sql compiled;
    sqlite3_stmt *statement = NULL;
    if (request->join_count == 0 || !reads_a_view(self, request)) {
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    enum status status = request_compile(self, request, NULL, options, arena, &compiled, error);
    if (status == STATUS_OK) {
        int result =
            sqlite3_prepare_v2(self->control, buffer_string(&compiled.sql), -1, &statement, NULL);
        /* what else is wrong with it is found, and said, where it is read */
        if (result == SQLITE_ERROR &&
            strstr(sqlite3_errmsg(self->control), "tables in a join") != NULL) {
            status = error_set(error, ERROR_PLAN_INVALID, request->name,
                               "the tables of its views and %u look-ups are more than the 64 that "
                               "SQLite can join",
                               (unsigned)request->join_count);
            error_hint(error, "take some look-ups out, or copy the view's rows into a table first");
        }
        sqlite3_finalize(statement);
        request_free(&compiled);
    }
    arena_destroy(arena);
    return status;
}
