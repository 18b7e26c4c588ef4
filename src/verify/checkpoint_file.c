/*
 * validate.checkpoint and validate-full.checkpoint: what the first reading has added up, of whole
 * tasks.
 *
 *   "transhume checkpoint" and four 0, u32 format: 24 and 4 bytes
 *   head      i64 when (UTC, us), texts: version, what is compared, the source's token, the
 *             target's; u64 ms spent, u64 rows read, u32 tasks, u32 of them done; u32 marks of the
 *             spill, of each u64 bytes, u64 low, u64 high (level full; else none)
 *   tables    of each u32: how many buckets it has, 0: none
 *   entities  of each u64 made, u64 rejected
 *   sums      of each table: u64 rows, u64 unreadable of the target, u64 how many of these are
 *             named, a text of them; its buckets; of one that is pushed down a byte for each: has
 *             it doubtful rows; u32 ranges, of each the span and its parts. Buckets and parts: u32
 *             how many are not 0, then u32 which, u64 low, u64 high
 *   columns   u32 how many, and of each side's each: u64 checksum, u64 numbers, u64 low and u64
 *             high half of the sum of INT64 values; of the others' u64 low, u64 high, u32 scale,
 *             u8 is it no number, u64 that as a double's bits, text of what is longer
 *   tasks     of each: u8 side, u8 done, u32 attempt, u32 index, u32 number of its range or
 *             0xffffffff and its span
 *   hash      XXH3-128 of all before it, low and high half
 *
 * A text is u32 length and bytes; a span its printable form as a text, i64 estimate of rows, and
 * its bounds as a text. Numbers are least significant byte first. The format is raised when any of
 * it changes.
 */
#include "base/bytes.h"
#include "model/json_tree.h"
#include "verify/checkpoint.h"
#include "verify/unreadable.h"
#include <string.h>

enum {
    FORMAT = 4,
    HASH_BYTES = 16,
    ATTEMPTS_MAX = 1 << 30,
    RANGE_BYTES_MIN = 20, /* two empty texts, an estimate, no sums */
    MARK_BYTES = 24
};
#define NO_RANGE UINT32_MAX
static const char magic[24] = "transhume checkpoint";

/* ---------------------------------------------------------------- both */

/* The table whose ranges a task of that side and index reads; NULL: none. */
static struct verify_table *ranged_table(const struct verify *verify,
                                         const struct verify_task *task)
{
    for (uint32_t i = 0; i < verify->table_count; i++) {
        struct verify_table *table = &verify->tables[i];
        uint32_t index = task->side == SIDE_SOURCE ? table->range_stream : i;
        if (table->ranges != NULL && index == task->index) {
            return table;
        }
    }
    return NULL;
}

static uint32_t bucket_count(const struct verify_table *table)
{
    return table->buckets == NULL ? 0 : table->bucket_mask + 1;
}

/* None are summed at level full. */
static uint32_t column_total(const struct verify *verify)
{
    return verify->first_column == NULL ? 0 : verify->first_column[verify->table_count];
}

/* ---------------------------------------------------------------- writing */

static void checkpoint_file_put(struct buffer *out, uint64_t number, int count)
{
    uint8_t bytes[8];
    bytes_put_le(bytes, number, count);
    buffer_append(out, bytes, (size_t)count);
}

static void put_text(struct buffer *out, const void *bytes, size_t length)
{
    checkpoint_file_put(out, length, 4);
    buffer_append(out, bytes, length);
}

static void put_string(struct buffer *out, const char *text)
{
    put_text(out, text, strlen(text));
}

static void put_wide(struct buffer *out, __int128 number)
{
    checkpoint_file_put(out, (uint64_t)number, 8);
    checkpoint_file_put(out, (uint64_t)((unsigned __int128)number >> 64), 8);
}

static void put_span(struct buffer *out, const struct span *span)
{
    put_string(out, span->printable == NULL ? "" : span->printable);
    checkpoint_file_put(out, (uint64_t)span->row_estimate, 8);
    put_text(out, span->bounds, span->bounds_length);
}

