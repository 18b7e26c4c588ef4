/* Records as commands. */
#include "connectors/redis/send_internal.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/decimal.h"
#include "model/json_writer.h"
#include <math.h>
#include <stdlib.h>

static const char multi[] = "*1\r\n$5\r\nMULTI\r\n";
static const char exec[] = "*1\r\n$4\r\nEXEC\r\n";

/* ---------------------------------------------------------------- encoders */

struct redis_encoder *redis_encoder_create(struct redis_database *database, const char *table,
                                           const struct shape *shape)
{
    struct redis_encoder *made = memory_allocate_zeroed(1, sizeof(*made));
    made->shape = shape;
    made->database = database;
    made->table = table;
    made->arena = arena_create(0);
    made->kind_names.arena = made->arena;
    made->kind_count = shape != NULL ? shape->field_count : 0;
    made->kind_capacity = made->kind_count;
    made->kinds = arena_allocate_zeroed(made->arena, (size_t)made->kind_count + 1,
                                        sizeof(*made->kinds)); /* VALUE_MISSING */
    for (uint32_t at = 0; shape != NULL && at < shape->field_count; at++) {
        made->name_ends = at == 0
                              ? memory_allocate_zeroed(shape->field_count, sizeof(*made->name_ends))
                              : made->name_ends;
        resp_word(&made->names, shape->fields[at].name, shape->fields[at].name_length);
        made->name_ends[at] = (uint32_t)made->names.length;
    }
    return made;
}

void redis_encoder_destroy(void *made)
{
    struct redis_encoder *encoder = made;
    if (encoder != NULL) {
        buffer_free(&encoder->names);
        free(encoder->name_ends);
        arena_destroy(encoder->arena);
        free(encoder);
    }
}

/* ---------------------------------------------------------------- fields */

/* A record while it is encoded. */
struct encoding {
    const struct keyed_record *record;
    struct redis_encoder *encoder;
    uint32_t count; /* fields, null ones included */
    struct buffer *out;
};

static const struct cell *value_at(const struct encoding *encoding, uint32_t at)
{
    return encoding->record->shape != NULL ? &encoding->record->cells[at]
                                           : &encoding->record->cells->items[2 * (size_t)at + 1];
}

static bool is_null(const struct cell *cell)
{
    return cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING;
}

static uint32_t count_values(const struct encoding *encoding)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < encoding->count; at++) {
        count += !is_null(value_at(encoding, at));
    }
    return count;
}

static struct text name_at(const struct encoding *encoding, uint32_t at)
{
    const struct shape *shape = encoding->record->shape;
    if (shape != NULL) {
        return (struct text){shape->fields[at].name, shape->fields[at].name_length};
    }
    const struct cell *name = &encoding->record->cells->items[2 * (size_t)at];
    return (struct text){name->text, name->length};
}

static void append_name(const struct encoding *encoding, uint32_t at)
{
    const struct redis_encoder *encoder = encoding->encoder;
    if (encoder == NULL || encoder->shape == NULL) {
        struct text name = name_at(encoding, at);
        resp_word(encoding->out, name.data, name.length);
        return;
    }
    uint32_t begin = at > 0 ? encoder->name_ends[at - 1] : 0;
    buffer_append(encoding->out, encoder->names.data + begin, encoder->name_ends[at] - begin);
}

static enum status append_word(struct buffer *out, const struct cell *cell, struct error *error)
{
    char digits[24];
    if (cell->kind == VALUE_INT64) {
        resp_word(out, digits, text_from_int64(cell->i64, digits));
        return STATUS_OK;
    }
    if (cell->kind == VALUE_TEXT && cell->length <= REDIS_VALUE_BYTES_MAX) {
        resp_word(out, cell->text, cell->length);
        return STATUS_OK;
    }
    struct buffer value = {0};
    enum status status = redis_value_append(cell, &value, error);
    if (status == STATUS_OK) {
        resp_word(out, value.data, value.length);
    }
    buffer_free(&value);
    return status;
}

