/* The keyspace as a schema: its tables, views and indexes, and what no copy carries. */
#include "connectors/cassandra/estimate.h"
#include "connectors/cassandra/properties.h"
#include "connectors/cassandra/protocol/cql_model.h"
#include "connectors/cassandra/query.h"
#include "connectors/cassandra/system_rows.h"
#include "connectors/cassandra/udts.h"
#include "model/time_zone.h"
#include <string.h>

/* ---------------------------------------------------------------- columns */

static bool holds_udt(const struct cql_type *type)
{
    bool found = type->kind == CQL_TYPE_UDT;
    for (uint32_t at = 0; !found && at < type->part_count; at++) {
        found = holds_udt(type->parts[at]);
    }
    return found;
}

/* `zone`: of times that name none, in columns of timestamps; NULL: there are no such. */
static const struct schema_column *columns_of(const struct cassandra_table *from,
                                              const struct time_zone *zone, struct arena *arena)
{
    struct schema_column *columns =
        arena_allocate_zeroed(arena, (size_t)from->column_count + 1, sizeof(*columns));
    for (uint32_t at = 0; at < from->column_count; at++) {
        const struct cassandra_column *column = &from->columns[at];
        columns[at] = (struct schema_column){.name = column->name,
                                             .type = cql_type_to_model(column->type, arena),
                                             .not_null = at < from->key.count,
                                             .type_made = holds_udt(column->type)};
        columns[at].type.zone = column->type->kind == CQL_TYPE_TIMESTAMP ? zone : NULL;
        columns[at].type.native = column->type_text;
    }
    return columns;
}

static struct key_shape key_shape_of(const struct cassandra_table *from, struct arena *arena)
{
    bool any = false;
    uint32_t static_count = 0;
    bool *descending =
        arena_allocate_zeroed(arena, (size_t)from->key.count + 1, sizeof(*descending));
    const char **static_columns =
        arena_allocate_zeroed(arena, (size_t)from->column_count + 1, sizeof(*static_columns));
    for (uint32_t at = 0; at < from->column_count; at++) {
        const struct cassandra_column *column = &from->columns[at];
        if (column->part == CASSANDRA_CLUSTERING) {
            descending[at] = column->descending;
            any |= column->descending;
        } else if (column->part == CASSANDRA_STATIC) {
            static_columns[static_count++] = column->name;
        }
    }
    return (struct key_shape){.partition_count = from->partition_count,
                              .descending = any ? descending : NULL,
                              .static_columns = {static_columns, static_count}};
}

/* ---------------------------------------------------------------- indexes */

/* "values(tags)", "\"Name\"", "name": `function` is empty for a column as it is. */
static const char *column_of(const char *target, struct arena *arena, struct text *function)
{
    const char *open = *target != '"' ? strchr(target, '(') : NULL;
    size_t length = strlen(target);
    *function = (struct text){target, open != NULL ? (size_t)(open - target) : 0};
    if (open != NULL && target[length - 1] == ')') {
        target = open + 1;
        length = strlen(target) - 1;
    }
    if (length < 2 || *target != '"') {
        return arena_copy(arena, target, length);
    }
    char *name = arena_copy(arena, target + 1, length - 2);
    char *to = name;
    for (const char *from = name; *from != '\0'; from += 1 + (from[0] == '"' && from[1] == '"')) {
        *to++ = *from;
    }
    *to = '\0';
    return name;
}

static bool is_plain(const char *class)
{
    static const char own[] = "StorageAttachedIndex";
    size_t length = class != NULL ? strlen(class) : 0;
    return class == NULL ||
           (length >= strlen(own) && strcmp(class + length - strlen(own), own) == 0);
}

/* One over the parts of a collection, or over a vector, or of a class that is not the server's,
 * finds what no other database's index does. */
