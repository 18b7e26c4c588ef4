/*
 * The claim on a run, as a server without transactions would keep it: DIR/_transhume/RUN/claim
 * holds the number of renewals and the holder's text, or nothing. What a conditional write does at
 * a server, a lock held for a moment does here.
 */
#include "base/failpoint.h"
#include "base/file.h"
#include "connectors/lease.h"
#include "toy_internal.h"
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { CLAIM_BYTES_MAX = 4096 };

/* Until the descriptor is closed. */
static enum status lock_claim(struct toy_database *self, const char *run_id, int *descriptor,
                              struct error *error)
{
    char path[512];
    toy_ledger_path(self, run_id, "claim-lock", path);
    *descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*descriptor < 0 || flock(*descriptor, LOCK_EX) != 0) {
        return error_set(error, ERROR_LEDGER_INVALID, path, "locking the claim failed");
    }
    return STATUS_OK;
}

static void unlock_claim(int descriptor)
{
    if (descriptor >= 0) {
        close(descriptor);
    }
}

/* STATUS_END: nobody holds the run. `*text` (arena) is the holder's, `*renewals` its number. */
static enum status read_claim(struct toy_database *self, const char *run_id, struct arena *arena,
                              char **text, uint64_t *renewals, struct error *error)
{
    char path[512];
    size_t length;
    if (!file_exists(toy_ledger_path(self, run_id, "claim", path))) {
        return STATUS_END;
    }
    enum status status = file_read_all(path, CLAIM_BYTES_MAX, arena, text, &length, error);
    if (status != STATUS_OK || length == 0) {
        return status == STATUS_OK ? STATUS_END : status;
    }
    *renewals = strtoull(*text, text, 10);
    *text += **text == ' ';
    return STATUS_OK;
}

static enum status write_claim(struct toy_database *self, const char *run_id, uint64_t renewals,
                               const char *text, struct error *error)
{
    char path[512];
    char line[CLAIM_BYTES_MAX];
    int length = snprintf(line, sizeof line, "%" PRIu64 " %s", renewals, text);
    return file_write_atomic(toy_ledger_path(self, run_id, "claim", path), line,
                             *text ? (size_t)length : 0, NULL, error);
}

/* STATUS_OK: it may be claimed. */
static enum status look(struct toy_database *self, const char *run_id, uint64_t old_epoch,
                        const struct ledger_holder *replaces, struct ledger_holder *found,
                        struct arena *arena, struct error *error)
{
    char *text = NULL;
    uint64_t renewals = 0;
    uint64_t epoch = 0;
    enum status status = read_claim(self, run_id, arena, &text, &renewals, error);
    if (status == STATUS_FAILED) {
        return status;
    }
    if (status == STATUS_OK) {
        struct ledger_holder holder;
        if (ledger_holder_read(text, &holder, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        holder.renewals = renewals;
        bool same = replaces && replaces->renewals == renewals && replaces->pid == holder.pid &&
                    replaces->started == holder.started && replaces->since_us == holder.since_us;
        *found = holder;
        if (!same) {
            return STATUS_AGAIN;
        }
    }
    if (toy_read_epoch(self, run_id, &epoch, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (epoch != old_epoch) {
        *found = (struct ledger_holder){0};
        snprintf(found->name, sizeof found->name, "attempt %" PRIu64, epoch);
        return STATUS_AGAIN;
    }
    return STATUS_OK;
}

static enum status take(struct toy_database *self, const char *run_id, uint64_t old_epoch,
                        struct arena *arena, struct error *error)
{
    struct ledger_holder holder;
    const char *text;
    int64_t asked_ms = lease_clock_ms();
    ledger_holder_self(self->base.lease_ms, &holder);
    if (ledger_holder_write(&holder, arena, &text, error) != STATUS_OK ||
        failpoint_hit("toy.before_claim", error) != STATUS_OK ||
        write_claim(self, run_id, 0, text, error) != STATUS_OK ||
        toy_write_epoch(self, run_id, old_epoch + 1, error) != STATUS_OK ||
        toy_mend(self, run_id, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    free(self->claim_text);
    self->claim_text = strdup(text);
    if (!self->claim_text) {
        return error_set(error, ERROR_MEMORY, run_id, "no memory for a claim");
    }
    lease_extend(&self->base, asked_ms);
    return failpoint_hit("toy.after_claim", error);
}

enum status toy_claim(struct database *database, const char *run_id, uint64_t old_epoch,
                      const struct ledger_holder *replaces, struct ledger_holder *found,
                      struct error *error)
{
    struct toy_database *self = toy_of(database);
    struct ledger_holder before = replaces ? *replaces : (struct ledger_holder){0};
    struct arena *arena = arena_create(0);
    int lock = -1;
    *found = (struct ledger_holder){0};
    enum status status = arena ? lock_claim(self, run_id, &lock, error)
                               : error_set(error, ERROR_MEMORY, run_id, "no memory for a claim");
    if (status == STATUS_OK) {
        status = look(self, run_id, old_epoch, replaces ? &before : NULL, found, arena, error);
    }
    if (status == STATUS_OK) {
        status = take(self, run_id, old_epoch, arena, error);
    }
    unlock_claim(lock);
    arena_destroy(arena);
    return status;
}

/* Changes the claim if it is this process's own. */
static enum status replace_own(struct toy_database *self, const char *run_id, bool give_back,
                               struct error *error)
{
    char *text = NULL;
    uint64_t renewals = 0;
    int lock = -1;
    struct arena *arena = arena_create(0);
    enum status status = arena ? lock_claim(self, run_id, &lock, error)
                               : error_set(error, ERROR_MEMORY, run_id, "no memory for a claim");
    if (status == STATUS_OK) {
        status = read_claim(self, run_id, arena, &text, &renewals, error);
    }
    if (status == STATUS_END ||
        (status == STATUS_OK && (!self->claim_text || strcmp(text, self->claim_text) != 0))) {
        status = error_set(error, ERROR_RUN_FENCED, run_id, "another process took the run over");
    }
    if (status == STATUS_OK) {
        status = write_claim(self, run_id, renewals + 1, give_back ? "" : text, error);
    }
    unlock_claim(lock);
    arena_destroy(arena);
    return status;
}

enum status toy_renew(struct database *database, const char *run_id, uint64_t epoch,
                      struct error *error)
{
    int64_t asked_ms = lease_clock_ms();
    (void)epoch;
    enum status status = replace_own(toy_of(database), run_id, false, error);
    if (status == STATUS_OK) {
        lease_extend(database, asked_ms);
    } else if (error->code == ERROR_RUN_FENCED) {
        lease_end(database);
    }
    return status;
}

enum status toy_release(struct database *database, const char *run_id, uint64_t epoch,
                        struct error *error)
{
    struct toy_database *self = toy_of(database);
    (void)epoch;
    enum status status = self->claim_text ? replace_own(self, run_id, true, error) : STATUS_OK;
    lease_end(database);
    free(self->claim_text);
    self->claim_text = NULL;
    return status;
}
