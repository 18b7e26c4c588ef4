/* Records as statements bind them. */
#include "connectors/cassandra/target.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "connectors/cassandra/key.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include "model/batch.h"
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- records */

enum { TOKEN_BYTES = 8, PART_HEAD_BYTES = 12 };

struct cassandra_record cassandra_record_read(const char *bytes, size_t length)
{
    struct cassandra_record record = {.at = bytes + TOKEN_BYTES, .end = bytes + length};
    memcpy(&record.token, bytes, TOKEN_BYTES);
    return record;
}

bool cassandra_record_next(struct cassandra_record *record, struct cassandra_record_part *part)
{
    if (record->at == record->end) {
        return false;
    }
    memcpy(&part->statement, record->at, 4);
    memcpy(&part->value_count, record->at + 4, 4);
    memcpy(&part->length, record->at + 8, 4);
    part->values = record->at + PART_HEAD_BYTES;
    record->at = part->values + part->length;
    return true;
}

/* NULL: the record does not fill it. */
const struct cell *cassandra_cell_of(const struct cassandra_statement *statement,
                                     const struct keyed_record *record, uint32_t at)
{
    if (statement->shape != NULL) {
        return statement->fields[at] >= 0 ? &record->cells[statement->fields[at]] : NULL;
    }
    const char *name = statement->layout->table->columns[statement->places[at]].name;
    return value_field(record->cells, name);
}

static enum status refuse_field(const struct cassandra_table *table, struct text name,
                                struct error *error)
{
    return error_set(error, ERROR_REJECT_TYPE, NULL, "the table %s has no column %.*s", table->name,
                     (int)(name.length < 100 ? name.length : 100), name.data);
}

/* A field that no column is there for would be lost. Of a shape that is looked at once. */
static enum status check_fields(const struct cassandra_statement *statement,
                                const struct keyed_record *record, struct error *error)
{
    const struct cassandra_table *table = statement->layout->table;
    if (statement->shape != NULL) {
        return statement->unknown.data == NULL ? STATUS_OK
                                               : refuse_field(table, statement->unknown, error);
    }
    for (uint32_t at = 0; at < record->cells->length; at++) {
        const struct cell *name = &record->cells->items[2 * (size_t)at];
        if (cassandra_column_find(table, name->text, name->length) < 0) {
            return refuse_field(table, (struct text){name->text, name->length}, error);
        }
    }
    return STATUS_OK;
}

static enum status refuse_value(const struct cassandra_column *column, struct error *error)
{
    error_name_object(error, column->name);
    return error_context(error, "column %s: ", column->name);
}

/* A null writes a tombstone: into a table that is new it is left out, unless what was written there
 * before may have been another value. */
static bool writes_nulls(const struct keyed_record *record)
{
    const struct target_table *table = record->table;
    return !table->created || (record->repeated && table->may_repeat);
}

enum status cassandra_append_value(const struct cassandra_statement *statement,
                                   const struct keyed_record *record, uint32_t at,
                                   struct buffer *out, struct error *error)
{
    const struct cassandra_table *table = statement->layout->table;
    const struct cassandra_column *column = &table->columns[statement->places[at]];
    const struct cell *cell = cassandra_cell_of(statement, record, at);
    if (statement->places[at] < table->key.count) {
        return cassandra_key_encode_part(table, statement->places[at], cell, out, error);
    }
    if (statement->connection->leaves_lists && cassandra_is_shared_list(column)) {
        cql_write_unset(out);
        return STATUS_OK;
    }
    bool missing = cell == NULL || cell->kind == VALUE_MISSING;
    if (missing || cell->kind == VALUE_NULL) {
        /* an update leaves alone what the plan has no field for, and so does whatever writes a
         * static column */
        bool kept =
            cell == NULL && (statement->kind == KEYED_UPDATE || column->part == CASSANDRA_STATIC);
        bool null = statement->kind != KEYED_INSERT && writes_nulls(record) && !kept;
        cql_write_int(out, null ? CQL_NULL : CQL_UNSET);
        return STATUS_OK;
    }
    return cassandra_value_encode(column->type, cell, out, error) == STATUS_OK
               ? STATUS_OK
               : refuse_value(column, error);
}

enum { TTL_SECONDS_MAX = 630720000 }; /* as the server has it */

/* The field holds the moment, in seconds since 1970, at which the record expires. STATUS_END: it is
 * over. */
