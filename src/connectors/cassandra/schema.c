/*
 * Tables of a keyspace, from system_schema: Cassandra 3.11 to 5.0, and Scylla, keep the same there.
 * A table of old that was made WITH COMPACT STORAGE is described as SELECT shows it.
 */
#include "connectors/cassandra/schema.h"

#include "base/memory.h"
#include "connectors/cassandra/system_rows.h"
#include "connectors/cassandra/udts.h"
#include <stdlib.h>
#include <string.h>

static const char own_prefix[] = "_transhume";

/* Columns, while they are gathered: of all tables, by table. */
struct found_column {
    struct text table;
    struct cassandra_column column;
    int32_t position; /* in its part of the key */
};

struct found_columns {
    struct found_column *list;
    uint32_t count;
};

struct found_index {
    struct text table;
    struct cassandra_index index;
};

struct reading {
    struct cassandra *self;
    struct arena *arena;
    const char *table; /* NULL: all */
    struct cassandra_udts *udts;
    struct found_columns columns;
    struct found_index *indexes;
    uint32_t index_count;
    struct cassandra_table *tables;
    uint32_t table_count;
    uint32_t table_capacity;
    struct error *error;
};

static const char *copy_text(struct arena *arena, struct text text)
{
    return arena_copy(arena, text.data, text.length);
}

static int cassandra_schema_compare(struct text left, struct text right)
{
    size_t length = left.length < right.length ? left.length : right.length;
    int order = length > 0 ? memcmp(left.data, right.data, length) : 0;
    return order != 0 ? order : (left.length > right.length) - (left.length < right.length);
}

static bool is(struct text text, const char *word)
{
    return text.length == strlen(word) && memcmp(text.data, word, text.length) == 0;
}

/* ---------------------------------------------------------------- columns */

static enum cassandra_part part_of(struct text kind)
{
    return is(kind, "partition_key") ? CASSANDRA_PARTITION
           : is(kind, "clustering")  ? CASSANDRA_CLUSTERING
           : is(kind, "static")      ? CASSANDRA_STATIC
                                     : CASSANDRA_REGULAR;
}

/* A type that is not understood is one of the server's own classes, whose values are bytes to us.
 */
static const struct cql_type *type_of(struct reading *reading, struct text text)
{
    const struct cql_type *type = NULL;
    struct error ignored;
    error_clear(&ignored);
    return cql_type_parse(text, cassandra_udts_finder(reading->udts), reading->arena, &type,
                          &ignored) == STATUS_OK
               ? type
               : cql_type_of_class(text, reading->arena);
}

/* The stand-in for the values of a table that has none is no column. */
static bool is_column(struct text name, struct text type)
{
    return name.length > 0 && !is(type, "empty") &&
           !is(type, "'org.apache.cassandra.db.marshal.EmptyType'");
}

static int compare_columns(const void *left, const void *right)
{
    const struct found_column *one = left;
    const struct found_column *other = right;
    int order = cassandra_schema_compare(one->table, other->table);
    if (order != 0) {
        return order;
    }
    bool key = one->column.part <= CASSANDRA_CLUSTERING;
    bool other_key = other->column.part <= CASSANDRA_CLUSTERING;
    if (key != other_key) {
        return key ? -1 : 1;
    }
    if (!key) {
        return strcmp(one->column.name, other->column.name);
    }
    return one->column.part != other->column.part
               ? (one->column.part > other->column.part) - (one->column.part < other->column.part)
               : (one->position > other->position) - (one->position < other->position);
}

