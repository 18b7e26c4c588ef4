/*
 * The records that a repair wrote, read back. The latest time is the truth to the server, so that a
 * value or a deletion of a later time than a write's hides the write without a word:
 *
 *   read ── as it was written ──> done
 *     └── else it is written again, at the time of now ──> read ──> done
 *           └── else, where a value there says a time that is an hour ahead at most, what differs
 *               is written a microsecond above that ──> read ──> done
 *                 └── else it is a reject, which says what hides it
 *
 * The same of what it deleted. The time of a deletion can't be read by CQL.
 */
#include "connectors/cassandra/target.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/cassandra/fetch.h"
#include "connectors/cassandra/key.h"
#include "connectors/cassandra/select.h"
#include <stdlib.h>
#include <string.h>

enum { SPREAD_MS = 100 }; /* for a write to reach those replicas that were not waited for */

static const int64_t ahead_max_us = INT64_C(3600) * 1000000;

/* One record. */
struct proof {
    uint32_t row; /* of the batch */
    size_t offset;
    size_t length;   /* encoded, in the body */
    bool hidden;     /* it does not read as it was written: */
    bool gone;       /* there is no row */
    bool *differs;   /* each column of the statement */
    int64_t time_us; /* the latest that a differing value says; 0: none does */
    const struct cassandra_column *column; /* the first that differs */
    bool empty;                            /* it is null there, else: */
    int64_t column_time_us;                /* as time_us */
};

struct proving {
    struct cassandra *self;
    struct target_table table; /* as an encoder needs it */
    const struct batch *batch;
    const struct shape *shape; /* NULL: documents */
    struct keyed_connection *encoder;
    const struct cassandra_table *there;
    enum keyed_kind kind;
    const struct cassandra_statement *statement; /* NULL: no record was encoded yet */
    struct buffer body;
    struct proof *proofs;
    uint32_t count;
    uint32_t *asked; /* numbers of proofs, in the order of the keys that are looked up */
    struct arena *arena;
};

/* ---------------------------------------------------------------- statements */

static void append_name(const struct cassandra_table *table, uint32_t place, struct buffer *text)
{
    const char *name = table->columns[place].name;
    cql_name_append((struct text){name, strlen(name)}, text);
}

/* Columns and their times: the latter behind all of the former. `times`: where each one is; -1: it
 * has none. */
static const char *select_text(const struct cassandra *self, const struct cassandra_table *table,
                               const uint32_t *places, uint32_t count, int32_t *times,
                               uint32_t *field_count, struct arena *arena)
{
    struct buffer text = {0};
    *field_count = count;
    buffer_append_string(&text, "SELECT ");
    for (uint32_t at = 0; at < count; at++) {
        buffer_append_string(&text, at > 0 ? ", " : "");
        append_name(table, places[at], &text);
    }
    for (uint32_t at = 0; at < count; at++) {
        const char *function = cassandra_time_function(self, &table->columns[places[at]]);
        times[at] = function != NULL ? (int32_t)*field_count : -1;
        if (function != NULL) {
            buffer_format(&text, ", %s", function);
            append_name(table, places[at], &text);
            buffer_append_byte(&text, ')');
            ++*field_count;
        }
    }
    buffer_append_string(&text, " FROM ");
    cassandra_append_table(self, table->name, &text);
    buffer_append_string(&text, " WHERE ");
    cassandra_key_append_where(table, &text);
    const char *made = arena_copy(arena, text.data, text.length);
    buffer_free(&text);
    return made;
}

static int64_t time_of(const struct cql_value *values, int32_t at)
{
    return at >= 0 && values[at].length == 8 ? (int64_t)bytes_get_be(values[at].data, 8) : 0;
}

/* The values of a key, which are the first there, and their partition's token. */
static struct keyed_wanted_key key_of(const struct cassandra_table *table, const char *values,
                                      size_t length, struct arena *arena)
{
    struct cql_value *parts = arena_allocate_zeroed(arena, table->key.count + 1u, sizeof(*parts));
    struct cql_reader reader = cql_reader_of(values, length);
    for (uint32_t at = 0; at < table->key.count; at++) {
        parts[at] = cql_read_value(&reader);
    }
    return (struct keyed_wanted_key){.bytes = {values, length - cql_reader_left(&reader)},
                                     .token = cassandra_key_token(parts, table->partition_count)};
}

/* ---------------------------------------------------------------- records as they were written */