static void put_sums(struct buffer *out, const struct verify_sum *sums, uint32_t count)
{
    uint32_t filled = 0;
    for (uint32_t i = 0; i < count; i++) {
        filled += !verify_sum_is_zero(&sums[i]);
    }
    checkpoint_file_put(out, filled, 4);
    for (uint32_t i = 0; i < count; i++) {
        if (!verify_sum_is_zero(&sums[i])) {
            checkpoint_file_put(out, i, 4);
            checkpoint_file_put(out, atomic_load(&sums[i].low), 8);
            checkpoint_file_put(out, atomic_load(&sums[i].high), 8);
        }
    }
}

static void put_table(struct buffer *out, const struct verify_table *table)
{
    uint32_t count = bucket_count(table);
    checkpoint_file_put(out, atomic_load(&table->target_rows), 8);
    checkpoint_file_put(out, atomic_load(&table->unreadable), 8);
    checkpoint_file_put(out, table->named_count, 8);
    put_text(out, table->named.data == NULL ? "" : table->named.data, table->named.length);
    put_sums(out, table->buckets, count);
    for (uint32_t i = 0; table->pushed != NULL && i < count; i++) {
        checkpoint_file_put(out, atomic_load(&table->pushed->doubtful[i]), 1);
    }
    checkpoint_file_put(out, table->range_count, 4);
    for (uint32_t i = 0; i < table->range_count; i++) {
        put_span(out, &table->ranges[i].span);
        put_sums(out, table->ranges[i].parts, table->ranges[i].part_count);
    }
}

static void put_column(struct buffer *out, const struct verify_column_sum *sum)
{
    uint64_t special;
    memcpy(&special, &sum->decimal.special, sizeof(special));
    checkpoint_file_put(out, sum->checksum, 8);
    checkpoint_file_put(out, sum->numbers, 8);
    put_wide(out, sum->whole);
    put_wide(out, sum->decimal.small);
    checkpoint_file_put(out, (uint32_t)sum->decimal.scale, 4);
    checkpoint_file_put(out, sum->decimal.is_special != 0, 1);
    checkpoint_file_put(out, special, 8);
    put_text(out, sum->decimal.large.data, sum->decimal.large.length);
}

static void put_task(struct buffer *out, const struct verify *verify,
                     const struct verify_task *task)
{
    const struct verify_table *table = task->range == NULL ? NULL : ranged_table(verify, task);
    checkpoint_file_put(out, task->side, 1);
    checkpoint_file_put(out, task->done, 1);
    checkpoint_file_put(out, task->attempt, 4);
    checkpoint_file_put(out, task->index, 4);
    checkpoint_file_put(out, table == NULL ? NO_RANGE : (uint64_t)(task->range - table->ranges), 4);
    if (table == NULL) {
        put_span(out, task->span);
    }
}

static void put_head(struct buffer *out, const struct checkpoint_head *head)
{
    checkpoint_file_put(out, (uint64_t)head->at_us, 8);
    put_string(out, head->version);
    put_string(out, head->compared);
    put_string(out, head->tokens[SIDE_SOURCE]);
    put_string(out, head->tokens[SIDE_TARGET]);
    checkpoint_file_put(out, head->spent_ms, 8);
    checkpoint_file_put(out, head->rows, 8);
    checkpoint_file_put(out, head->task_count, 4);
    checkpoint_file_put(out, head->done_count, 4);
    checkpoint_file_put(out, head->mark_count, 4);
    for (uint32_t i = 0; i < head->mark_count; i++) {
        checkpoint_file_put(out, head->marks[i].bytes, 8);
        checkpoint_file_put(out, head->marks[i].hash.low, 8);
        checkpoint_file_put(out, head->marks[i].hash.high, 8);
    }
}

void checkpoint_append_sums(const struct checkpoint *checkpoint, struct buffer *out)
{
    const struct verify *verify = checkpoint->verify;
    for (uint32_t i = 0; i < verify->entity_count; i++) {
        checkpoint_file_put(out, atomic_load(&verify->entities[i].made), 8);
        checkpoint_file_put(out, atomic_load(&verify->entities[i].rejected), 8);
    }
    for (uint32_t i = 0; i < verify->table_count; i++) {
        put_table(out, &verify->tables[i]);
    }
    checkpoint_file_put(out, column_total(verify), 4);
    for (uint32_t side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < column_total(verify); i++) {
            put_column(out, &verify->columns[side][i]);
        }
    }
    for (uint32_t i = 0; i < checkpoint->task_count; i++) {
        put_task(out, verify, &checkpoint->tasks[i]);
    }
}

