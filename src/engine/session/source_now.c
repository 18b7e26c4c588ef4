/* The source's tables as they are at this moment. */
#include "engine/session/source_now.h"

#include "base/log.h"
#include "engine/session/opening.h"
#include "engine/session/options.h"
#include "engine/session/target_tables.h"
#include "model/schema_compare.h"

/* Asked on a connection of its own. The caller destroys the schema's arena. */
static enum status source_now_describe(const struct run_session *session, struct schema **schema,
                                       struct error *error)
{
    const struct connector *connector = session->source->connector;
    struct arena *arena = arena_create(0);
    struct database *source = NULL;
    const struct open_options open = {.mode = OPEN_SOURCE,
                                      .uri = session->source_uri,
                                      .memory_bytes = options_cache_bytes(&session->options),
                                      .timeout_ms = session->options.limits.timeout_ms,
                                      .schemas = session->options.selection.schemas,
                                      .no_code = session->options.making.no_code,
                                      .recovers = session->options.follow.recovers};
    *schema = NULL;
    enum status status = opening_open(connector, session->source_uri, &open, arena, &source, error);
    if (status == STATUS_OK) {
        source->known = session->schema; /* no values are looked through for it */
        status = connector->catalog->describe(source, schema, error);
    }
    if (source != NULL) {
        connector->close(source);
    }
    arena_destroy(arena);
    return status;
}

static bool matters(const struct run_session *session, const struct table_change *change,
                    struct column_list tables)
{
    switch (change->difference) {
    case TABLE_NEW:
        return !session->kept.refuses_new && there_joins(session, change->now);
    case TABLE_GONE:
        return column_list_holds(tables, change->name) &&
               !column_list_holds(session->kept.gone, change->name);
    case TABLE_SAME:
        return table_change_is_of_records(change) && column_list_holds(tables, change->name);
    case TABLE_REKEYED:
    case TABLE_REPLACED:
        break;
    }
    return column_list_holds(tables, change->name);
}

enum status source_now_is_same(const struct run_session *session, const char *const *tables,
                               uint32_t table_count, bool *same, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct schema *schema = NULL;
    struct schema_changes changes = {0};
    enum status status = source_now_describe(session, &schema, error);
    *same = false;
    if (status == STATUS_OK) {
        *same = true;
        schema_compare(session->schema, schema, true, arena, &changes);
    }
    for (uint32_t i = 0; i < changes.table_count; i++) {
        struct buffer what = {0};
        if (matters(session, &changes.tables[i], (struct column_list){tables, table_count})) {
            *same = false;
            table_change_append(&changes.tables[i], &what);
            log_write(LOG_INFO, "the source's schema has changed: %s", buffer_string(&what));
        }
        buffer_free(&what);
    }
    if (schema != NULL) {
        arena_destroy(schema->arena);
    }
    arena_destroy(arena);
    return status;
}

static struct column_list list_all(const struct schema *schema, struct arena *arena)
{
    const char **names =
        arena_allocate_zeroed(arena, schema->table_count + (size_t)1, sizeof *names);
    for (uint32_t i = 0; i < schema->table_count; i++) {
        names[i] = schema->tables[i].name;
    }
    return (struct column_list){names, schema->table_count};
}

bool source_now_may_cause(const struct error *error)
{
    return error->code == ERROR_SOURCE_READ || error->code == ERROR_SOURCE_CHANGED ||
           error->code == ERROR_SOURCE_INVALID ||
           error->code == ERROR_PLAN_INVALID; /* it names a column that was there */
}

bool source_now_causes(const struct run_session *session, const char *const *tables,
                       uint32_t table_count, const struct error *error)
{
    struct error ignored = {0};
    bool same = true;
    struct arena *arena = arena_create(0);
    const struct column_list all = list_all(session->schema, arena);
    enum status status =
        source_now_may_cause(error)
            ? source_now_is_same(session, tables != NULL ? tables : all.names,
                                 tables != NULL ? table_count : all.count, &same, &ignored)
            : STATUS_END;
    arena_destroy(arena);
    return status == STATUS_OK && !same;
}
