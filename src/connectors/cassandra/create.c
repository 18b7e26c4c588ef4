/* Making tables. */
#include "connectors/cassandra/target.h"
#include "connectors/keyed/tables.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "connectors/cassandra/properties.h"
#include "connectors/cassandra/protocol/cql_model.h"
#include "connectors/cassandra/udts.h"
#include <string.h>

static struct text text_of(const char *string)
{
    return (struct text){string, strlen(string)};
}

const struct cql_type *cassandra_new_type(const struct target_table *table,
                                          const struct schema_column *column, struct arena *arena)
{
    struct cassandra_udts *udts =
        cassandra_udts_of(table->record_types, table->record_type_count, arena);
    const struct cql_type *type =
        cql_type_of_model(&column->type, cassandra_udts_finder(udts), arena);
    return type != NULL && column_list_holds(table->key, column->name)
               ? cql_type_frozen(type, arena)
               : type;
}

/* ---------------------------------------------------------------- CREATE TABLE */

static uint32_t partition_count(const struct target_table *table)
{
    uint32_t count = table->key_shape.partition_count;
    return count > 0 && count <= table->key.count ? count : table->key.count;
}

static void append_key(const struct target_table *table, struct buffer *out)
{
    uint32_t partition = partition_count(table);
    buffer_append_string(out, ", PRIMARY KEY ((");
    for (uint32_t at = 0; at < table->key.count; at++) {
        buffer_append_string(out, at == 0 ? "" : at == partition ? "), " : ", ");
        cql_name_append(text_of(table->key.names[at]), out);
    }
    buffer_append_string(out, partition == table->key.count ? "))" : ")");
}

static void append_order(const struct target_table *table, struct buffer *out)
{
    uint32_t partition = partition_count(table);
    const bool *descending = table->key_shape.descending;
    if (descending == NULL || partition == table->key.count) {
        return;
    }
    buffer_append_string(out, "CLUSTERING ORDER BY (");
    for (uint32_t at = partition; at < table->key.count; at++) {
        buffer_append_string(out, at > partition ? ", " : "");
        cql_name_append(text_of(table->key.names[at]), out);
        buffer_append_string(out, descending[at] ? " DESC" : " ASC");
    }
    buffer_append_byte(out, ')');
}

static enum status append_column(const struct target_table *table,
                                 const struct schema_column *column, struct arena *arena,
                                 struct buffer *out, struct error *error)
{
    const struct cql_type *type = cassandra_new_type(table, column, arena);
    if (type == NULL) {
        return error_set(error, ERROR_TARGET_SCHEMA, table->name,
                         "column %s: Cassandra has no type for it", column->name);
    }
    cql_name_append(text_of(column->name), out);
    buffer_append_byte(out, ' ');
    cql_type_append(type, out);
    if (column_list_holds(table->key_shape.static_columns, column->name)) {
        buffer_append_string(out, " static");
    }
    return STATUS_OK;
}

static enum status append_columns(const struct target_table *table, struct arena *arena,
                                  struct buffer *out, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < table->column_count && status == STATUS_OK; at++) {
        buffer_append_string(out, at > 0 ? ", " : "");
        status = append_column(table, &table->columns[at], arena, out, error);
    }
    return status;
}

/* Properties that are not the plan's own are appended only with `all`. */
static void append_with(const struct target_table *table, bool all, struct buffer *out)
{
    struct buffer order = {0};
    append_order(table, &order);
    const char *word = " WITH ";
    if (order.length > 0) {
        buffer_append_string(out, word);
        buffer_append(out, order.data, order.length);
        word = " AND ";
    }
    for (uint32_t at = 0; at < table->property_count; at++) {
        if (all || table->properties[at].given) {
            buffer_append_string(out, word);
            cassandra_property_append(&table->properties[at], out);
            word = " AND ";
        }
    }
    buffer_free(&order);
}

