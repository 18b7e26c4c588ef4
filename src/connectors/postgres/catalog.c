/* The catalogue: four queries (sql/), made into tables, keys, indexes and references. */
#include "connectors/postgres/catalog.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "connectors/scope.h"
#include "connectors/sql/check.h"
#include "postgres_sql.h"
#include "sql/default_text.h"
#include <stdlib.h>
#include <string.h>

/* A result whose first column is the table's oid, by which it is ordered. */
struct rows {
    PGresult *result;
    int count;
};

enum catalog_query { QUERY_TABLES, QUERY_COLUMNS, QUERY_CONSTRAINTS, QUERY_INDEXES };

static const char *const queries[] = {
    [QUERY_TABLES] = sql_tables,
    [QUERY_COLUMNS] = sql_columns,
    [QUERY_CONSTRAINTS] = sql_constraints,
    [QUERY_INDEXES] = sql_indexes,
};

struct builder {
    struct postgres_database *self;
    PGconn *connection;
    struct arena *arena;
    struct rows tables;
    struct rows columns;
    struct rows constraints;
    struct rows indexes;
};

static const char *cell(const struct rows *rows, int row, int column)
{
    return PQgetvalue(rows->result, row, column);
}

static bool is_true(const struct rows *rows, int row, int column)
{
    return cell(rows, row, column)[0] == 't';
}

static int64_t number(const struct rows *rows, int row, int column, int64_t otherwise)
{
    int64_t value = otherwise;
    if (PQgetisnull(rows->result, row, column) == 0 &&
        text_to_int64(cell(rows, row, column), (size_t)PQgetlength(rows->result, row, column),
                      &value) != STATUS_OK) {
        return otherwise;
    }
    return value;
}

/* A copy in the arena; NULL stays NULL. */
static const char *text(struct builder *builder, const struct rows *rows, int row, int column)
{
    if (PQgetisnull(rows->result, row, column) != 0) {
        return NULL;
    }
    return arena_copy_string(builder->arena, cell(rows, row, column));
}

static void *zeroed(struct builder *builder, size_t count, size_t size)
{
    return arena_allocate_zeroed(builder->arena, count + 1, size);
}

/* The rows of one table: from *first to before *end. */
static void find_rows(const struct rows *rows, int64_t oid, int *first, int *end)
{
    int low = 0;
    int high = rows->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (number(rows, middle, 0, 0) < oid) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *first = low;
    while (low < rows->count && number(rows, low, 0, 0) == oid) {
        low++;
    }
    *end = low;
}

/* ---------------------------------------------------------------- columns */

/* The type of the extension of that name, wherever it is. */
static bool is_citext(const char *type)
{
    const char *point = type != NULL ? strrchr(type, '.') : NULL;
    return type != NULL && strcmp(point != NULL ? point + 1 : type, "citext") == 0;
}

static void read_column(struct builder *builder, int row, struct schema_column *column,
                        struct postgres_column *facts)
{
    const struct rows *rows = &builder->columns;
    char identity = cell(rows, row, 7)[0];
    char generated = cell(rows, row, 8)[0];