/* Where the encoder keeps what is known of the field's column. */
static enum value_kind *known_kind(struct redis_encoder *encoder, uint32_t at, struct text name)
{
    if (encoder->shape != NULL) {
        return &encoder->kinds[at];
    }
    uint32_t number = name_index_find(&encoder->kind_names, name.data, name.length);
    if (number == NAME_INDEX_NONE) {
        number = encoder->kind_count;
        encoder->kinds = arena_make_room(encoder->arena, encoder->kinds, number,
                                         &encoder->kind_capacity, sizeof(*encoder->kinds));
        encoder->kinds[encoder->kind_count++] = VALUE_MISSING;
        const char *copy = arena_copy(encoder->arena, name.data, name.length);
        (void)name_index_add(&encoder->kind_names, copy, name.length, number);
    }
    return &encoder->kinds[number];
}

/* The table's note says of which kind the value is, before it is written. */
static enum status note_kind(const struct encoding *encoding, uint32_t at, const struct cell *value,
                             struct error *error)
{
    struct redis_encoder *encoder = encoding->encoder;
    enum value_kind kind = redis_kind_of(value);
    if (encoder == NULL) { /* of control work: it puts back what was written before */
        return STATUS_OK;
    }
    struct text name = name_at(encoding, at);
    enum value_kind *known = known_kind(encoder, at, name);
    if (*known != VALUE_MISSING && redis_kind_holds(*known, kind)) {
        return STATUS_OK;
    }
    enum status status = redis_kind_meet(encoder->database, encoder->table, name, &kind, error);
    *known = status == STATUS_OK ? kind : *known;
    return status;
}

