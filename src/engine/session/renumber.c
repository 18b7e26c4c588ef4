/* New keys: by how much the old ones are moved. */
#include "engine/session/renumber.h"
#include "connectors/contract/defaults.h"

#include "base/log.h"
#include "engine/copy/sampling.h"
#include "engine/ledger/json_text.h"
#include <inttypes.h>
#include <string.h>

enum { ROWS = 4096, BYTES = 1 << 20 };

/* The least and the largest key of the source. */
struct extremes {
    bool any;
    int64_t least;
    int64_t most;
};

/* ---- the source */

static void take_cell(struct extremes *extremes, const struct cell *cell)
{
    int64_t number = cell->kind == VALUE_UINT64
                         ? (cell->u64 > INT64_MAX ? INT64_MAX : (int64_t)cell->u64)
                         : cell->i64;
    if (cell->kind != VALUE_INT64 && cell->kind != VALUE_UINT64) {
        return; /* NULL, or none that could be a key: the run rejects it */
    }
    extremes->least = !extremes->any || number < extremes->least ? number : extremes->least;
    extremes->most = !extremes->any || number > extremes->most ? number : extremes->most;
    extremes->any = true;
}

static enum status read_keys(struct run_session *session, const struct read_request *request,
                             struct extremes *extremes, struct error *error)
{
    const struct source_functions *source = session->source->connector->source;
    struct reader *reader = NULL;
    struct cursor *cursor = NULL;
    struct batch *batch = NULL;
    if (session_sample_reader(session, &reader, error) != STATUS_OK ||
        source->cursor_open(reader, request, NULL, &cursor, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = STATUS_OK;
    while (status == STATUS_OK) {
        status = source->cursor_next(cursor, ROWS, BYTES, &batch, error);
        for (uint32_t row = 0; status == STATUS_OK && row < batch->row_count; row++) {
            take_cell(extremes, batch_row(batch, row));
        }
        if (status == STATUS_OK) {
            batch_destroy(batch);
        }
    }
    source->cursor_close(cursor);
    return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
}

/* Its key alone is read, by a request that outlives the cursor. */
static enum status find_extremes(struct run_session *session, const struct plan_renumber *renumber,
                                 struct extremes *extremes, struct error *error)
{
    const struct plan_stream *stream = &session->plan->streams[renumber->stream];
    const struct read_request *whole = stream->joined != NULL ? stream->joined : &stream->request;
    struct read_request *request = arena_allocate_zeroed(session->arena, 1, sizeof *request);
    struct read_column *column = arena_allocate_zeroed(session->arena, 1, sizeof *column);
    *column = whole->columns[renumber->value];
    *request = (struct read_request){.name = whole->name,
                                     .table = whole->table,
                                     .query = whole->query,
                                     .columns = column,
                                     .column_count = 1};
    return read_keys(session, request, extremes, error);
}

/* ---- the target */

static enum status find_highest(struct run_session *session, const struct plan_renumber *renumber,
                                int64_t *highest, bool *any, struct error *error)
{
    struct database *target = session->target;
    const struct schema_table *there =
        session->there == NULL ? NULL
                               : session_target_table(session, session->there, renumber->table);
    *any = false;
    if (there == NULL) {
        return STATUS_OK;
    }
    enum status status =
        connector_sql_target(target->connector)
            ->highest_key(target, renumber->table, renumber->column, highest, any, error);
    if (status == STATUS_OK && there->next_number > 1 &&
        (!*any || there->next_number - 1 > *highest)) {
        *highest = there->next_number - 1; /* of records that went */
        *any = true;
    }
    return status;
}

/* The largest number that the key's column holds, where it is known. */
static int64_t limit_of(const struct run_session *session, const struct plan_renumber *renumber)
{
    const struct schema_table *there =
        session->there == NULL ? NULL
                               : session_target_table(session, session->there, renumber->table);
    int column = there == NULL ? -1 : schema_find_column(there, renumber->column);
    uint8_t bits = column < 0 ? 0 : there->columns[column].type.bits;
    return bits == 0 || bits >= 64 ? INT64_MAX : (INT64_C(1) << (bits - 1)) - 1;
}

static enum status session_renumber_measure(struct run_session *session,
                                            struct plan_renumber *renumber, struct error *error)
{
    struct extremes extremes = {0};
    int64_t highest = 0;
    int64_t largest;
    bool any = false;
    if (find_highest(session, renumber, &highest, &any, error) != STATUS_OK ||
        find_extremes(session, renumber, &extremes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool moves = any && extremes.any && extremes.least <= highest;
    renumber->known = true;
    renumber->by = 0;
    if (!moves) {
        return STATUS_OK;
    }
    if (__builtin_sub_overflow(highest, extremes.least, &renumber->by) ||
        __builtin_add_overflow(renumber->by, 1, &renumber->by) ||
        __builtin_add_overflow(extremes.most, renumber->by, &largest) ||
        largest > limit_of(session, renumber)) {
        error_set(error, ERROR_PLAN_INVALID, renumber->table,
                  "--renumber: keys up to %" PRId64 " and beyond %" PRId64
                  ", which is there, are more than %s can hold",
                  extremes.most, highest, renumber->column);
        return error_hint(error,
                          "widen the column, or give the records keys of less in the source");
    }
    return STATUS_OK;
}

enum status renumber_measure(struct run_session *session, struct error *error)
{
    enum status status = STATUS_OK;
    bool read = false;
    for (uint32_t i = 0; status == STATUS_OK && i < session->plan->renumber_count; i++) {
        read = read || !session->plan->renumbers[i].known;
        status = session->plan->renumbers[i].known
                     ? STATUS_OK
                     : session_renumber_measure(session, &session->plan->renumbers[i], error);
    }
    if (read && session->sample_reader != NULL) { /* the copy has no more than its own */
        session_reader_keep(session, session->sample_reader);
        session->sample_reader = NULL;
    }
    return status;
}

void renumber_tell(const struct run_session *session, struct buffer *out)
{
    for (uint32_t i = 0; i < session->plan->renumber_count; i++) {
        const struct plan_renumber *renumber = &session->plan->renumbers[i];
        if (renumber->known) {
            buffer_format(out, "%s: its records get new keys: %s + %" PRId64 "\n", renumber->table,
                          renumber->column, renumber->by);
        } else {
            buffer_format(out, "%s: its records get new keys, after the highest %s there\n",
                          renumber->table, renumber->column);
        }
    }
}

/* ---- the ledger */

json_t *renumber_make(const struct plan *plan)
{
    json_t *tables = plan->renumber_count > 0 ? json_object() : NULL;
    for (uint32_t i = 0; i < plan->renumber_count; i++) {
        json_object_set_new(tables, plan->renumbers[i].table,
                            json_integer((json_int_t)plan->renumbers[i].by));
    }
    return tables;
}

enum status renumber_take(struct plan *plan, const struct ledger_header *header,
                          struct error *error)
{
    for (uint32_t i = 0; i < plan->renumber_count; i++) {
        struct plan_renumber *renumber = &plan->renumbers[i];
        for (uint32_t j = 0; j < header->renumbered_count; j++) {
            if (strcmp(header->renumbered[j].table, renumber->table) == 0) {
                renumber->by = header->renumbered[j].by;
                renumber->known = true;
            }
        }
        if (!renumber->known) {
            return error_set(error, ERROR_LEDGER_INVALID, renumber->table,
                             "the ledger does not say which keys its records got");
        }
    }
    return STATUS_OK;
}

enum status renumber_check(const struct plan *plan, struct error *error)
{
    for (uint32_t i = 0; i < plan->renumber_count; i++) {
        if (!plan->renumbers[i].known) {
            error_set(error, ERROR_LEDGER_MISSING, plan->renumbers[i].table,
                      "which keys its records got is in the ledger of the run that renumbered it, "
                      "and the target has none");
            return error_hint(error, "validate before `transhume finish`");
        }
    }
    return STATUS_OK;
}
