#include "evolve/import/import.h"

#include "base/text.h"
#include "evolve/folder/version.h"
#include "evolve/import/import_internal.h"
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

/* ---------------------------------------------------------------- whose table it is */

static const struct import_tool *tool_named(const char *name)
{
    const struct import_tool *tool = import_tools;
    while (tool->name != NULL && strcmp(tool->name, name) != 0) {
        tool++;
    }
    return tool->name != NULL ? tool : NULL;
}

static enum status choose_tool(struct import_reader *reader, const char *name,
                               const struct import_tool **tool, struct error *error)
{
    const char *names[16];
    size_t count = 0;
    struct error problem = {0};
    for (const struct import_tool *at = import_tools; at->name != NULL; at++) {
        const char *answer = NULL;
        names[count++] = at->name;
        if (name == NULL && reader->alter->ask(reader->session, at->probe, reader->history->arena,
                                               &answer, &problem) == STATUS_OK) {
            *tool = at;
            return STATUS_OK;
        }
    }
    if (name == NULL) {
        error_set(error, ERROR_USAGE, "import", "no table of another tool is in the database");
        return error_hint(error, "known are those of Flyway, goose, golang-migrate and dbmate; "
                                 "--from TOOL names one");
    }
    *tool = tool_named(name);
    if (*tool == NULL) {
        const char *nearest = text_nearest(name, names, count);
        error_set(error, ERROR_USAGE, name, "is no tool whose history can be imported");
        return nearest != NULL ? error_hint(error, "Did you mean `%s`?", nearest) : STATUS_FAILED;
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- files and their lines */

static const struct import_applied *line_of(const struct import_history *history,
                                            const struct migration *file)
{
    for (uint32_t i = 0; i < history->count; i++) {
        const struct import_applied *item = &history->items[i];
        bool repeats = file->kind == MIGRATION_REPEATABLE;
        if (repeats ? item->version == NULL && item->name != NULL &&
                          strcasecmp(item->name, file->name) == 0
                    : item->key != NULL && strcmp(item->key, file->key) == 0) {
            return item;
        }
    }
    return NULL;
}

static struct import_item *add(struct import_report *report, struct arena *arena,
                               enum import_state state, const char *version, const char *name)
{
    report->items = arena_make_room(arena, report->items, report->count, &report->capacity,
                                    sizeof *report->items);
    struct import_item *item = &report->items[report->count++];
    *item = (struct import_item){state, version, name, NULL};
    return item;
}

static bool is_known(const struct schema_history *ours, const struct migration *file)
{
    const struct name_index *index =
        file->kind == MIGRATION_REPEATABLE ? &ours->by_name : &ours->by_version;
    const char *name = file->kind == MIGRATION_REPEATABLE ? file->name : file->key;
    uint32_t found = name_index_find(index, name, strlen(name));
    return found != NAME_INDEX_NONE && ours->entries[found].stands;
}

static enum status check_line(const struct import_tool *tool, const struct migration *file,
                              const struct import_applied *line, struct error *error)
{
    if (line->failed) {
        error_set(error, ERROR_MIGRATION_REFUSED, file->up.path,
                  "%s began it and did not end it: what of it stands is not known", tool->name);
        return error_hint(error, "bring the database and %s to where they agree, then import",
                          tool->table);
    }
    if (line->checksum != NULL && file->origin_checksum != NULL && line->version != NULL &&
        strcmp(line->checksum, file->origin_checksum) != 0) {
        error_set(error, ERROR_MIGRATION_REFUSED, file->up.path,
                  "it is not what %s applied: its checksum is %s, and was %s", tool->name,
                  file->origin_checksum, line->checksum);
        return error_hint(error, "restore the file; a new change is a new version");
    }
    return STATUS_OK;
}

static enum status take_files(const struct schema_options *options, const struct import_tool *tool,
                              const struct import_history *theirs,
                              const struct schema_history *ours, struct arena *arena,
                              struct import_report *report, struct error *error)
{
    for (uint32_t i = 0; i < options->set->count; i++) {
        const struct migration *file = &options->set->items[i];
        const struct import_applied *line = line_of(theirs, file);
        bool below =
            theirs->up_to != NULL && file->key != NULL && strcmp(file->key, theirs->up_to) <= 0;
        if (file->kind == MIGRATION_BASELINE) {
            continue;
        }
        if (line != NULL && check_line(tool, file, line, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        enum import_state state = line == NULL && !below ? IMPORT_PENDING
                                  : is_known(ours, file) ? IMPORT_KNOWN
                                                         : IMPORT_APPLIED;
        /* one that changed since is run again */
        if (state == IMPORT_APPLIED && file->kind == MIGRATION_REPEATABLE && line != NULL &&
            line->checksum != NULL && file->origin_checksum != NULL &&
            strcmp(line->checksum, file->origin_checksum) != 0) {
            state = IMPORT_PENDING;
        }
        struct import_item *item = add(report, arena, state, file->version, file->name);
        if (line == NULL && below) {
            item->note = "taken for applied, as all below the version of the table are";
        }
    }
    return STATUS_OK;
}

static void take_lost(const struct migration_set *set, const struct import_history *theirs,
                      struct arena *arena, struct import_report *report)
{
    for (uint32_t i = 0; i < theirs->count; i++) {
        const struct import_applied *line = &theirs->items[i];
        if (line->key != NULL && migration_by_key(set, line->key) == NULL) {
            add(report, arena, IMPORT_LOST, line->version, line->name != NULL ? line->name : "");
        }
    }
}

static enum status read_theirs(const struct schema_options *options, const char *name,
                               struct import_history *history, const struct import_tool **tool,
                               struct error *error)
{
    const struct alter_open open = {
        .program = options->program, .history_schema = options->history_schema, .only_looks = true};
    struct import_reader reader = {.alter = options->database->connector->alter,
                                   .history = history};
    if (reader.alter->open(options->database, &open, &reader.session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = choose_tool(&reader, name, tool, error);
    if (status == STATUS_OK) {
        status = (*tool)->read(&reader, error);
    }
    reader.alter->close(reader.session);
    return status;
}

enum status migration_import(const struct schema_options *options, const char *tool, bool dry_run,
                             struct arena *arena, struct import_report *report, struct error *error)
{
    struct import_history theirs = {.arena = arena};
    struct schema_history ours = {0};
    const struct import_tool *found = NULL;
    *report = (struct import_report){0};
    if (read_theirs(options, tool, &theirs, &found, error) != STATUS_OK ||
        schema_look(options, arena, &ours, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    report->tool = found->name;
    report->table = found->table;
    if (take_files(options, found, &theirs, &ours, arena, report, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    take_lost(options->set, &theirs, arena, report);
    if (dry_run) {
        return STATUS_OK;
    }
    struct schema_imported *rows = arena_allocate_zeroed(arena, report->count + 1u, sizeof *rows);
    uint32_t count = 0;
    for (uint32_t i = 0; i < report->count; i++) {
        const struct import_item *item = &report->items[i];
        if (item->state == IMPORT_APPLIED || item->state == IMPORT_LOST) {
            rows[count++] = (struct schema_imported){item->version, item->name};
        }
    }
    return count > 0 ? schema_note_imported(options, found->name, rows, count, error) : STATUS_OK;
}
