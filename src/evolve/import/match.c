/* Which of another tool's migrations the files of a folder are. */
#include "evolve/folder/version.h"
#include "evolve/import/import_internal.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---------------------------------------------------------------- one file, one line */

/* `db/001.sql::1::ann` and `001.sql::1::ann`: folders in front may differ. */
static bool ends_alike(const char *left, const char *right)
{
    size_t length = strlen(left);
    size_t size = strlen(right);
    const char *longer = length > size ? left : right;
    const char *shorter = length > size ? right : left;
    size_t skip = strlen(longer) - strlen(shorter);
    return strcmp(longer + skip, shorter) == 0 && (skip == 0 || strchr("/:", longer[skip - 1]));
}

static bool is_of(const struct import_tool *tool, const struct import_applied *line,
                  const struct migration *file)
{
    if (file->origin_id != NULL) {
        return line->id != NULL && (tool->paths ? ends_alike(line->id, file->origin_id)
                                                : strcmp(line->id, file->origin_id) == 0);
    }
    if (file->kind == MIGRATION_REPEATABLE) {
        return line->id == NULL && line->name != NULL && strcasecmp(line->name, file->name) == 0;
    }
    return line->key != NULL && strcmp(line->key, file->key) == 0;
}

bool import_is_same(const struct import_applied *line, const struct migration *file)
{
    if (line->checksum == NULL || file->origin_checksum == NULL) {
        return true;
    }
    /* "8:…" and "9:…" are made in another way. */
    const char *left = strchr(line->checksum, ':');
    const char *right = strchr(file->origin_checksum, ':');
    if (left != NULL && right != NULL &&
        (left - line->checksum != right - file->origin_checksum ||
         memcmp(line->checksum, file->origin_checksum, (size_t)(left - line->checksum)) != 0)) {
        return true;
    }
    return strcmp(line->checksum, file->origin_checksum) == 0;
}

bool import_is_foreign(const struct import_tool *tool, const struct migration_set *set,
                       const struct import_applied *line)
{
    size_t length = line->scope != NULL ? strlen(line->scope) : 0;
    for (uint32_t i = 0; i < set->count; i++) {
        const char *id = set->items[i].origin_id;
        if (id != NULL && strncmp(id, line->scope != NULL ? line->scope : "", length) == 0 &&
            strncmp(id + length, tool->joint != NULL ? tool->joint : "",
                    tool->joint != NULL ? strlen(tool->joint) : 0) == 0) {
            return false;
        }
    }
    return tool->scoped;
}

/* ---------------------------------------------------------------- what a head stands for */

static uint32_t index_of(const struct migration_set *set, const char *version)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (set->items[i].version != NULL && strcmp(set->items[i].version, version) == 0) {
            return i;
        }
    }
    return UINT32_MAX;
}

/* A file that an applied one requires stands, too. Files come before those that require them. */
static void imply(const struct migration_set *set, struct import_matches *matches)
{
    for (uint32_t i = set->count; i > 0; i--) {
        const struct column_list *requires = &set->items[i - 1].up.options.requires;
        if (matches->lines[i - 1] == NULL && !matches->implied[i - 1]) {
            continue;
        }
        for (uint32_t j = 0; j < requires->count; j++) {
            uint32_t other = index_of(set, requires->names[j]);
            if (other != UINT32_MAX) {
                matches->implied[other] = true;
            }
        }
    }
}

/* Does the file come behind something that is known to be applied? */
static bool comes_behind(const struct migration_set *set, const struct import_history *history,
                         const struct import_matches *matches, const bool *behind, uint32_t index)
{
    const struct column_list *requires = &set->items[index].up.options.requires;
    for (uint32_t i = 0; i < requires->count; i++) {
        uint32_t other = index_of(set, requires->names[i]);
        if (other != UINT32_MAX
                ? matches->lines[other] != NULL || matches->implied[other] || behind[other]
                : false) {
            return true;
        }
        for (uint32_t j = 0; j < history->count; j++) {
            if (strcmp(history->items[j].id, requires->names[i]) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* A head that no file is of may come before or behind the others: then the folder has too little.
 */
static enum status refuse_ambiguous(const struct import_tool *tool, const struct migration_set *set,
                                    const struct import_history *history,
                                    const struct import_matches *matches, struct error *error)
{
    const struct import_applied *lost = NULL;
    bool *behind = arena_allocate_zeroed(history->arena, set->count + 1u, sizeof *behind);
    for (uint32_t i = 0; i < history->count; i++) {
        lost = matches->found[i] ? lost : &history->items[i];
    }
    for (uint32_t i = 0; i < set->count && lost != NULL; i++) {
        behind[i] = matches->lines[i] != NULL || matches->implied[i] ||
                    comes_behind(set, history, matches, behind, i);
        if (!behind[i]) {
            error_set(error, ERROR_MIGRATION_REFUSED, set->items[i].up.path,
                      "%s has %s, of which there is no file: whether %s comes before it can't be "
                      "told",
                      tool->table, lost->id, set->items[i].version);
            return error_hint(error,
                              "write the SQL of all revisions up to %s into the folder, or "
                              "only of those behind it",
                              lost->id);
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- all of them */

enum status import_match(const struct import_tool *tool, const struct migration_set *set,
                         const struct import_history *history, struct import_matches *matches,
                         struct error *error)
{
    struct arena *arena = history->arena;
    matches->lines = arena_allocate_zeroed(arena, set->count + 1u, sizeof(void *));
    matches->implied = arena_allocate_zeroed(arena, set->count + 1u, sizeof(bool));
    matches->found = arena_allocate_zeroed(arena, history->count + 1u, sizeof(bool));
    for (uint32_t i = 0; i < set->count; i++) {
        const struct migration *file = &set->items[i];
        for (uint32_t j = 0; j < history->count && file->kind != MIGRATION_BASELINE; j++) {
            if (is_of(tool, &history->items[j], file)) {
                matches->lines[i] = &history->items[j];
                matches->found[j] = true;
            }
        }
        matches->implied[i] = history->up_to != NULL && file->key != NULL &&
                              file->kind == MIGRATION_VERSIONED &&
                              strcmp(file->key, history->up_to) <= 0;
    }
    if (!tool->heads) {
        return STATUS_OK;
    }
    imply(set, matches);
    return refuse_ambiguous(tool, set, history, matches, error);
}
