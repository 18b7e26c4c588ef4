/* The catalogue: tables, views, their columns, keys and indexes, and what else a file holds. */
#include "connectors/duckdb/duckdb_internal.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The queries of the catalogue, each ordered so that the parts of a table follow one another. %s is
 * a condition. */
static const char tables_sql[] =
    "SELECT table_name, comment, estimated_size, sql, false FROM duckdb_tables() WHERE "
    "database_name = " DUCKDB_HERE " AND schema_name = %q AND NOT internal AND NOT temporary%b "
    "UNION ALL SELECT view_name, comment, -1, sql, true FROM duckdb_views() WHERE "
    "database_name = " DUCKDB_HERE " AND schema_name = %q AND NOT internal AND NOT temporary%b "
    "ORDER BY 1";
static const char columns_sql[] =
    "SELECT table_name, column_name, data_type, column_default, is_nullable, comment FROM "
    "duckdb_columns() WHERE database_name = " DUCKDB_HERE " AND schema_name = %q AND NOT "
    "internal%b ORDER BY table_name, column_index";
static const char constraints_sql[] =
    "SELECT table_name, constraint_type, constraint_name, constraint_column_names, expression, "
    "referenced_table, referenced_column_names FROM duckdb_constraints() WHERE database_name = " DUCKDB_HERE
    " AND schema_name = %q AND constraint_type <> 'NOT NULL'%b ORDER BY "
    "table_name, constraint_index";
static const char indexes_sql[] =
    "SELECT table_name, index_name, is_unique, CAST(expressions AS VARCHAR[]), sql FROM "
    "duckdb_indexes() WHERE database_name = " DUCKDB_HERE " AND schema_name = %q AND NOT "
    "is_primary%b ORDER BY table_name, index_name";
static const char objects_sql[] =
    "SELECT 'sequence', sequence_name, sql FROM duckdb_sequences() WHERE database_name = " DUCKDB_HERE
    " AND schema_name = %q AND NOT temporary UNION ALL "
    "SELECT 'type', type_name, NULL FROM duckdb_types() WHERE database_name = " DUCKDB_HERE " "
    "AND schema_name = %q AND NOT internal UNION ALL "
    "SELECT DISTINCT 'macro', function_name, NULL FROM duckdb_functions() WHERE database_name = " DUCKDB_HERE
    " AND schema_name = %q AND NOT internal UNION ALL "
    "SELECT 'schema', schema_name, NULL FROM duckdb_schemas() WHERE database_name = " DUCKDB_HERE
    " AND schema_name <> %q AND NOT internal ORDER BY 1, 2";

struct builder {
    struct duckdb_database *self;
    struct duckdb_handle *connection;
    struct arena *arena;
    struct buffer only; /* " AND table_name = 'X'" */
    const char *only_name;
    struct duckdb_table_of_cells tables;
    struct duckdb_table_of_cells columns;
    struct duckdb_table_of_cells constraints;
    struct duckdb_table_of_cells indexes;
    struct error *error;
};

static const struct cell *row_of(const struct duckdb_table_of_cells *table, uint32_t row)
{
    return table->cells + (size_t)row * table->width;
}

static const char *text_of(const struct builder *builder, const struct cell *cell)
{
    return duckdb_text_of(cell, builder->arena);
}

/* A text that is there. */
static const char *name_of(const struct builder *builder, const struct cell *cell)
{
    const char *text = text_of(builder, cell);
    return text != NULL ? text : "";
}

static struct column_list names_of(const struct builder *builder, const struct cell *list)
{
    uint32_t count = list->kind == VALUE_LIST ? list->length : 0;
    const char **names = arena_allocate_zeroed(builder->arena, (size_t)count + 1, sizeof *names);
    for (uint32_t i = 0; i < count; i++) {
        names[i] = name_of(builder, &list->items[i]);
    }
    return (struct column_list){names, count};
}

static bool is_of_table(const struct duckdb_table_of_cells *rows, uint32_t row, const char *table)
{
    const struct cell *name = row_of(rows, row);
    return name->kind == VALUE_TEXT && name->length == strlen(table) &&
           memcmp(name->text, table, name->length) == 0;
}

