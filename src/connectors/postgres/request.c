/* A read request as one SELECT: columns, joins, span, and an order that repeats exactly. */
#include "base/text.h"
#include "connectors/postgres/source.h"
#include <stdio.h>
#include <string.h>

enum { NAMES_ASKED_MAX = 256 };
enum { OID_BYTEA = 17, OID_TEXT = 25, OID_VARCHAR = 1043 };

static enum status no_such_table(struct postgres_database *self,
                                 const struct postgres_catalog *catalog, const char *name,
                                 struct error *error)
{
    const char *names[NAMES_ASKED_MAX] = {0};
    uint32_t count =
        catalog->table_count < NAMES_ASKED_MAX ? catalog->table_count : NAMES_ASKED_MAX;
    for (uint32_t i = 0; i < count; i++) {
        names[i] = catalog->tables[i].schema->name;
    }
    const char *near = text_nearest(name, names, count);
    error_set(error, ERROR_PLAN_INVALID, self->shown, "there is no table %s in the schema %s", name,
              self->schema);
    if (near != NULL) {
        error_hint(error, "did you mean %s?", near);
    }
    return STATUS_FAILED;
}

static enum status find_table(struct postgres_database *self, const char *name,
                              const struct postgres_table **table, struct error *error)
{
    const struct postgres_catalog *catalog = NULL;
    if (postgres_catalog_get(self, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *table = postgres_catalog_find(catalog, name);
    return *table != NULL ? STATUS_OK : no_such_table(self, catalog, name, error);
}

enum status postgres_request_root(struct postgres_database *self,
                                  const struct read_request *request,
                                  const struct postgres_table **table, struct error *error)
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
    struct postgres_database *self;
    PGconn *connection;
    const struct read_request *request;
    const struct postgres_table *root; /* NULL: a query */
    struct schema_table query;
    struct postgres_column *query_columns;
    const struct postgres_table **joined;
    struct arena *arena;
    struct postgres_request *out;
    struct error *error;
};

static void append_alias(struct buffer *sql, int32_t join)
{
    buffer_format(sql, "_t%d", join + 1);
}

static const struct postgres_table *table_of(const struct compiler *compiler, int32_t join)
{
    return join < 0 ? compiler->root : compiler->joined[join];
}

/* ---------------------------------------------------------------- columns */

/* NULL: the row key, or there is none of that name (`*found` says which). */
static const struct postgres_column *find_column(const struct compiler *compiler, int32_t join,
                                                 const char *name, bool *found)
{
    const struct postgres_table *table = table_of(compiler, join);
    uint32_t count = table != NULL ? table->schema->column_count : compiler->query.column_count;
    const struct postgres_column *columns =
        table != NULL ? table->columns : compiler->query_columns;
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(columns[i].name, name) == 0) {
            *found = true;
            return &columns[i];
        }
    }
    *found = table != NULL && table->schema->row_key != NULL && strcmp(name, "ctid") == 0;
    return NULL;
}

static enum status no_such_column(const struct compiler *compiler, int32_t join, const char *name)
{
    const struct postgres_table *table = table_of(compiler, join);
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
                                 const struct postgres_column **column)
{
    bool found = false;
    *column = find_column(compiler, join, name, &found);
    if (!found) {
        return no_such_column(compiler, join, name);
    }
    append_alias(&compiler->out->sql, join);
    buffer_append_byte(&compiler->out->sql, '.');
    if (*column != NULL) {
        postgres_append_name(&compiler->out->sql, name);
    } else {
        buffer_append_string(&compiler->out->sql, "ctid");
    }
    return STATUS_OK;
}

static enum status append_presence(struct compiler *compiler, const struct read_column *wanted)
{
    const struct postgres_column *ignored = NULL;
    if (wanted->join < 0) {
        buffer_append_string(&compiler->out->sql, "true");
        return STATUS_OK;
    }
    enum status status = append_column(
        compiler, wanted->join, compiler->request->joins[wanted->join].columns.names[0], &ignored);
    buffer_append_string(&compiler->out->sql, " IS NOT NULL");
    return status;
}

/* What the server counts of a text is what it sends. */
static bool sends_own_bytes(const struct compiler *compiler)
{
    const char *encoding = PQparameterStatus(compiler->connection, "server_encoding");
    return encoding != NULL && strcmp(encoding, "UTF8") == 0;
}

/* Only where the table keeps long values aside at all, and its rows have a place. */
static void find_whether_sliced(const struct compiler *compiler, const struct read_column *wanted,
                                bool *sliced)
{
    bool found = false;
    const struct postgres_table *root = compiler->root;
    *sliced = false;
    if (wanted->join >= 0 || root == NULL || root->kind != 'r' || compiler->out->documents ||
        !sends_own_bytes(compiler) || root->long_bytes < POSTGRES_SLICE_BYTES / 64) {
        return;
    }
    const struct postgres_column *column =
        find_column(compiler, wanted->join, wanted->name, &found);
    *sliced = column != NULL && (column->type_oid == OID_TEXT || column->type_oid == OID_BYTEA ||
                                 column->type_oid == OID_VARCHAR);
}

