/*
 * Values of binary COPY (all numbers big-endian, as src/backend/utils/adt's *send functions write
 * them) as cells.
 *
 *   numeric     int16 digits, weight, sign (0, 4000 -, C000 NaN, D000 inf, F000 -inf), scale; then
 *               digits of base 10000, the first one worth 10000^weight
 *   date        int32 days since 2000-01-01        timestamp  int64 µs since then
 *   time        int64 µs                           timetz     the same, int32 seconds west of UTC
 *   interval    int64 µs, int32 days, int32 months
 *   jsonb       a byte 1, then the text
 */
#include "base/text.h"
#include "connectors/postgres/source.h"
#include "model/decimal.h"
#include <string.h>

#define EPOCH_DAYS 10957
#define DAY_US INT64_C(86400000000)
#define EPOCH_US (EPOCH_DAYS * DAY_US)

/* The bounds that the server keeps to (src/include/datatype/timestamp.h), since 2000-01-01; a day's
 * last second may be 24:00:00. */
#define DAYS_MIN (-2451545)
#define DAYS_END 2145031949
#define TIMESTAMP_US_MIN INT64_C(-211813488000000000)
#define TIMESTAMP_US_END INT64_C(9223371331200000000)
enum { ZONE_SECONDS_END = 16 * 3600 };

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap32(value);
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap64(value);
}

static struct cell special(enum value_kind kind, int64_t which, bool zoned)
{
    return (struct cell){.kind = (uint8_t)kind,
                         .flags = (uint8_t)(CELL_SPECIAL | (zoned ? CELL_ZONED : 0)),
                         .i64 = which};
}

static bool decode_timestamp(const uint8_t *bytes, bool zoned, struct cell *cell)
{
    int64_t value = (int64_t)get64(bytes);
    if (value == INT64_MAX || value == INT64_MIN) {
        *cell = special(VALUE_TIMESTAMP, value > 0 ? CELL_INFINITY : CELL_MINUS_INFINITY, zoned);
        return true;
    }
    *cell = (struct cell){.kind = VALUE_TIMESTAMP, .flags = zoned ? CELL_ZONED : 0};
    return value >= TIMESTAMP_US_MIN && value < TIMESTAMP_US_END &&
           !__builtin_add_overflow(value, EPOCH_US, &cell->i64);
}

static bool decode_date(const uint8_t *bytes, struct cell *cell)
{
    int32_t value = (int32_t)get32(bytes);
    if (value == INT32_MAX || value == INT32_MIN) {
        *cell = special(VALUE_DATE, value > 0 ? CELL_INFINITY : CELL_MINUS_INFINITY, false);
        return true;
    }
    *cell = (struct cell){.kind = VALUE_DATE, .i64 = (int64_t)value + EPOCH_DAYS};
    return value >= DAYS_MIN && value < DAYS_END;
}

static bool decode_interval(const uint8_t *bytes, struct arena *arena, struct cell *cell)
{
    struct value_interval *interval = arena_allocate(arena, sizeof *interval);
    interval->days = (int32_t)get32(bytes + 8);
    interval->months = (int32_t)get32(bytes + 12);
    *cell = (struct cell){.kind = VALUE_INTERVAL, .interval = interval};
    return !__builtin_mul_overflow((int64_t)get64(bytes), 1000, &interval->nanoseconds);
}

/* ---------------------------------------------------------------- numeric */

enum { NUMERIC_HEADER = 8, SMALL_SCALE_MAX = 18, NUMERIC_SCALE_MAX = 16383, GROUP_MAX = 9999 };

struct numeric {
    uint16_t digits;
    int16_t weight;
    uint16_t sign;
    uint16_t scale;
    const uint8_t *groups;
};

/* As a whole number times 10^-scale, if it has at most 18 digits. */
static bool is_small(const struct numeric *number, struct cell *cell)
{
    static const int64_t limit = INT64_C(1000000000000000000);
    __int128 value = 0;

    if (number->digits > 6 || number->scale > SMALL_SCALE_MAX) {
        return false;
    }
    for (uint16_t i = 0; i < number->digits; i++) {
        value = value * 10000 + get16(number->groups + 2 * i);
    }
    int shift = 4 * (number->weight - number->digits + 1) + number->scale;
    shift = number->digits > 0 ? shift : 0;
    if (shift > 24 || shift < -24) {
        return false;
    }
    for (; shift > 0 && value < limit; shift--) {
        value *= 10;
    }
    for (; shift < 0; shift++) {
        value /= 10; /* zeros: a group ends beyond the scale */
    }
    if (shift != 0 || value >= limit) {
        return false;
    }
    *cell = (struct cell){.kind = VALUE_DECIMAL,
                          .flags = CELL_SMALL,
                          .aux = number->scale,
                          .i64 = number->sign != 0 ? -(int64_t)value : (int64_t)value};
    return true;
}

