#include "engine/state/ledger_history.h"

#include "base/clock.h"
#include "base/file.h"
#include "connectors/common/registry.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger.h"
#include "engine/ledger/ledger_tables.h"
#include "engine/ledger/ledger_texts.h"
#include "engine/session/opening.h"
#include "model/json_tree.h"
#include "observe/report_parts.h"
#include <string.h>

enum { TIMEOUT_MS = 10000, CACHE_BYTES = 1 << 20 };

struct history {
    struct ledger *ledger;
    struct arena *arena; /* of one run */
    const char *folder;
};

/* ---- one run as state.json (state.h) */

static enum status sum_marks(const struct ledger_run *run, uint32_t limit, struct arena *arena,
                             struct tally *totals, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint64_t i = 0; i < run->done_count && limit > 0 && status == STATUS_OK; i++) {
        struct ledger_mark mark = {0};
        status = ledger_mark_read(&run->done[i], limit, arena, &mark, error);
        for (uint32_t j = 0; j < mark.entity_count && status == STATUS_OK; j++) {
            tally_add(&totals[mark.entities[j]], &mark.tallies[j]);
        }
    }
    return status;
}

/* A table is told as one entity: what entities are called is not in the ledger. */
static json_t *table_make(const struct ledger_table *table, const struct tally *totals, bool done)
{
    struct tally sum = {0};
    for (uint32_t i = 0; i < table->entity_count; i++) {
        tally_add(&sum, &totals[table->entities[i].entity]);
    }
    json_t *name = json_text(table->name);
    json_t *entity = json_pack("{s:o,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "total",
                               done ? json_integer((json_int_t)sum.made) : json_null(), "migrated",
                               (json_int_t)sum.written, "read", (json_int_t)sum.read, "made",
                               (json_int_t)sum.made, "rejected", (json_int_t)sum.rejected,
                               "skipped", (json_int_t)sum.skipped, "filtered",
                               (json_int_t)sum.filtered, "bytes", (json_int_t)sum.bytes, "retries",
                               (json_int_t)sum.retries, "fallbacks", (json_int_t)sum.fallbacks);
    json_t *entities = json_object();
    json_object_set_new(entities, json_string_value(name), entity);
    json_decref(name);
    return json_pack("{s:I,s:o}", "records_migrated", (json_int_t)sum.written, "entities",
                     entities);
}

static const char *last_end(const struct ledger_status *status)
{
    size_t count = json_array_size(status->attempts);
    const char *end = count == 0 ? NULL
                                 : json_string_value(json_object_get(
                                       json_array_get(status->attempts, count - 1), "end"));
    return end != NULL ? end : "";
}

static json_t *state_make(const struct ledger_run *run, const struct ledger_header *header,
                          const struct ledger_status *status, const struct tally *totals)
{
    bool completed = status->phase == LEDGER_COMPLETED;
    const char *end = last_end(status);
    json_t *tables = json_object();
    for (uint32_t i = 0; i < header->table_count; i++) {
        json_t *name = json_text(header->tables[i].name);
        json_object_set_new(
            tables, json_string_value(name),
            table_make(&header->tables[i], totals, run->done_count == run->chunk_count));
        json_decref(name);
    }
    json_t *state = json_pack(
        "{s:i,s:o,s:o,s:s,s:b,s:s,s:b,s:o,s:o,s:{s:I,s:I},s:o,s:o,s:o,s:o,s:i,s:O,s:O}", "format",
        1, "run", json_text(run->id), "kind", json_text(header->kind), "status",
        completed                              ? "completed"
        : status->phase == LEDGER_ROLLING_BACK ? "rolling_back"
        : strcmp(end, "failed") == 0           ? "failed"
                                               : "in_progress",
        "interrupted", strcmp(end, "interrupted") == 0, "phase", ledger_phase_name(status->phase),
        "mixed_snapshot", status->mixed_snapshot, "source", json_text(header->source_uri), "target",
        json_text(header->target_uri), "chunks", "total", (json_int_t)run->chunk_count, "done",
        (json_int_t)run->done_count, "tables", tables, "started_at", json_stamp(status->started_us),
        "updated_at", json_stamp(completed ? status->ended_us : clock_utc_us()), "ended_at",
        json_stamp(status->ended_us), "broken_references", (int)status->broken_references,
        "attempts", status->attempts, "errors", status->errors);
    if (status->not_carried != NULL) {
        json_object_set(state, "not_carried", status->not_carried);
    }
    if (status->rights != NULL) {
        json_object_set(state, "rights", status->rights);
    }
    return state;
}