/* How its values are read in pieces: a text's bytes are those that the client would get. */
static enum status keep_sliced(struct compiler *compiler, const struct postgres_column *column)
{
    struct postgres_request *out = compiler->out;
    struct buffer sql = {0};
    bool text = column->type_oid != OID_BYTEA;
    if (out->sliced == NULL) {
        uint32_t count = compiler->root->schema->column_count + compiler->request->column_count;
        out->sliced =
            arena_allocate_zeroed(compiler->arena, (size_t)count + 1, sizeof *out->sliced);
    }
    buffer_append_string(&sql, text ? "SELECT pg_catalog.substr(pg_catalog.convert_to(_t0."
                                    : "SELECT pg_catalog.substr(_t0.");
    postgres_append_name(&sql, column->name);
    buffer_append_string(&sql, text ? "::pg_catalog.text, 'UTF8'), $1::integer, $2::integer) FROM "
                                    : ", $1::integer, $2::integer) FROM ");
    postgres_append_table(&sql, compiler->self, compiler->root->schema->name);
    buffer_append_string(&sql, " AS _t0 WHERE _t0.ctid = $3::pg_catalog.tid");
    const char *select =
        sql.failed ? NULL : arena_copy_string(compiler->arena, buffer_string(&sql));
    buffer_free(&sql);
    if (out->sliced == NULL || select == NULL) {
        return error_set(compiler->error, ERROR_MEMORY, compiler->request->name,
                         "no memory for columns");
    }
    out->sliced[out->sliced_count++] =
        (struct postgres_sliced){.column = out->column_count,
                                 .kind = text ? VALUE_TEXT : VALUE_BYTES,
                                 .name = column->name,
                                 .select = select};
    return STATUS_OK;
}

/* Behind the columns: of those that are too long their lengths, and the row's place. */
static void append_places(struct compiler *compiler)
{
    struct buffer *sql = &compiler->out->sql;
    for (uint32_t i = 0; i < compiler->out->sliced_count; i++) {
        buffer_append_string(sql, ", CASE WHEN pg_catalog.octet_length(_t0.");
        postgres_append_name(sql, compiler->out->sliced[i].name);
        buffer_format(sql, ") > %d THEN pg_catalog.octet_length(_t0.", POSTGRES_SLICE_BYTES);
        postgres_append_name(sql, compiler->out->sliced[i].name);
        buffer_append_string(sql, ")::pg_catalog.text || ' ' || _t0.ctid::pg_catalog.text END");
    }
}

