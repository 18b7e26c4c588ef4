/* Which of the first records a run would reject, and why: for check. */
#include "engine/check/foresee.h"

#include "base/text.h"
#include "engine/check/preflight.h"
#include "engine/check/remedy.h"
#include "model/convert.h"
#include <inttypes.h>
#include <string.h>

enum { REASONS_MAX = 100, REASON_BYTES = 400, KEY_BYTES = 100, KEY_FIELDS_MAX = 16 };

/* Rejects of one entity for one field and of one kind. */
struct foreseen_reason {
    enum error_code code;
    const char *field; /* NULL: of the whole record */
    uint64_t count;
    const char *first;  /* the first of them */
    const char *key;    /* of the record that it is about; NULL: it has none */
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
    struct target_trial *trial; /* NULL: the target does not tell */
    bool looked;
};

struct foresight {
    struct run_session *session;
    struct target_table *tables; /* as the run writes them; `created`: it makes them */
    bool lenient;                /* tables that can't be tried are passed over */
    struct arena *arena;
    struct arena *scratch;
    struct foreseen_entity *entities;
};

struct foresight *foresee_create(struct run_session *session, const struct target_table *tables,
                                 const struct preflight *preflight, const char *const *absent,
                                 uint32_t absent_count, struct arena *arena)
{
    const struct plan *plan = session->plan;
    struct foresight *foresight = arena_allocate_zeroed(arena, 1, sizeof(*foresight));
    foresight->session = session;
    foresight->arena = arena;
    foresight->lenient = preflight->count > 0;
    foresight->tables =
        arena_allocate_zeroed(arena, plan->table_count + 1u, sizeof(*foresight->tables));
    foresight->entities =
        arena_allocate_zeroed(arena, plan->entity_count + 1u, sizeof(*foresight->entities));
    const bool *made =
        preflight_mark_absent(tables, plan->table_count, absent, absent_count, arena);
    for (uint32_t i = 0; i < plan->table_count; i++) {
        foresight->tables[i] = tables[i];
        foresight->tables[i].created |= made[i];
    }
    return foresight;
}

void foresee_end(struct foresight *foresight)
{
    const struct run_session *session = foresight->session;
    for (uint32_t i = 0; i < session->plan->entity_count; i++) {
        if (foresight->entities[i].trial != NULL) {
            session->target->connector->trial->close(foresight->entities[i].trial);
            foresight->entities[i].trial = NULL;
        }
    }
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

/* The verdict of a reason on its value stands last. */
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

static void foresee_note(struct foresight *foresight, uint32_t entity, enum error_code code,
                         const char *field, const char *reason, const char *key, const char *remedy)
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
            .first = arena_copy_string(foresight->arena, printable),
            .key = key != NULL ? arena_copy_string(foresight->arena, key) : NULL};
        take_remedy(foresight, made, remedy);
    }
}

/* The key of a record as the source has it, or as it is made: "7", "7, de". NULL: it has none. */
static const char *key_text(struct arena *scratch, const struct cell *cells, uint32_t count)
{
    struct buffer text = {0};
    struct error ignored;
    char printable[KEY_BYTES];
    for (uint32_t i = 0; i < count; i++) {
        size_t before = text.length;
        buffer_append_string(&text, i > 0 ? ", " : "");
        if (cells[i].kind <= VALUE_NULL ||
            convert_append_text(&cells[i], true, &text, &ignored) != STATUS_OK) {
            text.length = before;
            buffer_append_string(&text, i > 0 ? ", ?" : "?");
        }
    }
    text_printable(buffer_string(&text), text.length, printable, sizeof(printable));
    buffer_free(&text);
    return count > 0 ? arena_copy_string(scratch, printable) : NULL;
}

