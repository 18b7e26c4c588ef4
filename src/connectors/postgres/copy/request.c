/* A read request as one SELECT, in PostgreSQL's words. */
#include "base/text.h"
#include "connectors/postgres/source.h"
#include "connectors/sql/digest.h"
#include "connectors/sql/normal.h"
#include "postgres_sql.h"
#include <inttypes.h>
#include <string.h>

enum { OID_BYTEA = 17, OID_TEXT = 25, OID_VARCHAR = 1043 };

struct compiler {
    struct sql_request base;
    PGconn *connection;
    struct postgres_table query;
    struct postgres_request *out;
};

static struct compiler *compiler_of(struct sql_request *request)
{
    return (struct compiler *)request;
}

static struct postgres_database *server_of(const struct sql_request *request)
{
    return postgres_database_of(&request->database->base);
}

static const struct postgres_table *table_of(const struct sql_request *request, int32_t join)
{
    return postgres_facts_of(sql_request_table(request, join));
}

static enum status describe_query(struct sql_request *request, struct sql_table *query)
{
    struct compiler *compiler = compiler_of(request);
    struct schema_table *schema = arena_allocate_zeroed(request->arena, 1, sizeof *schema);
    struct postgres_column *columns = NULL;
    enum status status =
        postgres_describe_query(server_of(request), compiler->connection, request->asked->query,
                                request->arena, schema, &columns, request->error);
    compiler->query = (struct postgres_table){.schema = schema, .columns = columns};
    *query = postgres_table_of(&compiler->query);
    return status;
}

/* ---------------------------------------------------------------- columns */

/* NULL: the row key, or there is none of that name (`*found` says which). */
static const struct postgres_column *find_column(struct sql_request *request, int32_t join,
                                                 const char *name, bool *found)
{
    const struct postgres_table *table = table_of(request, join);
    int32_t position = sql_request_find(request, join, name);
    *found =
        position >= 0 ||
        (table->schema->row_key != NULL &&
         (strcmp(name, "ctid") == 0 || (table->has_children && strcmp(name, "tableoid") == 0)));
    return position >= 0 ? &table->columns[position] : NULL;
}

static bool append_column(struct sql_request *request, int32_t join, const char *name)
{
    struct buffer *sql = &request->out->sql;
    char alias[SQL_ALIAS_BYTES];
    bool found = false;
    const struct postgres_column *column = find_column(request, join, name, &found);
    if (!found) {
        return false;
    }
    sql_name_alias(alias, join);
    buffer_format(sql, "%s.", alias);
    if (column != NULL) {
        postgres_append_name(sql, name);
    } else {
        buffer_append_string(sql, name);
    }
    return true;
}

/* The bytes that the server counts of a text are those that it sends. */
static bool sends_own_bytes(const struct compiler *compiler)
{
    const char *encoding = PQparameterStatus(compiler->connection, "server_encoding");
    return encoding != NULL && strcmp(encoding, "UTF8") == 0;
}

/* Only where the table keeps long values aside at all, and its rows have a place. */
static bool is_sliced(const struct compiler *compiler, const struct read_column *wanted,
                      const struct postgres_column *column)
{
    const struct postgres_table *root = table_of(&compiler->base, -1);
    return wanted->join < 0 && root->kind == 'r' && !compiler->base.out->documents &&
           sends_own_bytes(compiler) && root->long_bytes >= POSTGRES_SLICE_BYTES / 64 &&
           column != NULL &&
           (column->type_oid == OID_TEXT || column->type_oid == OID_BYTEA ||
            column->type_oid == OID_VARCHAR);
}

