/* Before anything is taken back: does every table still hold what it should? */
#include "base/log.h"
#include "engine/before/before.h"
#include "engine/ledger/json_text.h"
#include "engine/rollback/rollback_parts.h"
#include "engine/settle/settle.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *rollback_action_name(enum rollback_action action)
{
    static const char *const names[] = {"nothing", "drop", "empty", "undo"};
    return names[action];
}

/* ---- what the done marks say */

static int32_t table_of_entity(const struct rollback *rollback, uint32_t entity)
{
    for (uint32_t i = 0; i < rollback->run.header.table_count; i++) {
        const struct ledger_table *table = &rollback->run.header.tables[i];
        for (uint32_t j = 0; j < table->entity_count; j++) {
            if (table->entities[j].entity == entity) {
                return (int32_t)i;
            }
        }
    }
    return -1;
}

static void add_tally(struct rollback_expected *expected, const struct tally *tally)
{
    expected->count_min += tally->written;
    expected->hashed = expected->hashed && (tally->hashed || tally->written == 0);
    canonical_sum_add(&expected->hash, &tally->hash);
}

/* Records of equal keys that the end took out again. */
static void subtract_settled(struct rollback *rollback)
{
    const json_t *entities = json_object_get(rollback->run.status.settled, "entities");
    const char *name;
    json_t *entity;
    json_object_foreach((json_t *)entities, name, entity)
    {
        int32_t table = table_of_entity(rollback, (uint32_t)strtoul(name, NULL, 10));
        int64_t out =
            json_member_integer(entity, "rejected", 0) + json_member_integer(entity, "skipped", 0);
        if (table >= 0 && out > 0) {
            struct rollback_expected *expected = &rollback->expected[table];
            expected->count_min -=
                (uint64_t)out < expected->count_min ? (uint64_t)out : expected->count_min;
            settle_subtract_hash(entity, &expected->hash, &expected->hashed);
        }
    }
}

