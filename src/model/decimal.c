/* Exact decimals: the small form in one integer, the large one as plain text. */
#include "model/decimal.h"

#include "base/text.h"
#include "model/decimal_plain.h"
#include "model/number_text.h"
#include <math.h>
#include <string.h>
#include <strings.h>

enum {
    SMALL_DIGITS_MAX = 18,
    DOUBLE_DIGITS_SURE = 15, /* so many always come back from a double */
    DOUBLE_DIGITS_MAX = 17,  /* more are never needed */
    EXPONENT_MAX = 20000,
    SMALL_TEXT_BYTES =
        48,            /* enough for a small decimal's text and for what put_small copies too far */
    SUM_SCALE_MAX = 36 /* of the sum's small form */
};

static const double double_powers[SMALL_DIGITS_MAX + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,
                                                           1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13,
                                                           1e14, 1e15, 1e16, 1e17, 1e18};

static struct cell small_cell(int64_t value, uint32_t scale)
{
    return (struct cell){
        .kind = VALUE_DECIMAL, .flags = CELL_SMALL, .aux = (uint16_t)scale, .i64 = value};
}

static struct cell text_cell(const char *text, size_t length)
{
    return (struct cell){.kind = VALUE_DECIMAL, .length = (uint32_t)length, .text = text};
}

static uint64_t magnitude_of(int64_t value)
{
    return value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
}

/* Up to 22 bytes long; copies are of a fixed size, which is faster, and so reach beyond. */
static size_t put_small(int64_t value, uint32_t scale, char out[SMALL_TEXT_BYTES])
{
    enum { COPIED_BYTES = 24 };
    char digits[2 * COPIED_BYTES] = {0};
    size_t count = text_from_uint64(magnitude_of(value), digits);
    size_t length = 0;
    if (value < 0) {
        out[length++] = '-';
    }
    if (scale == 0) {
        memcpy(out + length, digits, COPIED_BYTES);
        return length + count;
    }
    if (count <= scale) {
        size_t zeros = scale - count;
        memset(out + length, '0', zeros + 2);
        out[length + 1] = '.';
        memcpy(out + length + 2 + zeros, digits, count);
        return length + 2 + scale;
    }
    size_t whole = count - scale;
    memcpy(out + length, digits, COPIED_BYTES);
    out[length + whole] = '.';
    memcpy(out + length + whole + 1, digits + whole, COPIED_BYTES);
    return length + count + 1;
}

/* The plain text of any decimal; a small one's is put into `scratch`. */
static const char *text_of(const struct cell *decimal, char scratch[SMALL_TEXT_BYTES],
                           size_t *length)
{
    if ((decimal->flags & CELL_SMALL) == 0) {
        *length = decimal->length;
        return decimal->text;
    }
    *length = put_small(decimal->i64, decimal->aux, scratch);
    return scratch;
}

static struct decimal_plain plain_of(const struct cell *decimal, char scratch[SMALL_TEXT_BYTES])
{
    size_t length;
    const char *text = text_of(decimal, scratch, &length);
    return decimal_plain_of_text(text, length);
}

char decimal_special(const struct cell *decimal)
{
    return (decimal->flags & CELL_SMALL) != 0
               ? 0
               : decimal_plain_of_text(decimal->text, decimal->length).special;
}

uint32_t decimal_scale(const struct cell *decimal)
{
    return (decimal->flags & CELL_SMALL) != 0
               ? decimal->aux
               : (uint32_t)decimal_plain_of_text(decimal->text, decimal->length).fraction_length;
}

/* --- reading --- */

static enum status parse_special(const char *text, size_t length, int negative, struct cell *cell)
{
    if (length == 3 && strncasecmp(text, "nan", 3) == 0) {
        *cell = text_cell("NaN", 3);
    } else if ((length == 8 && strncasecmp(text, "infinity", 8) == 0) ||
               (length == 3 && strncasecmp(text, "inf", 3) == 0)) {
        *cell = negative ? text_cell("-Infinity", 9) : text_cell("Infinity", 8);
    } else {
        return STATUS_END;
    }
    return STATUS_OK;
}

