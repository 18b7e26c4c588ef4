/* The tables of other tools, read value by value: what is in them is the same everywhere, how it is
 * asked for together is not. */
#include "base/text.h"
#include "evolve/folder/version.h"
#include "evolve/import/import_internal.h"
#include <stdlib.h>
#include <string.h>

struct import_applied *import_add(struct import_history *history, const char *version)
{
    history->items = arena_make_room(history->arena, history->items, history->count,
                                     &history->capacity, sizeof *history->items);
    struct import_applied *item = &history->items[history->count++];
    *item = (struct import_applied){.version = version};
    item->key = version != NULL ? migration_version_key(version, history->arena) : NULL;
    return item;
}

static enum status ask(struct import_reader *reader, const char *sql, const char **text,
                       struct error *error)
{
    return reader->alter->ask(reader->session, sql, reader->history->arena, text, error);
}

static enum status ask_number(struct import_reader *reader, const char *sql, uint64_t *number,
                              struct error *error)
{
    const char *text = NULL;
    *number = 0;
    if (ask(reader, sql, &text, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *number = text != NULL ? strtoull(text, NULL, 10) : 0;
    return STATUS_OK;
}

/* The value of a column in row number `row`; `from`: FROM … ORDER BY … */
static enum status ask_value(struct import_reader *reader, const char *column, const char *from,
                             uint64_t row, const char **text, struct error *error)
{
    return ask(reader,
               arena_format(reader->history->arena, "SELECT %s %s LIMIT 1 OFFSET %llu", column,
                            from, (unsigned long long)row),
               text, error);
}

/* One version a row. */
static enum status read_versions(struct import_reader *reader, const char *column, const char *from,
                                 const char *count_sql, struct error *error)
{
    uint64_t count = 0;
    if (ask_number(reader, count_sql, &count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint64_t row = 0; row < count; row++) {
        const char *version = NULL;
        if (ask_value(reader, column, from, row, &version, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (version != NULL) {
            import_add(reader->history, version);
        }
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- dbmate, golang-migrate, goose */

static enum status read_dbmate(struct import_reader *reader, struct error *error)
{
    return read_versions(reader, "version", "FROM schema_migrations ORDER BY version",
                         "SELECT count(*) FROM schema_migrations", error);
}

/* One row: the last version, whose predecessors are all taken for applied. */
static enum status read_migrate(struct import_reader *reader, struct error *error)
{
    const char *version = NULL;
    uint64_t dirty = 0;
    if (ask(reader, "SELECT version FROM schema_migrations", &version, error) != STATUS_OK ||
        ask_number(reader, "SELECT CASE WHEN dirty THEN 1 ELSE 0 END FROM schema_migrations",
                   &dirty, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (version != NULL) {
        struct import_applied *item = import_add(reader->history, version);
        item->failed = dirty != 0;
        reader->history->up_to = item->key;
    }
    return STATUS_OK;
}

/* Rows are only added: the last one of a version counts. */
static enum status read_goose(struct import_reader *reader, struct error *error)
{
    static const char from[] =
        "FROM goose_db_version g WHERE g.version_id > 0 AND g.is_applied AND g.id = (SELECT "
        "max(h.id) FROM goose_db_version h WHERE h.version_id = g.version_id)";
    return read_versions(reader, "g.version_id",
                         arena_format(reader->history->arena, "%s ORDER BY g.version_id", from),
                         arena_format(reader->history->arena, "SELECT count(*) %s", from), error);
}

/* ---------------------------------------------------------------- Flyway */

/* A later row takes an earlier one of the same version back. */
static void forget(struct import_history *history, const char *version)
{
    const char *key = migration_version_key(version, history->arena);
    for (uint32_t i = 0; i < history->count; i++) {
        if (history->items[i].key != NULL && strcmp(history->items[i].key, key) == 0) {
            memmove(&history->items[i], &history->items[i + 1],
                    (history->count - i - 1) * sizeof *history->items);
            history->count--;
            i--;
        }
    }
}

struct flyway_row {
    const char *version;
    const char *description;
    const char *type;
    const char *checksum;
    const char *success;
};

static enum status read_flyway_row(struct import_reader *reader, uint64_t number,
                                   struct flyway_row *row, struct error *error)
{
    static const char from[] = "FROM flyway_schema_history ORDER BY installed_rank";
    const struct {
        const char *column;
        const char **value;
    } columns[] = {
        {"version", &row->version},
        {"description", &row->description},
        {"type", &row->type},
        {"checksum", &row->checksum},
        {"CASE WHEN success THEN 1 ELSE 0 END", &row->success},
    };
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        if (ask_value(reader, columns[i].column, from, number, columns[i].value, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static void take_flyway_row(struct import_history *history, const struct flyway_row *row)
{
    const char *type = row->type != NULL ? row->type : "SQL";
    bool stands = row->success != NULL && row->success[0] == '1';
    if (strcmp(type, "SCHEMA") == 0) {
        return;
    }
    if (row->version != NULL) {
        forget(history, row->version);
    }
    if (strcmp(type, "DELETE") == 0 || (strncmp(type, "UNDO", 4) == 0 && stands)) {
        return;
    }
    struct import_applied *item = import_add(history, row->version);
    item->name = row->description;
    item->checksum = row->checksum;
    item->failed = !stands;
    if (strcmp(type, "BASELINE") == 0 && row->version != NULL) {
        history->up_to = item->key;
        item->checksum = NULL;
    }
}

static enum status read_flyway(struct import_reader *reader, struct error *error)
{
    uint64_t count = 0;
    if (ask_number(reader, "SELECT count(*) FROM flyway_schema_history", &count, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint64_t number = 0; number < count; number++) {
        struct flyway_row row = {0};
        if (read_flyway_row(reader, number, &row, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        take_flyway_row(reader->history, &row);
    }
    return STATUS_OK;
}

/* golang-migrate and dbmate (and Rails) name their tables alike; a column tells them apart. */
const struct import_tool import_tools[] = {
    {"flyway", "flyway_schema_history",
     "SELECT 1 + count(installed_rank) FROM flyway_schema_history", read_flyway},
    {"goose", "goose_db_version", "SELECT 1 + count(is_applied) FROM goose_db_version", read_goose},
    {"golang-migrate", "schema_migrations",
     "SELECT 1 + count(CASE WHEN dirty THEN 1 END) FROM schema_migrations", read_migrate},
    {"dbmate", "schema_migrations", "SELECT 1 + count(version) FROM schema_migrations",
     read_dbmate},
    {0},
};
