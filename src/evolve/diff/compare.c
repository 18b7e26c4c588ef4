/* Definitions that are to be made, altered, dropped, and dropped and made again. */
#include "base/name_index.h"
#include "evolve/diff/diff_internal.h"
#include <string.h>

/* Who needs whom, the other way round: those that need item i are list[first[i]] … */
struct users {
    uint32_t *first;
    uint32_t *list;
};

static struct users find_users(const struct definitions *of, struct arena *arena)
{
    struct users users = {arena_allocate_zeroed(arena, of->count + 2u, sizeof(uint32_t)), NULL};
    for (uint32_t i = 0; i < of->count; i++) {
        for (uint32_t n = 0; n < of->items[i].need_count; n++) {
            users.first[of->items[i].needs[n] + 2]++;
        }
    }
    for (uint32_t i = 2; i < of->count + 2u; i++) {
        users.first[i] += users.first[i - 1];
    }
    users.list = arena_allocate_zeroed(arena, users.first[of->count + 1] + 1u, sizeof(uint32_t));
    for (uint32_t i = 0; i < of->count; i++) {
        for (uint32_t n = 0; n < of->items[i].need_count; n++) {
            users.list[users.first[of->items[i].needs[n] + 1]++] = i;
        }
    }
    return users;
}

/* ---------------------------------------------------------------- who is whom */

static const char *key_of(const struct definition *item, struct buffer *key)
{
    buffer_clear(key);
    buffer_format(key, "%s\x1f%s\x1f%s\x1f%s", item->kind, item->schema != NULL ? item->schema : "",
                  item->table != NULL ? item->table : "", item->name);
    return buffer_string(key);
}

static uint32_t *numbers(struct diff_compare *compare, uint32_t count)
{
    uint32_t *list = arena_allocate_zeroed(compare->arena, count + 1u, sizeof *list);
    for (uint32_t i = 0; i <= count; i++) {
        list[i] = DEFINITION_NONE;
    }
    return list;
}

static void compare_match(struct diff_compare *compare)
{
    struct name_index index = {.arena = compare->arena, .folded = compare->functions->folds_names};
    struct buffer key = {0};

    compare->to_of_from = numbers(compare, compare->from.count);
    compare->from_of_to = numbers(compare, compare->to.count);
    for (uint32_t i = 0; i < compare->from.count; i++) {
        const char *name = arena_copy_string(compare->arena, key_of(&compare->from.items[i], &key));
        (void)name_index_add(&index, name, strlen(name), i);
    }
    for (uint32_t i = 0; i < compare->to.count; i++) {
        const char *name = key_of(&compare->to.items[i], &key);
        uint32_t found = name_index_find(&index, name, key.length);
        if (found != NAME_INDEX_NONE && compare->to_of_from[found] == DEFINITION_NONE) {
            compare->to_of_from[found] = i;
            compare->from_of_to[i] = found;
        }
    }
    buffer_free(&key);
}

/* ---------------------------------------------------------------- what has to go and come back */

struct rebuilding {
    struct diff_compare *compare;
    struct users users;
    bool *altered; /* by number in `from` */
    bool *rebuilt;
    uint32_t *queue;
    uint32_t queued;
};

static void rebuild(struct rebuilding *work, uint32_t item)
{
    if (!work->rebuilt[item]) {
        work->rebuilt[item] = true;
        work->queue[work->queued++] = item;
    }
}

static struct definition_change alter_of(const struct diff_compare *compare, uint32_t item)
{
    uint32_t after = compare->to_of_from[item];
    return (struct definition_change){
        .kind = DEFINITION_ALTER,
        .from = &compare->from,
        .to = &compare->to,
        .before = &compare->from.items[item],
        .after = &compare->to.items[after],
        .online = !compare->options->blocking,
    };
}

