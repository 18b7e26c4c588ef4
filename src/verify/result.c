/* The result: per entity and column, as JSON, and kept in the state folder. */
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/ledger/json_text.h"
#include "model/json_tree.h"
#include "model/json_writer.h"
#include "observe/report.h"
#include "verify/steps.h"
#include <inttypes.h>
#include <string.h>

enum { FORMAT = 1, STATE_BYTES_MAX = 64 << 20 };

/* ---------------------------------------------------------------- filling */

static bool is_clean(const struct verify_entity_result *row)
{
    return row->missing == 0 && row->different == 0 && row->extra == 0 && row->unreadable == 0;
}

/* The known rejects that the source still makes, as far as no record was matched: where ranges or
 * rows are all even, the target has whatever the source has. */
static uint64_t known_of(const struct verify *verify, const struct verify_entity *entity)
{
    const struct verify_table *table = &verify->tables[entity->plan->table];
    if (verify->options.level == VERIFY_COUNT && !table->unclear && !table->distinct) {
        uint64_t unmade = atomic_load(&entity->rejected);
        bool alone = table->plan->entity_count == 1;
        return !alone                            ? entity->rejected_known
               : table->rejects_missing > unmade ? table->rejects_missing - unmade
                                                 : 0;
    }
    return table->bad               ? entity->rejected_clean
           : table->buckets != NULL ? entity->rejected_known
                                    : 0;
}

static void fill_entity(const struct verify *verify, const struct match *match, uint32_t number)
{
    struct verify_entity_result *row = &match->entities[number];
    const struct verify_entity *entity = &verify->entities[number];
    const struct verify_table *table = &verify->tables[entity->plan->table];
    row->rejected += known_of(verify, entity);
    row->source = atomic_load(&entity->made) - row->rejected - match->collapsed[number];
    row->target = row->source - row->missing + row->extra;
    row->rejected += atomic_load(&entity->rejected);
    row->absent = row->rejected > row->loaded ? row->rejected - row->loaded : 0;
    row->pushed_down = table->pushed != NULL;
    row->read_because = table->read_because;
}

/* A table's own row says something only of records that are nobody's. */
static void fill_entities(struct verify *verify, struct match *match)
{
    struct verify_result *result = verify->result;
    uint32_t all = verify->entity_count + verify->table_count;
    result->entities =
        arena_allocate_zeroed(verify->arena, (size_t)all + 1, sizeof(*result->entities));
    result->ok = true;
    for (uint32_t i = 0; i < all; i++) {
        struct verify_entity_result *row = &match->entities[i];
        if (i < verify->entity_count) {
            fill_entity(verify, match, i);
        } else {
            row->target = row->extra;
        }
        if (i < verify->entity_count || !is_clean(row)) {
            result->entities[result->entity_count++] = *row;
            result->ok = result->ok && is_clean(row);
        }
    }
}

static const char *sum_text(struct verify *verify, struct verify_column_sum *sum)
{
    struct buffer text = {0};
    struct cell cell;
    const char *copy = NULL;
    char digits[64];
    struct arena *arena = verify->arena;
    __int128 rest = sum->whole;
    int at = (int)sizeof(digits) - 1;
    if (sum->numbers == 0) {
        return NULL;
    }
    /* 128 bits in decimal, for the exact sum to take them in */
    digits[at] = '\0';
    bool negative = rest < 0;
    do {
        int digit = (int)(rest % 10);
        digits[--at] = (char)('0' + (digit < 0 ? -digit : digit));
        rest /= 10;
    } while (rest != 0);
    if (negative) {
        digits[--at] = '-';
    }
    if (decimal_parse(digits + at, strlen(digits + at), arena, &cell) == STATUS_OK &&
        decimal_sum_add(&sum->decimal, &cell) == STATUS_OK &&
        decimal_sum_result(&sum->decimal, arena, &cell) == STATUS_OK) {
        value_print(&cell, 200, &text);
        copy = arena_copy_string(arena, buffer_string(&text));
    }
    buffer_free(&text);
    return copy;
}