static enum status encode_ttl(const struct cassandra_statement *statement,
                              const struct keyed_record *record, const char *field,
                              struct buffer *out, struct error *error)
{
    const struct cell *cell = statement->shape == NULL    ? value_field(record->cells, field)
                              : statement->ttl_field >= 0 ? &record->cells[statement->ttl_field]
                                                          : NULL;
    if (cell == NULL || cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING) {
        cql_write_int(out, CQL_UNSET);
        return STATUS_OK;
    }
    if (cell->kind != VALUE_INT64) {
        return error_set(error, ERROR_REJECT_TYPE, NULL,
                         "%s is to say when the record expires, in seconds since 1970", field);
    }
    int64_t left = cell->i64 - clock_utc_us() / 1000000;
    if (left < 1) {
        return STATUS_END;
    }
    if (left > TTL_SECONDS_MAX) {
        return error_set(error, ERROR_REJECT_TYPE, NULL,
                         "%s is more than 20 years ahead, which Cassandra refuses", field);
    }
    cql_write_int(out, 4);
    cql_write_int(out, (int32_t)left);
    return STATUS_OK;
}

/* The token of the partition's values, which begin at `at` in the buffer. */
static int64_t token_of(struct keyed_connection *connection, const struct cassandra_table *table,
                        const struct buffer *out, size_t at)
{
    struct cql_reader reader = cql_reader_of(out->data + at, out->length - at);
    struct cql_value value = cql_read_value(&reader);
    if (table->partition_count == 1) {
        return cql_token_of(value.data, (size_t)value.length);
    }
    buffer_clear(&connection->key);
    for (uint32_t part = 0; part < table->partition_count; part++) {
        (void)!cql_token_key_append(&connection->key, value.data, (size_t)value.length);
        value = part + 1 < table->partition_count ? cql_read_value(&reader) : value;
    }
    return cql_token_of(connection->key.data, connection->key.length);
}

static size_t begin_part(struct buffer *out)
{
    static const char head[PART_HEAD_BYTES] = {0};
    buffer_append(out, head, sizeof(head));
    return out->length;
}

static void end_part(struct buffer *out, size_t begin, uint32_t statement, uint32_t value_count)
{
    uint32_t length = (uint32_t)(out->length - begin);
    char *head = out->data + begin - PART_HEAD_BYTES;
    memcpy(head, &statement, 4);
    memcpy(head + 4, &value_count, 4);
    memcpy(head + 8, &length, 4);
}

/* Is it what a partition of static values without rows is read as, its clustering columns null? */
static bool is_alone(const struct cassandra_table *table, const struct keyed_record *record)
{
    bool alone = record->shape != NULL && table->clustering_count > 0 &&
                 record->table->key_shape.static_columns.count > 0;
    for (uint32_t at = table->partition_count; at < table->key.count && alone; at++) {
        int32_t field = shape_field_find(record->shape, table->columns[at].name);
        const struct cell *cell = field >= 0 ? &record->cells[field] : NULL;
        alone = cell != NULL && (cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING);
    }
    return alone;
}

static unsigned form_of(const struct keyed_connection *connection, enum keyed_kind kind,
                        const struct keyed_record *record)
{
    const struct cassandra_table *table =
        connection->layouts[record->table - connection->tables]->table;
    bool writes = kind == KEYED_PUT || kind == KEYED_UPDATE;
    bool alone = connection->leaves_rows || is_alone(table, record);
    return writes && alone ? CASSANDRA_ALONE : CASSANDRA_PLAIN;
}

/* All of the record, as far as the form has it, by one statement. */
static enum status encode_form(struct keyed_connection *connection, enum keyed_kind kind,
                               unsigned form, const struct keyed_record *record, struct buffer *out,
                               struct error *error)
{
    uint32_t number = (uint32_t)(record->table - connection->tables);
    const struct cassandra_statement *statement =
        cassandra_statement_of(connection, kind, number, record->shape, form);
    bool key_alone = kind == KEYED_LOOK || kind == KEYED_DELETE;
    uint32_t count = key_alone ? statement->key_count : statement->count;
    enum status status = check_fields(statement, record, error);
    size_t begin = begin_part(out);
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        status = cassandra_append_value(statement, record, at, out, error);
    }
    if (status == STATUS_OK && statement->expires) {
        status = encode_ttl(statement, record, record->table->ttl, out, error);
    }
    end_part(out, begin, statement->number, count + (statement->expires ? 1 : 0));
    return status;
}

/* Is the time over of static columns of a partition without a row, which are written without a time
 * to live? */
