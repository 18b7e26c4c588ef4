/*
 * One request as a command, and its answer as outcomes.
 *
 *   PUT      insert, where hardly any document should be there; what is there already is then
 *            replaced:  update {q: {_id}, u: document, upsert: true}
 *   INSERT   insert
 *   UPDATE   update, as it was encoded
 *   DELETE   delete {q: {_id}, limit: 1}
 *   LOOK     find {_id}, compared byte by byte
 *
 * All are unordered: the error of one document does not keep back the others.
 */
#include "connectors/mongodb/send.h"

#include "base/memory.h"
#include "base/text.h"
#include "connectors/common/lease.h"
#include <stdlib.h>

/* Codes of errors of single documents;
 * https://github.com/mongodb/mongo/blob/v6.0/src/mongo/base/error_codes.yml */
enum document_code {
    CODE_TOO_LARGE = 10334,
    CODE_TOO_LARGE_RESULT = 17419,
    CODE_TOO_LARGE_INSERT = 17420
};

/* Documents of a request that are sent together: their places in it, in order. */
struct picked {
    const uint32_t *places; /* NULL: all of them */
    uint32_t count;
};

static uint32_t place_of(const struct picked *picked, uint32_t at)
{
    return picked->places != NULL ? picked->places[at] : at;
}

static struct text record_of(const struct mongodb_flight *flight, uint32_t at)
{
    const struct keyed_slot *slot = &flight->request->slots[at];
    return (struct text){flight->request->body.data + slot->offset, slot->length};
}

/* ---------------------------------------------------------------- commands */

/* The element _id of a document, which is its first one. */
static struct text id_of(struct text document)
{
    struct mongodb_walk walk;
    struct mongodb_element element;
    struct error ignored;
    if (!mongodb_walk_begin(&walk, (const uint8_t *)document.data, document.length) ||
        mongodb_walk_next(&walk, &element, &ignored) != STATUS_OK) {
        return (struct text){"", 0};
    }
    return (struct text){(const char *)element.whole, element.whole_length};
}

/* A field that begins with $ makes an update's document one of operators. */
static bool looks_like_operators(struct text document)
{
    struct mongodb_walk walk;
    struct mongodb_element element;
    struct error ignored;
    bool found = false;
    if (mongodb_walk_begin(&walk, (const uint8_t *)document.data, document.length)) {
        while (!found && mongodb_walk_next(&walk, &element, &ignored) == STATUS_OK) {
            found = element.name[0] == '$';
        }
    }
    return found;
}

static void append_raw(struct buffer *out, const char *name, size_t length, struct text document)
{
    mongodb_write_head(out, BSON_TYPE_DOCUMENT, name, length);
    buffer_append(out, document.data, document.length);
}

static void append_filter(struct buffer *out, struct text document)
{
    struct text id = id_of(document);
    size_t filter = mongodb_write_open(out, "q", BSON_TYPE_DOCUMENT);
    buffer_append(out, id.data, id.length);
    mongodb_write_end(out, filter);
}

/* The document in the place of what is there, or of nothing. */
static void append_replacement(struct buffer *out, const char *digits, struct text document)
{
    size_t item = mongodb_write_open(out, digits, BSON_TYPE_DOCUMENT);
    append_filter(out, document);
    if (looks_like_operators(document)) {
        size_t pipeline = mongodb_write_open(out, "u", BSON_TYPE_ARRAY);
        size_t stage = mongodb_write_open(out, "0", BSON_TYPE_DOCUMENT);
        size_t replace = mongodb_write_open(out, "$replaceWith", BSON_TYPE_DOCUMENT);
        append_raw(out, "$literal", strlen("$literal"), document);
        mongodb_write_end(out, replace);
        mongodb_write_end(out, stage);
        mongodb_write_end(out, pipeline);
    } else {
        append_raw(out, "u", 1, document);
    }
    mongodb_write_bool(out, "upsert", true);
    mongodb_write_end(out, item);
}

static void append_deletion(struct buffer *out, const char *digits, struct text document)
{
    size_t item = mongodb_write_open(out, digits, BSON_TYPE_DOCUMENT);
    append_filter(out, document);
    mongodb_write_int32(out, "limit", 1);
    mongodb_write_end(out, item);
}

enum verb { VERB_INSERT, VERB_REPLACE, VERB_UPDATE, VERB_DELETE };

