/* All that can be known of a cut-over before anybody is kept out. */
#include "engine/follow/cutover/cutover_ask.h"
#include "engine/session/other_tables.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/file.h"
#include "base/log.h"
#include "engine/follow/adopt.h"
#include "engine/follow/apply/quiet.h"
#include "engine/follow/cutover/reverse.h"
#include "engine/follow/follow.h"
#include "engine/follow/unfollowed.h"
#include "engine/ledger/json_text.h"
#include "engine/rejects/reject_book.h"
#include <inttypes.h>
#include <string.h>
#include <strings.h>

enum {
    LAG_LOOKS = 20, /* at what a follower tells of itself, which it does every second */
    LAG_LOOK_MS = 250,
    STATE_BYTES_MAX = 64 << 20
};

static enum status refuse_fence(const struct run_session *session, struct error *error)
{
    error_set(error, ERROR_CUT_OVER, session->source_uri->shown,
              "%s can't be kept from being written by this program",
              session->source->connector->title);
    return error_hint(error, "name commands that do it: --fence COMMAND --unfence COMMAND");
}

static enum status ask_fence(struct run_session *session, struct run *run, struct lack_list *lacks,
                             struct error *error)
{
    const struct feed_functions *feed = session->source->connector->feed;
    struct follow_routes *routes;
    if (session->options.cut_over.fence_command != NULL) {
        return STATUS_OK;
    }
    if (feed->fence == NULL) {
        return lacks_take(lacks, refuse_fence(session, error), error);
    }
    if (feed->may_fence == NULL) {
        return STATUS_OK;
    }
    /* before a run what can't be followed is said by who asks that */
    if (follow_routes_foresee(session, run != NULL ? lacks : NULL, &routes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status =
        feed->may_fence(session->source, "", routes->tables, routes->table_count, lacks, error);
    follow_routes_free(routes);
    return status;
}

/* Does the source still keep the feed, as it was made? Who follows it may have it open. */
static enum status ask_feed(struct run_session *session, struct run *run, struct lack_list *lacks,
                            struct error *error)
{
    const struct feed_functions *feed = session->source->connector->feed;
    struct feed_health health;
    (void)lacks;
    return feed->look != NULL ? feed->look(session->source, run->header.feed, &health, error)
                              : STATUS_OK;
}

static enum status ask_target(struct run_session *session, struct run *run, struct lack_list *lacks,
                              struct error *error)
{
    const struct plan *plan = session->plan;
    const struct apply_functions *apply = session->target->connector->apply;
    (void)run;
    struct target_table *tables =
        arena_allocate_zeroed(session->arena, plan->table_count + (size_t)1, sizeof *tables);
    for (uint32_t i = 0; i < plan->table_count; i++) {
        tables[i] = plan->tables[i].target;
    }
    if (lacks_take(lacks, quiet_foresee(session, lacks, NULL, error), error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return apply->may_write != NULL
               ? apply->may_write(session->target, tables, plan->table_count, lacks, error)
               : STATUS_OK;
}

static enum status ask_way_back(struct run_session *session, struct run *run,
                                struct lack_list *lacks, struct error *error)
{
    return session->options.cut_over.reverse ? reverse_ask(session, run, lacks, error) : STATUS_OK;
}

/* ---- is the source what it was */

/* Is what is made of the table left, because of this? A change of another kind is taken over. */
static const char *why_left(const struct run *run, const struct table_change *table)
{
    const char *why =
        table->difference == TABLE_REKEYED ? "its primary key has other columns"
        : table->difference == TABLE_REPLACED &&
                !column_list_is_equal(table->kept->primary_key, table->now->primary_key)
            ? "it was made again, with another primary key"
            : NULL;
    for (uint32_t i = 0; i < table->column_count && why == NULL && table->kept != NULL; i++) {
        const struct column_change *column = &table->columns[i];
        bool of_key = column_list_holds(table->kept->primary_key, column->name);
        bool rewritten = column->difference == COLUMN_REWRITTEN ||
                         column->difference == COLUMN_RETYPED ||
                         column->difference == COLUMN_REPLACED;
        why = column->difference == COLUMN_GONE && run->following.mapping_changed
                  ? arena_format(run->arena, "its column %s is gone", column->name)
              : rewritten && of_key
                  ? arena_format(run->arena, "the column %s of its key was rewritten", column->name)
                  : NULL;
    }
    return why;
}

static bool is_left(const struct run *run, const struct plan_stream *stream)
{
    bool left = false;
    for (uint32_t i = 0; i < run->following.left_count && !left; i++) {
        left = strcmp(run->following.left[i].name, stream->name) == 0;
    }
    return left;
}

/* Does a stream read it that is not left yet? */
static bool is_followed(const struct run *run, const char *table)
{
    const struct plan *plan = run->session->plan;
    bool followed = false;
    for (uint32_t i = 0; i < plan->stream_count && !followed; i++) {
        followed =
            !is_left(run, &plan->streams[i]) && other_tables_stream_reads(&plan->streams[i], table);
    }
    return followed;
}

static void add_left(const char *table, const char *why, struct lack_list *lacks,
                     struct error *error)
{
    error_set(error, ERROR_CUT_OVER, table,
              "the source's schema has changed, and what is made of it would not be followed: %s",
              why);
    error_hint(error, "`transhume follow --resync` takes it as it is now");
    lacks_add(lacks, error);
    error_clear(error);
}

/* Asks for changes of the source's schema that `follow` has not taken over yet. A column that is
 * new or holds more the cut-over takes over itself, before anybody is stopped. */
static enum status ask_schema(struct run_session *session, struct run *run, struct lack_list *lacks,
                              struct error *error)
{
    struct column_list gone;
    const struct schema_changes *changes = run->following.changes;
    for (uint32_t i = 0; changes != NULL && i < changes->table_count; i++) {
        const char *why = why_left(run, &changes->tables[i]);
        if (why != NULL && is_followed(run, changes->tables[i].name)) {
            add_left(changes->tables[i].name, why, lacks, error);
        }
    }
    enum status status = adopt_list_gone(run, &gone, error);
    (void)session;
    for (uint32_t i = 0; status == STATUS_OK && i < gone.count; i++) {
        if (is_followed(run, gone.names[i])) {
            add_left(gone.names[i], "it was dropped or renamed", lacks, error);
        }
    }
    return status;
}

/* ---- is the target what it was */

/* Do changes still come for it, of a table that the source has? */
static bool is_written(const struct run *run, const struct plan_table *table)
{
    const struct run_session *session = run->session;
    const struct plan *plan = session->plan;
    bool written = false;
    for (uint32_t i = 0; i < table->entity_count && !written; i++) {
        const struct plan_stream *stream =
            &plan->streams[plan->entities[table->entities[i]].stream];
        const char *read = stream->request.table;
        written =
            !is_left(run, stream) && (read == NULL || !column_list_holds(session->kept.gone, read));
    }
    return written;
}

static bool has_column(const struct schema_table *table, const char *name)
{
    bool found = false;
    for (uint32_t i = 0; i < table->column_count && !found; i++) {
        found = strcasecmp(table->columns[i].name, name) == 0;
    }
    return found;
}

static void compare_columns(const struct target_table *table, const struct schema_table *there,
                            struct lack_list *lacks, struct error *error)
{
    for (uint32_t i = 0; there != NULL && i < table->column_count; i++) {
        const char *name = table->columns[i].name;
        if (!has_column(there, name)) {
            error_set(error, ERROR_CUT_OVER, table->name,
                      "the target's table has no column %s any more", name);
            error_hint(error, "give it back to the table, then `transhume follow`");
            lacks_add(lacks, error);
            error_clear(error);
        }
    }
}

/* Changes that `follow` has yet to bring into the target are no matter: while tables of the source
 * are defined in another way, the target's columns are not compared. */
static enum status ask_columns(struct run_session *session, struct run *run,
                               struct lack_list *lacks, struct error *error)
{
    const struct plan *plan = session->plan;
    const struct database *target = session->target;
    struct database *reading = NULL;
    struct schema *schema = NULL;
    bool changed = false;
    for (uint32_t i = 0; run->following.changes != NULL && i < run->following.changes->table_count;
         i++) {
        changed = changed || table_change_is_of_records(&run->following.changes->tables[i]);
    }
    if (changed || (target->capabilities & CAPABILITY_SQL_SCHEMA) == 0 ||
        (target->capabilities & CAPABILITY_FREE_FIELDS) != 0 ||
        target->connector->apply->keeps_log) {
        return STATUS_OK;
    }
    const char **names = arena_allocate_zeroed(run->arena, plan->table_count + 1u, sizeof *names);
    for (uint32_t i = 0; i < plan->table_count; i++) {
        names[i] = plan->tables[i].target.name;
    }
    enum status status = session_describe_target(session, names, &reading, &schema, error);
    for (uint32_t i = 0; i < plan->table_count && status == STATUS_OK; i++) {
        bool written = is_written(run, &plan->tables[i]);
        if (written && schema_find_table(schema, names[i]) == NULL &&
            session_target_table(session, schema, names[i]) == NULL) {
            error_set(error, ERROR_CUT_OVER, names[i],
                      "the target has no table of this name any "
                      "more");
            error_hint(error, "a new run (`transhume reset --confirm`) makes it again");
            lacks_add(lacks, error);
            error_clear(error);
        } else if (written) {
            compare_columns(&plan->tables[i].target,
                            session_target_table(session, schema, names[i]), lacks, error);
        }
    }
    if (reading != NULL) {
        reading->connector->close(reading);
    }
    if (schema != NULL) {
        arena_destroy(schema->arena);
    }
    return status;
}

/* ---- what may change until the target has caught up */

enum status cutover_refuse_lag(const struct run *run, int tries, struct error *error)
{
    error_set(error, ERROR_CUT_OVER, run->header.feed,
              "the target is still more than %" PRId64 " ms behind after %d attempts",
              run->session->options.cut_over.max_lag_ms, tries);
    return error_hint(error, "wait for a quieter time, or allow more with --max-lag");
}

/* The process that follows says in state.json how far it is behind; where none does, nobody is. */
static bool is_behind(const struct run_session *session)
{
    json_t *state = json_from_file(session->state_path, "state.json", STATE_BYTES_MAX);
    const json_t *follow = json_object_get(state, "follow");
    const json_t *lag = json_object_get(follow, "lag_seconds");
    bool behind = json_is_false(json_object_get(follow, "idle")) && json_is_number(lag) &&
                  json_number_value(lag) * 1e3 > (double)session->options.cut_over.max_lag_ms;
    json_decref(state);
    return behind;
}

/* The cut-over itself answers it by its gate. Where nobody follows it applies what there is before
 * anybody is stopped, however long that takes. */
static enum status ask_lag(struct run_session *session, struct run *run, struct lack_list *lacks,
                           struct error *error)
{
    if (run->claim.held || !file_is_locked(file_join(run->arena, session->state_path, "lock"))) {
        return STATUS_OK;
    }
    for (int i = 0; i < LAG_LOOKS; i++) {
        if (!is_behind(session)) {
            return STATUS_OK;
        }
        clock_sleep_ms(LAG_LOOK_MS);
    }
    return lacks_take(lacks, cutover_refuse_lag(run, LAG_LOOKS, error), error);
}

static enum status ask_rejects(struct run_session *session, struct run *run,
                               struct lack_list *lacks, struct error *error)
{
    struct reject_book_sum sum;
    struct buffer text = {0};
    if (reject_book_ask(run, run->arena, &sum, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (sum.unsettled > 0 && !session->options.cut_over.leaves_rejects) {
        reject_book_describe(&sum, &text);
        error_set(error, ERROR_CUT_OVER, run->header.feed, "%s", buffer_string(&text));
        error_hint(error, "rejects/ in the state folder has them with the reasons; `transhume "
                          "follow --resync` tries them again, --no-validate does without them");
        lacks_add(lacks, error);
        error_clear(error);
        buffer_free(&text);
    }
    return STATUS_OK;
}

static enum status ask_left(struct run_session *session, struct run *run, struct lack_list *lacks,
                            struct error *error)
{
    (void)session;
    for (uint32_t i = 0; i < run->following.left_count; i++) {
        error_set(error, ERROR_CUT_OVER, run->following.left[i].name,
                  "is not followed any more: %s", run->following.left[i].reason);
        error_hint(error, "once what the line says is mended, `transhume follow --resync` puts the "
                          "target right");
        lacks_add(lacks, error);
        error_clear(error);
    }
    return STATUS_OK;
}

/* Tables that the source has only since the run began, and of which its plan can make nothing. */
static enum status ask_new(struct run_session *session, struct run *run, struct lack_list *lacks,
                           struct error *error)
{
    (void)run;
    for (uint32_t i = 0;
         i < session->kept.unfollowed.count && !session->options.cut_over.leaves_rejects; i++) {
        error_set(error, ERROR_CUT_OVER, session->kept.unfollowed.names[i],
                  "is new in the source, and not followed: %s", session->kept.unfollowed_because);
        error_hint(error, "mend that, and `transhume follow`; --no-validate does without it");
        lacks_add(lacks, error);
        error_clear(error);
    }
    return STATUS_OK;
}

/* ---- all of them */

static const struct {
    enum cutover_moment moment;
    bool of_run; /* there has to be one */
    enum status (*ask)(struct run_session *session, struct run *run, struct lack_list *lacks,
                       struct error *error);
} questions[] = {
    {CUTOVER_ASKED_FIRST, false, ask_fence},      {CUTOVER_ASKED_FIRST, true, ask_feed},
    {CUTOVER_ASKED_FIRST, false, ask_target},     {CUTOVER_ASKED_FIRST, true, ask_columns},
    {CUTOVER_ASKED_FIRST, false, ask_way_back},   {CUTOVER_ASKED_FIRST, true, ask_schema},
    {CUTOVER_ASKED_FIRST, false, ask_new},        {CUTOVER_ASKED_CAUGHT_UP, true, ask_lag},
    {CUTOVER_ASKED_CAUGHT_UP, true, ask_rejects}, {CUTOVER_ASKED_CAUGHT_UP, true, ask_left},
};

enum status cutover_ask(struct run_session *session, struct run *run, unsigned moments,
                        struct lack_list *lacks, struct error *error)
{
    enum status status = failpoint_hit("cutover.before_ask", error);
    for (size_t i = 0; i < sizeof questions / sizeof questions[0] && status == STATUS_OK; i++) {
        if ((questions[i].moment & moments) != 0 && (run != NULL || !questions[i].of_run)) {
            status = lacks_take(lacks, questions[i].ask(session, run, lacks, error), error);
        }
    }
    return status;
}

enum status cutover_refuse(const struct lack_list *lacks, const char *object, struct error *error)
{
    if (lacks->count == 0) {
        return STATUS_OK;
    }
    for (uint32_t i = 1; i < lacks->count; i++) {
        const char *remedy = lacks->items[i].remedy;
        log_write(LOG_ERROR, "%s%s%s", lacks->items[i].text, remedy != NULL ? "; " : "",
                  remedy != NULL ? remedy : "");
    }
    error_set(error, ERROR_CUT_OVER, object, "%s", lacks->items[0].text);
    return lacks->items[0].remedy != NULL ? error_hint(error, "%s", lacks->items[0].remedy)
                                          : STATUS_FAILED;
}
