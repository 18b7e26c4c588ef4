/* The target opened once more, for reading: what a rollback compares with the done marks. */
#include "engine/rollback/rollback_parts.h"

bool rollback_can_tell(const struct rollback *rollback, uint32_t number)
{
    const struct ledger_table *table = &rollback->run.header.tables[number];
    const struct connector *connector = rollback->session.target->connector;
    bool free_fields = (rollback->session.target->capabilities & CAPABILITY_FREE_FIELDS) != 0;
    return connector->source != NULL && connector->catalog != NULL && table->entity_count > 0 &&
           (free_fields || (table->entity_count == 1 && table->entities[0].fields.count > 0));
}

/* SQL databases describe all tables at once, and read them in one snapshot; elsewhere there may be
 * files and tables of others among them. */
bool rollback_is_of_sql(const struct rollback *rollback)
{
    const uint32_t sql = CAPABILITY_SQL_SCHEMA | CAPABILITY_TRANSACTIONS;
    return (rollback->session.target->capabilities & sql) == sql;
}

/* With declared columns: those of the one entity, in its order; documents come whole. */
static void make_request(const struct rollback *rollback, const struct ledger_table *table,
                         struct arena *arena, struct read_request *request)
{
    bool free_fields = (rollback->session.target->capabilities & CAPABILITY_FREE_FIELDS) != 0;
    uint32_t count = free_fields ? 0 : table->entities[0].fields.count;
    struct read_column *columns = arena_allocate_zeroed(arena, count + 1u, sizeof(*columns));
    for (uint32_t i = 0; i < count; i++) {
        columns[i] = (struct read_column){.join = -1, .name = table->entities[0].fields.names[i]};
    }
    *request = (struct read_request){.name = table->name,
                                     .table = table->name,
                                     .columns = columns,
                                     .column_count = count,
                                     .partitions = true};
}

/* Without one of its columns nobody can tell what others did to the table. A description of
 * documents names those fields alone that were seen. */
static enum status check_columns(const struct rollback *rollback, const struct ledger_table *table,
                                 const struct schema_table *there, struct error *error)
{
    const struct column_list fields = table->entities[0].fields;
    if ((rollback->session.target->capabilities & CAPABILITY_FREE_FIELDS) != 0) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; there != NULL && i < fields.count; i++) {
        if (schema_find_column(there, fields.names[i]) < 0) {
            error_set(error, ERROR_ROLLBACK_REFUSED, table->name,
                      "its column %s is gone: it was dropped or renamed since the run",
                      fields.names[i]);
            error_hint(error,
                       "what others did to the table is unknown: give it its column back, or "
                       "drop the table by hand");
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

/* Prepares the tables that are there and can be told, from `first` to before `end`. */
static enum status rollback_mirror_prepare(struct rollback *rollback, uint32_t first, uint32_t end,
                                           struct error *error)
{
    struct rollback_mirror *mirror = &rollback->mirror;
    const struct connector *connector = rollback->session.target->connector;
    const struct ledger_table *tables = rollback->run.header.tables;
    const struct read_request **requests =
        arena_allocate_zeroed(mirror->arena, end + 1u, sizeof(struct read_request *));
    uint32_t count = 0;
    const char *token;
    for (uint32_t i = first; i < end; i++) {
        bool alone = end - first == 1;
        bool can = rollback_can_tell(rollback, i);
        const struct schema_table *there =
            can ? session_target_table(&rollback->session, mirror->schema, tables[i].name) : NULL;
        if (!can || (!alone && there == NULL)) {
            continue;
        }
        if (check_columns(rollback, &tables[i], there, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        make_request(rollback, &tables[i], mirror->arena, &mirror->requests[i]);
        requests[count++] = &mirror->requests[i];
    }
    return connector->source->snapshot(mirror->source, 1, mirror->arena, &token, error) ==
                       STATUS_OK &&
                   connector->source->prepare(mirror->source, requests, count, NULL, error) ==
                       STATUS_OK
               ? connector->source->reader_open(mirror->source, &mirror->reader, error)
               : STATUS_FAILED;
}

enum status rollback_describe(const struct rollback *rollback, uint32_t first, uint32_t end,
                              struct arena *arena, struct database **source, struct schema **schema,
                              struct error *error)
{
    const char **names = arena_allocate_zeroed(arena, end - first + 1u, sizeof(*names));
    for (uint32_t i = first; i < end; i++) {
        names[i - first] = rollback->run.header.tables[i].name;
    }
    return session_describe_target(&rollback->session, names, source, schema, error);
}

static enum status open_mirror(struct rollback *rollback, uint32_t first, uint32_t end,
                               struct error *error)
{
    struct rollback_mirror *mirror = &rollback->mirror;
    mirror->arena = arena_create(0);
    mirror->requests = arena_allocate_zeroed(mirror->arena, end + 1u, sizeof(*mirror->requests));
    return rollback_describe(rollback, first, end, mirror->arena, &mirror->source, &mirror->schema,
                             error) == STATUS_OK
               ? rollback_mirror_prepare(rollback, first, end, error)
               : STATUS_FAILED;
}

void rollback_mirror_close(struct rollback *rollback)
{
    struct rollback_mirror *mirror = &rollback->mirror;
    if (mirror->reader != NULL) {
        mirror->source->connector->source->reader_close(mirror->reader);
    }
    if (mirror->schema != NULL) {
        arena_destroy(mirror->schema->arena);
    }
    if (mirror->source != NULL) {
        mirror->source->connector->close(mirror->source);
    }
    arena_destroy(mirror->arena);
    *mirror = (struct rollback_mirror){0};
}

enum status rollback_mirror_find(struct rollback *rollback, uint32_t number,
                                 const struct rollback_mirror **mirror,
                                 const struct read_request **request, struct error *error)
{
    bool shared = rollback_is_of_sql(rollback);
    uint32_t end = shared ? rollback->run.header.table_count : number + 1;
    if (!shared || rollback->mirror.reader == NULL ||
        rollback->mirror.requests[number].name == NULL) {
        rollback_mirror_close(rollback);
        if (open_mirror(rollback, number, end, error) != STATUS_OK) {
            rollback_mirror_close(rollback);
            return STATUS_FAILED;
        }
    }
    if (rollback->mirror.requests[number].name == NULL) {
        return error_set(error, ERROR_TARGET_SCHEMA, rollback->run.header.tables[number].name,
                         "the table can't be read: it went while the rollback looked at it");
    }
    *mirror = &rollback->mirror;
    *request = &rollback->mirror.requests[number];
    return STATUS_OK;
}