/* A number as written: the digits on both sides of the point, and the exponent. */
struct written {
    int negative;
    const char *whole;
    size_t whole_length;
    const char *fraction;
    size_t fraction_length;
    int64_t exponent;
};

static size_t span_digits(const char *position, const char *end)
{
    const char *start = position;
    while (position < end && (uint8_t)(*position - '0') <= 9) {
        position++;
    }
    return (size_t)(position - start);
}

/* The part behind the sign; false if it is no number. */
static int read_written(const char *position, const char *end, struct written *written)
{
    written->whole = position;
    written->whole_length = span_digits(position, end);
    position += written->whole_length;
    written->fraction = position;
    written->fraction_length = 0;
    written->exponent = 0;
    if (position < end && *position == '.') {
        written->fraction = ++position;
        written->fraction_length = span_digits(position, end);
        position += written->fraction_length;
    }
    if (written->whole_length + written->fraction_length == 0) {
        return 0;
    }
    if (position == end) {
        return 1;
    }
    if (*position != 'e' && *position != 'E') {
        return 0;
    }
    position++;
    int negative = position < end && *position == '-';
    position += position < end && (*position == '-' || *position == '+');
    size_t length = span_digits(position, end);
    if (length == 0 || position + length != end) {
        return 0;
    }
    for (size_t i = 0; i < length && written->exponent <= EXPONENT_MAX; i++) {
        written->exponent = written->exponent * 10 + (position[i] - '0');
    }
    if (written->exponent > EXPONENT_MAX) {
        return 0;
    }
    written->exponent = negative ? -written->exponent : written->exponent;
    return 1;
}

/* Digit `index` of the whole and fraction digits taken as one run; zeros outside of it. */
static char digit_at(const struct written *written, int64_t index)
{
    if (index < 0 || (size_t)index >= written->whole_length + written->fraction_length) {
        return '0';
    }
    return (size_t)index < written->whole_length
               ? written->whole[index]
               : written->fraction[(size_t)index - written->whole_length];
}

/* The exponent expanded: plain text in the arena, or the small form if it fits. STATUS_END: it
 * would be above 4 GiB. */
static enum status expand(const struct written *written, struct arena *arena, struct cell *cell)
{
    int64_t count = (int64_t)(written->whole_length + written->fraction_length);
    int64_t point = (int64_t)written->whole_length + written->exponent;
    int64_t end = point > count ? point : count; /* one past the last digit written */
    int64_t scale = end - point;
    int64_t first = 0; /* the first digit that is not zero */
    while (first < end && digit_at(written, first) == '0') {
        first++;
    }
    if (end - first <= SMALL_DIGITS_MAX && scale <= SMALL_DIGITS_MAX) {
        int64_t value = 0;
        for (int64_t i = first; i < end; i++) {
            value = value * 10 + (digit_at(written, i) - '0');
        }
        *cell = small_cell(written->negative ? -value : value, (uint32_t)scale);
        return STATUS_OK;
    }
    int64_t start = first < point ? first : point;
    size_t length = (size_t)written->negative + (size_t)(end - start) + 2;
    if (length > UINT32_MAX) {
        return STATUS_END;
    }
    char *text = arena_allocate(arena, length);
    size_t filled = 0;
    if (written->negative && first < end) {
        text[filled++] = '-';
    }
    if (start == point) {
        text[filled++] = '0';
    }
    for (int64_t i = start; i < end; i++) {
        if (i == point) {
            text[filled++] = '.';
        }
        text[filled++] = digit_at(written, i);
    }
    *cell = text_cell(text, filled);
    return STATUS_OK;
}