static uint16_t group_at(const struct numeric *number, int place)
{
    return place >= 0 && place < number->digits ? get16(number->groups + 2 * (size_t)place) : 0;
}

/* Plain digits, written from the front; leading zeros of the first group are left out. */
static void make_text(const struct numeric *number, struct arena *arena, struct cell *cell)
{
    size_t whole_groups = number->weight >= 0 ? (size_t)number->weight + 1 : 0;
    char *text = arena_allocate(arena, 4 * whole_groups + number->scale + 8);
    size_t length = 0;
    if (number->sign != 0) {
        text[length++] = '-';
    }
    size_t begin = length;
    for (size_t i = 0; i < whole_groups; i++) {
        uint16_t group = group_at(number, (int)i);
        for (int divisor = 1000; divisor > 0; divisor /= 10) {
            char digit = (char)('0' + group / divisor % 10);
            if (length > begin || digit != '0') {
                text[length++] = digit;
            }
        }
    }
    if (length == begin) {
        text[length++] = '0';
    }
    if (number->scale > 0) {
        text[length++] = '.';
    }
    static const int divisors[] = {1000, 100, 10, 1};
    for (uint16_t i = 0; i < number->scale; i++) {
        uint16_t group = group_at(number, number->weight + 1 + i / 4);
        text[length++] = (char)('0' + group / divisors[i % 4] % 10);
    }
    *cell = (struct cell){.kind = VALUE_DECIMAL, .length = (uint32_t)length, .text = text};
}

static bool are_groups(const struct numeric *number)
{
    for (uint16_t i = 0; i < number->digits; i++) {
        if (get16(number->groups + 2 * (size_t)i) > GROUP_MAX) {
            return false;
        }
    }
    return true;
}

static bool decode_numeric(const uint8_t *bytes, uint32_t length, struct arena *arena,
                           struct cell *cell)
{
    struct numeric number;
    if (length < NUMERIC_HEADER) {
        return false;
    }
    number = (struct numeric){get16(bytes), (int16_t)get16(bytes + 2), get16(bytes + 4),
                              get16(bytes + 6), bytes + NUMERIC_HEADER};
    const char *word = number.sign == 0xc000   ? "NaN"
                       : number.sign == 0xd000 ? "Infinity"
                       : number.sign == 0xf000 ? "-Infinity"
                                               : NULL;
    if (word != NULL) {
        *cell =
            (struct cell){.kind = VALUE_DECIMAL, .length = (uint32_t)strlen(word), .text = word};
        return true;
    }
    bool fits = length == NUMERIC_HEADER + 2u * number.digits &&
                (number.sign == 0 || number.sign == 0x4000) && number.scale <= NUMERIC_SCALE_MAX &&
                are_groups(&number);
    if (fits && !is_small(&number, cell)) {
        make_text(&number, arena, cell);
    }
    return fits;
}

/* ---------------------------------------------------------------- all of them */

static const uint8_t lengths[] = {
    [POSTGRES_AS_BOOL] = 1,      [POSTGRES_AS_INT2] = 2,      [POSTGRES_AS_INT4] = 4,
    [POSTGRES_AS_INT8] = 8,      [POSTGRES_AS_OID] = 4,       [POSTGRES_AS_FLOAT4] = 4,
    [POSTGRES_AS_FLOAT8] = 8,    [POSTGRES_AS_DATE] = 4,      [POSTGRES_AS_TIME] = 8,
    [POSTGRES_AS_TIMETZ] = 12,   [POSTGRES_AS_TIMESTAMP] = 8, [POSTGRES_AS_TIMESTAMPTZ] = 8,
    [POSTGRES_AS_INTERVAL] = 16, [POSTGRES_AS_UUID] = 16,     [POSTGRES_AS_CAST] = 0,
};

/* A text that is not UTF-8; another encoding's bytes, as they are. */
static struct cell escaped_text(const uint8_t *bytes, uint32_t length)
{
    return (struct cell){.kind = VALUE_ESCAPE,
                         .flags = CELL_ESCAPED_TEXT,
                         .aux = ESCAPE_POSTGRES,
                         .length = length,
                         .bytes = bytes};
}