/* A record that expires soon may be gone rightly. */
static bool expires_soon(const struct proving *proving, const struct cell *cells)
{
    enum { SOON_S = 60 };
    const char *field = proving->table.ttl;
    int32_t at =
        field != NULL && proving->shape != NULL ? shape_field_find(proving->shape, field) : -1;
    const struct cell *ends = field == NULL            ? NULL
                              : proving->shape == NULL ? value_field(cells, field)
                              : at >= 0                ? &cells[at]
                                                       : NULL;
    return ends != NULL && ends->kind == VALUE_INT64 &&
           ends->i64 < clock_utc_us() / 1000000 + SOON_S;
}

static struct keyed_record record_at(const struct proving *proving, uint32_t row)
{
    return (struct keyed_record){.table = &proving->table,
                                 .shape = proving->shape,
                                 .cells = batch_row(proving->batch, row),
                                 .attempt = 1,
                                 .repeated = true};
}

static struct cassandra_record_part part_of(const struct proving *proving,
                                            const struct proof *proof, int64_t *token)
{
    struct cassandra_record_part part = {0};
    struct cassandra_record record =
        cassandra_record_read(proving->body.data + proof->offset, proof->length);
    *token = record.token;
    (void)cassandra_record_next(&record, &part);
    return part;
}

/* Is it the static columns of a partition without a row? These have no key to be read back by. */
static bool is_alone(const struct proving *proving, const struct proof *proof)
{
    int64_t token = 0;
    const struct cassandra_record_part part = part_of(proving, proof, &token);
    const struct cassandra_statement *statement =
        cassandra_statement_at(proving->encoder, part.statement);
    return (statement->form & CASSANDRA_ALONE) != 0;
}

static enum status add_proof(struct proving *proving, uint32_t row, struct error *error)
{
    const struct keyed_record record = record_at(proving, row);
    struct proof *proof = &proving->proofs[proving->count];
    if (expires_soon(proving, record.cells)) {
        return STATUS_OK;
    }
    *proof = (struct proof){.row = row, .offset = proving->body.length, .hidden = true};
    if (cassandra_encode(proving->encoder, proving->kind, &record, &proving->body, error) !=
        STATUS_OK) {
        return STATUS_FAILED;
    }
    proof->length = proving->body.length - proof->offset;
    if (is_alone(proving, proof)) {
        proving->body.length = proof->offset;
        return STATUS_OK;
    }
    proving->statement =
        cassandra_statement_of(proving->encoder, proving->kind, 0, proving->shape, CASSANDRA_PLAIN);
    proof->differs =
        arena_allocate_zeroed(proving->arena, proving->statement->count + 1u, sizeof(bool));
    proving->count++;
    return STATUS_OK;
}

/* Adds the records of the batch that were not refused. */
static enum status add_proofs(struct proving *proving, const struct batch_result *result,
                              struct error *error)
{
    uint32_t rows = proving->batch->row_count;
    bool *refused = memory_allocate_zeroed((size_t)rows + 1, sizeof(bool));
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < result->outcome_count; at++) {
        refused[result->outcomes[at].row] = true;
    }
    for (uint32_t row = 0; row < rows && status == STATUS_OK; row++) {
        status = refused[row] ? STATUS_OK : add_proof(proving, row, error);
    }
    free(refused);
    return status;
}

/* ---------------------------------------------------------------- reading */

struct reading_back {
    struct proving *proving;
    int32_t *times;
};

/* Is that column what the record has for it? One that an update leaves alone always is. */
static bool is_as_written(struct proving *proving, const struct keyed_record *record, uint32_t at,
                          struct cql_value there, struct arena *arena)
{
    const struct cassandra_statement *statement = proving->statement;
    const struct cell *cell = cassandra_cell_of(statement, record, at);
    const struct cassandra_column *column = &proving->there->columns[statement->places[at]];
    return column->part < CASSANDRA_STATIC || (cell == NULL && proving->kind == KEYED_UPDATE) ||
           cassandra_is_same(column->type, cell, there, arena);
}

