/* Updates of a part of a record that found none: the engine reads the record again, and it is put
 * whole. */
#include "connectors/sql/apply_internal.h"
#include <string.h>

enum { ROUND_MAX = 256 };

/* Changes of one round, and where they were. */
struct round {
    const struct record_change *changes[ROUND_MAX];
    uint32_t sets[ROUND_MAX];
    uint32_t count;
};

/* The set of the call that the change is of. */
static uint32_t find_set(const struct change_set *const *sets, uint32_t first, uint32_t end,
                         const struct record_change *change)
{
    uint32_t at = first;
    while (at + 1 < end && (sets[at]->change_count == 0 || change < sets[at]->changes ||
                            change >= sets[at]->changes + sets[at]->change_count)) {
        at++;
    }
    return at;
}

static bool is_same_key(const struct record_change *left, const struct record_change *right)
{
    bool same = left->table == right->table && left->key_count == right->key_count;
    for (uint32_t i = 0; same && i < left->key_count; i++) {
        same = value_equal(&left->key[i], &right->key[i]);
    }
    return same;
}

/* The last of several changes of a record asks for it, where they are close. */
static void add_to_round(struct round *round, const struct record_change *change, uint32_t set)
{
    uint32_t at = round->count;
    if (at > 0 && is_same_key(round->changes[at - 1], change)) {
        at--;
    }
    round->changes[at] = change;
    round->sets[at] = set;
    round->count = at + 1;
}

/* The refusals of the records, as of the changes that asked for them. */
static void add_refusals(const struct round *round, const struct change_set *const *sets,
                         const uint32_t *asked_by, const struct apply_result *refused,
                         struct arena *arena, struct apply_result *result)
{
    for (uint32_t i = 0; i < refused->refusal_count; i++) {
        struct apply_refusal refusal = refused->refusals[i];
        uint32_t at = asked_by[refusal.change];
        refusal.set = round->sets[at];
        refusal.change = (uint32_t)(round->changes[at] - sets[refusal.set]->changes);
        sql_apply_add_refusal(result, &refusal, arena);
    }
}

static enum status put_round(struct apply *apply, const struct round *round,
                             const struct change_set *const *sets, struct arena *scratch,
                             struct arena *arena, struct apply_result *result, struct error *error)
{
    const struct cell **records =
        arena_allocate_zeroed(scratch, round->count + (size_t)1, sizeof *records);
    struct record_change *puts =
        arena_allocate_zeroed(scratch, round->count + (size_t)1, sizeof *puts);
    uint32_t *asked_by = arena_allocate_zeroed(scratch, round->count + (size_t)1, sizeof *asked_by);
    struct change_set made = {.tables = sets[round->sets[0]]->tables,
                              .table_count = sets[round->sets[0]]->table_count,
                              .changes = puts,
                              .first_piece = true,
                              .last_piece = true};
    const struct change_set *const whole[] = {&made};
    struct apply_result refused = {0};
    if (apply->absent.read(apply->absent.context, round->changes, round->count, scratch, records,
                           error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < round->count; i++) {
        if (records[i] != NULL) {
            asked_by[made.change_count] = i;
            puts[made.change_count++] = (struct record_change){.table = round->changes[i]->table,
                                                               .operation = RECORD_INSERT,
                                                               .after = records[i]};
        }
    }
    enum status status = sql_apply_carefully(apply, whole, 0, 1, scratch, &refused, error);
    if (status == STATUS_OK) {
        add_refusals(round, sets, asked_by, &refused, arena, result);
    }
    return status;
}

/* No record was the one that a delete of a table without a key means. */
static void refuse_delete(const struct change_set *const *sets, uint32_t set,
                          const struct record_change *change, struct arena *arena,
                          struct apply_result *result)
{
    const struct apply_refusal refusal = {
        .set = set,
        .change = (uint32_t)(change - sets[set]->changes),
        .code = ERROR_REJECT_ABSENT,
        .reason = "a row was deleted, and no record of the target equals it in all fields"};
    sql_apply_add_refusal(result, &refusal, arena);
}

enum status sql_apply_absent(struct apply *apply, const struct change_set *const *sets,
                             uint32_t first, uint32_t end, struct arena *arena,
                             struct apply_result *result, struct error *error)
{
    struct round round = {.count = 0};
    uint32_t count = apply->sought_count;
    enum status status = STATUS_OK;
    apply->sought_count = 0;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        const struct record_change *change = apply->sought[i].change;
        if (apply->tables[change->table].key.count == 0) {
            if (!apply->sought[i].found && change->after == NULL) {
                refuse_delete(sets, find_set(sets, first, end, change), change, arena, result);
            }
        } else if (!apply->sought[i].found && apply->absent.read != NULL) {
            add_to_round(&round, change, find_set(sets, first, end, change));
        }
        if (round.count == ROUND_MAX || (i + 1 == count && round.count > 0)) {
            struct arena *scratch = arena_create(0);
            status = put_round(apply, &round, sets, scratch, arena, result, error);
            arena_destroy(scratch);
            round.count = 0;
        }
    }
    apply->sought_count = 0;
    return status;
}
