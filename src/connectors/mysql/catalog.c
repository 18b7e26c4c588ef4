/* The catalogue: queries (sql/) made into tables, columns, keys, indexes and references. */
#include "connectors/mysql/catalog.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/signals.h"
#include "connectors/common/scope.h"
#include "mysql_sql.h"
#include "sql/default_text.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <xxhash.h>

/* A result whose first column is the table's name, by whose bytes it is ordered. */
struct rows {
    MYSQL_RES *result;
    MYSQL_ROW *rows;
    uint32_t count;
};

struct builder {
    struct mysql_database *self;
    MYSQL *connection;
    const char *schema; /* of which the rows are */
    const char *table;  /* NULL: all */
    struct arena *arena;
    struct rows tables;
    struct rows columns;
    struct rows indexes;
    struct rows foreign_keys;
    struct rows checks;
    struct error *error;
};

struct range {
    uint32_t first;
    uint32_t end;
};

static const char *cell(const struct rows *rows, uint32_t row, unsigned column)
{
    return rows->rows[row][column] != NULL ? rows->rows[row][column] : "";
}

static int64_t number(const struct rows *rows, uint32_t row, unsigned column)
{
    int64_t value = -1;
    const char *digits = rows->rows[row][column];
    return digits != NULL && text_to_int64(digits, strlen(digits), &value) == STATUS_OK ? value
                                                                                        : -1;
}

/* A copy in the arena; NULL stays NULL. */
static const char *text(const struct builder *builder, const struct rows *rows, uint32_t row,
                        unsigned column)
{
    const char *found = rows->rows[row][column];
    return found != NULL ? arena_copy_string(builder->arena, found) : NULL;
}

static void *zeroed(const struct builder *builder, size_t count, size_t size)
{
    return arena_allocate_zeroed(builder->arena, count + 1, size);
}

static struct range find_rows(const struct rows *rows, const char *table)
{
    uint32_t low = 0;
    uint32_t high = rows->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(cell(rows, middle, 0), table) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    struct range range = {low, low};
    while (range.end < rows->count && strcmp(cell(rows, range.end, 0), table) == 0) {
        range.end++;
    }
    return range;
}

/* ---------------------------------------------------------------- columns */

/* As an expression: MySQL gives the bare text of a literal. */
static const char *default_of(struct builder *builder, uint32_t row)
{
    const char *given = builder->columns.rows[row][5];
    bool expression = builder->self->mariadb ||
                      strstr(cell(&builder->columns, row, 6), "DEFAULT_GENERATED") != NULL ||
                      strncasecmp(given, "CURRENT_TIMESTAMP", 17) == 0;
    if (expression) {
        return text(builder, &builder->columns, row, 5);
    }
    struct buffer quoted = {0};
    mysql_append_string(&quoted, given);
    return sql_text(builder->arena, &quoted);
}

/* ON UPDATE CURRENT_TIMESTAMP, INVISIBLE; NULL: nothing of that kind. */
static const char *extra_of(struct builder *builder, const char *extra)
{
    const char *found = strcasestr(extra, "on update");
    found = found != NULL ? found : strcasestr(extra, "invisible");
    return found != NULL ? arena_copy_string(builder->arena, found) : NULL;
}

/* All but those of NO PAD, which their names say, fill the shorter text up with blanks. */
static const char *taken_for_equal(const char *collation)
{
    size_t length = collation != NULL ? strlen(collation) : 0;
    if (length == 0 || strcmp(collation, "binary") == 0) {
        return NULL;
    }
    bool bytes = length > 4 && strcmp(collation + length - 4, "_bin") == 0;
    bool padded = strstr(collation, "_nopad_") == NULL && strstr(collation, "_0900_") == NULL;
    if (bytes) {
        return padded ? "what differs in blanks at the end alone" : NULL;
    }
    return padded ? "what differs in case, accents, blanks at the end or the like alone"
                  : "what differs in case, accents or the like alone";
}

static void read_column(struct builder *builder, uint32_t row, struct schema_column *column,
                        struct mysql_column *facts)
{
    const struct rows *rows = &builder->columns;
    const char *extra = cell(rows, row, 6);
    bool stored = strstr(extra, "STORED GENERATED") != NULL || strstr(extra, "PERSISTENT") != NULL;
    bool computed = stored || strstr(extra, "VIRTUAL") != NULL;
    const char *given = rows->rows[row][5];

