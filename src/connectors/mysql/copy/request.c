/* A read request as one SELECT, in MySQL's words. */
#include "connectors/mysql/source.h"
#include "connectors/mysql/target.h"
#include "connectors/sql/digest.h"
#include <string.h>
#include <strings.h>

struct compiler {
    struct sql_request base;
    struct sql_request_dialect dialect;
    struct sql_digest_words digest_words;
    MYSQL *connection;
    struct mysql_table query;
    struct mysql_request *out;
};

static struct compiler *compiler_of(struct sql_request *request)
{
    return (struct compiler *)request;
}

static struct mysql_database *server_of(const struct sql_request *request)
{
    return mysql_database_of(&request->database->base);
}

static const struct mysql_table *table_of(const struct sql_request *request, int32_t join)
{
    return mysql_facts_of(sql_request_table(request, join));
}

static enum status describe_query(struct sql_request *request, struct sql_table *query)
{
    struct compiler *compiler = compiler_of(request);
    struct schema_table *schema = arena_allocate_zeroed(request->arena, 1, sizeof *schema);
    struct mysql_column *columns = NULL;
    enum status status =
        mysql_describe_query(server_of(request), compiler->connection, request->asked->query,
                             request->arena, schema, &columns, request->error);
    compiler->query = (struct mysql_table){.schema = schema, .columns = columns};
    *query = mysql_table_of(&compiler->query);
    return status;
}

/* ---------------------------------------------------------------- columns */

/* NULL: there is none of that name. */
static const struct mysql_column *find_column(struct sql_request *request, int32_t join,
                                              const char *name)
{
    int32_t position = sql_request_find(request, join, name);
    return position >= 0 ? &table_of(request, join)->columns[position] : NULL;
}

static bool append_column(struct sql_request *request, int32_t join, const char *name)
{
    char alias[SQL_ALIAS_BYTES];
    if (find_column(request, join, name) == NULL) {
        return false;
    }
    sql_name_alias(alias, join);
    mysql_append(&request->out->sql, "%s.%n", alias, name);
    return true;
}

void mysql_append_selected(struct buffer *sql, const struct mysql_type *type, const char *alias,
                           const char *name)
{
    if (alias != NULL) {
        buffer_format(sql, "%s.", alias);
    }
    mysql_append_name(sql, name);
    /* a float's own text is rounded to six digits */
    buffer_append_string(sql, type->format == MYSQL_AS_FLOAT ? "*1e0"
                              : type->format == MYSQL_AS_BIT ? "+0"
                                                             : "");
}

static void make_types(struct sql_request *request, uint32_t count)
{
    struct mysql_request *out = compiler_of(request)->out;
    out->columns = arena_allocate_zeroed(request->arena, (size_t)count + 1, sizeof *out->columns);
}

/* Types that can hold a large value; a text's bytes have to be those that the server would send. */
static bool may_be_large(const struct mysql_column *column)
{
    static const char *const own_bytes[] = {"utf8mb4", "utf8mb3", "utf8", "ascii"};
    bool text = column->type.format == MYSQL_AS_TEXT;
    bool same = !text;
    for (size_t i = 0; text && column->charset != NULL && i < 4; i++) {
        same |= strcmp(column->charset, own_bytes[i]) == 0;
    }
    return same && (text || column->type.format == MYSQL_AS_BYTES) &&
           column->type.type.native != NULL &&
           strncasecmp(column->type.type.native, "long", 4) == 0;
}

/* Its rows stay as they are within the snapshot, and can be found again. */
static bool is_kept(const struct mysql_table *table)
{
    return table != NULL && table->engine != NULL && strcasecmp(table->engine, "InnoDB") == 0 &&
           table->key.count > 0 && table->key.count <= SQL_KEY_PARTS_MAX;
}

bool mysql_has_sliced(const struct mysql_table *table)
{
    for (uint32_t i = 0; is_kept(table) && i < table->schema->column_count; i++) {
        if (may_be_large(&table->columns[i])) {
            return true;
        }
    }
    return false;
}

static bool is_sliced(struct compiler *compiler, const struct read_column *wanted,
                      const struct mysql_column *column)
{
    return wanted->join < 0 && server_of(&compiler->base)->slicer != NULL &&
           !compiler->base.out->documents && is_kept(table_of(&compiler->base, -1)) &&
           may_be_large(column);
}

