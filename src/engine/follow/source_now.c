/* What the source's tables are at this moment. */
#include "engine/follow/source_now.h"

#include "base/log.h"
#include "engine/run/opening.h"
#include "engine/run/options.h"
#include "engine/run/schema_lines.h"

enum status source_now_describe(const struct run_session *session, struct schema **schema,
                                struct error *error)
{
    const struct connector *connector = session->source->connector;
    struct arena *arena = arena_create(0);
    struct database *source = NULL;
    const struct open_options open = {.mode = OPEN_SOURCE,
                                      .uri = session->source_uri,
                                      .memory_bytes = options_cache_bytes(&session->options),
                                      .timeout_ms = session->options.timeout_ms,
                                      .schemas = session->options.schemas,
                                      .recovers = session->options.recovers};
    *schema = NULL;
    enum status status = opening_open(connector, session->source_uri, &open, arena, &source, error);
    status = status == STATUS_OK ? connector->catalog->describe(source, schema, error) : status;
    if (source != NULL) {
        connector->close(source);
    }
    arena_destroy(arena);
    return status;
}

enum status source_now_is_same(const struct run_session *session, const char *const *tables,
                               uint32_t table_count, bool *same, struct error *error)
{
    struct schema *schema = NULL;
    struct buffer now = {0};
    struct buffer differing = {0};
    *same = false;
    if (source_now_describe(session, &schema, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    schema_lines_append(schema, !session->plan->plain, &now);
    for (uint32_t i = 0; i < table_count; i++) {
        schema_lines_append_columns(buffer_string(&now), session->schema_text, tables[i],
                                    &differing);
        schema_lines_append_columns(session->schema_text, buffer_string(&now), tables[i],
                                    &differing);
    }
    *same = differing.length == 0;
    if (!*same) {
        log_write(LOG_INFO, "the source's tables have changed: %s", buffer_string(&differing));
    }
    buffer_free(&now);
    buffer_free(&differing);
    arena_destroy(schema->arena);
    return STATUS_OK;
}