static struct schema_index index_of(const struct cassandra_table *table,
                                    const struct cassandra_index *from, struct arena *arena)
{
    struct text function;
    const char *column = column_of(from->target, arena, &function);
    int32_t place = cassandra_column_find(table, column, strlen(column));
    bool vector = place >= 0 && table->columns[place].type->kind == CQL_TYPE_VECTOR;
    bool parts = place >= 0 && (table->columns[place].type->kind == CQL_TYPE_LIST ||
                                table->columns[place].type->kind == CQL_TYPE_SET ||
                                table->columns[place].type->kind == CQL_TYPE_MAP);
    const char **names = arena_allocate_zeroed(arena, 1, sizeof(*names));
    names[0] = place >= 0 ? column : "";
    const char *class = from->class != NULL ? from->class : "Cassandra's own indexes";
    const char *method = function.length > 0 || parts
                             ? arena_format(arena, "%s over %s", class, from->target)
                         : vector || !is_plain(from->class) ? class
                                                            : NULL;
    return (struct schema_index){
        .name = from->name,
        .columns = {names, 1},
        .method = method,
        .details = from->class != NULL ? arena_format(arena, "USING '%s'", from->class) : NULL};
}

static const struct schema_index *indexes_of(const struct cassandra_table *from,
                                             struct arena *arena)
{
    struct schema_index *indexes =
        arena_allocate_zeroed(arena, (size_t)from->index_count + 1, sizeof(*indexes));
    for (uint32_t at = 0; at < from->index_count; at++) {
        indexes[at] = index_of(from, &from->indexes[at], arena);
    }
    return indexes;
}

/* ---------------------------------------------------------------- tables */

/* The properties of a table that have no word of their own in a schema. */
static const char *details_of(const struct cassandra_table *from, struct arena *arena)
{
    if (from->view_of != NULL) {
        return NULL;
    }
    struct buffer text = {0};
    if (from->compact) {
        buffer_append_string(&text, "COMPACT STORAGE");
    }
    if (from->ttl_seconds > 0) {
        buffer_format(&text, "%sdefault_time_to_live = %d", text.length > 0 ? ", " : "",
                      (int)from->ttl_seconds);
    }
    const char *made = text.length > 0 ? arena_copy(arena, text.data, text.length) : NULL;
    buffer_free(&text);
    return made;
}

static void describe_table(const struct cassandra_table *from, const struct cassandra_sizes *sizes,
                           const struct time_zone *zone, struct arena *arena,
                           struct schema_table *to)
{
    int64_t partitions = -1;
    int64_t bytes = -1;
    cassandra_sizes_find(sizes, from->name, &partitions, &bytes);
    *to = (struct schema_table){.kind = from->view_of != NULL ? SCHEMA_VIEW : SCHEMA_TABLE,
                                .name = from->name,
                                .columns = columns_of(from, zone, arena),
                                .column_count = from->column_count,
                                .primary_key = from->key,
                                .key_shape = key_shape_of(from, arena),
                                .primary_key_not_null = true,
                                .indexes = indexes_of(from, arena),
                                .index_count = from->index_count,
                                .comment = from->comment,
                                .details = details_of(from, arena),
                                .row_count = from->clustering_count == 0 ? partitions : -1,
                                .size_bytes = bytes,
                                .long_bytes = -1};
}