static enum status append_fields(const struct encoding *encoding, struct error *error)
{
    char shown[80];
    for (uint32_t at = 0; at < encoding->count; at++) {
        const struct cell *value = value_at(encoding, at);
        if (is_null(value)) {
            continue;
        }
        if (note_kind(encoding, at, value, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        append_name(encoding, at);
        if (append_word(encoding->out, value, error) != STATUS_OK) {
            struct text name = name_at(encoding, at);
            text_printable(name.data, name.length, shown, sizeof(shown));
            error_name_object(error, shown);
            return error_context(error, "%s: ", shown);
        }
    }
    return STATUS_OK;
}

/* The key is written first, and its length put before it. */
static enum status append_key(const struct encoding *encoding, struct error *error)
{
    struct buffer *out = encoding->out;
    char digits[24];
    size_t begin = out->length;
    enum status status =
        redis_key_append(encoding->record->table, encoding->record->key, out, error);
    if (status != STATUS_OK) {
        return status;
    }
    size_t length = out->length - begin;
    size_t width = text_from_uint64(length, digits + 1) + 3; /* $ digits \r\n */
    digits[0] = '$';
    digits[width - 2] = '\r';
    digits[width - 1] = '\n';
    buffer_reserve(out, width + 2);
    memmove(out->data + begin + width, out->data + begin, length);
    memcpy(out->data + begin, digits, width);
    out->length += width;
    buffer_append(out, "\r\n", 2);
    return STATUS_OK;
}

static enum status append_command(const struct encoding *encoding, const char *name, uint64_t words,
                                  struct error *error)
{
    resp_begin(encoding->out, words);
    resp_string(encoding->out, name);
    return append_key(encoding, error);
}

/* ---------------------------------------------------------------- time to live */

static const struct cell *find_field(const struct encoding *encoding, const char *name)
{
    size_t length = strlen(name);
    for (uint32_t at = 0; at < encoding->count; at++) {
        struct text own = name_at(encoding, at);
        if (own.length == length && memcmp(own.data, name, length) == 0) {
            return value_at(encoding, at);
        }
    }
    return NULL;
}

/* Seconds since 1970, as whole numbers are; those of a text that is digits, too. */
static bool read_seconds(const struct cell *cell, int64_t *seconds)
{
    struct cell number = *cell;
    struct arena *arena = arena_create(256);
    bool good = cell->kind == VALUE_INT64;
    *seconds = cell->i64;
    if (cell->kind == VALUE_TEXT) {
        good = text_to_int64(cell->text, cell->length, seconds) == STATUS_OK;
    } else if (cell->kind == VALUE_DECIMAL) {
        good = decimal_to_int64(&number, seconds) == STATUS_OK;
    } else if (cell->kind == VALUE_UINT64) {
        good = cell->u64 <= INT64_MAX;
    } else if (cell->kind == VALUE_FLOAT64) {
        *seconds = (int64_t)cell->f64;
        good = cell->f64 > 0 && cell->f64 < 1e15;
    } else if (cell->kind == VALUE_TIMESTAMP) {
        *seconds = cell->i64 / 1000000;
        good = (cell->flags & CELL_SPECIAL) == 0;
    }
    arena_destroy(arena);
    return good;
}

/* When the record expires: `*at_ms` since 1970; 0: never. STATUS_END: it has by now. */
static enum status find_expiry(const struct encoding *encoding, int64_t *at_ms, struct error *error)
{
    enum { YEARS_MAX = 100000 };
    const struct keyed_record *record = encoding->record;
    int64_t now_ms = clock_utc_us() / 1000;
    int64_t seconds = 0;
    *at_ms = 0;
    const struct cell *field =
        record->table->ttl != NULL ? find_field(encoding, record->table->ttl) : NULL;
    if (field != NULL && !is_null(field)) {
        if (!read_seconds(field, &seconds) || seconds > (int64_t)YEARS_MAX * 366 * 86400) {
            return error_set(error, ERROR_REJECT_TYPE, NULL,
                             "%s says when the record expires, and is no number of seconds",
                             record->table->ttl);
        }
        *at_ms = seconds * 1000;
        return *at_ms > now_ms ? STATUS_OK : STATUS_END;
    }
    if (record->envelope != NULL && record->envelope->ttl_seconds > 0) {
        *at_ms = now_ms + record->envelope->ttl_seconds * 1000;
    }
    return STATUS_OK;
}

static enum status append_expiry(const struct encoding *encoding, int64_t at_ms,
                                 struct error *error)
{
    if (at_ms == 0) {
        return STATUS_OK;
    }
    enum status status = append_command(encoding, "PEXPIREAT", 3, error);
    resp_number(encoding->out, at_ms);
    return status;
}

/* ---------------------------------------------------------------- commands */

static enum status append_hset(const struct encoding *encoding, struct error *error)
{
    uint64_t words = 2 + 2 * (uint64_t)count_values(encoding);
    enum status status = append_command(encoding, "HSET", words, error);
    return status == STATUS_OK ? append_fields(encoding, error) : status;
}

/* May anything be there, of an earlier attempt or of others? */
static bool may_be_there(const struct keyed_record *record)
{
    return !record->table->created || record->repeated || record->table->may_repeat;
}

/* A command that runs a script: its key, when it expires; `more` arguments follow. */
static enum status append_script(const struct encoding *encoding, enum redis_script_name name,
                                 int64_t at_ms, uint64_t more, struct error *error)
{
    char digits[24];
    /* control work comes by connections that have loaded nothing */
    bool whole = encoding->encoder == NULL;
    resp_begin(encoding->out, 5 + more);
    resp_string(encoding->out, whole ? "EVAL" : "EVALSHA");
    resp_string(encoding->out, whole ? redis_scripts[name].text : redis_scripts[name].sha);
    resp_string(encoding->out, "1");
    enum status status = append_key(encoding, error);
    resp_word(encoding->out, digits, at_ms > 0 ? text_from_int64(at_ms, digits) : 0);
    return status;
}

static enum status run_on_hash(const struct encoding *encoding, enum redis_script_name name,
                               int64_t at_ms, struct error *error)
{
    uint64_t more = 2 * (uint64_t)count_values(encoding);
    enum status status = append_script(encoding, name, at_ms, more, error);
    return status == STATUS_OK ? append_fields(encoding, error) : status;
}

static enum status put_hash(const struct encoding *encoding, int64_t at_ms, struct error *error)
{
    if (may_be_there(encoding->record)) {
        return run_on_hash(encoding, REDIS_SCRIPT_PUT, at_ms, error);
    }
    if (at_ms == 0) {
        return append_hset(encoding, error);
    }
    buffer_append(encoding->out, multi, sizeof(multi) - 1);
    enum status status = append_hset(encoding, error);
    status = status == STATUS_OK ? append_expiry(encoding, at_ms, error) : status;
    buffer_append(encoding->out, exec, sizeof(exec) - 1);
    return status;
}

/* Fields of the table that are the record's to empty: its null ones, and those that it lacks where
 * they are of other entities. */
static bool is_emptied(const struct encoding *encoding, uint32_t at)
{
    return value_at(encoding, at)->kind == VALUE_NULL;
}

static bool is_cleared(const struct encoding *encoding, uint32_t column)
{
    const struct target_table *table = encoding->record->table;
    return table->clears_others && find_field(encoding, table->columns[column].name) == NULL &&
           !target_table_is_keyed(table, table->columns[column].name);
}

static uint32_t append_hdel(const struct encoding *encoding, struct buffer *names)
{
    const struct target_table *table = encoding->record->table;
    uint32_t count = 0;
    for (uint32_t at = 0; at < encoding->count; at++) {
        if (is_emptied(encoding, at)) {
            struct text name = name_at(encoding, at);
            resp_word(names, name.data, name.length);
            count++;
        }
    }
    for (uint32_t at = 0; table->clears_others && at < table->column_count; at++) {
        if (is_cleared(encoding, at)) {
            resp_string(names, table->columns[at].name);
            count++;
        }
    }
    return count;
}

static enum status update_hash(const struct encoding *encoding, int64_t at_ms, struct error *error)
{
    struct buffer names = {0};
    uint32_t emptied = append_hdel(encoding, &names);
    bool several = emptied > 0 || at_ms > 0;
    enum status status = STATUS_OK;
    if (several) {
        buffer_append(encoding->out, multi, sizeof(multi) - 1);
    }
    status = append_hset(encoding, error);
    if (status == STATUS_OK && emptied > 0) {
        status = append_command(encoding, "HDEL", 2 + (uint64_t)emptied, error);
        buffer_append_buffer(encoding->out, &names);
    }
    status = status == STATUS_OK ? append_expiry(encoding, at_ms, error) : status;
    if (several) {
        buffer_append(encoding->out, exec, sizeof(exec) - 1);
    }
    buffer_free(&names);
    return status;
}

static enum status append_set(const struct encoding *encoding, bool insert, int64_t at_ms,
                              const struct buffer *json, struct error *error)
{
    enum status status =
        append_command(encoding, "SET", 3 + (uint64_t)insert + (at_ms > 0 ? 2 : 0), error);
    resp_word(encoding->out, json->data, json->length);
    if (insert) {
        resp_string(encoding->out, "NX");
    }
    if (at_ms > 0) {
        resp_string(encoding->out, "PXAT");
        resp_number(encoding->out, at_ms);
    }
    return status;
}

static enum status set_json(const struct encoding *encoding, bool insert, int64_t at_ms,
                            struct error *error)
{
    struct buffer json = {0};
    const struct keyed_record *record = encoding->record;
    enum status status = redis_json_append(record->shape, record->cells, &json, error);
    if (status == STATUS_OK && !insert && may_be_there(record)) {
        status = append_script(encoding, REDIS_SCRIPT_PUT_JSON, at_ms, 1, error);
        resp_word(encoding->out, json.data, json.length);
    } else if (status == STATUS_OK) {
        status = append_set(encoding, insert, at_ms, &json, error);
    }
    buffer_free(&json);
    return status;
}

/* The members that a record sets, its null ones, and those that it clears. */
static enum status append_members(const struct encoding *encoding, struct buffer *members,
                                  uint64_t *count, struct error *error)
{
    const struct target_table *table = encoding->record->table;
    struct buffer word = {0};
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < encoding->count && status == STATUS_OK; at++) {
        struct text name = name_at(encoding, at);
        if (value_at(encoding, at)->kind == VALUE_MISSING) {
            continue;
        }
        buffer_clear(&word);
        json_append_string(&word, name.data, name.length);
        resp_word(members, word.data, word.length);
        buffer_clear(&word);
        status = redis_json_value_append(value_at(encoding, at), &word, error);
        resp_word(members, word.data, word.length);
        *count += 1;
    }
    for (uint32_t at = 0; table->clears_others && at < table->column_count; at++) {
        if (is_cleared(encoding, at)) {
            buffer_clear(&word);
            json_append_string(&word, table->columns[at].name, strlen(table->columns[at].name));
            resp_word(members, word.data, word.length);
            resp_word(members, "", 0);
            *count += 1;
        }
    }
    buffer_free(&word);
    return status;
}

static enum status merge_json(const struct encoding *encoding, int64_t at_ms, struct error *error)
{
    struct buffer members = {0};
    uint64_t count = 0;
    enum status status = append_members(encoding, &members, &count, error);
    if (status == STATUS_OK) {
        status = append_script(encoding, REDIS_SCRIPT_MERGE, at_ms, 2 * count, error);
        buffer_append_buffer(encoding->out, &members);
    }
    buffer_free(&members);
    return status;
}

/* ---------------------------------------------------------------- with indexes */

/* A day, as one that is read back is: "2024-02-29", "2024-02-29T12:00:00Z". */
static bool is_day(const char *text, size_t length)
{
    size_t at = length > 0 && text[0] == '-' ? 1 : 0;
    size_t begin = at;
    while (at < length && text[at] >= '0' && text[at] <= '9') {
        at++;
    }
    bool good = at > begin && length - at >= 6 && (length - at == 6 || text[at + 6] == 'T');
    for (size_t part = 0; part < 2 && good; part++, at += 3) {
        good = text[at] == '-' && text[at + 1] >= '0' && text[at + 1] <= '9' &&
               text[at + 2] >= '0' && text[at + 2] <= '9';
    }
    return good;
}

/* The script makes a number of its text. */
static bool can_sort_by(const struct cell *value)
{
    double number = 0;
    switch ((enum value_kind)value->kind) {
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        number = value->f64;
        break;
    case VALUE_DECIMAL:
        number = decimal_to_double(value);
        break;
    case VALUE_DATE:
    case VALUE_TIMESTAMP:
        return (value->flags & CELL_SPECIAL) == 0;
    case VALUE_TEXT:
        return is_day(value->text, value->length);
    default:
        return is_null(value) || value->kind == VALUE_INT64 || value->kind == VALUE_UINT64;
    }
    return isfinite(number) != 0;
}

static enum status check_sorted(const struct encoding *encoding, const struct redis_index *index,
                                struct error *error)
{
    const char *name = index->columns.names[index->columns.count - 1];
    const struct cell *value = index->sorted ? find_field(encoding, name) : NULL;
    return value == NULL || can_sort_by(value)
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_TYPE, NULL,
                           "%s is no number or time, by which the index \"%s\" is sorted", name,
                           index->name);
}