/* The first row of the table's, and how many there are. */
static uint32_t find_rows(const struct duckdb_table_of_cells *rows, const char *table,
                          uint32_t *count)
{
    uint32_t first = 0;
    *count = 0;
    while (first < rows->count && !is_of_table(rows, first, table)) {
        first++;
    }
    while (first + *count < rows->count && is_of_table(rows, first + *count, table)) {
        ++*count;
    }
    return first;
}

/* ---------------------------------------------------------------- columns */

/* Its CREATE TABLE, which DuckDB writes itself, alone says that a column is computed. */
static bool is_generated(const char *sql, const char *name, const char *type)
{
    struct buffer quoted = {0};
    struct buffer plain = {0};
    duckdb_append(&quoted, "%n %s GENERATED ALWAYS AS(", name, type);
    buffer_format(&plain, "%s %s GENERATED ALWAYS AS(", name, type);
    const char *found = sql != NULL ? strstr(sql, buffer_string(&plain)) : NULL;
    bool generated = (found != NULL && found > sql && strchr(" (", found[-1]) != NULL) ||
                     (sql != NULL && strstr(sql, buffer_string(&quoted)) != NULL);
    buffer_free(&quoted);
    buffer_free(&plain);
    return generated;
}

static void read_default(struct schema_column *column)
{
    const char *text = column->default_text;
    size_t length = text != NULL ? strlen(text) : 0;
    if (text == NULL || strcasecmp(text, "NULL") == 0) {
        column->default_text = NULL;
        return;
    }
    column->default_kind = SCHEMA_DEFAULT_OWN;
    if (strncmp(text, "nextval(", 8) == 0) {
        column->default_kind = SCHEMA_DEFAULT_COUNTER;
    } else if (strspn(text, "-0123456789.") == length) {
        column->default_kind = SCHEMA_DEFAULT_VALUE;
        column->default_value = text;
    } else if (length >= 2 && text[0] == '\'' && strchr(text + 1, '\'') == text + length - 1) {
        column->default_kind = SCHEMA_DEFAULT_VALUE;
    } else if (strcasecmp(text, "get_current_timestamp()") == 0 || strcasecmp(text, "now()") == 0) {
        column->default_kind = SCHEMA_DEFAULT_NOW;
    }
}

static void read_columns(struct builder *builder, struct schema_table *table,
                         const struct duckdb_form *forms, uint32_t form_count)
{
    uint32_t count = 0;
    uint32_t first = find_rows(&builder->columns, table->name, &count);
    struct schema_column *columns =
        arena_allocate_zeroed(builder->arena, (size_t)count + 1, sizeof *columns);
    for (uint32_t i = 0; i < count; i++) {
        const struct cell *row = row_of(&builder->columns, first + i);
        struct schema_column *column = &columns[i];
        column->name = name_of(builder, &row[1]);
        column->type = i < form_count ? forms[i].type : (struct value_type){.kind = VALUE_TEXT};
        column->type.native = name_of(builder, &row[2]);
        column->default_text = text_of(builder, &row[3]);
        column->not_null = row[4].kind == VALUE_BOOL && row[4].i64 == 0;
        column->comment = text_of(builder, &row[5]);
        if (is_generated(table->native_sql, column->name, column->type.native)) {
            column->generated = GENERATED_VIRTUAL;
            continue;
        }
        read_default(column);
        if (column->default_kind == SCHEMA_DEFAULT_VALUE && column->default_value == NULL) {
            column->default_value = arena_copy(builder->arena, column->default_text + 1,
                                               strlen(column->default_text) - 2);
        }
    }
    table->columns = columns;
    table->column_count = count;
}

/* ---------------------------------------------------------------- keys, indexes, references */

static bool is_not_null(const struct schema_table *table, struct column_list columns)
{
    for (uint32_t i = 0; i < columns.count; i++) {
        int at = schema_find_column(table, columns.names[i]);
        if (at < 0 || !table->columns[at].not_null) {
            return false;
        }
    }
    return columns.count > 0;
}

