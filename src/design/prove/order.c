/* Results in order: sorted as a client sorts them, and compared. */
#include "design/prove/prove_parts.h"

#include <stdlib.h>
#include <string.h>

void prove_order_of(const struct places *places, const struct query *query, struct place_set wanted,
                    const char *scheme, struct arena *arena, struct prove_order *order)
{
    enum value_kind *kinds = arena_allocate_zeroed(arena, wanted.count + 1u, sizeof(*kinds));
    uint32_t *columns = arena_allocate_zeroed(arena, query->order_count + 1u, sizeof(*columns));
    bool *descending = arena_allocate_zeroed(arena, query->order_count + 1u, sizeof(*descending));
    for (uint32_t i = 0; i < wanted.count; i++) {
        kinds[i] = places_field(places, wanted.at[i])->type.kind;
        for (uint32_t j = 0; j < query->order_count; j++) {
            columns[j] = query->order[j].place == wanted.at[i] ? i : columns[j];
        }
    }
    for (uint32_t i = 0; i < query->order_count; i++) {
        descending[i] = query->order[i].descending;
    }
    *order = (struct prove_order){.kinds = kinds,
                                  .columns = columns,
                                  .descending = descending,
                                  .count = query->order_count,
                                  .limit = (uint32_t)query->limit,
                                  .nulls_last = strcmp(scheme, "postgres") == 0};
}

/* ---------------------------------------------------------------- sorting */

static bool is_null(const struct cell *cell)
{
    return cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING;
}

static int compare_rows(const struct prove_order *order, const struct cell *left,
                        const struct cell *right)
{
    for (uint32_t i = 0; i < order->count; i++) {
        const struct cell *one = &left[order->columns[i]];
        const struct cell *other = &right[order->columns[i]];
        int found = is_null(one) || is_null(other)
                        ? (is_null(other) - is_null(one)) * (order->nulls_last ? -1 : 1)
                        : prove_compare_values(one, other, order->kinds[order->columns[i]]);
        if (found != 0) {
            return order->descending[i] ? -found : found;
        }
    }
    return 0;
}

/* Merges two sorted halves: rows that are equal keep their order. */
static void order_sort(const struct prove_order *order, const struct cell **rows,
                       const struct cell **room, uint32_t count)
{
    uint32_t half = count / 2;
    if (count < 2) {
        return;
    }
    order_sort(order, rows, room, half);
    order_sort(order, rows + half, room, count - half);
    memcpy(room, rows, count * sizeof(*rows));
    for (uint32_t i = 0, left = 0, right = half; i < count; i++) {
        bool takes_left =
            right == count || (left < half && compare_rows(order, room[left], room[right]) <= 0);
        rows[i] = takes_left ? room[left++] : room[right++];
    }
}

void prove_sort(const struct prove_order *order, struct prove_rows *rows)
{
    struct arena *scratch = arena_create(0);
    const struct cell **list = arena_allocate_zeroed(scratch, rows->count + 1u, sizeof(*list));
    const struct cell **room = arena_allocate_zeroed(scratch, rows->count + 1u, sizeof(*room));
    struct cell *sorted =
        arena_allocate_zeroed(scratch, (size_t)rows->count * rows->width + 1, sizeof(*sorted));
    for (uint32_t i = 0; i < rows->count; i++) {
        list[i] = prove_row(rows, i);
    }
    order_sort(order, list, room, rows->count);
    for (uint32_t i = 0; i < rows->count; i++) {
        memcpy(sorted + (size_t)i * rows->width, list[i], rows->width * sizeof(*sorted));
    }
    if (rows->count > 0) {
        memcpy(rows->cells, sorted, (size_t)rows->count * rows->width * sizeof(*sorted));
    }
    arena_destroy(scratch);
}

/* ---------------------------------------------------------------- lines */

/* A result as texts: by row what it is ordered by, and the whole row. */
struct lines {
    const char **keys;
    const char **rows;
    uint32_t count;
};

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static enum status append_columns(const struct prove_order *order, const struct cell *row,
                                  const uint32_t *columns, uint32_t count, struct buffer *out,
                                  struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        uint32_t column = columns != NULL ? columns[i] : i;
        buffer_append_string(out, i > 0 ? " | " : "");
        status = prove_append_text(&row[column], order->kinds[column], out, error);
    }
    return status;
}