static bool is_over(struct keyed_connection *connection, enum keyed_kind kind,
                    const struct keyed_record *record)
{
    uint32_t number = (uint32_t)(record->table - connection->tables);
    struct buffer ttl = {0};
    struct error ignored;
    bool over =
        record->table->ttl != NULL &&
        encode_ttl(cassandra_statement_of(connection, kind, number, record->shape, CASSANDRA_ALONE),
                   record, record->table->ttl, &ttl, &ignored) == STATUS_END;
    buffer_free(&ttl);
    return over;
}

bool cassandra_fills_statics(struct keyed_connection *connection, uint32_t table,
                             const struct shape *shape)
{
    const struct cassandra_statement *statement =
        cassandra_statement_of(connection, KEYED_LOOK, table, shape, CASSANDRA_ALONE);
    const struct cassandra_table *there = connection->layouts[table]->table;
    return !there->counter && there->clustering_count > 0 &&
           statement->count > statement->key_count;
}

/* Static columns are written by a statement of their own where the row expires. */
static enum status encode_whole(struct keyed_connection *connection, enum keyed_kind kind,
                                const struct keyed_record *record, struct buffer *out,
                                struct error *error)
{
    uint32_t number = (uint32_t)(record->table - connection->tables);
    unsigned form = form_of(connection, kind, record);
    bool writes = kind == KEYED_PUT || kind == KEYED_UPDATE;
    bool splits = writes && form == CASSANDRA_PLAIN && record->table->ttl != NULL &&
                  cassandra_fills_statics(connection, number, record->shape);
    if (!splits) {
        return form == CASSANDRA_ALONE && !connection->leaves_rows &&
                       is_over(connection, kind, record)
                   ? STATUS_END
                   : encode_form(connection, kind, form, record, out, error);
    }
    enum status status = encode_form(connection, kind, CASSANDRA_ROW, record, out, error);
    return status == STATUS_OK ? encode_form(connection, kind, CASSANDRA_ALONE, record, out, error)
                               : status;
}

/* ---------------------------------------------------------------- values before the key's */

static enum status encode_turned(const struct cassandra_statement *statement,
                                 const struct keyed_record *record, struct buffer *out,
                                 struct error *error)
{
    uint32_t keys = statement->key_count;
    enum status status = STATUS_OK;
    size_t begin = begin_part(out);
    for (uint32_t at = 0; at < statement->count && status == STATUS_OK; at++) {
        uint32_t place = at + keys < statement->count ? at + keys : at + keys - statement->count;
        status = cassandra_append_value(statement, record, place, out, error);
    }
    end_part(out, begin, statement->number, statement->count);
    return status;
}

/* The statements that look for the row and for the partition's static values, insert the row, and
 * set static values where there are none: enum cassandra_insert_part. */
static enum status encode_insert(struct keyed_connection *connection,
                                 const struct keyed_record *record, struct buffer *out,
                                 struct error *error)
{
    uint32_t number = (uint32_t)(record->table - connection->tables);
    if (!cassandra_fills_statics(connection, number, record->shape)) {
        return encode_whole(connection, KEYED_INSERT, record, out, error);
    }
    static const enum keyed_kind kinds[] = {KEYED_LOOK, KEYED_LOOK, KEYED_INSERT};
    static const unsigned forms[] = {CASSANDRA_PLAIN, CASSANDRA_ALONE, CASSANDRA_ROW};
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < 3 && status == STATUS_OK; at++) {
        status = encode_form(connection, kinds[at], forms[at], record, out, error);
    }
    return status == STATUS_OK
               ? encode_turned(cassandra_statement_of(connection, KEYED_INSERT, number,
                                                      record->shape, CASSANDRA_ALONE),
                               record, out, error)
               : status;
}

/* ---------------------------------------------------------------- counters */

static bool has_counters(const struct cassandra_statement *statement,
                         const struct keyed_record *record)
{
    bool any = false;
    for (uint32_t at = statement->layout->table->key.count; at < statement->count && !any; at++) {
        const struct cell *cell = cassandra_cell_of(statement, record, at);
        any = cell != NULL && cell->kind != VALUE_NULL && cell->kind != VALUE_MISSING;
    }
    return any;
}

static enum status encode_addition(const struct cassandra_statement *statement,
                                   const struct keyed_record *record, struct buffer *out,
                                   struct error *error)
{
    return has_counters(statement, record)
               ? encode_turned(statement, record, out, error)
               : error_set(error, ERROR_REJECT_TYPE, NULL,
                           "all of its counters are null, and Cassandra has no row without any");
}