static void add_constraint(struct builder *builder, const struct cell *row,
                           struct schema_table *table, struct schema_index *indexes,
                           struct schema_foreign_key *keys, const char **checks,
                           struct column_list *check_columns)
{
    const char *kind = name_of(builder, &row[1]);
    const char *name = text_of(builder, &row[2]);
    const struct column_list columns = names_of(builder, &row[3]);
    if (strcmp(kind, "PRIMARY KEY") == 0) {
        table->primary_key = columns;
        table->primary_key_not_null = true;
    }
    if (strcmp(kind, "PRIMARY KEY") == 0 || strcmp(kind, "UNIQUE") == 0) {
        indexes[table->index_count++] = (struct schema_index){
            .name = name, .columns = columns, .unique = true, .implied = true};
    } else if (strcmp(kind, "FOREIGN KEY") == 0) {
        keys[table->foreign_key_count++] =
            (struct schema_foreign_key){.name = name,
                                        .columns = columns,
                                        .references = name_of(builder, &row[5]),
                                        .referenced_columns = names_of(builder, &row[6])};
    } else if (strcmp(kind, "CHECK") == 0) {
        check_columns[table->check_count] = columns;
        checks[table->check_count++] = name_of(builder, &row[4]);
    }
}

/* The name of a column, or "" of an expression. */
static const char *column_of_expression(const struct builder *builder,
                                        const struct schema_table *table, const char *expression)
{
    struct buffer quoted = {0};
    const char *found = "";
    for (uint32_t i = 0; i < table->column_count; i++) {
        buffer_clear(&quoted);
        duckdb_append_name(&quoted, table->columns[i].name);
        if (strcmp(buffer_string(&quoted), expression) == 0 ||
            strcasecmp(table->columns[i].name, expression) == 0) {
            found = table->columns[i].name;
        }
    }
    (void)builder;
    buffer_free(&quoted);
    return found;
}

static void add_index(struct builder *builder, const struct cell *row, struct schema_table *table,
                      struct schema_index *index)
{
    const struct column_list expressions = names_of(builder, &row[3]);
    const char **columns =
        arena_allocate_zeroed(builder->arena, (size_t)expressions.count + 1, sizeof *columns);
    for (uint32_t i = 0; i < expressions.count; i++) {
        columns[i] = column_of_expression(builder, table, expressions.names[i]);
    }
    *index = (struct schema_index){.name = name_of(builder, &row[1]),
                                   .columns = {columns, expressions.count},
                                   .unique = row[2].kind == VALUE_BOOL && row[2].i64 != 0,
                                   .native_sql = text_of(builder, &row[4])};
    table->index_count++;
}

static const struct column_list *read_keys(struct builder *builder, struct schema_table *table)
{
    uint32_t constraint_count = 0;
    uint32_t index_count = 0;
    uint32_t constraint = find_rows(&builder->constraints, table->name, &constraint_count);
    uint32_t index = find_rows(&builder->indexes, table->name, &index_count);
    struct schema_index *indexes = arena_allocate_zeroed(
        builder->arena, (size_t)constraint_count + index_count + 1, sizeof *indexes);
    struct schema_foreign_key *keys =
        arena_allocate_zeroed(builder->arena, (size_t)constraint_count + 1, sizeof *keys);
    const char **checks =
        arena_allocate_zeroed(builder->arena, (size_t)constraint_count + 1, sizeof *checks);
    struct column_list *check_columns =
        arena_allocate_zeroed(builder->arena, (size_t)constraint_count + 1, sizeof *check_columns);
    for (uint32_t i = 0; i < constraint_count; i++) {
        add_constraint(builder, row_of(&builder->constraints, constraint + i), table, indexes, keys,
                       checks, check_columns);
    }
    for (uint32_t i = 0; i < index_count; i++) {
        add_index(builder, row_of(&builder->indexes, index + i), table,
                  &indexes[table->index_count]);
    }
    table->indexes = indexes;
    table->foreign_keys = keys;
    table->checks = checks;
    return check_columns;
}

