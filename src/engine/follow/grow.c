/* Columns that the source got while its changes were followed. */
#include "engine/follow/grow.h"

#include "base/log.h"
#include "engine/follow/left.h"
#include "engine/follow/refresh.h"
#include "engine/follow/source_now.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_positions.h"
#include "engine/run/schema_lines.h"
#include "plan/canonical_text.h"
#include <string.h>

static const char intent_name[] = "grown";

/* Lines of columns: that earlier attempts found, and whose loss was taken for right. */
struct grown {
    const char *columns;
    const char *lost;
};

static enum status read_grown(const struct run *run, struct grown *grown, struct error *error)
{
    const char *text;
    json_t *object;
    *grown = (struct grown){"", ""};
    enum status status =
        ledger_get_intent(run->session->ledger, run->id, intent_name, run->arena, &text, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    if (json_from_text(text, "columns that were added", ERROR_LEDGER_INVALID, &object, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    grown->columns = arena_copy_string(run->arena, json_member_text(object, "columns", ""));
    grown->lost = arena_copy_string(run->arena, json_member_text(object, "lost", ""));
    json_decref(object);
    return STATUS_OK;
}

static enum status put_grown(const struct run *run, const struct grown *grown, struct error *error)
{
    const char *text;
    json_t *object = json_pack("{s:i,s:o,s:o}", "format", CONTROL_FORMAT, "columns",
                               json_text(grown->columns), "lost", json_text(grown->lost));
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

/* What the followed tables had once and have not now. */
static enum status list_lost(const struct run *run, const char *schema_text,
                             const struct grown *grown, struct buffer *lost, struct error *error)
{
    const struct run_session *session = run->session;
    struct buffer known = {0}; /* there, or not missed */
    buffer_append_string(&known, session->schema_text);
    buffer_append_string(&known, grown->lost);
    enum status status = list_columns(session, schema_text, buffer_string(&known), lost, error);
    status = status == STATUS_OK
                 ? list_columns(session, grown->columns, buffer_string(&known), lost, error)
                 : status;
    buffer_free(&known);
    return status;
}

/* "column TABLE.COLUMN TYPE" lines; names have no line breaks here. */
static void take_lost(struct run *run, struct buffer *lines)
{
    static const char word[] = "column ";
    struct run_lost *lost = arena_allocate_zeroed(run->arena, lines->length + 1, sizeof *lost);
    uint32_t count = 0;
    char *next = arena_copy_string(run->arena, buffer_string(lines));
    for (char *line; (line = strsep(&next, "\n")) != NULL;) {
        const struct schema *schema = run->session->schema;
        const char *name = *line != '\0' ? line + strlen(word) : line;
        for (uint32_t i = 0; i < schema->table_count; i++) {
            size_t length = strlen(schema->tables[i].name);
            if (strncmp(name, schema->tables[i].name, length) == 0 && name[length] == '.') {
                lost[count++] = (struct run_lost){schema->tables[i].name, name + length + 1};
                break;
            }
        }
    }
    run->lost = lost;
    run->lost_count = count;
}

/* Tables of the target that are made of rows of tables that lost columns. */
static enum status list_shrunk(const struct run *run, struct column_list *shrunk,
                               struct error *error)
{
    const struct plan *plan = run->session->plan;
    struct follow_routes *routes;
    const char **names = arena_allocate_zeroed(run->arena, plan->entity_count + 1u, sizeof *names);
    *shrunk = (struct column_list){names, 0};
    if (follow_routes_make(run->session, &routes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t e = 0; e < plan->entity_count; e++) {
        bool any = false;
        for (uint32_t i = 0; i < run->lost_count && !any; i++) {
            any = follow_routes_read(routes, plan->entities[e].stream, run->lost[i].table);
        }
        if (any) {
            names[shrunk->count++] = plan->tables[plan->entities[e].table].target.name;
        }
    }
    follow_routes_free(routes);
    return STATUS_OK;
}

enum status grow_check(struct run *run, const struct ledger_header *header, struct error *error)
{
    struct grown grown;
    struct buffer lost = {0};
    struct column_list shrunk = {0};
    if (header->schema_text == NULL) {
        return STATUS_END;
    }
    enum status status = read_grown(run, &grown, error);
    status =
        status == STATUS_OK ? list_lost(run, header->schema_text, &grown, &lost, error) : status;
    if (status == STATUS_OK) { /* what was accepted is not there either */
        struct buffer all = {0};
        buffer_append_buffer(&all, &lost);
        buffer_append_string(&all, grown.lost);
        take_lost(run, &all);
        buffer_free(&all);
        status = list_shrunk(run, &shrunk, error);
        take_lost(run, &lost);
    }
    buffer_free(&lost);
    return status != STATUS_OK ? status
           : canonical_text_is_grown(header->mapping_text, run->session->plan->mapping_text, shrunk)
               ? STATUS_OK
               : STATUS_END;
}

enum status grow_accept(const struct run *run, struct error *error)
{
    struct grown grown;
    struct buffer lost = {0};
    enum status status = read_grown(run, &grown, error);
    buffer_append_string(&lost, status == STATUS_OK ? grown.lost : "");
    status = status == STATUS_OK ? list_lost(run, run->header.schema_text, &grown, &lost, error)
                                 : status;
    if (status == STATUS_OK && strcmp(grown.lost, buffer_string(&lost)) != 0) {
        grown.lost = buffer_string(&lost);
        status = put_grown(run, &grown, error);
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

struct growing {
    struct run *run;
    const struct follow_routes *routes;
    struct follow_translator *translator;
};

/* What computes a column, SQLite does not tell. NULL: all can be made. */
static const char *find_unknown(const struct target_table *table, struct column_list missing)
{
    const struct schema_table *same = table->same_engine;
    for (uint32_t i = 0; same != NULL && i < missing.count; i++) {
        const struct schema_column *column = find_column(same, missing.names[i]);
        if (column != NULL && column->generated != GENERATED_NO && column->default_text == NULL) {
            return column->name;
        }
    }
    return NULL;
}

static enum status grow_table(struct growing *growing, uint32_t number,
                              const struct schema_table *there, struct error *error)
{
    struct run *run = growing->run;
    struct database *target = run->session->target;
    const struct target_table *table = &run->session->plan->tables[number].target;
    struct column_list missing = missing_columns(table, there, run->arena);
    if (missing.count == 0) {
        return STATUS_OK;
    }
    const char *unknown = find_unknown(table, missing);
    if (unknown != NULL) {
        return left_for(run, growing->routes, growing->translator, NULL, table->same_engine->name,
                        arena_format(run->arena,
                                     "its new column %s is computed, in a way that SQLite does "
                                     "not tell; give the target's table one, too",
                                     unknown),
                        error);
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

/* Of a target without columns: tables that got some since which hold values already. */
static enum status refresh_free(struct run *run, const struct follow_routes *routes,
                                struct error *error)
{
    const struct schema *schema = run->session->schema;
    struct grown noted;
    struct buffer known = {0};
    enum status status = read_grown(run, &noted, error);
    buffer_append_string(&known, run->header.schema_text);
    buffer_append_string(&known, status == STATUS_OK ? noted.columns : "");
    for (uint32_t t = 0; t < routes->table_count && status == STATUS_OK; t++) {
        const struct schema_table *table = schema_find_table(schema, routes->tables[t]);
        struct buffer lines = {0};
        bool has_values = false;
        schema_lines_append_columns(run->session->schema_text, buffer_string(&known),
                                    routes->tables[t], &lines);
        for (uint32_t i = 0; lines.length > 0 && table != NULL && i < table->column_count; i++) {
            char *begin = arena_format(run->arena, "%s.%s ", table->name, table->columns[i].name);
            has_values = has_values || (comes_with_values(&table->columns[i]) &&
                                        strstr(buffer_string(&lines), begin) != NULL);
        }
        buffer_free(&lines);
        status = has_values ? refresh_note(run, &routes->tables[t], 1, error) : status;
    }
    buffer_free(&known);
    return status;
}

static enum status note_grown(const struct run *run, struct error *error)
{
    struct buffer lines = {0};
    struct grown noted;
    enum status status = read_grown(run, &noted, error);
    status = status == STATUS_OK ? list_columns(run->session, run->session->schema_text,
                                                run->header.schema_text, &lines, error)
                                 : status;
    if (status == STATUS_OK && strcmp(noted.columns, buffer_string(&lines)) != 0) {
        noted.columns = buffer_string(&lines);
        status = put_grown(run, &noted, error);
    }
    buffer_free(&lines);
    return status;
}

enum status grow_target(struct run *run, const struct follow_routes *routes,
                        struct follow_translator *translator, struct error *error)
{
    struct growing growing = {run, routes, translator};
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
        return refresh_free(run, routes, error) == STATUS_OK ? note_grown(run, error)
                                                             : STATUS_FAILED;
    }
    for (uint32_t i = 0; i < plan->table_count; i++) {
        names[i] = plan->tables[i].target.name;
    }
    enum status status = session_describe_target(session, names, &reading, &schema, error);
    for (uint32_t i = 0; i < plan->table_count && status == STATUS_OK; i++) {
        const struct schema_table *there = session_target_table(session, schema, names[i]);
        status = there != NULL ? grow_table(&growing, i, there, error) : STATUS_OK;
    }
    if (reading != NULL) {
        reading->connector->close(reading);
    }
    if (schema != NULL) {
        arena_destroy(schema->arena);
    }
    return status == STATUS_OK ? note_grown(run, error) : status;
}

enum status grow_is_there(const struct run_session *session, const char *table, const char *column,
                          bool *is_there, struct error *error)
{
    struct schema *schema = NULL;
    if (source_now_describe(session, &schema, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct schema_table *found = schema_find_table(schema, table);
    *is_there = found != NULL && find_column(found, column) != NULL;
    arena_destroy(schema->arena);
    return STATUS_OK;
}