    facts->name = text(builder, rows, row, 1);
    facts->number = (int16_t)number(rows, row, 12, 0);
    facts->type_oid = (uint32_t)number(rows, row, 2, 0);
    facts->modifier = (int32_t)number(rows, row, 4, -1);
    facts->collation = text(builder, rows, row, 18);
    facts->loose = is_true(rows, row, 19);
    facts->order_schema = text(builder, rows, row, 20);
    if (cell(rows, row, 3)[0] == 'e' && cell(rows, row, 11)[0] == 'd') {
        facts->labels = arena_format(builder->arena, "::%s", cell(rows, row, 17));
    }
    facts->unlimited = text(builder, rows, row, 16);
    if (PQgetisnull(rows->result, row, 22) == 0) {
        postgres_keep_output(facts, cell(rows, row, 22), cell(rows, row, 23), builder->arena);
    }
    facts->type = postgres_type_of(facts->type_oid, cell(rows, row, 3)[0], facts->modifier,
                                   text(builder, rows, row, 5));
    facts->type.type.zone =
        facts->type.format == POSTGRES_AS_TIMESTAMPTZ ? builder->self->sql.base.time_zone : NULL;
    facts->not_null = is_true(rows, row, 6);
    facts->generated = generated != '\0';
    facts->same_bytes = is_true(rows, row, 13);
    facts->always_identity = identity == 'a';
    facts->has_default = PQgetisnull(rows->result, row, 9) == 0 || identity != '\0';
    *column = (struct schema_column){
        .name = facts->name,
        .type = facts->type.type,
        .not_null = facts->not_null,
        .generated = generated == 's'   ? GENERATED_STORED
                     : generated == 'v' ? GENERATED_VIRTUAL
                                        : GENERATED_NO,
        .identity = identity != '\0',
        .default_text = text(builder, rows, row, 9),
        .collation = text(builder, rows, row, 10),
        .loose = facts->loose ? "what differs in case, accents or the like alone"
                 : is_citext(facts->type.type.native) || is_citext(cell(rows, row, 17))
                     ? "what differs in case alone"
                     : NULL,
        .comment = text(builder, rows, row, 14),
        .type_made = is_true(rows, row, 15),
        .base = text(builder, rows, row, 17),
        .number = (uint32_t)facts->number,
        .stamp = text(builder, rows, row, 21),
    };
    sql_default_read(column, SQL_CASTS, builder->arena);
    if (column->default_kind == SCHEMA_DEFAULT_OWN &&
        strncmp(column->default_text, "nextval(", 8) == 0) {
        column->default_kind = SCHEMA_DEFAULT_COUNTER;
    }
}

static void read_columns(struct builder *builder, struct schema_table *table,
                         struct postgres_table *facts)
{
    int first = 0;
    int end = 0;
    find_rows(&builder->columns, facts->oid, &first, &end);
    struct schema_column *columns = zeroed(builder, (size_t)(end - first), sizeof *columns);
    struct postgres_column *details = zeroed(builder, (size_t)(end - first), sizeof *details);
    for (int row = first; row < end; row++) {
        read_column(builder, row, &columns[row - first], &details[row - first]);
    }
    table->columns = columns;
    table->column_count = (uint32_t)(end - first);
    facts->columns = details;
}

/* ---------------------------------------------------------------- constraints and indexes */

/* The rows from `row` on that are of the same object: `column` holds its oid. */
static int group_end(const struct rows *rows, int row, int end, int column)
{
    int64_t oid = number(rows, row, column, 0);
    while (row < end && number(rows, row, column, 0) == oid) {
        row++;
    }
    return row;
}

static struct column_list list_of(struct builder *builder, const struct rows *rows, int first,
                                  int end, int column)
{
    const char **names = zeroed(builder, (size_t)(end - first), sizeof *names);
    for (int row = first; row < end; row++) {
        const char *name = text(builder, rows, row, column);
        names[row - first] = name != NULL ? name : "";
    }
    return (struct column_list){names, (uint32_t)(end - first)};
}

static const char *action_of(char letter)
{
    switch (letter) {
    case 'r':
        return "RESTRICT";
    case 'c':
        return "CASCADE";
    case 'n':
        return "SET NULL";
    case 'd':
        return "SET DEFAULT";
    default:
        return NULL;
    }
}

static void read_foreign_key(struct builder *builder, int row, int end,
                             struct schema_foreign_key *key)
{
    const struct rows *rows = &builder->constraints;
    const char *schema = cell(rows, row, 7);
    bool own = sql_is_in_scope(&builder->self->sql, schema);
    *key = (struct schema_foreign_key){
        .name = text(builder, rows, row, 1),
        .columns = list_of(builder, rows, row, end, 5),
        .references = sql_name_in(&builder->self->sql, schema, cell(rows, row, 6), builder->arena),
        .references_schema = own ? NULL : text(builder, rows, row, 7),
        .referenced_columns = list_of(builder, rows, row, end, 8),
        .on_delete = action_of(cell(rows, row, 9)[0]),
        .on_update = action_of(cell(rows, row, 10)[0]),
        .deferrable = is_true(rows, row, 3),
        .details = text(builder, rows, row, 12),
        .native_sql = text(builder, rows, row, 4),
    };
}

