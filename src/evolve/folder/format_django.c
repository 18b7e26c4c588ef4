/*
 * Migrations of Django are Python; `manage.py sqlmigrate APP NAME` writes the SQL of one:
 *
 *   APP/0001_initial.sql         manage.py sqlmigrate APP 0001
 *   APP/0001_initial.down.sql    manage.py sqlmigrate APP 0001 --backwards
 *
 * That output names neither the app nor the migration, so folder and file do. Each migration of an
 * app requires the one before it. What it requires of other apps stands in the Python of the
 * migration, APP/0001_initial.py or APP/migrations/0001_initial.py, if that is there:
 *
 *   dependencies = [("auth", "0012_x"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
 *
 * and shows in its SQL: one that names a table which another app's migration makes requires that
 * one. `-- transhume:requires APP.NAME` in its first lines says it, too.
 */
#include "base/file.h"
#include "base/text.h"
#include "evolve/folder/foreign.h"
#include "evolve/folder/version.h"
#include "sql/cursor.h"
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
    return text_ends_with(name, ".sql") && version > 0 && name[version] == '_';
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

static enum status format_django_load(struct migration_reader *reader, const char *name,
                                      struct migration_text *text, struct error *error)
{
    enum status status = migration_load(reader, name, text, error);
    if (status == STATUS_OK && text->text != NULL) {
        foreign_blank_transactions(foreign_own(text, reader->arena), text->length);
        migration_read_header(reader, ALTER_SQL, text->text, text->length, 1, text);
    }
    return status;
}

/* ---------------------------------------------------------------- what it requires */

/* The first or the last migration of an app; NULL: it has none here. */
static const struct migration *end_of_app(const struct migration_reader *reader, const char *app,
                                          bool last)
{
    const struct migration *found = NULL;
    size_t length = strlen(app);
    for (uint32_t i = 0; i < reader->count && (last || found == NULL); i++) {
        const char *version = reader->items[i].version;
        if (strncmp(version, app, length) == 0 && version[length] == '.') {
            found = &reader->items[i];
        }
    }
    return found;
}

static void require(struct migration_reader *reader, struct migration *item,
                    const struct migration *other)
{
    const struct column_list *list = &item->up.options.requires;
    for (uint32_t i = 0; i < list->count; i++) {
        if (other != NULL && strcmp(list->names[i], other->version) == 0) {
            return;
        }
    }
    if (other != NULL && other != item) {
        foreign_require(&item->up.options, other->version, reader->arena);
    }
}

/* The next string of Python in quotes; false: none is left in front of `end`. */
static bool next_string(const char **at, const char *end, const char **text, size_t *length)
{
    while (*at < end && **at != '"' && **at != '\'') {
        *at = **at == '#' ? memchr(*at, '\n', (size_t)(end - *at)) : *at + 1;
        if (*at == NULL) {
            return false;
        }
    }
    const char *close = *at < end ? memchr(*at + 1, **at, (size_t)(end - *at - 1)) : NULL;
    if (close == NULL) {
        return false;
    }
    *text = *at + 1;
    *length = (size_t)(close - *text);
    *at = close + 1;
    return true;
}

/* dependencies = [("app", "0001_name"), …] */
static void read_dependencies(struct migration_reader *reader, struct migration *item,
                              const char *python)
{
    const char *at = strstr(python, "dependencies");
    at = at != NULL ? strchr(at, '[') : NULL;
    const char *end = at != NULL ? strchr(at, ']') : NULL;
    const char *app;
    const char *name;
    size_t app_length;
    size_t name_length;
    while (at != NULL && end != NULL && next_string(&at, end, &app, &app_length) &&
           next_string(&at, end, &name, &name_length)) {
        const char *of = arena_copy(reader->arena, app, app_length);
        const char *what = arena_copy(reader->arena, name, name_length);
        bool ends = strcmp(what, "__first__") == 0 || strcmp(what, "__latest__") == 0;
        require(reader, item,
                ends ? end_of_app(reader, of, strcmp(what, "__latest__") == 0)
                     : migration_find(reader, arena_format(reader->arena, "%s.%s", of, what)));
    }
}