void checkpoint_append(const struct verify *verify, const struct checkpoint_head *head,
                       const struct buffer *sums, struct buffer *out)
{
    buffer_append(out, magic, sizeof(magic));
    checkpoint_file_put(out, FORMAT, 4);
    put_head(out, head);
    for (uint32_t i = 0; i < verify->table_count; i++) {
        checkpoint_file_put(out, bucket_count(&verify->tables[i]), 4);
    }
    buffer_append(out, sums->data, sums->length);
    struct canonical_hash hash = canonical_hash_bytes(buffer_string(out), out->length);
    checkpoint_file_put(out, hash.low, 8);
    checkpoint_file_put(out, hash.high, 8);
}

/* ---------------------------------------------------------------- reading */

/* After a failure all numbers are 0 and all texts empty. */
struct input {
    const char *at;
    const char *end;
    struct arena *arena; /* of texts */
    bool failed;
};

static uint64_t checkpoint_file_take(struct input *input, int count)
{
    if (input->end - input->at < count) {
        input->at = input->end;
        input->failed = true;
        return 0;
    }
    uint64_t number = bytes_get_le((const uint8_t *)input->at, count);
    input->at += count;
    return number;
}

static uint32_t take_u32(struct input *input)
{
    return (uint32_t)checkpoint_file_take(input, 4);
}

static const char *take_text(struct input *input, uint32_t *length)
{
    *length = take_u32(input);
    if ((uint64_t)(input->end - input->at) < *length) {
        input->failed = true;
        *length = 0;
    }
    const char *copy = arena_copy(input->arena, input->at, *length);
    input->at += *length;
    return copy;
}

static const char *take_string(struct input *input)
{
    uint32_t length;
    return take_text(input, &length);
}

static __int128 take_wide(struct input *input)
{
    unsigned __int128 low = checkpoint_file_take(input, 8);
    return (__int128)(low | (unsigned __int128)checkpoint_file_take(input, 8) << 64);
}

static struct span take_span(struct input *input)
{
    struct span span = {.printable = take_string(input)};
    span.row_estimate = (int64_t)checkpoint_file_take(input, 8);
    span.bounds = (const uint8_t *)take_text(input, &span.bounds_length);
    return span;
}

static void take_sums(struct input *input, struct verify_sum *sums, uint32_t count)
{
    uint32_t filled = take_u32(input);
    for (uint32_t i = 0; i < filled && !input->failed; i++) {
        uint32_t which = take_u32(input);
        uint64_t low = checkpoint_file_take(input, 8);
        uint64_t high = checkpoint_file_take(input, 8);
        input->failed = input->failed || which >= count;
        if (!input->failed) {
            verify_sum_add(&sums[which], low, high);
        }
    }
}

static void take_ranges(struct input *input, struct verify *verify, struct verify_table *table)
{
    uint32_t count = take_u32(input);
    bool fits = (table->range_stream != UINT32_MAX) == (count > 0) &&
                count <= (uint64_t)(input->end - input->at) / RANGE_BYTES_MIN;
    if (input->failed || !fits || count == 0) {
        input->failed = input->failed || !fits;
        return;
    }
    table->ranges = arena_try_allocate(verify->arena, count * sizeof(*table->ranges));
    if (table->ranges == NULL) {
        input->failed = true;
        return;
    }
    memset(table->ranges, 0, count * sizeof(*table->ranges));
    for (uint32_t i = 0; i < count && !input->failed; i++) {
        table->ranges[i].span = take_span(input);
        table->ranges[i].part_count = verify_range_parts(count, verify->table_count);
        table->ranges[i].parts = arena_try_allocate(
            verify->arena, table->ranges[i].part_count * sizeof(*table->ranges[i].parts));
        if (table->ranges[i].parts == NULL) {
            input->failed = true;
            return;
        }
        memset(table->ranges[i].parts, 0,
               table->ranges[i].part_count * sizeof(*table->ranges[i].parts));
        take_sums(input, table->ranges[i].parts, table->ranges[i].part_count);
    }
    table->range_count = input->failed ? 0 : count;
}