/* How its values are read in pieces: a text's bytes are those that the client would get. */
static void keep_sliced(struct compiler *compiler, const struct postgres_column *column)
{
    struct postgres_request *out = compiler->out;
    struct buffer sql = {0};
    bool text = column->type_oid != OID_BYTEA;
    struct arena *arena = compiler->base.arena;
    if (out->sliced == NULL) {
        uint32_t count =
            compiler->base.tables[0].schema->column_count + compiler->base.asked->column_count;
        out->sliced = arena_allocate_zeroed(arena, (size_t)count + 1, sizeof *out->sliced);
    }
    buffer_append_string(&sql, text ? "SELECT pg_catalog.substr(pg_catalog.convert_to(_t0."
                                    : "SELECT pg_catalog.substr(_t0.");
    postgres_append_name(&sql, column->name);
    buffer_append_string(&sql, text ? "::pg_catalog.text, 'UTF8'), $1::integer, $2::integer) FROM "
                                    : ", $1::integer, $2::integer) FROM ");
    postgres_append_table(&sql, server_of(&compiler->base), compiler->base.tables[0].schema->name);
    buffer_append_string(&sql, " AS _t0 WHERE _t0.tableoid = $3::pg_catalog.oid AND "
                               "_t0.ctid = $4::pg_catalog.tid");
    out->sliced[out->sliced_count++] =
        (struct postgres_sliced){.column = out->select.column_count,
                                 .kind = text ? VALUE_TEXT : VALUE_BYTES,
                                 .name = column->name,
                                 .select = sql_text(arena, &sql)};
}

/* Behind the columns: the row's hash; of those that are too long their lengths, and the row's
 * place. */
static void append_places(struct sql_request *request)
{
    const struct postgres_request *out = compiler_of(request)->out;
    struct buffer *sql = &request->out->sql;
    if (request->asked->hashed.count > 0) {
        out->columns[out->select.column_count] =
            (struct postgres_type){.format = POSTGRES_AS_INT8, .type = {.kind = VALUE_INT64}};
        request->out->names[request->out->column_count++] = "hash";
        buffer_append_string(sql, ", ");
        postgres_append_row_hash(request);
    }
    for (uint32_t i = 0; i < out->sliced_count; i++) {
        postgres_append(sql,
                        ", CASE WHEN pg_catalog.octet_length(_t0.%n) > %d THEN "
                        "pg_catalog.octet_length(_t0.%n)::pg_catalog.text || ' ' || "
                        "_t0.tableoid::pg_catalog.text || ' ' || _t0.ctid::pg_catalog.text END",
                        out->sliced[i].name, POSTGRES_SLICE_BYTES, out->sliced[i].name);
    }
}

static void make_types(struct sql_request *request, uint32_t count)
{
    struct postgres_request *out = compiler_of(request)->out;
    out->columns = arena_allocate_zeroed(request->arena, (size_t)count + 1, sizeof *out->columns);
}

/* A column, or its text. */
static enum status append_value(struct sql_request *request, int32_t join, const char *name,
                                bool cast, const struct postgres_column *column)
{
    struct postgres_words text = postgres_as_text(column);
    struct buffer *sql = &request->out->sql;
    buffer_append_string(sql, cast ? text.before : "");
    enum status status = sql_request_column(request, join, name);
    buffer_append_string(sql, cast ? text.behind : "");
    return status;
}

