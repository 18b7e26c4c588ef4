/*
 * The layout of Prisma Migrate:
 *
 *   20240131120000_users/migration.sql    the way there
 *   20240131120000_users/down.sql         the way back, which Prisma does not know, if it is there
 *   migration_lock.toml                   the database's kind; not read
 *
 * They are run in the order of the folders' names, and each is known by its folder's name. The
 * checksum is the SHA-256 of the file.
 *
 * Source: prisma/prisma-engines, schema-engine/ARCHITECTURE.md.
 */
#include "base/file.h"
#include "base/text.h"
#include "evolve/folder/foreign.h"
#include "evolve/folder/version.h"
#include <string.h>

static const char *file_in(const struct migration_reader *reader, const char *folder,
                           const char *file)
{
    return arena_format(reader->arena, "%s/%s", folder, file);
}

static bool is_migration(const struct migration_reader *reader, const char *name)
{
    return foreign_exists(reader, file_in(reader, name, "migration.sql"));
}

static bool recognise_prisma(const struct migration_reader *reader)
{
    for (uint32_t i = 0; i < reader->name_count; i++) {
        if (is_migration(reader, reader->names[i])) {
            return !foreign_exists(reader, file_in(reader, reader->names[i], "snapshot.json"));
        }
    }
    return false;
}

static enum status take_folder(struct migration_reader *reader, const char *name,
                               struct error *error)
{
    struct migration *item = migration_add(reader);
    size_t version = migration_version_length(name);
    bool numbered = version > 0 && name[version] == '_';
    item->version = numbered ? arena_copy(reader->arena, name, version) : name;
    item->name = numbered ? name + version + 1 : name;
    item->origin_id = name;
    if (migration_load(reader, file_in(reader, name, "migration.sql"), &item->up, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (item->up.text != NULL) {
        item->origin_checksum =
            foreign_digest("SHA256", item->up.text, item->up.length, reader->arena);
        migration_read_header(reader, ALTER_SQL, item->up.text, item->up.length, 1, &item->up);
    }
    const char *down = file_in(reader, name, "down.sql");
    return foreign_exists(reader, down) ? migration_load(reader, down, &item->down, error)
                                        : STATUS_OK;
}

static enum status read_prisma(struct migration_reader *reader, struct error *error)
{
    for (uint32_t i = 0; i < reader->name_count; i++) {
        const char *name = reader->names[i];
        if (is_migration(reader, name)) {
            if (take_folder(reader, name, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
        } else if (text_ends_with(name, ".sql")) {
            foreign_fault(reader, file_join(reader->arena, reader->folder, name), 1,
                          "a migration of Prisma is a folder with a file migration.sql",
                          "it is in no folder of a migration");
        }
    }
    return STATUS_OK;
}

const struct migration_format migration_format_prisma = {.name = "prisma",
                                                         .title = "Prisma",
                                                         .orders = true,
                                                         .recognises = recognise_prisma,
                                                         .read = read_prisma};