/* The format, then the value as it came: only a column of the same format can hold it. */
static enum status escape(enum postgres_format format, const uint8_t *bytes, uint32_t length,
                          struct arena *arena, struct cell *cell)
{
    uint8_t *copy = arena_try_allocate(arena, (size_t)length + 1);
    if (copy == NULL) {
        return STATUS_FAILED;
    }
    copy[0] = (uint8_t)format;
    memcpy(copy + 1, bytes, length);
    *cell = (struct cell){
        .kind = VALUE_ESCAPE, .aux = ESCAPE_POSTGRES, .length = length + 1, .bytes = copy};
    return STATUS_OK;
}

static struct cell text_of(enum value_kind kind, bool utf8, const uint8_t *bytes, uint32_t length)
{
    if (!utf8 && !text_is_utf8(bytes, length)) {
        return escaped_text(bytes, length);
    }
    return (struct cell){.kind = (uint8_t)kind, .length = length, .text = (const char *)bytes};
}

static struct cell decode_float(const uint8_t *bytes, bool narrow)
{
    struct cell cell = {.kind = narrow ? VALUE_FLOAT32 : VALUE_FLOAT64};
    if (narrow) {
        float value;
        uint32_t bits = get32(bytes);
        memcpy(&value, &bits, sizeof value);
        cell.f64 = (double)value;
    } else {
        uint64_t bits = get64(bytes);
        memcpy(&cell.f64, &bits, sizeof cell.f64);
    }
    return cell;
}

static bool decode_time(const uint8_t *bytes, bool zoned, struct cell *cell)
{
    int64_t microseconds = (int64_t)get64(bytes);
    if (microseconds < 0 || microseconds > DAY_US) {
        return false;
    }
    *cell = (struct cell){.kind = VALUE_TIME, .i64 = microseconds * 1000};
    if (zoned) {
        int32_t west = (int32_t)get32(bytes + 8);
        cell->flags = CELL_ZONED;
        cell->length = 0 - (uint32_t)west; /* east of UTC */
        return west > -ZONE_SECONDS_END && west < ZONE_SECONDS_END;
    }
    return true;
}

enum status postgres_decode(const struct postgres_type *type, bool utf8, const uint8_t *bytes,
                            uint32_t length, struct arena *arena, struct cell *cell)
{
    bool fits = true;
    enum postgres_format format = type->format;

    if (lengths[format] != 0 && length != lengths[format]) {
        return escape(format, bytes, length, arena, cell);
    }
    switch (format) {
    case POSTGRES_AS_INT8:
        *cell = cell_int64((int64_t)get64(bytes));
        break;
    case POSTGRES_AS_INT4:
        *cell = cell_int64((int32_t)get32(bytes));
        break;
    case POSTGRES_AS_INT2:
        *cell = cell_int64((int16_t)get16(bytes));
        break;
    case POSTGRES_AS_OID:
        *cell = cell_int64((int64_t)get32(bytes));
        break;
    case POSTGRES_AS_BOOL:
        *cell = cell_bool(bytes[0]);
        break;
    case POSTGRES_AS_FLOAT4:
    case POSTGRES_AS_FLOAT8:
        *cell = decode_float(bytes, format == POSTGRES_AS_FLOAT4);
        break;
    case POSTGRES_AS_NUMERIC:
        fits = decode_numeric(bytes, length, arena, cell);
        break;
    case POSTGRES_AS_BYTEA:
        *cell = cell_bytes(bytes, length);
        break;
    case POSTGRES_AS_DATE:
        fits = decode_date(bytes, cell);
        break;
    case POSTGRES_AS_TIME:
    case POSTGRES_AS_TIMETZ:
        fits = decode_time(bytes, format == POSTGRES_AS_TIMETZ, cell);
        break;
    case POSTGRES_AS_TIMESTAMP:
    case POSTGRES_AS_TIMESTAMPTZ:
        fits = decode_timestamp(bytes, format == POSTGRES_AS_TIMESTAMPTZ, cell);
        break;
    case POSTGRES_AS_INTERVAL:
        fits = decode_interval(bytes, arena, cell);
        break;
    case POSTGRES_AS_UUID:
        *cell = (struct cell){.kind = VALUE_UUID, .bytes = bytes};
        break;
    case POSTGRES_AS_JSONB:
        fits = length > 0 && bytes[0] == 1;
        if (fits) {
            *cell = text_of(VALUE_JSON, utf8, bytes + 1, length - 1);
        }
        break;
    case POSTGRES_AS_JSON:
        *cell = text_of(VALUE_JSON, utf8, bytes, length);
        break;
    default:
        *cell = text_of(VALUE_TEXT, utf8, bytes, length);
    }
    return fits ? STATUS_OK : escape(format, bytes, length, arena, cell);
}