static void disturb(struct rebuilding *work, uint32_t item)
{
    const struct diff_compare *compare = work->compare;
    struct definition_change change = {0};
    if (!work->rebuilt[item]) {
        change = alter_of(compare, item);
    }
    for (uint32_t i = work->users.first[item]; i < work->users.first[item + 1]; i++) {
        uint32_t user = work->users.list[i];
        if (work->rebuilt[item] ||
            compare->functions->disturbs(&change, &compare->from.items[user])) {
            rebuild(work, user);
        }
    }
}

/* An item within a table that comes, goes or changes alters the table. */
static void alter_owners(struct rebuilding *work)
{
    struct diff_compare *compare = work->compare;
    for (uint32_t i = 0; i < compare->from.count; i++) {
        const struct definition *item = &compare->from.items[i];
        if (item->binding == DEFINITION_WITHIN && item->owner != DEFINITION_NONE &&
            (compare->to_of_from[i] == DEFINITION_NONE || work->altered[i])) {
            work->altered[item->owner] = compare->to_of_from[item->owner] != DEFINITION_NONE;
        }
    }
    for (uint32_t i = 0; i < compare->to.count; i++) {
        const struct definition *item = &compare->to.items[i];
        if (item->binding == DEFINITION_WITHIN && item->owner != DEFINITION_NONE &&
            compare->from_of_to[i] == DEFINITION_NONE &&
            compare->from_of_to[item->owner] != DEFINITION_NONE) {
            work->altered[compare->from_of_to[item->owner]] = true;
        }
    }
}

/* A definition that stands on something that goes, and is as it was, is to stand on something else
 * of the same name. */
static void disturb_by_drops(struct rebuilding *work)
{
    const struct diff_compare *compare = work->compare;
    for (uint32_t i = 0; i < compare->from.count; i++) {
        if (compare->to_of_from[i] != DEFINITION_NONE) {
            continue;
        }
        for (uint32_t u = work->users.first[i]; u < work->users.first[i + 1]; u++) {
            uint32_t user = work->users.list[u];
            enum definition_binding binding = compare->from.items[user].binding;
            if (compare->to_of_from[user] != DEFINITION_NONE && !work->altered[user] &&
                (binding == DEFINITION_ALONE || binding == DEFINITION_ATTACHED) &&
                !compare->from.items[user].holds_records) {
                rebuild(work, user);
            }
        }
    }
}

static enum status find_rebuilt(struct rebuilding *work, struct error *error)
{
    struct diff_compare *compare = work->compare;
    const struct definition_statement *statements = NULL;
    uint32_t count = 0;