static void keep_sliced(struct compiler *compiler, const struct mysql_column *column)
{
    struct mysql_request *out = compiler->out;
    out->root = table_of(&compiler->base, -1);
    if (out->sliced == NULL) {
        uint32_t count = out->root->schema->column_count + compiler->base.asked->column_count;
        out->sliced =
            arena_allocate_zeroed(compiler->base.arena, (size_t)count + 1, sizeof *out->sliced);
    }
    out->sliced[out->sliced_count++] = (struct mysql_sliced){
        .column = out->select.column_count,
        .kind = column->type.format == MYSQL_AS_TEXT ? VALUE_TEXT : VALUE_BYTES,
        .name = column->name};
}

static enum status append_result(struct sql_request *request, const struct read_column *wanted)
{
    struct mysql_type *type = &compiler_of(request)->out->columns[request->out->column_count];
    char alias[SQL_ALIAS_BYTES];
    if (wanted->presence) {
        *type = (struct mysql_type){.format = MYSQL_AS_INT, .type = {.kind = VALUE_BOOL}};
        return sql_request_presence(request, wanted);
    }
    const struct mysql_column *column = find_column(request, wanted->join, wanted->name);
    if (column == NULL) {
        return sql_request_no_such_column(request, wanted->join, wanted->name);
    }
    *type = column->type;
    sql_name_alias(alias, wanted->join);
    bool sliced = is_sliced(compiler_of(request), wanted, column);
    if (sliced) {
        keep_sliced(compiler_of(request), column);
        mysql_append(&request->out->sql, "IF(OCTET_LENGTH(_t0.%n) > %d, NULL, ", wanted->name,
                     MYSQL_SLICE_BYTES);
    }
    mysql_append_selected(&request->out->sql, type, alias, wanted->name);
    buffer_append_string(&request->out->sql, sliced ? ")" : "");
    return STATUS_OK;
}

static void append_places(struct sql_request *request)
{
    const struct mysql_request *out = compiler_of(request)->out;
    struct buffer *sql = &request->out->sql;
    for (uint32_t i = 0; i < out->sliced_count; i++) {
        mysql_append(sql, ", IF(OCTET_LENGTH(_t0.%n) > %d, OCTET_LENGTH(_t0.%n), NULL)",
                     out->sliced[i].name, MYSQL_SLICE_BYTES, out->sliced[i].name);
    }
    for (uint32_t k = 0; out->sliced_count > 0 && k < out->root->key.count; k++) {
        int32_t at = mysql_find_column(out->root, out->root->key.names[k]);
        buffer_append_string(sql, ", IF(");
        for (uint32_t i = 0; i < out->sliced_count; i++) {
            mysql_append(sql, "%sOCTET_LENGTH(_t0.%n) > %d", i > 0 ? " OR " : "",
                         out->sliced[i].name, MYSQL_SLICE_BYTES);
        }
        buffer_append_string(sql, ", ");
        mysql_append_key(sql, &out->root->columns[at], "_t0");
        buffer_append_string(sql, ", NULL)");
    }
}

/* ---------------------------------------------------------------- joins */

static void append_bytes(struct buffer *sql, const struct mysql_column *column, const char *alias)
{
    mysql_append(sql, "CAST(CONVERT(%s.%n USING utf8mb4) AS BINARY)", alias, column->name);
}

/* Two collations have no equality, so that it is the one of the side that an index may serve. */
static void append_equal_there(struct buffer *sql, const struct mysql_column *from,
                               const char *from_alias, const struct mysql_column *to,
                               const char *to_alias)
{
    bool other = to->charset != NULL && to->collation != NULL &&
                 (from->collation == NULL || strcmp(from->collation, to->collation) != 0);
    buffer_format(sql, other ? "CONVERT(%s." : "%s.", from_alias);
    mysql_append_name(sql, from->name);
    if (other) {
        mysql_append(sql, " USING %n) COLLATE %n", to->charset, to->collation);
    }
    mysql_append(sql, " = %s.%n", to_alias, to->name);
}

static bool is_moment(enum value_kind kind)
{
    return kind == VALUE_DATE || kind == VALUE_TIMESTAMP;
}

/*
 * Along a foreign key as the server has it. Else equal by value, as everywhere else: texts by their
 * bytes, whatever their collations say, and beside that by a collation, which an index serves. Of
 * two kinds: as texts.
 */
static void append_equal_columns(struct buffer *sql, const struct mysql_column *from,
                                 const char *from_alias, const struct mysql_column *to,
                                 const char *to_alias, bool of_key)
{
    enum value_kind kind = from->type.type.kind;
    enum value_kind other = to->type.type.kind;
    bool alike = kind == other || (value_kind_is_number(kind) && value_kind_is_number(other)) ||
                 (is_moment(kind) && is_moment(other));
    if (alike || of_key) {
        append_equal_there(sql, from, from_alias, to, to_alias);
    }
    if (of_key || (alike && kind != VALUE_TEXT)) {
        return;
    }
    buffer_append_string(sql, alike ? " AND " : "");
    append_bytes(sql, from, from_alias);
    buffer_append_string(sql, " = ");
    append_bytes(sql, to, to_alias);
}

