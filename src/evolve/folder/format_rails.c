/*
 * Migrations of Rails are Ruby. What of them is SQL:
 *
 *   structure.sql             as `rails db:schema:dump` writes it with schema_format = :sql: all of
 *                             the schema, and at its end the versions that it holds
 *   20240131120000_users.sql  what a migration ran, recorded by hand or from the log; with its way
 *                             back behind `-- migrate:down`, as in the project's own layout
 *
 * For a database without a history structure.sql is the baseline of its highest version.
 */
#include "base/file.h"
#include "base/text.h"
#include "evolve/folder/foreign.h"
#include "evolve/folder/version.h"
#include <string.h>

static const char structure[] = "structure.sql";
static const char table[] = "schema_migrations";

/* Where the list of versions begins in the text; NULL: nowhere. */
static const char *find_versions(const char *text, size_t length)
{
    static const char insert[] = "INSERT INTO ";
    const char *end = text + length;
    for (const char *at = text;
         (at = memmem(at, (size_t)(end - at), insert, sizeof insert - 1)) != NULL;) {
        at += sizeof insert - 1;
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((stop != NULL ? stop : end) - at);
        if (memmem(at, size, table, sizeof table - 1) != NULL) {
            return at;
        }
    }
    return NULL;
}

static bool recognise_rails(const struct migration_reader *reader)
{
    char *text = NULL;
    size_t length = 0;
    struct error ignored;
    struct migration_reader looking = *reader;
    return foreign_exists(reader, structure) &&
           foreign_read(&looking, structure, &text, &length, &ignored) == STATUS_OK &&
           text != NULL && find_versions(text, length) != NULL;
}

/* The highest version among the quoted ones up to the semicolon; NULL: there is none. */
static const char *highest_version(const struct migration_reader *reader, const char *text)
{
    const char *found = NULL;
    const char *found_key = "";
    for (const char *at = text; *at != '\0' && *at != ';'; at++) {
        size_t length = *at == '\'' ? migration_version_length(at + 1) : 0;
        if (length == 0 || at[1 + length] != '\'') {
            continue;
        }
        const char *version = arena_copy(reader->arena, at + 1, length);
        const char *key = migration_version_key(version, reader->arena);
        if (strcmp(key, found_key) > 0) {
            found = version;
            found_key = key;
        }
    }
    return found;
}

static enum status take_structure(struct migration_reader *reader, struct error *error)
{
    struct migration_text text = {.options = {.lock_ms = -1, .statement_ms = -1}};
    if (migration_load(reader, structure, &text, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *versions = text.text != NULL ? find_versions(text.text, text.length) : NULL;
    const char *highest = versions != NULL ? highest_version(reader, versions) : NULL;
    if (highest == NULL) {
        foreign_fault(reader, text.path, 1, NULL, "it does not say which versions it holds");
        return STATUS_OK;
    }
    struct migration *item = migration_add(reader);
    item->kind = MIGRATION_BASELINE;
    item->version = highest;
    item->name = "structure";
    item->up = text;
    return STATUS_OK;
}

static enum status take_file(struct migration_reader *reader, const char *name, size_t version,
                             struct error *error)
{
    struct migration made = {.up.options = {.lock_ms = -1, .statement_ms = -1},
                             .down.options = {.lock_ms = -1, .statement_ms = -1}};
    const char *path = file_join(reader->arena, reader->folder, name);
    uint32_t faults = reader->faults->count;
    migration_note_told(reader, path);
    enum status status =
        migration_read_file(path, reader->only_looks, reader->arena, &made, reader->faults, error);
    if (status != STATUS_OK && reader->faults->count == faults) {
        return faults > 0 ? STATUS_OK : STATUS_FAILED; /* of an earlier file */
    }
    struct migration *item = migration_add(reader);
    *item = made;
    item->up.path = path;
    item->version = arena_copy(reader->arena, name, version);
    item->name = arena_copy(reader->arena, name + version + 1, strlen(name) - version - 5);
    return STATUS_OK;
}

static enum status take_entry(struct migration_reader *reader, const char *name,
                              struct error *error)
{
    size_t version = migration_version_length(name);
    const char *path = file_join(reader->arena, reader->folder, name);
    if (strcmp(name, structure) == 0) {
        return take_structure(reader, error);
    }
    if (text_ends_with(name, ".rb")) {
        foreign_fault(reader, path, 1, "record its SQL as VERSION_NAME.sql, and name that folder",
                      "a migration in Ruby is not run here");
    }
    if (!text_ends_with(name, ".sql")) {
        return STATUS_OK;
    }
    if (version == 0 || name[version] != '_') {
        foreign_fault(reader, path, 1, NULL, "its name has no version");
        return STATUS_OK;
    }
    return take_file(reader, name, version, error);
}

static enum status read_rails(struct migration_reader *reader, struct error *error)
{
    for (uint32_t i = 0; i < reader->name_count; i++) {
        if (take_entry(reader, reader->names[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

const struct migration_format migration_format_rails = {
    .name = "rails", .title = "Rails", .recognises = recognise_rails, .read = read_rails};
