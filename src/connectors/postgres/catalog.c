/* The catalogue: four queries (sql/), made into tables, keys, indexes and references. */
#include "connectors/postgres/catalog.h"
#include "base/failpoint.h"
#include "base/text.h"
#include "connectors/common/scope.h"
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

/* The key that identifies a row, and orders the rows. */
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

/* A query of all tables, which is asked several times in a run: without parameters, since the
 * server plans a statement that has some each time anew. */
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
    struct postgres_catalog_moment moment = {0};
    enum status status;
    do {
        status = postgres_catalog_moment_begin(self, connection, &moment, error);
        if (status == STATUS_OK) {
            status = read_once(self, connection, table, arena, catalog, error);
        }
    } while (postgres_catalog_moment_end(self, connection, &moment, &status, error));
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