static void read_constraints(struct builder *builder, struct schema_table *table,
                             const struct postgres_table *facts)
{
    const struct rows *rows = &builder->constraints;
    int first = 0;
    int end = 0;
    find_rows(rows, facts->oid, &first, &end);
    struct schema_foreign_key *keys = zeroed(builder, (size_t)(end - first), sizeof *keys);
    const char **checks = zeroed(builder, (size_t)(end - first), sizeof *checks);
    for (int row = first; row < end;) {
        int next = group_end(rows, row, end, 11);
        switch (cell(rows, row, 2)[0]) {
        case 'p':
            table->primary_key = list_of(builder, rows, row, next, 5);
            table->primary_key_not_null = true;
            break;
        case 'f':
            read_foreign_key(builder, row, next, &keys[table->foreign_key_count++]);
            break;
        case 'c':
            checks[table->check_count++] = text(builder, rows, row, 4);
            break;
        default:
            break;
        }
        row = next;
    }
    table->foreign_keys = keys;
    table->checks = checks;
}

/* "gin", "gist" …; NULL: what finds values. */
static const char *method_of(struct builder *builder, int row)
{
    const char *method = cell(&builder->indexes, row, 7);
    bool plain = strcmp(method, "btree") == 0 || strcmp(method, "hash") == 0;
    return plain ? NULL : text(builder, &builder->indexes, row, 7);
}

static void read_indexes(struct builder *builder, struct schema_table *table,
                         const struct postgres_table *facts)
{
    const struct rows *rows = &builder->indexes;
    int first = 0;
    int end = 0;
    find_rows(rows, facts->oid, &first, &end);
    struct schema_index *indexes = zeroed(builder, (size_t)(end - first), sizeof *indexes);
    for (int row = first; row < end;) {
        int next = group_end(rows, row, end, 8);
        struct schema_index *index = &indexes[table->index_count++];
        *index = (struct schema_index){
            .name = text(builder, rows, row, 1),
            .columns = list_of(builder, rows, row, next, 6),
            .unique = is_true(rows, row, 2),
            .partial = is_true(rows, row, 3),
            .deferrable = is_true(rows, row, 10),
            .identity = is_true(rows, row, 11),
            .implied = is_true(rows, row, 4),
            .method = method_of(builder, row),
            .details = text(builder, rows, row, 9),
            .native_sql = text(builder, rows, row, 5),
        };
        row = next;
    }
    table->indexes = indexes;
}

/* ---------------------------------------------------------------- keys */

static bool is_not_null(const struct postgres_table *facts, struct column_list columns)
{
    for (uint32_t i = 0; i < columns.count; i++) {
        int32_t column = postgres_find_column(facts, columns.names[i]);
        if (column < 0 || !facts->columns[column].not_null) {
            return false;
        }
    }
    return columns.count > 0;
}

/* What identifies a row, and orders the rows. */
static void settle_key(struct postgres_table *facts)
{
    const struct schema_table *table = facts->schema;
    facts->key = schema_row_key(table);
    for (uint32_t i = 0; facts->key.count == 0 && i < table->index_count; i++) {
        const struct schema_index *index = &table->indexes[i];
        if (index->unique && !index->partial && is_not_null(facts, index->columns)) {
            facts->key = index->columns;
        }
    }
}

bool postgres_is_key_index(const struct schema_index *index, struct column_list key)
{
    const struct schema_table alone = {.indexes = index, .index_count = 1};
    return sql_has_key(&alone, key, strcmp);
}

/* ---------------------------------------------------------------- tables */

static void read_table(struct builder *builder, int row, struct schema_table *table,
                       struct postgres_table *facts)
{
    const struct rows *rows = &builder->tables;
    int64_t estimate = number(rows, row, 3, -1);
    facts->schema = table;
    facts->oid = (uint32_t)number(rows, row, 0, 0);
    facts->kind = cell(rows, row, 2)[0];
    bool is_table = facts->kind == 'r' || facts->kind == 'p';
    facts->inherited = is_true(rows, row, 9);
    *table = (struct schema_table){
        .kind = is_table ? SCHEMA_TABLE : SCHEMA_VIEW,
        .name = text(builder, rows, row, 1),
        .has_heirs = facts->inherited,
        .row_count = -1,
        .size_bytes = number(rows, row, 4, -1),
        .long_bytes = facts->kind == 'p' || facts->inherited ? -1 : number(rows, row, 5, 0),
        .mark = text(builder, rows, row, 0),
        .stamp = text(builder, rows, row, 11),
        .comment = text(builder, rows, row, 6),
        .details = text(builder, rows, row, 7),
    };
    facts->row_estimate = is_table ? estimate : -1;
    facts->long_bytes = number(rows, row, 5, 0);
    facts->has_children = is_true(rows, row, 8);
    table->row_count = facts->row_estimate;
    read_columns(builder, table, facts);
    if (is_table) {
        read_constraints(builder, table, facts);
        read_indexes(builder, table, facts);
    }
    settle_key(facts);
    if (facts->key.count == 0 && facts->kind == 'r') {
        table->row_key = "ctid"; /* the row's place: good within one snapshot */
    }
}

