/* Exact sums: 128 bits while they suffice, plain text after that. */
#include "base/text.h"
#include "model/decimal.h"
#include "model/decimal_plain.h"
#include "model/number_text.h"
#include <math.h>

enum { SUM_SCALE_MAX = 36 }; /* of the form in 128 bits */

void decimal_sum_init(struct decimal_sum *sum)
{
    *sum = (struct decimal_sum){0};
}

void decimal_sum_free(struct decimal_sum *sum)
{
    buffer_free(&sum->large);
    *sum = (struct decimal_sum){0};
}

static size_t count_digits(const char *text, size_t length)
{
    size_t count = 0;
    while (count < length && text[count] >= '0' && text[count] <= '9') {
        count++;
    }
    return count;
}

bool decimal_sum_is_sound(const struct decimal_sum *sum)
{
    const char *text = sum->large.data;
    size_t length = sum->large.length;
    bool fits = sum->scale >= 0 && sum->scale <= SUM_SCALE_MAX;
    if (!fits || length == 0) {
        return fits;
    }
    size_t at = text[0] == '-';
    size_t whole = count_digits(text + at, length - at);
    at += whole;
    if (whole > 0 && at < length && text[at] == '.') {
        at += 1 + count_digits(text + at + 1, length - at - 1);
    }
    return whole > 0 && at == length && text[length - 1] != '.';
}

static int multiply_by_power(__int128 *value, int32_t exponent)
{
    for (; exponent > 18; exponent -= 18) {
        if (__builtin_mul_overflow(*value, (__int128)decimal_powers[18], value)) {
            return 0;
        }
    }
    return !__builtin_mul_overflow(*value, (__int128)decimal_powers[exponent], value);
}

/* Adds value / 10^scale in the small form; false, and nothing changed, if it does not fit. */
static int add_small(struct decimal_sum *sum, __int128 value, int32_t scale)
{
    __int128 total = sum->small;
    int32_t largest = scale > sum->scale ? scale : sum->scale;
    if (largest > SUM_SCALE_MAX || !multiply_by_power(&total, largest - sum->scale) ||
        !multiply_by_power(&value, largest - scale) ||
        __builtin_add_overflow(total, value, &total)) {
        return 0;
    }
    sum->small = total;
    sum->scale = largest;
    return 1;
}

static void append_int128(__int128 value, int32_t scale, struct buffer *out)
{
    char digits[48];
    size_t count = 0;
    unsigned __int128 magnitude =
        value < 0 ? 0 - (unsigned __int128)value : (unsigned __int128)value;
    do {
        digits[count++] = (char)('0' + (int)(magnitude % 10));
        magnitude /= 10;
    } while (magnitude > 0 || count <= (size_t)scale);
    if (value < 0) {
        buffer_append_byte(out, '-');
    }
    while (count > 0) {
        buffer_append_byte(out, digits[--count]);
        if (count == (size_t)scale && scale > 0) {
            buffer_append_byte(out, '.');
        }
    }
}

/* Digit at place `place` (0: ones, 1: tens, -1: tenths) of the magnitude. */
static int place_digit(const struct decimal_plain *plain, int64_t place)
{
    if (place >= 0) {
        return (size_t)place < plain->whole_length
                   ? plain->whole[plain->whole_length - 1 - (size_t)place] - '0'
                   : 0;
    }
    size_t index = (size_t)(-place - 1);
    return index < plain->fraction_length ? plain->fraction[index] - '0' : 0;
}

/* left + right as plain text; neither is special. */
static void add_plain(const struct decimal_plain *left, const struct decimal_plain *right,
                      struct buffer *out)
{
    int subtract = left->negative != right->negative;
    const struct decimal_plain *larger = left;
    const struct decimal_plain *smaller = right;
    if (subtract && decimal_plain_compare(left, right) < 0) {
        larger = right;
        smaller = left;
    }
    size_t scale = left->fraction_length > right->fraction_length ? left->fraction_length
                                                                  : right->fraction_length;
    size_t whole =
        left->whole_length > right->whole_length ? left->whole_length : right->whole_length;
    /* "-", one place for a carry, the whole digits, the point, the fraction */
    size_t start = out->length;
    size_t length = whole + scale + 2 + (scale > 0);
    buffer_reserve(out, length);
    char *position = out->data + start + length;
    int carry = 0;
    for (int64_t place = -(int64_t)scale; place <= (int64_t)whole; place++) {
        int digit = place_digit(larger, place) + carry +
                    (subtract ? -place_digit(smaller, place) : place_digit(smaller, place));
        carry = digit < 0 ? -1 : digit > 9;
        *--position = (char)('0' + digit - 10 * carry);
        if (place == -1) {
            *--position = '.';
        }
    }
    out->data[start] = larger->negative ? '-' : '0';
    out->length += length;
}

/* The sum is plain text from now on, with leading zeros perhaps, which decimal_plain_of_text
 * skips. */