    facts->name = text(builder, rows, row, 1);
    facts->type = mysql_type_of(cell(rows, row, 2), text(builder, rows, row, 3));
    facts->type.type.zone =
        facts->type.format == MYSQL_AS_TIMESTAMP ? builder->self->sql.base.time_zone : NULL;
    facts->charset = text(builder, rows, row, 7);
    facts->collation = text(builder, rows, row, 8);
    facts->not_null = strcmp(cell(rows, row, 4), "NO") == 0;
    facts->generated = computed;
    facts->counted = strstr(extra, "auto_increment") != NULL;
    /* MariaDB says NULL as a text, MySQL leaves it out */
    bool given_one = given != NULL && strcmp(given, "NULL") != 0;
    facts->has_default = facts->counted || given_one;
    *column = (struct schema_column){
        .name = facts->name,
        .type = facts->type.type,
        .not_null = facts->not_null,
        .generated = stored     ? GENERATED_STORED
                     : computed ? GENERATED_VIRTUAL
                                : GENERATED_NO,
        .identity = facts->counted,
        .default_text = computed    ? text(builder, rows, row, 9)
                        : given_one ? default_of(builder, row)
                                    : NULL,
        .collation = facts->collation,
        .loose = taken_for_equal(facts->collation),
        .extra = extra_of(builder, extra),
        .comment = text(builder, rows, row, 10),
    };
    sql_default_read(column, SQL_BACKSLASHES, builder->arena);
    /* the catalogue has a question mark for each character beyond U+FFFF */
    if (column->default_kind == SCHEMA_DEFAULT_VALUE && column->default_value != NULL &&
        strchr(column->default_value, '?') != NULL) {
        column->default_kind = SCHEMA_DEFAULT_OWN;
    }
}

/* MariaDB's json is longtext with a check of its own name. */
static bool is_json(const struct builder *builder, struct range checks, const char *name)
{
    for (uint32_t row = checks.first; row < checks.end; row++) {
        if (strcmp(cell(&builder->checks, row, 1), name) == 0 &&
            strncasecmp(cell(&builder->checks, row, 2), "json_valid(", 11) == 0) {
            return true;
        }
    }
    return false;
}

static void read_columns(struct builder *builder, const char *name, struct schema_table *table,
                         struct mysql_table *facts)
{
    struct range range = find_rows(&builder->columns, name);
    struct range checks = find_rows(&builder->checks, name);
    uint32_t count = range.end - range.first;
    struct schema_column *columns = zeroed(builder, count, sizeof *columns);
    struct mysql_column *details = zeroed(builder, count, sizeof *details);
    for (uint32_t i = 0; i < count; i++) {
        read_column(builder, range.first + i, &columns[i], &details[i]);
        if (details[i].type.format == MYSQL_AS_TEXT && is_json(builder, checks, details[i].name)) {
            details[i].type.format = MYSQL_AS_JSON;
            details[i].type.type.kind = VALUE_JSON;
            details[i].type.type.precision = 0;
            columns[i].type = details[i].type.type;
        }
    }
    table->columns = columns;
    table->column_count = count;
    facts->columns = details;
}

/* The check that makes a column json is its type. */
static bool is_of_type(const struct builder *builder, const struct schema_table *table,
                       uint32_t row)
{
    const char *name = cell(&builder->checks, row, 1);
    int column = schema_find_column(table, name);
    return column >= 0 && table->columns[column].type.kind == VALUE_JSON &&
           strncasecmp(cell(&builder->checks, row, 2), "json_valid(", 11) == 0;
}

static void read_checks(struct builder *builder, const char *name, struct schema_table *table)
{
    struct range range = find_rows(&builder->checks, name);
    const char **checks = zeroed(builder, range.end - range.first, sizeof *checks);
    for (uint32_t row = range.first; row < range.end; row++) {
        if (!is_of_type(builder, table, row)) {
            checks[table->check_count++] = text(builder, &builder->checks, row, 2);
        }
    }
    table->checks = checks;
}

/* ---------------------------------------------------------------- keys and indexes */

/* The rows from `row` on that have the same name in `column`. */
static uint32_t group_end(const struct rows *rows, uint32_t row, uint32_t end, unsigned column)
{
    const char *name = cell(rows, row, column);
    while (row < end && strcmp(cell(rows, row, column), name) == 0) {
        row++;
    }
    return row;
}

