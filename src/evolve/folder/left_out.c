/*
 * Files that a folder holds beside the migrations that were read. Whichever tool's folder it is, a
 * file that looks like a migration is never left out without a line:
 *
 *   V2_users.SQL, x.sql.bak, sub/001_users.sql    SQL by its name
 *   0001_initial.py, 20240131_users.js            a program that is numbered like a migration
 *   db.changelog.xml below the folder             Liquibase's
 *
 * Texts for people (README.md), hidden files, and what an editor leaves are nobody's migrations.
 */
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "evolve/folder/foreign.h"
#include "evolve/folder/version.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

static const char *const sql_endings[] = {".sql",   ".cql",   ".ddl",   ".psql",
                                          ".pgsql", ".plsql", ".mysql", NULL};
static const char *const code_endings[] = {
    ".go",   ".rb", ".py",  ".js", ".mjs", ".cjs", ".ts",     ".php",   ".pl",  ".cs",
    ".java", ".kt", ".exs", ".ex", ".rs",  ".fs",  ".groovy", ".scala", ".lua", NULL};

static bool ends_with_one_of(const char *name, const char *const *endings)
{
    for (; *endings != NULL; endings++) {
        if (text_ends_with_folded(name, *endings)) {
            return true;
        }
    }
    return false;
}

static bool is_of_an_editor(const char *name)
{
    static const char *const endings[] = {"~", ".swp", ".swo", ".orig", ".rej", NULL};
    return name[0] == '#' || ends_with_one_of(name, endings);
}

static bool is_for_people(const char *name)
{
    static const char *const endings[] = {".md", ".txt", ".rst", ".adoc", ".html", ".pdf", NULL};
    return ends_with_one_of(name, endings) && strcasestr(name, ".sql.") == NULL;
}

/* "x.sql", "x.SQL", "x.sql.gz", "x.sql.disabled"; not "x.sql.conf", which is read beside it. */
static bool looks_like_sql(const char *name)
{
    return ends_with_one_of(name, sql_endings) ||
           (strcasestr(name, ".sql.") != NULL && !text_ends_with(name, ".sql.conf"));
}

/* "0001_initial.py", "V2__x.java", Alembic's "1975ea83b712_x.py": numbered, and a program. */
static bool looks_like_code(const char *name)
{
    enum { HASH_LENGTH = 12 };
    size_t digits = migration_version_length(name);
    size_t hash = strspn(name, "0123456789abcdef");
    bool numbered = digits > 0 && strchr("_-.", name[digits]) != NULL;
    bool hashed = hash == HASH_LENGTH && name[hash] == '_';
    return ends_with_one_of(name, code_endings) && (numbered || hashed);
}

static bool is_changelog(struct migration_reader *reader, const char *name)
{
    static const char *const endings[] = {".xml", ".yaml", ".yml", ".json", NULL};
    struct error ignored = {0};
    char *text = NULL;
    size_t length = 0;
    return strchr(name, '/') != NULL && ends_with_one_of(name, endings) &&
           foreign_read(reader, name, &text, &length, &ignored) == STATUS_OK && text != NULL &&
           memmem(text, length, "databaseChangeLog", strlen("databaseChangeLog")) != NULL;
}

static bool is_told(const struct migration_reader *reader, const char *path)
{
    return name_index_find(reader->told, path, strlen(path)) != NAME_INDEX_NONE;
}

/* Is the SQL of a program there, as a file of the same name? */
static bool is_recorded(const struct migration_reader *reader, const char *path)
{
    static const char *const endings[] = {".sql", ".up.sql"};
    const char *end = strrchr(path, '.');
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        if (is_told(reader,
                    arena_format(reader->arena, "%.*s%s", (int)(end - path), path, endings[i]))) {
            return true;
        }
    }
    return false;
}

static void name_one(struct migration_reader *reader, const char *name, const char *title)
{
    const char *slash = strrchr(name, '/');
    const char *last = slash != NULL ? slash + 1 : name;
    const char *path = file_join(reader->arena, reader->folder, name);
    if (is_told(reader, path) || is_of_an_editor(last) || is_for_people(last)) {
        return;
    }
    if (looks_like_sql(last)) {
        bool by_case = slash == NULL && ends_with_one_of(last, sql_endings) &&
                       (text_ends_with_folded(last, ".sql") || text_ends_with_folded(last, ".cql"));
        if (by_case || reader->count == 0) {
            foreign_fault(reader, path, 1,
                          "an ending is written in small letters, .sql; --from names another "
                          "layout",
                          arena_format(reader->arena,
                                       "it is left out: no migration of the layout "
                                       "%s is named or placed so",
                                       title));
        } else {
            log_write(LOG_WARNING,
                      "%s is left out: no migration of the layout %s is named or "
                      "placed so",
                      path, title);
        }
    } else if (looks_like_code(last) && !is_recorded(reader, path)) {
        if (reader->count == 0) {
            foreign_fault(reader, path, 1, "record its SQL in a file, and name that folder",
                          "a migration that is a program is not run here");
        } else {
            log_write(LOG_WARNING, "%s is left out: a migration that is a program is not run here",
                      path);
        }
    } else if (is_changelog(reader, name)) {
        log_write(LOG_WARNING, "%s is left out: a changelog is read in the folder itself", path);
    }
}

enum status migration_name_left_out(struct migration_reader *reader, const char *title,
                                    struct error *error)
{
    struct foreign_files files;
    if (foreign_walk(reader, "", &files, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < files.count; i++) {
        name_one(reader, files.names[i], title);
    }
    return STATUS_OK;
}
