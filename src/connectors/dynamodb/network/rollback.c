/* Taking a run back: the tables that it made. */
#include "base/clock.h"
#include "connectors/dynamodb/network/body.h"
#include "connectors/dynamodb/network/target.h"
#include <string.h>

enum { GONE_WAIT_MS = 200, GONE_DEADLINE_MS = 600000, DELETE_TIMEOUTS = 4 };

/* ---------------------------------------------------------------- tables */

/* One try; a fault that may be tried again is an error of class RETRY. */
static enum status try_delete(struct dynamodb_network *network, const char *table,
                              struct error *error)
{
    struct buffer body = {0};
    struct service_reply *response = NULL;
    dynamodb_body_raw(&body, "{");
    dynamodb_body_text(&body, "TableName", table);
    dynamodb_body_raw(&body, "}");
    enum status status =
        dynamodb_network_write_once(network, "DeleteTable", table, &body, &response, error);
    buffer_free(&body);
    if (status != STATUS_OK) {
        return status;
    }
    if (response->fault != DYNAMODB_FAULT_NONE && response->fault != DYNAMODB_FAULT_MISSING &&
        response->fault != DYNAMODB_FAULT_IN_USE) {
        error_copy(error, &response->error);
        error_recode(error, ERROR_TARGET_SCHEMA);
        status = STATUS_FAILED;
    }
    service_reply_destroy(response);
    return status;
}

/* STATUS_OK: it is not the table of this id any more. STATUS_AGAIN: it is. */
static enum status is_gone(struct dynamodb_network *network, const char *table, const char *id,
                           struct error *error)
{
    struct dynamodb_description description;
    struct arena *arena = arena_create(0);
    enum status status = dynamodb_describe(network, table, arena, &description, error);
    if (status == STATUS_OK && strcmp(description.id, id) == 0 &&
        !dynamodb_description_is_going(&description)) {
        status = STATUS_AGAIN;
    }
    arena_destroy(arena);
    return status == STATUS_END ? STATUS_OK : status;
}

/* A try whose answer got lost may have been carried out, and the name may be another table's
 * since: so each further try looks first. */
enum status dynamodb_delete_table(struct dynamodb_network *network, const char *table,
                                  const char *id, struct error *error)
{
    int64_t end_ms = clock_monotonic_ms() + DELETE_TIMEOUTS * network->keyed.room.timeout_ms;
    for (uint32_t failures = 0;; failures++) {
        enum status status = try_delete(network, table, error);
        if (status == STATUS_OK || error->class != ERROR_CLASS_RETRY ||
            error->code == ERROR_LEASE_SHORT || clock_monotonic_ms() > end_ms) {
            return status;
        }
        clock_sleep_ms(service_backoff_ms(failures, error->retry_after_ms));
        status = is_gone(network, table, id, error);
        if (status != STATUS_AGAIN) {
            return status;
        }
    }
}

enum status dynamodb_wait_gone(struct dynamodb_network *network, const char *table, const char *id,
                               struct error *error)
{
    struct dynamodb_description description;
    struct arena *arena = arena_create(0);
    int64_t end_ms = clock_monotonic_ms() + GONE_DEADLINE_MS;
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        arena_reset(arena);
        status = dynamodb_describe(network, table, arena, &description, error);
        if (status != STATUS_OK || strcmp(description.id, id) != 0) {
            break;
        }
        if (clock_monotonic_ms() > end_ms) {
            status = error_set(error, ERROR_TARGET_SCHEMA, table, "it is still being deleted");
            break;
        }
        clock_sleep_ms(GONE_WAIT_MS);
    }
    arena_destroy(arena);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

enum status dynamodb_drop_table(struct database *self, const struct target_table *table,
                                const struct keyed_there *there, enum keyed_made made,
                                struct error *error)
{
    struct dynamodb_network *network = dynamodb_network_of(self);
    (void)made;
    enum status status = dynamodb_delete_table(network, table->name, there->id, error);
    return status == STATUS_OK ? dynamodb_wait_gone(network, table->name, there->id, error)
                               : status;
}

/* A table of the ledger has no columns: the types of its key are those of the table as it is. */
static enum status learn_keys(struct dynamodb_network *network, const struct target_table *table,
                              struct arena *arena, struct error *error)
{
    struct dynamodb_description description;
    enum status status = dynamodb_describe(network, table->name, arena, &description, error);
    if (status != STATUS_OK) {
        return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    dynamodb_network_keys(network, table, NULL, 0, &description);
    return STATUS_OK;
}

/* Any key will do; it is a chance to learn its types. */
static enum status can_undo(struct database *self, const struct target_table *table,
                            struct buffer *why, struct error *error)
{
    struct arena *arena = arena_create(0);
    (void)why;
    enum status status = learn_keys(dynamodb_network_of(self), table, arena, error);
    arena_destroy(arena);
    return status;
}

const struct rollback_functions dynamodb_network_rollback = {.can_undo = can_undo,
                                                             .remove_table = keyed_remove_table};