static enum status append_result(struct compiler *compiler, const struct read_column *wanted,
                                 struct postgres_type *type)
{
    const struct postgres_column *column = NULL;
    bool sliced = false;
    if (wanted->presence) {
        *type = (struct postgres_type){.format = POSTGRES_AS_BOOL, .type = {.kind = VALUE_BOOL}};
        return append_presence(compiler, wanted);
    }
    find_whether_sliced(compiler, wanted, &sliced);
    if (sliced) {
        buffer_append_string(&compiler->out->sql, "CASE WHEN pg_catalog.octet_length(");
    }
    if (append_column(compiler, wanted->join, wanted->name, &column) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (sliced) {
        buffer_format(&compiler->out->sql, ") <= %d THEN ", POSTGRES_SLICE_BYTES);
        if (append_column(compiler, wanted->join, wanted->name, &column) != STATUS_OK ||
            keep_sliced(compiler, column) != STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_append_string(&compiler->out->sql, " END");
    }
    *type = column != NULL
                ? column->type
                : (struct postgres_type){.format = POSTGRES_AS_CAST, .type = {.kind = VALUE_TEXT}};
    if (type->format == POSTGRES_AS_CAST) {
        buffer_append_string(&compiler->out->sql, "::pg_catalog.text");
    }
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
    struct postgres_request *out = compiler->out;
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
    append_places(compiler);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- joins */

static bool is_unique(const struct postgres_table *table, struct column_list columns)
{
    return schema_is_unique_key(table->schema, columns);
}

/* Both sides of one type, else compared as texts. */
static enum status append_equals(struct compiler *compiler, uint32_t index)
{
    const struct read_join *join = &compiler->request->joins[index];
    struct buffer *sql = &compiler->out->sql;
    for (uint32_t i = 0; i < join->columns.count; i++) {
        bool found = false;
        const struct postgres_column *from =
            find_column(compiler, join->from, join->from_columns.names[i], &found);
        const struct postgres_column *to =
            find_column(compiler, (int32_t)index, join->columns.names[i], &found);
        bool as_text = from == NULL || to == NULL || from->type.type.kind != to->type.type.kind ||
                       from->type.format == POSTGRES_AS_CAST;
        bool numbers = from != NULL && to != NULL && value_kind_is_number(from->type.type.kind) &&
                       value_kind_is_number(to->type.type.kind);
        const char *cast = as_text && !numbers ? "::pg_catalog.text" : "";
        buffer_append_string(sql, i > 0 ? " AND " : "");
        if (append_column(compiler, join->from, join->from_columns.names[i], &from) != STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_format(sql, "%s = ", cast);
        if (append_column(compiler, (int32_t)index, join->columns.names[i], &to) != STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_append_string(sql, cast);
    }
    return STATUS_OK;
}

/* " ORDER BY" what tells two rows of a table apart and repeats within the snapshot. */
static void append_row_key(struct buffer *sql, const struct postgres_table *table,
                           const char *alias)
{
    if (table->key.count > 0) {
        postgres_append_names(sql, alias, table->key);
    } else if (table->schema->row_key != NULL) {
        buffer_format(sql, "%s.ctid", alias);
    } else {
        buffer_format(sql, "%s.*::pg_catalog.text", alias);
    }
}

static enum status append_join(struct compiler *compiler, uint32_t index)
{
    const struct read_join *join = &compiler->request->joins[index];
    struct buffer *sql = &compiler->out->sql;
    const struct postgres_table *table = compiler->joined[index];
    char alias[16];

    snprintf(alias, sizeof alias, "_t%u", index + 1);
    if (join->many || is_unique(table, join->columns)) {
        buffer_append_string(sql, join->many ? " JOIN " : " LEFT JOIN ");
        postgres_append_table(sql, compiler->self, table->schema->name);
        buffer_format(sql, " AS %s ON ", alias);
        return append_equals(compiler, index);
    }
    /* at most one partner, the first by its own key */
    buffer_append_string(sql, " LEFT JOIN LATERAL (SELECT * FROM ");
    postgres_append_table(sql, compiler->self, table->schema->name);
    buffer_format(sql, " AS %s WHERE ", alias);
    if (append_equals(compiler, index) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(sql, " ORDER BY ");
    append_row_key(sql, table, alias);
    buffer_format(sql, " LIMIT 1) AS %s ON true", alias);
    return STATUS_OK;
}

static enum status resolve_joins(struct compiler *compiler)
{
    const struct read_request *request = compiler->request;
    compiler->joined = arena_allocate_zeroed(compiler->arena, (size_t)request->join_count + 1,
                                             sizeof(struct postgres_table *));
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
        postgres_append_query(sql, compiler->request->query);
    } else {
        postgres_append_table(sql, compiler->self, compiler->root->schema->name);
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
    const struct postgres_column *ignored = NULL;

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

/* NULLs first and texts by their bytes, as everywhere else. */
static enum status append_order_of(struct compiler *compiler, const struct read_order *order)
{
    const struct postgres_column *column = NULL;
    struct buffer *sql = &compiler->out->sql;
    buffer_append_string(sql, ", ");
    if (append_column(compiler, order->join, order->name, &column) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (column != NULL && column->type.type.kind == VALUE_TEXT) {
        buffer_append_string(sql, "::pg_catalog.text COLLATE pg_catalog.\"C\"");
    } else if (column != NULL && column->type.type.kind == VALUE_JSON) {
        buffer_append_string(sql, "::pg_catalog.text");
    }
    buffer_append_string(sql, order->descending ? " DESC NULLS LAST" : " NULLS FIRST");
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
            snprintf(alias, sizeof alias, "_t%u", i + 1);
            append_row_key(sql, compiler->joined[i], alias);
        }
    }
    return STATUS_OK;
}

enum status postgres_request_compile(struct postgres_database *self, PGconn *connection,
                                     const struct read_request *request, const struct span *span,
                                     struct arena *arena, struct postgres_request *compiled,
                                     struct error *error)
{
    struct compiler compiler = {.self = self,
                                .connection = connection,
                                .request = request,
                                .arena = arena,
                                .out = compiled,
                                .error = error};

    *compiled = (struct postgres_request){0};
    if (postgres_request_root(self, request, &compiler.root, error) != STATUS_OK ||
        resolve_joins(&compiler) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (compiler.root == NULL &&
        postgres_describe_query(self, connection, request->query, arena, &compiler.query,
                                &compiler.query_columns, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (append_columns(&compiler) != STATUS_OK || append_from(&compiler) != STATUS_OK ||
        postgres_span_append(&compiled->sql, span, compiler.root, error) != STATUS_OK ||
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
