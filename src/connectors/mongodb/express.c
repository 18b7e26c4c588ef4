/*
 * The express lane: documents of another MongoDB go into this one as they are, byte for byte,
 * within chunks. What is refused, or has no _id in front, goes the general path.
 */
#include "connectors/mongodb/find.h"
#include "connectors/mongodb/send.h"
#include "connectors/mongodb/source.h"

#include "base/clock.h"
#include "base/memory.h"
#include <stdlib.h>

enum { TRIES_MAX = 6, PAUSE_MS = 200 };

struct pulling {
    struct database *database; /* the target */
    struct keyed_connection connection;
    struct mongodb_lane lane;
    atomic_bool holds_others;
    struct keyed_request *request;
    struct mongodb_flight flight;
    uint64_t rows;
};

bool mongodb_express_accepts(struct database *database, struct database *source)
{
    return source->connector == database->connector;
}

/* ---------------------------------------------------------------- requests */

static void forget_reasons(struct pulling *pulling)
{
    for (uint32_t at = 0; pulling->flight.reasons != NULL && at < pulling->flight.count; at++) {
        free(pulling->flight.reasons[at]);
    }
    free(pulling->flight.reasons);
    pulling->flight.reasons = NULL;
}

static bool is_refused(const struct pulling *pulling)
{
    bool refused = false;
    for (uint32_t at = 0; at < pulling->request->count; at++) {
        refused = refused || pulling->flight.outcomes[at] != KEYED_DONE;
    }
    return refused;
}

/* All documents of the request. STATUS_AGAIN: one of them was refused. */
static enum status put_all(struct pulling *pulling, struct error *error)
{
    struct mongodb_flight *flight = &pulling->flight;
    uint32_t count = pulling->request->count;
    enum status status = STATUS_OK;
    for (int tries = 1; count > 0; tries++) {
        forget_reasons(pulling);
        memset(flight->outcomes, 0, count * sizeof(*flight->outcomes)); /* KEYED_DONE */
        flight->failed = flight->lost = false;
        mongodb_carry_out(&pulling->lane, flight);
        if (!flight->lost || tries == TRIES_MAX) {
            break;
        }
        atomic_store(&pulling->holds_others, true); /* it may have been done */
        clock_sleep_ms((int64_t)PAUSE_MS * tries);
    }
    if (count > 0 && (flight->failed || flight->lost)) {
        status = error_copy(error, &flight->whole);
    } else if (count > 0 && is_refused(pulling)) {
        status = STATUS_AGAIN;
    }
    pulling->rows += status == STATUS_OK ? count : 0;
    atomic_fetch_add(&pulling->database->report.pulled_rows, status == STATUS_OK ? count : 0);
    pulling->request->count = 0;
    buffer_clear(&pulling->request->body);
    return status;
}

/* STATUS_AGAIN: its first field is not _id. */
static enum status add_document(struct pulling *pulling, const bson_t *document)
{
    struct keyed_request *request = pulling->request;
    struct mongodb_walk walk;
    struct mongodb_element element;
    struct error ignored;
    if (!mongodb_walk_begin(&walk, bson_get_data(document), document->len) ||
        mongodb_walk_next(&walk, &element, &ignored) != STATUS_OK ||
        strcmp(element.name, MONGODB_ID) != 0) {
        return STATUS_AGAIN;
    }
    struct keyed_slot *slot = &request->slots[request->count++];
    slot->offset = (uint32_t)request->body.length;
    slot->length = document->len;
    buffer_append(&request->body, bson_get_data(document), document->len);
    return STATUS_OK;
}

/* A command has no more than the largest document and a little, so that one may go alone. */
static bool has_room(const struct pulling *pulling, size_t length)
{
    const struct keyed_request *request = pulling->request;
    return request->count == 0 || (request->count < MONGODB_RECORDS_MAX &&
                                   request->body.length + length <= MONGODB_REQUEST_BYTES_MAX);
}

/* ---------------------------------------------------------------- a span */

static enum status pull_all(struct pulling *pulling, struct mongodb_find *find, struct error *error)
{
    const bson_t *document = NULL;
    enum status status = STATUS_OK;
    while (status == STATUS_OK &&
           (status = mongodb_find_next(find, &document, error)) == STATUS_OK) {
        if (!has_room(pulling, document->len)) {
            status = put_all(pulling, error);
        }
        status = status == STATUS_OK ? add_document(pulling, document) : status;
    }
    return status == STATUS_END ? put_all(pulling, error) : status;
}

static enum status pull_span(struct pulling *pulling, struct mongodb_database *from,
                             const struct read_request *request, const struct span *span,
                             struct error *error)
{
    struct mongodb_element low;
    struct mongodb_element high;
    bool has_low = false;
    bool has_high = false;
    struct buffer filter = {0};
    struct buffer options = {0};
    struct mongodb_collection collection;
    struct arena *arena = arena_create(0);
    enum status status = mongodb_collection_find(from, request->table, arena, &collection, error);
    if (status == STATUS_OK && (!mongodb_span_read(span, &low, &has_low, &high, &has_high) ||
                                mongodb_span_filter(has_low ? &low : NULL, has_high ? &high : NULL,
                                                    &filter, error) != STATUS_OK)) {
        status =
            error_set(error, ERROR_LEDGER_INVALID, request->table, "a span's bounds are damaged");
    }
    if (status == STATUS_OK) {
        struct mongodb_find find = {.database = from,
                                    .client = mongodb_client_take(from),
                                    .name = request->table,
                                    .as_of_now = collection.facts.capped};
        mongodb_collection_write_options(&collection, from->page_documents, &options);
        status = mongodb_find_begin(&find, &filter, &options, error);
        status = status == STATUS_OK ? pull_all(pulling, &find, error) : status;
        mongodb_find_end(&find);
        mongodb_client_return(from, find.client);
    }
    buffer_free(&options);
    buffer_free(&filter);
    arena_destroy(arena);
    return status;
}

enum status mongodb_express_chunk(struct writer *writer, struct database *source, uint64_t chunk,
                                  const struct read_request *request, const struct span *span,
                                  uint32_t table, uint64_t *rows, struct error *error)
{
    const struct target_table *to = keyed_writer_table(writer, table);
    struct pulling *pulling = NULL;
    (void)chunk;
    *rows = 0;
    if (!to->created || span->bounds_length == 0) {
        return STATUS_AGAIN;
    }
    pulling = memory_allocate_zeroed(1, sizeof(*pulling));
    pulling->database = keyed_writer_database(writer);
    pulling->connection = (struct keyed_connection){.database = mongodb_of(pulling->database),
                                                    .tables = to,
                                                    .holds_others = &pulling->holds_others};
    mongodb_lane_open(&pulling->lane, &pulling->connection);
    pulling->request = memory_allocate_zeroed(
        1, sizeof(*pulling->request) + MONGODB_RECORDS_MAX * sizeof(struct keyed_slot));
    pulling->request->kind = KEYED_PUT;
    pulling->flight.request = pulling->request;
    pulling->flight.count = MONGODB_RECORDS_MAX;
    pulling->flight.outcomes =
        memory_allocate_zeroed(MONGODB_RECORDS_MAX, sizeof(*pulling->flight.outcomes));
    enum status status = pull_span(pulling, mongodb_of(source), request, span, error);
    *rows = pulling->rows;
    atomic_fetch_sub(&pulling->database->report.pulled_rows, pulling->rows);
    forget_reasons(pulling);
    mongodb_lane_close(&pulling->lane);
    buffer_free(&pulling->request->body);
    free(pulling->flight.outcomes);
    free(pulling->request);
    free(pulling);
    return status;
}
