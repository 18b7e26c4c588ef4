/* Columns of the target's tables that came, or hold more, since the run began. */
#include "engine/follow/grow.h"
#include "connectors/contract/defaults.h"

#include "base/failpoint.h"
#include "base/log.h"
#include "engine/follow/name_list.h"
#include "engine/follow/new_tables.h"
#include "engine/follow/unfollowed.h"
#include "model/labels.h"
#include "model/schema_compare.h"
#include <string.h>

static const char align_intent[] = "align";

enum status align_note(struct run *run, const char *table, struct error *error)
{
    return name_list_add(run, align_intent, table, error);
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
        if (schema_column_named(there, columns[i].name) == NULL) {
            names[missing.count++] = columns[i].name;
        }
    }
    return missing;
}

struct growing {
    struct run *run;
    const struct follow_routes *routes;
    struct follow_translator *translator;
    struct column_list tables; /* of the source, that are to be aligned */
    bool makes_again;          /* what can't be altered: with a resync, which fills it */
};

/* Streams of the source's tables that fill this one are left. */
static enum status table_leave(struct growing *growing, uint32_t number, const char *reason,
                               struct error *error)
{
    const struct plan *plan = growing->run->session->plan;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < plan->entity_count && status == STATUS_OK; i++) {
        if (plan->entities[i].table == number) {
            status = unfollowed_for(growing->run, growing->routes, growing->translator, NULL,
                                    plan->streams[plan->entities[i].stream].request.table, reason,
                                    error);
        }
    }
    return status;
}

/* ---------------------------------------------------------------- columns that are missing */

/* SQLite does not tell what computes a column. NULL: all can be made. */
static const char *find_unknown(const struct target_table *table, struct column_list missing)
{
    const struct schema_table *same = table->same_engine;
    for (uint32_t i = 0; same != NULL && i < missing.count; i++) {
        const struct schema_column *column = schema_column_named(same, missing.names[i]);
        if (column != NULL && column->generated != GENERATED_NO && column->default_text == NULL) {
            return column->name;
        }
    }
    return NULL;
}