static enum status read_columns(struct reading *reading)
{
    enum { TABLE, NAME, ORDER, KIND, POSITION, TYPE, FIELDS };
    static const char select[] =
        "SELECT table_name, column_name, clustering_order, kind, position, "
        "type FROM system_schema.columns WHERE keyspace_name = ?";
    struct cql_value row[FIELDS];
    struct system_rows rows;
    if (system_rows_read(reading->self, select, "table_name", reading->table, FIELDS,
                         reading->arena, &rows, reading->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct found_columns *columns = &reading->columns;
    columns->list =
        arena_allocate_zeroed(reading->arena, rows.rows.count + 1, sizeof(*columns->list));
    while (system_rows_next(&rows, row)) {
        struct text name = system_text(row[NAME]);
        struct text type = system_text(row[TYPE]);
        if (is_column(name, type)) {
            columns->list[columns->count++] =
                (struct found_column){.table = system_text(row[TABLE]),
                                      .column = {.name = copy_text(reading->arena, name),
                                                 .type = type_of(reading, type),
                                                 .type_text = copy_text(reading->arena, type),
                                                 .part = part_of(system_text(row[KIND])),
                                                 .descending = is(system_text(row[ORDER]), "desc")},
                                      .position = (int32_t)system_number(row[POSITION])};
        }
    }
    return system_rows_end(&rows, reading->error);
}

static void sort_columns(struct reading *reading)
{
    if (reading->columns.count > 1) {
        qsort(reading->columns.list, reading->columns.count, sizeof(*reading->columns.list),
              compare_columns);
    }
}

/* ---------------------------------------------------------------- indexes */

static enum status read_indexes(struct reading *reading)
{
    enum { TABLE, NAME, OPTIONS, FIELDS };
    static const char select[] = "SELECT table_name, index_name, options FROM "
                                 "system_schema.indexes WHERE keyspace_name = ?";
    struct cql_value row[FIELDS];
    struct system_rows rows;
    if (system_rows_read(reading->self, select, "table_name", reading->table, FIELDS,
                         reading->arena, &rows, reading->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    reading->indexes =
        arena_allocate_zeroed(reading->arena, rows.rows.count + 1, sizeof(*reading->indexes));
    while (system_rows_next(&rows, row)) {
        struct text target = system_map_find(row[OPTIONS], "target");
        struct text class = system_map_find(row[OPTIONS], "class_name");
        reading->indexes[reading->index_count++] = (struct found_index){
            .table = system_text(row[TABLE]),
            .index = {.name = copy_text(reading->arena, system_text(row[NAME])),
                      .target = copy_text(reading->arena, target),
                      .class = class.data != NULL ? copy_text(reading->arena, class) : NULL}};
    }
    return system_rows_end(&rows, reading->error);
}

/* ---------------------------------------------------------------- tables and views */

static struct cassandra_table *add_table(struct reading *reading)
{
    if (reading->table_count == reading->table_capacity) {
        uint32_t capacity = reading->table_capacity == 0 ? 32 : reading->table_capacity * 2;
        struct cassandra_table *grown =
            arena_allocate_zeroed(reading->arena, capacity, sizeof(*grown));
        if (reading->table_count > 0) {
            memcpy(grown, reading->tables, reading->table_count * sizeof(*grown));
        }
        reading->tables = grown;
        reading->table_capacity = capacity;
    }
    return &reading->tables[reading->table_count++];
}

/* Copies the columns that begin with `from` and are of one table. Of COMPACT STORAGE with fixed
 * columns the server keeps the ones that users see as static ones, beside two of its own. */
static void give_columns(struct reading *reading, struct cassandra_table *table,
                         const struct found_column *from, uint32_t count, bool fixed_compact)
{
    struct cassandra_column *columns =
        arena_allocate_zeroed(reading->arena, (size_t)count + 1, sizeof(*columns));
    for (uint32_t at = 0; at < count; at++) {
        struct cassandra_column column = from[at].column;
        if (fixed_compact &&
            (column.part == CASSANDRA_CLUSTERING || column.part == CASSANDRA_REGULAR)) {
            continue;
        }
        if (fixed_compact && column.part == CASSANDRA_STATIC) {
            column.part = CASSANDRA_REGULAR;
        }
        table->partition_count += column.part == CASSANDRA_PARTITION;
        table->clustering_count += column.part == CASSANDRA_CLUSTERING;
        table->counter |= column.type->kind == CQL_TYPE_COUNTER;
        columns[table->column_count++] = column;
    }
    uint32_t keys = table->partition_count + table->clustering_count;
    const char **names = arena_allocate_zeroed(reading->arena, (size_t)keys + 1, sizeof(*names));
    for (uint32_t at = 0; at < keys; at++) {
        names[at] = columns[at].name;
    }
    table->columns = columns;
    table->key = (struct column_list){names, keys};
}

static void find_columns(struct reading *reading, struct cassandra_table *table, bool fixed_compact)
{
    const struct found_columns *all = &reading->columns;
    struct text name = {table->name, strlen(table->name)};
    uint32_t low = 0;
    uint32_t high = all->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (cassandra_schema_compare(all->list[middle].table, name) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (high = low;
         high < all->count && cassandra_schema_compare(all->list[high].table, name) == 0; high++) {
    }
    give_columns(reading, table, all->list + low, high - low, fixed_compact);
}

static void find_indexes(struct reading *reading, struct cassandra_table *table)
{
    struct text name = {table->name, strlen(table->name)};
    struct cassandra_index *indexes =
        arena_allocate_zeroed(reading->arena, (size_t)reading->index_count + 1, sizeof(*indexes));
    for (uint32_t at = 0; at < reading->index_count; at++) {
        if (cassandra_schema_compare(reading->indexes[at].table, name) == 0) {
            indexes[table->index_count++] = reading->indexes[at].index;
        }
    }
    table->indexes = indexes;
}

static bool is_own(struct text name)
{
    return name.length >= strlen(own_prefix) &&
           memcmp(name.data, own_prefix, strlen(own_prefix)) == 0;
}

/* Facts that tables and views have in common; one without a key is half dropped or half made. */
static void take_table(struct reading *reading, struct text name, struct cql_value id,
                       struct text comment, int32_t ttl_seconds, struct text view_of,
                       struct cql_value flags)
{
    struct buffer uuid = {0};
    bool table_flags = flags.data != NULL && view_of.data == NULL;
    bool compound = !table_flags || system_list_holds(flags, "compound");
    bool dense = table_flags && system_list_holds(flags, "dense");
    bool super = table_flags && system_list_holds(flags, "super");
    struct cassandra_table *table = add_table(reading);
    if (id.length == 16) {
        value_append_uuid(&uuid, id.data);
    }
    *table = (struct cassandra_table){
        .name = copy_text(reading->arena, name),
        .id = arena_copy_string(reading->arena, buffer_string(&uuid)),
        .compact = !compound || dense || super,
        .view_of = view_of.data != NULL ? copy_text(reading->arena, view_of) : NULL,
        .comment = comment.length > 0 ? copy_text(reading->arena, comment) : NULL,
        .ttl_seconds = ttl_seconds,
    };
    buffer_free(&uuid);
    find_columns(reading, table, !compound && !dense && !super);
    find_indexes(reading, table);
    reading->table_count -= table->partition_count == 0;
}

static enum status read_tables(struct reading *reading)
{
    enum { NAME, ID, COMMENT, TTL, FLAGS, FIELDS };
    static const char select[] = "SELECT table_name, id, comment, default_time_to_live, flags FROM "
                                 "system_schema.tables WHERE keyspace_name = ?";
    struct cql_value row[FIELDS];
    struct system_rows rows;
    if (system_rows_read(reading->self, select, "table_name", reading->table, FIELDS,
                         reading->arena, &rows, reading->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    while (system_rows_next(&rows, row)) {
        struct text name = system_text(row[NAME]);
        if (reading->table != NULL || !is_own(name)) {
            take_table(reading, name, row[ID], system_text(row[COMMENT]),
                       (int32_t)system_number(row[TTL]), (struct text){NULL, 0}, row[FLAGS]);
        }
    }
    return system_rows_end(&rows, reading->error);
}

/* Scylla keeps an index NAME of its own as a view NAME_index. */
static bool is_of_index(const struct reading *reading, struct text view)
{
    static const char ending[] = "_index";
    size_t end = sizeof(ending) - 1;
    if (view.length <= end || memcmp(view.data + view.length - end, ending, end) != 0) {
        return false;
    }
    for (uint32_t at = 0; at < reading->index_count; at++) {
        if (is((struct text){view.data, view.length - end}, reading->indexes[at].index.name)) {
            return true;
        }
    }
    return false;
}

static enum status read_views(struct reading *reading)
{
    enum { NAME, ID, COMMENT, TTL, BASE, FIELDS };
    static const char select[] =
        "SELECT view_name, id, comment, default_time_to_live, base_table_name FROM "
        "system_schema.views WHERE keyspace_name = ?";
    struct cql_value row[FIELDS];
    struct system_rows rows;
    if (system_rows_read(reading->self, select, "view_name", reading->table, FIELDS, reading->arena,
                         &rows, reading->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    while (system_rows_next(&rows, row)) {
        if (!is_of_index(reading, system_text(row[NAME]))) {
            take_table(reading, system_text(row[NAME]), row[ID], system_text(row[COMMENT]),
                       (int32_t)system_number(row[TTL]), system_text(row[BASE]),
                       (struct cql_value){NULL, CQL_NULL});
        }
    }
    return system_rows_end(&rows, reading->error);
}

static int compare_tables(const void *left, const void *right)
{
    const struct cassandra_table *one = left;
    const struct cassandra_table *other = right;
    return strcmp(one->name, other->name);
}

static enum status read_all(struct reading *reading)
{
    if (cassandra_udts_read(reading->self, reading->arena, &reading->udts, reading->error) !=
            STATUS_OK ||
        read_columns(reading) != STATUS_OK || read_indexes(reading) != STATUS_OK) {
        return STATUS_FAILED;
    }
    sort_columns(reading);
    if (read_tables(reading) != STATUS_OK || read_views(reading) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (reading->table_count > 1) {
        qsort(reading->tables, reading->table_count, sizeof(*reading->tables), compare_tables);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- to others */

enum status cassandra_schema_read(struct cassandra *self, struct arena *arena,
                                  struct cassandra_schema *schema, struct error *error)
{
    struct reading reading = {.self = self, .arena = arena, .error = error};
    *schema = (struct cassandra_schema){.arena = arena};
    if (read_all(&reading) != STATUS_OK) {
        return STATUS_FAILED;
    }
    schema->tables = reading.tables;
    schema->table_count = reading.table_count;
    schema->row_estimates = (_Atomic int64_t *)arena_allocate_zeroed(
        arena, (size_t)schema->table_count + 1, sizeof(*schema->row_estimates));
    for (uint32_t at = 0; at < schema->table_count; at++) {
        atomic_init(&schema->row_estimates[at], CASSANDRA_ROWS_NOT_ASKED);
    }
    return STATUS_OK;
}

bool cassandra_is_in_flux(enum cql_failure failure, struct error *error)
{
    bool unknown =
        failure == CQL_FAILURE_INVALID && (strstr(error->message, "does not exist") != NULL ||
                                           strstr(error->message, "unconfigured table") != NULL);
    if (unknown) {
        error->class = ERROR_CLASS_RETRY;
    }
    return unknown;
}

enum status cassandra_table_read(struct cassandra *self, const char *name, struct arena *arena,
                                 const struct cassandra_table **table, struct error *error)
{
    struct reading reading = {.self = self, .arena = arena, .table = name, .error = error};
    *table = NULL;
    if (read_all(&reading) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *table = reading.table_count > 0 ? reading.tables : NULL;
    return *table != NULL ? STATUS_OK : STATUS_END;
}

enum status cassandra_schema_get(struct cassandra *self, const struct cassandra_schema **schema,
                                 struct error *error)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&self->keyed.mutex);
    if (self->schema == NULL) {
        struct arena *arena = arena_create(0);
        struct cassandra_schema *made = arena_allocate_zeroed(arena, 1, sizeof(*made));
        status = cassandra_schema_read(self, arena, made, error);
        if (status == STATUS_OK) {
            self->schema = made;
        } else {
            arena_destroy(arena);
        }
    }
    *schema = self->schema;
    pthread_mutex_unlock(&self->keyed.mutex);
    return status;
}

enum status cassandra_schema_find(struct cassandra *self, const char *name,
                                  const struct cassandra_table **table, struct error *error)
{
    const struct cassandra_schema *schema = NULL;
    *table = NULL;
    if (cassandra_schema_get(self, &schema, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at < schema->table_count; at++) {
        if (strcmp(schema->tables[at].name, name) == 0) {
            *table = &schema->tables[at];
            return STATUS_OK;
        }
    }
    error_set(error, ERROR_SOURCE_MISSING, name, "there is no table %s in keyspace %s", name,
              self->keyspace);
    return error_hint(error, "names of tables count their case");
}

int32_t cassandra_column_find(const struct cassandra_table *table, const char *name, size_t length)
{
    for (uint32_t at = 0; at < table->column_count; at++) {
        if (strlen(table->columns[at].name) == length &&
            memcmp(table->columns[at].name, name, length) == 0) {
            return (int32_t)at;
        }
    }
    return -1;
}
