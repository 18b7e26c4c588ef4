#include "evolve/import/import.h"

#include "evolve/folder/version.h"
#include "evolve/import/import_internal.h"
#include <stdlib.h>
#include <string.h>

const char *import_state_name(enum import_state state)
{
    static const char *const names[] = {
        [IMPORT_APPLIED] = "applied",
        [IMPORT_KNOWN] = "known",
        [IMPORT_PENDING] = "pending",
        [IMPORT_LOST] = "applied, no file",
    };
    return names[state];
}

/* One import. */
struct importing {
    const struct migration_set *set;
    const struct import_tool *tool;
    struct import_history theirs;
    struct schema_history ours;
    struct import_matches matches;
    struct arena *arena;
    struct import_report *report;
};

static struct import_item *import_add(struct importing *importing, enum import_state state,
                                      const char *version, const char *name)
{
    struct import_report *report = importing->report;
    report->items = arena_make_room(importing->arena, report->items, report->count,
                                    &report->capacity, sizeof *report->items);
    struct import_item *item = &report->items[report->count++];
    *item = (struct import_item){state, version, name, NULL};
    return item;
}

/* ---------------------------------------------------------------- files and their lines */

/* The entry that our history has of a version or of a repeatable file; NULL: none. */
static const struct schema_entry *known(const struct schema_history *ours, const char *key,
                                        bool repeats)
{
    uint32_t found =
        name_index_find(repeats ? &ours->by_name : &ours->by_version, key, strlen(key));
    return found != NAME_INDEX_NONE ? &ours->entries[found] : NULL;
}

/* A person said whether it stands. */
static bool is_said(const struct schema_entry *entry)
{
    return entry != NULL && (entry->stands || entry->act.action == HISTORY_UNMARK);
}

static enum status refuse_failed(const struct importing *importing, const char *version,
                                 const char *path, struct error *error)
{
    error_set(error, ERROR_MIGRATION_REFUSED, path != NULL ? path : version,
              "%s began it and did not end it: what of it stands is not known",
              importing->tool->title);
    return error_hint(error,
                      "Look at the database, and say it: `transhume schema repair %s DB "
                      "--mark-applied` or --mark-reverted; then import.",
                      version);
}

static enum status check_line(const struct importing *importing, const struct migration *file,
                              const struct import_applied *line, struct error *error)
{
    bool repeats = file->kind == MIGRATION_REPEATABLE;
    if (line->failed &&
        !is_said(known(&importing->ours, repeats ? file->name : file->key, repeats))) {
        return refuse_failed(importing, repeats ? file->name : file->version, file->up.path, error);
    }
    if (!repeats && !import_is_same(line, file)) {
        error_set(error, ERROR_MIGRATION_REFUSED, file->up.path,
                  "it is not what %s applied: its checksum is %s, and was %s",
                  importing->tool->name, file->origin_checksum, line->checksum);
        return error_hint(error, "restore the file; a new change is a new version");
    }
    return STATUS_OK;
}

/* The highest time that Drizzle's table has: it passes over what is below. */
static uint64_t last_time(const struct importing *importing)
{
    uint64_t last = 0;
    for (uint32_t i = 0; i < importing->theirs.count && importing->tool->times; i++) {
        uint64_t time = strtoull(importing->theirs.items[i].id, NULL, 10);
        last = time > last ? time : last;
    }
    return last;
}

static const char *note_of(const struct importing *importing, uint32_t index,
                           enum import_state state)
{
    const struct migration *file = &importing->set->items[index];
    if (state != IMPORT_PENDING) {
        bool implied = importing->matches.lines[index] == NULL;
        return implied && importing->tool->heads ? "taken for applied, as what stands requires it"
               : implied ? "taken for applied, as all below the version of the table are"
                         : NULL;
    }
    if (importing->tool->times && file->origin_id != NULL &&
        strtoull(file->origin_id, NULL, 10) <= last_time(importing)) {
        return "passed over by Drizzle: a later one was applied before it";
    }
    return NULL;
}

