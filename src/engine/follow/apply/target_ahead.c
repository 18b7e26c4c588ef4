/* A target that is ahead of the feed. */
#include "engine/follow/apply/target_ahead.h"

#include "base/log.h"
#include "engine/follow/cutover/reverse.h"
#include "engine/follow/translate/whole.h"
#include "engine/ledger/format.h"
#include "engine/ledger/ledger_positions.h"
#include <jansson.h>
#include <stdio.h>

static const char intent_name[] = "ahead";

/* One attempt read all of it at the feed's beginning. */
static bool is_of_one_moment(const struct run *run)
{
    const struct database *source = run->session->source;
    return json_array_size(run->status.attempts) == 1 && !run->status.mixed_snapshot &&
           (source->moment != NULL || source->moment_position != NULL);
}

enum status ahead_note(struct run *run, struct error *error)
{
    return is_of_one_moment(run) ? STATUS_OK : ahead_begin(run, error);
}

enum status ahead_begin(struct run *run, struct error *error)
{
    char text[32];
    snprintf(text, sizeof text, "{\"format\":%d}", CONTROL_FORMAT);
    /* nobody writes while a way back begins */
    return !reverse_is(run) && whole_note_all(run, error) != STATUS_OK
               ? STATUS_FAILED
               : ledger_put_intent(run->session->ledger, run->id, intent_name, text, error);
}

enum status ahead_open(struct run *run, struct arena *arena, struct ahead *ahead,
                       struct error *error)
{
    const char *text;
    *ahead = (struct ahead){.run = run};
    ahead->entities = arena_allocate_zeroed(arena, run->session->plan->entity_count + (size_t)1,
                                            sizeof *ahead->entities);
    enum status status =
        ledger_get_intent(run->session->ledger, run->id, intent_name, arena, &text, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : status;
    }
    ahead->is_so = true;
    return STATUS_OK;
}

enum status ahead_look(struct ahead *ahead, struct arena *arena, struct error *error)
{
    struct database *source = ahead->run->session->source;
    return ahead->is_so && ahead->until.length == 0
               ? source->connector->feed->head(source, arena, &ahead->until, error)
               : STATUS_OK;
}

enum status ahead_take(struct ahead *ahead, const struct change_set *set,
                       const struct apply_refusal *refusal, struct error *error)
{
    const struct plan *plan = ahead->run->session->plan;
    uint32_t entity = set->changes[refusal->change].table;
    bool of_others =
        refusal->code == ERROR_REJECT_CONSTRAINT || refusal->code == ERROR_REJECT_KEY_DUPLICATE;
    if (!ahead->is_so || !of_others) {
        return STATUS_END;
    }
    if (ahead->entities[entity]) {
        return STATUS_OK;
    }
    const char *table = plan->streams[plan->entities[entity].stream].request.table;
    log_write(LOG_INFO, "%s is read again once the copy is behind, since a record was refused: %s",
              table, refusal->reason);
    ahead->entities[entity] = true;
    return whole_or_refresh_note(ahead->run, &table, 1, error);
}

enum status ahead_pass(struct ahead *ahead, struct position applied, bool *ended,
                       struct error *error)
{
    const struct run_session *session = ahead->run->session;
    *ended = ahead->is_so && ahead->until.length > 0 &&
             session->source->connector->feed->covers(applied, ahead->until);
    if (!*ended) {
        return STATUS_OK;
    }
    ahead->is_so = false;
    return ledger_delete_intent(session->ledger, ahead->run->id, intent_name, error);
}
