/* Databases that still bring a whole ledger of their own (connectors/ledger.h) in place of a
 * store. */
#include "base/memory.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_internal.h"
#include <stdlib.h>
#include <string.h>

static const struct ledger_functions *old(const struct ledger *ledger)
{
    return ledger->target->connector->ledger;
}

enum status bridge_find_conflict(struct ledger *ledger, struct arena *arena, const char **other,
                                 struct error *error)
{
    struct ledger_run *run;
    json_t *object;
    enum status status = old(ledger)->load(ledger->target, NULL, arena, &run, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (json_from_text(run->status, "status", ERROR_LEDGER_INVALID, &object, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool open = strcmp(json_member_text(object, "phase", ""), "completed") != 0;
    json_decref(object);
    *other = run->id;
    return open ? STATUS_OK : STATUS_END;
}

enum status bridge_create(struct ledger *ledger, const struct ledger_new_run *run,
                          struct arena *arena, const char **other, struct error *error)
{
    enum status status = old(ledger)->create(ledger->target, run->id, run->header, run->status,
                                             run->chunks, run->chunk_count, error);
    if (status == STATUS_AGAIN &&
        bridge_find_conflict(ledger, arena, other, error) == STATUS_FAILED) {
        return STATUS_FAILED;
    }
    return status;
}

enum status bridge_lead(struct ledger *ledger, const char *run_id, uint64_t old_epoch,
                        const struct ledger_holder *replaces, struct ledger_holder *found,
                        struct error *error)
{
    enum status status =
        old(ledger)->claim(ledger->target, run_id, old_epoch, replaces, found, error);
    if (status == STATUS_OK) {
        free(ledger->run_id);
        ledger->run_id = memory_copy_string(run_id);
        ledger->epoch = old_epoch + 1;
    }
    return status;
}

enum status bridge_renew(struct ledger *ledger, struct error *error)
{
    return old(ledger)->renew(ledger->target, ledger->run_id, ledger->epoch, error);
}

enum status bridge_tidy(struct ledger *ledger, bool rolled_back, struct error *error)
{
    return old(ledger)->tidy == NULL ? STATUS_OK
                                     : old(ledger)->tidy(ledger->target, rolled_back, error);
}