enum status decimal_parse(const char *text, size_t length, struct arena *arena, struct cell *cell)
{
    const char *position = text;
    const char *end = text + length;
    int negative = 0;
    if (position < end && (*position == '-' || *position == '+')) {
        negative = *position == '-';
        position++;
    }
    /* Most are short and without exponent. */
    if ((size_t)(end - position) <= SMALL_DIGITS_MAX) {
        int64_t value = 0;
        const char *point = NULL;
        const char *at = position;
        for (; at < end; at++) {
            uint8_t digit = (uint8_t)(*at - '0');
            if (digit <= 9) {
                value = value * 10 + digit;
            } else if (*at == '.' && point == NULL) {
                point = at;
            } else {
                break;
            }
        }
        if (at == end && end - position > (point != NULL)) {
            *cell = small_cell(negative ? -value : value,
                               point == NULL ? 0 : (uint32_t)(end - point - 1));
            return STATUS_OK;
        }
    }
    struct written written = {.negative = negative};
    if (!read_written(position, end, &written)) {
        return parse_special(position, (size_t)(end - position), negative, cell);
    }
    return expand(&written, arena, cell);
}

/* --- writing --- */

void decimal_append(const struct cell *decimal, struct buffer *out)
{
    if ((decimal->flags & CELL_SMALL) != 0) {
        buffer_reserve(out, SMALL_TEXT_BYTES);
        out->length += put_small(decimal->i64, decimal->aux, out->data + out->length);
    } else {
        buffer_append(out, decimal->text, decimal->length);
    }
}

/* As one number; false if there are more than `most`, leading zeros not counted. */
static bool all_digits(const struct decimal_plain *plain, int most, uint64_t *digits)
{
    *digits = 0;
    for (size_t i = 0; i < plain->whole_length + plain->fraction_length; i++) {
        char digit =
            i < plain->whole_length ? plain->whole[i] : plain->fraction[i - plain->whole_length];
        if (*digits >= decimal_powers[most - 1]) {
            return false;
        }
        *digits = *digits * 10 + (uint64_t)(digit - '0');
    }
    return true;
}

bool decimal_to_small(const struct cell *decimal, struct cell *small)
{
    if ((decimal->flags & CELL_SMALL) != 0) {
        *small = *decimal;
        return magnitude_of(decimal->i64) < decimal_powers[SMALL_DIGITS_MAX];
    }
    struct decimal_plain plain = decimal_plain_of_text(decimal->text, decimal->length);
    size_t scale = plain.fraction_length;
    uint64_t value;
    if (plain.special != 0 || scale > SMALL_DIGITS_MAX ||
        !all_digits(&plain, SMALL_DIGITS_MAX, &value)) {
        return false;
    }
    *small = small_cell(plain.negative ? -(int64_t)value : (int64_t)value, (uint32_t)scale);
    return true;
}

struct cell decimal_small_normal(const struct cell *decimal)
{
    int64_t value = decimal->i64;
    uint32_t scale = value == 0 ? 0 : decimal->aux;
    while (scale > 0 && value % 10 == 0) {
        value /= 10;
        scale--;
    }
    return small_cell(value, scale);
}

void decimal_append_normal(const struct cell *decimal, struct buffer *out)
{
    if ((decimal->flags & CELL_SMALL) != 0) {
        struct cell normal = decimal_small_normal(decimal);
        decimal_append(&normal, out);
        return;
    }
    struct decimal_plain plain = decimal_plain_of_text(decimal->text, decimal->length);
    if (plain.special != 0) {
        buffer_append(out, decimal->text, decimal->length);
        return;
    }
    if (decimal_plain_is_zero(&plain)) {
        buffer_append_byte(out, '0');
        return;
    }
    size_t fraction_length = plain.fraction_length;
    while (fraction_length > 0 && plain.fraction[fraction_length - 1] == '0') {
        fraction_length--;
    }
    if (plain.negative) {
        buffer_append_byte(out, '-');
    }
    if (plain.whole_length == 0) {
        buffer_append_byte(out, '0');
    }
    buffer_append(out, plain.whole, plain.whole_length);
    if (fraction_length > 0) {
        buffer_append_byte(out, '.');
        buffer_append(out, plain.fraction, fraction_length);
    }
}

/* --- measuring and comparing --- */

static size_t count_of_digits(uint64_t value)
{
    char digits[20];
    return text_from_uint64(value, digits);
}

