/* The session: its opening, the lock, the claim, the history. */
#include "evolve/run/session.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/random.h"
#include "base/signals.h"
#include "base/text.h"
#include "connectors/common/lease.h"
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

enum { POLL_MS = 100, POLL_JITTER_MS = 50, TELL_AGAIN_MS = 10000 };

void work_init(struct schema_work *work, const struct schema_options *options)
{
    *work = (struct schema_work){.options = options,
                                 .alter = options->database->connector->alter,
                                 .arena = arena_create(0),
                                 .act_arena = arena_create(0)};
    ledger_holder_self(options->database->lease_ms, &work->self);
    text_from_hash((uint64_t)clock_utc_us(), random_uint64(), work->run);
    const struct passwd *user = getpwuid(geteuid());
    snprintf(work->who, sizeof(work->who), "%s@%s pid %" PRId64,
             user != NULL ? user->pw_name : "unknown", work->self.host, work->self.pid);
}

void work_end(struct schema_work *work)
{
    work_close(work);
    arena_destroy(work->act_arena);
    arena_destroy(work->arena);
}

void work_tell(const struct schema_work *work, const struct schema_event *event)
{
    if (work->options->observe != NULL) {
        work->options->observe(work->options->context, event);
    }
}

enum status work_open(struct schema_work *work, bool only_looks, struct error *error)
{
    const struct alter_open open = {.program = work->options->session,
                                    .history_schema = work->options->history_schema,
                                    .only_looks = only_looks};
    work->relaxed = false;
    work->dirty = false;
    return work->alter->open(work->options->database, &open, &work->session, error);
}

void work_close(struct schema_work *work)
{
    if (work->session != NULL) {
        work->alter->close(work->session);
        work->session = NULL;
    }
}

void work_relax(struct schema_work *work, bool relaxed)
{
    if (work->alter->set_durable != NULL && work->relaxed != relaxed) {
        work->alter->set_durable(work->session, !relaxed);
        work->relaxed = relaxed;
    }
}

enum status work_settle(struct schema_work *work, struct error *error)
{
    if (!work->dirty || work->alter->settle_session == NULL) {
        return STATUS_OK;
    }
    work->dirty = false;
    return work->alter->settle_session(work->session, error);
}

enum status work_read(struct schema_work *work, struct error *error)
{
    work->history = (struct schema_history){.arena = work->arena};
    if (work->alter->history_read(work->session, schema_history_add, &work->history, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    if (work->options->set != NULL) {
        schema_history_match(&work->history, work->options->set);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- the lock */

static enum status give_up(const struct schema_work *work, const struct ledger_holder *holder,
                           int64_t waited_ms, struct error *error)
{
    char since[32];
    clock_format_utc(holder->since_us, since, sizeof(since));
    error_set(error, ERROR_RUN_HELD, NULL, "another one changes the schema: %s%s%s", holder->name,
              holder->since_us > 0 ? ", since " : "", holder->since_us > 0 ? since : "");
    return error_hint(error,
                      "Waited %" PRId64
                      " s for it (--lock-wait). Run the command again once it has "
                      "ended%s",
                      waited_ms / 1000,
                      work->alter->end_holder != NULL ? "; --steal-lock ends its session."
                      : holder->pid > 0               ? "; the lock goes with its process."
                                                      : "; the lock is a lease that runs out.");
}

/* There is no session of a server to be ended: the lock goes with a process, or runs out. */
static enum status refuse_stealing(const struct schema_work *work,
                                   const struct ledger_holder *holder, struct error *error)
{
    const char *title = work->options->database->connector->title;
    error_set(error, ERROR_RUN_HELD, NULL,
              "--steal-lock can't end a session of %s; %s has the lock", title, holder->name);
    return error_hint(error, work->options->database->lease_ms > 0
                                 ? "the lock is a lease: it runs out by itself once its holder is "
                                   "gone; without --steal-lock the command waits for it"
                                 : "the lock goes with its process: end that one, or wait for it "
                                   "without --steal-lock");
}

/* Polls: who waits inside the server would keep others waiting, too. */
static enum status take_lock(struct schema_work *work, struct error *error)
{
    struct ledger_holder holder = {0};
    int64_t begun = clock_monotonic_ms();
    int64_t told = INT64_MIN;
    bool stolen = false;
    for (;;) {
        enum status status = work->alter->lock(work->session, &work->self, &holder, error);
        if (status != STATUS_AGAIN) {
            return status;
        }
        int64_t now = clock_monotonic_ms();
        if (work->options->steals_lock && work->alter->end_holder == NULL) {
            return refuse_stealing(work, &holder, error);
        }
        if (work->options->steals_lock && !stolen) {
            stolen = true;
            if (work->alter->end_holder(work->session, error) != STATUS_OK) {
                return STATUS_FAILED;
            }
            continue;
        }
        if (now - begun >= work->options->lock_wait_ms) {
            return give_up(work, &holder, now - begun, error);
        }
        if (told == INT64_MIN || now - told >= TELL_AGAIN_MS) {
            const struct schema_event event = {
                .kind = SCHEMA_WAITS, .holder = &holder, .ms = now - begun};
            work_tell(work, &event);
            told = now;
        }
        if (signals_stop_level() > 0) {
            return error_set(error, ERROR_INTERRUPTED, NULL, "nothing was begun");
        }
        clock_sleep_ms(POLL_MS + (int64_t)(random_uint64() % POLL_JITTER_MS));
    }
}

enum status work_verify(struct schema_work *work, struct error *error)
{
    struct ledger_holder holder = {0};
    enum status status = work->alter->lock(work->session, &work->self, &holder, error);
    if (status == STATUS_AGAIN) {
        error_set(error, ERROR_RUN_FENCED, NULL, "the lock of the schema is lost; %s has it",
                  holder.name);
    }
    return status == STATUS_OK ? STATUS_OK : STATUS_FAILED;
}

enum status work_claim(struct schema_work *work, struct error *error)
{
    struct history_claim claim = {0};
    if (take_lock(work, error) != STATUS_OK ||
        failpoint_hit("evolve.after_lock", error) != STATUS_OK ||
        work->alter->history_make(work->session, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (;;) {
        if (work->alter->history_claim_read(work->session, work->arena, &claim, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        enum status status =
            work->alter->history_claim(work->session, claim.epoch, &work->self, error);
        if (status == STATUS_OK) {
            return failpoint_hit("evolve.after_claim", error);
        }
        if (status != STATUS_AGAIN) {
            return status;
        }
        if (work_verify(work, error) != STATUS_OK) { /* who claimed without it is gone by now */
            return STATUS_FAILED;
        }
    }
}

/* ---------------------------------------------------------------- rows */

struct history_row work_row(const struct schema_work *work, uint64_t number,
                            enum history_action action, enum history_state state,
                            const char *version, const char *name)
{
    return (struct history_row){.number = number,
                                .action = action,
                                .state = state,
                                .version = version,
                                .name = name,
                                .origin = "transhume",
                                .run = work->run,
                                .who = work->who,
                                .program = "transhume " TRANSHUME_VERSION};
}
