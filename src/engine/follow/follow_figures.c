/* Counting, rates, and the state's "follow". */
#include "engine/follow/follow_figures.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "engine/ledger/json_text.h"
#include "engine/rejects/reject_book.h"
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 1000, SAMPLES = 11, POSITION_SHOWN_BYTES = 24, CLOCK_FAR_US = 60 * 1000 * 1000 };

struct sample {
    int64_t at_ms;
    uint64_t changes;
    uint64_t transactions;
};

struct follow_figures {
    struct run *run;
    const struct follow_translator *translator;
    uint64_t (*pending)[PROGRESS_OPERATIONS]; /* an entity each */
    bool any;
    struct sample samples[SAMPLES]; /* a ring */
    uint32_t count;
    int64_t ticked_ms;
    bool clock_told;
};

struct follow_figures *follow_figures_create(struct run *run,
                                             const struct follow_translator *translator)
{
    struct follow_figures *figures = memory_allocate_zeroed(1, sizeof *figures);
    figures->run = run;
    figures->translator = translator;
    figures->pending = memory_allocate_zeroed(run->session->plan->entity_count + (size_t)1,
                                              sizeof *figures->pending);
    return figures;
}

void follow_figures_destroy(struct follow_figures *figures)
{
    if (figures != NULL) {
        free(figures->pending);
        free(figures);
    }
}

/* ---- counting */

static void count_table(struct follow_figures *figures, const char *table,
                        const uint64_t counts[PROGRESS_OPERATIONS])
{
    const struct plan *plan = figures->run->session->plan;
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        const char *from = plan->streams[plan->entities[i].stream].request.table;
        bool is_left =
            follow_translator_left(figures->translator, plan->entities[i].stream) != NULL;
        for (int o = 0;
             !is_left && from != NULL && strcmp(from, table) == 0 && o < PROGRESS_OPERATIONS; o++) {
            figures->pending[i][o] += counts[o];
        }
    }
}

void follow_figures_take(struct follow_figures *figures, const struct change_set *set)
{
    for (uint32_t at = 0; at < set->change_count;) {
        uint32_t table = set->changes[at].table;
        uint64_t counts[PROGRESS_OPERATIONS] = {0};
        for (; at < set->change_count && set->changes[at].table == table; at++) {
            if ((int)set->changes[at].operation < PROGRESS_OPERATIONS) {
                counts[set->changes[at].operation]++;
            }
        }
        count_table(figures, set->tables[table].name, counts);
        figures->any = true;
    }
}

void follow_figures_applied(struct follow_figures *figures)
{
    struct run_session *session = figures->run->session;
    for (uint32_t i = 0; figures->any && i < session->plan->entity_count; i++) {
        for (int o = 0; o < PROGRESS_OPERATIONS; o++) {
            atomic_fetch_add(&session->progress.entities[i].operations[o], figures->pending[i][o]);
        }
    }
    follow_figures_forget(figures);
}

void follow_figures_forget(struct follow_figures *figures)
{
    if (figures->any) {
        memset(figures->pending, 0,
               figures->run->session->plan->entity_count * sizeof *figures->pending);
        figures->any = false;
    }
}

/* ---- once a second */

static uint64_t per_second(uint64_t now, uint64_t before, int64_t milliseconds)
{
    return milliseconds <= 0 ? 0 : (now - before) * 1000 / (uint64_t)milliseconds;
}

static void follow_figures_measure(struct follow_figures *figures, int64_t now_ms)
{
    struct progress_follow *to = &figures->run->session->progress.follow;
    struct sample now = {now_ms, atomic_load(&to->changes), atomic_load(&to->transactions)};
    const struct sample *oldest =
        &figures->samples[figures->count < SAMPLES ? 0 : figures->count % SAMPLES];
    if (figures->count > 0) {
        int64_t took_ms = now_ms - oldest->at_ms;
        atomic_store(&to->changes_per_second, per_second(now.changes, oldest->changes, took_ms));
        atomic_store(&to->transactions_per_second,
                     per_second(now.transactions, oldest->transactions, took_ms));
    }
    figures->samples[figures->count++ % SAMPLES] = now;
}

static void print_position(const struct feed_functions *feed, struct position position,
                           struct buffer *out)
{
    if (feed->print != NULL) {
        feed->print(position, out);
        return;
    }
    for (uint32_t i = 0; i < position.length && i < POSITION_SHOWN_BYTES; i++) {
        buffer_format(out, "%02x", position.bytes[i]);
    }
}

void follow_figures_tick(struct follow_figures *figures, struct position position)
{
    struct run *run = figures->run;
    struct buffer text = {0};
    int64_t now_ms = clock_monotonic_ms();
    if (figures->count > 0 && now_ms - figures->ticked_ms < TICK_MS) {
        return;
    }
    figures->ticked_ms = now_ms;
    follow_figures_measure(figures, now_ms);
    print_position(run->session->source->connector->feed, position, &text);
    pthread_mutex_lock(&run->state_mutex);
    snprintf(run->record.feed_position, sizeof run->record.feed_position, "%s",
             buffer_string(&text));
    pthread_mutex_unlock(&run->state_mutex);
    buffer_free(&text);
}

