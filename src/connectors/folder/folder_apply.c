/*
 * Changes of a source, kept as they come: a folder finds no record by its key, so that the copy
 * stays as it is and a log of changes grows beside it (folder_changes.h). A line a change:
 *
 *   {"op":"u","number":17,"position":"0000abcd","ts_us":1790000000000000,"transaction":"742",
 *    "key":{"id":3},"after":{"id":3,"balance":90}}
 *
 * or, of formats whose files have a head, the columns __op, __number, … before those of the record.
 *
 *   lines ──> open files ──> fdatasync ──> position, with the open files' lengths ──> whole files
 *
 * The position is put into the store in one act: what a crash left behind the lengths that stand
 * beside it is cut off when the log is opened again, so that each change is there once.
 */
#include "connectors/folder/folder_changes.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/common/store_notes.h"
#include "connectors/common/store_position.h"
#include "connectors/folder/folder_claim.h"
#include "model/json_reader.h"
#include "model/json_writer.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { OWN_COLUMNS = 5, OPEN_DEPTH_MAX = 4 };
static const char *const own_columns[OWN_COLUMNS] = {"__op", "__number", "__position", "__ts_us",
                                                     "__transaction"};
static const enum value_kind own_kinds[OWN_COLUMNS] = {VALUE_TEXT, VALUE_INT64, VALUE_TEXT,
                                                       VALUE_INT64, VALUE_TEXT};

/* The changes of one entity. */
struct changes_log {
    struct folder_changes files;
    const char *label; /* in the position: its number among others changes with a new table */
    struct target_table table;
    struct target_table line_table; /* with a head: what says nothing of columns or of a key */
    const struct shape *shape;      /* of the records, as the encoders below know it */
    struct shape line_shape;        /* with a head: of lines */
    struct shape key_shape;         /* else: of keys */
    struct folder_encoder *encoder; /* NULL: none yet */
    struct folder_encoder *key_encoder;
    struct cell *cells; /* of a line */
};

struct apply {
    struct folder *folder;
    struct store *store;
    struct apply_request request;
    char key[STORE_KEY_BYTES];
    uint64_t version; /* of the position, as it was put or read last */
    struct arena *arena;
    struct changes_log *logs; /* a table of the request each */
    uint32_t log_count;
    uint64_t number; /* of the last change that was written */
    uint64_t committed;
    bool inside; /* a transaction is written whose last piece did not come */
    bool broken; /* what is in the files only the next handle finds out */
};

struct line {
    const struct change_set *set;
    const struct record_change *change;
    const char *position; /* hexadecimal */
};

/* ---------------------------------------------------------------- the position */

static enum status damaged(const struct apply *apply, struct error *error)
{
    return error_set(error, ERROR_LEDGER_INVALID, apply->key,
                     "what it says of files of changes can't be read");
}

static void append_position(const struct apply *apply, const struct position *position,
                            struct buffer *text)
{
    bool any = false;
    store_position_append(position, text);
    text->length--; /* the closing brace */
    buffer_format(text, ",\"number\":%" PRIu64 ",\"open\":[", apply->number);
    for (uint32_t at = 0; at < apply->log_count; at++) {
        const struct folder_changes *files = &apply->logs[at].files;
        if (files->written > 0) {
            buffer_append_string(text, any ? ",[" : "[");
            json_append_string(text, apply->logs[at].label, strlen(apply->logs[at].label));
            buffer_format(text, ",%" PRIu64 ",%" PRIu64 "]", files->first, files->written);
            any = true;
        }
    }
    buffer_append_string(text, "]}");
}

/* The next number of a list. False: there is none. */
static bool take_number(struct json_reader *json, uint64_t *number)
{
    enum json_token token;
    struct error ignored;
    return json_reader_next(json, &token, &ignored) == STATUS_OK && token == JSON_TOKEN_NUMBER &&
           text_to_uint64(json->text, json->length, number) == STATUS_OK;
}

/* NULL: what comes is the label of none. */
static struct changes_log *take_log(const struct apply *apply, struct json_reader *json)
{
    enum json_token token;
    struct error ignored;
    struct changes_log *found = NULL;
    if (json_reader_next(json, &token, &ignored) != STATUS_OK || token != JSON_TOKEN_STRING) {
        return NULL;
    }
    for (uint32_t at = 0; at < apply->log_count && found == NULL; at++) {
        const char *label = apply->logs[at].label;
        bool same = strlen(label) == json->length && memcmp(label, json->text, json->length) == 0;
        found = same ? &apply->logs[at] : NULL;
    }
    return found;
}