int decimal_measure(const struct cell *decimal, int64_t *digits, int64_t *exponent)
{
    *digits = 0;
    *exponent = 0;
    if ((decimal->flags & CELL_SMALL) != 0) {
        uint64_t magnitude = magnitude_of(decimal->i64);
        if (magnitude != 0) {
            int64_t count = (int64_t)count_of_digits(magnitude);
            *exponent = count - 1 - decimal->aux;
            for (; magnitude % 10 == 0; magnitude /= 10) {
                count--;
            }
            *digits = count;
        }
        return 1;
    }
    struct decimal_plain plain = decimal_plain_of_text(decimal->text, decimal->length);
    if (plain.special != 0) {
        return 0;
    }
    /* Positions: whole digits from 0 on, the fraction behind them. */
    int64_t first = -1;
    int64_t last = -1;
    int64_t whole_length = (int64_t)plain.whole_length;
    for (int64_t i = 0; i < whole_length + (int64_t)plain.fraction_length; i++) {
        char digit = i < whole_length ? plain.whole[i] : plain.fraction[i - whole_length];
        if (digit != '0') {
            first = first < 0 ? i : first;
            last = i;
        }
    }
    if (first >= 0) {
        *digits = last - first + 1;
        *exponent = whole_length - 1 - first;
    }
    return 1;
}

static int sign_of_difference(int64_t left, int64_t right)
{
    return left < right ? -1 : left > right;
}

/* NaN above +infinity above numbers above -infinity */
static int rank_of_special(char special)
{
    return special == 'N' ? 2 : special == '+' ? 1 : special == '-' ? -1 : 0;
}

int decimal_compare(const struct cell *left, const struct cell *right)
{
    if ((left->flags & right->flags & CELL_SMALL) != 0) {
        uint32_t scale = left->aux > right->aux ? left->aux : right->aux;
        __int128 a = (__int128)left->i64 * (int64_t)decimal_powers[scale - left->aux];
        __int128 b = (__int128)right->i64 * (int64_t)decimal_powers[scale - right->aux];
        return a < b ? -1 : a > b;
    }
    char left_scratch[SMALL_TEXT_BYTES];
    char right_scratch[SMALL_TEXT_BYTES];
    struct decimal_plain a = plain_of(left, left_scratch);
    struct decimal_plain b = plain_of(right, right_scratch);
    if (a.special != 0 || b.special != 0) {
        return sign_of_difference(rank_of_special(a.special), rank_of_special(b.special));
    }
    int a_sign = decimal_plain_is_zero(&a) ? 0 : a.negative ? -1 : 1;
    int b_sign = decimal_plain_is_zero(&b) ? 0 : b.negative ? -1 : 1;
    if (a_sign != b_sign || a_sign == 0) {
        return sign_of_difference(a_sign, b_sign);
    }
    return a_sign * decimal_plain_compare(&a, &b);
}

/* --- from and to other numbers --- */

enum status decimal_from_double(double value, struct arena *arena, struct cell *cell)
{
    if (!isfinite(value)) {
        *cell = isnan(value) ? text_cell("NaN", 3)
                : value < 0  ? text_cell("-Infinity", 9)
                             : text_cell("Infinity", 8);
        return STATUS_OK;
    }
    uint64_t digits;
    int exponent;
    int negative;
    number_shortest(value, &digits, &exponent, &negative);
    if (exponent <= 0 && exponent >= -SMALL_DIGITS_MAX &&
        digits < decimal_powers[SMALL_DIGITS_MAX]) {
        uint32_t scale = (uint32_t)-exponent;
        *cell = small_cell(negative ? -(int64_t)digits : (int64_t)digits, scale);
        if ((double)cell->i64 / double_powers[scale] == value) {
            cell->flags |= CELL_FROM_FLOAT;
        }
        return STATUS_OK;
    }
    char text[20];
    size_t length = text_from_uint64(digits, text);
    struct written written = {.negative = negative,
                              .whole = text,
                              .whole_length = length,
                              .fraction = text,
                              .exponent = exponent};
    enum status status = expand(&written, arena, cell);
    if (status == STATUS_OK && (cell->flags & CELL_SMALL) != 0 &&
        (double)cell->i64 / double_powers[cell->aux] == value) {
        cell->flags |= CELL_FROM_FLOAT;
    }
    return status;
}

