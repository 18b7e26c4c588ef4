/* Which of the first records a run would reject, and why: for check. */
#include "engine/check/foresee.h"

#include "base/text.h"
#include "engine/check/remedy.h"
#include <inttypes.h>
#include <string.h>

enum { REASONS_MAX = 100, REASON_BYTES = 400 };

/* Rejects of one entity for one field and of one kind. */
struct foreseen_reason {
    enum error_code code;
    const char *field; /* NULL: of the whole record */
    uint64_t count;
    const char *first;  /* the first of them */
    bool various;       /* others say something else */
    const char *remedy; /* what a plan can say about the first of those where it can say anything;
                           NULL: nothing that is known */
    uint64_t remedied;  /* how many it helps */
    bool units_differ;  /* numbers count time by their sizes, but not all in one unit */
};

struct foreseen_entity {
    uint64_t seen;
    uint64_t rejected;
    struct foreseen_reason reasons[REASONS_MAX];
    uint32_t reason_count;
    struct target_trial *trial; /* NULL: its table is not there, or the target does not tell */
    bool looked;
};

struct foresight {
    struct run_session *session;
    struct arena *arena;
    struct arena *scratch;
    struct foreseen_entity *entities;
};

struct foresight *foresee_create(struct run_session *session, struct arena *arena)
{
    struct foresight *foresight = arena_allocate_zeroed(arena, 1, sizeof(*foresight));
    foresight->session = session;
    foresight->arena = arena;
    foresight->entities = arena_allocate_zeroed(arena, session->plan->entity_count + 1u,
                                                sizeof(*foresight->entities));
    return foresight;
}

uint64_t foresee_seen(const struct foresight *foresight, uint32_t entity)
{
    return foresight->entities[entity].seen;
}

uint64_t foresee_rejected(const struct foresight *foresight, uint32_t entity)
{
    return foresight->entities[entity].rejected;
}

/* ---- reasons */