static enum import_state state_of(const struct importing *importing, uint32_t index)
{
    const struct migration *file = &importing->set->items[index];
    const struct import_applied *line = importing->matches.lines[index];
    bool repeats = file->kind == MIGRATION_REPEATABLE;
    const struct schema_entry *entry =
        known(&importing->ours, repeats ? file->name : file->key, repeats);
    if (line == NULL && !importing->matches.implied[index]) {
        return IMPORT_PENDING;
    }
    if (is_said(entry)) {
        return entry->stands ? IMPORT_KNOWN : IMPORT_PENDING;
    }
    /* A repeatable one that changed since is run again. */
    return repeats && line != NULL && !import_is_same(line, file) ? IMPORT_PENDING : IMPORT_APPLIED;
}

static enum status take_files(struct importing *importing, struct error *error)
{
    for (uint32_t i = 0; i < importing->set->count; i++) {
        const struct migration *file = &importing->set->items[i];
        const struct import_applied *line = importing->matches.lines[i];
        if (file->kind == MIGRATION_BASELINE) {
            continue;
        }
        if (line != NULL && check_line(importing, file, line, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        enum import_state state = state_of(importing, i);
        struct import_item *item = import_add(importing, state, file->version, file->name);
        item->note = note_of(importing, i, state);
    }
    return STATUS_OK;
}

static enum status take_lost(struct importing *importing, struct error *error)
{
    for (uint32_t i = 0; i < importing->theirs.count; i++) {
        const struct import_applied *line = &importing->theirs.items[i];
        if (line->key == NULL || importing->matches.found[i]) {
            continue;
        }
        if (import_is_foreign(importing->tool, importing->set, line)) {
            importing->report->foreign++;
            continue;
        }
        const struct schema_entry *entry = known(&importing->ours, line->key, false);
        if (line->failed && !is_said(entry)) {
            return refuse_failed(importing, line->id, NULL, error);
        }
        if (!line->failed) {
            import_add(importing, is_said(entry) ? IMPORT_KNOWN : IMPORT_LOST, line->id,
                       line->name != NULL ? line->name : "");
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the import */

static enum status read_theirs(const struct schema_options *options, const char *name,
                               struct importing *importing, struct error *error)
{
    const struct alter_open open = {
        .program = options->program, .history_schema = options->history_schema, .only_looks = true};
    struct import_reader reader = {.alter = options->database->connector->alter,
                                   .history = &importing->theirs};
    if (reader.alter->open(options->database, &open, &reader.session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        import_choose(&reader, name, options->set->format, &importing->tool, error);
    if (status == STATUS_OK) {
        status = import_read_tool(&reader, importing->tool, error);
    }
    reader.alter->close(reader.session);
    return status;
}

static enum status import_note(const struct schema_options *options,
                               const struct importing *importing, struct error *error)
{
    const struct import_report *report = importing->report;
    struct schema_imported *rows =
        arena_allocate_zeroed(importing->arena, report->count + 1u, sizeof *rows);
    uint32_t count = 0;
    for (uint32_t i = 0; i < report->count; i++) {
        const struct import_item *item = &report->items[i];
        if (item->state == IMPORT_APPLIED || item->state == IMPORT_LOST) {
            rows[count++] = (struct schema_imported){item->version, item->name};
        }
    }
    return count > 0 ? schema_note_imported(options, importing->tool->name, rows, count, error)
                     : STATUS_OK;
}

enum status migration_import(const struct schema_options *options, const char *tool, bool dry_run,
                             struct arena *arena, struct import_report *report, struct error *error)
{
    struct importing importing = {
        .set = options->set, .theirs = {.arena = arena}, .arena = arena, .report = report};
    *report = (struct import_report){0};
    if (read_theirs(options, tool, &importing, error) != STATUS_OK ||
        schema_look(options, arena, &importing.ours, error) != STATUS_OK ||
        import_match(importing.tool, options->set, &importing.theirs, &importing.matches, error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    report->tool = importing.tool->name;
    report->table = importing.tool->table;
    if (take_files(&importing, error) != STATUS_OK || take_lost(&importing, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return dry_run ? STATUS_OK : import_note(options, &importing, error);
}