/* `,"key":{…},"code":"…","reason":"…"` and nothing else: these become members of an object. */
static bool is_named_line(const char *line, size_t length)
{
    struct buffer whole = {0};
    struct error why = {0};
    json_t *json = NULL;
    bool sound = length > 0 && line[0] == ',' && length <= UNREADABLE_BYTES_MAX;
    buffer_append_byte(&whole, '{');
    buffer_append(&whole, line + sound, sound ? length - 1 : 0);
    buffer_append_byte(&whole, '}');
    sound = json_tree_parse(whole.data, whole.length, JSON_REJECT_DUPLICATES, NULL,
                            ERROR_STATE_INVALID, &json, &why) == STATUS_OK &&
            json_object_size(json) == 3 && json_is_object(json_object_get(json, "key")) &&
            json_is_string(json_object_get(json, "code")) &&
            json_is_string(json_object_get(json, "reason"));
    json_decref(json);
    buffer_free(&whole);
    return sound;
}

static bool are_named_lines(const char *lines, size_t length)
{
    for (size_t at = 0; at < length;) {
        const char *end = memchr(lines + at, '\n', length - at);
        if (end == NULL || !is_named_line(lines + at, (size_t)(end - lines) - at)) {
            return false;
        }
        at = (size_t)(end - lines) + 1;
    }
    return true;
}

static void take_named(struct input *input, struct verify_table *table)
{
    uint32_t length;
    table->named_count = checkpoint_file_take(input, 8);
    const char *lines = take_text(input, &length);
    input->failed = input->failed || !are_named_lines(lines, length);
    if (!input->failed) {
        buffer_append(&table->named, lines, length);
    }
}

static void take_table(struct input *input, struct verify *verify, struct verify_table *table)
{
    uint32_t count = bucket_count(table);
    atomic_store(&table->target_rows, checkpoint_file_take(input, 8));
    atomic_store(&table->unreadable, checkpoint_file_take(input, 8));
    take_named(input, table);
    take_sums(input, table->buckets, count);
    for (uint32_t i = 0; table->pushed != NULL && i < count; i++) {
        atomic_store(&table->pushed->doubtful[i], checkpoint_file_take(input, 1) != 0);
    }
    take_ranges(input, verify, table);
}

static void take_column(struct input *input, struct verify_column_sum *sum)
{
    uint32_t length;
    sum->checksum = checkpoint_file_take(input, 8);
    sum->numbers = checkpoint_file_take(input, 8);
    sum->whole = take_wide(input);
    sum->decimal.small = take_wide(input);
    sum->decimal.scale = (int32_t)take_u32(input);
    sum->decimal.is_special = (int)checkpoint_file_take(input, 1);
    uint64_t special = checkpoint_file_take(input, 8);
    memcpy(&sum->decimal.special, &special, sizeof(special));
    const char *large = take_text(input, &length);
    buffer_append(&sum->decimal.large, large, length);
    input->failed = input->failed || !decimal_sum_is_sound(&sum->decimal);
}

static void take_task(struct input *input, struct verify *verify, struct task_list *list)
{
    struct verify_task task = {.side = checkpoint_file_take(input, 1) == SIDE_SOURCE ? SIDE_SOURCE
                                                                                     : SIDE_TARGET};
    task.done = checkpoint_file_take(input, 1) != 0;
    task.attempt = take_u32(input);
    input->failed = input->failed || task.attempt > ATTEMPTS_MAX;
    task.index = take_u32(input);
    uint32_t number = take_u32(input);
    uint32_t count =
        task.side == SIDE_SOURCE ? verify->session->plan->stream_count : verify->table_count;
    if (number == NO_RANGE) {
        struct span *span = arena_allocate_zeroed(verify->arena, 1, sizeof(*span));
        input->failed = input->failed || task.index >= count;
        if (!input->failed) {
            *span = take_span(input);
        }
        task.span = span;
    } else {
        struct verify_table *table = ranged_table(verify, &task);
        input->failed = input->failed || table == NULL || number >= table->range_count;
        task.range = input->failed ? NULL : &table->ranges[number];
        task.span = input->failed ? NULL : &task.range->span;
    }
    steps_add_task(list, task);
}