static enum status restore_open(struct apply *apply, struct json_reader *json, struct error *error)
{
    enum json_token token;
    uint64_t first = 0;
    uint64_t bytes = 0;
    if (json_reader_next(json, &token, error) != STATUS_OK || token != JSON_TOKEN_ARRAY_BEGIN) {
        return damaged(apply, error);
    }
    while (json_reader_next(json, &token, error) == STATUS_OK && token == JSON_TOKEN_ARRAY_BEGIN) {
        struct changes_log *log = take_log(apply, json);
        if (log == NULL || !take_number(json, &first) || !take_number(json, &bytes) ||
            json_reader_next(json, &token, error) != STATUS_OK) {
            return damaged(apply, error);
        }
        if (folder_changes_restore(&log->files, first, bytes, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    return STATUS_OK;
}

static enum status folder_apply_restore(struct apply *apply, const struct store_value *value,
                                        struct error *error)
{
    static const char number_member[] = "\"number\":";
    static const char open_member[] = "\"open\":";
    struct json_reader json;
    const char *number = strstr(value->text, number_member);
    const char *open = strstr(value->text, open_member);
    if (number == NULL || open == NULL) {
        return damaged(apply, error);
    }
    apply->number = apply->committed = strtoull(number + sizeof(number_member) - 1, NULL, 10);
    open += sizeof(open_member) - 1;
    /* without the brace behind it */
    json_reader_init(&json, open, value->length - (size_t)(open - value->text) - 1, OPEN_DEPTH_MAX,
                     apply->arena);
    return restore_open(apply, &json, error);
}

/* STATUS_END: there is none. */
static enum status get_position(struct apply *apply, struct arena *arena, struct store_value *value,
                                struct error *error)
{
    *value = (struct store_value){0};
    enum status status = folder_store.get(apply->store, apply->key, arena, value, error);
    apply->version = status == STATUS_OK ? value->version : STORE_ABSENT;
    return status;
}

static enum status read_position(struct apply *apply, struct arena *arena,
                                 struct position *position, struct error *error)
{
    struct store_value value;
    *position = (struct position){0};
    enum status status = get_position(apply, arena, &value, error);
    return status == STATUS_OK
               ? store_position_read(apply->key, value.text, value.length, arena, position, error)
               : status;
}

static enum status fenced(const struct apply *apply, struct error *error)
{
    return store_position_fenced(apply->key, apply->folder->path, error);
}

/* Before files are written that another handle may have taken up. */
static enum status check_position(const struct apply *apply, struct error *error)
{
    struct arena *arena = arena_create(0);
    struct store_value value = {0};
    enum status status = folder_store.get(apply->store, apply->key, arena, &value, error);
    uint64_t found = status == STATUS_OK ? value.version : STORE_ABSENT;
    arena_destroy(arena);
    return status == STATUS_FAILED   ? STATUS_FAILED
           : found == apply->version ? STATUS_OK
                                     : fenced(apply, error);
}

static enum status put_position(struct apply *apply, const struct position *position,
                                struct error *error)
{
    struct buffer text = {0};
    uint64_t version = 0;
    append_position(apply, position, &text);
    enum status status = failpoint_hit("files.before_apply", error);
    status = status == STATUS_OK ? folder_store.put_if(apply->store, apply->key, text.data,
                                                       text.length, apply->version, &version, error)
                                 : status;
    buffer_free(&text);
    if (status != STATUS_OK) {
        return status == STATUS_AGAIN ? fenced(apply, error) : STATUS_FAILED;
    }
    apply->version = version;
    apply->committed = apply->number;
    for (uint32_t at = 0; at < apply->log_count; at++) {
        apply->logs[at].files.committed = apply->logs[at].files.written;
    }
    return failpoint_hit("files.after_apply", error);
}

/* ---------------------------------------------------------------- handles */

static void forget_encoders(struct apply *apply, struct changes_log *log)
{
    apply->folder->format->encoder_destroy(log->encoder);
    apply->folder->format->encoder_destroy(log->key_encoder);
    log->encoder = log->key_encoder = NULL;
}

/* Changes that are committed are for readers to see. */
static void complete_all(struct apply *apply)
{
    struct error error = {0};
    for (uint32_t at = 0; at < apply->log_count && !apply->broken; at++) {
        struct folder_changes *files = &apply->logs[at].files;
        if (folder_changes_roll_back(files, &error) != STATUS_OK ||
            folder_changes_complete(files, &error) != STATUS_OK) {
            log_write(LOG_WARNING, "%s: %s; the next follow makes the file whole", error.object,
                      error.message);
        }
    }
}

static void apply_close(struct apply *apply)
{
    if (apply == NULL) {
        return;
    }
    complete_all(apply);
    for (uint32_t at = 0; at < apply->log_count; at++) {
        forget_encoders(apply, &apply->logs[at]);
        folder_changes_free(&apply->logs[at].files);
    }
    if (apply->store != NULL) {
        folder_store.close(apply->store);
    }
    arena_destroy(apply->arena);
    free(apply);
}

/* Entities of one table have logs of their own: their records have other fields. */
static const char *log_name(const struct apply_request *request, uint32_t number,
                            struct arena *arena)
{
    const char *table = request->tables[number].name;
    uint32_t before = 0;
    for (uint32_t at = 0; at < number; at++) {
        before += strcmp(request->tables[at].name, table) == 0;
    }
    const char *name = folder_entry_name(arena, table);
    return before == 0 ? name : arena_format(arena, "%s.%" PRIu32, name, before + 1);
}

static void make_logs(struct apply *apply, const struct apply_request *request)
{
    apply->log_count = request->table_count;
    apply->logs =
        arena_allocate_zeroed(apply->arena, request->table_count + 1u, sizeof(*apply->logs));
    for (uint32_t at = 0; at < request->table_count; at++) {
        struct changes_log *log = &apply->logs[at];
        log->table = request->tables[at];
        log->line_table = (struct target_table){.name = log->table.name};
        log->files = (struct folder_changes){
            .folder = apply->folder,
            .path = folder_changes_path(apply->arena, apply->folder, log->table.name),
            .name = log_name(request, at, apply->arena),
            .descriptor = -1};
        log->label =
            arena_format(apply->arena, "%s/%s", folder_entry_name(apply->arena, log->table.name),
                         log->files.name);
    }
}

static bool has_head(const struct apply *apply)
{
    return apply->folder->format->encoder_head != NULL;
}

static enum status restore_all(struct apply *apply, struct error *error)
{
    struct store_value value;
    enum status found = get_position(apply, apply->arena, &value, error);
    enum status status = found == STATUS_OK ? folder_apply_restore(apply, &value, error) : found;
    for (uint32_t at = 0; at < apply->log_count && status != STATUS_FAILED; at++) {
        bool whole = false;
        const struct folder_changes *files = &apply->logs[at].files;
        status = folder_changes_sweep(files, &whole, error);
        if (status == STATUS_OK && whole && found == STATUS_END) {
            error_set(error, ERROR_TARGET_INVALID, files->path,
                      "there are changes of an earlier run, which begin with the same numbers");
            status = error_hint(error, "move them away, or follow into another folder");
        }
        if (status == STATUS_OK && has_head(apply)) { /* it may be another one by now */
            status = folder_changes_complete(&apply->logs[at].files, error);
        }
    }
    return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
}

static enum status apply_open(struct database *self, const struct apply_request *request,
                              struct apply **apply, struct error *error)
{
    struct apply *made = memory_allocate_zeroed(1, sizeof(*made));
    made->folder = (struct folder *)self;
    made->request = *request;
    made->arena = arena_create(0);
    store_position_key(made->key, request->feed, request->lane);
    make_logs(made, request);
    enum status status = folder_store.open(self, &made->store, error);
    status = status == STATUS_OK ? folder_store.create(made->store, error) : status;
    status = status == STATUS_OK ? restore_all(made, error) : status;
    if (status != STATUS_OK) {
        made->broken = true;
        apply_close(made);
        made = NULL;
    }
    *apply = made;
    return status;
}

static enum status folder_apply_check(struct database *self, const struct target_table *table,
                                      struct error *error)
{
    if (((struct folder *)self)->pipe == NULL) {
        return STATUS_OK;
    }
    error_set(error, ERROR_FOLLOW, table->name, "standard output takes no changes");
    return error_hint(error, "follow into a folder: %s:DIR", self->connector->name);
}

/* ---------------------------------------------------------------- encoders */

static void set_field(struct shape_field *field, const char *name, enum value_kind kind)
{
    *field = (struct shape_field){
        .name = name, .name_length = (uint32_t)strlen(name), .type = {.kind = kind}};
}

static struct value_type type_of(const struct target_table *table, const struct shape_field *field)
{
    for (uint32_t at = 0; at < table->column_count; at++) {
        if (strcmp(table->columns[at].name, field->name) == 0) {
            return table->columns[at].type;
        }
    }
    return field->type;
}

/* Own columns, then the record's. */
static void make_line_shape(struct apply *apply, struct changes_log *log, const struct shape *shape)
{
    uint32_t count = OWN_COLUMNS + shape->field_count;
    struct shape_field *fields = arena_allocate_zeroed(apply->arena, count + 1u, sizeof(*fields));
    for (uint32_t at = 0; at < OWN_COLUMNS; at++) {
        set_field(&fields[at], own_columns[at], own_kinds[at]);
    }
    for (uint32_t at = 0; at < shape->field_count; at++) {
        struct shape_field *field = &fields[OWN_COLUMNS + at];
        *field = shape->fields[at];
        field->type = type_of(&log->table, field);
    }
    log->line_shape = (struct shape){.name = shape->name, .fields = fields, .field_count = count};
    log->cells = arena_allocate_zeroed(apply->arena, count + 1u, sizeof(*log->cells));
}

static void make_key_shape(struct apply *apply, struct changes_log *log, const struct shape *shape)
{
    const struct column_list *key = &log->table.key;
    struct shape_field *fields =
        arena_allocate_zeroed(apply->arena, key->count + 1u, sizeof(*fields));
    for (uint32_t at = 0; at < key->count; at++) {
        int32_t field = shape != NULL ? shape_field_find(shape, key->names[at]) : -1;
        if (field >= 0) {
            fields[at] = shape->fields[field];
        } else {
            set_field(&fields[at], key->names[at], VALUE_TEXT);
        }
    }
    log->key_shape =
        (struct shape){.name = log->table.name, .fields = fields, .field_count = key->count};
}

static enum status make_encoders(struct apply *apply, struct changes_log *log,
                                 const struct shape *shape, struct error *error)
{
    const struct folder_format *format = apply->folder->format;
    if (log->encoder != NULL && log->shape == shape) {
        return STATUS_OK;
    }
    forget_encoders(apply, log);
    log->shape = shape;
    if (has_head(apply)) {
        make_line_shape(apply, log, shape);
        return format->encoder_create(apply->folder, &log->line_table, &log->line_shape, NULL,
                                      &log->encoder, error);
    }
    make_key_shape(apply, log, shape);
    enum status status =
        format->encoder_create(apply->folder, &log->table, shape, NULL, &log->encoder, error);
    return status == STATUS_OK ? format->encoder_create(apply->folder, &log->table, &log->key_shape,
                                                        NULL, &log->key_encoder, error)
                               : status;
}

/* ---------------------------------------------------------------- lines */

static char operation_of(const struct record_change *change)
{
    switch (change->operation) {
    case RECORD_INSERT:
        return 'c';
    case RECORD_TRUNCATE:
        return 't';
    case RECORD_DELETE:
        return 'd';
    default:
        return change->after == NULL ? 'd' : 'u';
    }
}

static const char *hexadecimal(const struct position *position, struct arena *arena)
{
    static const char digits[] = "0123456789abcdef";
    char *text = arena_allocate_zeroed(arena, 2 * (size_t)position->length + 1, 1);
    for (uint32_t at = 0; at < position->length; at++) {
        text[2 * (size_t)at] = digits[position->bytes[at] >> 4];
        text[2 * (size_t)at + 1] = digits[position->bytes[at] & 15];
    }
    return text;
}

/* A record as the format writes it, without the end of its line. */
static enum status append_record(const struct apply *apply, struct folder_encoder *encoder,
                                 const struct cell *cells, struct buffer *out, struct error *error)
{
    if (apply->folder->format->encoder_append(encoder, cells, out, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    while (out->length > 0 && out->data[out->length - 1] == '\n') {
        out->length--;
    }
    return STATUS_OK;
}

static enum status append_json(const struct apply *apply, const struct changes_log *log,
                               const struct line *line, struct buffer *out, struct error *error)
{
    const struct record_change *change = line->change;
    char operation = operation_of(change);
    enum status status = STATUS_OK;
    buffer_format(out,
                  "{\"op\":\"%c\",\"number\":%" PRIu64 ",\"position\":\"%s\",\"ts_us\":", operation,
                  apply->number + 1, line->position);
    if (line->set->commit_time_us > 0) {
        buffer_format(out, "%" PRId64, line->set->commit_time_us);
    } else {
        buffer_append_string(out, "null");
    }
    buffer_append_string(out, ",\"transaction\":");
    if (line->set->transaction != NULL) {
        json_append_printable(out, line->set->transaction);
    } else {
        buffer_append_string(out, "null");
    }
    if (operation != 't') {
        buffer_append_string(out, ",\"key\":");
        status = append_record(apply, log->key_encoder, change->key, out, error);
    }
    if (status == STATUS_OK && (operation == 'c' || operation == 'u')) {
        buffer_append_string(out, ",\"after\":");
        status = append_record(apply, log->encoder, change->after, out, error);
    }
    buffer_append_string(out, "}\n");
    return status;
}

static struct cell text_or_null(const char *text)
{
    return text != NULL ? cell_text(text, strlen(text)) : cell_null();
}

static enum status append_columns(const struct apply *apply, const struct changes_log *log,
                                  const struct line *line, struct buffer *out, struct error *error)
{
    const struct record_change *change = line->change;
    const char operation[2] = {operation_of(change), '\0'};
    bool whole = operation[0] == 'c' || operation[0] == 'u';
    struct cell *cells = log->cells;
    cells[0] = cell_text(operation, 1);
    cells[1] = cell_int64((int64_t)(apply->number + 1));
    cells[2] = cell_text(line->position, strlen(line->position));
    cells[3] = line->set->commit_time_us > 0 ? cell_int64(line->set->commit_time_us) : cell_null();
    cells[4] = text_or_null(line->set->transaction);
    for (uint32_t at = 0; at < log->shape->field_count; at++) {
        cells[OWN_COLUMNS + at] = whole ? change->after[at] : cell_null();
    }
    for (uint32_t at = 0; at < change->key_count && !whole; at++) {
        int32_t field = shape_field_find(log->shape, log->table.key.names[at]);
        if (field >= 0) {
            cells[OWN_COLUMNS + field] = change->key[at];
        }
    }
    return apply->folder->format->encoder_append(log->encoder, cells, out, error);
}

static enum status append_head(struct apply *apply, struct changes_log *log, struct error *error)
{
    return has_head(apply)
               ? apply->folder->format->encoder_head(log->encoder, &log->files.buffer, error)
               : STATUS_OK;
}

/* A part of the key is null: nothing could be found again by it. */
static bool is_keyless(const struct record_change *change)
{
    bool keyless = change->operation != RECORD_TRUNCATE && change->key == NULL;
    for (uint32_t at = 0; at < change->key_count && !keyless; at++) {
        keyless = change->key[at].kind == VALUE_NULL || change->key[at].kind == VALUE_MISSING;
    }
    return keyless;
}

static enum status append_line(struct apply *apply, struct changes_log *log,
                               const struct line *line, struct error *error)
{
    struct buffer *out = &log->files.buffer;
    bool made = false;
    if (is_keyless(line->change)) {
        return error_set(error, ERROR_REJECT_KEY_NULL, NULL, "a part of its key is null");
    }
    if (make_encoders(apply, log, line->set->tables[line->change->table].shape, error) !=
            STATUS_OK ||
        folder_changes_begin(&log->files, apply->number + 1, &made, error) != STATUS_OK ||
        (made && append_head(apply, log, error) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    size_t start = out->length;
    enum status status = has_head(apply) ? append_columns(apply, log, line, out, error)
                                         : append_json(apply, log, line, out, error);
    if (status != STATUS_OK) {
        out->length = start;
        return STATUS_FAILED;
    }
    apply->number++;
    return folder_changes_write(&log->files, false, error);
}

/* ---------------------------------------------------------------- sets */

static void folder_apply_refuse(struct apply_result *result, uint32_t set, uint32_t change,
                                const struct error *reason, struct arena *arena)
{
    uint32_t count = result->refusal_count;
    if ((count & (count - 1)) == 0) { /* full at every power of two */
        struct apply_refusal *grown =
            arena_allocate_zeroed(arena, count == 0 ? 1 : 2 * (size_t)count, sizeof(*grown));
        if (count > 0) {
            memcpy(grown, result->refusals, count * sizeof(*grown));
        }
        result->refusals = grown;
    }
    result->refusals[result->refusal_count++] =
        (struct apply_refusal){.set = set,
                               .change = change,
                               .code = reason->code,
                               .reason = arena_copy_string(arena, reason->message)};
}

static enum status append_set(struct apply *apply, const struct change_set *set, uint32_t number,
                              struct arena *arena, struct apply_result *result, struct error *error)
{
    struct error reason = {0};
    struct line line = {.set = set, .position = hexadecimal(&set->end, arena)};
    for (uint32_t at = 0; at < set->change_count; at++) {
        line.change = &set->changes[at];
        if (append_line(apply, &apply->logs[line.change->table], &line, &reason) == STATUS_OK) {
            continue;
        }
        if (reason.class != ERROR_CLASS_REJECT) {
            return error_copy(error, &reason);
        }
        folder_apply_refuse(result, number, at, &reason, arena);
    }
    apply->inside = !set->last_piece;
    return STATUS_OK;
}

static enum status roll_back(struct apply *apply, struct error *error)
{
    enum status status = STATUS_OK;
    apply->number = apply->committed;
    apply->inside = false;
    for (uint32_t at = 0; at < apply->log_count && status == STATUS_OK; at++) {
        status = folder_changes_roll_back(&apply->logs[at].files, error);
    }
    return status;
}

static enum status folder_apply_commit(struct apply *apply, const struct position *position,
                                       struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < apply->log_count && status == STATUS_OK; at++) {
        status = folder_changes_sync(&apply->logs[at].files, error);
    }
    return status == STATUS_OK ? put_position(apply, position, error) : status;
}

/* Files that are large, or old, are made whole. All of them is committed. */
static enum status complete_some(struct apply *apply, struct error *error)
{
    const struct folder *folder = apply->folder;
    int64_t now_ms = clock_monotonic_ms();
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < apply->log_count && status == STATUS_OK; at++) {
        struct folder_changes *files = &apply->logs[at].files;
        if (files->written >= folder->file_bytes_max ||
            now_ms - files->begun_ms >= folder->change_seconds * 1000) {
            status = folder_changes_complete(files, error);
        }
    }
    return status;
}

/* Up to the last set that ends a transaction all is committed; what follows it waits. */
static enum status write_sets(struct apply *apply, const struct change_set *const *sets,
                              uint32_t count, struct arena *arena, struct apply_result *result,
                              struct error *error)
{
    uint32_t whole = count;
    enum status status = STATUS_OK;
    while (whole > 0 && !sets[whole - 1]->last_piece) {
        whole--;
    }
    if (count > 0 && apply->inside && sets[0]->first_piece) {
        status = roll_back(apply, error);
    }
    struct apply_call call = {.sets = sets};
    uint32_t noted = 0; /* of the refusals */
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        status = append_set(apply, sets[at], at, arena, result, error);
        if (status == STATUS_OK && (at + 1 == whole || at + 1 == count)) {
            call.end = at + 1;
            call.refusal_count = result->refusal_count - noted;
            call.refusals = call.refusal_count > 0 ? &result->refusals[noted] : NULL;
            status =
                store_notes_keep(&apply->request, &call, &folder_store, apply->store, arena, error);
            call.first = call.end;
            noted = result->refusal_count;
        }
        if (status == STATUS_OK && at + 1 == whole) {
            status = folder_apply_commit(apply, &sets[at]->end, error);
            status = status == STATUS_OK ? complete_some(apply, error) : status;
        }
    }
    return status;
}

static enum status apply_sets(struct apply *apply, const struct change_set *const *sets,
                              uint32_t set_count, struct arena *arena, struct apply_result *result,
                              struct error *error)
{
    *result = (struct apply_result){0};
    if (apply->broken) {
        return error_set(error, ERROR_TARGET_WRITE, apply->folder->path,
                         "an earlier write of changes failed");
    }
    enum status status = check_position(apply, error);
    status = status == STATUS_OK ? folder_check_claim(apply->folder, error) : status;
    status =
        status == STATUS_OK ? write_sets(apply, sets, set_count, arena, result, error) : status;
    apply->broken = status != STATUS_OK;
    return status;
}

static enum status idle(struct apply *apply, struct error *error)
{
    if (apply->inside || apply->broken) {
        return STATUS_OK;
    }
    enum status status = complete_some(apply, error);
    apply->broken = status != STATUS_OK;
    return status;
}

const struct apply_functions folder_apply = {.keeps_log = true,
                                             .check = folder_apply_check,
                                             .open = apply_open,
                                             .close = apply_close,
                                             .position = read_position,
                                             .apply_sets = apply_sets,
                                             .idle = idle};