/* The words that tell the script of the indexes; their number is added to `*count`. */
static enum status append_indexes(const struct encoding *encoding,
                                  const struct redis_indexes *indexes, struct buffer *words,
                                  uint64_t *count, struct error *error)
{
    enum status status = STATUS_OK;
    resp_number(words, indexes->count);
    *count += 1;
    for (uint32_t at = 0; at < indexes->count && status == STATUS_OK; at++) {
        const struct redis_index *index = &indexes->items[at];
        status = check_sorted(encoding, index, error);
        resp_string(words, index->base);
        resp_string(words, index->sorted ? "1" : "0");
        resp_number(words, index->columns.count);
        for (uint32_t column = 0; column < index->columns.count; column++) {
            resp_string(words, index->columns.names[column]);
        }
        *count += 3 + (uint64_t)index->columns.count;
    }
    return status;
}

static enum status run_with_indexes(const struct encoding *encoding, enum keyed_kind kind,
                                    const struct redis_indexes *indexes, struct error *error)
{
    static const char *const modes[] = {[KEYED_PUT] = "put",
                                        [KEYED_INSERT] = "insert",
                                        [KEYED_UPDATE] = "update",
                                        [KEYED_DELETE] = "delete"};
    struct buffer words = {0};
    struct buffer names = {0};
    uint64_t count = 2;
    resp_string(&words, modes[kind]);
    enum status status = append_indexes(encoding, indexes, &words, &count, error);
    uint32_t emptied = kind == KEYED_UPDATE ? append_hdel(encoding, &names) : 0;
    resp_number(&words, emptied);
    buffer_append_buffer(&words, &names);
    count += emptied + 2 * (uint64_t)count_values(encoding);
    status = status == STATUS_OK ? append_script(encoding, REDIS_SCRIPT_INDEXED, 0, count, error)
                                 : status;
    if (status == STATUS_OK) {
        buffer_append_buffer(encoding->out, &words);
        status = append_fields(encoding, error);
    }
    buffer_free(&words);
    buffer_free(&names);
    return status;
}

