/* Facts that a database tells a review of migrations. */
#include "cli/evolve/command_schema.h"

#include "connectors/common/registry.h"
#include "engine/run/run.h"
#include <stdlib.h>
#include <string.h>

/* "15.4 (Debian 15.4-1)" as 150004, "10.11.6-MariaDB" as 101106, "8.0.35" as 80035. */
static uint32_t version_of(const char *text, enum sql_language language)
{
    uint32_t parts[3] = {0};
    char *at = NULL;
    parts[0] = (uint32_t)strtoul(text, &at, 10);
    for (int i = 1; i < 3 && *at == '.'; i++) {
        parts[i] = (uint32_t)strtoul(at + 1, &at, 10);
    }
    return language == SQL_POSTGRES ? parts[0] * 10000 + parts[1]
                                    : parts[0] * 10000 + parts[1] * 100 + parts[2];
}

/* SQLite keeps no sizes: the highest rowid is how many rows there are at most. */
static void ask_rows(const struct schema_known *known, struct alter_session *session,
                     struct arena *arena)
{
    uint32_t count = known->schema->table_count;
    struct schema_table *tables = arena_allocate_zeroed(arena, count + 1u, sizeof *tables);
    for (uint32_t i = 0; i < count; i++) {
        struct schema_table *table = &tables[i];
        *table = known->schema->tables[i];
        const char *text = NULL;
        struct error ignored = {0};
        struct buffer sql = {0};
        buffer_append_string(&sql, "SELECT max(rowid) FROM \"");
        for (const char *at = table->name; *at != '\0'; at++) {
            buffer_append_string(&sql, *at == '"' ? "\"" : "");
            buffer_append_byte(&sql, *at);
        }
        buffer_append_byte(&sql, '"');
        bool asks = table->kind == SCHEMA_TABLE && table->row_count < 0;
        if (asks && known->connector->alter->ask(session, buffer_string(&sql), arena, &text,
                                                 &ignored) == STATUS_OK) {
            table->row_count = text != NULL ? strtoll(text, NULL, 10) : 0;
        }
        buffer_free(&sql);
    }
    known->schema->tables = tables;
}

/* With a session for them. */
static enum status ask_facts(struct cli_call *call, struct schema_known *known, struct error *error)
{
    static const char *const queries[] = {[SQL_POSTGRES] = "SHOW server_version",
                                          [SQL_MYSQL] = "SELECT VERSION()",
                                          [SQL_SQLITE] = "SELECT sqlite_version()"};
    const struct alter_functions *alter = known->connector->alter;
    const struct alter_open open = {.program = "transhume", .only_looks = true};
    struct alter_session *session = NULL;
    const char *text = NULL;
    if (alter->open(known->database, &open, &session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = alter->ask(session, queries[alter->sql], call->arena, &text, error);
    if (alter->sql == SQL_SQLITE) {
        ask_rows(known, session, call->arena);
    }
    alter->close(session);
    if (status == STATUS_OK && text != NULL) {
        known->version = alter->sql == SQL_SQLITE ? 0 : version_of(text, alter->sql);
        bool maria = strstr(text, "MariaDB") != NULL;
        known->server =
            arena_format(call->arena, "%s %.*s", maria ? "MariaDB" : known->connector->title,
                         (int)strcspn(text, " -"), text);
    }
    return status;
}

enum status schema_know(struct cli_call *call, const char *text, struct schema_known *known,
                        struct error *error)
{
    struct uri *uri;
    struct run_options defaults;
    *known = (struct schema_known){0};
    run_options_default(&defaults);
    if (registry_resolve(text, call->arena, &uri, &known->connector, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct connector *connector = known->connector;
    if (connector->alter == NULL || connector->catalog == NULL ||
        (connector->alter->languages & (1u << ALTER_SQL)) == 0) {
        error_set(error, ERROR_NOT_IMPLEMENTED, uri->shown,
                  "what its tables hold is not asked of %s for a review", connector->title);
        return error_hint(error, "leave --database out");
    }
    known->language = connector->alter->sql;
    const struct cli_value *timeout = &call->values[CLI_TIMEOUT];
    const struct open_options options = {.mode = OPEN_SOURCE,
                                         .uri = uri,
                                         .memory_bytes = defaults.limits.memory_bytes,
                                         .timeout_ms = timeout->is_set ? timeout->number : 30000};
    if (connector->open(&options, &known->database, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return connector->catalog->describe(known->database, &known->schema, error) == STATUS_OK
               ? ask_facts(call, known, error)
               : STATUS_FAILED;
}

void schema_known_close(struct schema_known *known)
{
    if (known->database != NULL) {
        known->connector->close(known->database);
        known->database = NULL;
    }
    if (known->schema != NULL) {
        arena_destroy(known->schema->arena);
        known->schema = NULL;
    }
}
