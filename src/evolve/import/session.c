/* The database that a tool's table is in, and which tool's it is. */
#include "base/file.h"
#include "base/text.h"
#include "base/trust.h"
#include "connectors/common/registry.h"
#include "evolve/import/import_internal.h"
#include <string.h>

enum { MEMORY_BYTES = 64 << 20, TIMEOUT_MS = 30000 };

/* A file beside a database of SQLite, opened for the time of a reading. */
struct beside {
    const struct connector *connector;
    struct database *database; /* NULL: it is not there */
};

static const char *path_beside(struct import_reader *reader, const char *name)
{
    const char *file = NULL;
    struct error ignored = {0};
    struct arena *arena = reader->history->arena;
    if (reader->alter->ask(reader->session,
                           "SELECT file FROM pragma_database_list WHERE name = 'main'", arena,
                           &file, &ignored) != STATUS_OK ||
        file == NULL || strrchr(file, '/') == NULL) {
        return NULL;
    }
    const char *path =
        arena_format(arena, "%.*s%s", (int)(strrchr(file, '/') + 1 - file), file, name);
    if (!file_exists(path)) {
        return NULL;
    }
    trust_note_uri(path); /* the database says it */
    return path;
}

static void open_beside(struct import_reader *reader, const char *name, struct beside *beside)
{
    struct uri *uri;
    struct error ignored = {0};
    const char *path = path_beside(reader, name);
    if (path == NULL || registry_resolve(path, reader->history->arena, &uri, &beside->connector,
                                         &ignored) != STATUS_OK) {
        return;
    }
    const struct open_options open = {.mode = OPEN_TARGET,
                                      .uri = uri,
                                      .memory_bytes = MEMORY_BYTES,
                                      .timeout_ms = TIMEOUT_MS,
                                      .read_only = true};
    if (beside->connector->open(&open, &beside->database, &ignored) != STATUS_OK) {
        beside->database = NULL;
    }
}

/* Does `work` in the session of the database that the tool's table is in; false: it has none. */
static bool within(const struct import_reader *reader, const struct import_tool *tool,
                   bool (*work)(struct import_reader *reader, const struct import_tool *tool,
                                struct error *error),
                   struct error *error)
{
    struct import_reader other = *reader;
    struct beside beside = {0};
    const struct alter_open options = {.program = "transhume schema import", .only_looks = true};
    if (tool->beside == NULL) {
        return work(&other, tool, error);
    }
    if (reader->alter->sql != SQL_SQLITE) {
        return false;
    }
    open_beside(&other, tool->beside, &beside);
    if (beside.database == NULL) {
        return false;
    }
    bool done = false;
    if (beside.connector->alter->open(beside.database, &options, &other.session, error) ==
        STATUS_OK) {
        done = work(&other, tool, error);
        beside.connector->alter->close(other.session);
    }
    beside.connector->close(beside.database);
    return done;
}

static bool session_probe(struct import_reader *reader, const struct import_tool *tool,
                          struct error *error)
{
    (void)error;
    return import_probe(reader, tool);
}

static bool read_all(struct import_reader *reader, const struct import_tool *tool,
                     struct error *error)
{
    return import_read(reader, tool, error) == STATUS_OK;
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

/* "Flyway, goose, …" of all of them. */
static const char *titles(struct arena *arena)
{
    const char *list = import_tools->title;
    for (const struct import_tool *tool = import_tools + 1; tool->name != NULL; tool++) {
        if (strcmp(tool->name, tool[-1].name) != 0) {
            list = arena_format(arena, "%s, %s", list, tool->title);
        }
    }
    return list;
}

static enum status fail_unknown(const char *name, struct error *error)
{
    const char *names[32];
    size_t count = 0;
    for (const struct import_tool *tool = import_tools; tool->name != NULL; tool++) {
        names[count++] = tool->name;
    }
    const char *nearest = text_nearest(name, names, count);
    error_set(error, ERROR_USAGE, name, "is no tool whose history can be imported");
    return nearest != NULL ? error_hint(error, "Did you mean `%s`?", nearest) : STATUS_FAILED;
}

/* NULL: its table is not there. */
static const struct import_tool *find_table(struct import_reader *reader, const char *name)
{
    struct error ignored = {0};
    for (const struct import_tool *tool = import_tools; tool->name != NULL; tool++) {
        if ((name == NULL || strcmp(tool->name, name) == 0) &&
            (reader->alter->languages & (1u << tool->language)) != 0 &&
            within(reader, tool, session_probe, &ignored)) {
            return tool;
        }
    }
    return NULL;
}

enum status import_choose(struct import_reader *reader, const char *name, const char *format,
                          const struct import_tool **tool, struct error *error)
{
    const struct import_tool *named = tool_named(name != NULL ? name : format);
    if (name != NULL && named == NULL) {
        return fail_unknown(name, error);
    }
    /* A folder that is laid out as one tool has it is of that tool. */
    *tool = find_table(reader, named != NULL ? named->name : NULL);
    if (*tool != NULL) {
        return STATUS_OK;
    }
    if (named != NULL) {
        return error_set(error, ERROR_USAGE, "import", "no table of %s is in the database: %s",
                         named->title, named->table);
    }
    error_set(error, ERROR_USAGE, "import", "no table of another tool is in the database");
    return error_hint(error, "known are those of %s; --from TOOL names one",
                      titles(reader->history->arena));
}

enum status import_read_tool(struct import_reader *reader, const struct import_tool *tool,
                             struct error *error)
{
    return within(reader, tool, read_all, error) ? STATUS_OK : STATUS_FAILED;
}
