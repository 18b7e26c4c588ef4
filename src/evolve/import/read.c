/* Reads another tool's table value by value: how several are asked for together is not the same
 * everywhere. */
#include "evolve/folder/version.h"
#include "evolve/import/import_internal.h"
#include <stdlib.h>
#include <string.h>

static enum status read_ask(struct import_reader *reader, const char *sql, const char **text,
                            struct error *error)
{
    return reader->alter->ask(reader->session, sql, reader->history->arena, text, error);
}

bool import_probe(struct import_reader *reader, const struct import_tool *tool)
{
    struct error problem = {0};
    const char *answer = NULL;
    return read_ask(reader, tool->probe, &answer, &problem) == STATUS_OK && answer != NULL;
}

/* The value of an expression in row number `row`; `expression` NULL: `otherwise`. */
static enum status ask_value(struct import_reader *reader, const struct import_tool *tool,
                             const char *expression, const char *otherwise, uint64_t row,
                             const char **text, struct error *error)
{
    *text = otherwise;
    if (expression == NULL) {
        return STATUS_OK;
    }
    return read_ask(reader,
                    arena_format(reader->history->arena, "SELECT %s %s %s LIMIT 1 OFFSET %llu",
                                 expression, tool->from, tool->order, (unsigned long long)row),
                    text, error);
}

/* One row, as the expressions find it. */
struct row {
    const char *scope;
    const char *id; /* NULL: it has none */
    const char *label;
    const char *checksum;
    const char *state;
};

static enum status read_row(struct import_reader *reader, const struct import_tool *tool,
                            uint64_t number, struct row *row, struct error *error)
{
    struct arena *arena = reader->history->arena;
    *row = (struct row){0};
    for (size_t i = 0; i < 3 && tool->parts[i] != NULL; i++) {
        const char *part;
        if (ask_value(reader, tool, tool->parts[i], NULL, number, &part, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        row->scope = i == 0 && tool->scoped ? part : row->scope;
        if (part != NULL) {
            row->id =
                row->id == NULL ? part : arena_format(arena, "%s%s%s", row->id, tool->joint, part);
        }
    }
    if (ask_value(reader, tool, tool->label, NULL, number, &row->label, error) != STATUS_OK ||
        ask_value(reader, tool, tool->checksum, NULL, number, &row->checksum, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return ask_value(reader, tool, tool->state, "stands", number, &row->state, error);
}

/* ---------------------------------------------------------------- what the rows say together */

static void read_forget(struct import_history *history, const char *key)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < history->count; i++) {
        if (history->items[i].key == NULL || strcmp(history->items[i].key, key) != 0) {
            history->items[kept++] = history->items[i];
        }
    }
    history->count = kept;
}

/* `id#2` of what is there already. */
static const char *number_id(const struct import_history *history, const char *id)
{
    size_t length = strlen(id);
    uint32_t found = 1;
    for (uint32_t i = 0; i < history->count; i++) {
        const char *other = history->items[i].id;
        found += strncmp(other, id, length) == 0 && (other[length] == '\0' || other[length] == '#');
    }
    return found == 1 ? id : arena_format(history->arena, "%s#%u", id, found);
}

static void take_row(struct import_history *history, const struct import_tool *tool,
                     const struct row *row)
{
    const char *state = row->state != NULL ? row->state : "stands";
    const char *id = row->id != NULL && tool->repeats ? number_id(history, row->id) : row->id;
    const char *key = id != NULL ? migration_version_key(id, history->arena) : NULL;
    bool up_to = strstr(state, "up to") != NULL;
    if (strcmp(state, "none") == 0) {
        return;
    }
    if (key != NULL && !tool->repeats) {
        read_forget(history, key);
    }
    if (strcmp(state, "gone") == 0) {
        return;
    }
    history->items = arena_make_room(history->arena, history->items, history->count,
                                     &history->capacity, sizeof *history->items);
    history->items[history->count++] =
        (struct import_applied){.id = id,
                                .key = key,
                                .scope = row->scope,
                                .name = row->label,
                                .checksum = up_to ? NULL : row->checksum,
                                .failed = strstr(state, "failed") != NULL};
    history->up_to = up_to ? key : history->up_to;
}

/* Anyone who works with the table now changes what is read here. */
static enum status refuse_locked(struct import_reader *reader, const struct import_tool *tool,
                                 struct error *error)
{
    const char *holder = NULL;
    struct error ignored = {0};
    if (tool->locked == NULL || read_ask(reader, tool->locked, &holder, &ignored) != STATUS_OK ||
        holder == NULL) {
        return STATUS_OK;
    }
    error_set(error, ERROR_MIGRATION_REFUSED, tool->table, "%s holds its lock: %s", tool->title,
              holder);
    return error_hint(error, "%s", tool->locked_hint);
}

/* The one document of a collection. */
static enum status read_document(struct import_reader *reader, const struct import_tool *tool,
                                 struct error *error)
{
    struct row row = {0};
    const char *dirty = NULL;
    if (read_ask(reader, tool->parts[0], &row.id, error) != STATUS_OK ||
        read_ask(reader, tool->state, &dirty, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (row.id != NULL && row.id[0] != '-') { /* -1: all were taken back */
        row.state = dirty != NULL && strcmp(dirty, "true") == 0 ? "failed up to" : "up to";
        take_row(reader->history, tool, &row);
    }
    return STATUS_OK;
}

enum status import_read(struct import_reader *reader, const struct import_tool *tool,
                        struct error *error)
{
    const char *text = NULL;
    struct arena *arena = reader->history->arena;
    if (refuse_locked(reader, tool, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (tool->language == ALTER_MONGO) {
        return read_document(reader, tool, error);
    }
    if (read_ask(reader, arena_format(arena, "SELECT count(*) %s", tool->from), &text, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    uint64_t count = text != NULL ? strtoull(text, NULL, 10) : 0;
    for (uint64_t number = 0; number < count; number++) {
        struct row row;
        if (read_row(reader, tool, number, &row, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        take_row(reader->history, tool, &row);
    }
    return STATUS_OK;
}
