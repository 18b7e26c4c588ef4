/* Tables that are there: what they hold, whether they fit the plan. */
#include "connectors/cassandra/target.h"

#include "base/retry.h"
#include "base/text.h"
#include "connectors/cassandra/properties.h"
#include "connectors/cassandra/protocol/cql_model.h"
#include "model/batch.h"
#include <ctype.h>
#include <string.h>

/* ---------------------------------------------------------------- which there are */

enum status cassandra_names(struct database *database, struct arena *arena,
                            struct column_list *names, struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    struct cassandra_schema schema = {0};
    *names = (struct column_list){0};
    if (!self->keyspace_there) {
        return STATUS_OK;
    }
    if (cassandra_schema_read(self, arena, &schema, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char **list = arena_allocate_zeroed(arena, schema.table_count + 1u, sizeof(*list));
    for (uint32_t at = 0; at < schema.table_count; at++) {
        list[at] = schema.tables[at].name;
    }
    *names = (struct column_list){list, schema.table_count};
    return STATUS_OK;
}

static enum status holds_any(struct cassandra *self, const struct cassandra_table *table,
                             struct arena *arena, bool *any, struct error *error)
{
    struct buffer text = {0};
    struct cql_reply reply;
    buffer_append_string(&text, "SELECT ");
    cql_name_append((struct text){table->key.names[0], strlen(table->key.names[0])}, &text);
    buffer_append_string(&text, " FROM ");
    cassandra_append_table(self, table->name, &text);
    buffer_append_string(&text, " LIMIT 1");
    enum status status = cassandra_run(self, buffer_string(&text), self->settings.read_consistency,
                                       true, arena, &reply, error);
    *any = status == STATUS_OK && reply.response.rows.count > 0;
    if (status == STATUS_FAILED) {
        (void)cassandra_is_in_flux(reply.failure, error);
    }
    buffer_free(&text);
    return status;
}

/* Is it there, and does it hold a record? */
static enum status inspect_one(struct cassandra *self, const char *name, struct arena *arena,
                               bool *exists, bool *filled, struct error *error)
{
    struct retry retry;
    enum status status;
    retry_init(&retry, RETRY_PATIENCE_TIMEOUTS * self->keyed.room.timeout_ms);
    retry.cancelled = &self->keyed.base.hurried;
    do {
        const struct cassandra_table *there = NULL;
        *filled = false;
        status = cassandra_table_read(self, name, arena, &there, error);
        *exists = status == STATUS_OK;
        if (status == STATUS_OK) {
            status = holds_any(self, there, arena, filled, error);
        }
    } while (status == STATUS_FAILED && retry_wait(&retry, error));
    return status == STATUS_END ? STATUS_OK : status;
}

static bool is_name(const char *name)
{
    size_t length = strlen(name);
    bool good = length > 0 && length <= CASSANDRA_NAME_BYTES_MAX;
    for (size_t at = 0; at < length && good; at++) {
        good = isalnum((unsigned char)name[at]) || name[at] == '_';
    }
    return good;
}

enum status cassandra_inspect(struct database *database, const struct target_table *tables,
                              uint32_t table_count, bool *table_exists, bool *record_exists,
                              struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    struct arena *arena = arena_create(0);
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        table_exists[at] = false;
        record_exists[at] = false;
        if (!self->keyspace_there || !is_name(tables[at].name)) {
            continue; /* check_table says so */
        }
        status =
            inspect_one(self, tables[at].name, arena, &table_exists[at], &record_exists[at], error);
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- checks */

bool cassandra_makes_index(const struct target_table *table, const struct target_index *index)
{
    return index->columns.count == 1 && !index->unique && index->columns.names[0][0] != '\0' &&
           !(table->key.count > 0 && strcmp(table->key.names[0], index->columns.names[0]) == 0);
}

static bool can_be_key(const struct cql_type *type)
{
    return type->kind != CQL_TYPE_COUNTER && type->kind != CQL_TYPE_DURATION;
}

static void check_new(const struct cassandra *self, const struct target_table *table,
                      struct arena *arena, struct buffer *out)
{
    if (table->key.count == 0) {
        buffer_append_string(out, "it has no key; say key: { partition: [FIELD] } in the plan\n");
    }
    for (uint32_t at = 0; at < table->column_count; at++) {
        const struct schema_column *column = &table->columns[at];
        const struct cql_type *type = cassandra_new_type(table, column, arena);
        if (type == NULL) {
            buffer_format(out, "column %s: Cassandra has no type for it\n", column->name);
        } else if (column_list_holds(table->key, column->name) && !can_be_key(type)) {
            buffer_format(out, "column %s: no %s can be in a key; cast it to text\n", column->name,
                          cql_kind_name(type->kind));
        }
    }
    cassandra_counters_check_new(self, table, arena, out);
    for (uint32_t at = 0; at < table->key_shape.static_columns.count; at++) {
        if (table->key_shape.partition_count == 0 ||
            table->key_shape.partition_count == table->key.count) {
            buffer_format(out, "static column %s: the key has no clustering columns\n",
                          table->key_shape.static_columns.names[at]);
        }
    }
}

/* The key has to be that of the table, or records of the plan would share one there. */
static void check_key(const struct target_table *table, const struct cassandra_table *there,
                      struct buffer *out)
{
    if (column_list_is_equal(table->key, there->key)) {
        return;
    }
    buffer_append_string(out, "the table is there, and its key is ");
    for (uint32_t at = 0; at < there->key.count; at++) {
        buffer_format(out, "%s%s", at > 0 ? ", " : "", there->key.names[at]);
    }
    buffer_append_string(out, ": give the plan's table that key\n");
}

static void check_fields(const struct check_request *request, const struct cassandra_table *there,
                         struct buffer *out)
{
    for (uint32_t i = 0; i < request->shape_count; i++) {
        const struct shape *shape = request->shapes[i];
        for (uint32_t at = 0; shape != NULL && at < shape->field_count; at++) {
            const struct shape_field *field = &shape->fields[at];
            if (cassandra_column_find(there, field->name, field->name_length) < 0) {
                buffer_format(out, "the table is there and has no column %s\n", field->name);
            }
        }
    }
}

static void check_there(const struct cassandra *self, const struct check_request *request,
                        const struct cassandra_table *there, struct buffer *out)
{
    if (there->view_of != NULL) {
        buffer_format(out, "it is a materialized view of %s, and can't be written\n",
                      there->view_of);
    } else if (!there->counter || cassandra_counters_check_there(self, request, there, out)) {
        check_key(request->table, there, out);
        check_fields(request, there, out);
    }
}

/* The plan's `with:`. What the server says to its values is known only when the table is made. */
static enum status check_properties(struct cassandra *self, const struct target_table *table,
                                    struct arena *arena, struct buffer *out, struct error *error)
{
    struct column_list known = {0};
    bool given = false;
    for (uint32_t at = 0; at < table->property_count; at++) {
        given = given || table->properties[at].given;
    }
    if (!given) {
        return STATUS_OK;
    }
    enum status status = cassandra_properties_known(self, arena, &known, error);
    for (uint32_t at = 0; at < table->property_count && known.count > 0; at++) {
        const struct schema_property *property = &table->properties[at];
        if (property->given && !column_list_holds(known, property->name)) {
            buffer_format(out, "with: this server knows no option %s of tables\n", property->name);
        }
    }
    return status;
}

enum status cassandra_check_table(struct database *database, const struct check_request *request,
                                  struct buffer *out, struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    const struct target_table *table = request->table;
    const struct cassandra_table *there = NULL;
    if (!is_name(table->name)) {
        buffer_format(out,
                      "the name of a table has letters, digits and _ only, %d at most: name it "
                      "otherwise in the plan\n",
                      (int)CASSANDRA_NAME_BYTES_MAX);
        return STATUS_OK;
    }
    if (strncmp(table->name, "_transhume_", strlen("_transhume_")) == 0) {
        buffer_append_string(out, "names that begin with _transhume_ are the program's own\n");
        return STATUS_OK;
    }
    struct arena *arena = arena_create(0);
    enum status status = self->keyspace_there
                             ? cassandra_table_read(self, table->name, arena, &there, error)
                             : STATUS_END;
    if (status == STATUS_OK) {
        check_there(self, request, there, out);
    } else if (status == STATUS_END) {
        check_new(self, table, arena, out);
        status = check_properties(self, table, arena, out, error) == STATUS_OK
                     ? cassandra_types_check(self, table, arena, out, error)
                     : STATUS_FAILED;
    }
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* ---------------------------------------------------------------- records */

enum status cassandra_truncate(struct database *database, const struct target_table *table,
                               struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    struct arena *arena = arena_create(0);
    struct buffer text = {0};
    struct cql_reply reply;
    buffer_append_string(&text, "TRUNCATE ");
    cassandra_append_table(self, table->name, &text);
    enum status status =
        cassandra_run(self, buffer_string(&text), CQL_ALL, true, arena, &reply, error);
    buffer_free(&text);
    arena_destroy(arena);
    return status;
}

enum status cassandra_target_count(struct database *database, const struct target_table *table,
                                   uint64_t *count, struct error *error)
{
    return cassandra_count(cassandra_of(database), table->name, table->created, count, error);
}

struct fetching {
    const struct cassandra_table *table;
    struct batch *batch;
};

/* A MAP of all columns, as the contract has it. */
static enum status add_found(void *context, const struct cell *cells,
                             const struct record_envelope *envelope, struct error *error)
{
    struct fetching *fetching = context;
    const struct cassandra_table *table = fetching->table;
    struct arena *arena = fetching->batch->arena;
    struct cell *pairs = arena_allocate_zeroed(arena, 2u * table->column_count + 1, sizeof(*pairs));
    (void)error;
    for (uint32_t at = 0; at < table->column_count; at++) {
        const char *name = table->columns[at].name;
        pairs[2 * (size_t)at] = cell_text(arena_copy_string(arena, name), strlen(name));
        pairs[2 * (size_t)at + 1] = cells[at];
    }
    *batch_append(fetching->batch) = cell_items(VALUE_MAP, pairs, table->column_count);
    if (envelope != NULL) {
        fetching->batch->envelopes[fetching->batch->row_count - 1] = *envelope;
    }
    return STATUS_OK;
}

enum status cassandra_target_fetch(struct database *database, const struct target_table *table,
                                   const struct cell *keys, uint32_t key_count,
                                   struct batch **batch, struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    const struct cassandra_layout *layout = NULL;
    *batch = NULL;
    if (cassandra_layout_find(self, table, &layout, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    struct fetching fetching = {.table = layout->table,
                                .batch = batch_create(NULL, 1, key_count + 1)};
    bool conditional = !table->created && !layout->table->counter &&
                       (table->existing == EXISTING_APPEND || table->existing == EXISTING_SKIP);
    if (table->keeps_undo) {
        batch_add_envelopes(fetching.batch);
    }
    enum status status =
        cassandra_fetch(self, layout->table, keys, key_count, conditional, table->keeps_undo,
                        fetching.batch->arena, add_found, &fetching, error);
    if (status != STATUS_OK) {
        batch_destroy(fetching.batch);
        return status;
    }
    *batch = fetching.batch;
    return STATUS_OK;
}
