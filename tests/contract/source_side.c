/* Opening the database that a fixture has written as a source. */
#include "source_side.h"

const struct read_column source_both_columns[2] = {{-1, "id", false}, {-1, "value", false}};

void source_open(const struct fixture *fixture, struct source_side *side)
{
    struct error error = {0};
    struct uri *uri;
    const char *token;
    *side = (struct source_side){.arena = arena_create(0)};
    check_ok(registry_resolve(fixture->uri_text, side->arena, &uri, &side->connector, &error),
             &error, "resolve");
    struct open_options options = {
        .mode = OPEN_SOURCE, .uri = uri, .memory_bytes = 8 << 20, .timeout_ms = 5000};
    check_ok(side->connector->open(&options, &side->database, &error), &error, "open as source");
    check_ok(side->connector->source->snapshot(side->database, 1, side->arena, &token, &error),
             &error, "snapshot");
    check_ok(side->connector->source->reader_open(side->database, &side->reader, &error), &error,
             "reader_open");
    side->request = (struct read_request){.name = "things", .table = "things"};
    if (side->connector->capabilities & CAPABILITY_SQL_SCHEMA) {
        side->request.columns = source_both_columns;
        side->request.column_count = 2;
    }
}

void source_close(struct source_side *side)
{
    side->connector->source->reader_close(side->reader);
    side->connector->close(side->database);
    arena_destroy(side->arena);
}

const char *source_query(const struct fixture *fixture, struct arena *arena)
{
    const char *query = fixture->entry->query;
    const char *mark = strstr(query, "SCHEMA.");
    const char *schema = strstr(fixture->uri_text, "schema=");
    return mark == NULL ? query
                        : arena_format(arena, "%.*s%s%s", (int)(mark - query), query,
                                       schema + strlen("schema="), mark + strlen("SCHEMA"));
}
