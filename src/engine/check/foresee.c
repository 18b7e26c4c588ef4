/* Which of the first records a run would reject, and why: for check. */
#include "engine/check/foresee.h"

#include "base/text.h"
#include "model/convert.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { REASONS_MAX = 100, REASON_BYTES = 400 };

/* Rejects of one entity for one field and of one kind. */
struct foreseen_reason {
    enum error_code code;
    const char *field; /* NULL: of the whole record */
    uint64_t count;
    const char *first;  /* the first of them */
    const char *remedy; /* what a plan can say about the first; NULL: nothing that is known */
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

static void note(struct foresight *foresight, uint32_t entity, enum error_code code,
                 const char *field, const char *reason, const char *remedy)
{
    struct foreseen_entity *seen = &foresight->entities[entity];
    for (uint32_t i = 0; i < seen->reason_count; i++) {
        struct foreseen_reason *known = &seen->reasons[i];
        if (known->code == code && is_same_field(known->field, field)) {
            known->count++;
            return;
        }
    }
    if (seen->reason_count < REASONS_MAX) {
        char printable[REASON_BYTES];
        text_printable(reason, strlen(reason), printable, sizeof(printable));
        seen->reasons[seen->reason_count++] = (struct foreseen_reason){
            .code = code,
            .field = field != NULL ? arena_copy_string(foresight->arena, field) : NULL,
            .count = 1,
            .first = arena_copy_string(foresight->arena, printable),
            .remedy = remedy != NULL ? arena_copy_string(foresight->arena, remedy) : NULL};
    }
}

/* The mapping's reasons begin with the field that they are about: "field at: ". */
static void take_rejects(struct foresight *foresight, const struct parcel *parcel)
{
    for (uint32_t i = 0; i < parcel->reject_count; i++) {
        const struct mapper_reject *reject = &parcel->rejects[i];
        struct foreseen_entity *entity = &foresight->entities[reject->entity];
        static const char prefix[] = "field ";
        bool named = strncmp(reject->reason, prefix, strlen(prefix)) == 0;
        const char *reason = reject->reason + (named ? strlen(prefix) : 0);
        const char *colon = named ? strstr(reason, ": ") : NULL;
        char field[REASON_BYTES];
        text_printable(reason, colon != NULL ? (size_t)(colon - reason) : 0, field, sizeof(field));
        entity->seen++;
        entity->rejected++;
        note(foresight, reject->entity, reject->code, colon != NULL ? field : NULL, reason, NULL);
    }
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

static bool is_time(enum value_kind kind)
{
    return kind == VALUE_TIMESTAMP || kind == VALUE_DATE || kind == VALUE_INTERVAL;
}

/* What a number seems to count that is put where a moment should be, by its size: the years from
 * 1973 to 5138 in each unit, none of which overlap. NULL: it is no such number. */
static const char *epoch_of(const struct cell *cell)
{
    static const char *const units[] = {"epoch_s", "epoch_ms", "epoch_us", "epoch_ns"};
    const struct value_type number = {.kind = VALUE_FLOAT64};
    struct arena *arena = arena_create(0);
    struct cell value = {0};
    struct error ignored;
    const char *unit = NULL;
    if (convert_value(cell, &number, true, arena, &value, &ignored) == STATUS_OK) {
        double least = 1e8;
        for (size_t i = 0; unit == NULL && i < sizeof units / sizeof units[0]; i++) {
            unit = value.f64 >= least && value.f64 < 1000 * least ? units[i] : NULL;
            least *= 1000;
        }
    }
    arena_destroy(arena);
    return unit;
}

/* The line by which the value is rounded to what the column takes; NULL: that is not what is wrong
 * with it. */
static const char *rounding(const struct foresight *foresight, const char *name,
                            const struct cell *cell, const struct value_type *type)
{
    struct value_type wanted = *type;
    struct cell made;
    struct error ignored;
    char limits[32] = "";
    wanted.dynamic = false;
    if (!value_kind_is_number(type->kind) ||
        convert_value(cell, &wanted, false, foresight->scratch, &made, &ignored) == STATUS_OK ||
        convert_value(cell, &wanted, true, foresight->scratch, &made, &ignored) != STATUS_OK) {
        return NULL;
    }
    if (type->kind == VALUE_DECIMAL && type->precision > 0) {
        snprintf(limits, sizeof limits, "(%d,%d)", type->precision, type->scale);
    }
    return arena_format(foresight->scratch,
                        "a plan can say `types: { %s: { column: %s, cast: \"%s%s\", lossy: allow } "
                        "}`, which rounds it",
                        name, name, value_kind_name(type->kind), limits);
}

/* The line of a plan by which a value that the column does not take would become one that it does;
 * NULL: none is known. */
static const char *remedy_of_value(const struct foresight *foresight, const char *table,
                                   const char *name, const struct cell *cell)
{
    const struct schema_table *there = schema_find_table(foresight->session->there, table);
    int at = there != NULL ? schema_find_column(there, name) : -1;
    enum value_kind kind = at >= 0 ? there->columns[at].type.kind : VALUE_MISSING;
    enum value_kind from = (enum value_kind)cell->kind;
    const char *unit =
        is_time(kind) && (value_kind_is_number(from) || from == VALUE_TEXT) ? epoch_of(cell) : NULL;
    if (unit != NULL) {
        return arena_format(foresight->scratch,
                            "a plan can say `types: { %s: { column: %s, cast: %s, from: %s } }`",
                            name, name, value_kind_name(kind), unit);
    }
    if (is_time(from) && value_kind_is_number(kind)) {
        return arena_format(foresight->scratch,
                            "a plan can say `types: { %s: { column: %s, cast: %s, to: epoch_s } }`,"
                            " or epoch_ms, epoch_us, epoch_ns",
                            name, name, value_kind_name(kind));
    }
    return at >= 0 ? rounding(foresight, name, cell, &there->columns[at].type) : NULL;
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
        const struct plan *plan = foresight->session->plan;
        const char *table = plan->tables[plan->entities[batch->entity].table].target.name;
        note(foresight, batch->entity, why.code, name, reason,
             remedy_of_value(foresight, table, name, &cells[i]));
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
    take_rejects(foresight, parcel);
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
            buffer_format(out, " would be rejected: %s%s%s\n", reason->first,
                          reason->remedy != NULL ? "; " : remedy_of(reason->code),
                          reason->remedy != NULL ? reason->remedy : "");
        }
    }
}