static void write_command(struct mongodb_lane *lane, const struct mongodb_flight *flight,
                          enum verb verb, const struct picked *picked)
{
    static const char *const names[] = {"insert", "update", "update", "delete"};
    static const char *const lists[] = {"documents", "updates", "updates", "deletes"};
    const char *table = lane->connection->tables[flight->request->table].name;
    struct buffer *out = &lane->command;
    char digits[12];
    buffer_clear(out);
    size_t command = mongodb_write_begin(out);
    mongodb_write_text(out, names[verb], table, strlen(table));
    mongodb_write_bool(out, "ordered", false);
    mongodb_write_concern(out);
    if (lane->session != NULL) {
        mongodb_write_int64(out, "txnNumber", ++lane->number);
    }
    size_t list = mongodb_write_open(out, lists[verb], BSON_TYPE_ARRAY);
    for (uint32_t at = 0; at < picked->count; at++) {
        struct text document = record_of(flight, place_of(picked, at));
        size_t width = mongodb_write_index(at, digits);
        if (verb == VERB_REPLACE) {
            append_replacement(out, digits, document);
        } else if (verb == VERB_DELETE) {
            append_deletion(out, digits, document);
        } else {
            append_raw(out, digits, width, document);
        }
    }
    mongodb_write_end(out, list);
    mongodb_write_end(out, command);
}

/* ---------------------------------------------------------------- answers */

/* An error that concerns one document. */
struct document_error {
    uint32_t at; /* in the command */
    int64_t code;
    const char *message;
    bool of_id; /* a document with that _id is there */
};

/* Is it the index of _id that a message names, whatever names other indexes have? MongoDB names it
 * behind the collection, DocumentDB at the message's end. */
static bool tells_of_id(const struct mongodb_lane *lane, const char *table, const char *message)
{
    static const char quoted[] = "Index '_id_'";
    size_t length = strlen(message);
    size_t tail = sizeof(quoted) - 1;
    char *plain =
        memory_format("E11000 duplicate key error collection: %s.%s index: _id_ dup key: ",
                      lane->connection->database->name, table);
    bool found = strncmp(message, plain, strlen(plain)) == 0 ||
                 (length >= tail && strcmp(message + length - tail, quoted) == 0);
    free(plain);
    return found;
}

static bool is_of_id(const struct mongodb_lane *lane, const char *table, const bson_iter_t *error,
                     const char *message)
{
    bson_iter_t field;
    bson_iter_t pattern;
    if (bson_iter_recurse(error, &field) && bson_iter_find(&field, "keyPattern") &&
        BSON_ITER_HOLDS_DOCUMENT(&field) && bson_iter_recurse(&field, &pattern) &&
        bson_iter_next(&pattern)) {
        return strcmp(bson_iter_key(&pattern), MONGODB_ID) == 0 && !bson_iter_next(&pattern);
    }
    return tells_of_id(lane, table, message);
}

static bool read_error(const struct mongodb_lane *lane, const char *table, const bson_iter_t *at,
                       struct document_error *error)
{
    bson_iter_t field;
    *error = (struct document_error){.message = "the server refused the document"};
    if (!BSON_ITER_HOLDS_DOCUMENT(at) || !bson_iter_recurse(at, &field)) {
        return false;
    }
    while (bson_iter_next(&field)) {
        const char *name = bson_iter_key(&field);
        if (strcmp(name, "index") == 0) {
            error->at = (uint32_t)bson_iter_as_int64(&field);
        } else if (strcmp(name, "code") == 0) {
            error->code = bson_iter_as_int64(&field);
        } else if (strcmp(name, "errmsg") == 0 && BSON_ITER_HOLDS_UTF8(&field)) {
            error->message = bson_iter_utf8(&field, NULL);
        }
    }
    error->of_id =
        error->code == MONGODB_DUPLICATE_KEY && is_of_id(lane, table, at, error->message);
    return true;
}

/* Is it the document that the server does not take? All else is the server's own trouble, which no
 * document is rejected for. */
static bool is_of_document(int64_t code)
{
    static const int64_t codes[] = {2,     9,     14,    28,    40,    51,   52,    53,
                                    54,    55,    56,    57,    66,    121,  10334, 11000,
                                    11001, 12582, 16755, 17280, 17419, 17420};
    bool found = false;
    for (size_t at = 0; at < sizeof codes / sizeof codes[0]; at++) {
        found = found || codes[at] == code;
    }
    return found;
}