static void take_marks(struct input *input, struct checkpoint_head *head)
{
    uint32_t count = take_u32(input);
    struct spill_mark *marks;
    input->failed = input->failed || count > (uint64_t)(input->end - input->at) / MARK_BYTES;
    if (input->failed) {
        return;
    }
    marks = arena_allocate_zeroed(input->arena, count + 1u, sizeof(*marks));
    for (uint32_t i = 0; i < count && !input->failed; i++) {
        marks[i].bytes = checkpoint_file_take(input, 8);
        marks[i].hash.low = checkpoint_file_take(input, 8);
        marks[i].hash.high = checkpoint_file_take(input, 8);
    }
    head->marks = marks;
    head->mark_count = input->failed ? 0 : count;
}

const char *checkpoint_read_head(const char *bytes, size_t length, struct arena *arena,
                                 struct checkpoint_head *head, const char **at, const char **end)
{
    const size_t frame = sizeof(magic) + 4;
    if (length < frame + HASH_BYTES || memcmp(bytes, magic, sizeof(magic)) != 0) {
        return "is damaged";
    }
    struct input input = {.at = bytes + sizeof(magic), .end = bytes + length, .arena = arena};
    if (take_u32(&input) != FORMAT) {
        return "was written by another version of transhume";
    }
    input.end -= HASH_BYTES;
    struct canonical_hash hash = canonical_hash_bytes(bytes, length - HASH_BYTES);
    if (bytes_get_le((const uint8_t *)input.end, 8) != hash.low ||
        bytes_get_le((const uint8_t *)input.end + 8, 8) != hash.high) {
        return "is damaged";
    }
    head->at_us = (int64_t)checkpoint_file_take(&input, 8);
    head->version = take_string(&input);
    head->compared = take_string(&input);
    head->tokens[SIDE_SOURCE] = take_string(&input);
    head->tokens[SIDE_TARGET] = take_string(&input);
    head->spent_ms = checkpoint_file_take(&input, 8);
    head->rows = checkpoint_file_take(&input, 8);
    head->task_count = take_u32(&input);
    head->done_count = take_u32(&input);
    take_marks(&input, head);
    *at = input.at;
    *end = input.end;
    return input.failed ? "is damaged" : NULL;
}

const char *checkpoint_read_counts(struct verify *verify, const char **at, const char *end)
{
    struct input input = {.at = *at, .end = end};
    for (uint32_t i = 0; i < verify->table_count && !input.failed; i++) {
        uint32_t count = take_u32(&input);
        input.failed = input.failed ||
                       (count != 0 && !steps_take_bucket_count(verify, &verify->tables[i], count));
    }
    *at = input.at;
    return input.failed ? "does not fit this validation" : NULL;
}

enum status checkpoint_read_sums(struct verify *verify, const char *at, const char *end,
                                 struct task_list *list, struct error *error)
{
    struct input input = {.at = at, .end = end, .arena = verify->arena};
    for (uint32_t i = 0; i < verify->entity_count; i++) {
        atomic_store(&verify->entities[i].made, checkpoint_file_take(&input, 8));
        atomic_store(&verify->entities[i].rejected, checkpoint_file_take(&input, 8));
    }
    for (uint32_t i = 0; i < verify->table_count; i++) {
        take_table(&input, verify, &verify->tables[i]);
    }
    input.failed = input.failed || take_u32(&input) != column_total(verify);
    for (uint32_t side = 0; side < 2; side++) {
        for (uint32_t i = 0; i < column_total(verify) && !input.failed; i++) {
            take_column(&input, &verify->columns[side][i]);
        }
    }
    while (!input.failed && input.at < input.end) {
        take_task(&input, verify, list);
    }
    return input.failed ? error_set(error, ERROR_STATE_INVALID, NULL, "does not fit together")
                        : STATUS_OK;
}