static enum status write_indexed(const struct encoding *encoding, enum keyed_kind kind,
                                 const struct redis_indexes *indexes, struct error *error)
{
    int64_t at_ms = 0;
    enum status status = kind == KEYED_DELETE ? STATUS_OK : find_expiry(encoding, &at_ms, error);
    if (status == STATUS_OK && at_ms > 0) {
        return error_set(error, ERROR_REJECT_CONSTRAINT, NULL,
                         "it expires, and would stay in the table's indexes");
    }
    return status == STATUS_OK ? run_with_indexes(encoding, kind, indexes, error) : status;
}

/* ---------------------------------------------------------------- any record */

static enum status write_record(enum redis_form form, enum keyed_kind kind,
                                const struct encoding *encoding, struct error *error)
{
    int64_t at_ms = 0;
    enum status status = find_expiry(encoding, &at_ms, error);
    if (status != STATUS_OK) {
        return status;
    }
    if (form == REDIS_JSON && kind == KEYED_UPDATE) {
        return merge_json(encoding, at_ms, error);
    }
    if (form == REDIS_JSON) {
        return set_json(encoding, kind == KEYED_INSERT, at_ms, error);
    }
    return kind == KEYED_PUT      ? put_hash(encoding, at_ms, error)
           : kind == KEYED_INSERT ? run_on_hash(encoding, REDIS_SCRIPT_INSERT, at_ms, error)
                                  : update_hash(encoding, at_ms, error);
}