static bool is_same_field(const char *one, const char *other)
{
    return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

/* What a reason says of its value stands last. */
static const char *verdict_of(const char *reason)
{
    const char *last = reason;
    for (const char *at = reason; (at = strstr(at, ": ")) != NULL; at += 2) {
        last = at + 2;
    }
    return last;
}

static void take_remedy(struct foresight *foresight, struct foreseen_reason *reason,
                        const char *remedy)
{
    static const char unit[] = "from: epoch_";
    if (remedy == NULL) {
        return;
    }
    if (reason->remedy == NULL) {
        reason->remedy = arena_copy_string(foresight->arena, remedy);
    }
    bool same = strcmp(reason->remedy, remedy) == 0;
    reason->remedied += same;
    reason->units_differ |=
        !same && strstr(reason->remedy, unit) != NULL && strstr(remedy, unit) != NULL;
}

static void note(struct foresight *foresight, uint32_t entity, enum error_code code,
                 const char *field, const char *reason, const char *remedy)
{
    struct foreseen_entity *seen = &foresight->entities[entity];
    char printable[REASON_BYTES];
    text_printable(reason, strlen(reason), printable, sizeof(printable));
    for (uint32_t i = 0; i < seen->reason_count; i++) {
        struct foreseen_reason *known = &seen->reasons[i];
        if (known->code == code && is_same_field(known->field, field)) {
            known->count++;
            take_remedy(foresight, known, remedy);
            known->various =
                known->various || strcmp(verdict_of(known->first), verdict_of(printable)) != 0;
            return;
        }
    }
    if (seen->reason_count < REASONS_MAX) {
        struct foreseen_reason *made = &seen->reasons[seen->reason_count++];
        *made = (struct foreseen_reason){
            .code = code,
            .field = field != NULL ? arena_copy_string(foresight->arena, field) : NULL,
            .count = 1,
            .first = arena_copy_string(foresight->arena, printable)};
        take_remedy(foresight, made, remedy);
    }
}

static void take_reject(struct foresight *foresight, const struct mapper_reject *reject)
{
    struct foreseen_entity *entity = &foresight->entities[reject->entity];
    const struct remedy_case refused = {.session = foresight->session,
                                        .entity = reject->entity,
                                        .field = reject->field,
                                        .value = &reject->value,
                                        .scratch = foresight->scratch};
    arena_reset(foresight->scratch);
    const char *field = reject->field != NULL ? reject->field->name : NULL;
    static const char prefix[] = "field "; /* as in "field at: …" */
    bool named = strncmp(reject->reason, prefix, strlen(prefix)) == 0;
    const char *reason = reject->reason + (named ? strlen(prefix) : 0);
    entity->seen++;
    entity->rejected++;
    note(foresight, reject->entity, reject->code, field, reason,
         reject->value.kind != VALUE_MISSING ? remedy_find(&refused) : NULL);
}

/* ---- values in tables that are there */

static enum status find_trial(struct foresight *foresight, uint32_t number, struct error *error)
{
    const struct run_session *session = foresight->session;
    const struct plan_entity *entity = &session->plan->entities[number];
    const struct target_functions *target = session->target->connector->target;
    struct foreseen_entity *seen = &foresight->entities[number];
    if (seen->looked || target->try_open == NULL || session->there == NULL) {
        return STATUS_OK;
    }
    seen->looked = true;
    enum status status =
        target->try_open(session->target, session->plan->tables[entity->table].target.name,
                         foresight->arena, &seen->trial, error);
    if (status != STATUS_OK) {
        seen->trial = NULL;
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

/* A run's reject says the first value that the table does not take; who prepares one wants to know
 * them all. */
static enum status try_row(struct foresight *foresight, const struct batch *batch, uint32_t row,
                           struct error *error)
{
    const struct target_functions *target = foresight->session->target->connector->target;
    struct foreseen_entity *seen = &foresight->entities[batch->entity];
    const struct cell *cells = batch_row(batch, row);
    bool taken = true;
    seen->seen++;
    for (uint32_t i = 0; seen->trial != NULL && i < batch->shape->field_count; i++) {
        const char *name = batch->shape->fields[i].name;
        struct error why;
        arena_reset(foresight->scratch);
        if (target->try_value(seen->trial, name, &cells[i], foresight->scratch, &why) ==
            STATUS_OK) {
            continue;
        }
        if (why.class != ERROR_CLASS_REJECT) {
            return error_copy(error, &why);
        }
        const char *reason = arena_format(foresight->scratch, "%s: %s", name, why.message);
        const struct remedy_case refused = {
            .session = foresight->session,
            .entity = batch->entity,
            .field =
                mapping_find_field(foresight->session->plan->entities[batch->entity].mapping, name),
            .value = &cells[i],
            .trial = seen->trial,
            .scratch = foresight->scratch};
        note(foresight, batch->entity, why.code, name, reason, remedy_find(&refused));
        taken = false;
    }
    seen->rejected += !taken;
    return STATUS_OK;
}

enum status foresee_take(struct foresight *foresight, const struct parcel *parcel,
                         struct error *error)
{
    enum status status = STATUS_OK;
    foresight->scratch = arena_create(0);
    for (uint32_t i = 0; i < parcel->reject_count; i++) {
        take_reject(foresight, &parcel->rejects[i]);
    }
    for (uint32_t i = 0; status == STATUS_OK && i < parcel->batch_count; i++) {
        const struct batch *batch = parcel->batches[i];
        if (batch->shape != NULL) {
            status = find_trial(foresight, batch->entity, error);
        }
        for (uint32_t row = 0;
             status == STATUS_OK && batch->shape != NULL && row < batch->row_count &&
             foresight->entities[batch->entity].seen < FORESEE_RECORDS;
             row++) {
            status = try_row(foresight, batch, row, error);
        }
    }
    arena_destroy(foresight->scratch);
    foresight->scratch = NULL;
    return status;
}

/* ---- the report */

static const char *remedy_of(enum error_code code)
{
    return code == ERROR_REJECT_TEXT ? " (a plan can give the column a type of bytes)" : "";
}

static void tell_remedy(const struct foreseen_reason *reason, struct buffer *out)
{
    if (reason->units_differ) {
        buffer_append_string(out, "; they may count time, but by their sizes not all in one unit, "
                                  "so that no cast from one fits them\n");
    } else if (reason->remedy == NULL) {
        buffer_format(out, "%s\n", remedy_of(reason->code));
    } else if (reason->remedied < reason->count) {
        buffer_format(out, "; for %" PRIu64 " of them %s\n", reason->remedied, reason->remedy);
    } else {
        buffer_format(out, "; %s\n", reason->remedy);
    }
}

void foresee_tell(const struct foresight *foresight, struct buffer *out)
{
    const struct plan *plan = foresight->session->plan;
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        const struct foreseen_entity *entity = &foresight->entities[i];
        for (uint32_t k = 0; k < entity->reason_count; k++) {
            const struct foreseen_reason *reason = &entity->reasons[k];
            if (entity->seen == 1) {
                buffer_format(out, "%s: the first record", plan->entities[i].name);
            } else if (reason->count == entity->seen) {
                buffer_format(out, "%s: all of the first %" PRIu64 " records",
                              plan->entities[i].name, entity->seen);
            } else {
                buffer_format(out, "%s: %" PRIu64 " of the first %" PRIu64 " records",
                              plan->entities[i].name, reason->count, entity->seen);
            }
            buffer_format(out, " would be rejected: %s%s", reason->first,
                          reason->various ? " (the first of several reasons)" : "");
            tell_remedy(reason, out);
        }
    }
}