/* Equal sums have one text: digits may be left of what was taken off. */
static bool same_number(const char *a, const char *b)
{
    struct cell left;
    struct cell right;
    struct arena *arena = arena_create(0);
    bool same = a != NULL && b != NULL && decimal_parse(a, strlen(a), arena, &left) == STATUS_OK &&
                decimal_parse(b, strlen(b), arena, &right) == STATUS_OK &&
                decimal_compare(&left, &right) == 0;
    arena_destroy(arena);
    return same;
}

static void fill_columns(struct verify *verify)
{
    struct verify_result *result = verify->result;
    if (verify->first_column == NULL) {
        return;
    }
    uint32_t count = verify->first_column[verify->table_count];
    result->columns =
        arena_allocate_zeroed(verify->arena, (size_t)count + 1, sizeof(*result->columns));
    for (uint32_t i = 0; i < verify->table_count; i++) {
        const struct target_table *table = &verify->tables[i].plan->target;
        bool summed = verify->tables[i].pushed == NULL;
        const struct column_list *columns = &verify->tables[i].columns;
        for (uint32_t j = 0; j < columns->count && summed; j++) {
            struct verify_column_sum *source = &verify->columns[0][verify->first_column[i] + j];
            struct verify_column_sum *target = &verify->columns[1][verify->first_column[i] + j];
            result->columns[result->column_count++] =
                (struct verify_column_result){.table = table->name,
                                              .name = columns->names[j],
                                              .source_checksum = source->checksum,
                                              .target_checksum = target->checksum,
                                              .source_sum = sum_text(verify, source),
                                              .target_sum = sum_text(verify, target)};
            struct verify_column_result *column = &result->columns[result->column_count - 1];
            if (same_number(column->source_sum, column->target_sum)) {
                column->source_sum = column->target_sum;
            }
        }
    }
}

/* At level count a table's rejects are known by their number alone. */
static uint64_t count_rejects_missing(const struct verify *verify)
{
    const struct verify_result *result = verify->result;
    bool counts = verify->options.level == VERIFY_COUNT;
    uint64_t count = 0;
    for (uint32_t i = 0; i < result->entity_count && i < verify->entity_count; i++) {
        const struct verify_table *table = &verify->tables[verify->entities[i].plan->table];
        bool matched = table->distinct || table->unclear;
        count += !counts || matched ? result->entities[i].absent : 0;
    }
    for (uint32_t i = 0; counts && i < verify->table_count; i++) {
        const struct verify_table *table = &verify->tables[i];
        count += table->distinct || table->unclear ? 0 : table->rejects_missing;
    }
    return count;
}

void steps_fill_result(struct verify *verify, struct match *match)
{
    struct verify_result *result = verify->result;
    fill_entities(verify, match);
    result->rejects_missing = count_rejects_missing(verify);
    result->ok = result->ok && result->rejects_missing == 0;
    fill_columns(verify);
    result->record_count = match->record_count;
    result->record_file = verify->record_file;
    result->records = arena_copy(verify->arena, match->kept->data, match->kept->length);
    result->notes =
        (const char *const *)arena_copy(verify->arena, verify->notes.data, verify->notes.length);
    result->note_count = (uint32_t)(verify->notes.length / sizeof(const char *));
    result->exit_status = result->ok ? EXIT_DONE : EXIT_ATTENTION;
}

/* ---------------------------------------------------------------- JSON */

static void append_text(struct buffer *out, const char *name, const char *text)
{
    char printable[1024];
    buffer_format(out, ",\"%s\":", name);
    if (text == NULL) {
        buffer_append_string(out, "null");
    } else if (text_is_utf8(text, strlen(text))) {
        json_append_string(out, text, strlen(text));
    } else {
        text_printable(text, strlen(text), printable, sizeof(printable));
        json_append_string(out, printable, strlen(printable));
    }
}

static void append_count(struct buffer *out, const char *name, uint64_t count)
{
    buffer_format(out, ",\"%s\":%" PRIu64, name, count);
}