static int compare_rows(const void *left, const void *right, void *rows)
{
    return strcmp(cell(rows, *(const int *)left, 1), cell(rows, *(const int *)right, 1));
}

/* Would its plain name be that of a table of another schema? */
static bool is_ambiguous(const struct builder *builder, int row)
{
    enum { LEAD = 10 };
    const char *behind = NULL;
    return cell(&builder->tables, row, LEAD)[0] == '\0' &&
           scope_schema_of(&builder->self->sql.base.scope, cell(&builder->tables, row, 1),
                           &behind) != NULL;
}

static enum status refuse_ambiguous(const struct builder *builder, int row, struct error *error)
{
    const char *name = cell(&builder->tables, row, 1);
    error_set(error, ERROR_SOURCE_INVALID, name,
              "the schema %s has a table of this name, by which one of another schema goes",
              builder->self->sql.schema);
    return error_hint(error, "choose schemas with --schema, so that they are not read together; or "
                             "rename it");
}

/* By name, as strcmp has it: the server's order is that of its own encoding. A target's tables that
 * no name means are left out. */
static enum status order_tables(struct builder *builder, int **order, size_t *count,
                                struct error *error)
{
    *order = zeroed(builder, (size_t)builder->tables.count, sizeof **order);
    *count = 0;
    for (int row = 0; row < builder->tables.count; row++) {
        if (!is_ambiguous(builder, row)) {
            (*order)[(*count)++] = row;
        } else if (builder->self->mode == OPEN_SOURCE && !builder->self->tables_only) {
            return refuse_ambiguous(builder, row, error);
        }
    }
    qsort_r(*order, *count, sizeof **order, compare_rows, &builder->tables);
    return STATUS_OK;
}

/* Of all tables, which is asked several times in a run: without parameters, since the server plans
 * a statement that has some each time anew. */
static enum status ask_for_all(struct builder *builder, enum catalog_query query,
                               enum error_code otherwise, struct rows *rows, struct error *error)
{
    struct buffer sql = {0};
    postgres_fill_spaces(&sql, builder->self, queries[query]);
    return postgres_catalog_query_kept(builder->self, builder->connection, query, &sql, SQL_LONG,
                                       otherwise, &rows->result, error);
}

static enum status postgres_catalog_ask(struct builder *builder, enum catalog_query query,
                                        const char *table, struct rows *rows, struct error *error)
{
    const char *name = NULL;
    const char *space =
        table != NULL ? postgres_spaces_of(builder->self, table, builder->arena, &name) : NULL;
    const struct postgres_parameter parameters[] = {{.text = space}, {.text = name}};
    enum error_code otherwise =
        builder->self->mode == OPEN_SOURCE ? ERROR_SOURCE_READ : ERROR_TARGET_INVALID;
    enum status status =
        table == NULL
            ? ask_for_all(builder, query, otherwise, rows, error)
            : postgres_catalog_query(builder->self, builder->connection, queries[query], parameters,
                                     2, SQL_LONG, otherwise, &rows->result, error);
    rows->count = status == STATUS_OK ? PQntuples(rows->result) : 0;
    return status;
}

/* ---------------------------------------------------------------- one moment */

/*
 * The queries are of one moment: else a table that is made again between two of them seems to have
 * no key. In a transaction that is open already they are of its moments. What the server's
 * functions tell is of now all the same: where something is gone by then they fail, and all is read
 * again.
 */
enum { MOMENTS_MAX = 20, MOMENT_PAUSE_MS = 25 };

struct moment {
    uint32_t count; /* of those begun */
    bool is_ours;
};

static enum status moment_begin(struct postgres_database *self, PGconn *connection,
                                struct moment *moment, struct error *error)
{
    moment->is_ours = PQtransactionStatus(connection) == PQTRANS_IDLE;
    moment->count++;
    return moment->is_ours ? postgres_execute(self, connection,
                                              "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
                                              SQL_SHORT, ERROR_SOURCE_READ, error)
                           : STATUS_OK;
}