/* The end may have begun to take records out, without having said so yet. */
static enum status subtract_orphans(struct rollback *rollback, struct error *error)
{
    const struct ledger_header *header = &rollback->run.header;
    bool settled = rollback->was_complete || rollback->run.status.settled != NULL;
    for (uint32_t i = 0; header->rejects_orphans && !settled && i < header->table_count; i++) {
        struct rollback_expected *expected = &rollback->expected[i];
        struct tally gone = {0};
        if (!rollback->tables[i].created || header->tables[i].entity_count != 1) {
            continue;
        }
        if (rollback_hash_orphans(rollback, i, &gone, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        expected->count_min -=
            gone.rejected < expected->count_min ? gone.rejected : expected->count_min;
        expected->hashed = expected->hashed && (gone.hashed || gone.rejected == 0);
        tally_hash_subtract(&expected->hash, &gone.hash);
    }
    return STATUS_OK;
}

/* Where the marks are not in the data's transactions there may be records of open chunks. */
static void allow_for_open_chunks(struct rollback *rollback)
{
    const struct ledger_run *ledger = rollback->ledger;
    bool whole = ledger->done_count == ledger->chunk_count;
    bool transactions = !ledger_marks_apart(rollback->session.ledger);
    bool exact = whole || transactions;
    bool settled = rollback->was_complete || rollback->run.status.settled != NULL;
    for (uint32_t i = 0; i < rollback->run.header.table_count; i++) {
        struct rollback_expected *expected = &rollback->expected[i];
        expected->count_max = exact ? expected->count_min : UINT64_MAX;
        expected->hashed = expected->hashed && exact;
        if (rollback->run.header.tables[i].settles && !settled) {
            expected->count_min = 0;
            expected->hashed = false;
        }
        if (rollback->has_begun && !transactions) {
            expected->count_min = 0; /* some are gone already */
            expected->hashed = false;
        }
    }
}

enum status rollback_expect(struct rollback *rollback, struct error *error)
{
    struct run *run = &rollback->run;
    run->chunks.count = rollback->ledger->chunk_count;
    run->chunks.done = arena_allocate_zeroed(run->arena, run->chunks.count + 1, 1);
    for (uint32_t i = 0; i < run->header.table_count; i++) {
        rollback->expected[i].hashed = true;
    }
    for (uint64_t i = 0; i < rollback->ledger->done_count; i++) {
        struct ledger_mark mark;
        if (ledger_mark_read(&rollback->ledger->done[i], UINT32_MAX, run->arena, &mark, error) !=
            STATUS_OK) {
            return STATUS_FAILED;
        }
        if (mark.chunk > 0 && mark.chunk <= run->chunks.count) {
            run->chunks.done[mark.chunk - 1] = 1;
        }
        for (uint32_t j = 0; j < mark.entity_count; j++) {
            int32_t table = table_of_entity(rollback, mark.entities[j]);
            if (table < 0) {
                return error_set(error, ERROR_LEDGER_INVALID, run->id,
                                 "a done mark counts an entity of no table");
            }
            add_tally(&rollback->expected[table], &mark.tallies[j]);
        }
    }
    subtract_settled(rollback);
    if (subtract_orphans(rollback, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    allow_for_open_chunks(rollback);
    return STATUS_OK;
}

/* ---- looking */

static enum status refuse_changed(const char *table, const char *what, uint64_t wrote,
                                  uint64_t there, struct error *error)
{
    error_set(error, ERROR_ROLLBACK_REFUSED, table,
              "it was changed since: the run left %" PRIu64 " records, there are %" PRIu64 "%s",
              wrote, there, what);
    error_hint(error,
               "what others wrote would be lost; move it away, or take the run's records out "
               "by hand (a run with --rollback-keys could be rolled back by key)");
    return STATUS_FAILED;
}

static enum status look_at_whole(struct rollback *rollback, uint32_t number, struct error *error)
{
    struct database *target = rollback->session.target;
    struct rollback_table_report *report = &rollback->report.tables[number];
    const struct rollback_expected *expected = &rollback->expected[number];
    uint64_t count = 0;
    struct canonical_hash sum = {0};
    bool can = false;
    if (target->connector->target->count(target, &rollback->tables[number], &count, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    bool emptied = rollback->has_begun && count == 0; /* and it was not noted any more */
    if (!emptied && (count < expected->count_min || count > expected->count_max)) {
        return refuse_changed(report->name, "", expected->count_min, count, error);
    }
    if (count > 0 && rollback_check_unfilled(rollback, number, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (expected->hashed && count > 0) {
        uint64_t read = 0;
        if (rollback_hash_table(rollback, number, &read, &sum, &can, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (can && (read != count || memcmp(&sum, &expected->hash, sizeof(sum)) != 0)) {
            return refuse_changed(report->name, ", not all with the contents that it wrote",
                                  expected->count_min, read, error);
        }
    }
    report->hashed = can || (expected->hashed && count == 0);
    report->removed = count;
    report->action = rollback->tables[number].created ? ROLLBACK_DROP
                     : count > 0                      ? ROLLBACK_EMPTY
                                                      : ROLLBACK_NOTHING;
    return count > 0 ? rollback_check_referrers(rollback, number, error) : STATUS_OK;
}

static enum status refuse_not_kept(const struct rollback *rollback, uint32_t number,
                                   struct error *error)
{
    const struct ledger_table *table = &rollback->run.header.tables[number];
    error_set(error, ERROR_ROLLBACK_REFUSED, table->name,
              table->key.count == 0
                  ? "it held records before, and those of the run have no key"
                  : "it held records before, and nothing was kept of what the run overwrote "
                    "(--no-before-images, or the key is not unique)");
    error_hint(error, "delete the run's records by hand; `transhume finish --confirm` then forgets "
                      "the run");
    return STATUS_FAILED;
}

static enum status rollback_look_undo(struct rollback *rollback, uint32_t number, bool dry_run,
                                      struct undo_counts *counts, struct error *error)
{
    struct database *target = rollback->session.target;
    const struct rollback_functions *functions = target->connector->rollback;
    if (functions->undo == NULL) {
        return before_undo(&rollback->run, number, dry_run, counts, error);
    }
    enum status status = functions->undo(target, &rollback->tables[number],
                                         rollback->run.status.ended_us, dry_run, counts, error);
    counts->kept = counts->removed + counts->restored + counts->changed + counts->missing;
    return status;
}

/* The target is asked again, so that it knows the table before records are put into it. */
static enum status rollback_look_learn(struct rollback *rollback, uint32_t number,
                                       struct error *error)
{
    struct database *target = rollback->session.target;
    struct buffer why = {0};
    enum status status =
        target->connector->rollback->can_undo == NULL
            ? STATUS_OK
            : target->connector->rollback->can_undo(target, &rollback->tables[number], &why, error);
    buffer_free(&why);
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* The same of records that a repair took out; what it wrote anew under a key of these has one image
 * with it. */
static enum status check_taken(const struct rollback *rollback, uint32_t number, uint64_t kept,
                               struct error *error)
{
    const char *table = rollback->run.header.tables[number].name;
    uint64_t took = ledger_status_taken(&rollback->run.status, table);
    if (rollback->has_begun || kept + rollback->expected[number].count_min >= took) {
        return STATUS_OK;
    }
    error_set(error, ERROR_ROLLBACK_REFUSED, table,
              "images were not kept or are lost: the run deleted %" PRIu64
              " records, undo records are there of %" PRIu64,
              took, kept);
    error_hint(error, "not all can be put back: do it by hand; `transhume finish --confirm` then "
                      "forgets the run");
    return STATUS_FAILED;
}

/* Each record that was written left one, and none goes before the rollback has begun. */
static enum status check_kept(const struct rollback *rollback, uint32_t number,
                              const struct undo_counts *counts, struct error *error)
{
    uint64_t wrote = rollback->expected[number].count_min;
    if (rollback->has_begun || rollback->session.target->connector->rollback->undoes_all ||
        counts->kept >= wrote) {
        return STATUS_OK;
    }
    error_set(error, ERROR_ROLLBACK_REFUSED, rollback->run.header.tables[number].name,
              "images were not kept or are lost: the run wrote %" PRIu64
              " records, undo records are there of %" PRIu64 "; a key with a NULL has none",
              wrote, counts->kept);
    error_hint(error, "what it overwrote is unknown: delete its records by hand; "
                      "`transhume finish --confirm` then forgets the run");
    return STATUS_FAILED;
}

static enum status look_at_undo(struct rollback *rollback, uint32_t number, struct error *error)
{
    struct rollback_table_report *report = &rollback->report.tables[number];
    struct undo_counts counts = {0};
    rollback_mirror_close(rollback); /* it tries what it would do, and takes locks for it */
    if (rollback_look_learn(rollback, number, error) != STATUS_OK ||
        rollback_look_undo(rollback, number, true, &counts, error) != STATUS_OK ||
        check_kept(rollback, number, &counts, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    report->action = ROLLBACK_UNDO;
    report->removed = counts.removed;
    report->restored = counts.restored;
    report->changed = counts.changed;
    report->missing = counts.missing;
    report->differing = counts.differing;
    if (counts.changed > 0 && rollback->session.target->connector->rollback->undoes_all) {
        error_set(error, ERROR_ROLLBACK_REFUSED, report->name,
                  "what the run wrote was changed since, in %" PRIu64 " places", counts.changed);
        error_hint(error, "what others wrote would be lost; move it away first");
        return STATUS_FAILED;
    }
    return STATUS_OK;
}

bool rollback_is_undone(const struct rollback *rollback, const char *table)
{
    size_t index;
    json_t *name;
    json_array_foreach(rollback->run.status.undone, index, name)
    {
        const char *text = json_string_value(name);
        if (text != NULL && strcmp(text, table) == 0) {
            return true;
        }
    }
    return false;
}

/* A table that the ledger does not know as made by the run is not dropped, whatever its header
 * says: it was dropped already and is somebody else's, or its row of the ledger was lost.
 * STATUS_END: nothing of the run is in it. */
static enum status look_at_making(struct rollback *rollback, uint32_t number, struct error *error)
{
    struct database *target = rollback->session.target;
    struct target_table *table = &rollback->tables[number];
    bool made = true;
    if (!table->created || target->connector->rollback->was_made == NULL) {
        return STATUS_OK;
    }
    if (target->connector->rollback->was_made(target, table, &made, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (made) {
        return STATUS_OK;
    }
    if (table->keeps_undo) {
        table->created = false; /* it stays; the run's records are known */
        return STATUS_OK;
    }
    if (rollback->has_begun || rollback->expected[number].count_max == 0) {
        return STATUS_END;
    }
    error_set(error, ERROR_ROLLBACK_REFUSED, table->name,
              "the ledger has no note that the run made it");
    error_hint(error, "whose table it is is unknown: if it is the run's, drop it by hand, then "
                      "roll back again");
    return STATUS_FAILED;
}

static enum status look_at_table(struct rollback *rollback, uint32_t number, bool exists,
                                 struct error *error)
{
    const struct ledger_table *table = &rollback->run.header.tables[number];
    struct database *target = rollback->session.target;
    if (rollback_is_undone(rollback, table->name)) {
        rollback->report.tables[number].differing =
            ledger_status_differing(&rollback->run.status, table->name);
        return STATUS_OK;
    }
    if (target->connector->rollback->undoes_all) {
        return look_at_undo(rollback, number, error);
    }
    if (!exists) {
        struct rollback_table_report *report = &rollback->report.tables[number];
        report->missing = rollback->has_begun ? 0 : rollback->expected[number].count_min;
        report->gone = report->missing > 0;
        return STATUS_OK;
    }
    if (rollback_check_kind(rollback, number, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status making = look_at_making(rollback, number, error);
    if (making != STATUS_OK) {
        return making == STATUS_END ? STATUS_OK : STATUS_FAILED;
    }
    if (rollback->tables[number].created && target->connector->rollback->can_remove != NULL &&
        target->connector->rollback->can_remove(target, &rollback->tables[number], error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    if (table->keeps_undo) {
        return look_at_undo(rollback, number, error);
    }
    if (table->was != LEDGER_WAS_FILLED) {
        return look_at_whole(rollback, number, error);
    }
    return rollback->expected[number].count_max == 0 ? STATUS_OK /* it wrote nothing there */
                                                     : refuse_not_kept(rollback, number, error);
}

/* Also of a table whose other records were taken back by an earlier process. */
static enum status look_at_deleted(struct rollback *rollback, uint32_t number, struct error *error)
{
    struct database *target = rollback->session.target;
    struct rollback_table_report *report = &rollback->report.tables[number];
    struct undo_counts counts = {0};
    if (!rollback_has_deleted(rollback, number)) {
        return STATUS_OK;
    }
    rollback_mirror_close(rollback);
    if (target->connector->rollback->undo_deleted(target, &rollback->tables[number], true, &counts,
                                                  error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    report->restored += counts.restored;
    report->changed += counts.changed;
    return check_taken(rollback, number, counts.restored + counts.changed, error);
}

bool rollback_has_deleted(const struct rollback *rollback, uint32_t number)
{
    return rollback->run.header.takes_out && rollback->tables[number].keeps_undo &&
           rollback->session.target->connector->rollback->undo_deleted != NULL;
}

static enum status look_at_tables(struct rollback *rollback, struct error *error)
{
    struct database *target = rollback->session.target;
    uint32_t count = rollback->run.header.table_count;
    bool *exists = arena_allocate_zeroed(rollback->run.arena, count + 1u, sizeof(bool));
    bool *filled = arena_allocate_zeroed(rollback->run.arena, count + 1u, sizeof(bool));
    enum status status = target->connector->rollback->undoes_all
                             ? STATUS_OK
                             : target->connector->target->inspect(target, rollback->tables, count,
                                                                  exists, filled, error);
    status = status == STATUS_OK ? rollback_columns_begin(rollback, error) : status;
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        status = look_at_table(rollback, i, exists[i], error) == STATUS_OK
                     ? look_at_deleted(rollback, i, error)
                     : STATUS_FAILED;
    }
    rollback_columns_end(rollback);
    rollback_mirror_close(rollback);
    return status;
}

enum status rollback_look(struct rollback *rollback, const struct rollback_report **report,
                          struct error *error)
{
    *report = &rollback->report;
    if (look_at_tables(rollback, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = rollback_remove_objects(rollback, true, &rollback->report.objects, error);
    return status == STATUS_END ? error_set(error, ERROR_INTERRUPTED, rollback->run.id,
                                            "stopped on request before anything was rolled back")
                                : status;
}