static enum status append_definition(struct cassandra *self, const struct target_table *table,
                                     bool all, struct arena *arena, struct buffer *out,
                                     struct error *error)
{
    buffer_append_string(out, "CREATE TABLE IF NOT EXISTS ");
    cassandra_append_table(self, table->name, out);
    buffer_append_string(out, " (");
    if (append_columns(table, arena, out, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    append_key(table, out);
    buffer_append_byte(out, ')');
    append_with(table, all, out);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- indexes */

/* Names of indexes are of the keyspace: the plan's own, else the server makes one. */
static void append_index(struct cassandra *self, const struct target_table *table,
                         const struct target_index *index, struct buffer *text)
{
    buffer_append_string(text, "CREATE INDEX IF NOT EXISTS ");
    cql_name_append(text_of(index->name), text);
    buffer_append_string(text, " ON ");
    cassandra_append_table(self, table->name, text);
    buffer_append_string(text, " (");
    cql_name_append(text_of(index->columns.names[0]), text);
    buffer_append_byte(text, ')');
}

static enum status make_index(struct cassandra *self, const struct target_table *table,
                              const struct target_index *index, struct error *error)
{
    struct buffer text = {0};
    append_index(self, table, index, &text);
    enum status status = cassandra_define(self, buffer_string(&text), error);
    buffer_free(&text);
    return status;
}

/* After the load, since an index slows it down. Only those of the plan for a single column; check
 * says which are not made. */
enum status cassandra_after_load(struct database *database, struct after_load_request *request,
                                 struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < request->table_count && status == STATUS_OK; at++) {
        const struct target_table *table = &request->tables[at];
        for (uint32_t i = 0; table->created && i < table->index_count && status == STATUS_OK; i++) {
            if (cassandra_makes_index(table, &table->indexes[i])) {
                status = make_index(self, table, &table->indexes[i], error);
            }
        }
    }
    return status;
}

/* ---------------------------------------------------------------- prepare */

static bool is_refusal(enum cql_failure failure)
{
    return failure == CQL_FAILURE_INVALID || failure == CQL_FAILURE_SYNTAX ||
           failure == CQL_FAILURE_CONFIG;
}

/* `*refused`: by the server itself, which would refuse it again. */
static enum status run_create(struct cassandra *self, const struct target_table *table, bool all,
                              struct arena *arena, bool *refused, struct error *error)
{
    struct buffer text = {0};
    struct cql_reply reply = {0};
    enum status status = append_definition(self, table, all, arena, &text, error);
    if (status == STATUS_OK) {
        status = cassandra_run(self, buffer_string(&text), CQL_QUORUM, true, arena, &reply, error);
    }
    *refused = status != STATUS_OK && is_refusal(reply.failure);
    buffer_free(&text);
    return status;
}

/* A property that the source's table has and this server doesn't take is left out, and named. */
static enum status take_property(struct cassandra *self, const struct target_table *table,
                                 const struct schema_property *property, struct arena *arena,
                                 struct error *error)
{
    struct buffer text = {0};
    struct cql_reply reply = {0};
    buffer_append_string(&text, "ALTER TABLE ");
    cassandra_append_table(self, table->name, &text);
    buffer_append_string(&text, " WITH ");
    cassandra_property_append(property, &text);
    enum status status =
        cassandra_run(self, buffer_string(&text), CQL_QUORUM, true, arena, &reply, error);
    if (status != STATUS_OK && is_refusal(reply.failure)) {
        log_event(LOG_WARNING, EVENT_OF(EVENT_MESSAGE, .table = table->name),
                  "table %s: %s of the source's table is not carried: %s", table->name,
                  property->name, error->message);
        error_clear(error);
        status = STATUS_OK;
    }
    buffer_free(&text);
    return status;
}

static enum status take_properties(struct cassandra *self, const struct target_table *table,
                                   struct arena *arena, struct error *error)
{
    struct column_list known = {0};
    enum status status = cassandra_properties_known(self, arena, &known, error);
    for (uint32_t at = 0; at < table->property_count && status == STATUS_OK; at++) {
        const struct schema_property *property = &table->properties[at];
        if (property->given) {
            continue;
        }
        if (known.count == 0 || column_list_holds(known, property->name)) {
            status = take_property(self, table, property, arena, error);
        } else {
            log_event(LOG_WARNING, EVENT_OF(EVENT_MESSAGE, .table = table->name),
                      "table %s: %s of the source's table is not carried: this server knows no "
                      "such thing",
                      table->name, property->name);
        }
    }
    return status;
}

static enum status create_table(struct cassandra *self, const struct target_table *table,
                                struct arena *arena, struct error *error)
{
    bool refused = false;
    if (failpoint_hit("cassandra.before_table", error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = run_create(self, table, true, arena, &refused, error);
    if (refused) {
        status = run_create(self, table, false, arena, &refused, error);
        if (status == STATUS_OK) {
            status = take_properties(self, table, arena, error);
        }
    }
    if (status != STATUS_OK) {
        return refused ? error_set(error, ERROR_TARGET_SCHEMA, table->name, "%s",
                                   arena_copy_string(arena, error->message))
                       : error_context(error, "table %s: ", table->name);
    }
    if (cassandra_agree(self, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return failpoint_hit("cassandra.after_table", error);
}

static enum status make_table(struct database *database, const struct target_table *table,
                              const struct keyed_there *there, bool again, struct arena *arena,
                              const char **id, struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    const struct cassandra_table *made = NULL;
    (void)there;
    (void)again;
    if (cassandra_types_make(self, table, arena, error) != STATUS_OK ||
        create_table(self, table, arena, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = cassandra_table_read(self, table->name, arena, &made, error);
    if (status == STATUS_OK) {
        *id = made->id;
    }
    return status == STATUS_END
               ? error_set(error, ERROR_TARGET_SCHEMA, table->name, "the new table is gone")
               : status;
}

/* ---------------------------------------------------------------- columns that come later */

static enum status add_column(struct cassandra *self, const struct target_table *table,
                              const char *name, struct arena *arena, struct error *error)
{
    const struct schema_column column = target_table_added_column(table, name);
    const struct cql_type *type = cassandra_new_type(table, &column, arena);
    struct buffer text = {0};
    if (type == NULL) {
        return error_set(error, ERROR_TARGET_SCHEMA, table->name,
                         "column %s: Cassandra has no type for it", name);
    }
    buffer_append_string(&text, "ALTER TABLE ");
    cassandra_append_table(self, table->name, &text);
    buffer_append_string(&text, " ADD ");
    cql_name_append(text_of(name), &text);
    buffer_append_byte(&text, ' ');
    cql_type_append(type, &text);
    enum status status = cassandra_define(self, buffer_string(&text), error);
    buffer_free(&text);
    return status == STATUS_OK ? STATUS_OK
                               : error_context(error, "table %s: column %s: ", table->name, name);
}

enum status cassandra_add_columns(struct database *database, const struct target_table *table,
                                  struct column_list columns, struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    struct arena *arena = arena_create(0);
    enum status status = cassandra_types_make(self, table, arena, error);
    for (uint32_t at = 0; at < columns.count && status == STATUS_OK; at++) {
        status = add_column(self, table, columns.names[at], arena, error);
    }
    cassandra_layouts_forget(self);
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- tables that are there */

static enum status table_look(struct database *database, const struct target_table *table,
                              struct arena *arena, struct keyed_there *there, struct error *error)
{
    const struct cassandra_table *found = NULL;
    enum status status =
        cassandra_table_read(cassandra_of(database), table->name, arena, &found, error);
    if (status == STATUS_OK) {
        *there = (struct keyed_there){.exists = true, .id = found->id};
    }
    return status == STATUS_END ? STATUS_OK : status;
}

enum status cassandra_prepare(struct database *database, const struct prepare_request *request,
                              struct error *error)
{
    enum status status = cassandra_make_keyspace(cassandra_of(database), error);
    status = status == STATUS_OK ? keyed_prepare(database, request, error) : status;
    cassandra_layouts_forget(cassandra_of(database));
    return status;
}

static enum status table_drop_named(struct cassandra *self, const char *table, struct error *error)
{
    struct buffer text = {0};
    buffer_append_string(&text, "DROP TABLE IF EXISTS ");
    cassandra_append_table(self, table, &text);
    enum status status = cassandra_define(self, buffer_string(&text), error);
    buffer_free(&text);
    return status;
}

static enum status drop_table(struct database *database, const struct target_table *table,
                              const struct keyed_there *there, enum keyed_made made,
                              struct error *error)
{
    (void)there;
    (void)made;
    return table_drop_named(cassandra_of(database), table->name, error);
}

const struct keyed_tables cassandra_tables = {
    .look = table_look, .make = make_table, .drop = drop_table, .clear = cassandra_truncate};

/* ---------------------------------------------------------------- made again */

/* Emptied before it is said to be about to be made: what a crash leaves then is the run's own. */
static enum status drop_emptied(struct cassandra *self, const struct target_table *table,
                                struct error *error)
{
    enum status status = cassandra_truncate(&self->keyed.base, table, error);
    status =
        status == STATUS_OK ? keyed_made_intend(&self->keyed.room, table->name, error) : status;
    status = status == STATUS_OK ? failpoint_hit("cassandra.before_drop", error) : status;
    status = status == STATUS_OK ? table_drop_named(self, table->name, error) : status;
    return status == STATUS_OK ? failpoint_hit("cassandra.after_drop", error) : status;
}

enum status cassandra_make_again(struct database *database, const struct target_table *table,
                                 struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    struct arena *arena = arena_create(0);
    struct target_table made = *table;
    struct after_load_request finished = {.tables = &made, .table_count = 1};
    struct prepare_request request = {.tables = &made, .table_count = 1};
    enum status status = keyed_prepare(database, &request, error);
    if (status == STATUS_OK && !made.created) {
        status = error_set(error, ERROR_TARGET_SCHEMA, table->name, "the run did not make it");
    }
    status = status == STATUS_OK ? drop_emptied(self, table, error) : status;
    cassandra_layouts_forget(self);
    status = status == STATUS_OK ? keyed_make_table(database, &made, arena, error) : status;
    made.created = true;
    status = status == STATUS_OK ? cassandra_after_load(database, &finished, error) : status;
    cassandra_layouts_forget(self);
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- showing it */

static enum status show_table(struct cassandra *self, const struct target_table *table,
                              struct script *script, struct error *error)
{
    struct buffer text = {0};
    cassandra_types_show(self, table, script);
    if (append_definition(self, table, true, script->arena, &text, error) != STATUS_OK) {
        buffer_free(&text);
        return STATUS_FAILED;
    }
    script_add(script, SCRIPT_BEFORE_LOAD, "table", table->name, &text);
    return STATUS_OK;
}

static void show_indexes(struct cassandra *self, const struct target_table *table,
                         struct script *script)
{
    for (uint32_t i = 0; i < table->index_count; i++) {
        struct buffer text = {0};
        if (cassandra_makes_index(table, &table->indexes[i])) {
            append_index(self, table, &table->indexes[i], &text);
            script_add(script, SCRIPT_AFTER_LOAD, "index", table->indexes[i].name, &text);
        }
    }
}

enum status cassandra_script(struct database *database, const struct script_request *request,
                             struct script *script, struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    enum status status = STATUS_OK;
    struct buffer text = {0};
    if (!self->keyspace_there) {
        cassandra_append_keyspace(self, &text);
        script_add(script, SCRIPT_BEFORE_LOAD, "keyspace", self->keyspace, &text);
    }
    for (uint32_t at = 0; at < request->table_count && status == STATUS_OK; at++) {
        status = request->missing[at] ? show_table(self, &request->tables[at], script, error)
                                      : STATUS_OK;
    }
    for (uint32_t at = 0; at < request->table_count && status == STATUS_OK; at++) {
        if (request->missing[at]) {
            show_indexes(self, &request->tables[at], script);
        }
    }
    return status;
}

enum status cassandra_column_type(struct database *database, const struct target_table *table,
                                  const struct schema_column *column, struct buffer *out,
                                  struct error *error)
{
    struct arena *arena = arena_create(0);
    const struct cql_type *type = cassandra_new_type(table, column, arena);
    (void)database;
    (void)error;
    if (type != NULL) {
        cql_type_append(type, out);
    }
    arena_destroy(arena);
    return STATUS_OK;
}
