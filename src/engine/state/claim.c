/* Claims with locks, with leases, and the thread that renews a lease. */
#include "engine/state/claim.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/signals.h"
#include "connectors/common/lease.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { RENEWALS_A_LEASE = 3, LOOKS_A_LEASE = 8, LOOK_MS_MAX = 5000, WAIT_SLICE_MS = 50 };

/* ---- renewing */

struct claim_keeper {
    struct database *target;
    struct ledger *ledger;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int64_t begun_ns; /* monotonic: the process may be stopped before the thread runs */
    bool stopping;
    bool lost;
    struct error error; /* when lost */
};

/* True when it was asked to stop. */
static bool wait_to_stop(struct claim_keeper *keeper, int64_t until_ns)
{
    pthread_mutex_lock(&keeper->mutex);
    bool in_time = true;
    while (!keeper->stopping && in_time) {
        in_time = condition_wait_until(&keeper->changed, &keeper->mutex, until_ns);
    }
    bool stopping = keeper->stopping;
    pthread_mutex_unlock(&keeper->mutex);
    return stopping;
}

/* Whatever else fails is tried again: while the claim is nobody else's it can be renewed late. */
static void *claim_keep(void *argument)
{
    struct claim_keeper *keeper = argument;
    int64_t period_ns = keeper->target->lease_ms / RENEWALS_A_LEASE * 1000000;
    int64_t next_ns = keeper->begun_ns + period_ns;
    while (!wait_to_stop(keeper, next_ns)) {
        struct error error;
        enum status status = failpoint_hit("engine.before_renew", &error);
        if (status == STATUS_OK) {
            status = ledger_renew(keeper->ledger, &error);
        }
        if (status == STATUS_FAILED && error.code == ERROR_RUN_FENCED) {
            lease_end(keeper->target);
            pthread_mutex_lock(&keeper->mutex);
            keeper->lost = true;
            keeper->error = error;
            pthread_mutex_unlock(&keeper->mutex);
            break;
        }
        if (status != STATUS_OK) {
            log_write(LOG_WARNING, "the lease was not renewed: %s: %s", error.object,
                      error.message);
        }
        next_ns =
            clock_monotonic_ns() + (status == STATUS_OK ? period_ns : period_ns / RENEWALS_A_LEASE);
    }
    return NULL;
}

static enum status start_keeper(struct run *run, struct error *error)
{
    struct claim_keeper *keeper = calloc(1, sizeof(*keeper));
    if (keeper == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory to keep a lease");
    }
    keeper->target = run->session->target;
    keeper->ledger = run->session->ledger;
    keeper->begun_ns = clock_monotonic_ns();
    condition_init(&keeper->changed);
    pthread_mutex_init(&keeper->mutex, NULL);
    int failure = pthread_create(&keeper->thread, NULL, claim_keep, keeper);
    if (failure != 0) {
        pthread_mutex_destroy(&keeper->mutex);
        pthread_cond_destroy(&keeper->changed);
        free(keeper);
        return error_set_errno(error, ERROR_INTERNAL, failure, NULL, "can't start a thread");
    }
    run->claim.keeper = keeper;
    return STATUS_OK;
}

enum status claim_keeper_check(struct claim_keeper *keeper, struct error *error)
{
    if (keeper == NULL) {
        return STATUS_OK;
    }
    pthread_mutex_lock(&keeper->mutex);
    bool lost = keeper->lost;
    if (lost) {
        error_copy(error, &keeper->error);
    }
    pthread_mutex_unlock(&keeper->mutex);
    return lost ? STATUS_FAILED : STATUS_OK;
}

enum status claim_still_holds(const struct run *run, struct error *error)
{
    return claim_keeper_check(run->claim.keeper, error) == STATUS_OK
               ? lease_check(run->session->target, 0, error)
               : STATUS_FAILED;
}

void claim_keeper_stop(struct claim_keeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    pthread_mutex_lock(&keeper->mutex);
    keeper->stopping = true;
    pthread_cond_signal(&keeper->changed);
    pthread_mutex_unlock(&keeper->mutex);
    pthread_join(keeper->thread, NULL);
    pthread_mutex_destroy(&keeper->mutex);
    pthread_cond_destroy(&keeper->changed);
    free(keeper);
}

/* ---- claiming */

static enum status claim_ask(struct run *run, uint64_t old_epoch,
                             const struct ledger_holder *replaces, struct ledger_holder *found,
                             struct error *error)
{
    return ledger_lead(run->session->ledger, run->id, old_epoch, replaces, found, error);
}

bool claim_is_held(struct run *run, const char *run_id, struct ledger_holder *holder)
{
    struct error ignored;
    *holder = (struct ledger_holder){0};
    /* with an epoch that never was: it can't be had, but who has it is named */
    return ledger_lead(run->session->ledger, run_id, UINT64_MAX >> 1, NULL, holder, &ignored) ==
               STATUS_AGAIN &&
           holder->pid > 0 && !ledger_holder_is_gone(holder);
}