static const char *made_key(struct arena *scratch, const struct shape *shape,
                            const struct cell *cells)
{
    struct cell key[KEY_FIELDS_MAX];
    uint32_t count =
        shape->key_field_count < KEY_FIELDS_MAX ? shape->key_field_count : KEY_FIELDS_MAX;
    for (uint32_t i = 0; i < count; i++) {
        key[i] = cells[shape->key_fields[i]];
    }
    return key_text(scratch, key, count);
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
    entity->seen++;
    entity->rejected++;
    const char *key = key_text(foresight->scratch, reject->source_key, reject->source_key_count);
    foresee_note(foresight, reject->entity, reject->code, field, reject->reason, key,
                 reject->value.kind != VALUE_MISSING ? remedy_find(&refused) : NULL);
}

/* ---- records in the target's tables */

static enum status find_trial(struct foresight *foresight, uint32_t number, struct error *error)
{
    const struct run_session *session = foresight->session;
    const struct plan_entity *entity = &session->plan->entities[number];
    const struct trial_functions *trial = session->target->connector->trial;
    const struct target_table *table = &foresight->tables[entity->table];
    struct foreseen_entity *seen = &foresight->entities[number];
    /* what the express lane brings into a table that it makes is of the same types */
    bool same =
        table->created && session_is_express(session, &session->plan->streams[entity->stream]);
    if (seen->looked || trial == NULL || same) {
        return STATUS_OK;
    }
    seen->looked = true;
    enum status status = trial->open(session->target, table, &seen->trial, error);
    if (status == STATUS_OK) {
        return STATUS_OK;
    }
    seen->trial = NULL;
    if (status == STATUS_FAILED && foresight->lenient) {
        error_clear(error); /* of a table that the run is refused for anyway */
        status = STATUS_END;
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static int32_t find_field(const struct shape *shape, const char *name)
{
    char shown[sizeof(((struct error *)NULL)->object)];
    for (uint32_t i = 0; shape != NULL && i < shape->field_count; i++) {
        const struct shape_field *field = &shape->fields[i];
        text_printable(field->name, field->name_length, shown, sizeof(shown));
        if (strcmp(field->name, name) == 0 || strcmp(shown, name) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

/* A record that is tried. */
struct trying {
    struct foresight *foresight;
    struct target_trial *trial;
    uint32_t entity;
    const struct shape *shape; /* NULL: a document */
    const struct cell *cells;
    bool *passed; /* fields that were refused already */
    const char *key;
};

/* False: it is about the whole record, or about a field that was passed over: nothing follows. */
static bool note_refusal(const struct trying *trying, const struct error *why)
{
    struct foresight *foresight = trying->foresight;
    int32_t at = find_field(trying->shape, why->object);
    char reason[ERROR_REASON_BYTES];
    if (at >= 0 && trying->passed[at]) {
        return false;
    }
    const char *name = at >= 0 ? trying->shape->fields[at].name
                       : why->object[0] != '\0' && trying->shape == NULL ? why->object
                                                                         : NULL;
    const struct mapping *mapping = foresight->session->plan->entities[trying->entity].mapping;
    const struct remedy_case refused = {.session = foresight->session,
                                        .entity = trying->entity,
                                        .field = at >= 0 ? mapping_find_field(mapping, name) : NULL,
                                        .value = at >= 0 ? &trying->cells[at] : NULL,
                                        .trial = trying->trial,
                                        .shape = trying->shape,
                                        .cells = trying->cells,
                                        .scratch = foresight->scratch};
    foresee_note(foresight, trying->entity, why->code, name, error_reason(why, reason), trying->key,
                 at >= 0 ? remedy_find(&refused) : NULL);
    if (at >= 0) {
        trying->passed[at] = true;
    }
    return at >= 0;
}

/* A run's reject says the first value that the table does not take; who prepares one wants to know
 * them all. */
static enum status try_row(struct foresight *foresight, const struct batch *batch, uint32_t row,
                           struct error *error)
{
    const struct trial_functions *trial = foresight->session->target->connector->trial;
    struct foreseen_entity *seen = &foresight->entities[batch->entity];
    const struct cell *cells = batch_row(batch, row);
    bool document = batch->shape == NULL || batch->shape->field_count == 0;
    arena_reset(foresight->scratch);
    struct trying trying = {.foresight = foresight,
                            .trial = seen->trial,
                            .entity = batch->entity,
                            .shape = document ? NULL : batch->shape,
                            .cells = cells};
    trying.passed = arena_allocate_zeroed(foresight->scratch,
                                          (document ? 0 : batch->shape->field_count) + 1u, 1);
    bool taken = true;
    bool goes_on = seen->trial != NULL;
    seen->seen++;
    while (goes_on) {
        struct error why = {0};
        enum status status = trial->record(seen->trial, trying.shape, cells, trying.passed, &why);
        if (status != STATUS_FAILED) {
            break;
        }
        if (why.class != ERROR_CLASS_REJECT) {
            return error_copy(error, &why);
        }
        if (trying.key == NULL && !document) {
            trying.key = made_key(foresight->scratch, batch->shape, cells);
        }
        goes_on = note_refusal(&trying, &why);
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
        status = find_trial(foresight, batch->entity, error);
        for (uint32_t row = 0; status == STATUS_OK && row < batch->row_count &&
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

static void tell_remedy(const struct foreseen_reason *reason, struct buffer *out)
{
    if (reason->units_differ) {
        buffer_append_string(out, "; they may count time, but by their sizes not all in one unit, "
                                  "so that no cast from one fits them\n");
    } else if (reason->remedy == NULL) {
        buffer_format(out, "%s\n",
                      reason->code == ERROR_REJECT_TEXT
                          ? " (a plan can give the column a type of bytes)"
                          : "");
    } else if (reason->remedied < reason->count) {
        buffer_format(out, "; for %" PRIu64 " of them %s\n", reason->remedied, reason->remedy);
    } else {
        buffer_format(out, "; %s\n", reason->remedy);
    }
}

void foresee_list(const struct foresight *foresight, const struct check_reject **list,
                  uint32_t *count)
{
    const struct plan *plan = foresight->session->plan;
    struct check_reject *made = NULL;
    uint32_t capacity = 0;
    *count = 0;
    for (uint32_t i = 0; i < plan->entity_count; i++) {
        const struct foreseen_entity *entity = &foresight->entities[i];
        for (uint32_t k = 0; k < entity->reason_count; k++) {
            const struct foreseen_reason *reason = &entity->reasons[k];
            made = arena_make_room(foresight->arena, made, *count, &capacity, sizeof(*made));
            made[(*count)++] =
                (struct check_reject){.entity = plan->entities[i].name,
                                      .field = reason->field,
                                      .code = error_describe(reason->code)->name,
                                      .reason = reason->first,
                                      .key = reason->key,
                                      .remedy = reason->units_differ ? NULL : reason->remedy,
                                      .count = reason->count,
                                      .seen = entity->seen,
                                      .various = reason->various};
        }
    }
    *list = made;
}

static const char named_field[] = "field "; /* as in "field at: …" */

/* The mapper's reasons name their field, those of a target's encoder need not. */
static void tell_why(const struct foreseen_reason *reason, struct buffer *out)
{
    bool mapped = strncmp(reason->first, named_field, strlen(named_field)) == 0;
    const char *why = reason->first + (mapped ? strlen(named_field) : 0);
    size_t length = reason->field != NULL ? strlen(reason->field) : 0;
    bool named = length == 0 || (strncmp(why, reason->field, length) == 0 && why[length] == ':');
    buffer_format(out, " would be rejected: %s%s%s", named ? "" : reason->field, named ? "" : ": ",
                  why);
}

/* " (key 7; the first of several reasons)" */
static void tell_first(const struct foreseen_entity *entity, const struct foreseen_reason *reason,
                       struct buffer *out)
{
    bool keyed = reason->key != NULL && entity->seen > 1;
    buffer_append_string(out, keyed || reason->various ? " (" : "");
    buffer_format(out, "%s%s", keyed ? "key " : "", keyed ? reason->key : "");
    buffer_append_string(out, keyed && reason->various ? "; " : "");
    buffer_append_string(out, reason->various ? "the first of several reasons" : "");
    buffer_append_string(out, keyed || reason->various ? ")" : "");
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
            tell_why(reason, out);
            tell_first(entity, reason, out);
            tell_remedy(reason, out);
        }
    }
}
