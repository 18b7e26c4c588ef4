/* Columns that the source got while its changes were followed. */
#include "engine/follow/grow.h"

#include "base/log.h"
#include "engine/follow/refresh.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_positions.h"
#include "engine/run/opening.h"
#include "engine/run/options.h"
#include "engine/run/schema_lines.h"
#include "plan/canonical_text.h"
#include <string.h>

static const char intent_name[] = "grown";

/* Lines of columns that earlier attempts found. */
static enum status read_grown(const struct run *run, const char **lines, struct error *error)
{
    const char *text;
    json_t *object;
    *lines = "";
    enum status status =
        ledger_get_intent(run->session->ledger, run->id, intent_name, run->arena, &text, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    if (json_from_text(text, "columns that were added", ERROR_LEDGER_INVALID, &object, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    *lines = arena_copy_string(run->arena, json_member_text(object, "columns", ""));
    json_decref(object);
    return STATUS_OK;
}

static enum status put_grown(const struct run *run, const char *lines, struct error *error)
{
    const char *text;
    json_t *object = json_pack("{s:i,s:o}", "format", CONTROL_FORMAT, "columns", json_text(lines));
    return json_to_arena(object, run->arena, &text, error) == STATUS_OK
               ? ledger_put_intent(run->session->ledger, run->id, intent_name, text, error)
               : STATUS_FAILED;
}

/* Of all followed tables: columns of `text` that `other` has not. */
static enum status list_columns(const struct run_session *session, const char *text,
                                const char *other, struct buffer *lines, struct error *error)
{
    struct follow_routes *routes;
    if (follow_routes_make(session, &routes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < routes->table_count; i++) {
        schema_lines_append_columns(text, other, routes->tables[i], lines);
    }
    follow_routes_free(routes);
    return STATUS_OK;
}

enum status grow_check(const struct run *run, const struct ledger_header *header,
                       struct error *error)
{
    const struct run_session *session = run->session;
    const char *grown;
    struct buffer lost = {0};
    if (header->schema_text == NULL ||
        !canonical_text_is_grown(header->mapping_text, session->plan->mapping_text)) {
        return STATUS_END;
    }
    enum status status = read_grown(run, &grown, error);
    status = status == STATUS_OK
                 ? list_columns(session, header->schema_text, session->schema_text, &lost, error)
                 : status;
    status = status == STATUS_OK ? list_columns(session, grown, session->schema_text, &lost, error)
                                 : status;
    if (status == STATUS_OK && lost.length > 0) {
        static const char word[] = "column ";
        const char *column = buffer_string(&lost) + strlen(word);
        error_set(error, ERROR_SOURCE_CHANGED, session->source_uri->shown,
                  "its column %.*s, which is followed, is gone or another one",
                  (int)strcspn(column, "\n"), column);
        error_hint(error, "put it back as it was: only added columns are followed; or end "
                          "following (`transhume cutover --abandon --confirm`), and begin anew");
        status = STATUS_FAILED;
    }
    buffer_free(&lost);
    return status;
}

static const struct schema_column *find_column(const struct schema_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (strcmp(table->columns[i].name, name) == 0) {
            return &table->columns[i];
        }
    }
    return NULL;
}

static struct column_list missing_columns(const struct target_table *target,
                                          const struct schema_table *there, struct arena *arena)
{
    const struct schema_table *same = target->same_engine;
    const struct schema_column *columns = same != NULL ? same->columns : target->columns;
    uint32_t count = same != NULL ? same->column_count : target->column_count;
    const char **names = arena_allocate_zeroed(arena, count + (size_t)1, sizeof *names);
    struct column_list missing = {names, 0};
    for (uint32_t i = 0; i < count; i++) {
        if (find_column(there, columns[i].name) == NULL) {
            names[missing.count++] = columns[i].name;
        }
    }
    return missing;
}

/* Rows that nobody changed since hold it, too. */
static bool comes_with_values(const struct schema_column *column)
{
    return column != NULL &&
           (column->default_text != NULL || column->default_kind != SCHEMA_DEFAULT_NONE ||
            column->generated != GENERATED_NO || column->identity || column->not_null);
}

static enum status note_refresh(struct run *run, uint32_t table, struct column_list missing,
                                struct error *error)
{
    const struct run_session *session = run->session;
    const struct plan *plan = session->plan;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < plan->entity_count && status == STATUS_OK; i++) {
        const char *from = plan->streams[plan->entities[i].stream].request.table;
        const struct schema_table *source = schema_find_table(session->schema, from);
        bool has_values = false;
        for (uint32_t c = 0; source != NULL && c < missing.count; c++) {
            has_values = has_values || comes_with_values(find_column(source, missing.names[c]));
        }
        if (plan->entities[i].table == table && has_values) {
            status = refresh_note(run, &from, 1, error);
        }
    }
    return status;
}

static enum status grow_table(struct run *run, uint32_t number, const struct schema_table *there,
                              struct error *error)
{
    struct database *target = run->session->target;
    const struct target_table *table = &run->session->plan->tables[number].target;
    struct column_list missing = missing_columns(table, there, run->arena);
    if (missing.count == 0) {
        return STATUS_OK;
    }
    if (target->connector->target->add_columns == NULL) {
        error_set(error, ERROR_FOLLOW, table->name,
                  "the source has the new column %s, which %s can't add", missing.names[0],
                  target->connector->title);
        return error_hint(error, "add it to the target's table, and follow on");
    }
    if (note_refresh(run, number, missing, error) != STATUS_OK ||
        target->connector->target->add_columns(target, table, missing, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < missing.count; i++) {
        log_write(LOG_INFO, "%s got the column %s, which is new in the source", table->name,
                  missing.names[i]);
    }
    return STATUS_OK;
}

static enum status note_grown(const struct run *run, struct error *error)
{
    struct buffer lines = {0};
    const char *noted;
    enum status status = read_grown(run, &noted, error);
    status = status == STATUS_OK ? list_columns(run->session, run->session->schema_text,
                                                run->header.schema_text, &lines, error)
                                 : status;
    if (status == STATUS_OK && strcmp(noted, buffer_string(&lines)) != 0) {
        status = put_grown(run, buffer_string(&lines), error);
    }
    buffer_free(&lines);
    return status;
}

enum status grow_target(struct run *run, struct error *error)
{
    const struct run_session *session = run->session;
    const struct plan *plan = session->plan;
    const char **names = arena_allocate_zeroed(run->arena, plan->table_count + 1u, sizeof *names);
    struct database *reading = NULL;
    struct schema *schema = NULL;
    if (!run->has_grown) {
        return STATUS_OK;
    }
    if ((session->target->capabilities & CAPABILITY_FREE_FIELDS) != 0 ||
        session->target->connector->apply->keeps_log) {
        return note_grown(run, error);
    }
    for (uint32_t i = 0; i < plan->table_count; i++) {
        names[i] = plan->tables[i].target.name;
    }
    enum status status = session_describe_target(session, names, &reading, &schema, error);
    for (uint32_t i = 0; i < plan->table_count && status == STATUS_OK; i++) {
        const struct schema_table *there = session_target_table(session, schema, names[i]);
        status = there != NULL ? grow_table(run, i, there, error) : STATUS_OK;
    }
    if (reading != NULL) {
        reading->connector->close(reading);
    }
    return status == STATUS_OK ? note_grown(run, error) : status;
}

enum status grow_is_there(const struct run_session *session, const char *table, const char *column,
                          bool *is_there, struct error *error)
{
    const struct connector *connector = session->source->connector;
    struct arena *arena = arena_create(0);
    struct database *source = NULL;
    struct schema *schema = NULL;
    const struct open_options open = {.mode = OPEN_SOURCE,
                                      .uri = session->source_uri,
                                      .memory_bytes = options_cache_bytes(&session->options),
                                      .timeout_ms = session->options.timeout_ms,
                                      .schemas = session->options.schemas};
    enum status status = opening_open(connector, session->source_uri, &open, arena, &source, error);
    status = status == STATUS_OK ? connector->catalog->describe(source, &schema, error) : status;
    if (status == STATUS_OK) {
        const struct schema_table *found = schema_find_table(schema, table);
        *is_there = found != NULL && find_column(found, column) != NULL;
    }
    if (source != NULL) {
        connector->close(source);
    }
    arena_destroy(arena);
    return status;
}