/* "cache lookup failed for …", "could not open relation with OID …", and an object by its name. */
static bool is_of_something_gone(const struct error *error)
{
    return strcmp(error->native_state, "XX000") == 0 || strcmp(error->native_state, "42P01") == 0 ||
           strcmp(error->native_state, "42704") == 0;
}

static bool moment_again(const struct moment *moment, enum status status, struct error *error)
{
    bool again = status != STATUS_OK && is_of_something_gone(error) && moment->count < MOMENTS_MAX;
    if (again) {
        error_clear(error);
        clock_sleep_ms(MOMENT_PAUSE_MS);
    }
    return again;
}

static bool moment_end(struct postgres_database *self, PGconn *connection,
                       const struct moment *moment, enum status *status, struct error *error)
{
    struct error ignored = {0};
    if (!moment->is_ours) {
        return false;
    }
    if (PQtransactionStatus(connection) != PQTRANS_IDLE &&
        postgres_execute(self, connection, "ROLLBACK", SQL_SHORT, ERROR_SOURCE_READ,
                         *status == STATUS_OK ? error : &ignored) != STATUS_OK) {
        *status = STATUS_FAILED;
        return false;
    }
    return moment_again(moment, *status, error);
}

/* ---------------------------------------------------------------- reading */

/* The tables come last: their partitions are locked from then on, until the transaction ends. */
static enum status ask_each(struct builder *builder, const char *table, struct error *error)
{
    enum status status =
        postgres_catalog_ask(builder, QUERY_COLUMNS, table, &builder->columns, error);
    status = status == STATUS_OK ? failpoint_hit("postgres.within_catalog", error) : status;
    if (status == STATUS_OK) {
        status =
            postgres_catalog_ask(builder, QUERY_CONSTRAINTS, table, &builder->constraints, error);
    }
    if (status == STATUS_OK) {
        status = postgres_catalog_ask(builder, QUERY_INDEXES, table, &builder->indexes, error);
    }
    return status == STATUS_OK
               ? postgres_catalog_ask(builder, QUERY_TABLES, table, &builder->tables, error)
               : status;
}