    for (uint32_t i = 0; i < compare->from.count; i++) {
        uint32_t after = compare->to_of_from[i];
        if (after == DEFINITION_NONE) {
            continue;
        }
        struct definition_change change = alter_of(compare, i);
        work->altered[i] =
            !definition_is_equal(&compare->from.items[i], &compare->to.items[after]) ||
            (compare->functions->differs != NULL && compare->functions->differs(&change));
    }
    alter_owners(work);
    for (uint32_t i = 0; i < compare->from.count; i++) {
        if (!work->altered[i] || compare->from.items[i].binding == DEFINITION_WITHIN) {
            continue;
        }
        struct definition_change change = alter_of(compare, i);
        enum status status = compare->functions->emit(compare->session, &change, compare->arena,
                                                      &statements, &count, error);
        if (status == STATUS_FAILED) {
            return status;
        }
        if (status == STATUS_AGAIN) {
            rebuild(work, i);
        } else {
            disturb(work, i);
        }
    }
    disturb_by_drops(work);
    for (uint32_t next = 0; next < work->queued; next++) {
        disturb(work, work->queue[next]);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- steps */

static uint32_t add_step(struct diff_compare *compare, enum definition_change_kind kind,
                         uint32_t before, uint32_t after)
{
    compare->steps = arena_make_room(compare->arena, compare->steps, compare->step_count,
                                     &compare->step_capacity, sizeof *compare->steps);
    compare->steps[compare->step_count] = (struct diff_step){
        .kind = kind, .before = before, .after = after, .within = DEFINITION_NONE};
    return compare->step_count++;
}

static void add_steps(struct rebuilding *work)
{
    struct diff_compare *compare = work->compare;
    for (uint32_t i = 0; i < compare->from.count; i++) {
        uint32_t after = compare->to_of_from[i];
        if (after == DEFINITION_NONE || work->rebuilt[i]) {
            compare->drop_of[i] = add_step(compare, DEFINITION_DROP, i, DEFINITION_NONE);
            compare->steps[compare->drop_of[i]].rebuilds = after != DEFINITION_NONE;
        } else if (work->altered[i]) {
            compare->alter_of[i] = add_step(compare, DEFINITION_ALTER, i, after);
            compare->create_of[after] = compare->alter_of[i];
        }
    }
    for (uint32_t i = 0; i < compare->to.count; i++) {
        uint32_t before = compare->from_of_to[i];
        if (before == DEFINITION_NONE || work->rebuilt[before]) {
            compare->create_of[i] = add_step(compare, DEFINITION_CREATE, DEFINITION_NONE, i);
            compare->steps[compare->create_of[i]].rebuilds = before != DEFINITION_NONE;
        }
    }
}

/* The step of the owner that does it as well; DEFINITION_NONE: none does. */
static uint32_t owner_step(const struct diff_compare *compare, const struct diff_step *step)
{
    bool drops = step->kind == DEFINITION_DROP;
    const struct definition *item = step->before != DEFINITION_NONE
                                        ? &compare->from.items[step->before]
                                        : &compare->to.items[step->after];
    if (item->owner == DEFINITION_NONE || item->binding == DEFINITION_ALONE) {
        return DEFINITION_NONE;
    }
    if (step->before != DEFINITION_NONE) {
        if (drops && compare->drop_of[item->owner] != DEFINITION_NONE) {
            return compare->drop_of[item->owner];
        }
        return item->binding == DEFINITION_WITHIN ? compare->alter_of[item->owner]
                                                  : DEFINITION_NONE;
    }
    uint32_t owner = compare->create_of[item->owner];
    if (owner == DEFINITION_NONE || item->binding == DEFINITION_ATTACHED ||
        (item->binding == DEFINITION_PART && compare->steps[owner].kind != DEFINITION_CREATE)) {
        return DEFINITION_NONE;
    }
    return owner;
}

enum status diff_compare_lists(struct diff_compare *compare, struct error *error)
{
    struct rebuilding work = {.compare = compare};
    compare_match(compare);
    compare->create_of = numbers(compare, compare->to.count);
    compare->drop_of = numbers(compare, compare->from.count);
    compare->alter_of = numbers(compare, compare->from.count);
    work.users = find_users(&compare->from, compare->arena);
    work.altered = arena_allocate_zeroed(compare->arena, compare->from.count + 1u, sizeof(bool));
    work.rebuilt = arena_allocate_zeroed(compare->arena, compare->from.count + 1u, sizeof(bool));
    work.queue = numbers(compare, compare->from.count);
    if (find_rebuilt(&work, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    add_steps(&work);
    for (uint32_t i = 0; i < compare->step_count; i++) {
        compare->steps[i].within = owner_step(compare, &compare->steps[i]);
    }
    return STATUS_OK;
}

struct definition_change diff_change_of(const struct diff_compare *compare,
                                        const struct diff_step *step)
{
    struct definition_change change = {
        .kind = step->kind,
        .from = &compare->from,
        .to = &compare->to,
        .online = !compare->options->blocking,
    };
    if (step->before != DEFINITION_NONE) {
        change.before = &compare->from.items[step->before];
    }
    if (step->after != DEFINITION_NONE) {
        change.after = &compare->to.items[step->after];
        uint32_t owner = change.after->owner;
        uint32_t made = owner != DEFINITION_NONE ? compare->create_of[owner] : DEFINITION_NONE;
        change.fresh = made != DEFINITION_NONE && compare->steps[made].kind == DEFINITION_CREATE;
    }
    return change;
}