double decimal_to_double(const struct cell *decimal)
{
    if ((decimal->flags & CELL_SMALL) != 0 && ((decimal->flags & CELL_FROM_FLOAT) != 0 ||
                                               magnitude_of(decimal->i64) <= (uint64_t)1 << 53)) {
        return (double)decimal->i64 / double_powers[decimal->aux];
    }
    char scratch[SMALL_TEXT_BYTES];
    size_t length;
    const char *text = text_of(decimal, scratch, &length);
    double value;
    return number_to_double(text, length, &value) == STATUS_OK ? value : NAN;
}

bool decimal_is_of_double(const struct cell *decimal, double *value)
{
    bool small = (decimal->flags & CELL_SMALL) != 0;
    if (small && magnitude_of(decimal->i64) < decimal_powers[DOUBLE_DIGITS_SURE]) {
        *value = (double)decimal->i64 / double_powers[decimal->aux];
        return decimal->aux > 0 && decimal->i64 % 10 != 0;
    }
    char scratch[SMALL_TEXT_BYTES];
    struct decimal_plain plain = plain_of(decimal, scratch);
    uint64_t digits;
    if (plain.special != 0 || plain.fraction_length == 0 ||
        plain.fraction[plain.fraction_length - 1] == '0' ||
        !all_digits(&plain, DOUBLE_DIGITS_MAX, &digits)) {
        return false;
    }
    uint64_t shortest;
    int exponent;
    int negative;
    *value = decimal_to_double(decimal);
    number_shortest(*value, &shortest, &exponent, &negative);
    return shortest == digits && exponent == -(int)plain.fraction_length;
}

/* The magnitude of a whole number. */
static enum status to_magnitude(const struct cell *decimal, int *negative, uint64_t *magnitude)
{
    if ((decimal->flags & CELL_SMALL) != 0) {
        uint64_t value = magnitude_of(decimal->i64);
        *negative = decimal->i64 < 0;
        *magnitude = value / decimal_powers[decimal->aux];
        return value % decimal_powers[decimal->aux] == 0 ? STATUS_OK : STATUS_FAILED;
    }
    struct decimal_plain plain = decimal_plain_of_text(decimal->text, decimal->length);
    *negative = plain.negative;
    *magnitude = 0;
    if (plain.special != 0) {
        return STATUS_FAILED;
    }
    for (size_t i = 0; i < plain.fraction_length; i++) {
        if (plain.fraction[i] != '0') {
            return STATUS_FAILED;
        }
    }
    return plain.whole_length == 0 ? STATUS_OK
                                   : text_to_uint64(plain.whole, plain.whole_length, magnitude);
}

enum status decimal_to_int64(const struct cell *decimal, int64_t *value)
{
    int negative;
    uint64_t magnitude;
    if (to_magnitude(decimal, &negative, &magnitude) != STATUS_OK ||
        magnitude > (uint64_t)INT64_MAX + (uint64_t)negative) {
        return STATUS_FAILED;
    }
    *value = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return STATUS_OK;
}

enum status decimal_to_uint64(const struct cell *decimal, uint64_t *value)
{
    int negative;
    uint64_t magnitude;
    if (to_magnitude(decimal, &negative, &magnitude) != STATUS_OK || (negative && magnitude != 0)) {
        return STATUS_FAILED;
    }
    *value = magnitude;
    return STATUS_OK;
}

struct cell decimal_from_int64(int64_t value, struct arena *arena)
{
    if (magnitude_of(value) < decimal_powers[SMALL_DIGITS_MAX]) {
        return small_cell(value, 0);
    }
    char text[20];
    size_t length = text_from_int64(value, text);
    return text_cell(arena_copy(arena, text, length), length);
}