static enum status take_row(void *context, uint32_t key, const struct cql_columns *columns,
                            const struct cql_value *values, struct error *error)
{
    const struct reading_back *reading = context;
    struct proving *proving = reading->proving;
    struct proof *proof = &proving->proofs[proving->asked[key]];
    const struct keyed_record record = record_at(proving, proof->row);
    struct arena *arena = arena_create(0);
    (void)columns;
    (void)error;
    proof->hidden = proof->gone = false;
    for (uint32_t at = 0; at < proving->statement->count; at++) {
        int64_t time_us = time_of(values, reading->times[at]);
        proof->differs[at] = !is_as_written(proving, &record, at, values[at], arena);
        if (!proof->differs[at]) {
            continue;
        }
        if (!proof->hidden) {
            proof->column = &proving->there->columns[proving->statement->places[at]];
            proof->empty = values[at].length < 0;
            proof->column_time_us = time_us;
        }
        proof->hidden = true;
        proof->time_us = time_us > proof->time_us ? time_us : proof->time_us;
    }
    arena_destroy(arena);
    return STATUS_OK;
}

/* Reads the records that were hidden so far. `*left`: how many still are. */
static enum status read_back(struct proving *proving, uint32_t *left, struct error *error)
{
    struct arena *arena = arena_create(0);
    const struct cassandra_statement *statement = proving->statement;
    struct reading_back reading = {
        proving, arena_allocate_zeroed(arena, statement->count + 1u, sizeof(*reading.times))};
    struct keyed_wanted_key *keys =
        arena_allocate_zeroed(arena, proving->count + 1u, sizeof(*keys));
    struct cassandra_look_up look_up = {.cassandra = proving->self,
                                        .table = proving->there,
                                        .consistency = proving->self->settings.read_consistency,
                                        .keys = keys};
    look_up.text = select_text(proving->self, proving->there, statement->places, statement->count,
                               reading.times, &look_up.field_count, arena);
    for (uint32_t at = 0; at < proving->count; at++) {
        struct proof *proof = &proving->proofs[at];
        if (proof->hidden) {
            int64_t token = 0;
            const struct cassandra_record_part part = part_of(proving, proof, &token);
            proof->gone = true;
            proof->time_us = 0;
            proving->asked[look_up.key_count] = at;
            keys[look_up.key_count++] = key_of(proving->there, part.values, part.length, arena);
        }
    }
    enum status status = cassandra_fetch_values(proving->self, &look_up, take_row, &reading, error);
    *left = 0;
    for (uint32_t at = 0; at < proving->count; at++) {
        *left += proving->proofs[at].hidden;
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- writing again */

static enum status write_now(struct proving *proving, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct cassandra_write *writes =
        arena_allocate_zeroed(arena, proving->count + 1u, sizeof(*writes));
    uint32_t count = 0;
    for (uint32_t at = 0; at < proving->count; at++) {
        const struct proof *proof = &proving->proofs[at];
        struct cassandra_write *write = &writes[count];
        if (proof->hidden) {
            cassandra_write_join(proving->encoder, proving->body.data + proof->offset,
                                 proof->length, arena, write);
            write->timestamp_us = cassandra_now_us(proving->self);
            count++;
        }
    }
    enum status status = cassandra_write_all(proving->self, writes, count, error);
    arena_destroy(arena);
    clock_sleep_ms(SPREAD_MS);
    return status;
}

static bool can_outrank(const struct proof *proof, int64_t now_us)
{
    return proof->hidden && !proof->gone && proof->time_us > 0 &&
           proof->time_us - now_us <= ahead_max_us;
}

/* The last of the values that the record was written with. */
static void append_ttl(const struct proving *proving, const struct proof *proof,
                       struct buffer *values)
{
    int64_t token = 0;
    const struct cassandra_record_part part = part_of(proving, proof, &token);
    struct cql_reader reader = cql_reader_of(part.values, part.length);
    struct cql_value ttl = {0};
    for (uint32_t at = 0; at < part.value_count; at++) {
        ttl = cql_read_value(&reader);
    }
    cql_write_value(values, ttl.data, ttl.length);
}

/* UPDATE … SET of the row's columns that differ, or of the partition's: others keep what they have.
 * `write->text` stays NULL if there is none. */
static enum status make_update(struct proving *proving, const struct proof *proof, bool statics,
                               struct cassandra_write *write, struct buffer *values,
                               struct arena *arena, struct error *error)
{
    const struct cassandra_statement *statement = proving->statement;
    const struct cassandra_table *there = proving->there;
    const struct keyed_record record = record_at(proving, proof->row);
    struct buffer text = {0};
    enum status status = STATUS_OK;
    bool expires = statement->expires && !statics;
    uint32_t set = 0;
    buffer_append_string(&text, "UPDATE ");
    cassandra_append_table(proving->self, there->name, &text);
    if (expires) {
        buffer_append_string(&text, " USING TTL ?");
        append_ttl(proving, proof, values);
    }
    for (uint32_t at = 0; at < statement->count && status == STATUS_OK; at++) {
        bool is_static = there->columns[statement->places[at]].part == CASSANDRA_STATIC;
        if (proof->differs[at] && is_static == statics) {
            buffer_append_string(&text, set++ > 0 ? ", " : " SET ");
            append_name(there, statement->places[at], &text);
            buffer_append_string(&text, " = ?");
            status = cassandra_append_value(statement, &record, at, values, error);
        }
    }
    uint32_t key_count = statics ? there->partition_count : there->key.count;
    for (uint32_t at = 0; at < key_count && status == STATUS_OK; at++) {
        buffer_append_string(&text, at > 0 ? " AND " : " WHERE ");
        append_name(there, at, &text);
        buffer_append_string(&text, " = ?");
        status = cassandra_append_value(statement, &record, at, values, error);
    }
    (void)part_of(proving, proof, &write->token);
    write->count = (uint16_t)(expires + set + key_count);
    write->text = set > 0 ? arena_copy(arena, text.data, text.length) : NULL;
    write->values = arena_copy(arena, values->data, values->length);
    write->length = values->length;
    write->timestamp_us = proof->time_us + 1;
    buffer_free(&text);
    return status;
}

/* Updates of the cells that differ, above the times that values there say. */
static enum status make_updates(struct proving *proving, const struct proof *proof,
                                struct cassandra_write *writes, uint32_t *count,
                                struct arena *arena, struct error *error)
{
    enum status status = STATUS_OK;
    for (int statics = 0; statics < 2 && status == STATUS_OK; statics++) {
        struct buffer values = {0};
        status = make_update(proving, proof, statics == 1, &writes[*count], &values, arena, error);
        *count += writes[*count].text != NULL;
        buffer_free(&values);
    }
    return status;
}

/* Above the times that values there say. `*any`: there were such. */
static enum status outrank(struct proving *proving, bool *any, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct cassandra_write *writes =
        arena_allocate_zeroed(arena, 2 * (size_t)proving->count + 2, sizeof(*writes));
    int64_t now_us = clock_utc_us();
    uint32_t count = 0;
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < proving->count && status == STATUS_OK; at++) {
        if (can_outrank(&proving->proofs[at], now_us)) {
            status = make_updates(proving, &proving->proofs[at], writes, &count, arena, error);
        }
    }
    *any = count > 0;
    if (*any && status == STATUS_OK) {
        status = cassandra_write_all(proving->self, writes, count, error);
        clock_sleep_ms(SPREAD_MS);
    }
    arena_destroy(arena);
    return status;
}

/* ---------------------------------------------------------------- rejects */

static const char *reason_of(const struct proof *proof, struct arena *arena)
{
    static const char deleted[] = "a deletion with a time that is ahead hides it, and no reading "
                                  "tells that time";
    char time[32];
    if (proof->gone) {
        return arena_format(arena, "it was written and is not there: %s", deleted);
    }
    if (proof->column_time_us > clock_utc_us()) {
        clock_format_utc(proof->column_time_us, time, sizeof(time));
        return arena_format(arena,
                            "column %s: it was written, and a value that was written with a later "
                            "time, %s, hides it",
                            proof->column->name, time);
    }
    if (proof->empty) {
        return arena_format(arena, "column %s: it was written and reads as null: %s",
                            proof->column->name, deleted);
    }
    return arena_format(arena,
                        "column %s: it was written and reads as something else: others change it, "
                        "or a part of it has a time that is ahead",
                        proof->column->name);
}

static void tell_hidden(struct proving *proving, struct batch_result *result)
{
    for (uint32_t at = 0; at < proving->count; at++) {
        const struct proof *proof = &proving->proofs[at];
        if (proof->hidden) {
            keyed_note_outcome(result, proof->row, OUTCOME_REJECTED, ERROR_REJECT_HIDDEN,
                               reason_of(proof, proving->arena));
            result->written--;
        }
    }
}

static enum status prove_all(struct proving *proving, struct batch_result *result,
                             struct error *error)
{
    uint32_t left = 0;
    bool any = false;
    enum status status = add_proofs(proving, result, error);
    if (status != STATUS_OK || proving->count == 0) {
        return status;
    }
    status = read_back(proving, &left, error);
    if (status == STATUS_OK && left > 0) {
        status = write_now(proving, error);
        status = status == STATUS_OK ? read_back(proving, &left, error) : status;
    }
    if (status == STATUS_OK && left > 0) {
        status = outrank(proving, &any, error);
        status = status == STATUS_OK && any ? read_back(proving, &left, error) : status;
    }
    if (status == STATUS_OK) {
        tell_hidden(proving, result);
    }
    return status;
}

enum status cassandra_prove(struct database *database, const struct target_table *table,
                            struct batch_result *result, struct error *error)
{
    struct cassandra *self = cassandra_of(database);
    const struct batch *batch = result->batch;
    bool whole = table->created || table->empties || table->existing == EXISTING_REPLACE;
    struct proving proving = {
        .self = self,
        .table = *table,
        .batch = batch,
        .shape = batch->shape == NULL || batch->shape->field_count == 0 ? NULL : batch->shape,
        .kind = whole ? KEYED_PUT : KEYED_UPDATE};
    proving.table.may_repeat = true;
    if (cassandra_connection_make(self, &proving.table, 1, &proving.encoder, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    proving.there = proving.encoder->layouts[0]->table;
    proving.arena = arena_create(0);
    proving.proofs =
        arena_allocate_zeroed(proving.arena, batch->row_count + 1u, sizeof(*proving.proofs));
    proving.asked =
        arena_allocate_zeroed(proving.arena, batch->row_count + 1u, sizeof(*proving.asked));
    enum status status = proving.there->counter ? STATUS_OK : prove_all(&proving, result, error);
    buffer_free(&proving.body);
    arena_destroy(proving.arena);
    cassandra_connection_free(proving.encoder);
    return status;
}

/* ---------------------------------------------------------------- deletions */

struct deleting {
    struct cassandra *self;
    const struct target_table *table;
    const struct cassandra_layout *layout;
    struct keyed_wanted_key *keys;
    uint32_t count;
    bool *there;
    int64_t *times_us; /* the latest of the row's values; 0: none is known */
    int32_t *times;    /* of each column, where its time is */
    struct arena *arena;
};

static enum status take_remaining(void *context, uint32_t key, const struct cql_columns *columns,
                                  const struct cql_value *values, struct error *error)
{
    struct deleting *deleting = context;
    const struct cassandra_table *table = deleting->layout->table;
    (void)columns;
    (void)error;
    deleting->there[key] = true;
    for (uint32_t at = table->key.count; at < table->column_count; at++) {
        bool own = table->columns[at].part == CASSANDRA_REGULAR;
        int64_t time_us = own ? time_of(values, deleting->times[at]) : 0;
        deleting->times_us[key] =
            time_us > deleting->times_us[key] ? time_us : deleting->times_us[key];
    }
    return STATUS_OK;
}

static enum status find_remaining(struct deleting *deleting, uint32_t *left, struct error *error)
{
    const struct cassandra_table *table = deleting->layout->table;
    uint32_t *places =
        arena_allocate_zeroed(deleting->arena, table->column_count + 1u, sizeof(*places));
    struct cassandra_look_up look_up = {.cassandra = deleting->self,
                                        .table = table,
                                        .consistency = deleting->self->settings.read_consistency,
                                        .keys = deleting->keys,
                                        .key_count = deleting->count};
    for (uint32_t at = 0; at < table->column_count; at++) {
        places[at] = at;
    }
    look_up.text = select_text(deleting->self, table, places, table->column_count, deleting->times,
                               &look_up.field_count, deleting->arena);
    memset(deleting->there, 0, deleting->count * sizeof(bool));
    enum status status =
        cassandra_fetch_values(deleting->self, &look_up, take_remaining, deleting, error);
    *left = 0;
    for (uint32_t at = 0; at < deleting->count; at++) {
        *left += deleting->there[at];
    }
    return status;
}

/* At the time of what remains, which a deletion of the same time outranks. */
static enum status delete_later(struct deleting *deleting, struct error *error)
{
    struct cassandra_write *writes =
        arena_allocate_zeroed(deleting->arena, deleting->count + 1u, sizeof(*writes));
    struct buffer text = {0};
    int64_t now_us = cassandra_now_us(deleting->self);
    uint32_t count = 0;
    buffer_append_string(&text, "DELETE FROM ");
    cassandra_append_table(deleting->self, deleting->table->name, &text);
    buffer_append_string(&text, " WHERE ");
    cassandra_key_append_where(deleting->layout->table, &text);
    for (uint32_t at = 0; at < deleting->count; at++) {
        int64_t time_us = deleting->times_us[at] > now_us ? deleting->times_us[at] : now_us;
        if (deleting->there[at] && time_us - now_us <= ahead_max_us) {
            writes[count++] =
                (struct cassandra_write){.text = buffer_string(&text),
                                         .values = deleting->keys[at].bytes.data,
                                         .length = deleting->keys[at].bytes.length,
                                         .count = (uint16_t)deleting->layout->table->key.count,
                                         .token = deleting->keys[at].token,
                                         .timestamp_us = time_us};
        }
    }
    enum status status = cassandra_write_all(deleting->self, writes, count, error);
    buffer_free(&text);
    clock_sleep_ms(SPREAD_MS);
    return status;
}

static void tell_remaining(const struct deleting *deleting, const struct cell *keys)
{
    enum { SHOWN_BYTES_MAX = 80 };
    const struct target_table *table = deleting->table;
    struct buffer shown = {0};
    for (uint32_t at = 0; at < deleting->count; at++) {
        char time[32] = "later than now";
        buffer_clear(&shown);
        for (uint32_t part = 0; deleting->there[at] && part < table->key.count; part++) {
            buffer_format(&shown, "%s%s = ", part > 0 ? ", " : "", table->key.names[part]);
            value_print(&keys[(size_t)at * table->key.count + part], SHOWN_BYTES_MAX, &shown);
        }
        if (deleting->times_us[at] > 0) {
            clock_format_utc(deleting->times_us[at], time, sizeof(time));
        }
        if (deleting->there[at]) {
            log_event(LOG_WARNING,
                      EVENT_OF(EVENT_MESSAGE, .table = table->name, .key = buffer_string(&shown)),
                      "table %s: the record of %s was deleted and is still there: it was written "
                      "with a time that is ahead (%s)",
                      table->name, buffer_string(&shown), time);
        }
    }
    buffer_free(&shown);
}

static enum status prove_deleted(struct deleting *deleting, const struct cell *keys,
                                 uint64_t *deleted, struct error *error)
{
    struct buffer values = {0};
    uint32_t left = 0;
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < deleting->count && status == STATUS_OK; at++) {
        buffer_clear(&values);
        status = cassandra_append_table_key(deleting->layout, deleting->table,
                                            keys + (size_t)at * deleting->table->key.count, &values,
                                            error);
        if (status == STATUS_OK) {
            deleting->keys[at] = key_of(deleting->layout->table,
                                        arena_copy(deleting->arena, values.data, values.length),
                                        values.length, deleting->arena);
        }
    }
    buffer_free(&values);
    status = status == STATUS_OK ? find_remaining(deleting, &left, error) : status;
    if (status == STATUS_OK && left > 0) {
        status = delete_later(deleting, error);
        status = status == STATUS_OK ? find_remaining(deleting, &left, error) : status;
    }
    if (status == STATUS_OK && left > 0) {
        tell_remaining(deleting, keys);
        *deleted -= left < *deleted ? left : *deleted;
    }
    return status;
}

enum status cassandra_delete(struct database *database, const struct target_table *table,
                             const struct cell *keys, uint32_t key_count, uint64_t *deleted,
                             struct error *error)
{
    struct deleting deleting = {.self = cassandra_of(database), .table = table, .count = key_count};
    enum status status = keyed_delete(database, table, keys, key_count, deleted, error);
    if (status != STATUS_OK || !database->repairs || *deleted == 0) {
        return status;
    }
    if (cassandra_layout_find(deleting.self, table, &deleting.layout, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    deleting.arena = arena_create(0);
    deleting.keys = arena_allocate_zeroed(deleting.arena, key_count + 1u, sizeof(*deleting.keys));
    deleting.there = arena_allocate_zeroed(deleting.arena, key_count + 1u, sizeof(bool));
    deleting.times_us =
        arena_allocate_zeroed(deleting.arena, key_count + 1u, sizeof(*deleting.times_us));
    deleting.times = arena_allocate_zeroed(
        deleting.arena, deleting.layout->table->column_count + 1u, sizeof(*deleting.times));
    status = prove_deleted(&deleting, keys, deleted, error);
    arena_destroy(deleting.arena);
    return status;
}