static struct column_list list_of(struct builder *builder, const struct rows *rows, uint32_t first,
                                  uint32_t end, unsigned column)
{
    const char **names = zeroed(builder, end - first, sizeof *names);
    for (uint32_t row = first; row < end; row++) {
        const char *name = text(builder, rows, row, column);
        names[row - first] = name != NULL ? name : "";
    }
    return (struct column_list){names, end - first};
}

static bool is_not_null(const struct mysql_table *facts, struct column_list columns)
{
    for (uint32_t i = 0; i < columns.count; i++) {
        int32_t column = mysql_find_column(facts, columns.names[i]);
        if (column < 0 || !facts->columns[column].not_null) {
            return false;
        }
    }
    return columns.count > 0;
}

/* FULLTEXT, SPATIAL; NULL: what finds values. */
static const char *method_of(struct builder *builder, uint32_t row)
{
    const char *method = cell(&builder->indexes, row, 4);
    bool plain = strcmp(method, "BTREE") == 0 || strcmp(method, "HASH") == 0;
    return plain ? NULL : text(builder, &builder->indexes, row, 4);
}

/* "v DESC"; NULL: all of its columns ascend. */
static const char *details_of(struct builder *builder, uint32_t first, uint32_t end)
{
    struct buffer words = {0};
    for (uint32_t row = first; row < end; row++) {
        if (strcmp(cell(&builder->indexes, row, 5), "1") == 0) {
            buffer_format(&words, "%s%s DESC", words.length > 0 ? ", " : "",
                          cell(&builder->indexes, row, 3));
        }
    }
    const char *copy = buffer_is_empty(&words) ? NULL : sql_text(builder->arena, &words);
    return copy;
}

/* The first is the primary key, if there is one. */
static void read_indexes(struct builder *builder, const char *name, struct schema_table *table,
                         struct mysql_table *facts)
{
    const struct rows *rows = &builder->indexes;
    struct range range = find_rows(rows, name);
    struct schema_index *indexes = zeroed(builder, range.end - range.first, sizeof *indexes);
    for (uint32_t row = range.first; row < range.end;) {
        uint32_t end = group_end(rows, row, range.end, 1);
        struct column_list columns = list_of(builder, rows, row, end, 3);
        bool unique = strcmp(cell(rows, row, 2), "0") == 0;
        if (strcmp(cell(rows, row, 1), "PRIMARY") == 0) {
            table->primary_key = columns;
            table->primary_key_not_null = true;
        } else {
            bool whole = true;
            bool named = true;
            for (uint32_t i = 0; i < columns.count; i++) {
                whole = whole && columns.names[i][0] != '\0';
                named = named && cell(rows, row + i, 6)[0] != '\0';
            }
            indexes[table->index_count++] = (struct schema_index){
                .name = text(builder, rows, row, 1),
                .columns = columns,
                .unique = unique,
                .partial = !whole,
                .beginnings =
                    whole || !named ? (struct column_list){0} : list_of(builder, rows, row, end, 6),
                .method = method_of(builder, row),
                .details = details_of(builder, row, end)};
            if (unique && whole && facts->key.count == 0 && is_not_null(facts, columns)) {
                facts->key = columns;
            }
        }
        row = end;
    }
    table->indexes = indexes;
    /* a key of a part of a column, which is not what tells rows apart by value */
    bool whole = is_not_null(facts, table->primary_key);
    facts->key = whole ? table->primary_key : facts->key;
    if (!whole) {
        table->primary_key = (struct column_list){0};
        table->primary_key_not_null = false;
    }
}

static const char *action_of(struct builder *builder, uint32_t row, unsigned column)
{
    const char *words = cell(&builder->foreign_keys, row, column);
    bool plain = strcmp(words, "NO ACTION") == 0 || strcmp(words, "RESTRICT") == 0;
    return plain ? NULL : text(builder, &builder->foreign_keys, row, column);
}

static void read_foreign_keys(struct builder *builder, const char *name, struct schema_table *table)
{
    const struct rows *rows = &builder->foreign_keys;
    struct range range = find_rows(rows, name);
    struct schema_foreign_key *keys = zeroed(builder, range.end - range.first, sizeof *keys);
    for (uint32_t row = range.first; row < range.end;) {
        uint32_t end = group_end(rows, row, range.end, 1);
        const char *schema = cell(rows, row, 3);
        bool own = sql_is_in_scope(&builder->self->sql, schema);
        keys[table->foreign_key_count++] = (struct schema_foreign_key){
            .name = text(builder, rows, row, 1),
            .columns = list_of(builder, rows, row, end, 2),
            .references =
                sql_name_in(&builder->self->sql, schema, cell(rows, row, 4), builder->arena),
            .references_schema = own ? NULL : text(builder, rows, row, 3),
            .referenced_columns = list_of(builder, rows, row, end, 5),
            .on_delete = action_of(builder, row, 6),
            .on_update = action_of(builder, row, 7),
        };
        row = end;
    }
    table->foreign_keys = keys;
}