struct cell decimal_from_uint64(uint64_t value, struct arena *arena)
{
    if (value < decimal_powers[SMALL_DIGITS_MAX]) {
        return small_cell((int64_t)value, 0);
    }
    char text[20];
    size_t length = text_from_uint64(value, text);
    return text_cell(arena_copy(arena, text, length), length);
}

/* --- rescaling --- */

/* Adds one to the last of the decimal digits; true if it went over ("999" to "000"). */
static int increment(char *digits, size_t count)
{
    for (size_t i = count; i > 0; i--) {
        if (digits[i - 1] != '9') {
            digits[i - 1]++;
            return 0;
        }
        digits[i - 1] = '0';
    }
    return 1;
}

/* True if the digits cut after `scale` round the number away from zero; *exact: they are all
 * zeros. */
static int cut_rounds_up(const struct decimal_plain *plain, size_t scale, int last_is_odd,
                         int *exact)
{
    int rest = 0;
    for (size_t i = scale + 1; i < plain->fraction_length; i++) {
        rest |= plain->fraction[i] != '0';
    }
    char next = plain->fraction[scale];
    *exact = next == '0' && !rest;
    return next > '5' || (next == '5' && (rest || last_is_odd));
}

/* Both small; false if the result is not. */
static int rescale_small(const struct cell *decimal, uint32_t scale, struct cell *result,
                         int *exact)
{
    int64_t value = decimal->i64;
    if (scale >= decimal->aux) {
        int64_t factor = (int64_t)decimal_powers[scale - decimal->aux];
        if (magnitude_of(value) >= decimal_powers[SMALL_DIGITS_MAX] / (uint64_t)factor) {
            return 0;
        }
        *exact = 1;
        *result = small_cell(value * factor, scale);
        return 1;
    }
    int64_t divisor = (int64_t)decimal_powers[decimal->aux - scale];
    int64_t rest = value % divisor;
    value /= divisor;
    *exact = rest == 0;
    uint64_t twice = 2 * magnitude_of(rest); /* the divisor is even */
    if (twice > (uint64_t)divisor || (twice == (uint64_t)divisor && (value & 1) != 0)) {
        value += rest < 0 ? -1 : 1;
    }
    *result = small_cell(value, scale);
    return 1;
}

enum status decimal_rescale(const struct cell *decimal, uint32_t scale, struct arena *arena,
                            struct cell *result, int *exact)
{
    if ((decimal->flags & CELL_SMALL) != 0 && scale <= SMALL_DIGITS_MAX && scale != decimal->aux &&
        rescale_small(decimal, scale, result, exact)) {
        return STATUS_OK;
    }
    char scratch[SMALL_TEXT_BYTES];
    struct decimal_plain plain = plain_of(decimal, scratch);
    *exact = 1;
    if (plain.special != 0 || plain.fraction_length == scale) {
        *result = *decimal;
        return STATUS_OK;
    }
    if (scale > EXPONENT_MAX) {
        return STATUS_FAILED;
    }
    /* "-0" + whole + "." + fraction; the leading zero takes a carry, and is dropped by the
     * parser */
    size_t capacity = plain.whole_length + scale + 3;
    char *text = arena_allocate(arena, capacity);
    char *digits = text + plain.negative; /* without the point at first */
    size_t count = 1 + plain.whole_length + scale;
    size_t kept = plain.fraction_length < scale ? plain.fraction_length : scale;
    text[0] = '-';
    digits[0] = '0';
    memcpy(digits + 1, plain.whole, plain.whole_length);
    memcpy(digits + 1 + plain.whole_length, plain.fraction, kept);
    memset(digits + 1 + plain.whole_length + kept, '0', scale - kept);
    if (plain.fraction_length > scale) {
        int last_is_odd = (digits[count - 1] - '0') & 1;
        if (cut_rounds_up(&plain, scale, last_is_odd, exact)) {
            increment(digits, count);
        }
    }
    if (scale > 0) {
        memmove(digits + count - scale + 1, digits + count - scale, scale);
        digits[count - scale] = '.';
        count++;
    }
    return decimal_parse(text, (size_t)plain.negative + count, arena, result) == STATUS_OK
               ? STATUS_OK
               : STATUS_FAILED;
}