/* Does a foreign key of `holder` say that the one column refers to the other? */
static bool refers(const struct mysql_database *self, const struct mysql_table *holder,
                   const char *column, const struct mysql_table *referred, const char *to)
{
    bool folds = self->catalog != NULL && self->catalog->folds_names;
    for (uint32_t i = 0; referred->schema->name != NULL && i < holder->schema->foreign_key_count;
         i++) {
        const struct schema_foreign_key *key = &holder->schema->foreign_keys[i];
        const char *name = referred->schema->name;
        if ((folds ? strcasecmp(key->references, name) : strcmp(key->references, name)) != 0) {
            continue;
        }
        for (uint32_t j = 0; j < key->columns.count && j < key->referenced_columns.count; j++) {
            if (strcasecmp(key->columns.names[j], column) == 0 &&
                strcasecmp(key->referenced_columns.names[j], to) == 0) {
                return true;
            }
        }
    }
    return false;
}

static enum status append_equal(struct sql_request *request, uint32_t index, uint32_t part,
                                const char *to_alias)
{
    const struct read_join *join = &request->asked->joins[index];
    const char *from_name = join->from_columns.names[part];
    const char *to_name = join->columns.names[part];
    const struct mysql_column *from = find_column(request, join->from, from_name);
    const struct mysql_column *to = find_column(request, (int32_t)index, to_name);
    char from_alias[SQL_ALIAS_BYTES];
    if (from == NULL) {
        return sql_request_no_such_column(request, join->from, from_name);
    }
    if (to == NULL) {
        return sql_request_no_such_column(request, (int32_t)index, to_name);
    }
    sql_name_alias(from_alias, join->from);
    const struct mysql_database *self = server_of(request);
    const struct mysql_table *left = table_of(request, join->from);
    const struct mysql_table *right = table_of(request, (int32_t)index);
    bool of_key = refers(self, left, from_name, right, to_name) ||
                  refers(self, right, to_name, left, from_name);
    append_equal_columns(&request->out->sql, from, from_alias, to, to_alias, of_key);
    return STATUS_OK;
}

static void append_byte_order(struct buffer *sql, const struct mysql_column *column,
                              const char *alias)
{
    if (column->type.type.kind == VALUE_TEXT || column->type.type.kind == VALUE_JSON) {
        append_bytes(sql, column, alias);
        return;
    }
    mysql_append(sql, "%s.%n", alias, column->name);
}

/* Without a key all columns. */
static void append_row_key(struct sql_request *request, int32_t join)
{
    const struct mysql_table *table = table_of(request, join);
    struct buffer *sql = &request->out->sql;
    char alias[SQL_ALIAS_BYTES];
    sql_name_alias(alias, join);
    if (table->key.count > 0) {
        mysql_append_names(sql, alias, table->key);
        return;
    }
    for (uint32_t i = 0; i < table->schema->column_count; i++) {
        buffer_append_string(sql, i > 0 ? ", " : "");
        append_byte_order(sql, &table->columns[i], alias);
    }
}

static enum status refuse_keyless(const struct read_request *request,
                                  const struct schema_table *table, struct error *error)
{
    error_set(error, ERROR_PLAN_INVALID, request->name,
              "the table %s is looked up by columns that are not unique, and has no key that "
              "would tell the first one",
              table->name);
    error_hint(error, "give the table a primary key, or look up by unique columns");
    return STATUS_FAILED;
}