/* The columns that name a record: the primary key, or a unique index of columns that are never
 * NULL. */
static struct column_list key_of(const struct schema_table *table)
{
    if (table->primary_key.count > 0) {
        return table->primary_key;
    }
    for (uint32_t i = 0; i < table->index_count; i++) {
        if (table->indexes[i].unique && is_not_null(table, table->indexes[i].columns)) {
            return table->indexes[i].columns;
        }
    }
    return (struct column_list){0};
}

/* ---------------------------------------------------------------- tables */

/* How its columns lie in vectors, as a result without rows tells. */
static enum status read_forms(struct builder *builder, const char *name, const char *query,
                              struct duckdb_form **forms, uint32_t *count)
{
    struct duckdb_rows rows;
    struct buffer sql = {0};
    if (query == NULL) {
        duckdb_append(&sql, "SELECT * FROM %t LIMIT 0", &builder->self->sql, name);
    } else {
        buffer_append_string(&sql, "SELECT * FROM ");
        sql_append_query(&sql, query);
        buffer_append_string(&sql, " LIMIT 0");
    }
    enum status status =
        duckdb_rows_open(&rows, builder->self, builder->connection, buffer_string(&sql), NULL,
                         ERROR_PLAN_INVALID, builder->error);
    buffer_free(&sql);
    if (status == STATUS_OK) {
        *forms = duckdb_forms_of(&rows, builder->arena, count);
        duckdb_rows_close(&rows);
    }
    return status;
}

static enum status add_table(struct builder *builder, const struct cell *row,
                             struct schema_table *schema, struct duckdb_table *table,
                             const char **broken)
{
    struct duckdb_form *forms = NULL;
    uint32_t count = 0;
    bool is_view = row[4].kind == VALUE_BOOL && row[4].i64 != 0;
    *broken = NULL;
    *schema = (struct schema_table){
        .kind = is_view ? SCHEMA_VIEW : SCHEMA_TABLE,
        .name = name_of(builder, &row[0]),
        .comment = text_of(builder, &row[1]),
        .native_sql = text_of(builder, &row[3]),
        .row_key = is_view ? NULL : "rowid",
        .row_count = row[2].kind == VALUE_INT64 ? row[2].i64 : -1,
        .size_bytes = -1,
        .long_bytes = -1,
    };
    if (read_forms(builder, schema->name, NULL, &forms, &count) != STATUS_OK) {
        if (!is_view || builder->error->code == ERROR_MEMORY) {
            return STATUS_FAILED;
        }
        *broken =
            arena_format(builder->arena, "a view that can't be read: %s", builder->error->message);
        error_clear(builder->error);
        return STATUS_END;
    }
    read_columns(builder, schema, forms, count);
    const struct column_list *check_columns = is_view ? NULL : read_keys(builder, schema);
    *table = (struct duckdb_table){
        .schema = schema, .forms = forms, .check_columns = check_columns, .key = key_of(schema)};
    return STATUS_OK;
}

static enum status duckdb_catalog_ask(struct builder *builder, struct duckdb_table_of_cells *into,
                                      const char *format)
{
    const char *schema = builder->self->sql.schema;
    return duckdb_read_all(builder->self, builder->connection,
                           duckdb_sql(format, schema, &builder->only, schema, &builder->only),
                           ERROR_SOURCE_READ, builder->arena, into, builder->error);
}