static bool is_too_large(int64_t code)
{
    return code == CODE_TOO_LARGE || code == CODE_TOO_LARGE_RESULT || code == CODE_TOO_LARGE_INSERT;
}

/* The outcome of a document that the server refused. */
static enum keyed_outcome outcome_of(const struct mongodb_lane *lane, enum verb verb,
                                     const struct document_error *error, struct error *reason)
{
    const struct mongodb_database *self = lane->connection->database;
    error_clear(reason);
    if (error->of_id) { /* of an upsert: another one came between its look and its insert */
        error_set(reason, ERROR_NETWORK, NULL, "%s", error->message);
        return verb == VERB_INSERT ? KEYED_OCCUPIED : KEYED_AGAIN;
    }
    (void)mongodb_failure_of_code(self, error->code, error->message, NULL, reason);
    if (reason->class == ERROR_CLASS_RETRY) {
        return KEYED_AGAIN;
    }
    error_set(reason, is_too_large(error->code) ? ERROR_REJECT_TOO_LARGE : ERROR_REJECT_CONSTRAINT,
              NULL, "%s", error->message);
    reason->native_code = error->code;
    return KEYED_REFUSED;
}

/* Sets the outcomes of those that the reply tells of, and counts those that were occupied; of the
 * others they are as they were. */
static enum status take_errors(struct mongodb_lane *lane, struct mongodb_flight *flight,
                               enum verb verb, const struct picked *picked, const bson_t *reply,
                               uint32_t *occupied, struct error *why)
{
    bson_iter_t list;
    bson_iter_t at;
    struct document_error error;
    struct error reason;
    const char *table = lane->connection->tables[flight->request->table].name;
    if (!bson_iter_init_find(&list, reply, "writeErrors") || !BSON_ITER_HOLDS_ARRAY(&list) ||
        !bson_iter_recurse(&list, &at)) {
        return STATUS_OK;
    }
    while (bson_iter_next(&at)) {
        if (!read_error(lane, table, &at, &error) || error.at >= picked->count) {
            continue;
        }
        enum keyed_outcome outcome = outcome_of(lane, verb, &error, &reason);
        *occupied += outcome == KEYED_OCCUPIED;
        if (outcome == KEYED_REFUSED && !is_of_document(error.code)) {
            error_set(why, ERROR_TARGET_WRITE, NULL, "%s", error.message);
            why->native_code = error.code;
            return STATUS_FAILED;
        }
        mongodb_note_record(flight, place_of(picked, error.at), outcome,
                            outcome == KEYED_OCCUPIED ? NULL : &reason);
    }
    return STATUS_OK;
}

static void carry_fail(struct mongodb_flight *flight, const struct error *why)
{
    flight->whole = *why;
    flight->lost = why->class == ERROR_CLASS_RETRY;
    flight->throttled = why->code == ERROR_TARGET_THROTTLED;
    flight->failed = !flight->lost;
}

/*
 * Sends a command and waits for its answer; in a session once more after a failure that may pass,
 * under the same number, by which the server knows what it has done.
 * https://github.com/mongodb/specifications/blob/master/source/retryable-writes/retryable-writes.md
 */
static enum status carry_call(struct mongodb_lane *lane, const bson_t *command, bson_t *reply,
                              struct error *why)
{
    struct mongodb_database *self = lane->connection->database;
    bool claimed = self->keyed.room.run_id != NULL;
    enum status status = STATUS_FAILED;
    bson_init(reply);
    for (int tries = 0; tries < (lane->session != NULL ? 2 : 1); tries++) {
        if (claimed &&
            lease_check(&self->keyed.base, self->keyed.room.timeout_ms, why) != STATUS_OK) {
            break;
        }
        bson_destroy(reply);
        status =
            mongodb_call(self, lane->client, MONGODB_WRITE, command, lane->options, reply, why);
        if (status == STATUS_OK || why->code != ERROR_NETWORK) {
            break;
        }
    }
    return status;
}

