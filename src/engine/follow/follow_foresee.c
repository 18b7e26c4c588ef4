/* Asks the plan, both sides and the feed, before anything is made. */
#include "engine/follow/follow_foresee.h"

#include "engine/follow/apply/quiet.h"
#include "engine/follow/follow.h"
#include "engine/follow/translate/routes.h"
#include <string.h>

/* Every table goes over as it is, under its own name. */
static bool is_plain(const struct plan *plan)
{
    bool plain = true;
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        const struct plan_stream *stream = &plan->streams[plan->entities[i].stream];
        const char *table = plan->tables[plan->entities[i].table].target.name;
        plain = plain && stream->identity && stream->request.table != NULL &&
                strcmp(stream->request.table, table) == 0;
    }
    return plain;
}

static enum status ask_feed(const struct run_session *session, const struct follow_routes *routes,
                            struct lack_list *lacks, struct check_follow *found,
                            struct error *error)
{
    struct database *source = session->source;
    struct feed_forecast forecast = {0};
    struct arena *arena = lacks->arena;
    const struct feed_functions *feed = source->connector->feed;
    if (feed->foresee == NULL) {
        return STATUS_OK;
    }
    enum status status =
        feed->foresee(source, follow_feed_name(session, arena), routes->followed,
                      routes->table_count, session->target, arena, &forecast, error);
    for (uint32_t i = 0; i < forecast.lacks.count; i++) {
        lacks_add_lack(lacks, &forecast.lacks.items[i]);
    }
    found->statements = (struct check_list){forecast.statements, forecast.statement_count};
    found->costs = (struct check_list){forecast.costs, forecast.cost_count};
    if (is_plain(session->plan)) {
        found->native = (struct check_list){forecast.native, forecast.native_count};
        found->native_lacks =
            (struct check_list){forecast.native_lacks, forecast.native_lack_count};
    }
    return status;
}

static const char *words_of(const struct follow_stream *stream, struct arena *arena)
{
    struct buffer text = {0};
    buffer_format(&text, "%s: ", stream->stream->name);
    if (stream->whole) {
        buffer_append_string(&text,
                             "by whole rows: of the target's records that equal the row as it "
                             "was one is updated or deleted, each time all of the table is "
                             "searched");
    } else {
        buffer_append_string(&text, "by its unique key (");
        for (uint32_t i = 0; i < stream->root_key.count; i++) {
            buffer_format(&text, "%s%s", i > 0 ? ", " : "", stream->root_key.names[i]);
        }
        buffer_append_byte(&text, ')');
    }
    const char *words = arena_copy_string(arena, buffer_string(&text));
    buffer_free(&text);
    return words;
}

static void tell_keyless(const struct run_session *session, const struct follow_routes *routes,
                         struct arena *arena, struct check_follow *found)
{
    const char **lines =
        arena_allocate_zeroed(arena, routes->stream_count + (size_t)1, sizeof *lines);
    uint32_t count = 0;
    for (uint32_t i = 0; i < routes->stream_count; i++) {
        const struct follow_stream *stream = &routes->streams[i];
        const char *name = stream->stream->request.table; /* NULL: a query */
        const struct schema_table *table =
            name != NULL ? schema_find_table(session->schema, name) : NULL;
        if (table != NULL && table->primary_key.count == 0) {
            lines[count++] = words_of(stream, arena);
        }
    }
    found->keyless = (struct check_list){lines, count};
}

/* The triggers and the like that are taken out of the target's tables while changes are applied. */
static enum status ask_target(const struct run_session *session, struct lack_list *lacks,
                              struct check_follow *found, struct error *error)
{
    struct arena *arena = lacks->arena;
    struct buffer lines = {0};
    enum status status = lacks_take(lacks, quiet_foresee(session, lacks, &lines, error), error);
    uint32_t count = 0;
    for (size_t i = 0; i < lines.length; i++) {
        count += lines.data[i] == '\n';
    }
    const char **texts = arena_allocate_zeroed(arena, count + (size_t)1, sizeof *texts);
    const char *at = arena_copy(arena, buffer_string(&lines), lines.length);
    for (uint32_t i = 0; i < count; i++) {
        size_t length = (size_t)(strchr(at, '\n') - at);
        texts[i] = arena_format(arena, "%.*s", (int)length, at);
        at += length + 1;
    }
    found->silenced = (struct check_list){texts, count};
    buffer_free(&lines);
    return status;
}

/* The source's server itself tells of a table without a key, with the statement that helps. */
static bool is_told(const struct run_session *session, const struct lack *lack,
                    const struct lack_list *lacks, uint32_t from)
{
    const struct schema_table *table = schema_find_table(session->schema, lack->object);
    bool told = false;
    for (uint32_t i = from; i < lacks->count && table != NULL && !told; i++) {
        told = table->primary_key.count == 0 && strcmp(lacks->items[i].object, table->name) == 0;
    }
    return told;
}

enum status follow_foresee(const struct run_session *session, struct lack_list *lacks,
                           struct check_follow *found, struct error *error)
{
    struct follow_routes *routes = NULL;
    struct lack_list of_plan = {.arena = lacks->arena};
    *found = (struct check_follow){.asked = true};
    enum status status = lacks_take(lacks, follow_check(session, lacks, error), error);
    uint32_t before = lacks->count;
    if (status != STATUS_OK || session->source->connector->feed == NULL ||
        session->target->connector->apply == NULL) {
        return status;
    }
    if (follow_routes_foresee(session, &of_plan, &routes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    tell_keyless(session, routes, lacks->arena, found);
    status = ask_feed(session, routes, lacks, found, error);
    /* The plan's lacks come behind the feed's, which begin at `before`. */
    for (uint32_t i = 0; i < of_plan.count; i++) {
        if (!is_told(session, &of_plan.items[i], lacks, before)) {
            lacks_add_lack(lacks, &of_plan.items[i]);
        }
    }
    follow_routes_free(routes);
    return status == STATUS_OK ? ask_target(session, lacks, found, error) : status;
}