static enum status append_result(struct sql_request *request, const struct read_column *wanted)
{
    struct compiler *compiler = compiler_of(request);
    struct postgres_type *type = &compiler->out->columns[request->out->column_count];
    struct buffer *sql = &request->out->sql;
    bool found = false;
    if (wanted->presence) {
        *type = (struct postgres_type){.format = POSTGRES_AS_BOOL, .type = {.kind = VALUE_BOOL}};
        return sql_request_presence(request, wanted);
    }
    const struct postgres_column *column = find_column(request, wanted->join, wanted->name, &found);
    bool sliced = is_sliced(compiler, wanted, column);
    *type = column != NULL
                ? column->type
                : (struct postgres_type){.format = POSTGRES_AS_CAST, .type = {.kind = VALUE_TEXT}};
    if (sliced) {
        buffer_append_string(sql, "CASE WHEN pg_catalog.octet_length(");
        if (sql_request_column(request, wanted->join, wanted->name) != STATUS_OK) {
            return STATUS_FAILED;
        }
        keep_sliced(compiler, column);
        buffer_format(sql, ") <= %d THEN ", POSTGRES_SLICE_BYTES);
    }
    if (append_value(request, wanted->join, wanted->name, type->format == POSTGRES_AS_CAST,
                     column) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(sql, sliced ? " END" : "");
    return STATUS_OK;
}

/* ---------------------------------------------------------------- joins */

/* Has the server an equality for them? It has none of a text and an enum, an address and the like.
 */
static bool are_comparable(const struct postgres_column *from, const struct postgres_column *to)
{
    enum value_kind kind = from->type.type.kind;
    enum value_kind other = to->type.type.kind;
    return (value_kind_is_number(kind) && value_kind_is_number(other)) ||
           (kind == other && !postgres_is_by_text(from) && !postgres_is_by_text(to) &&
            (kind != VALUE_TEXT || from->type_oid == to->type_oid));
}

/* An oid equals a number of another type only as a number itself. */
static const char *widened(const struct postgres_column *column,
                           const struct postgres_column *other)
{
    return column->type.format == POSTGRES_AS_OID && column->type_oid != other->type_oid
               ? "::pg_catalog.int8"
               : postgres_labels(column);
}

/* A pair of columns that have to be equal. */
struct pair {
    const struct read_join *join;
    int32_t index; /* of the join: the side that is looked up */
    uint32_t part;
    const struct postgres_column *from; /* NULL: a row key, as `to` */
    const struct postgres_column *to;
    bool cast; /* compared as texts */
};

/* The looked-up side's, which an index of it may serve; NULL: they have none. Unless one is said,
 * columns of two collations have no equality. */
static const char *collation_of(const struct pair *pair)
{
    const char *to = pair->to != NULL ? pair->to->collation : NULL;
    return to != NULL ? to : pair->cast ? "pg_catalog.\"C\"" : NULL;
}

static enum status append_sides(struct sql_request *request, const struct pair *pair,
                                const char *collation)
{
    struct buffer *sql = &request->out->sql;
    bool widens = !pair->cast;
    if (append_value(request, pair->join->from, pair->join->from_columns.names[pair->part],
                     pair->cast, pair->from) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_format(sql, "%s%s%s", widens ? widened(pair->from, pair->to) : "",
                  collation != NULL ? " COLLATE " : "", collation != NULL ? collation : "");
    postgres_append_operator(sql, pair->cast ? NULL : pair->to, "=");
    enum status status = append_value(request, pair->index, pair->join->columns.names[pair->part],
                                      pair->cast, pair->to);
    buffer_append_string(sql, widens ? widened(pair->to, pair->from) : "");
    return status;
}

/* The referred side's collation is the key's. */
static void append_key_collation(struct buffer *sql, const struct postgres_column *left,
                                 const struct postgres_column *right)
{
    bool same = left->collation != NULL && right->collation != NULL &&
                strcmp(left->collation, right->collation) == 0;
    if (left->collation != NULL && !(same && left->loose)) {
        buffer_format(sql, " COLLATE %s", left->collation);
    }
}

/* By the server's own operator. */
static enum status append_own_equality(struct sql_request *request, const struct pair *pair,
                                       const struct postgres_equality *equality)
{
    const struct read_join *join = pair->join;
    struct buffer *sql = &request->out->sql;
    const struct postgres_column *columns[] = {pair->from, pair->to};
    const char *names[] = {join->from_columns.names[pair->part], join->columns.names[pair->part]};
    int32_t joins[] = {join->from, pair->index};
    for (int i = 0; i < 2; i++) {
        int side = equality->turned ? 1 - i : i;
        buffer_format(sql, i > 0 ? " %s " : "", equality->operation);
        if (sql_request_column(request, joins[side], names[side]) != STATUS_OK) {
            return STATUS_FAILED;
        }
        buffer_format(sql, "::%s", equality->types[i]);
        if (i == 0 && equality->of_key) {
            append_key_collation(sql, columns[side], columns[1 - side]);
        }
    }
    return STATUS_OK;
}

static enum status find_equality(struct sql_request *request, const struct pair *pair,
                                 struct postgres_equality *equality)
{
    const struct postgres_table *from = table_of(request, pair->join->from);
    const struct postgres_table *to = table_of(request, pair->index);
    return postgres_equality_find(server_of(request), compiler_of(request)->connection,
                                  &(struct postgres_equality_side){from->oid, pair->from},
                                  &(struct postgres_equality_side){to->oid, pair->to},
                                  request->arena, equality, request->error);
}

/*
 * Along a foreign key as the server has it. Else equal by value, as everywhere else: texts by their
 * bytes, and so by each collation but a loose one, beside which the bytes are compared then; what
 * is no text by the server's own operator for the two types; as texts where it has none.
 */
static enum status append_equal(struct sql_request *request, uint32_t index, uint32_t part,
                                const char *alias)
{
    struct pair pair = {
        .join = &request->asked->joins[index], .index = (int32_t)index, .part = part};
    bool found = false;
    pair.from = find_column(request, pair.join->from, pair.join->from_columns.names[part], &found);
    pair.to = find_column(request, pair.index, pair.join->columns.names[part], &found);
    pair.cast = pair.from == NULL || pair.to == NULL || !are_comparable(pair.from, pair.to);
    (void)alias; /* no other stands for the join's own */
    struct postgres_equality equality;
    if (find_equality(request, &pair, &equality) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (equality.operation != NULL && pair.from != NULL && pair.to != NULL) {
        return append_own_equality(request, &pair, &equality);
    }
    if (append_sides(request, &pair, collation_of(&pair)) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (pair.to == NULL || !pair.to->loose) {
        return STATUS_OK;
    }
    buffer_append_string(&request->out->sql, " AND ");
    return append_sides(request, &pair, "pg_catalog.\"C\"");
}

static void append_row_key(struct sql_request *request, int32_t join)
{
    const struct postgres_table *table = table_of(request, join);
    struct buffer *sql = &request->out->sql;
    char alias[SQL_ALIAS_BYTES];
    sql_name_alias(alias, join);
    if (table->key.count > 0) {
        postgres_append_names(sql, alias, table->key);
    } else if (table->schema->row_key != NULL) {
        buffer_format(sql, "%s%s%s.ctid", table->has_children ? alias : "",
                      table->has_children ? ".tableoid, " : "", alias);
    } else {
        /* not the table's own type, to which its owner may have made a cast */
        buffer_format(sql, "ROW(%s.*)::pg_catalog.text", alias);
    }
}

static enum status append_first_partner(struct sql_request *request, uint32_t index)
{
    struct buffer *sql = &request->out->sql;
    char alias[SQL_ALIAS_BYTES];
    sql_name_alias(alias, (int32_t)index);
    postgres_append(sql, " LEFT JOIN LATERAL (SELECT * FROM %t AS %s WHERE ",
                    &server_of(request)->sql, request->asked->joins[index].table, alias);
    if (sql_request_equals(request, index, alias) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(sql, " ORDER BY ");
    append_row_key(request, (int32_t)index);
    buffer_format(sql, " LIMIT 1) AS %s ON true", alias);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- order and span */

static enum status append_order(struct sql_request *request, const struct read_order *order)
{
    struct buffer *sql = &request->out->sql;
    bool found = false;
    const struct postgres_column *column = find_column(request, order->join, order->name, &found);
    bool text = column != NULL && column->type.type.kind == VALUE_TEXT;
    bool cast = text || (column != NULL && column->type.type.kind == VALUE_JSON);
    if (append_value(request, order->join, order->name, cast, column) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_format(sql, "%s%s", text ? " COLLATE pg_catalog.\"C\"" : "",
                  order->descending ? " DESC NULLS LAST" : " NULLS FIRST");
    return STATUS_OK;
}

static void compared(void *comparing, const char *name, struct sql_compared *compared)
{
    postgres_compared(table_of(comparing, -1), name, compared);
}

static enum status append_span(struct sql_request *request, const struct span *span)
{
    return postgres_span_append(&request->out->sql, span,
                                request->asked->table != NULL ? table_of(request, -1) : NULL,
                                request->error);
}

/* ---------------------------------------------------------------- digests */

static enum status append_part(struct sql_request *request, const struct digest_column *wanted)
{
    struct buffer selected = {0};
    bool found = false;
    const struct postgres_column *column = find_column(request, -1, wanted->name, &found);
    if (column == NULL) {
        return sql_request_no_such_column(request, -1, wanted->name);
    }
    postgres_append(&selected, "_t0.%n", wanted->name);
    postgres_digest_append_part(&request->out->sql, column, buffer_string(&selected), wanted->key);
    buffer_free(&selected);
    return STATUS_OK;
}

/* A half of the hash is summed as a signed number, which is the same modulo 2^64. Without OFFSET
 * the server would put the hash's expression in each place of its use. */
#define HALF(from) \
    "COALESCE(pg_catalog.sum(('x' || pg_catalog.substr(_d.h, " from ", 16))::bit(64)::bigint), 0)"
static const struct sql_digest_words digest_words = {
    .head = "SELECT _d.b, pg_catalog.count(*), pg_catalog.count(_d.h), " HALF("1") ", " HALF(
        "17") " FROM (",
    .tail = " OFFSET 0) AS _d GROUP BY _d.b",
    .open = "(",
    .between = " || ';' || ",
    .close = ")",
    .md5 = "pg_catalog.md5(",
    .number = "('x' || pg_catalog.substr(",
    .number_end = ", 29, 4))::bit(16)::integer",
    .append_part = append_part,
};

static const struct sql_rules key_rules = {0};

/* "-0043-03-15" is "0044-03-15 BC" here, and "+12000-01-01" has no sign. */
static void name_time(struct buffer *text)
{
    const char *from = buffer_string(text);
    bool sign = from[0] == '-' || from[0] == '+';
    const char *digits = from + sign;
    size_t length = strspn(digits, "0123456789");
    int64_t year = 0;
    if (text_to_int64(digits, length, &year) != STATUS_OK || (from[0] != '-' && year > 0)) {
        if (from[0] == '+') {
            text->length--;
            memmove(text->data, digits, text->length);
        }
        return;
    }
    struct buffer named = {0};
    buffer_format(&named, "%04" PRId64 "%s BC", year + 1, digits + length);
    buffer_free(text);
    *text = named;
}

static const struct sql_request_dialect dialect = {
    .truth = "true",
    .present = " IS DISTINCT FROM NULL",
    .digest_words = &digest_words,
    .rules = &key_rules,
    .name_time = name_time,
    .is_null = " IS NULL",
    .quotes_numbers = true,
    .bytes_before = "'\\x",
    .bytes_behind = "'::pg_catalog.bytea",
    .describe_query = describe_query,
    .make_types = make_types,
    .append_column = append_column,
    .append_result = append_result,
    .append_extra = append_places,
    .append_equal = append_equal,
    .compared = compared,
    .append_first_partner = append_first_partner,
    .append_row_key = append_row_key,
    .append_order = append_order,
    .append_span = append_span,
};

static enum status compile(struct postgres_database *self, PGconn *connection,
                           const struct read_request *request, const struct span *span, bool sums,
                           struct arena *arena, struct postgres_request *compiled,
                           struct error *error)
{
    struct compiler compiler = {.base = {.dialect = &dialect,
                                         .database = &self->sql,
                                         .asked = request,
                                         .arena = arena,
                                         .out = &compiled->select,
                                         .error = error,
                                         .sums = sums},

                                .connection = connection,
                                .out = compiled};

    *compiled = (struct postgres_request){0};
    return sql_request_write(&compiler.base, span);
}

enum status postgres_request_compile(struct postgres_database *self, PGconn *connection,
                                     const struct read_request *request, const struct span *span,
                                     struct arena *arena, struct postgres_request *compiled,
                                     struct error *error)
{
    return compile(self, connection, request, span, false, arena, compiled, error);
}

static void compared_in_table(void *comparing, const char *name, struct sql_compared *compared)
{
    postgres_compared(comparing, name, compared);
}

/* The words for a table: only of such is asked what is new since. */
static enum status since_words(struct postgres_database *self, const struct read_request *request,
                               struct sql_by_key_words *words, struct error *error)
{
    const struct postgres_catalog *catalog = NULL;
    *words = sql_request_words(&self->sql, &dialect);
    if (postgres_catalog_get(self, &catalog, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct postgres_table *table =
        request->table != NULL ? postgres_catalog_find(catalog, request->table) : NULL;
    words->compared = table != NULL ? compared_in_table : NULL;
    words->comparing = (void *)(uintptr_t)table;
    return STATUS_OK;
}

enum status postgres_since_query(struct database *self, const struct read_request *request,
                                 struct buffer *query, struct error *error)
{
    struct sql_database *database = sql_database_of(self);
    struct sql_by_key_words words;
    return since_words(postgres_database_of(self), request, &words, error) == STATUS_OK
               ? sql_since_query(database, request, &words, query, error)
               : STATUS_FAILED;
}

enum status postgres_append_since(struct postgres_database *self,
                                  const struct read_request *request, struct buffer *sql,
                                  struct error *error)
{
    struct sql_by_key_words words;
    return since_words(self, request, &words, error) == STATUS_OK
               ? sql_append_own_since(&self->sql, &words, request, sql, error)
               : STATUS_FAILED;
}

enum status postgres_digest_compile(struct postgres_database *self, PGconn *connection,
                                    const struct read_request *request, const struct span *span,
                                    struct arena *arena, struct buffer *sql, struct error *error)
{
    struct postgres_request compiled;
    enum status status = compile(self, connection, request, span, true, arena, &compiled, error);
    *sql = compiled.select.sql;
    return status;
}

/* ---------------------------------------------------------------- by which operator columns are
 * equal */

enum { OID_BPCHAR = 1042 };

/* Does an operator that is called = say of them what a key's would, and what their texts do? */
static bool is_plain(const struct postgres_column *from, const struct postgres_column *to)
{
    enum value_kind kind = from->type.type.kind;
    enum value_kind other = to->type.type.kind;
    if (value_kind_is_number(kind) && value_kind_is_number(other)) {
        return true;
    }
    return from->type_oid == to->type_oid && !postgres_is_by_text(from) && !from->loose &&
           !to->loose && from->type_oid != OID_BPCHAR;
}

enum status postgres_equality_find(struct postgres_database *self, PGconn *connection,
                                   const struct postgres_equality_side *from,
                                   const struct postgres_equality_side *to, struct arena *arena,
                                   struct postgres_equality *equality, struct error *error)
{
    const struct postgres_equality_side *sides[] = {from, to};
    char numbers[6][24];
    PGresult *result = NULL;
    *equality = (struct postgres_equality){0};
    if (from->column == NULL || to->column == NULL || is_plain(from->column, to->column)) {
        return STATUS_OK;
    }
    for (int i = 0; i < 2; i++) {
        text_from_uint64(sides[i]->table_oid, numbers[2 * i]);
        text_from_int64(sides[i]->column->number, numbers[2 * i + 1]);
        text_from_uint64(sides[i]->column->type_oid, numbers[4 + i]);
    }
    const struct postgres_parameter parameters[] = {{.text = numbers[0]}, {.text = numbers[1]},
                                                    {.text = numbers[2]}, {.text = numbers[3]},
                                                    {.text = numbers[4]}, {.text = numbers[5]}};
    enum status status = postgres_catalog_query(self, connection, sql_equality, parameters, 6,
                                                SQL_SHORT, ERROR_SOURCE_READ, &result, error);
    if (status == STATUS_OK && PQntuples(result) == 1) {
        *equality = (struct postgres_equality){
            .operation = arena_copy_string(arena, PQgetvalue(result, 0, 0)),
            .turned = PQgetvalue(result, 0, 1)[0] == 't',
            .of_key = PQgetvalue(result, 0, 2)[0] == 't',
            .types = {arena_copy_string(arena, PQgetvalue(result, 0, 3)),
                      arena_copy_string(arena, PQgetvalue(result, 0, 4))}};
    }
    PQclear(result);
    return status;
}