/* Records that the settling after the load took from those that were written. */
static void apply_settled(const struct ledger_status *status, uint32_t limit, struct arena *arena,
                          struct tally *totals)
{
    const json_t *entities = json_object_get(status->settled, "entities");
    for (uint32_t i = 0; i < limit; i++) {
        const json_t *entity = json_object_get(entities, arena_format(arena, "%u", i));
        int64_t rejected = json_member_integer(entity, "rejected", 0);
        int64_t skipped = json_member_integer(entity, "skipped", 0);
        int64_t unskipped = json_member_integer(entity, "unskipped", 0);
        totals[i].written -= (uint64_t)(rejected + skipped);
        totals[i].rejected += (uint64_t)(rejected + unskipped);
        totals[i].skipped += (uint64_t)(skipped - unskipped);
    }
}

static enum status write_state(const struct history *history, const char *id, json_t *state,
                               struct error *error)
{
    struct buffer text = {0};
    const char *folder = arena_format(history->arena, "%s/runs/%s", history->folder, id);
    const char *path = file_join(history->arena, folder, "state.json");
    (void)json_tree_append(state, JSON_INDENT(2), &text);
    enum status status = file_make_folder(folder, error);
    if (status == STATUS_OK) {
        status = file_replace(path, text.data, text.length, NULL, error);
    }
    buffer_free(&text);
    return status;
}

static enum status write_run(const struct history *history, const char *id, struct error *error)
{
    struct ledger_run *run;
    struct ledger_header header;
    struct ledger_status facts;
    enum status status = ledger_load(history->ledger, id, history->arena, &run, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status; /* it was forgotten just now */
    }
    if (ledger_header_read(run->header, history->arena, &header, error) != STATUS_OK ||
        ledger_status_read(run->status, &facts, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t limit = ledger_entity_limit(&header);
    struct tally *totals = arena_allocate_zeroed(history->arena, limit + 1u, sizeof(*totals));
    status = sum_marks(run, limit, history->arena, totals, error);
    if (status == STATUS_OK) {
        apply_settled(&facts, limit, history->arena, totals);
        json_t *state = state_make(run, &header, &facts, totals);
        status = write_state(history, id, state, error);
        json_decref(state);
    }
    ledger_status_free(&facts);
    return status;
}

/* ---- all of them */

static bool holds(const char *const *ids, uint32_t count, const char *id)
{
    bool found = false;
    for (uint32_t i = 0; i < count && !found; i++) {
        found = strcmp(ids[i], id) == 0;
    }
    return found;
}

static enum status remove_others(const char *folder, const char *const *ids, uint32_t count,
                                 struct arena *arena, struct error *error)
{
    struct entries entries;
    const char *name;
    const char *runs = file_join(arena, folder, "runs");
    enum status status = entries_open(&entries, runs, ERROR_STATE_WRITE, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    while (status == STATUS_OK && (status = entries_next(&entries, &name, error)) == STATUS_OK) {
        if (!holds(ids, count, name)) {
            status = file_remove_tree(file_join(arena, runs, name), error);
        }
    }
    entries_close(&entries);
    return status == STATUS_END ? STATUS_OK : status;
}

/* Ids come from a database that anybody may have written to, and become names of folders. */
static enum status write_runs(struct ledger *ledger, const char *folder, struct arena *arena,
                              struct error *error)
{
    uint32_t count;
    const char **ids;
    enum status status = ledger_list_all(ledger, arena, &ids, &count, error);
    uint32_t first = count > LEDGER_HISTORY_RUNS_MAX ? count - LEDGER_HISTORY_RUNS_MAX : 0;
    for (uint32_t i = first; i < count && status == STATUS_OK; i++) {
        const struct history history = {
            .ledger = ledger, .arena = arena_create(0), .folder = folder};
        status = report_is_run_id(ids[i]) ? write_run(&history, ids[i], error) : STATUS_OK;
        arena_destroy(history.arena);
    }
    return status == STATUS_OK ? remove_others(folder, ids + first, count - first, arena, error)
                               : status;
}

enum status ledger_history_write(const char *uri, const char *folder, struct arena *arena,
                                 const char **shown, struct error *error)
{
    struct uri *parsed;
    const struct connector *connector;
    struct database *database = NULL;
    struct ledger *ledger = NULL;
    enum status status = registry_resolve(uri, arena, &parsed, &connector, error);
    if (status == STATUS_OK && connector->store == NULL) {
        status = error_set(error, ERROR_USAGE, parsed->shown, "%s can't hold a ledger",
                           connector->title);
    }
    if (status == STATUS_OK) {
        *shown = parsed->shown;
        const struct open_options options = {.mode = OPEN_TARGET,
                                             .uri = parsed,
                                             .memory_bytes = CACHE_BYTES,
                                             .timeout_ms = TIMEOUT_MS,
                                             .read_only = true};
        status = opening_open(connector, parsed, &options, arena, &database, error);
    }
    if (status == STATUS_OK) {
        status = ledger_open(database, database, &ledger, error);
    }
    if (status == STATUS_OK) {
        status = write_runs(ledger, folder, arena, error);
    }
    ledger_close(ledger);
    if (database != NULL) {
        connector->close(database);
    }
    return status;
}