static void add_large(struct decimal_sum *sum, const struct decimal_plain *plain)
{
    struct buffer result = {0};
    if (sum->large.length == 0) {
        append_int128(sum->small, sum->scale, &sum->large);
    }
    struct decimal_plain current = decimal_plain_of_text(sum->large.data, sum->large.length);
    add_plain(&current, plain, &result);
    buffer_free(&sum->large);
    sum->large = result;
}

static void add_number(struct decimal_sum *sum, __int128 value, int32_t scale)
{
    if (sum->large.length == 0 && add_small(sum, value, scale)) {
        return;
    }
    struct buffer text = {0};
    append_int128(value, scale, &text);
    struct decimal_plain plain = decimal_plain_of_text(text.data, text.length);
    add_large(sum, &plain);
    buffer_free(&text);
}

static void add_special(struct decimal_sum *sum, double value)
{
    sum->special = sum->is_special ? sum->special + value : value;
    sum->is_special = 1;
}

static void add_decimal(struct decimal_sum *sum, const struct cell *cell)
{
    if ((cell->flags & CELL_SMALL) != 0) {
        add_number(sum, cell->i64, cell->aux);
        return;
    }
    struct decimal_plain plain = decimal_plain_of_text(cell->text, cell->length);
    if (plain.special != 0) {
        add_special(sum, plain.special == 'N' ? NAN : plain.special == '-' ? -INFINITY : INFINITY);
    } else if (plain.whole_length + plain.fraction_length <= 37 &&
               plain.fraction_length <= SUM_SCALE_MAX) {
        __int128 value = 0;
        for (size_t i = 0; i < plain.whole_length; i++) {
            value = value * 10 + (plain.whole[i] - '0');
        }
        for (size_t i = 0; i < plain.fraction_length; i++) {
            value = value * 10 + (plain.fraction[i] - '0');
        }
        add_number(sum, plain.negative ? -value : value, (int32_t)plain.fraction_length);
    } else {
        add_large(sum, &plain);
    }
}

static void add_float(struct decimal_sum *sum, double value, int is_float32)
{
    if (!isfinite(value)) {
        add_special(sum, value);
        return;
    }
    uint64_t digits;
    int exponent;
    int negative;
    if (is_float32) {
        number_shortest_float32((float)value, &digits, &exponent, &negative);
    } else {
        number_shortest(value, &digits, &exponent, &negative);
    }
    __int128 number = negative ? -(__int128)digits : (__int128)digits;
    if (exponent <= 0 && exponent >= -SUM_SCALE_MAX) {
        add_number(sum, number, -exponent);
        return;
    }
    if (exponent > 0 && exponent < 18) {
        add_number(sum, number * (int64_t)decimal_powers[exponent], 0);
        return;
    }
    struct arena *arena = arena_create(0);
    struct cell decimal;
    char text[NUMBER_TEXT_MAX];
    size_t length =
        is_float32 ? number_from_float32((float)value, text) : number_from_double(value, text);
    if (decimal_parse(text, length, arena, &decimal) == STATUS_OK) {
        add_decimal(sum, &decimal);
    }
    arena_destroy(arena);
}

enum status decimal_sum_add(struct decimal_sum *sum, const struct cell *cell)
{
    switch (cell->kind) {
    case VALUE_MISSING:
    case VALUE_NULL:
        return STATUS_OK;
    case VALUE_INT64:
        add_number(sum, cell->i64, 0);
        return STATUS_OK;
    case VALUE_UINT64:
        add_number(sum, cell->u64, 0);
        return STATUS_OK;
    case VALUE_DECIMAL:
        add_decimal(sum, cell);
        return STATUS_OK;
    case VALUE_FLOAT32:
    case VALUE_FLOAT64:
        add_float(sum, cell->f64, cell->kind == VALUE_FLOAT32);
        return STATUS_OK;
    default:
        return STATUS_FAILED;
    }
}

enum status decimal_sum_result(struct decimal_sum *sum, struct arena *arena, struct cell *cell)
{
    if (sum->is_special) {
        return decimal_from_double(sum->special, arena, cell);
    }
    struct buffer text = {0};
    if (sum->large.length == 0) {
        if (sum->scale == 0 && sum->small >= INT64_MIN && sum->small <= INT64_MAX) {
            *cell = cell_int64((int64_t)sum->small);
            return STATUS_OK;
        }
        append_int128(sum->small, sum->scale, &text);
    } else {
        buffer_append(&text, sum->large.data, sum->large.length);
    }
    enum status status = decimal_parse(text.data, text.length, arena, cell);
    buffer_free(&text);
    int64_t whole;
    if (status == STATUS_OK && decimal_scale(cell) == 0 &&
        decimal_to_int64(cell, &whole) == STATUS_OK) {
        *cell = cell_int64(whole); /* came back from beyond */
    }
    return status;
}