void follow_figures_clock(struct follow_figures *figures, int64_t ahead_us)
{
    char text[32];
    int64_t far_us = ahead_us < 0 ? -ahead_us : ahead_us;
    atomic_store(&figures->run->session->progress.follow.clock_us, ahead_us);
    if (figures->clock_told || far_us < CLOCK_FAR_US) {
        return;
    }
    figures->clock_told = true;
    text_human_seconds((double)far_us / 1e6, text, sizeof text);
    log_write(
        LOG_WARNING,
        "the source's clock is %s %s this machine's; lags are corrected by that, times in the "
        "data are not: set both clocks by NTP",
        text, ahead_us > 0 ? "ahead of" : "behind");
}

/* ---- state.json */

static json_t *count_or_null(int64_t count)
{
    return count < 0 ? json_null() : json_integer((json_int_t)count);
}

static json_t *stamp_or_null(int64_t utc_us)
{
    return utc_us == 0 ? json_null() : json_stamp(utc_us);
}

static json_t *operations_make(const struct run *run)
{
    static const char *const names[PROGRESS_OPERATIONS] = {"inserts", "updates", "deletes",
                                                           "truncates"};
    json_t *entities = json_object();
    for (uint32_t i = 0; i < run->session->plan->entity_count; i++) {
        const struct progress_entity *entity = &run->session->progress.entities[i];
        json_t *object = json_object();
        for (int o = 0; o < PROGRESS_OPERATIONS; o++) {
            json_object_set_new(object, names[o],
                                json_integer((json_int_t)atomic_load(&entity->operations[o])));
        }
        json_t *name = json_text(run->session->plan->entities[i].name);
        json_object_set_new(entities, json_string_value(name), object);
        json_decref(name);
    }
    return entities;
}

static void add_counts(const struct progress_follow *figures, json_t *object)
{
    const struct {
        const char *name;
        const _Atomic uint64_t *count;
    } counts[] = {{"transactions", &figures->transactions},
                  {"changes", &figures->changes},
                  {"writes", &figures->writes},
                  {"commits", &figures->commits},
                  {"transactions_per_second", &figures->transactions_per_second},
                  {"changes_per_second", &figures->changes_per_second}};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        json_object_set_new(object, counts[i].name,
                            json_integer((json_int_t)atomic_load(counts[i].count)));
    }
}

static json_t *left_make(const struct run *run)
{
    json_t *left = json_object();
    for (uint32_t i = 0; i < run->following.left_count; i++) {
        json_object_set_new(left, run->following.left[i].name,
                            json_text(run->following.left[i].reason));
    }
    return left;
}

json_t *follow_figures_state(const struct run *run)
{
    const struct progress_follow *figures = &run->session->progress.follow;
    bool active = atomic_load(&figures->active);
    bool watched = atomic_load(&figures->watched);
    const char *step = atomic_load(&figures->cut_over);
    if (!active && !watched) {
        return NULL;
    }
    json_t *object = json_object();
    int64_t lag_us = active ? atomic_load(&figures->lag_us) : -1;
    json_object_set_new(object, "feed", json_string(run->header.feed));
    json_object_set_new(object, "position",
                        run->record.feed_position[0] != '\0' ? json_text(run->record.feed_position)
                                                             : json_null());
    add_counts(figures, object);
    json_object_set_new(object, "rejected", json_integer((json_int_t)reject_book_unsettled(run)));
    uint32_t lanes = run->session->options.follow.lanes;
    json_object_set_new(object, "lanes", json_integer(lanes > 1 ? lanes : 1));
    json_object_set_new(object, "lag_seconds",
                        lag_us < 0 ? json_null() : json_real((double)lag_us / 1e6));
    json_object_set_new(object, "lag_bytes",
                        count_or_null(watched ? atomic_load(&figures->lag_bytes) : -1));
    json_object_set_new(object, "source_commit_at",
                        stamp_or_null(atomic_load(&figures->commit_time_us)));
    json_object_set_new(object, "applied_at", stamp_or_null(atomic_load(&figures->applied_at_us)));
    json_object_set_new(object, "source_bytes_kept",
                        count_or_null(watched ? atomic_load(&figures->bytes_kept) : -1));
    json_object_set_new(object, "source_bytes_left",
                        count_or_null(watched ? atomic_load(&figures->bytes_left) : -1));
    json_object_set_new(object, "cut_over", step != NULL ? json_string(step) : json_null());
    json_object_set_new(object, "idle", json_boolean(atomic_load(&figures->idle)));
    json_object_set_new(object, "left", left_make(run));
    json_object_set_new(object, "operations", operations_make(run));
    return object;
}