static enum status held(const struct run *run, const struct ledger_holder *holder,
                        struct error *error)
{
    if (holder->run[0] != '\0') {
        error_set(error, ERROR_RUN_HELD, run->id, "%s works on run %s", holder->name, holder->run);
        error_hint(error,
                   "wait for it or stop it; if it is gone for good, take that run over: `resume "
                   "--take-over` in its state folder, or `transhume rollback --run %s --take-over`",
                   holder->run);
        return STATUS_FAILED;
    }
    error_set(error, ERROR_RUN_HELD, run->id, "%s works on this run",
              holder->name[0] == '\0' ? "another process" : holder->name);
    error_hint(error, "wait for it or stop it; if it is gone for good, `transhume resume "
                      "--take-over` takes its place");
    return STATUS_FAILED;
}

static enum status alive(const struct run *run, const struct ledger_holder *holder,
                         struct error *error)
{
    error_set(error, ERROR_RUN_HELD, run->id,
              "%s is alive: it renewed its claim on this run while its lease was waited for",
              holder->name);
    error_hint(error, "stop it; then `transhume resume`");
    return STATUS_FAILED;
}

static bool sleep_ms(int64_t ms)
{
    int64_t until = clock_monotonic_ms() + ms;
    while (signals_stop_level() == 0 && clock_monotonic_ms() < until) {
        clock_sleep_ms(WAIT_SLICE_MS);
    }
    return signals_stop_level() == 0;
}

/*
 * Looks now and then, so that a living holder is found soon. STATUS_AGAIN: its lease is over, and
 * whatever it had sent is too; `holder` is as it was. STATUS_OK: it gave the run back meanwhile.
 */
static enum status wait_for_lease(struct run *run, uint64_t old_epoch,
                                  const struct ledger_holder *holder, struct error *error)
{
    int64_t whole_ms = holder->lease_ms + run->session->options.limits.timeout_ms;
    int64_t end = clock_monotonic_ms() + whole_ms;
    int64_t look_ms =
        whole_ms / LOOKS_A_LEASE < LOOK_MS_MAX ? whole_ms / LOOKS_A_LEASE : LOOK_MS_MAX;
    int64_t left;
    while ((left = end - clock_monotonic_ms()) > 0) {
        struct ledger_holder now;
        log_write(LOG_INFO, "waiting %" PRId64 " s for the lease of %s to be over",
                  (left + 999) / 1000, holder->name);
        if (!sleep_ms(left < look_ms ? left : look_ms)) {
            error_set(error, ERROR_INTERRUPTED, run->id,
                      "stopped while the lease of %s was waited for; nothing was changed",
                      holder->name);
            error_hint(error, "the same command waits for it again");
            return STATUS_FAILED;
        }
        enum status status = claim_ask(run, old_epoch, NULL, &now, error);
        if (status != STATUS_AGAIN) {
            return status;
        }
        if (now.pid != holder->pid || now.since_us != holder->since_us ||
            now.renewals != holder->renewals) {
            return now.pid == 0 ? held(run, &now, error) : alive(run, &now, error);
        }
    }
    return STATUS_AGAIN;
}

static enum status take_over_lease(struct run *run, uint64_t old_epoch, bool take_over,
                                   struct ledger_holder *holder, struct error *error)
{
    struct ledger_holder seen = *holder;
    if (ledger_holder_is_gone(holder)) {
        log_write(LOG_INFO, "%s died; taking the run over", holder->name);
    } else if (!take_over) {
        return held(run, holder, error);
    } else {
        enum status status = wait_for_lease(run, old_epoch, holder, error);
        if (status != STATUS_AGAIN) {
            return status;
        }
        log_write(LOG_WARNING, "taking the run over from %s", holder->name);
    }
    /* of a dead process that waited for each answer, nothing can be on its way any more */
    bool may_be_late = !ledger_holder_is_gone(holder) ||
                       (run->session->target->capabilities & CAPABILITY_ASYNCHRONOUS) != 0;
    enum status status = claim_ask(run, old_epoch, &seen, holder, error);
    run->claim.took_over = status == STATUS_OK && may_be_late;
    return status == STATUS_AGAIN ? held(run, holder, error) : status;
}

enum status run_claim(struct run *run, uint64_t old_epoch, bool take_over, struct error *error)
{
    struct ledger_holder holder = {0};
    enum status status = claim_ask(run, old_epoch, NULL, &holder, error);
    if (status == STATUS_AGAIN && holder.lease_ms > 0) {
        status = take_over_lease(run, old_epoch, take_over, &holder, error);
    } else if (status == STATUS_AGAIN && take_over && holder.pid > 0 && holder.run[0] == '\0') {
        struct ledger_holder seen = holder;
        status = claim_ask(run, old_epoch, &seen, &holder, error);
    }
    if (status == STATUS_AGAIN) {
        return held(run, &holder, error);
    }
    if (status != STATUS_OK) {
        return status;
    }
    pthread_mutex_lock(&run->state_mutex);
    run->claim.epoch = old_epoch + 1;
    run->claim.held = true;
    pthread_mutex_unlock(&run->state_mutex);
    return ledger_has_lease(run->session->ledger) ? start_keeper(run, error) : STATUS_OK;
}