/* ---------------------------------------------------------------- tables */

/* A NULL is no text, and no text runs into the next. */
static void add_cell(struct buffer *bytes, const char *cell)
{
    buffer_append_byte(bytes, cell != NULL);
    if (cell != NULL) {
        buffer_append(bytes, cell, strlen(cell) + 1);
    }
}

/* By its columns, and by when it was made: a column that went and came again may look alike. */
static uint64_t hash_of(struct buffer *bytes)
{
    uint64_t hash = XXH3_64bits(bytes->data, bytes->length);
    buffer_free(bytes);
    return hash;
}

static const char *name_of(const struct builder *builder, uint32_t row)
{
    return sql_name_in(&builder->self->sql, builder->schema, cell(&builder->tables, row, 0),
                       builder->arena);
}

static struct mysql_shape shape_of(struct builder *builder, uint32_t row)
{
    enum { TABLE_CREATE_TIME = 7 };
    struct buffer columns = {0};
    struct buffer created = {0};
    const char *time = builder->tables.rows[row][TABLE_CREATE_TIME];
    struct range range = find_rows(&builder->columns, cell(&builder->tables, row, 0));
    unsigned width = range.end > range.first ? mysql_num_fields(builder->columns.result) : 0;
    for (uint32_t i = range.first; i < range.end; i++) {
        for (unsigned j = 1; j < width; j++) {
            add_cell(&columns, builder->columns.rows[i][j]);
        }
    }
    add_cell(&created, time);
    uint64_t when = hash_of(&created);
    return (struct mysql_shape){.name = name_of(builder, row),
                                .columns = hash_of(&columns),
                                .created = time != NULL ? when : 0};
}

/* MariaDB forgets when it made a table with an index on a virtual column, soon after it is read. */
bool mysql_shape_is_other(const struct mysql_shape *shape, const struct mysql_shape *now)
{
    return shape->columns != now->columns ||
           (shape->created != 0 && now->created != 0 && shape->created != now->created);
}

static void read_table(struct builder *builder, uint32_t row, struct schema_table *table,
                       struct mysql_table *facts)
{
    const struct rows *rows = &builder->tables;
    const char *name = cell(rows, row, 0);
    bool is_view = strcmp(cell(rows, row, 1), "VIEW") == 0;
    *table = (struct schema_table){
        .kind = is_view ? SCHEMA_VIEW : SCHEMA_TABLE,
        .name = name_of(builder, row),
        .row_count = is_view ? -1 : number(rows, row, 3),
        .size_bytes = is_view ? -1 : number(rows, row, 4),
        .next_number = number(rows, row, 6),
        .details = is_view ? NULL : text(builder, rows, row, 8),
    };
    facts->schema = table;
    facts->engine = text(builder, rows, row, 2);
    facts->comment = text(builder, rows, row, 5);
    table->comment = is_view ? NULL : facts->comment;
    facts->row_estimate = table->row_count;
    facts->shape = shape_of(builder, row);
    read_columns(builder, name, table, facts);
    if (!is_view) {
        read_indexes(builder, name, table, facts);
        read_foreign_keys(builder, name, table);
        read_checks(builder, name, table);
    }
}

static enum status mysql_catalog_ask(struct builder *builder, const char *sql, struct rows *rows)
{
    struct mysql_database *self = builder->self;
    enum error_code otherwise =
        self->mode == OPEN_SOURCE ? ERROR_SOURCE_READ : ERROR_TARGET_INVALID;