/* The statement that reads the row, and the one that adds to it. */
static enum status encode_counters(struct keyed_connection *connection,
                                   const struct keyed_record *record, struct buffer *out,
                                   struct error *error)
{
    uint32_t number = (uint32_t)(record->table - connection->tables);
    return encode_whole(connection, KEYED_LOOK, record, out, error) == STATUS_OK
               ? encode_addition(cassandra_statement_of(connection, KEYED_INSERT, number,
                                                        record->shape, CASSANDRA_PLAIN),
                                 record, out, error)
               : STATUS_FAILED;
}

/* ---------------------------------------------------------------- cells of different ages */

static bool has_times(enum keyed_kind kind, const struct keyed_record *record)
{
    const struct record_envelope *envelope = record->envelope;
    return envelope != NULL && (kind == KEYED_PUT || kind == KEYED_UPDATE) &&
           (envelope->write_time_us != 0 || envelope->ttl_seconds > 0 ||
            envelope->cell_times != NULL);
}

/* The place of the record's cell, or of a document's field; -1: it has none. */
static int32_t field_of(const struct cassandra_statement *statement,
                        const struct keyed_record *record, uint32_t at)
{
    if (statement->shape != NULL) {
        return statement->fields[at];
    }
    const struct cell *cell = cassandra_cell_of(statement, record, at);
    return cell != NULL ? (int32_t)((cell - record->cells->items) / 2) : -1;
}

/* Writes and deletions of settling have to win over all that the load wrote; and a static value
 * that several records may say is not of the age of one of them. */
static struct cell_times settled_times(const struct cassandra_statement *statement,
                                       const struct keyed_record *record, bool is_static,
                                       struct cell_times times)
{
    const struct cassandra *self = statement->connection->cassandra;
    if (is_static && record->table->settles_claims) {
        return (struct cell_times){0};
    }
    if (record->table->settles &&
        times.write_time_us > cassandra_timestamp_us(self, record->attempt, 0)) {
        times.write_time_us = 0;
    }
    times.ttl_seconds = times.ttl_seconds > 0 ? times.ttl_seconds : 0;
    return times;
}

/* Elements of lists add up where they are written twice at one time, so what has elements is
 * written at the run's own. */
static struct cell_times times_of(const struct cassandra_statement *statement,
                                  const struct keyed_record *record, uint32_t at)
{
    const struct record_envelope *envelope = record->envelope;
    const struct cassandra_column *column =
        &statement->layout->table->columns[statement->places[at]];
    const struct cql_type *type = column->type;
    int32_t field = field_of(statement, record, at);
    struct cell_times times = {envelope->write_time_us, envelope->ttl_seconds};
    if (envelope->cell_times != NULL && field >= 0) {
        times = envelope->cell_times[field];
    }
    bool elements = type->kind == CQL_TYPE_LIST || type->kind == CQL_TYPE_SET ||
                    type->kind == CQL_TYPE_MAP || type->kind == CQL_TYPE_UDT;
    if (elements && !type->frozen) {
        times.write_time_us = 0;
    }
    return settled_times(statement, record, column->part == CASSANDRA_STATIC, times);
}

static bool are_equal(struct cell_times left, struct cell_times right)
{
    return left.write_time_us == right.write_time_us && left.ttl_seconds == right.ttl_seconds;
}

/* Was a cell before the one at `at` of the same times? Then they are written already. */
static bool is_known(const struct cassandra_statement *statement, const struct keyed_record *record,
                     uint32_t at, struct cell_times record_times)
{
    const struct cell_times times = times_of(statement, record, at);
    bool known = are_equal(times, record_times);
    for (uint32_t i = statement->key_count; i < at && !known; i++) {
        known = are_equal(times, times_of(statement, record, i));
    }
    return known;
}

static void write_times(const struct cassandra_statement *statement, struct cell_times times,
                        struct buffer *out)
{
    if (times.write_time_us != 0) {
        cql_write_int(out, 8);
        cql_write_long(out, times.write_time_us);
    } else {
        cql_write_unset(out);
    }
    /* a table has a time to live of its own for what comes without one */
    if (times.ttl_seconds > 0 || statement->layout->table->ttl_seconds > 0) {
        cql_write_int(out, 4);
        cql_write_int(out, (int32_t)times.ttl_seconds);
    } else {
        cql_write_unset(out);
    }
}