static enum status append_first_partner(struct sql_request *request, uint32_t index)
{
    const struct mysql_table *table = table_of(request, (int32_t)index);
    struct buffer *sql = &request->out->sql;
    char alias[SQL_ALIAS_BYTES];
    if (table->key.count == 0) {
        return refuse_keyless(request->asked, table->schema, request->error);
    }
    sql_name_alias(alias, (int32_t)index);
    sql_request_begin_join(request, index, false);
    mysql_append(sql, "(%L) = (SELECT %L FROM %t AS _x WHERE ", alias, table->key, "_x", table->key,
                 &server_of(request)->sql, table->schema->name);
    if (sql_request_equals(request, index, "_x") != STATUS_OK) {
        return STATUS_FAILED;
    }
    mysql_append(sql, " ORDER BY %L LIMIT 1)", "_x", table->key);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- order and span */

/* NULLs are first to the server too. */
static enum status append_order(struct sql_request *request, const struct read_order *order)
{
    const struct mysql_column *column = find_column(request, order->join, order->name);
    char alias[SQL_ALIAS_BYTES];
    if (column == NULL) {
        return sql_request_no_such_column(request, order->join, order->name);
    }
    sql_name_alias(alias, order->join);
    append_byte_order(&request->out->sql, column, alias);
    buffer_append_string(&request->out->sql, order->descending ? " DESC" : "");
    return STATUS_OK;
}

static enum status append_span(struct sql_request *request, const struct span *span)
{
    return mysql_span_append(&request->out->sql, span,
                             request->asked->table != NULL ? table_of(request, -1) : NULL,
                             request->error);
}

/* ---------------------------------------------------------------- digests */

static enum status append_part(struct sql_request *request, const struct digest_column *wanted)
{
    struct buffer selected = {0};
    const struct mysql_column *column = find_column(request, -1, wanted->name);
    if (column == NULL) {
        return sql_request_no_such_column(request, -1, wanted->name);
    }
    mysql_append(&selected, "_t0.%n", wanted->name);
    mysql_digest_append_part(&request->out->sql, column, buffer_string(&selected), wanted->key);
    buffer_free(&selected);
    return STATUS_OK;
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

static const struct sql_request_dialect dialect = {
    .truth = "1",
    .present = " IS NOT NULL",
    .digest_words = &digest_words,
    .rules = &mysql_rules,
    .is_null = " <=> NULL", /* the day 0000-00-00 of a column that is NOT NULL "IS NULL" */
    .bytes_before = "X'",
    .bytes_behind = "'",
    .describe_query = describe_query,
    .make_types = make_types,
    .append_column = append_column,
    .append_result = append_result,
    .append_extra = append_places,
    .append_equal = append_equal,
    .append_first_partner = append_first_partner,
    .append_row_key = append_row_key,
    .append_order = append_order,
    .append_span = append_span,
};

static enum status compile(struct mysql_database *self, MYSQL *connection,
                           const struct read_request *request, const struct span *span, bool sums,
                           struct arena *arena, struct mysql_request *compiled, struct error *error)
{
    struct compiler compiler = {.base = {.database = &self->sql,
                                         .asked = request,
                                         .arena = arena,
                                         .out = &compiled->select,
                                         .error = error,
                                         .sums = sums},
                                .dialect = dialect,
                                .digest_words = digest_words,

                                .connection = connection,
                                .out = compiled};
    struct sql_table root;
    struct error ignored = {0};
    compiler.base.dialect = &compiler.dialect;
    compiler.dialect.digest_words = &compiler.digest_words;
    if (sums && sql_request_root(&self->sql, request, &root, &ignored) == STATUS_OK &&
        root.facts != NULL &&
        mysql_facts_of(&root)->key.count == 0) { /* however many rows it has */
        compiler.digest_words.tail = unlimited_tail;
    }

    *compiled = (struct mysql_request){0};
    return sql_request_write(&compiler.base, span);
}

enum status mysql_request_compile(struct mysql_database *self, MYSQL *connection,
                                  const struct read_request *request, const struct span *span,
                                  struct arena *arena, struct mysql_request *compiled,
                                  struct error *error)
{
    return compile(self, connection, request, span, false, arena, compiled, error);
}

enum status mysql_since_query(struct database *self, const struct read_request *request,
                              struct buffer *query, struct error *error)
{
    struct sql_database *database = sql_database_of(self);
    const struct sql_by_key_words words = sql_request_words(database, &dialect);
    return sql_since_query(database, request, &words, query, error);
}

enum status mysql_digest_compile(struct mysql_database *self, MYSQL *connection,
                                 const struct read_request *request, const struct span *span,
                                 struct arena *arena, struct buffer *sql, struct error *error)
{
    struct mysql_request compiled;
    enum status status = compile(self, connection, request, span, true, arena, &compiled, error);
    *sql = compiled.select.sql;
    return status;
}

enum status mysql_accepts(struct database *database, const struct read_request *request,
                          struct error *error)
{
    struct sql_database *self = sql_database_of(database);
    for (uint32_t i = 0; i < request->join_count; i++) {
        const struct read_join *join = &request->joins[i];
        struct sql_table table;
        if (sql_find_table(self, join->table, &table, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (mysql_facts_of(&table)->key.count == 0 && sql_join_takes_first(table.schema, join)) {
            return refuse_keyless(request, table.schema, error);
        }
    }
    return STATUS_OK;
}
