/*
 * The layout of Flyway:
 *
 *   V1_2__users.sql    version 1.2       U1_2__users.sql    its way back
 *   R__views.sql       repeatable        B5__all.sql        a baseline
 *   V2__x.sql.conf     executeInTransaction=false
 *
 * in the folder and in all below it. Flyway passes over what is named otherwise, and runs callbacks
 * (afterMigrate.sql, afterMigrate__x.sql), which are not run here: both are told.
 *
 * Its checksum is the CRC-32 of the lines without their ends, as a signed number.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "evolve/folder/foreign.h"
#include "evolve/folder/version.h"
#include <string.h>
#include <zlib.h>

enum { CONF_BYTES_MAX = 1 << 20 };

/* "V1_2__users.sql" taken apart. */
struct flyway_name {
    char role; /* V, U, R, B */
    const char *version;
    const char *name;
};

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static bool take_name(const char *path, struct arena *arena, struct flyway_name *taken)
{
    const char *name = name_of(path);
    size_t length = strlen(name);
    const char *gap = strstr(name, "__");
    if (length < 5 || strcmp(name + length - 4, ".sql") != 0 || gap == NULL ||
        strchr("VURB", name[0]) == NULL || (name[0] == 'R') != (gap == name + 1)) {
        return false;
    }
    char *version = arena_copy(arena, name + 1, (size_t)(gap - name - 1));
    for (char *at = version; *at != '\0'; at++) {
        *at = *at == '_' ? '.' : *at;
    }
    *taken = (struct flyway_name){name[0], version,
                                  arena_copy(arena, gap + 2, length - (size_t)(gap - name) - 6)};
    return name[0] == 'R' || migration_version_length(version) == strlen(version);
}

/* By a file of the folder; of one that has no SQL itself, by those below it. */
static bool recognise_flyway(const struct migration_reader *reader)
{
    struct flyway_name taken;
    struct foreign_files files;
    struct migration_reader looking = *reader;
    struct error ignored = {0};
    for (uint32_t i = 0; i < reader->name_count; i++) {
        if (take_name(reader->names[i], reader->arena, &taken)) {
            return true;
        }
    }
    bool found = false;
    bool walked = foreign_walk(&looking, ".sql", &files, &ignored) == STATUS_OK;
    for (uint32_t i = 0; walked && i < files.count; i++) {
        if (strchr(files.names[i], '/') == NULL) {
            return false;
        }
        found = found || take_name(files.names[i], reader->arena, &taken);
    }
    return found;
}

static const char *checksum_of(const struct migration_text *text, struct arena *arena)
{
    uLong sum = crc32(0, NULL, 0);
    size_t begin = 0;
    for (size_t at = 0; at <= text->length; at++) {
        bool end = at == text->length || text->text[at] == '\n' || text->text[at] == '\r';
        if (end) {
            sum = crc32(sum, (const Bytef *)text->text + begin, (uInt)(at - begin));
            begin = at + 1;
        }
    }
    return arena_format(arena, "%d", (int)(int32_t)(uint32_t)sum);
}

/* NAME.sql.conf beside a file. */
static bool is_apart(struct migration_reader *reader, const char *name)
{
    struct error ignored;
    char *text = NULL;
    size_t length = 0;
    const char *path = arena_format(reader->arena, "%s/%s.conf", reader->folder, name);
    return file_read_all(path, CONF_BYTES_MAX, reader->arena, &text, &length, &ignored) ==
               STATUS_OK &&
           memmem(text, length, "executeInTransaction=false",
                  strlen("executeInTransaction=false")) != NULL;
}