static enum status catalog_build(struct builder *builder, struct postgres_catalog *catalog,
                                 struct error *error)
{
    int *order = NULL;
    size_t count = 0;
    if (order_tables(builder, &order, &count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct schema *schema = zeroed(builder, 1, sizeof *schema);
    struct schema_table *tables = zeroed(builder, count, sizeof *tables);
    struct postgres_table *facts = zeroed(builder, count, sizeof *facts);
    for (size_t i = 0; i < count; i++) {
        read_table(builder, order[i], &tables[i], &facts[i]);
    }
    schema->arena = builder->arena;
    schema->tables = tables;
    schema->table_count = (uint32_t)count;
    *catalog = (struct postgres_catalog){schema, facts, (uint32_t)count};
    return STATUS_OK;
}

static enum status read_once(struct postgres_database *self, PGconn *connection, const char *table,
                             struct arena *arena, struct postgres_catalog *catalog,
                             struct error *error)
{
    struct builder builder = {.self = self, .connection = connection, .arena = arena};
    enum status status = ask_each(&builder, table, error);
    status = status == STATUS_OK ? catalog_build(&builder, catalog, error) : status;
    PQclear(builder.tables.result);
    PQclear(builder.columns.result);
    PQclear(builder.constraints.result);
    PQclear(builder.indexes.result);
    return status;
}

enum status postgres_catalog_read(struct postgres_database *self, PGconn *connection,
                                  const char *table, struct arena *arena,
                                  struct postgres_catalog *catalog, struct error *error)
{
    struct moment moment = {0};
    enum status status;
    do {
        status = moment_begin(self, connection, &moment, error);
        if (status == STATUS_OK) {
            status = read_once(self, connection, table, arena, catalog, error);
        }
    } while (moment_end(self, connection, &moment, &status, error));
    return status;
}

/* ---------------------------------------------------------------- is it still so? */

enum status postgres_catalog_columns(struct postgres_database *self, PGconn *connection,
                                     PGresult **columns, struct error *error)
{
    struct builder builder = {.self = self, .connection = connection};
    enum status status =
        postgres_catalog_ask(&builder, QUERY_COLUMNS, NULL, &builder.columns, error);
    *columns = builder.columns.result;
    return status;
}

static bool column_agrees(const struct rows *rows, int row, const struct postgres_column *column)
{
    return strcmp(cell(rows, row, 1), column->name) == 0 &&
           (uint32_t)number(rows, row, 2, 0) == column->type_oid &&
           (int32_t)number(rows, row, 4, -1) == column->modifier &&
           is_true(rows, row, 6) == column->not_null &&
           (cell(rows, row, 8)[0] != '\0') == column->generated &&
           (int16_t)number(rows, row, 12, 0) == column->number;
}

bool postgres_catalog_agrees(PGresult *columns, const struct postgres_table *table)
{
    const struct rows rows = {columns, PQntuples(columns)};
    int first = 0;
    int end = 0;
    find_rows(&rows, table->oid, &first, &end);
    bool agrees = (uint32_t)(end - first) == table->schema->column_count;
    for (int row = first; agrees && row < end; row++) {
        agrees = column_agrees(&rows, row, &table->columns[row - first]);
    }
    return agrees;
}

/* ---------------------------------------------------------------- finding */

enum status postgres_catalog_get(struct postgres_database *self,
                                 const struct postgres_catalog **catalog, struct error *error)
{
    if (self->catalog == NULL) {
        struct postgres_catalog *read = arena_allocate_zeroed(self->arena, 1, sizeof *read);
        if (postgres_catalog_read(self, self->control, NULL, self->arena, read, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        self->catalog = read;
    }
    *catalog = self->catalog;
    return STATUS_OK;
}

static int compare_name(const void *name, const void *table)
{
    return strcmp(name, ((const struct postgres_table *)table)->schema->name);
}

const struct postgres_table *postgres_catalog_find(const struct postgres_catalog *catalog,
                                                   const char *name)
{
    return catalog->table_count == 0 ? NULL
                                     : bsearch(name, catalog->tables, catalog->table_count,
                                               sizeof *catalog->tables, compare_name);
}

struct postgres_words postgres_as_text(const struct postgres_column *column)
{
    enum { OID_INET = 869 };
    return column != NULL && column->type_oid == OID_INET
               ? (struct postgres_words){"pg_catalog.textin(pg_catalog.inet_out(", "))"}
               : postgres_cast_to_text(column);
}

struct postgres_words postgres_cast_to_text(const struct postgres_column *column)
{
    return column != NULL && column->text_before != NULL
               ? (struct postgres_words){column->text_before, column->text_behind}
               : (struct postgres_words){"", "::pg_catalog.text"};
}

void postgres_keep_output(struct postgres_column *column, const char *function, const char *type,
                          struct arena *arena)
{
    column->text_before = arena_format(arena, "pg_catalog.textin(%s(", function);
    column->text_behind = arena_format(arena, "::%s))", type);
}

const char *postgres_labels(const struct postgres_column *column)
{
    return column->labels != NULL ? column->labels : "";
}

bool postgres_is_by_text(const struct postgres_column *column)
{
    return column->type.format == POSTGRES_AS_CAST || column->type.format == POSTGRES_AS_JSON;
}

int32_t postgres_find_column(const struct postgres_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->schema->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

/* ---------------------------------------------------------------- the connector's group */

/* What is held is compared with what is kept: both are of one moment. */
static enum status describe_tables(struct postgres_database *self, PGconn *connection,
                                   struct arena *arena, struct postgres_catalog *catalog,
                                   struct error *error)
{
    const struct postgres_catalog *kept = NULL;
    enum status status = postgres_catalog_read(self, connection, NULL, arena, catalog, error);
    return status == STATUS_OK && self->mode == OPEN_SOURCE
               ? postgres_catalog_get(self, &kept, error)
               : status;
}

/* The objects' queries lock what views read until their transaction ends: they have one each. */
static enum status describe_all(struct postgres_database *self, PGconn *connection,
                                struct arena *arena, struct postgres_catalog *catalog,
                                struct error *error)
{
    struct postgres_catalog *kept = self->catalog;
    struct moment moment = {0};
    enum status status;
    bool again;
    do {
        self->catalog = kept;
        status = moment_begin(self, connection, &moment, error);
        if (status == STATUS_OK) {
            status = describe_tables(self, connection, arena, catalog, error);
        }
        again = moment_end(self, connection, &moment, &status, error);
        if (status == STATUS_OK && self->mode == OPEN_SOURCE && !self->tables_only) {
            status = postgres_objects_read(self, connection, catalog->schema, error);
            again = moment_again(&moment, status, error);
        }
    } while (again);
    return status;
}

static enum status catalog_describe(struct database *database, struct schema **schema,
                                    struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct arena *arena = arena_create(0);
    struct postgres_catalog catalog = {0};
    PGconn *connection = NULL;

    *schema = NULL;
    enum status status = postgres_control(self, &connection, error);
    if (status == STATUS_OK) {
        status = describe_all(self, connection, arena, &catalog, error);
    }
    if (status != STATUS_OK) {
        arena_destroy(arena);
        return STATUS_FAILED;
    }
    *schema = catalog.schema;
    return STATUS_OK;
}

/* Class 42, and another schema that is not there (3F000) or closed to us (42501), which
 * postgres_failure takes for more. */
static bool is_of_expression(const struct error *problem)
{
    return problem->code == ERROR_TARGET_SCHEMA || strncmp(problem->native_state, "42", 2) == 0 ||
           strcmp(problem->native_state, "3F000") == 0;
}

/* Has the server all that the expression names? It is read, and not run. */
static enum status is_understood(struct postgres_database *self, PGconn *connection,
                                 struct buffer *expression, bool *understood, struct error *error)
{
    struct error problem = {0};
    enum status status = postgres_query_buffer(self, connection, expression, NULL, 0, SQL_SHORT,
                                               ERROR_TARGET_SCHEMA, NULL, &problem);
    *understood = status == STATUS_OK;
    if (status == STATUS_OK) {
        return postgres_execute(self, connection, "DEALLOCATE transhume_trial", SQL_SHORT,
                                ERROR_TARGET_INVALID, error);
    }
    if (is_of_expression(&problem)) {
        return STATUS_OK;
    }
    error_copy(error, &problem);
    return STATUS_FAILED;
}

/* Integers that count get a sequence of their own. */
static bool names_functions(const struct schema_column *column)
{
    return column->default_kind == SCHEMA_DEFAULT_OWN ||
           (column->default_kind == SCHEMA_DEFAULT_COUNTER && column->type.kind != VALUE_INT64);
}

static enum status catalog_understands(struct database *database,
                                       const struct schema_column *column,
                                       struct column_words *understood, struct error *error)
{
    static const char trial[] = "PREPARE transhume_trial AS SELECT ";
    struct postgres_database *self = postgres_database_of(database);
    struct buffer expression = {0};
    PGconn *connection = NULL;
    enum status status = STATUS_OK;

    *understood = (struct column_words){true, true, true};
    if (column->type_made || names_functions(column) || column->collation != NULL) {
        status = postgres_control(self, &connection, error);
    }
    if (status == STATUS_OK && column->type_made) {
        buffer_format(&expression, "%sNULL::%s", trial, column->type.native);
        status = is_understood(self, connection, &expression, &understood->type, error);
    }
    if (status == STATUS_OK && names_functions(column)) {
        buffer_format(&expression, "%s(%s)", trial, column->default_text);
        status = is_understood(self, connection, &expression, &understood->default_text, error);
    }
    if (status == STATUS_OK && column->collation != NULL) {
        postgres_append(&expression, "%s'' COLLATE %n", trial, column->collation);
        status = is_understood(self, connection, &expression, &understood->collation, error);
    }
    return status;
}

static enum status catalog_describe_query(struct database *database, const char *query,
                                          struct arena *arena, struct schema_table *table,
                                          struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct postgres_column *columns = NULL;
    return postgres_describe_query(self, self->control, query, arena, table, &columns, error);
}

static void catalog_made_type(const struct database *database, const struct value_type *type,
                              struct arena *arena, struct value_type *made)
{
    struct buffer words = {0};
    (void)database;
    postgres_append_type(&words, type);
    if (!postgres_native_type(arena_copy_string(arena, buffer_string(&words)), made)) {
        *made = *type;
    }
    buffer_free(&words);
}

const struct catalog_functions postgres_catalog_functions = {
    .describe = catalog_describe,
    .describe_query = catalog_describe_query,
    .native_type = postgres_native_type,
    .made_type = catalog_made_type,
    .native_names = postgres_native_names,
    .ask_values = postgres_ask_values,
    .tell_code = postgres_tell_code,
    .understands = catalog_understands,
    .use_scope = postgres_use_scope,
    .identity_in = postgres_identity_in,
};