/* The cells of those times, and the key. */
static enum status encode_aged(const struct cassandra_statement *statement,
                               const struct keyed_record *record, struct cell_times times,
                               struct buffer *out, struct error *error)
{
    bool cells = (statement->form & CASSANDRA_CELLS) != 0; /* then the key comes last */
    uint32_t first = cells ? statement->key_count : 0;
    enum status status = STATUS_OK;
    size_t begin = begin_part(out);
    if (cells) {
        write_times(statement, times, out);
    }
    for (uint32_t i = 0; i < statement->count && status == STATUS_OK; i++) {
        uint32_t at = (first + i) % statement->count;
        if (at < statement->key_count || are_equal(times, times_of(statement, record, at))) {
            status = cassandra_append_value(statement, record, at, out, error);
        } else {
            cql_write_unset(out);
        }
    }
    if (!cells) {
        write_times(statement, times, out);
    }
    end_part(out, begin, statement->number, statement->count + 2);
    return status;
}

/* The statement that writes cells of another age than the record's. An INSERT would keep the row as
 * long as them; of static columns alone there is no UPDATE that names a row. */
static const struct cassandra_statement *statement_of_cells(struct keyed_connection *connection,
                                                            const struct cassandra_statement *whole)
{
    bool rows = false;
    for (uint32_t at = whole->key_count; at < whole->count && !rows; at++) {
        rows = whole->layout->table->columns[whole->places[at]].part == CASSANDRA_REGULAR;
    }
    return rows ? cassandra_statement_of(connection, whole->kind, whole->table, whole->shape,
                                         whole->form | CASSANDRA_CELLS)
                : whole;
}

/* A statement for each age of its cells; the first one is of the record's own, and makes its row.
 */
static enum status encode_by_age(struct keyed_connection *connection, enum keyed_kind kind,
                                 const struct keyed_record *record, struct buffer *out,
                                 struct error *error)
{
    uint32_t number = (uint32_t)(record->table - connection->tables);
    const struct cassandra_statement *statement =
        cassandra_statement_of(connection, kind, number, record->shape,
                               CASSANDRA_TIMED | form_of(connection, kind, record));
    const struct cell_times whole = {record->envelope->write_time_us,
                                     record->envelope->ttl_seconds};
    const struct cell_times own = settled_times(statement, record, false, whole);
    enum status status = check_fields(statement, record, error);
    if (status == STATUS_OK) {
        status = encode_aged(statement, record, own, out, error);
    }
    for (uint32_t at = statement->key_count; at < statement->count && status == STATUS_OK; at++) {
        if (!is_known(statement, record, at, own)) {
            status = encode_aged(statement_of_cells(connection, statement), record,
                                 times_of(statement, record, at), out, error);
        }
    }
    return status;
}

/* Once is enough. */
static void tell_expired(struct cassandra *self, const struct target_table *table)
{
    if (!atomic_exchange(&self->expired_told, true)) {
        log_write(LOG_WARNING,
                  "table %s: records whose time to live (`ttl: %s`) is over are not written; they "
                  "count as skipped",
                  table->name, table->ttl);
    }
}

enum status cassandra_encode(struct keyed_connection *connection, enum keyed_kind kind,
                             const struct keyed_record *record, struct buffer *out,
                             struct error *error)
{
    static const char no_token[TOKEN_BYTES] = {0};
    size_t start = out->length;
    buffer_append(out, no_token, sizeof(no_token));
    uint32_t number = (uint32_t)(record->table - connection->tables);
    bool counters = kind == KEYED_INSERT && connection->layouts[number]->table->counter;
    enum status status = cassandra_lists_begin(connection, kind, record, error);
    status = status != STATUS_OK       ? status
             : counters                ? encode_counters(connection, record, out, error)
             : has_times(kind, record) ? encode_by_age(connection, kind, record, out, error)
             : kind == KEYED_INSERT    ? encode_insert(connection, record, out, error)
                                       : encode_whole(connection, kind, record, out, error);
    cassandra_lists_end(connection, status == STATUS_OK);
    if (status != STATUS_OK) {
        out->length = start;
        if (status == STATUS_END) {
            tell_expired(connection->cassandra, record->table);
        }
        return status;
    }
    int64_t token = token_of(connection, connection->layouts[number]->table, out,
                             start + TOKEN_BYTES + PART_HEAD_BYTES);
    memcpy(out->data + start, &token, TOKEN_BYTES);
    return STATUS_OK;
}

uint64_t cassandra_group(const char *bytes, size_t length)
{
    return (uint64_t)cassandra_record_read(bytes, length).token;
}