static void append_entities(const struct verify_result *result, struct buffer *out)
{
    buffer_append_string(out, ",\"entities\":[");
    for (uint32_t i = 0; i < result->entity_count; i++) {
        const struct verify_entity_result *row = &result->entities[i];
        size_t begin = out->length;
        append_text(out, "name", row->name);
        out->data[begin] = '{';
        append_text(out, "table", row->table);
        append_count(out, "source", row->source);
        append_count(out, "target", row->target);
        append_count(out, "rejected", row->rejected);
        append_count(out, "outdated", row->outdated);
        append_count(out, "missing", row->missing);
        append_count(out, "different", row->different);
        append_count(out, "extra", row->extra);
        append_count(out, "unreadable", row->unreadable);
        append_count(out, "kept", row->kept);
        if (result->push_down) {
            buffer_format(out, ",\"pushed_down\":%s", row->pushed_down ? "true" : "false");
        }
        if (row->read_because != NULL) {
            append_text(out, "read_because", row->read_because);
        }
        buffer_append_string(out, i + 1 < result->entity_count ? "}," : "}");
    }
    buffer_append_byte(out, ']');
}

static void append_columns(const struct verify_result *result, struct buffer *out)
{
    buffer_append_string(out, ",\"columns\":[");
    for (uint32_t i = 0; i < result->column_count; i++) {
        const struct verify_column_result *column = &result->columns[i];
        buffer_format(
            out, "%s{\"source_checksum\":\"%016" PRIx64 "\",\"target_checksum\":\"%016" PRIx64 "\"",
            i == 0 ? "" : ",", column->source_checksum, column->target_checksum);
        append_text(out, "table", column->table);
        append_text(out, "name", column->name);
        append_text(out, "source_sum", column->source_sum);
        append_text(out, "target_sum", column->target_sum);
        buffer_append_byte(out, '}');
    }
    buffer_append_byte(out, ']');
}

static void append_records(const struct verify_result *result, struct buffer *out)
{
    buffer_append_string(out, ",\"records\":[");
    for (const char *line = result->records; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');
        buffer_append(out, line, end == NULL ? strlen(line) : (size_t)(end - line));
        line = end == NULL ? NULL : end + 1;
        if (line != NULL && *line != '\0') {
            buffer_append_byte(out, ',');
        }
    }
    buffer_append_byte(out, ']');
}

static const char *source_state_name(enum verify_source_state state)
{
    static const char *const names[] = {"unknown", "unchanged", "changed"};
    return names[state];
}

static void append_head(const struct verify_result *result, struct buffer *out)
{
    buffer_format(out, "{\"format\":%d,\"ok\":%s,\"level\":\"%s\"", FORMAT,
                  result->ok ? "true" : "false", verify_level_name(result->level));
    append_text(out, "run", result->run_id);
    append_text(out, "source", result->source);
    append_text(out, "target", result->target);
    append_text(out, "target_identity", result->target_identity);
    append_text(out, "source_since_run", source_state_name(result->source_state));
    if (result->level == VERIFY_SAMPLE) {
        append_count(out, "seed", result->seed);
    }
    append_count(out, "rows", result->rows);
    append_count(out, "milliseconds", (uint64_t)(result->seconds * 1000));
    append_count(out, "record_count", result->record_count);
    append_count(out, "rejects_missing", result->rejects_missing);
}

void verify_append_json(const struct verify_result *result, struct buffer *out)
{
    append_head(result, out);
    append_text(out, "rejects_text", result->rejects_text);
    append_text(out, "record_file", result->record_file);
    append_entities(result, out);
    append_columns(result, out);
    append_records(result, out);
    if (result->repaired) {
        buffer_format(out, ",\"repaired\":%s", result->exit_status == EXIT_DONE ? "true" : "false");
        append_text(out, "repair_run", result->repair.run_id);
        append_count(out, "to_write", result->to_write);
        append_count(out, "to_leave",
                     result->to_leave + result->to_keep + result->to_contradict +
                         result->behind_extra);
        append_count(out, "to_delete", result->to_delete);
        append_count(out, "repair_rejected", result->repair.rejected);
    }
    buffer_append_string(out, ",\"notes\":[");
    for (uint32_t i = 0; i < result->note_count; i++) {
        buffer_append_string(out, i == 0 ? "" : ",");
        json_append_string(out, result->notes[i], strlen(result->notes[i]));
    }
    buffer_append_string(out, "]}\n");
}

