/* The ledger's texts, made and read back; how they look is in ledger.h. */
#include "engine/ledger/ledger_texts.h"

#include "base/clock.h"
#include "base/secret.h"
#include "base/text.h"
#include "engine/ledger/json_text.h"
#include "engine/ledger/ledger_tables.h"
#include "model/json_reader.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const phase_names[] = {"prepared", "copying",   "loaded",    "indexed",
                                          "settled",  "following", "completed", "rolling_back"};
enum { PHASE_COUNT = sizeof(phase_names) / sizeof(phase_names[0]) };

const char *ledger_phase_name(enum ledger_phase phase)
{
    return phase_names[phase];
}

/* ---- header */

static json_t *redacted(const char *text)
{
    char *copy = text == NULL ? NULL : secret_redact_copy(text);
    json_t *made = json_text(copy);
    free(copy);
    return made;
}

/* NULL once a part could not be added: what is made of it is not written. */
static json_t *unless(json_t *object, bool failed)
{
    if (failed) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *streams_make(const struct ledger_header *header)
{
    json_t *streams = json_array();
    bool failed = false;
    for (uint32_t i = 0; i < header->stream_count; i++) {
        const struct ledger_stream_facts *facts = &header->streams[i];
        failed |= json_array_append_new(
                      streams, json_pack("{s:o,s:b,s:I}", "name", json_text(facts->name), "keyed",
                                         facts->keyed, "records", (json_int_t)facts->records)) != 0;
    }
    return unless(streams, failed);
}

static json_t *tables_make(const struct ledger_header *header)
{
    json_t *tables = json_array();
    bool failed = false;
    for (uint32_t i = 0; i < header->absent_count; i++) {
        failed |= json_array_append_new(tables, json_text(header->absent_tables[i])) != 0;
    }
    return unless(tables, failed);
}

static const char *keep_text(const json_t *object, const char *name, struct arena *arena)
{
    const char *text = json_member_text(object, name, NULL);
    return text == NULL ? NULL : arena_copy_string(arena, text);
}

static json_t *feed_make(const struct ledger_header *header)
{
    struct buffer start = {0};
    json_append_base64(&start, header->feed_start.bytes, header->feed_start.length);
    json_t *made = json_pack("{s:s,s:s#}", "name", header->feed, "start", start.data + 1,
                             (int)start.length - 2);
    buffer_free(&start);
    if (header->reverse_of != NULL) {
        json_object_set_new(made, "reverse_of", json_text(header->reverse_of));
    }
    return made;
}

static enum status feed_read(const json_t *object, struct arena *arena,
                             struct ledger_header *header, struct error *error)
{
    const json_t *feed = json_object_get(object, "feed");
    const char *start = json_member_text(feed, "start", NULL);
    uint8_t *bytes = NULL;
    size_t length = 0;
    if (feed == NULL) {
        return STATUS_OK;
    }
    header->feed = keep_text(feed, "name", arena);
    header->reverse_of = keep_text(feed, "reverse_of", arena);
    if (header->feed == NULL || start == NULL ||
        json_decode_base64(start, strlen(start), arena, &bytes, &length, error) != STATUS_OK) {
        return error_set(error, ERROR_LEDGER_INVALID, "ledger header",
                         "is damaged: where its feed begins can't be read");
    }
    header->feed_start = (struct position){bytes, (uint32_t)length};
    return STATUS_OK;
}

enum status ledger_header_make(const struct ledger_header *header, struct arena *arena,
                               const char **text, struct error *error)
{
    json_t *object = json_pack(
        "{s:i,s:s,s:o,s:o,s:o,s:{s:o,s:o,s:o},s:{s:o,s:o},s:o,s:o,s:o,s:o,s:o,s:o}", "format",
        CONTROL_FORMAT, "version", TRANSHUME_VERSION, "run", json_text(header->run_id), "kind",
        json_text(header->kind), "created_at", json_stamp(clock_utc_us()), "source", "uri",
        json_text(header->source_uri), "identity", json_text(header->source_identity),
        "fingerprint", json_text(header->fingerprint), "target", "uri",
        json_text(header->target_uri), "identity", json_text(header->target_identity), "snapshot",
        json_text(header->snapshot), "plan", redacted(header->plan_text), "mapping",
        json_text(header->mapping_text), "mapping_hash", json_text(header->mapping_hash), "streams",
        streams_make(header), "absent_tables", tables_make(header));
    bool failed = object != NULL &&
                  json_object_set_new(object, "schema", json_text(header->schema_text)) != 0;
    if (object != NULL && header->tables != NULL) {
        failed |= json_object_set_new(object, "tables", ledger_tables_make(header)) != 0;
    }
    if (object != NULL && header->renumber != NULL) {
        failed |= json_object_set(object, "renumbered", header->renumber) != 0;
    }
    if (object != NULL && header->rebuilds_indexes) {
        failed |= json_object_set_new(object, "indexes", json_string("rebuild")) != 0;
    }
    if (object != NULL && header->disables_triggers) {
        failed |= json_object_set_new(object, "triggers", json_string("disable")) != 0;
    }
    if (object != NULL && header->cascades_in_target) {
        failed |= json_object_set_new(object, "cascades", json_string("target")) != 0;
    }
    if (object != NULL && header->follow_triggers != NULL) {
        failed |= json_object_set_new(object, "follow_triggers",
                                      json_string(header->follow_triggers)) != 0;
    }
    if (object != NULL && header->rejects_orphans) {
        failed |= json_object_set_new(object, "broken_references", json_string("reject")) != 0;
    }
    if (object != NULL && header->carries_rights) {
        failed |= json_object_set_new(object, "grants", json_true()) != 0;
    }
    if (object != NULL && header->definer_self) {
        failed |= json_object_set_new(object, "definer", json_string("self")) != 0;
    }
    if (object != NULL && header->sample_rows > 0) {
        failed |= json_object_set_new(object, "sample_rows",
                                      json_integer((json_int_t)header->sample_rows)) != 0;
        failed |= json_object_set_new(object, "sample_seed",
                                      json_integer((json_int_t)header->sample_seed)) != 0;
    }
    if (object != NULL && header->parts != NULL) {
        failed |= json_object_set_new(object, "parts", json_string(header->parts)) != 0;
    }
    if (object != NULL && header->schemas.count > 0) {
        failed |=
            json_object_set_new(object, "schemas",
                                json_texts(header->schemas.names, header->schemas.count)) != 0;
    }
    if (object != NULL && header->takes_out) {
        failed |= json_object_set_new(object, "takes_out", json_true()) != 0;
    }
    if (object != NULL && header->keeps_taken) {
        failed |= json_object_set_new(object, "keeps_taken", json_true()) != 0;
    }
    if (object != NULL && header->delete_hash != NULL) {
        failed |= json_object_set_new(object, "delete", json_text(header->delete_hash)) != 0;
    }
    if (object != NULL && header->feed != NULL) {
        failed |= json_object_set_new(object, "feed", feed_make(header)) != 0;
    }
    if (object != NULL && header->before_id != NULL) {
        failed |= json_object_set_new(object, "before", json_text(header->before_id)) != 0;
    }
    if (object != NULL && header->since_count > 0) {
        failed |= json_object_set_new(object, "since", ledger_since_make(header)) != 0;
    }
    if (object != NULL && header->input_hash != NULL) {
        failed |= json_object_set_new(object, "input",
                                      json_pack("{s:s,s:I}", "xxh3", header->input_hash, "bytes",
                                                (json_int_t)header->input_bytes)) != 0;
    }
    return json_to_arena(unless(object, failed), arena, text, error);
}

static void renumbered_read(json_t *object, struct arena *arena, struct ledger_header *header)
{
    json_t *tables = json_object_get(object, "renumbered");
    const char *table;
    json_t *by;
    header->renumbered =
        arena_allocate_zeroed(arena, json_object_size(tables) + 1, sizeof *header->renumbered);
    json_object_foreach(tables, table, by)
    {
        header->renumbered[header->renumbered_count++] = (struct ledger_renumbered){
            .table = arena_copy_string(arena, table), .by = json_integer_value(by)};
    }
}

static enum status header_lists_read(const json_t *object, struct arena *arena,
                                     struct ledger_header *header, struct error *error)
{
    const json_t *streams = json_object_get(object, "streams");
    const json_t *absent = json_object_get(object, "absent_tables");
    header->stream_count = (uint32_t)json_array_size(streams);
    header->absent_count = (uint32_t)json_array_size(absent);
    header->streams = arena_allocate_zeroed(arena, header->stream_count, sizeof(*header->streams));
    header->absent_tables = arena_allocate_zeroed(arena, header->absent_count, sizeof(char *));
    if (header->streams == NULL || header->absent_tables == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for the ledger's header");
    }
    for (uint32_t i = 0; i < header->stream_count; i++) {
        const json_t *stream = json_array_get(streams, i);
        header->streams[i] =
            (struct ledger_stream_facts){.name = keep_text(stream, "name", arena),
                                         .keyed = json_member_true(stream, "keyed"),
                                         .records = json_member_integer(stream, "records", -1)};
    }
    for (uint32_t i = 0; i < header->absent_count; i++) {
        const char *name = json_string_value(json_array_get(absent, i));
        header->absent_tables[i] = arena_copy_string(arena, name == NULL ? "" : name);
    }
    return STATUS_OK;
}

static struct column_list schemas_read(const json_t *object, struct arena *arena)
{
    const json_t *list = json_object_get(object, "schemas");
    uint32_t count = (uint32_t)json_array_size(list);
    const char **names = arena_allocate_zeroed(arena, count + 1u, sizeof(*names));
    for (uint32_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        names[i] = arena_copy_string(arena, name == NULL ? "" : name);
    }
    return (struct column_list){names, count};
}

enum status ledger_header_read(const char *text, struct arena *arena, struct ledger_header *header,
                               struct error *error)
{
    json_t *object;
    if (json_from_text(text, "ledger header", ERROR_LEDGER_INVALID, &object, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const json_t *source = json_object_get(object, "source");
    const json_t *target = json_object_get(object, "target");
    const json_t *input = json_object_get(object, "input");
    *header = (struct ledger_header){
        .run_id = keep_text(object, "run", arena),
        .kind = keep_text(object, "kind", arena),
        .source_uri = keep_text(source, "uri", arena),
        .source_identity = keep_text(source, "identity", arena),
        .fingerprint = keep_text(source, "fingerprint", arena),
        .target_uri = keep_text(target, "uri", arena),
        .target_identity = keep_text(target, "identity", arena),
        .snapshot = keep_text(object, "snapshot", arena),
        .schema_text = keep_text(object, "schema", arena),
        .plan_text = keep_text(object, "plan", arena),
        .mapping_text = keep_text(object, "mapping", arena),
        .mapping_hash = keep_text(object, "mapping_hash", arena),
        .input_hash = keep_text(input, "xxh3", arena),
        .input_bytes = json_member_integer(input, "bytes", 0),
        .delete_hash = keep_text(object, "delete", arena),
        .rebuilds_indexes = strcmp(json_member_text(object, "indexes", ""), "rebuild") == 0,
        .disables_triggers = strcmp(json_member_text(object, "triggers", ""), "disable") == 0,
        .cascades_in_target = strcmp(json_member_text(object, "cascades", ""), "target") == 0,
        .follow_triggers = keep_text(object, "follow_triggers", arena),
        .rejects_orphans = strcmp(json_member_text(object, "broken_references", ""), "reject") == 0,
        .carries_rights = json_member_true(object, "grants"),
        .definer_self = strcmp(json_member_text(object, "definer", ""), "self") == 0,
        .sample_rows = (uint64_t)json_member_integer(object, "sample_rows", 0),
        .sample_seed = (uint64_t)json_member_integer(object, "sample_seed", 0),
        .parts = keep_text(object, "parts", arena),
        .takes_out = json_member_true(object, "takes_out"),
        .keeps_taken = json_member_true(object, "keeps_taken"),
        .before_id = keep_text(object, "before", arena),
    };
    enum status status = header_lists_read(object, arena, header, error);
    renumbered_read(object, arena, header);
    header->schemas = schemas_read(object, arena);
    status = status == STATUS_OK ? ledger_tables_read(object, arena, header, error) : status;
    status = status == STATUS_OK ? feed_read(object, arena, header, error) : status;
    status = status == STATUS_OK ? ledger_since_read(object, arena, header, error) : status;
    if (status == STATUS_OK &&
        (header->run_id == NULL || header->kind == NULL || header->source_identity == NULL ||
         header->fingerprint == NULL || header->target_identity == NULL ||
         header->mapping_hash == NULL || header->mapping_text == NULL)) {
        status = error_set(error, ERROR_LEDGER_INVALID, "ledger header",
                           "is damaged: a part that each run has is missing");
    }
    json_decref(object);
    return status;
}

/* ---- status */

enum status ledger_status_init(struct ledger_status *status, struct error *error)
{
    *status = (struct ledger_status){.created = json_array(),
                                     .attempts = json_array(),
                                     .errors = json_array(),
                                     .doubtful = json_array(),
                                     .started_us = clock_utc_us()};
    return status->created != NULL && status->attempts != NULL && status->errors != NULL &&
                   status->doubtful != NULL
               ? STATUS_OK
               : error_set(error, ERROR_MEMORY, NULL, "no memory for the run's status");
}

void ledger_status_free(struct ledger_status *status)
{
    json_decref(status->created);
    json_decref(status->attempts);
    json_decref(status->errors);
    json_decref(status->settled);
    json_decref(status->doubtful);
    json_decref(status->undone);
    json_decref(status->differing);
    json_decref(status->taken);
    json_decref(status->unfilled);
    json_decref(status->not_carried);
    json_decref(status->rights);
    json_decref(status->strangers);
    json_decref(status->repairs);
    *status = (struct ledger_status){0};
}

static json_t *keep_array(const json_t *object, const char *name)
{
    json_t *array = json_object_get(object, name);
    return json_is_array(array) ? json_incref(array) : json_array();
}

enum status ledger_status_read(const char *text, struct ledger_status *status, struct error *error)
{
    json_t *object;
    if (json_from_text(text, "ledger status", ERROR_LEDGER_INVALID, &object, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const char *phase = json_member_text(object, "phase", "");
    int number = 0;
    while (number < PHASE_COUNT && strcmp(phase_names[number], phase) != 0) {
        number++;
    }
    if (number == PHASE_COUNT) {
        error_set(error, ERROR_LEDGER_INVALID, "ledger status",
                  "is damaged: there is no phase '%s'", phase);
        json_decref(object);
        return STATUS_FAILED;
    }
    json_t *settled = json_object_get(object, "settled");
    json_t *undone = json_object_get(object, "undone");
    json_t *differing = json_object_get(object, "differing");
    json_t *taken = json_object_get(object, "taken");
    json_t *unfilled = json_object_get(object, "unfilled");
    json_t *not_carried = json_object_get(object, "not_carried");
    json_t *rights = json_object_get(object, "rights");
    json_t *strangers = json_object_get(object, "strangers");
    json_t *repairs = json_object_get(object, "repairs");
    *status = (struct ledger_status){
        .phase = (enum ledger_phase)number,
        .mixed_snapshot = json_member_true(object, "mixed_snapshot"),
        .no_snapshot = json_member_true(object, "no_snapshot"),
        .started_us = json_member_integer(object, "started_us", 0),
        .ended_us = json_member_integer(object, "ended_us", 0),
        .created = keep_array(object, "created"),
        .attempts = keep_array(object, "attempts"),
        .errors = keep_array(object, "errors"),
        .doubtful = keep_array(object, "doubtful"),
        .settled = json_is_object(settled) ? json_incref(settled) : NULL,
        .undone = json_is_array(undone) ? json_incref(undone) : NULL,
        .differing = json_is_object(differing) ? json_incref(differing) : NULL,
        .taken = json_is_object(taken) ? json_incref(taken) : NULL,
        .repairs = json_is_string(repairs) ? json_incref(repairs) : NULL,
        .not_carried = json_is_array(not_carried) ? json_incref(not_carried) : NULL,
        .rights = json_is_array(rights) ? json_incref(rights) : NULL,
        .strangers = json_is_object(strangers) ? json_incref(strangers) : NULL,
        .unfilled = json_is_array(unfilled) ? json_incref(unfilled) : NULL,
        .deleted = json_member_true(object, "deleted"),
        .before_lost = json_member_true(object, "before_lost"),
        .broken_references = (uint32_t)json_member_integer(object, "broken_references", 0),
        .left_references = (uint32_t)json_member_integer(object, "left_references", 0),
    };
    json_decref(object);
    if (status->created == NULL || status->attempts == NULL || status->errors == NULL ||
        status->doubtful == NULL) {
        ledger_status_free(status);
        return error_set(error, ERROR_MEMORY, NULL, "no memory for the run's status");
    }
    return STATUS_OK;
}

enum status ledger_status_make(const struct ledger_status *status, struct arena *arena,
                               const char **text, struct error *error)
{
    json_t *object = json_pack(
        "{s:i,s:s,s:b,s:b,s:I,s:I,s:o,s:o,s:O,s:O,s:O}", "format", CONTROL_FORMAT, "phase",
        phase_names[status->phase], "mixed_snapshot", status->mixed_snapshot, "no_snapshot",
        status->no_snapshot, "started_us", (json_int_t)status->started_us, "ended_us",
        (json_int_t)status->ended_us, "started_at", json_stamp(status->started_us), "ended_at",
        json_stamp(status->ended_us), "created", status->created, "attempts", status->attempts,
        "errors", status->errors);
    bool failed = status->incomplete;
    if (object != NULL && json_array_size(status->doubtful) > 0) {
        failed |= json_object_set(object, "doubtful", status->doubtful) != 0;
    }
    if (object != NULL && status->settled != NULL) {
        failed |= json_object_set(object, "settled", status->settled) != 0;
    }
    if (object != NULL && status->undone != NULL) {
        failed |= json_object_set(object, "undone", status->undone) != 0;
    }
    if (object != NULL && status->differing != NULL) {
        failed |= json_object_set(object, "differing", status->differing) != 0;
    }
    if (object != NULL && status->taken != NULL) {
        failed |= json_object_set(object, "taken", status->taken) != 0;
    }
    if (object != NULL && status->unfilled != NULL) {
        failed |= json_object_set(object, "unfilled", status->unfilled) != 0;
    }
    if (object != NULL && status->repairs != NULL) {
        failed |= json_object_set(object, "repairs", status->repairs) != 0;
    }
    if (object != NULL && json_object_size(status->strangers) > 0) {
        failed |= json_object_set(object, "strangers", status->strangers) != 0;
    }
    if (object != NULL && json_array_size(status->not_carried) > 0) {
        failed |= json_object_set(object, "not_carried", status->not_carried) != 0;
    }
    if (object != NULL && json_array_size(status->rights) > 0) {
        failed |= json_object_set(object, "rights", status->rights) != 0;
    }
    if (object != NULL && status->deleted) {
        failed |= json_object_set_new(object, "deleted", json_true()) != 0;
    }
    if (object != NULL && status->before_lost) {
        failed |= json_object_set_new(object, "before_lost", json_true()) != 0;
    }
    if (object != NULL && status->broken_references > 0) {
        failed |= json_object_set_new(object, "broken_references",
                                      json_integer(status->broken_references)) != 0;
    }
    if (object != NULL && status->left_references > 0) {
        failed |= json_object_set_new(object, "left_references",
                                      json_integer(status->left_references)) != 0;
    }
    return json_to_arena(unless(object, failed), arena, text, error);
}

static void ledger_texts_add(struct ledger_status *status, json_t *array, json_t *item)
{
    status->incomplete |= json_array_append_new(array, item) != 0;
}

void ledger_status_begin_attempt(struct ledger_status *status, uint64_t epoch, const char *snapshot,
                                 uint32_t hands)
{
    ledger_texts_add(status, status->attempts,
                     json_pack("{s:I,s:o,s:o,s:I}", "epoch", (json_int_t)epoch, "at",
                               json_stamp(clock_utc_us()), "snapshot", json_text(snapshot), "hands",
                               (json_int_t)hands));
}

void ledger_status_note_connection(struct ledger_status *status, const char *name,
                                   json_t *connection)
{
    size_t count = json_array_size(status->attempts);
    if (connection != NULL) {
        status->incomplete |=
            json_object_set_new(json_array_get(status->attempts, count - 1), name, connection) != 0;
    }
}

uint32_t ledger_status_hands(const struct ledger_status *status)
{
    size_t count = json_array_size(status->attempts);
    int64_t hands =
        count == 0 ? 0
                   : json_member_integer(json_array_get(status->attempts, count - 1), "hands", 0);
    return hands < 0 || hands > UINT32_MAX ? 0 : (uint32_t)hands;
}

void ledger_status_add_doubtful(struct ledger_status *status, uint64_t chunk)
{
    size_t index;
    json_t *number;
    json_array_foreach(status->doubtful, index, number)
    {
        if (json_integer_value(number) == (json_int_t)chunk) {
            return;
        }
    }
    ledger_texts_add(status, status->doubtful, json_integer((json_int_t)chunk));
}

void ledger_status_end_attempt(struct ledger_status *status, const char *end)
{
    size_t count = json_array_size(status->attempts);
    if (count > 0) {
        json_t *last = json_array_get(status->attempts, count - 1);
        status->incomplete |=
            json_object_set_new(last, "end", json_string(end)) != 0 ||
            json_object_set_new(last, "ended_at", json_stamp(clock_utc_us())) != 0;
    }
}

void ledger_status_add_error(struct ledger_status *status, const struct error *error)
{
    char message[1500];
    snprintf(message, sizeof(message), "%s%s%s: %s", error->context, error->object,
             error->object[0] == '\0' ? "run" : "", error->message);
    secret_redact(message);
    if (json_array_size(status->errors) >= LEDGER_ERRORS_MAX) {
        json_array_remove(status->errors, 0);
    }
    ledger_texts_add(status, status->errors,
                     json_pack("{s:o,s:s,s:o}", "at", json_stamp(clock_utc_us()), "code",
                               error_describe(error->code)->name, "message", json_text(message)));
}

void ledger_status_add_created(struct ledger_status *status, const char *table)
{
    if (!ledger_status_is_created(status, table)) {
        ledger_texts_add(status, status->created, json_text(table));
    }
}

void ledger_status_add_taken(struct ledger_status *status, const char *table, uint64_t count)
{
    status->taken = status->taken != NULL ? status->taken : json_object();
    uint64_t sum = ledger_status_taken(status, table) + count;
    json_t *number = json_integer((json_int_t)sum);
    status->incomplete |= json_object_set_new(status->taken, table, number) != 0;
}

void ledger_status_add_unfilled(struct ledger_status *status, const char *table,
                                struct column_list columns, const char *sum)
{
    json_t *entry = json_pack("{s:o,s:o,s:s?}", "table", json_text(table), "columns",
                              json_texts(columns.names, columns.count), "sum", sum);
    status->unfilled = status->unfilled != NULL ? status->unfilled : json_array();
    ledger_texts_add(status, status->unfilled, entry);
}

const struct json_t *ledger_status_unfilled(const struct ledger_status *status, const char *table)
{
    size_t index;
    json_t *entry;
    json_array_foreach(status->unfilled, index, entry)
    {
        if (json_is_text(json_object_get(entry, "table"), table)) {
            return entry;
        }
    }
    return NULL;
}

void ledger_status_note_differing(struct ledger_status *status, const char *table, uint64_t count)
{
    status->differing = status->differing != NULL ? status->differing : json_object();
    status->incomplete |=
        json_object_set_new(status->differing, table, json_integer((json_int_t)count)) != 0;
}

uint64_t ledger_status_differing(const struct ledger_status *status, const char *table)
{
    int64_t count = json_member_integer(status->differing, table, 0);
    return count > 0 ? (uint64_t)count : 0;
}

uint64_t ledger_status_taken(const struct ledger_status *status, const char *table)
{
    int64_t count = json_member_integer(status->taken, table, 0);
    return count > 0 ? (uint64_t)count : 0;
}

bool ledger_status_is_created(const struct ledger_status *status, const char *table)
{
    size_t index;
    json_t *name;
    bool found = false;
    json_array_foreach(status->created, index, name)
    {
        found = found || json_is_text(name, table);
    }
    return found;
}

/* ---- done marks */

/* {CODE:n,…} of what was rejected; NULL: nothing was, or memory is out, with `*failed`. */
static json_t *reasons_make(const struct tally *tally, bool *failed)
{
    json_t *reasons = tally->reasons[0].code == ERROR_NONE ? NULL : json_object();
    for (int i = 0; reasons != NULL && i < TALLY_REASONS; i++) {
        const struct tally_reason *reason = &tally->reasons[i];
        if (reason->code != ERROR_NONE && reason->count > 0) {
            *failed |= json_object_set_new(reasons, error_describe(reason->code)->name,
                                           json_integer((json_int_t)reason->count)) != 0;
        }
    }
    return reasons;
}

static json_t *tally_make(const struct tally *tally)
{
    json_t *object =
        json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "read", (json_int_t)tally->read, "made",
                  (json_int_t)tally->made, "written", (json_int_t)tally->written, "rejected",
                  (json_int_t)tally->rejected, "skipped", (json_int_t)tally->skipped, "filtered",
                  (json_int_t)tally->filtered, "bytes", (json_int_t)tally->bytes);
    bool failed = false;
    if (object != NULL && tally->unmatched > 0) {
        failed |= json_object_set_new(object, "unmatched",
                                      json_integer((json_int_t)tally->unmatched)) != 0;
    }
    if (object != NULL && tally->retries > 0) {
        failed |=
            json_object_set_new(object, "retries", json_integer((json_int_t)tally->retries)) != 0;
    }
    if (object != NULL && tally->fallbacks > 0) {
        failed |= json_object_set_new(object, "fallbacks",
                                      json_integer((json_int_t)tally->fallbacks)) != 0;
    }
    json_t *reasons = reasons_make(tally, &failed);
    if (reasons != NULL) {
        failed |= json_object_set_new(object, "reasons", reasons) != 0;
    }
    if (object != NULL && tally->hashed) {
        char hex[33];
        canonical_hash_format(&tally->hash, hex);
        failed |= json_object_set_new(object, "hash", json_string(hex)) != 0;
    }
    return unless(object, failed);
}

enum status ledger_mark_make(const struct ledger_mark *mark, struct arena *arena, const char **text,
                             struct error *error)
{
    json_t *entities = json_object();
    bool failed = false;
    for (uint32_t i = 0; i < mark->entity_count; i++) {
        char number[16];
        snprintf(number, sizeof(number), "%" PRIu32, mark->entities[i]);
        failed |= json_object_set_new(entities, number, tally_make(&mark->tallies[i])) != 0;
    }
    entities = unless(entities, failed);
    json_t *rejects = mark->rejects.file == NULL
                          ? json_null()
                          : json_pack("{s:s,s:I,s:s}", "file", mark->rejects.file, "count",
                                      (json_int_t)mark->rejects.count, "xxh3", mark->rejects.hash);
    json_t *object = json_pack("{s:i,s:I,s:i,s:I,s:o,s:o,s:o,s:f}", "format", CONTROL_FORMAT,
                               "chunk", (json_int_t)mark->chunk, "attempt", (int)mark->attempt,
                               "epoch", (json_int_t)mark->epoch, "entities", entities, "rejects",
                               rejects, "last_id", json_text(mark->last_id), "seconds",
                               (double)(int64_t)(mark->seconds * 1e6) / 1e6);
    return json_to_arena(object, arena, text, error);
}

static uint64_t count_member(const json_t *object, const char *name)
{
    int64_t count = json_member_integer(object, name, 0);
    return count < 0 ? 0 : (uint64_t)count;
}

enum status ledger_check_marks(const struct ledger_run *run, const struct ledger_status *status,
                               struct error *error)
{
    /* one that another run overtook is complete as well, but never ended */
    if (status->phase != LEDGER_COMPLETED || status->ended_us == 0 ||
        run->done_count >= run->chunk_count) {
        return STATUS_OK;
    }
    error_set(error, ERROR_LEDGER_INVALID, run->id,
              "the run is complete, but %" PRIu64 " of its %" PRIu64 " done marks are there",
              run->done_count, run->chunk_count);
    error_hint(error, "somebody deleted them from the ledger: restore it from a backup, or delete "
                      "the run's records by hand; `transhume finish --confirm` forgets it");
    return STATUS_FAILED;
}

static enum status mark_damaged(const struct done_mark *done, const char *what, struct error *error)
{
    char object[64];
    snprintf(object, sizeof(object), "done mark of chunk %" PRIu64, done->chunk);
    error_set(error, ERROR_LEDGER_INVALID, object, "is damaged: %s", what);
    error_hint(error, "the ledger was edited or its store is damaged; restore the target from a "
                      "backup, or empty it and migrate again");
    return STATUS_FAILED;
}

static void read_reasons(json_t *reasons, struct tally *tally)
{
    const char *name;
    json_t *count;
    json_object_foreach(reasons, name, count)
    {
        int64_t number = json_integer_value(count);
        tally_add_reason(tally, error_code_find(name), number > 0 ? (uint64_t)number : 0);
    }
}

static enum status mark_tallies_read(const struct done_mark *done, json_t *entities,
                                     uint32_t entity_limit, struct arena *arena,
                                     struct ledger_mark *mark, struct error *error)
{
    size_t count = json_object_size(entities);
    uint32_t *numbers = arena_allocate_zeroed(arena, count, sizeof(*numbers));
    mark->tallies = arena_allocate_zeroed(arena, count, sizeof(*mark->tallies));
    mark->entities = numbers;
    if (numbers == NULL || mark->tallies == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for the ledger");
    }
    const char *name;
    json_t *object;
    json_object_foreach(entities, name, object)
    {
        uint64_t number;
        if (text_to_uint64(name, strlen(name), &number) != STATUS_OK || number >= entity_limit) {
            return mark_damaged(done, "it counts an entity that the plan does not have", error);
        }
        struct tally *tally = &mark->tallies[mark->entity_count];
        *tally = (struct tally){.read = count_member(object, "read"),
                                .made = count_member(object, "made"),
                                .written = count_member(object, "written"),
                                .rejected = count_member(object, "rejected"),
                                .skipped = count_member(object, "skipped"),
                                .filtered = count_member(object, "filtered"),
                                .unmatched = count_member(object, "unmatched"),
                                .bytes = count_member(object, "bytes"),
                                .retries = count_member(object, "retries"),
                                .fallbacks = count_member(object, "fallbacks")};
        read_reasons(json_object_get(object, "reasons"), tally);
        const char *hash = json_member_text(object, "hash", NULL);
        tally->hashed = hash != NULL && canonical_hash_parse(hash, &tally->hash) == STATUS_OK;
        if (tally->made != tally->written + tally->rejected + tally->skipped) {
            return mark_damaged(done, "its counts do not add up", error);
        }
        numbers[mark->entity_count++] = (uint32_t)number;
    }
    return STATUS_OK;
}

enum status ledger_mark_read(const struct done_mark *done, uint32_t entity_limit,
                             struct arena *arena, struct ledger_mark *mark, struct error *error)
{
    json_t *object;
    if (json_from_text(done->text, "done mark", ERROR_LEDGER_INVALID, &object, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    const json_t *rejects = json_object_get(object, "rejects");
    *mark = (struct ledger_mark){.chunk = count_member(object, "chunk"),
                                 .attempt = (uint32_t)count_member(object, "attempt"),
                                 .epoch = count_member(object, "epoch"),
                                 .last_id = keep_text(object, "last_id", arena),
                                 .seconds = json_number_value(json_object_get(object, "seconds"))};
    mark->rejects.file = keep_text(rejects, "file", arena);
    mark->rejects.count = count_member(rejects, "count");
    snprintf(mark->rejects.hash, sizeof(mark->rejects.hash), "%s",
             json_member_text(rejects, "xxh3", ""));
    enum status status = STATUS_OK;
    if (mark->chunk != done->chunk) {
        status = mark_damaged(done, "it speaks of another chunk", error);
    } else if (mark->rejects.file != NULL && strchr(mark->rejects.file, '/') != NULL) {
        status = mark_damaged(done, "its reject file is no plain name", error);
    } else {
        status = mark_tallies_read(done, json_object_get(object, "entities"), entity_limit, arena,
                                   mark, error);
    }
    json_decref(object);
    return status;
}