static enum status require_by_python(struct migration_reader *reader, struct migration *item,
                                     struct error *error)
{
    const char *dot = strchr(item->version, '.');
    for (int i = 0; i < 2; i++) {
        char *text = NULL;
        size_t length = 0;
        const char *name = i == 0
                               ? arena_format(reader->arena, "%.*s/%s.py",
                                              (int)(dot - item->version), item->version, dot + 1)
                               : arena_format(reader->arena, "%.*s/migrations/%s.py",
                                              (int)(dot - item->version), item->version, dot + 1);
        if (foreign_read(reader, name, &text, &length, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (text != NULL) {
            migration_note_told(reader, file_join(reader->arena, reader->folder, name));
            read_dependencies(reader, item, arena_copy(reader->arena, text, length));
        }
    }
    return STATUS_OK;
}

/* Tables by their names, and the item that makes each. */
struct made_tables {
    struct name_index index;
    uint32_t *items; /* by number in the index */
    uint32_t count;
    uint32_t capacity;
};

static void init_cursor(struct sql_cursor *cursor, const struct migration *item)
{
    /* Names in quotes are those of all its databases: "x", and `x` of MySQL. */
    enum sql_language language =
        memchr(item->up.text, '`', item->up.length) != NULL ? SQL_MYSQL : SQL_SQLITE;
    sql_cursor_init(cursor, language, item->up.text, item->up.length, NULL);
}

/* CREATE TABLE "x", and RENAME TO "x" of what is made as "new__x". */
static void note_tables(struct migration_reader *reader, struct made_tables *tables,
                        uint32_t number)
{
    struct sql_cursor cursor;
    struct sql_name name;
    init_cursor(&cursor, &reader->items[number]);
    while (!sql_at_end(&cursor)) {
        if (!sql_take_words(&cursor, "CREATE TABLE") && !sql_take_words(&cursor, "RENAME TO")) {
            sql_advance(&cursor);
            continue;
        }
        sql_take_words(&cursor, "IF NOT EXISTS");
        if (!sql_take_name(&cursor, reader->arena, &name) ||
            name_index_add(&tables->index, name.name, strlen(name.name), tables->count) !=
                NAME_INDEX_NONE) {
            continue;
        }
        tables->items = arena_make_room(reader->arena, tables->items, tables->count,
                                        &tables->capacity, sizeof(*tables->items));
        tables->items[tables->count++] = number;
    }
}

static bool is_of_app(const struct migration *item, const struct migration *other)
{
    size_t length = strcspn(item->version, ".");
    return strncmp(item->version, other->version, length + 1) == 0;
}

/* Each quoted name that is a table of another app. */
static void require_by_tables(struct migration_reader *reader, const struct made_tables *tables,
                              struct migration *item)
{
    struct sql_cursor cursor;
    init_cursor(&cursor, item);
    for (; !sql_at_end(&cursor); sql_advance(&cursor)) {
        if (cursor.token.kind != SQL_TOKEN_NAME) {
            continue;
        }
        const char *name = sql_token_name(&cursor.token, SQL_SQLITE, reader->arena);
        uint32_t found = name_index_find(&tables->index, name, strlen(name));
        const struct migration *other =
            found != NAME_INDEX_NONE ? &reader->items[tables->items[found]] : NULL;
        if (other != NULL && !is_of_app(item, other)) {
            require(reader, item, other);
        }
    }
}

static enum status require_all(struct migration_reader *reader, struct error *error)
{
    struct made_tables tables = {.index = {.arena = reader->arena}};
    for (uint32_t i = 0; i < reader->count; i++) {
        if (reader->items[i].up.text != NULL) {
            note_tables(reader, &tables, i);
        }
    }
    for (uint32_t i = 0; i < reader->count; i++) {
        struct migration *item = &reader->items[i];
        if (require_by_python(reader, item, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (item->up.text != NULL) {
            require_by_tables(reader, &tables, item);
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- files */

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
    if (format_django_load(reader, arena_format(reader->arena, "%s/%s", app, name), &item->up,
                           error) != STATUS_OK ||
        (foreign_exists(reader, down) &&
         format_django_load(reader, down, &item->down, error) != STATUS_OK)) {
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
        if (!text_ends_with(name, ".sql") || text_ends_with(name, ".down.sql")) {
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
        if (text_ends_with(name, ".sql")) {
            foreign_fault(reader, file_join(reader->arena, reader->folder, name), 1,
                          "put it into a folder of its app's name", "it belongs to no app");
        } else if (is_folder(reader, name) && take_app(reader, name, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return require_all(reader, error) == STATUS_OK ? foreign_order(reader, error) : STATUS_FAILED;
}

const struct migration_format migration_format_django = {.name = "django",
                                                         .title = "Django",
                                                         .orders = true,
                                                         .is_graph = true,
                                                         .recognises = recognise_django,
                                                         .read = read_django};