/* ---------------------------------------------------------------- storing */

/* One object in state.json's list "validation": what was found when. */
static json_t *summary(const struct verify_result *result)
{
    uint64_t missing = 0;
    uint64_t different = 0;
    uint64_t extra = 0;
    for (uint32_t i = 0; i < result->entity_count; i++) {
        missing += result->entities[i].missing;
        different += result->entities[i].different;
        extra += result->entities[i].extra;
    }
    return json_pack("{s:o,s:b,s:s,s:I,s:I,s:I,s:I}", "at", json_stamp(clock_utc_us()), "ok",
                     (int)result->ok, "level", verify_level_name(result->level), "missing",
                     (json_int_t)missing, "different", (json_int_t)different, "extra",
                     (json_int_t)extra, "rejects_missing", (json_int_t)result->rejects_missing);
}

/* An export like all of state.json: where there is none, there is nothing to add to. */
static enum status note_in_state(struct verify *verify, struct error *error)
{
    char *bytes;
    size_t length;
    enum status status = file_read_all(verify->run->folder.state_file, STATE_BYTES_MAX,
                                       verify->arena, &bytes, &length, error);
    json_t *state = NULL;
    if (status == STATUS_OK) {
        status = json_tree_parse(bytes, length, 0, NULL, ERROR_STATE_INVALID, &state, error);
        status = status == STATUS_FAILED && error->code != ERROR_MEMORY ? STATUS_END : status;
    }
    json_t *list = json_object_get(state, "validation");
    if (!json_is_array(list)) {
        json_decref(state);
        return status == STATUS_FAILED ? STATUS_FAILED : STATUS_OK;
    }
    struct buffer text = {0};
    json_array_append_new(list, summary(verify->result));
    const char *path = verify->run->folder.state_file;
    status = json_tree_append(state, JSON_INDENT(2), &text)
                 ? file_replace(path, text.data, text.length, NULL, error)
                 : error_set(error, ERROR_INTERNAL, path, "what it is to say can't be put as JSON");
    json_decref(state);
    buffer_free(&text);
    return status;
}

/* The report of the run that made the target tells it too. */
static void tell_in_report(const struct verify *verify)
{
    struct error error;
    if (report_write(verify->run->folder.path, false, &error) == STATUS_FAILED) {
        log_write(LOG_WARNING,
                  "the report goes without it: %s: %s; `transhume report` makes it again",
                  error.object, error.message);
    }
}

/* Which file is a run's depends on the folder's own run, which may have changed: an older result of
 * the same run and target in the other one is none any more. */
static enum status forget_older(const struct verify *verify, struct error *error)
{
    const struct verify_result *result = verify->result;
    const struct state_folder *folder = &verify->run->folder;
    const char *name = verify->is_other ? STATE_VALIDATION : STATE_OTHER_VALIDATION;
    json_t *older = json_from_file(folder->path, name, STATE_BYTES_MAX);
    bool same =
        older != NULL && result->run_id != NULL && result->target_identity != NULL &&
        strcmp(json_member_text(older, "run", ""), result->run_id) == 0 &&
        strcmp(json_member_text(older, "target_identity", ""), result->target_identity) == 0;
    json_decref(older);
    return same ? state_folder_remove_file(folder, name, error) : STATUS_OK;
}

enum status steps_store(struct verify *verify, struct error *error)
{
    struct buffer json = {0};
    verify_append_json(verify->result, &json);
    enum status status = forget_older(verify, error);
    if (status == STATUS_OK) {
        status = file_write_atomic(verify->result_file, json.data, json.length, NULL, error);
    }
    buffer_free(&json);
    if (status == STATUS_OK && !verify->is_other) {
        status = note_in_state(verify, error);
        tell_in_report(verify);
    }
    return status;
}
