/*
 * Doubles to their shortest digits (Schubfach: R. Giulietti, "The Schubfach way to render doubles")
 * and back (Eisel-Lemire: D. Lemire, "Number parsing at a gigabyte per second"; where more digits
 * than it takes leave a doubt, an exact comparison of large integers).
 */
#include "model/number_text.h"

#include "number_powers.h"
#include <math.h>
#include <string.h>
#include <strings.h>

enum { MANTISSA_BITS = 52, EXPONENT_BIAS = 1075, POWER_EXACT_MAX = 22 };

static const double exact_powers[POWER_EXACT_MAX + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

struct digits {
    uint64_t digits;
    int exponent;
};

static uint64_t double_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static double double_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static const uint64_t *power_of_ten(int exponent)
{
    return number_powers[exponent - NUMBER_POWER_MIN];
}

/* floor(log2(10^exponent)) */
static int log2_of_power(int exponent)
{
    return (exponent * 1741647) >> 19;
}

/* The product of a 128-bit power and a factor, its upper 64 bits, the last one set if any below
 * is. */
static uint64_t round_to_odd(const uint64_t *power, uint64_t factor)
{
    unsigned __int128 low = (unsigned __int128)power[1] * factor;
    unsigned __int128 high = (unsigned __int128)power[0] * factor + (uint64_t)(low >> 64);
    return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

static uint64_t round_to_odd_32(uint64_t power, uint64_t factor)
{
    unsigned __int128 product = (unsigned __int128)power * factor;
    uint64_t middle = (uint64_t)(product >> 32);
    return (middle >> 32) | ((uint32_t)middle > 1);
}

/* Where the interval [lower, upper] that rounds to a value lies, all in quarters of 10^exponent. */
static struct digits choose_shortest(uint64_t lower, uint64_t value, uint64_t upper, int exponent)
{
    uint64_t whole = value / 4;
    if (whole >= 10) {
        uint64_t tenth = whole / 10;
        int down_inside = lower <= 40 * tenth;
        int up_inside = 40 * tenth + 40 <= upper;
        if (down_inside != up_inside) {
            return (struct digits){tenth + (uint64_t)up_inside, exponent + 1};
        }
    }
    int down_inside = lower <= 4 * whole;
    int up_inside = 4 * whole + 4 <= upper;
    if (down_inside != up_inside) {
        return (struct digits){whole + (uint64_t)up_inside, exponent};
    }
    uint64_t middle = 4 * whole + 2;
    int round_up = value > middle || (value == middle && (whole & 1) != 0);
    return (struct digits){whole + (uint64_t)round_up, exponent};
}

/* floor(log10(2^q)), or of 3/4 of it where the lower neighbour is closer */
static int decimal_exponent(int q, int lower_is_closer)
{
    return (q * 1262611 - (lower_is_closer ? 524031 : 0)) >> 22;
}

static struct digits shortest_of_double(uint64_t bits)
{
    uint64_t fraction = bits & (((uint64_t)1 << MANTISSA_BITS) - 1);
    int biased = (int)(bits >> MANTISSA_BITS & 0x7FF);
    uint64_t c = fraction;
    int q = 1 - EXPONENT_BIAS;
    if (biased != 0) {
        c = fraction | (uint64_t)1 << MANTISSA_BITS;
        q = biased - EXPONENT_BIAS;
        if (q <= 0 && q > -53 && (c & (((uint64_t)1 << -q) - 1)) == 0) {
            return (struct digits){c >> -q, 0};
        }
    }
    int is_odd = (int)(c & 1);
    int lower_is_closer = fraction == 0 && biased > 1;
    int k = decimal_exponent(q, lower_is_closer);
    int shift = q + log2_of_power(-k) + 1;
    const uint64_t *power = power_of_ten(-k);
    uint64_t lower = round_to_odd(power, (4 * c - 2 + (uint64_t)lower_is_closer) << shift);
    uint64_t value = round_to_odd(power, 4 * c << shift);
    uint64_t upper = round_to_odd(power, (4 * c + 2) << shift);
    return choose_shortest(lower + (uint64_t)is_odd, value, upper - (uint64_t)is_odd, k);
}

static struct digits shortest_of_float(uint32_t bits)
{
    uint32_t fraction = bits & 0x7FFFFF;
    int biased = (int)(bits >> 23 & 0xFF);
    uint64_t c = fraction;
    int q = 1 - 150;
    if (biased != 0) {
        c = fraction | (uint32_t)1 << 23;
        q = biased - 150;
        if (q <= 0 && q > -24 && (c & (((uint64_t)1 << -q) - 1)) == 0) {
            return (struct digits){c >> -q, 0};
        }
    }
    int is_odd = (int)(c & 1);
    int lower_is_closer = fraction == 0 && biased > 1;
    int k = decimal_exponent(q, lower_is_closer);
    int shift = q + log2_of_power(-k) + 1;
    const uint64_t *wide = power_of_ten(-k);
    uint64_t power = wide[0] + (wide[1] != 0);
    uint64_t lower = round_to_odd_32(power, (4 * c - 2 + (uint64_t)lower_is_closer) << shift);
    uint64_t value = round_to_odd_32(power, 4 * c << shift);
    uint64_t upper = round_to_odd_32(power, (4 * c + 2) << shift);
    return choose_shortest(lower + (uint64_t)is_odd, value, upper - (uint64_t)is_odd, k);
}

static struct digits strip_zeros(struct digits number)
{
    if (number.digits == 0) {
        return (struct digits){0, 0};
    }
    while (number.digits % 10000 == 0) {
        number.digits /= 10000;
        number.exponent += 4;
    }
    while (number.digits % 10 == 0) {
        number.digits /= 10;
        number.exponent++;
    }
    return number;
}

/*
 * Most doubles in databases were written with a few decimals: if a number of at most 15 digits with
 * four decimals is nearest to this double, no other of that form is, and it is the shortest.
 * The number × 10^4; -1 if there is none.
 */
static int64_t try_four_decimals(double magnitude)
{
    if (!(magnitude < 1e10)) {
        return -1;
    }
    int64_t scaled = (int64_t)(magnitude * 1e4 + 0.5);
    return (double)scaled / 1e4 == magnitude ? scaled : -1;
}

/* At most four zeros; the first pair is there or not for most values of one column alike. */
static struct digits strip_four_decimals(uint64_t scaled)
{
    int exponent = -4;
    if (scaled % 100 == 0) {
        scaled /= 100;
        exponent = -2;
        if (scaled % 100 == 0) {
            return strip_zeros((struct digits){scaled / 100, 0});
        }
    }
    if (scaled % 10 == 0) {
        scaled /= 10;
        exponent++;
    }
    return (struct digits){scaled, exponent};
}

void number_shortest(double value, uint64_t *digits, int *exponent, int *negative)
{
    uint64_t bits = double_bits(value);
    *negative = (int)(bits >> 63);
    bits &= ~((uint64_t)1 << 63);
    int64_t scaled = try_four_decimals(double_of_bits(bits));
    struct digits number =
        scaled >= 0 ? strip_four_decimals((uint64_t)scaled) : strip_zeros(shortest_of_double(bits));
    *digits = number.digits;
    *exponent = number.exponent;
}

void number_shortest_float32(float value, uint64_t *digits, int *exponent, int *negative)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    *negative = (int)(bits >> 31);
    bits &= 0x7FFFFFFF;
    struct digits number = {0, 0};
    if (bits != 0) {
        number = strip_zeros(shortest_of_float(bits));
    }
    *digits = number.digits;
    *exponent = number.exponent;
}

static size_t put_special(double value, char *out)
{
    if (isnan(value)) {
        memcpy(out, "NaN", 3);
        return 3;
    }
    if (value < 0) {
        memcpy(out, "-Infinity", 9);
        return 9;
    }
    memcpy(out, "Infinity", 8);
    return 8;
}

/* "1.5e+300" of the digits, the first of which stands for 10^power. */
static size_t put_with_exponent(const char *digits, size_t count, int power, char *out)
{
    size_t length = 0;
    out[length++] = digits[0];
    if (count > 1) {
        out[length++] = '.';
        memcpy(out + length, digits + 1, count - 1);
        length += count - 1;
    }
    out[length++] = 'e';
    out[length++] = power < 0 ? '-' : '+';
    return length + text_from_uint64((uint64_t)(power < 0 ? -power : power), out + length);
}

static size_t put_digits(uint64_t number, int exponent, int negative, char *out)
{
    size_t length = 0;
    if (negative) {
        out[length++] = '-';
    }
    char digits[20];
    size_t count = text_from_uint64(number, digits);
    int point = (int)count + exponent; /* how many digits stand before the point */
    if (point > 21 || point < -5) {
        return length + put_with_exponent(digits, count, point - 1, out + length);
    }
    if (point <= 0) {
        memcpy(out + length, "0.00000", 7);
        length += (size_t)(2 - point);
        memcpy(out + length, digits, count);
        return length + count;
    }
    if (exponent >= 0) {
        memcpy(out + length, digits, count);
        memset(out + length + count, '0', (size_t)exponent);
        return length + count + (size_t)exponent;
    }
    memcpy(out + length, digits, (size_t)point);
    length += (size_t)point;
    out[length++] = '.';
    memcpy(out + length, digits + point, count - (size_t)point);
    return length + count - (size_t)point;
}

/* scaled / 10^4 without trailing zeros, with few branches. */
static size_t put_four_decimals(uint64_t scaled, int negative, char *out)
{
    size_t length = 0;
    if (negative) {
        out[length++] = '-';
    }
    length += text_from_uint64(scaled / 10000, out + length);
    uint32_t decimals = (uint32_t)(scaled % 10000);
    if (decimals == 0) {
        return length;
    }
    uint32_t upper = decimals / 100;
    uint32_t lower = decimals % 100;
    out[length] = '.';
    out[length + 1] = (char)('0' + upper / 10);
    out[length + 2] = (char)('0' + upper % 10);
    out[length + 3] = (char)('0' + lower / 10);
    out[length + 4] = (char)('0' + lower % 10);
    return length + (lower == 0 ? 2 + (size_t)(upper % 10 != 0) : 4 + (size_t)(lower % 10 != 0));
}

size_t number_from_double(double value, char *out)
{
    if (!isfinite(value)) {
        return put_special(value, out);
    }
    int64_t scaled = try_four_decimals(fabs(value));
    if (scaled >= 0) {
        return put_four_decimals((uint64_t)scaled, signbit(value) != 0, out);
    }
    uint64_t digits;
    int exponent;
    int negative;
    number_shortest(value, &digits, &exponent, &negative);
    return put_digits(digits, exponent, negative, out);
}

size_t number_from_float32(float value, char *out)
{
    if (!isfinite(value)) {
        return put_special((double)value, out);
    }
    uint64_t digits;
    int exponent;
    int negative;
    number_shortest_float32(value, &digits, &exponent, &negative);
    return put_digits(digits, exponent, negative, out);
}

/* --- text to double --- */

/* The number that the text says: digits × 10^exponent, of which the first 19 significant ones are
 * in `first`. */
struct number_text {
    uint64_t first;
    int64_t exponent; /* of `first` */
    int cut;          /* more significant digits than 19, one of them not zero */
    const char *digits;
    const char *digits_end; /* may hold one point */
    int64_t written_exponent;
};

/* Reads [eE][+-]digits up to `end`; false if it is anything else. */
static int read_exponent(const char *position, const char *end, int64_t *exponent)
{
    *exponent = 0;
    if (position == end) {
        return 1;
    }
    if (*position != 'e' && *position != 'E') {
        return 0;
    }
    position++;
    int negative = 0;
    if (position < end && (*position == '+' || *position == '-')) {
        negative = *position == '-';
        position++;
    }
    if (position == end) {
        return 0;
    }
    int64_t sum = 0;
    for (; position < end; position++) {
        unsigned digit = (unsigned)(uint8_t)*position - '0';
        if (digit > 9) {
            return 0;
        }
        if (sum < 100000000) {
            sum = sum * 10 + digit;
        }
    }
    *exponent = negative ? -sum : sum;
    return 1;
}

static int read_number(const char *position, const char *end, struct number_text *number)
{
    *number = (struct number_text){.digits = position};
    size_t digit_count = 0;
    int significant = 0;
    int after_point = 0;
    for (; position < end; position++) {
        unsigned digit = (unsigned)(uint8_t)*position - '0';
        if (digit > 9) {
            if (*position != '.' || after_point) {
                break;
            }
            after_point = 1;
            continue;
        }
        digit_count++;
        if (significant < 19) {
            number->first = number->first * 10 + digit;
            significant += number->first != 0;
            number->exponent -= after_point;
        } else {
            number->cut |= digit != 0;
            number->exponent += !after_point;
        }
    }
    number->digits_end = position;
    if (digit_count == 0 || !read_exponent(position, end, &number->written_exponent)) {
        return 0;
    }
    number->exponent += number->written_exponent;
    return 1;
}

/* The bits of the double nearest to factor × 10^exponent. */
static uint64_t nearest_bits(uint64_t factor, int64_t exponent)
{
    enum { KEPT_SHIFT = 64 - MANTISSA_BITS - 3 };
    if (factor == 0 || exponent < NUMBER_POWER_MIN) {
        return 0;
    }
    if (exponent > 308) {
        return (uint64_t)0x7FF << MANTISSA_BITS;
    }
    int q = (int)exponent;
    int leading = __builtin_clzll(factor);
    factor <<= leading;
    const uint64_t *power = power_of_ten(q);
    /* The table is rounded up, what is wanted here for positive powers is rounded down. */
    uint64_t power_high = power[0];
    uint64_t power_low = power[1];
    if (q > 55) {
        power_high -= power_low == 0;
        power_low--;
    }
    unsigned __int128 product = (unsigned __int128)factor * power_high;
    if (((uint64_t)(product >> 64) & (~(uint64_t)0 >> (MANTISSA_BITS + 3))) ==
        ~(uint64_t)0 >> (MANTISSA_BITS + 3)) {
        product += (uint64_t)(((unsigned __int128)factor * power_low) >> 64);
    }
    uint64_t high = (uint64_t)(product >> 64);
    uint64_t low = (uint64_t)product;
    int upper_bit = (int)(high >> 63);
    uint64_t mantissa = high >> (upper_bit + KEPT_SHIFT);
    int biased = log2_of_power(q) + 63 + upper_bit - leading + 1023;
    if (biased <= 0) {
        if (1 - biased >= 64) {
            return 0;
        }
        mantissa >>= 1 - biased;
        return (mantissa + (mantissa & 1)) >> 1; /* a carry makes it the smallest normal number */
    }
    if (low <= 1 && q >= -4 && q <= 23 && (mantissa & 3) == 1 &&
        mantissa << (upper_bit + KEPT_SHIFT) == high) {
        mantissa &= ~(uint64_t)1; /* exactly between two: to the even one */
    }
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    if (mantissa >= (uint64_t)2 << MANTISSA_BITS) {
        mantissa = (uint64_t)1 << MANTISSA_BITS;
        biased++;
    }
    if (biased >= 0x7FF) {
        return (uint64_t)0x7FF << MANTISSA_BITS;
    }
    return (mantissa & ~((uint64_t)1 << MANTISSA_BITS)) | (uint64_t)biased << MANTISSA_BITS;
}

/* A natural number of up to 5,120 bits: enough for 801 digits against any midpoint of doubles. */
enum { LARGE_LIMBS = 160, LARGE_DIGITS_MAX = 800 };
struct large {
    uint32_t limbs[LARGE_LIMBS];
    int count;
};

static void large_multiply_add(struct large *number, uint32_t factor, uint32_t addend)
{
    uint64_t carry = addend;
    for (int i = 0; i < number->count; i++) {
        carry += (uint64_t)number->limbs[i] * factor;
        number->limbs[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry != 0 && number->count < LARGE_LIMBS) {
        number->limbs[number->count++] = (uint32_t)carry;
    }
}

static void large_multiply_power(struct large *number, uint32_t base, int64_t exponent)
{
    for (; exponent > 0; exponent--) {
        large_multiply_add(number, base, 0);
    }
}

static void large_shift_left(struct large *number, int bits)
{
    for (; bits >= 31; bits -= 31) {
        large_multiply_add(number, (uint32_t)1 << 31, 0);
    }
    large_multiply_add(number, (uint32_t)1 << bits, 0);
}

static int large_compare(const struct large *left, const struct large *right)
{
    if (left->count != right->count) {
        return left->count < right->count ? -1 : 1;
    }
    for (int i = left->count - 1; i >= 0; i--) {
        if (left->limbs[i] != right->limbs[i]) {
            return left->limbs[i] < right->limbs[i] ? -1 : 1;
        }
    }
    return 0;
}

/* All digits of the text into `large`; returns the exponent of ten that they are to be taken
 * with. */
static int64_t large_from_text(const struct number_text *number, struct large *large)
{
    int64_t exponent = number->written_exponent;
    int significant = 0;
    int after_point = 0;
    int cut = 0;
    for (const char *position = number->digits; position < number->digits_end; position++) {
        if (*position == '.') {
            after_point = 1;
        } else if (significant < LARGE_DIGITS_MAX) {
            large_multiply_add(large, 10, (uint32_t)(*position - '0'));
            significant += large->count > 0;
            exponent -= after_point;
        } else {
            cut |= *position != '0';
            exponent += !after_point;
        }
    }
    if (cut) { /* one more digit stands for all that follow */
        large_multiply_add(large, 10, 1);
        exponent--;
    }
    return exponent;
}

/* Decides between the double with `bits` and the next one, where the text lies between them. */
static uint64_t decide_exactly(const struct number_text *number, uint64_t bits)
{
    struct large text = {.count = 0};
    struct large middle = {.count = 0};
    int64_t ten = large_from_text(number, &text);
    uint64_t fraction = bits & (((uint64_t)1 << MANTISSA_BITS) - 1);
    int biased = (int)(bits >> MANTISSA_BITS);
    uint64_t c = biased == 0 ? fraction : fraction | (uint64_t)1 << MANTISSA_BITS;
    int two = (biased == 0 ? 1 : biased) - EXPONENT_BIAS - 1;
    uint64_t half = 2 * c + 1;
    large_multiply_add(&middle, 1, (uint32_t)(half >> 32));
    large_shift_left(&middle, 31);
    large_multiply_add(&middle, 2, (uint32_t)half);
    large_multiply_power(ten < 0 ? &middle : &text, 5, ten < 0 ? -ten : ten);
    two -= (int)ten;
    large_shift_left(two < 0 ? &text : &middle, two < 0 ? -two : two);
    int order = large_compare(&text, &middle);
    return bits + (order > 0 || (order == 0 && (c & 1) != 0));
}

static int read_special(const char *text, size_t length, int negative, double *value)
{
    if ((length == 3 && strncasecmp(text, "inf", 3) == 0) ||
        (length == 8 && strncasecmp(text, "infinity", 8) == 0)) {
        *value = negative ? -INFINITY : INFINITY;
        return 1;
    }
    if (length == 3 && strncasecmp(text, "nan", 3) == 0) {
        *value = NAN;
        return 1;
    }
    return 0;
}

enum status number_to_double(const char *text, size_t length, double *value)
{
    const char *position = text;
    const char *end = text + length;
    int negative = 0;
    if (position < end && (*position == '-' || *position == '+')) {
        negative = *position == '-';
        position++;
    }
    struct number_text number;
    if (!read_number(position, end, &number)) {
        return read_special(position, (size_t)(end - position), negative, value) ? STATUS_OK
                                                                                 : STATUS_FAILED;
    }
    double magnitude;
    if (number.first < (uint64_t)1 << 53 && !number.cut && number.exponent >= -POWER_EXACT_MAX &&
        number.exponent <= POWER_EXACT_MAX) {
        magnitude = (double)number.first;
        magnitude = number.exponent < 0 ? magnitude / exact_powers[-number.exponent]
                                        : magnitude * exact_powers[number.exponent];
    } else {
        uint64_t bits = nearest_bits(number.first, number.exponent);
        if (number.cut && bits != nearest_bits(number.first + 1, number.exponent)) {
            bits = decide_exactly(&number, bits);
        }
        magnitude = double_of_bits(bits);
    }
    *value = negative ? -magnitude : magnitude;
    return STATUS_OK;
}