    if (mysql_run_buffer(self, builder->connection,
                         mysql_filled(sql, builder->schema, builder->table), SQL_LONG, otherwise,
                         &rows->result, builder->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint64_t count = rows->result != NULL ? mysql_num_rows(rows->result) : 0;
    rows->rows = memory_allocate_zeroed((size_t)count + 1, sizeof *rows->rows);
    for (uint64_t i = 0; i < count; i++) {
        MYSQL_ROW row = mysql_fetch_row(rows->result);
        /* information_schema compares names without case */
        bool wanted = builder->table == NULL || self->folds_names ||
                      (row[0] != NULL && strcmp(row[0], builder->table) == 0);
        if (row[0] != NULL && wanted) {
            rows->rows[rows->count++] = row;
        }
    }
    return STATUS_OK;
}

static void free_rows(struct rows *rows)
{
    mysql_free_result(rows->result);
    free(rows->rows);
    *rows = (struct rows){0};
}

/* A table that has a definition and no engine's part: its CREATE is under way, perhaps for a client
 * that is gone, or it is damaged. */
static bool is_any_half_made(const struct rows *tables)
{
    enum { TABLE_TYPE = 1, TABLE_ENGINE = 2 };
    bool found = false;
    for (uint32_t i = 0; !found && i < tables->count; i++) {
        found = tables->rows[i][TABLE_ENGINE] == NULL &&
                strcmp(cell(tables, i, TABLE_TYPE), "VIEW") != 0;
    }
    return found;
}

static enum status ask_tables(struct builder *builder)
{
    enum { HALF_MADE_MS = 3000, STEP_MS = 50 };
    int64_t until_ms = clock_monotonic_ms() + HALF_MADE_MS;
    enum status status = mysql_catalog_ask(builder, sql_tables, &builder->tables);
    while (status == STATUS_OK && is_any_half_made(&builder->tables) &&
           clock_monotonic_ms() < until_ms && signals_stop_level() == 0) {
        clock_sleep_ms(STEP_MS);
        free_rows(&builder->tables);
        status = mysql_catalog_ask(builder, sql_tables, &builder->tables);
    }
    return status;
}

static enum status ask_columns(struct builder *builder)
{
    const struct mysql_database *self = builder->self;
    bool generated = self->version >= (self->mariadb ? 100200u : 50700u);
    enum status status = ask_tables(builder);
    return status == STATUS_OK
               ? mysql_catalog_ask(builder, generated ? sql_columns : sql_columns_old,
                                   &builder->columns)
               : status;
}

static enum status ask_all(struct builder *builder)
{
    const struct mysql_database *self = builder->self;
    const char *checks = self->mariadb && self->version >= 100222   ? sql_checks_mariadb
                         : !self->mariadb && self->version >= 80016 ? sql_checks_mysql
                                                                    : NULL;
    if (ask_columns(builder) != STATUS_OK ||
        mysql_catalog_ask(builder, sql_indexes, &builder->indexes) != STATUS_OK ||
        mysql_catalog_ask(builder, sql_foreign_keys, &builder->foreign_keys) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return checks != NULL ? mysql_catalog_ask(builder, checks, &builder->checks) : STATUS_OK;
}

static void free_all(struct builder *builder)
{
    free_rows(&builder->tables);
    free_rows(&builder->columns);
    free_rows(&builder->indexes);
    free_rows(&builder->foreign_keys);
    free_rows(&builder->checks);
}

/* The databases that are read: that of one table, or all of the scope. */
static struct column_list databases_of(const struct mysql_database *self, struct builder *builder)
{
    const char **names = zeroed(builder, 1, sizeof *names);
    if (builder->table == NULL) {
        return scope_names(&self->sql.base.scope, builder->arena);
    }
    const struct sql_table_place place = sql_place_of(&self->sql, builder->table);
    builder->table = place.name;
    names[0] = place.schema;
    return (struct column_list){names, 1};
}

/* The tables of one database, behind those that were read before. */
static enum status add_tables(struct builder *builder, struct schema_table **tables,
                              struct mysql_table **facts, uint32_t *count)
{
    enum status status = ask_all(builder);
    if (status == STATUS_OK) {
        size_t whole = (size_t)*count + builder->tables.count;
        struct schema_table *all = zeroed(builder, whole, sizeof *all);
        struct mysql_table *known = zeroed(builder, whole, sizeof *known);
        for (uint32_t i = 0; i < *count; i++) {
            all[i] = (*tables)[i];
            known[i] = (*facts)[i];
        }
        for (uint32_t i = 0; i < builder->tables.count; i++) {
            read_table(builder, i, &all[*count + i], &known[*count + i]);
        }
        *tables = all;
        *facts = known;
        *count = (uint32_t)whole;
        for (uint32_t i = 0; i < whole; i++) {
            known[i].schema = &all[i];
        }
    }
    free_all(builder);
    return status;
}

static int compare_facts(const void *left, const void *right)
{
    return strcmp(((const struct mysql_table *)left)->schema->name,
                  ((const struct mysql_table *)right)->schema->name);
}

/* By name, as one database's come. */
static struct schema_table *sort_tables(struct builder *builder, struct mysql_table *facts,
                                        uint32_t count)
{
    struct schema_table *sorted = zeroed(builder, count, sizeof *sorted);
    qsort(facts, count, sizeof *facts, compare_facts);
    for (uint32_t i = 0; i < count; i++) {
        sorted[i] = *facts[i].schema;
        facts[i].schema = &sorted[i];
    }
    return sorted;
}

/* A plain name that means a table of another database. */
static enum status check_names(const struct builder *builder, const struct mysql_table *facts,
                               uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        if (strcmp(facts[i].schema->name, facts[i - 1].schema->name) == 0) {
            return error_set(builder->error, ERROR_SOURCE_INVALID, facts[i].schema->name,
                             "two tables go by this name, since one of the database %s has a dot "
                             "in its own",
                             builder->self->sql.schema);
        }
    }
    return STATUS_OK;
}

enum status mysql_catalog_read_once(struct mysql_database *self, MYSQL *connection,
                                    const char *table, struct arena *arena,
                                    struct mysql_catalog *catalog, struct error *error)
{
    struct builder builder = {
        .self = self, .connection = connection, .table = table, .arena = arena, .error = error};
    const struct column_list databases = databases_of(self, &builder);
    struct schema *schema = zeroed(&builder, 1, sizeof *schema);
    struct schema_table *tables = NULL;
    struct mysql_table *facts = NULL;
    uint32_t count = 0;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < databases.count; i++) {
        builder.schema = databases.names[i];
        status = add_tables(&builder, &tables, &facts, &count);
    }
    if (status == STATUS_OK && databases.count > 1) {
        tables = sort_tables(&builder, facts, count);
        status = check_names(&builder, facts, count);
    }
    schema->arena = arena;
    schema->tables = tables;
    schema->table_count = count;
    *catalog = (struct mysql_catalog){schema, facts, count, self->folds_names};
    return status;
}

static int compare_shapes(const void *left, const void *right)
{
    return strcmp(((const struct mysql_shape *)left)->name,
                  ((const struct mysql_shape *)right)->name);
}

enum status mysql_catalog_shapes(struct mysql_database *self, MYSQL *connection,
                                 struct arena *arena, struct mysql_shape **shapes, uint32_t *count,
                                 struct error *error)
{
    struct builder builder = {
        .self = self, .connection = connection, .arena = arena, .error = error};
    const struct column_list databases = databases_of(self, &builder);
    enum status status = STATUS_OK;
    *shapes = NULL;
    *count = 0;
    for (uint32_t i = 0; status == STATUS_OK && i < databases.count; i++) {
        builder.schema = databases.names[i];
        status = ask_columns(&builder);
        uint32_t found = status == STATUS_OK ? builder.tables.count : 0;
        struct mysql_shape *list = zeroed(&builder, (size_t)*count + found, sizeof *list);
        for (uint32_t j = 0; j < *count + found; j++) {
            list[j] = j < *count ? (*shapes)[j] : shape_of(&builder, j - *count);
        }
        *shapes = list;
        *count += found;
        free_all(&builder);
    }
    if (databases.count > 1) {
        qsort(*shapes, *count, sizeof **shapes, compare_shapes);
    }
    return status;
}

/* ---------------------------------------------------------------- finding */

static int compare_name(const void *name, const void *table)
{
    return strcmp(name, ((const struct mysql_table *)table)->schema->name);
}

const struct mysql_table *mysql_catalog_find(const struct mysql_catalog *catalog, const char *name)
{
    const struct mysql_table *found = catalog->table_count == 0
                                          ? NULL
                                          : bsearch(name, catalog->tables, catalog->table_count,
                                                    sizeof *catalog->tables, compare_name);
    for (uint32_t i = 0; found == NULL && catalog->folds_names && i < catalog->table_count; i++) {
        bool same = strcasecmp(catalog->tables[i].schema->name, name) == 0;
        found = same ? &catalog->tables[i] : NULL;
    }
    return found;
}

bool mysql_is_in(struct column_list columns, const char *name)
{
    for (uint32_t i = 0; i < columns.count; i++) {
        if (strcasecmp(columns.names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

int32_t mysql_find_column(const struct mysql_table *table, const char *name)
{
    int32_t folded = -1;
    for (uint32_t i = 0; i < table->schema->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return (int32_t)i;
        }
        folded = strcasecmp(table->columns[i].name, name) == 0 ? (int32_t)i : folded;
    }
    return folded;
}