/* A way back is read into the item of its version, which may not be there yet. */
static struct migration *item_of(struct migration_reader *reader, const struct flyway_name *name)
{
    enum migration_kind kind = name->role == 'R'   ? MIGRATION_REPEATABLE
                               : name->role == 'B' ? MIGRATION_BASELINE
                                                   : MIGRATION_VERSIONED;
    for (uint32_t i = 0; i < reader->count; i++) {
        struct migration *item = &reader->items[i];
        struct migration_text *text = name->role == 'U' ? &item->down : &item->up;
        if (item->kind == kind && kind == MIGRATION_VERSIONED && text->path == NULL &&
            strcmp(item->version, name->version) == 0) {
            return item;
        }
    }
    struct migration *item = migration_add(reader);
    item->kind = kind;
    item->version = kind == MIGRATION_REPEATABLE ? NULL : name->version;
    item->name = name->name;
    return item;
}

static enum status take_file(struct migration_reader *reader, const char *name,
                             const struct flyway_name *taken, struct error *error)
{
    struct migration *item = item_of(reader, taken);
    struct migration_text *text = taken->role == 'U' ? &item->down : &item->up;
    enum status status = migration_load(reader, name, text, error);
    if (status != STATUS_OK || text->text == NULL) {
        return status;
    }
    text->options.apart = is_apart(reader, name);
    if (memmem(text->text, text->length, "${", 2) != NULL) {
        reader->faults->file = text->path;
        plan_fault_at(reader->faults, ERROR_MIGRATION_INVALID, 1, 1,
                      "write what they stand for into the file",
                      "it has placeholders (${…}), which are not replaced");
    }
    if (taken->role != 'U') {
        item->origin_checksum = checksum_of(text, reader->arena);
    }
    return STATUS_OK;
}

/* "afterMigrate", "beforeEachMigrate": an event of Flyway. */
static bool is_callback(const char *name)
{
    bool begins = foreign_begins(name, "before") || foreign_begins(name, "after") ||
                  foreign_begins(name, "create");
    return begins && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") ==
                         strcspn(name, "_.");
}

/* A file that Flyway would run, or that is all but named like one. */
static void tell_other(struct migration_reader *reader, const char *path)
{
    static const char *const programs[] = {".java", ".kt", ".class", ".ps1", ".bat",
                                           ".cmd",  ".sh", ".bash",  ".py",  NULL};
    const char *name = name_of(path);
    const char *shown = file_join(reader->arena, reader->folder, path);
    bool versioned = strchr("VvUuRrBb", name[0]) != NULL &&
                     (strspn(name + 1, "0123456789._") > 0 || foreign_begins(name + 1, "__"));
    for (const char *const *ending = programs; *ending != NULL; ending++) {
        if (versioned && text_ends_with_folded(name, *ending)) {
            foreign_fault(reader, shown, 1, "record its SQL as a file of the same version",
                          "a migration that is a program is not run here");
            return;
        }
    }
    if (!text_ends_with_folded(name, ".sql")) {
        return;
    }
    if (is_callback(name) && text_ends_with(name, ".sql")) {
        migration_note_told(reader, shown);
        log_write(LOG_WARNING, "%s: a callback of Flyway, which is not run here", shown);
        return;
    }
    foreign_fault(reader, shown, 1,
                  "a name is V1__what.sql, U1__what.sql, R__what.sql or B1__what.sql: a capital "
                  "letter, the version, two underscores, and .sql in small letters",
                  "Flyway passes it over because of its name");
}

static enum status read_flyway(struct migration_reader *reader, struct error *error)
{
    struct flyway_name taken;
    struct foreign_files files;
    if (foreign_walk(reader, "", &files, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < files.count; i++) {
        if (!take_name(files.names[i], reader->arena, &taken)) {
            tell_other(reader, files.names[i]);
        } else if (take_file(reader, files.names[i], &taken, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    for (uint32_t i = 0; i < reader->count; i++) {
        const struct migration *item = &reader->items[i];
        if (item->up.path == NULL) {
            foreign_fault(reader, item->down.path, 1, NULL,
                          "the way back is there, but not the way there");
        }
    }
    return STATUS_OK;
}

const struct migration_format migration_format_flyway = {
    .name = "flyway", .title = "Flyway", .recognises = recognise_flyway, .read = read_flyway};