/* Sends one command about the picked documents. False: the flight failed or is lost. */
static bool carry(struct mongodb_lane *lane, struct mongodb_flight *flight, enum verb verb,
                  const struct picked *picked, uint32_t *occupied)
{
    struct error why;
    bson_t view;
    bson_t reply;
    error_clear(&why);
    *occupied = 0;
    write_command(lane, flight, verb, picked);
    mongodb_write_view(&lane->command, &view);
    enum status status = carry_call(lane, &view, &reply, &why);
    if (status == STATUS_OK) {
        status = take_errors(lane, flight, verb, picked, &reply, occupied, &why);
        if (status == STATUS_OK && bson_has_field(&reply, "writeConcernError")) {
            status = error_set(&why, ERROR_NETWORK, NULL,
                               "not as many servers acknowledged the write as should");
        }
    }
    bson_destroy(&reply);
    if (status == STATUS_FAILED && picked->count == 1 && is_too_large(why.native_code)) {
        error_recode(&why, ERROR_REJECT_TOO_LARGE); /* its key is twice in the command */
        mongodb_note_record(flight, place_of(picked, 0), KEYED_REFUSED, &why);
        return true;
    }
    if (status != STATUS_OK) {
        carry_fail(flight, &why);
    }
    return status == STATUS_OK;
}

/* ---------------------------------------------------------------- puts */

/* Replaces the documents whose _id an insert found occupied. */
static void replace_occupied(struct mongodb_lane *lane, struct mongodb_flight *flight,
                             uint32_t occupied)
{
    uint32_t count = 0;
    uint32_t *places = memory_allocate_zeroed(occupied, sizeof(*places));
    for (uint32_t at = 0; at < flight->request->count && count < occupied; at++) {
        if (flight->outcomes[at] == KEYED_OCCUPIED) {
            flight->outcomes[at] = KEYED_DONE;
            places[count++] = at;
        }
    }
    const struct picked picked = {places, count};
    (void)carry(lane, flight, VERB_REPLACE, &picked, &occupied);
    free(places);
}

static void carry_put(struct mongodb_lane *lane, struct mongodb_flight *flight)
{
    atomic_bool *holds_others = &lane->connection->holds_others[flight->request->table];
    const struct picked all = {NULL, flight->request->count};
    uint32_t occupied = 0;
    if (atomic_load(holds_others)) {
        (void)carry(lane, flight, VERB_REPLACE, &all, &occupied);
    } else if (carry(lane, flight, VERB_INSERT, &all, &occupied) && occupied > 0) {
        if (occupied > flight->request->count / 2) {
            atomic_store(holds_others, true);
        }
        replace_occupied(lane, flight, occupied);
    }
}

/* ---------------------------------------------------------------- looks */

static void carry_look(struct mongodb_lane *lane, struct mongodb_flight *flight)
{
    struct mongodb_database *self = lane->connection->database;
    const char *table = lane->connection->tables[flight->request->table].name;
    struct text document = record_of(flight, 0);
    struct buffer filter = {0};
    const bson_t *found = NULL;
    const bson_t *reply = NULL;
    bson_error_t what;
    bson_t view;
    struct text id = id_of(document);
    size_t begin = mongodb_write_begin(&filter);
    buffer_append(&filter, id.data, id.length);
    mongodb_write_end(&filter, begin);
    mongodb_write_view(&filter, &view);
    mongoc_collection_t *collection = mongoc_client_get_collection(lane->client, self->name, table);
    mongoc_cursor_t *cursor = mongoc_collection_find_with_opts(collection, &view, NULL, NULL);
    flight->outcomes[0] = KEYED_GONE;
    if (mongoc_cursor_next(cursor, &found)) {
        bool same = found->len == document.length &&
                    memcmp(bson_get_data(found), document.data, document.length) == 0;
        flight->outcomes[0] = same ? KEYED_DONE : KEYED_OCCUPIED;
    } else if (mongoc_cursor_error_document(cursor, &what, &reply)) {
        struct error why;
        (void)mongodb_failure(self, &what, reply, table, &why);
        carry_fail(flight, &why);
    }
    mongoc_cursor_destroy(cursor);
    mongoc_collection_destroy(collection);
    buffer_free(&filter);
}

/* ---------------------------------------------------------------- all kinds */

void mongodb_carry_out(struct mongodb_lane *lane, struct mongodb_flight *flight)
{
    const struct picked all = {NULL, flight->request->count};
    uint32_t occupied = 0;
    switch (flight->request->kind) {
    case KEYED_PUT:
        carry_put(lane, flight);
        return;
    case KEYED_LOOK:
        carry_look(lane, flight);
        return;
    case KEYED_INSERT:
        (void)carry(lane, flight, VERB_INSERT, &all, &occupied);
        return;
    case KEYED_UPDATE:
        (void)carry(lane, flight, VERB_UPDATE, &all, &occupied);
        return;
    default:
        (void)carry(lane, flight, VERB_DELETE, &all, &occupied);
        return;
    }
}