static enum status add_missing(struct growing *growing, uint32_t number,
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
        return table_leave(
            growing, number,
            arena_format(run->arena,
                         "its new column %s is computed, in a way that SQLite does not "
                         "tell; give the target's table one, too",
                         unknown),
            error);
    }
    if (connector_columns(target->connector)->add == NULL) {
        return table_leave(growing, number,
                           arena_format(run->arena,
                                        "the source has the new column %s, and %s adds none: give "
                                        "the target's table one, too",
                                        missing.names[0], target->connector->title),
                           error);
    }
    if (connector_columns(target->connector)->add(target, table, missing, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < missing.count; i++) {
        log_write(LOG_INFO, "%s got the column %s, which is new in the source", table->name,
                  missing.names[i]);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- columns that hold too little */

/* The declaration that the target would give it now; NULL: it gives none. */
static const char *declaration(const struct growing *growing, const struct target_table *table,
                               const struct schema_column *column, struct error *error)
{
    struct database *target = growing->run->session->target;
    const struct column_functions *columns = connector_columns(target->connector);
    struct buffer text = {0};
    enum status status =
        columns->type != NULL ? columns->type(target, table, column, &text, error) : STATUS_END;
    const char *made =
        status == STATUS_OK ? arena_copy_string(growing->run->arena, buffer_string(&text)) : NULL;
    buffer_free(&text);
    return made;
}

/* In other words of the database, perhaps. */
static bool is_alike(const struct value_type *there, const struct value_type *wanted)
{
    return there->kind == wanted->kind && there->precision == wanted->precision &&
           there->scale == wanted->scale && there->bits == wanted->bits &&
           there->fraction == wanted->fraction && there->zoned == wanted->zoned;
}

static const char *labels_of(const struct schema_column *column)
{
    const char *of_type = labels_of_type(column->type.native);
    return of_type != NULL ? of_type : labels_of_stamp(column->stamp);
}

/* Does the column there take what the table's column is to hold? */
static bool holds(const struct growing *growing, const struct target_table *table,
                  const struct schema_column *there, const struct schema_column *wanted)
{
    struct error ignored = {0};
    const char *labels = labels_of(there);
    bool null = !there->not_null || wanted->not_null || column_list_holds(table->key, there->name);
    if (labels != NULL && labels_of(wanted) != NULL) {
        /* a list that has others, too, is somebody else's */
        return null && (labels_hold(labels, labels_of(wanted), false) ||
                        !labels_hold(labels_of(wanted), labels, false));
    }
    const char *native = there->type.native;
    const char *declared = declaration(growing, table, wanted, &ignored);
    bool same = native != NULL && declared != NULL && strcmp(native, declared) == 0;
    return null && (same || is_alike(&there->type, &wanted->type) ||
                    value_type_holds(&there->type, &wanted->type));
}

static struct column_list narrow_columns(const struct growing *growing,
                                         const struct target_table *table,
                                         const struct schema_table *there)
{
    const struct schema_table *same = table->same_engine;
    const struct schema_column *columns = same != NULL ? same->columns : table->columns;
    uint32_t count = same != NULL ? same->column_count : table->column_count;
    const char **names =
        arena_allocate_zeroed(growing->run->arena, count + (size_t)1, sizeof *names);
    struct column_list narrow = {names, 0};
    for (uint32_t i = 0; i < count; i++) {
        const struct schema_column *found = schema_column_named(there, columns[i].name);
        if (found != NULL && columns[i].generated == GENERATED_NO &&
            !holds(growing, table, found, &columns[i])) {
            names[narrow.count++] = columns[i].name;
        }
    }
    return narrow;
}

/* Nobody else's records are in it, and what it holds comes of one table. */
static bool may_make_again(const struct growing *growing, uint32_t number)
{
    const struct run *run = growing->run;
    return connector_columns(run->session->target->connector)->make_again != NULL &&
           ledger_status_is_created(&run->status, run->tables[number].name) &&
           run->session->plan->tables[number].entity_count == 1;
}

static const char *reason_of(const struct growing *growing, uint32_t number, const char *column)
{
    return arena_format(growing->run->arena,
                        "its column %s holds other values now than in the target, and %s alters no "
                        "column%s",
                        column, growing->run->session->target->connector->title,
                        may_make_again(growing, number)
                            ? ": a resync drops its table, makes it again and fills it"
                            : "; nobody but a new run (`transhume reset --confirm`) makes its "
                              "table again");
}

static enum status make_again(const struct growing *growing, const struct target_table *table,
                              struct error *error)
{
    struct database *target = growing->run->session->target;
    log_write(LOG_INFO, "%s is made again in the target, with its columns of now", table->name);
    return connector_columns(target->connector)->make_again(target, table, error);
}

static enum status widen(struct growing *growing, uint32_t number, const struct schema_table *there,
                         struct error *error)
{
    struct run *run = growing->run;
    struct database *target = run->session->target;
    const struct target_table *table = &run->session->plan->tables[number].target;
    struct column_list narrow = narrow_columns(growing, table, there);
    if (narrow.count == 0) {
        return STATUS_OK;
    }
    if (connector_columns(target->connector)->alter == NULL) {
        return may_make_again(growing, number) && growing->makes_again
                   ? make_again(growing, table, error)
                   : table_leave(growing, number, reason_of(growing, number, narrow.names[0]),
                                 error);
    }
    enum status status = connector_columns(target->connector)->alter(target, table, narrow, error);
    if (status != STATUS_OK && error->class != ERROR_CLASS_RETRY &&
        error->code == ERROR_TARGET_SCHEMA) {
        const char *reason = arena_format(
            run->arena, "its column %s can't be altered in the target: %s; alter it there",
            narrow.names[0], error->message);
        error_clear(error);
        return table_leave(growing, number, reason, error);
    }
    for (uint32_t i = 0; i < narrow.count && status == STATUS_OK; i++) {
        log_write(LOG_INFO, "%s: the column %s is declared in the target as its source has it now",
                  table->name, narrow.names[i]);
    }
    return status;
}

/* ---------------------------------------------------------------- all tables */

/* Is it filled by a table that is to be aligned? */
static bool is_due(const struct growing *growing, uint32_t number)
{
    const struct plan *plan = growing->run->session->plan;
    bool due = false;
    for (uint32_t i = 0; i < plan->entity_count && !due; i++) {
        uint32_t stream = plan->entities[i].stream;
        for (uint32_t t = 0; t < growing->tables.count && !due; t++) {
            due = plan->entities[i].table == number &&
                  follow_routes_read(growing->routes, stream, growing->tables.names[t]);
        }
    }
    return due;
}

static enum status align_tables(struct growing *growing, struct error *error)
{
    const struct run_session *session = growing->run->session;
    const struct plan *plan = session->plan;
    const char **names =
        arena_allocate_zeroed(growing->run->arena, plan->table_count + 1u, sizeof *names);
    struct database *reading = NULL;
    struct schema *schema = NULL;
    for (uint32_t i = 0; i < plan->table_count; i++) {
        names[i] = plan->tables[i].target.name;
    }
    enum status status = session_describe_target(session, names, &reading, &schema, error);
    for (uint32_t i = 0; i < plan->table_count && status == STATUS_OK; i++) {
        const struct schema_table *there = session_target_table(session, schema, names[i]);
        if (there != NULL && is_due(growing, i)) {
            status = add_missing(growing, i, there, error);
            status = status == STATUS_OK ? widen(growing, i, there, error) : status;
        }
    }
    if (reading != NULL) {
        reading->connector->close(reading);
    }
    if (schema != NULL) {
        arena_destroy(schema->arena);
    }
    return status;
}

enum status grow_target(struct run *run, const struct follow_routes *routes,
                        struct follow_translator *translator, struct error *error)
{
    struct growing growing = {run, routes, translator, {0}, false};
    const struct database *target = run->session->target;
    bool free_fields =
        (target->capabilities & CAPABILITY_FREE_FIELDS) != 0 || target->connector->apply->keeps_log;
    enum status status = name_list_get(run, align_intent, &growing.tables, error);
    if (status != STATUS_OK || growing.tables.count == 0) {
        return status;
    }
    status = new_tables_make(run, routes, translator, growing.tables, error);
    status = status == STATUS_OK && !free_fields ? align_tables(&growing, error) : status;
    status = status == STATUS_OK ? failpoint_hit("follow.after_align", error) : status;
    return status == STATUS_OK ? name_list_put(run, align_intent, (struct column_list){0}, error)
                               : status;
}

enum status grow_left(struct run *run, const struct follow_routes *routes,
                      struct follow_translator *translator, struct error *error)
{
    struct growing growing = {run, routes, translator, {0}, true};
    const struct database *target = run->session->target;
    const char **names =
        arena_allocate_zeroed(run->arena, routes->stream_count + (size_t)1, sizeof *names);
    growing.tables.names = names;
    for (uint32_t i = 0; i < routes->stream_count; i++) {
        if (follow_translator_left(translator, i) != NULL) {
            names[growing.tables.count++] = routes->streams[i].stream->request.table;
        }
    }
    return growing.tables.count > 0 && connector_columns(target->connector)->make_again != NULL
               ? align_tables(&growing, error)
               : STATUS_OK;
}
