/* Values as bytes: two lines of typed JSON are written aside and read back to the bit, and their
 * bytes sort as they do; 'B' and any bytes are read as if they had been written aside. */
#include "support.h"

#include "engine/formats/typed_json.h"
#include "model/cell_bytes.h"
#include "model/decimal.h"
#include "model/order_bytes.h"
#include <string.h>

enum { TEXT_BYTES_MAX = 4096, CELLS = 2 };

static bool read_cell(struct text line, struct arena *arena, struct cell *cell)
{
    struct json_reader reader;
    enum json_token token;
    struct error error = {0};
    const char *copy = arena_copy(arena, line.data, line.length);
    json_reader_init(&reader, copy, line.length, JSON_DEPTH_MAX, arena);
    return json_reader_next(&reader, &token, &error) == STATUS_OK && token != JSON_TOKEN_END &&
           typed_json_read(&reader, token, arena, cell, &error) == STATUS_OK;
}

static void read_bytes(struct text bytes, struct arena *arena)
{
    struct cell cells[CELLS];
    struct error error = {0};
    const char *copy = arena_copy(arena, bytes.data, bytes.length);
    for (uint32_t count = 1; count <= CELLS; count++) {
        if (cell_bytes_read(copy, bytes.length, count, arena, cells, &error) != STATUS_OK) {
            fuzz_check_error(&error);
        }
    }
}

static void write_aside(const struct cell cells[CELLS], struct arena *arena)
{
    struct buffer out = {0};
    struct buffer twice = {0};
    struct cell again[CELLS];
    struct error error = {0};
    for (uint32_t at = 0; at < CELLS; at++) {
        FUZZ_REQUIRE(cell_bytes_append(&cells[at], &out, &error) == STATUS_OK);
    }
    FUZZ_REQUIRE(cell_bytes_read(out.data, out.length, CELLS, arena, again, &error) == STATUS_OK);
    for (uint32_t at = 0; at < CELLS; at++) {
        FUZZ_REQUIRE(value_equal(&cells[at], &again[at]));
        FUZZ_REQUIRE(cell_bytes_append(&again[at], &twice, &error) == STATUS_OK);
    }
    FUZZ_REQUIRE(out.length == twice.length && memcmp(out.data, twice.data, out.length) == 0);
    buffer_free(&out);
    buffer_free(&twice);
}

static int sign_of(int order)
{
    return (order > 0) - (order < 0);
}

static bool is_exact(const struct cell *cell)
{
    return cell->kind == VALUE_INT64 || cell->kind == VALUE_UINT64;
}

/* What is known otherwise of the order of two values; 2: nothing. */
static int known_order(const struct cell *left, const struct cell *right)
{
    if (left->kind == VALUE_DECIMAL && right->kind == VALUE_DECIMAL) {
        return sign_of(decimal_compare(left, right));
    }
    if (left->kind == VALUE_TEXT && right->kind == VALUE_TEXT) {
        size_t shorter = left->length < right->length ? left->length : right->length;
        int order = shorter > 0 ? memcmp(left->text, right->text, shorter) : 0;
        return order != 0 ? sign_of(order)
                          : (left->length > right->length) - (left->length < right->length);
    }
    if (left->kind == VALUE_FLOAT64 && right->kind == VALUE_FLOAT64 && left->f64 == left->f64 &&
        right->f64 == right->f64) {
        return (left->f64 > right->f64) - (left->f64 < right->f64);
    }
    if (is_exact(left) && is_exact(right)) {
        bool below[] = {left->kind == VALUE_INT64 && left->i64 < 0,
                        right->kind == VALUE_INT64 && right->i64 < 0};
        return below[0] != below[1] ? below[1] - below[0]
                                    : (left->u64 > right->u64) - (left->u64 < right->u64);
    }
    return value_equal(left, right) ? 0 : 2;
}

static void sort(const struct cell cells[CELLS])
{
    struct buffer bytes[CELLS] = {0};
    struct error error = {0};
    bool ordered = true;
    for (uint32_t at = 0; at < CELLS && ordered; at++) {
        ordered = order_bytes_append(&cells[at], &bytes[at], &error) == STATUS_OK;
    }
    if (ordered) {
        size_t shorter = bytes[0].length < bytes[1].length ? bytes[0].length : bytes[1].length;
        int order = sign_of(memcmp(bytes[0].data, bytes[1].data, shorter));
        int known = known_order(&cells[0], &cells[1]);
        FUZZ_REQUIRE(order != 0 || bytes[0].length == bytes[1].length);
        FUZZ_REQUIRE(known == 2 || order == known);
    } else {
        fuzz_check_error(&error);
    }
    buffer_free(&bytes[0]);
    buffer_free(&bytes[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = {(const char *)data, size};
    struct cell cells[CELLS];
    if (size == 0 || size > TEXT_BYTES_MAX) {
        return 0;
    }
    struct arena *arena = arena_create(0);
    if (data[0] == 'B') {
        read_bytes((struct text){input.data + 1, input.length - 1}, arena);
    } else {
        struct text line = fuzz_line(&input);
        if (read_cell(line, arena, &cells[0]) && read_cell(input, arena, &cells[1])) {
            write_aside(cells, arena);
            sort(cells);
        }
    }
    arena_destroy(arena);
    return 0;
}