static enum status make_lines(const struct prove_order *order, const struct prove_rows *rows,
                              struct arena *arena, struct lines *lines, struct error *error)
{
    struct buffer text = {0};
    enum status status = STATUS_OK;
    lines->count = rows->count;
    lines->keys = arena_allocate_zeroed(arena, rows->count + 1u, sizeof(*lines->keys));
    lines->rows = arena_allocate_zeroed(arena, rows->count + 1u, sizeof(*lines->rows));
    for (uint32_t i = 0; i < rows->count && status == STATUS_OK; i++) {
        buffer_clear(&text);
        status =
            append_columns(order, prove_row(rows, i), order->columns, order->count, &text, error);
        lines->keys[i] = arena_copy_string(arena, buffer_string(&text));
        buffer_clear(&text);
        if (status == STATUS_OK) {
            status = append_columns(order, prove_row(rows, i), NULL, rows->width, &text, error);
        }
        lines->rows[i] = arena_copy_string(arena, buffer_string(&text));
    }
    buffer_free(&text);
    return status;
}

/* Where the rows end that are equal to that at `from` in what the query orders by. */
static uint32_t end_of_group(const struct lines *lines, uint32_t from)
{
    uint32_t end = from + 1;
    while (end < lines->count && strcmp(lines->keys[end], lines->keys[from]) == 0) {
        end++;
    }
    return end;
}

static void sort_groups(struct lines *lines)
{
    for (uint32_t from = 0; from < lines->count;) {
        uint32_t end = end_of_group(lines, from);
        qsort(lines->rows + from, end - from, sizeof(*lines->rows), by_text);
        from = end;
    }
}

/* ---------------------------------------------------------------- comparing */

/* The first row of the target that is not among those of the source; its count: all are. Both are
 * sorted. */
static uint32_t find_missing(const char *const *source, uint32_t source_count,
                             const char *const *target, uint32_t target_count)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < target_count; i++, at++) {
        while (at < source_count && strcmp(source[at], target[i]) < 0) {
            at++;
        }
        if (at == source_count || strcmp(source[at], target[i]) != 0) {
            return i;
        }
    }
    return target_count;
}

static const char *order_describe(const struct lines *source, uint32_t expected,
                                  const struct lines *target, uint32_t row, struct arena *arena)
{
    return arena_format(arena, "%u rows in the source, %u in the target; row %u: %.300s; %.300s",
                        expected, target->count, row + 1,
                        row < expected ? source->rows[row] : "(none)",
                        row < target->count ? target->rows[row] : "(none)");
}

/* A group of equal order: the same rows, or if the limit cuts it off, some of them. */
static uint32_t compare_group(const struct lines *source, const struct lines *target, uint32_t from,
                              uint32_t end, uint32_t limit, bool is_cut)
{
    uint32_t wanted = end < limit ? end : limit;
    for (uint32_t i = from; i < wanted; i++) {
        if (i >= target->count || strcmp(source->keys[from], target->keys[i]) != 0) {
            return i;
        }
    }
    if (is_cut && end == source->count) {
        return wanted;
    }
    uint32_t missing =
        find_missing(source->rows + from, end - from, target->rows + from, wanted - from);
    return from + missing;
}

enum status prove_compare(const struct prove_order *order, const struct prove_rows *source,
                          bool is_cut, const struct prove_rows *target, struct arena *arena,
                          const char **why, struct error *error)
{
    struct lines expected;
    struct lines found;
    *why = NULL;
    if (make_lines(order, source, arena, &expected, error) != STATUS_OK ||
        make_lines(order, target, arena, &found, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    sort_groups(&expected);
    sort_groups(&found);
    uint32_t limit =
        order->limit > 0 && order->limit < expected.count ? order->limit : expected.count;
    for (uint32_t from = 0; from < limit && *why == NULL;) {
        uint32_t end = end_of_group(&expected, from);
        uint32_t at = compare_group(&expected, &found, from, end, limit, is_cut);
        *why = at < (end < limit ? end : limit)
                   ? order_describe(&expected, limit, &found, at, arena)
                   : NULL;
        from = end;
    }
    if (*why == NULL && found.count != limit) {
        *why = order_describe(&expected, limit, &found, limit, arena);
    }
    return STATUS_OK;
}
