#include "base/file.h"
#include "base/text.h"
#include "evolve/folder/liquibase.h"
#include <string.h>

static void file_add(struct migration_reader *reader, struct foreign_files *files, const char *name)
{
    files->names = arena_make_room(reader->arena, files->names, files->count, &files->capacity,
                                   sizeof *files->names);
    files->names[files->count++] = name;
}

enum status liquibase_list(struct migration_reader *reader, struct foreign_files *files,
                           struct error *error)
{
    return foreign_walk(reader, ".sql", files, error);
}

/* ---------------------------------------------------------------- changelogs that include them */

/* Files on their way into an order. */
struct including {
    struct migration_reader *reader;
    const struct foreign_files *files;
    bool *taken;
    struct foreign_files ordered;
    bool all;   /* includeAll: the rest by its paths */
    bool found; /* a changelog is there */
};

static bool is_same_path(const char *name, const char *included)
{
    size_t length = strlen(name);
    size_t size = strlen(included);
    const char *longer = length > size ? name : included;
    const char *shorter = length > size ? included : name;
    size_t skip = strlen(longer) - strlen(shorter);
    return strcmp(longer + skip, shorter) == 0 && (skip == 0 || longer[skip - 1] == '/');
}

static void include(struct including *including, const char *included)
{
    for (uint32_t i = 0; i < including->files->count; i++) {
        if (!including->taken[i] && is_same_path(including->files->names[i], included)) {
            including->taken[i] = true;
            file_add(including->reader, &including->ordered, including->files->names[i]);
            return;
        }
    }
}

/* `file="x.sql"`, `file: x.sql`, `"file": "x.sql"`: the value ends at a quote or a blank. */
static void read_includes(struct including *including, const char *text)
{
    for (const char *at = text; (at = strstr(at, "file")) != NULL;) {
        at += strlen("file");
        const char *value = at + strspn(at, "\"' \t:=");
        size_t length = strcspn(value, "\"' \t\r\n,}>");
        if (value > at && length > 4 && strncmp(value + length - 4, ".sql", 4) == 0) {
            char *included = arena_copy(including->reader->arena, value, length);
            include(including, included + (foreign_begins(included, "./") ? 2 : 0));
        }
    }
}

static enum status read_changelog(struct including *including, const char *name,
                                  struct error *error)
{
    static const char *const changesets[] = {"<changeSet", "changeSet:", "\"changeSet\""};
    struct migration_reader *reader = including->reader;
    char *text = NULL;
    size_t length = 0;
    if (foreign_read(reader, name, &text, &length, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (text == NULL || strstr(text, "databaseChangeLog") == NULL) {
        return STATUS_OK;
    }
    including->found = true;
    including->all = including->all || strstr(text, "includeAll") != NULL;
    for (size_t i = 0; i < sizeof(changesets) / sizeof(changesets[0]); i++) {
        if (strstr(text, changesets[i]) != NULL) {
            foreign_fault(reader, file_join(reader->arena, reader->folder, name), 1,
                          "`liquibase update-sql` writes their SQL", "its changesets are not SQL");
            break;
        }
    }
    read_includes(including, text);
    return STATUS_OK;
}

static bool is_changelog(const char *name)
{
    return text_ends_with(name, ".xml") || text_ends_with(name, ".yaml") ||
           text_ends_with(name, ".yml") || text_ends_with(name, ".json");
}

enum status liquibase_order(struct migration_reader *reader, struct foreign_files *files,
                            struct error *error)
{
    struct including including = {.reader = reader, .files = files};
    including.taken = arena_allocate_zeroed(reader->arena, files->count + 1u, sizeof(bool));
    for (uint32_t i = 0; i < reader->name_count; i++) {
        if (is_changelog(reader->names[i]) &&
            read_changelog(&including, reader->names[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (!including.found) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < files->count; i++) {
        if (including.taken[i]) {
            continue;
        }
        if (including.all) {
            file_add(reader, &including.ordered, files->names[i]);
        } else {
            foreign_fault(reader, file_join(reader->arena, reader->folder, files->names[i]), 1,
                          NULL, "no changelog in the folder includes it");
        }
    }
    *files = including.ordered;
    return STATUS_OK;
}