static enum status read_tables(struct builder *builder, struct schema *schema,
                               struct duckdb_catalog *catalog)
{
    struct buffer views = {0};
    const char *name = builder->self->sql.schema;
    if (builder->only_name != NULL) {
        duckdb_append(&views, " AND lower(view_name) = lower(%q)", builder->only_name);
    }
    enum status status =
        duckdb_read_all(builder->self, builder->connection,
                        duckdb_sql(tables_sql, name, &builder->only, name, &views),
                        ERROR_SOURCE_READ, builder->arena, &builder->tables, builder->error);
    buffer_free(&views);
    if (status != STATUS_OK ||
        duckdb_catalog_ask(builder, &builder->columns, columns_sql) != STATUS_OK ||
        duckdb_catalog_ask(builder, &builder->constraints, constraints_sql) != STATUS_OK ||
        duckdb_catalog_ask(builder, &builder->indexes, indexes_sql) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t count = builder->tables.count;
    struct schema_table *tables =
        arena_allocate_zeroed(builder->arena, (size_t)count + 1, sizeof *tables);
    struct duckdb_table *facts =
        arena_allocate_zeroed(builder->arena, (size_t)count + 1, sizeof *facts);
    struct schema_object *objects =
        arena_allocate_zeroed(builder->arena, (size_t)count + 1, sizeof *objects);
    for (uint32_t i = 0; i < count; i++) {
        const char *broken = NULL;
        status = add_table(builder, row_of(&builder->tables, i), &tables[schema->table_count],
                           &facts[schema->table_count], &broken);
        if (status == STATUS_FAILED) {
            return STATUS_FAILED;
        }
        if (status == STATUS_END) {
            objects[schema->object_count++] =
                (struct schema_object){.kind = SCHEMA_OBJECT_OTHER,
                                       .name = tables[schema->table_count].name,
                                       .not_carried = broken};
        } else {
            schema->table_count++;
        }
    }
    schema->tables = tables;
    schema->objects = objects;
    catalog->tables = facts;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- what else there is */

static struct schema_object object_of(const struct builder *builder, const struct cell *row)
{
    const char *what = name_of(builder, &row[0]);
    bool sequence = strcmp(what, "sequence") == 0;
    struct schema_object object = {
        .kind = sequence ? SCHEMA_OBJECT_SEQUENCE : SCHEMA_OBJECT_OTHER,
        .stage = SCHEMA_BEFORE_TABLES,
        .what = what,
        .name = name_of(builder, &row[1]),
        .not_carried = "only DuckDB understands its text",
    };
    if (strcmp(what, "schema") == 0) {
        object.not_carried = "tables of one schema are copied at a time: duckdb:FILE?schema=NAME";
    } else if (strcmp(what, "type") == 0) {
        object.not_carried = "columns of the type are declared by what it stands for";
    } else if (sequence) {
        object.not_carried = "a sequence is DuckDB's own";
    }
    return object;
}

static enum status read_objects(struct builder *builder, struct schema *schema)
{
    struct duckdb_table_of_cells found;
    const char *name = builder->self->sql.schema;
    if (duckdb_read_all(builder->self, builder->connection,
                        duckdb_sql(objects_sql, name, name, name, name), ERROR_SOURCE_READ,
                        builder->arena, &found, builder->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct schema_object *objects = arena_allocate_zeroed(
        builder->arena, (size_t)schema->object_count + schema->table_count + found.count + 1,
        sizeof *objects);
    uint32_t count = 0;
    for (uint32_t i = 0; i < schema->object_count; i++) {
        objects[count++] = schema->objects[i];
    }
    for (uint32_t i = 0; i < schema->table_count; i++) {
        if (schema->tables[i].kind == SCHEMA_VIEW) {
            objects[count++] =
                (struct schema_object){.kind = SCHEMA_OBJECT_VIEW,
                                       .name = schema->tables[i].name,
                                       .not_carried = "a view is written in DuckDB's own SQL"};
        }
    }
    for (uint32_t i = 0; i < found.count; i++) {
        objects[count++] = object_of(builder, row_of(&found, i));
    }
    schema->objects = objects;
    schema->object_count = count;
    return STATUS_OK;
}

enum status duckdb_catalog_read(struct duckdb_database *self, struct duckdb_handle *connection,
                                const char *only, struct arena *arena,
                                struct duckdb_catalog *catalog, struct error *error)
{
    struct builder builder = {
        .self = self, .connection = connection, .arena = arena, .only_name = only, .error = error};
    struct schema *schema = arena_allocate_zeroed(arena, 1, sizeof *schema);
    if (only != NULL) {
        duckdb_append(&builder.only, " AND lower(table_name) = lower(%q)", only);
    } else {
        duckdb_append(&builder.only, " AND NOT starts_with(lower(table_name), '_transhume_')");
    }
    schema->arena = arena;
    *catalog = (struct duckdb_catalog){.schema = schema};
    enum status status = read_tables(&builder, schema, catalog);
    if (status == STATUS_OK && only == NULL) {
        status = read_objects(&builder, schema);
    }
    buffer_free(&builder.only);
    return status;
}

/* ---------------------------------------------------------------- finding */

enum status duckdb_catalog_get(struct duckdb_database *self, const struct duckdb_catalog **catalog,
                               struct error *error)
{
    if (self->catalog == NULL) {
        struct duckdb_catalog *read = arena_allocate_zeroed(self->arena, 1, sizeof *read);
        if (duckdb_catalog_read(self, self->control, NULL, self->arena, read, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        self->catalog = read;
    }
    *catalog = self->catalog;
    return STATUS_OK;
}

const struct duckdb_table *duckdb_catalog_find(const struct duckdb_catalog *catalog,
                                               const char *name)
{
    for (uint32_t i = 0; i < catalog->schema->table_count; i++) {
        if (strcasecmp(catalog->schema->tables[i].name, name) == 0) {
            return &catalog->tables[i];
        }
    }
    return NULL;
}

int32_t duckdb_find_column(const struct duckdb_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->schema->column_count; i++) {
        if (strcasecmp(table->schema->columns[i].name, name) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

/* ---------------------------------------------------------------- catalog_functions */

enum status duckdb_describe_query(struct duckdb_database *self, struct duckdb_handle *connection,
                                  const char *query, struct arena *arena,
                                  struct schema_table *schema, struct duckdb_form **forms,
                                  struct error *error)
{
    const struct duckdb_library *library = self->library;
    struct duckdb_rows rows;
    struct buffer sql = {0};
    uint32_t count = 0;
    buffer_append_string(&sql, "SELECT * FROM ");
    sql_append_query(&sql, query);
    buffer_append_string(&sql, " LIMIT 0");
    enum status status = duckdb_rows_open(&rows, self, connection, buffer_string(&sql), NULL,
                                          ERROR_PLAN_INVALID, error);
    buffer_free(&sql);
    if (status != STATUS_OK) {
        return STATUS_FAILED;
    }
    *forms = duckdb_forms_of(&rows, arena, &count);
    struct schema_column *columns =
        arena_allocate_zeroed(arena, (size_t)count + 1, sizeof *columns);
    for (uint32_t i = 0; i < count; i++) {
        columns[i].name = arena_copy_string(arena, library->column_name(&rows.result, i));
        columns[i].type = (*forms)[i].type;
    }
    duckdb_rows_close(&rows);
    *schema = (struct schema_table){.kind = SCHEMA_QUERY,
                                    .columns = columns,
                                    .column_count = count,
                                    .row_count = -1,
                                    .size_bytes = -1,
                                    .long_bytes = -1};
    return STATUS_OK;
}

/* The caller destroys the arena, which is the schema's own. */
static enum status duckdb_catalog_describe(struct database *database, struct schema **schema,
                                           struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(database);
    struct duckdb_catalog catalog;
    struct arena *arena = arena_create(0);
    *schema = NULL;
    if (duckdb_catalog_read(self, self->control, NULL, arena, &catalog, error) != STATUS_OK) {
        arena_destroy(arena);
        return STATUS_FAILED;
    }
    *schema = catalog.schema;
    return STATUS_OK;
}

static enum status describe_query(struct database *database, const char *query, struct arena *arena,
                                  struct schema_table *table, struct error *error)
{
    struct duckdb_database *self = duckdb_database_of(database);
    struct duckdb_form *forms = NULL;
    return duckdb_describe_query(self, self->control, query, arena, table, &forms, error);
}

const struct catalog_functions duckdb_catalog_functions = {
    .describe = duckdb_catalog_describe,
    .describe_query = describe_query,
};