static bool is_wanted(const struct cassandra *self, const char *name)
{
    if (self->keyed.catalog_tables == NULL) {
        return true;
    }
    for (const char *const *at = self->keyed.catalog_tables; *at != NULL; at++) {
        if (strcmp(*at, name) == 0) {
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- other objects */

struct objects {
    struct arena *arena;
    struct buffer list; /* struct schema_object */
};

static void add_object(struct objects *objects, const struct schema_object *object)
{
    buffer_append(&objects->list, object, sizeof(*object));
}

static void add_view(struct objects *objects, const struct cassandra_table *view)
{
    add_object(objects, &(struct schema_object){.kind = SCHEMA_OBJECT_VIEW,
                                                .name = view->name,
                                                .not_carried = arena_format(
                                                    objects->arena,
                                                    "the server keeps it as a second order of %s",
                                                    view->view_of)});
}

/* `select` brings names, and with `of_tables` those of their tables before them. */
static enum status add_rows(struct cassandra *self, struct objects *objects, const char *select,
                            bool of_tables, const struct schema_object *like, struct error *error)
{
    enum { FIELDS_MAX = 2 };
    struct cql_value row[FIELDS_MAX];
    struct system_rows rows;
    if (system_rows_read(self, select, NULL, NULL, of_tables ? 2 : 1, objects->arena, &rows,
                         error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    while (system_rows_next(&rows, row)) {
        struct schema_object object = *like;
        struct text name = system_text(row[of_tables ? 1 : 0]);
        struct text table = system_text(row[0]);
        object.name = arena_copy(objects->arena, name.data, name.length);
        object.table = of_tables ? arena_copy(objects->arena, table.data, table.length) : NULL;
        add_object(objects, &object);
    }
    return system_rows_end(&rows, error);
}

static enum status add_others(struct cassandra *self, struct objects *objects, struct error *error)
{
    static const char own_code[] = "it is code that only Cassandra runs";
    static const struct schema_object function = {
        .kind = SCHEMA_OBJECT_OTHER, .what = "function", .not_carried = own_code};
    static const struct schema_object aggregate = {
        .kind = SCHEMA_OBJECT_OTHER, .what = "aggregate", .not_carried = own_code};
    static const struct schema_object trigger = {.kind = SCHEMA_OBJECT_TRIGGER,
                                                 .not_carried = own_code};
    return add_rows(self, objects,
                    "SELECT function_name FROM system_schema.functions WHERE "
                    "keyspace_name = ?",
                    false, &function, error) == STATUS_OK &&
                   add_rows(self, objects,
                            "SELECT aggregate_name FROM system_schema.aggregates WHERE "
                            "keyspace_name = ?",
                            false, &aggregate, error) == STATUS_OK &&
                   add_rows(self, objects,
                            "SELECT table_name, trigger_name FROM system_schema.triggers WHERE "
                            "keyspace_name = ?",
                            true, &trigger, error) == STATUS_OK
               ? STATUS_OK
               : STATUS_FAILED;
}

/* ---------------------------------------------------------------- user-defined types */

static bool holds_type(const struct cql_type *type, struct text name)
{
    bool found = type->kind == CQL_TYPE_UDT && type->name.length == name.length &&
                 memcmp(type->name.data, name.data, name.length) == 0;
    for (uint32_t at = 0; at < type->part_count && !found; at++) {
        found = holds_type(type->parts[at], name);
    }
    return found;
}

static bool is_used(const struct cassandra_schema *from, struct text name)
{
    bool used = false;
    for (uint32_t at = 0; at < from->table_count; at++) {
        const struct cassandra_table *table = &from->tables[at];
        for (uint32_t i = 0; i < table->column_count && !used; i++) {
            used = holds_type(table->columns[i].type, name);
        }
    }
    return used;
}

/* Within Cassandra those that the tables need are made with them. */
static void add_type(struct objects *objects, const struct cassandra_schema *from,
                     const struct cql_type *type, const char *name)
{
    static const char as_maps[] = "its values go as maps";
    static const char unused[] = "no table uses it";
    bool used = is_used(from, type->name);
    add_object(objects,
               &(struct schema_object){
                   .kind = SCHEMA_OBJECT_OTHER,
                   .stage = SCHEMA_BEFORE_TABLES,
                   .what = "type",
                   .name = name,
                   .native_sql = used ? arena_format(objects->arena, "TYPE %s", name) : NULL,
                   .not_carried = used ? as_maps : unused});
}

static struct schema_record_type record_type_of(const struct cql_type *type, struct arena *arena)
{
    const char **names = arena_allocate_zeroed(arena, type->part_count + 1u, sizeof(*names));
    const char **types = arena_allocate_zeroed(arena, type->part_count + 1u, sizeof(*types));
    for (uint32_t at = 0; at < type->part_count; at++) {
        names[at] = arena_copy(arena, type->field_names[at].data, type->field_names[at].length);
        types[at] = cql_type_text(type->parts[at], arena);
    }
    return (struct schema_record_type){.name =
                                           arena_copy(arena, type->name.data, type->name.length),
                                       .field_names = names,
                                       .field_types = types,
                                       .field_count = type->part_count};
}

static enum status add_types(struct cassandra *self, const struct cassandra_schema *from,
                             struct objects *objects, struct schema *to, struct error *error)
{
    struct cassandra_udts *udts = NULL;
    if (cassandra_udts_read(self, to->arena, &udts, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct schema_record_type *types =
        arena_allocate_zeroed(to->arena, (size_t)cassandra_udts_count(udts) + 1, sizeof(*types));
    for (uint32_t at = 0; at < cassandra_udts_count(udts); at++) {
        const struct cql_type *type = cassandra_udts_type(udts, at);
        if (type != NULL) {
            types[to->record_type_count] = record_type_of(type, to->arena);
            add_type(objects, from, type, types[to->record_type_count++].name);
        }
    }
    to->record_types = types;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- describe */

/* Only a source's are asked for: a copy may keep them. */
static enum status give_properties(struct cassandra *self, struct schema *to,
                                   struct schema_table *tables, struct error *error)
{
    struct cassandra_properties *all = NULL;
    uint32_t count = 0;
    if (self->keyed.mode != OPEN_SOURCE) {
        return STATUS_OK;
    }
    if (cassandra_properties_read(self, to->arena, &all, &count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t at = 0; at < to->table_count; at++) {
        for (uint32_t i = 0; i < count; i++) {
            if (strcmp(all[i].table, tables[at].name) == 0) {
                tables[at].properties = all[i].list;
                tables[at].property_count = all[i].count;
            }
        }
    }
    return STATUS_OK;
}

static enum status fill_schema(struct cassandra *self, const struct cassandra_schema *from,
                               struct objects *objects, struct schema *to, struct error *error)
{
    struct cassandra_sizes sizes;
    struct error ignored;
    const struct time_zone *zone = NULL;
    struct schema_table *tables =
        arena_allocate_zeroed(to->arena, (size_t)from->table_count + 1, sizeof(*tables));
    error_clear(&ignored);
    /* a time without a zone that goes into a timestamp is taken for one of UTC */
    if (self->keyed.mode == OPEN_TARGET &&
        time_zone_make("UTC", to->arena, &zone, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (cassandra_sizes_read(self, to->arena, &sizes, &ignored) != STATUS_OK) {
        sizes = (struct cassandra_sizes){0}; /* what only helps to guess */
    }
    for (uint32_t at = 0; at < from->table_count; at++) {
        const struct cassandra_table *table = &from->tables[at];
        if (is_wanted(self, table->name)) {
            describe_table(table, &sizes, zone, to->arena, &tables[to->table_count++]);
        }
        if (table->view_of != NULL) {
            add_view(objects, table);
        }
    }
    to->tables = tables;
    return give_properties(self, to, tables, error) == STATUS_OK &&
                   add_types(self, from, objects, to, error) == STATUS_OK
               ? add_others(self, objects, error)
               : STATUS_FAILED;
}

/* A target's is read anew each time: it changes with what is made in it. */
static enum status catalog_describe(struct database *database, struct schema **schema,
                                    struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    const struct cassandra_schema *from = NULL;
    struct cassandra_schema fresh;
    struct arena *arena = arena_create(0);
    struct objects objects = {.arena = arena};
    struct schema *made = arena_allocate_zeroed(arena, 1, sizeof(*made));
    made->arena = arena;
    enum status status = self->keyed.mode == OPEN_SOURCE
                             ? cassandra_schema_get(self, &from, error)
                             : cassandra_schema_read(self, arena, &fresh, error);
    from = self->keyed.mode == OPEN_SOURCE ? from : &fresh;
    if (status == STATUS_OK) {
        status = fill_schema(self, from, &objects, made, error);
    }
    if (status == STATUS_OK) {
        made->object_count = (uint32_t)(objects.list.length / sizeof(struct schema_object));
        made->objects =
            (const struct schema_object *)arena_copy(arena, objects.list.data, objects.list.length);
        *schema = made;
    } else {
        arena_destroy(arena);
    }
    buffer_free(&objects.list);
    return status;
}

static void catalog_made_type(const struct database *database, const struct value_type *type,
                              struct arena *arena, struct value_type *made)
{
    const struct cql_type *own = cql_type_of_model(type, NULL, arena);
    (void)database;
    *made = own != NULL ? cql_type_to_model(own, arena) : *type;
}

static bool native_type_among(const char *declared, const struct schema_record_type *types,
                              uint32_t type_count, struct value_type *type)
{
    struct arena *arena = arena_create(1024);
    struct cassandra_udts *udts = cassandra_udts_of(types, type_count, arena);
    bool known = cql_native_type_among(declared, cassandra_udts_finder(udts), type);
    arena_destroy(arena);
    return known;
}

const struct catalog_functions cassandra_catalog = {
    .describe = catalog_describe,
    .describe_query = cassandra_query_describe,
    .native_type = cql_native_type,
    .native_type_among = native_type_among,
    .native_names = cql_native_names,
    .made_type = catalog_made_type,
};