static enum status refuse_no_key(const struct keyed_record *record, struct error *error)
{
    return error_set(error, ERROR_REJECT_KEY_NULL, NULL, "%s is missing, and a part of the key",
                     record->table->key.count > 0 ? record->table->key.names[0] : "the key");
}

enum status redis_encode(enum redis_form form, enum keyed_kind kind,
                         const struct keyed_record *record, const struct redis_indexes *indexes,
                         struct buffer *out, struct error *error)
{
    if (record->key == NULL) {
        return refuse_no_key(record, error);
    }
    const struct encoding encoding = {.record = record,
                                      .encoder = record->encoder,
                                      .count = kind == KEYED_DELETE || kind == KEYED_LOOK ? 0
                                               : record->shape != NULL ? record->shape->field_count
                                                                       : record->cells->length,
                                      .out = out};
    if (indexes != NULL && indexes->count > 0 && kind != KEYED_LOOK) {
        return write_indexed(&encoding, kind, indexes, error);
    }
    if (kind == KEYED_DELETE) {
        return append_command(&encoding, "UNLINK", 2, error);
    }
    return kind == KEYED_LOOK
               ? append_command(&encoding, form == REDIS_JSON ? "GET" : "HGETALL", 2, error)
               : write_record(form, kind, &encoding, error);
}

/* ---------------------------------------------------------------- looking at commands */

bool redis_is_transaction(const char *bytes, size_t length)
{
    return length > sizeof(multi) - 1 && memcmp(bytes, multi, sizeof(multi) - 1) == 0;
}

/* The word at `*at`, which moves behind it. */
static struct text next_word(const char *bytes, size_t length, size_t *at)
{
    const char *end = memchr(bytes + *at, '\n', length - *at);
    uint64_t size = 0;
    if (end == NULL || bytes[*at] != '$' ||
        text_to_uint64(bytes + *at + 1, (size_t)(end - bytes) - *at - 2, &size) != STATUS_OK) {
        return (struct text){"", 0};
    }
    struct text word = {end + 1, size};
    *at = (size_t)(end + 1 - bytes) + size + 2;
    return word;
}

struct text redis_key_of_commands(const char *bytes, size_t length)
{
    size_t at = redis_is_transaction(bytes, length) ? sizeof(multi) - 1 : 0;
    const char *line = memchr(bytes + at, '\n', length - at);
    if (line == NULL) {
        return (struct text){"", 0};
    }
    at = (size_t)(line + 1 - bytes);
    struct text name = next_word(bytes, length, &at);
    if (name.length >= 4 && memcmp(name.data, "EVAL", 4) == 0) {
        (void)next_word(bytes, length, &at);
        (void)next_word(bytes, length, &at);
    }
    return next_word(bytes, length, &at);
}
