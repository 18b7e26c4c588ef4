/*
 * Migrations of Django are Python; `manage.py sqlmigrate APP NAME` writes the SQL of one:
 *
 *   APP/0001_initial.sql         manage.py sqlmigrate APP 0001
 *   APP/0001_initial.down.sql    manage.py sqlmigrate APP 0001 --backwards
 *
 * That output names neither the app nor the migration, so folder and file do. Each migration of an
 * app requires the one before it; what else it requires, `-- transhume:requires APP.NAME` in its
 * first lines says.
 */
#include "base/file.h"
#include "evolve/folder/foreign.h"
#include "evolve/folder/version.h"
#include <string.h>

/* The output of sqlmigrate has each operation's description in three lines of comment. */
static bool is_output(const struct migration_reader *reader, const char *name)
{
    char *text = NULL;
    size_t length = 0;
    struct error ignored;
    struct migration_reader looking = *reader;
    struct foreign_line line = {0};
    bool before = false;
    if (foreign_read(&looking, name, &text, &length, &ignored) != STATUS_OK || text == NULL) {
        return false;
    }
    while (foreign_next_line(text, length, &line)) {
        if (before && line.length > 3 && memcmp(line.text, "-- ", 3) == 0) {
            return true;
        }
        before = foreign_is_line(&line, "--");
    }
    return false;
}

static bool is_migration(const char *name)
{
    size_t version = migration_version_length(name);
    return foreign_ends(name, ".sql") && version > 0 && name[version] == '_';
}

static bool recognise_django(const struct migration_reader *reader)
{
    struct error ignored;
    for (uint32_t i = 0; i < reader->name_count; i++) {
        char *const *names;
        uint32_t count = 0;
        if (strchr(reader->names[i], '.') != NULL ||
            foreign_list(file_join(reader->arena, reader->folder, reader->names[i]), reader->arena,
                         &names, &count, &ignored) != STATUS_OK) {
            continue;
        }
        for (uint32_t j = 0; j < count; j++) {
            if (is_migration(names[j])) {
                return is_output(reader,
                                 arena_format(reader->arena, "%s/%s", reader->names[i], names[j]));
            }
        }
    }
    return false;
}

static enum status load(struct migration_reader *reader, const char *name,
                        struct migration_text *text, struct error *error)
{
    enum status status = migration_load(reader, name, text, error);
    if (status == STATUS_OK && text->text != NULL) {
        foreign_blank_transactions(foreign_own(text, reader->arena), text->length);
        migration_read_header(reader, ALTER_SQL, text->text, text->length, 1, text);
    }
    return status;
}

/* `before`: the app's migration in front of it; NULL: it is the first. */
static enum status take_file(struct migration_reader *reader, const char *app, const char *name,
                             const char **before, struct error *error)
{
    struct migration *item = migration_add(reader);
    const char *title = arena_copy(reader->arena, name, strlen(name) - strlen(".sql"));
    const char *down = arena_format(reader->arena, "%s/%s.down.sql", app, title);
    item->version = arena_format(reader->arena, "%s.%s", app, title);
    item->name = title;
    item->origin_id = item->version;
    if (load(reader, arena_format(reader->arena, "%s/%s", app, name), &item->up, error) !=
            STATUS_OK ||
        (foreign_exists(reader, down) && load(reader, down, &item->down, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    if (*before != NULL) {
        foreign_require(&item->up.options, *before, reader->arena);
    }
    *before = item->version;
    return STATUS_OK;
}

static enum status take_app(struct migration_reader *reader, const char *app, struct error *error)
{
    char *const *names;
    uint32_t count = 0;
    const char *before = NULL;
    enum status status = foreign_list(file_join(reader->arena, reader->folder, app), reader->arena,
                                      &names, &count, error);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        const char *name = names[i];
        if (!foreign_ends(name, ".sql") || foreign_ends(name, ".down.sql")) {
            continue;
        }
        if (is_migration(name)) {
            status = take_file(reader, app, name, &before, error);
        } else {
            foreign_fault(reader, file_join(reader->arena, reader->folder, name), 1,
                          "a name is that of the migration, 0001_initial.sql",
                          "its name has no number");
        }
    }
    return status;
}

static bool is_folder(const struct migration_reader *reader, const char *name)
{
    return file_exists(arena_format(reader->arena, "%s/%s/.", reader->folder, name));
}

static enum status read_django(struct migration_reader *reader, struct error *error)
{
    for (uint32_t i = 0; i < reader->name_count; i++) {
        const char *name = reader->names[i];
        if (foreign_ends(name, ".sql")) {
            foreign_fault(reader, file_join(reader->arena, reader->folder, name), 1,
                          "put it into a folder of its app's name", "it belongs to no app");
        } else if (is_folder(reader, name) && take_app(reader, name, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return foreign_order(reader, error);
}

const struct migration_format migration_format_django = {.name = "django",
                                                         .title = "Django",
                                                         .orders = true,
                                                         .is_graph = true,
                                                         .recognises = recognise_django,
                                                         .read = read_django};
