#include "connectors/columnar/fitting.h"

#include "base/text.h"
#include "model/convert.h"
#include "model/decimal.h"
#include <inttypes.h>

static const int64_t day_ns = INT64_C(86400000000000);
enum { MICROSECOND_NS = 1000, MILLISECOND_NS = 1000000 };

/* ---------------------------------------------------------------- kinds */

static bool is_nested(const struct cell *cell)
{
    return cell->kind == VALUE_LIST || cell->kind == VALUE_SET || cell->kind == VALUE_MAP;
}

static bool is_same(const struct value_type *type, bool as_json, const struct cell *cell)
{
    bool same = cell->kind == (uint8_t)type->kind;
    if (same && cell->kind == VALUE_TIMESTAMP && (cell->flags & CELL_SPECIAL) == 0) {
        return ((cell->flags & CELL_ZONED) != 0) == type->zoned;
    }
    return same || (as_json && (is_nested(cell) || cell->kind == VALUE_JSON));
}

enum status columnar_refuse_kind(const struct value_type *type, const struct cell *cell,
                                 struct error *error)
{
    return error_set(error, ERROR_REJECT_TYPE, NULL, "it is %s, and the column holds %s",
                     value_kind_name((enum value_kind)cell->kind), value_kind_name(type->kind));
}

/* A number of another kind is one all the same; anything else would come back as what it was not.
 */
static enum status convert(const struct value_type *type, const struct cell *cell,
                           struct arena *arena, struct cell *converted, struct error *error)
{
    bool both =
        value_kind_is_number((enum value_kind)cell->kind) && value_kind_is_number(type->kind);
    bool zone = cell->kind == VALUE_TIMESTAMP && type->kind == VALUE_TIMESTAMP;
    bool text = type->kind == VALUE_TEXT && type->untyped && cell->kind != VALUE_BYTES;
    struct value_type wanted = *type;
    wanted.dynamic = wanted.dynamic || wanted.kind == VALUE_DECIMAL; /* its limits come later */
    return both || zone || text ? convert_value(cell, &wanted, false, arena, converted, error)
                                : columnar_refuse_kind(type, cell, error);
}

enum status columnar_fit_kind(const struct value_type *type, bool as_json, const struct cell *cell,
                              struct arena *arena, struct cell *fitted, struct error *error)
{
    struct cell whole = *cell;
    if (cell->kind == VALUE_LARGE &&
        convert_read_large(cell, CONVERT_LARGE_BYTES_MAX, arena, &whole, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *fitted = whole;
    return is_same(type, as_json, &whole) ? STATUS_OK : convert(type, &whole, arena, fitted, error);
}

/* ---------------------------------------------------------------- numbers */

enum status columnar_fit_integer(int bits, const struct cell *cell, struct error *error)
{
    int64_t most = INT64_MAX >> (64 - bits);
    return cell->i64 <= most && cell->i64 >= -most - 1
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_NUMBER, NULL,
                           "%" PRId64 " is beyond the %d bits of the column", cell->i64, bits);
}

enum status columnar_fit_decimal(const char *format, int32_t precision, int32_t scale,
                                 const struct cell *cell, struct arena *arena, struct cell *fitted,
                                 struct error *error)
{
    struct cell fitting;
    const struct value_type type = {.kind = VALUE_DECIMAL, .precision = precision, .scale = scale};
    if (convert_value(cell, &type, false, arena, &fitting, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *fitted = fitting;
    return decimal_special(fitted) == 0
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_NUMBER, NULL,
                           "NaN and infinity are no decimals of %s", format);
}

/* ---------------------------------------------------------------- days and times */

static enum status refuse_special(const char *format, const struct cell *cell, struct error *error)
{
    return error_set(error, ERROR_REJECT_TYPE, NULL, "%s has no %s", format,
                     cell->i64 == CELL_ZERO_DATE ? "day 0000-00-00" : "infinite day");
}

static enum status refuse_fraction(int64_t unit_ns, struct error *error)
{
    return error_set(error, ERROR_REJECT_TYPE, NULL,
                     "it has more digits of a second than the column, which counts %s",
                     unit_ns == MILLISECOND_NS ? "milliseconds" : "microseconds");
}

enum status columnar_fit_date(const char *format, const struct cell *cell, struct error *error)
{
    if ((cell->flags & CELL_SPECIAL) != 0) {
        return refuse_special(format, cell, error);
    }
    return cell->i64 <= INT32_MAX && cell->i64 >= INT32_MIN
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_TYPE, NULL, "the day is beyond those of %s", format);
}

enum status columnar_fit_time(const char *format, int64_t unit_ns, const struct cell *cell,
                              int64_t *number, struct error *error)
{
    if (cell->i64 < 0 || cell->i64 >= day_ns || (cell->flags & CELL_ZONED) != 0) {
        return error_set(error, ERROR_REJECT_TYPE, NULL,
                         "%s has no such time of day: before 24:00, without an offset", format);
    }
    *number = cell->i64 / unit_ns;
    return cell->i64 % unit_ns == 0 ? STATUS_OK : refuse_fraction(unit_ns, error);
}

enum status columnar_fit_timestamp(const char *format, int64_t unit_ns, const struct cell *cell,
                                   int64_t *number, struct error *error)
{
    int64_t value = cell->i64;
    if ((cell->flags & CELL_SPECIAL) != 0) {
        return refuse_special(format, cell, error);
    }
    if ((unit_ns != 1 && cell->aux != 0) || (unit_ns == MILLISECOND_NS && value % 1000 != 0)) {
        return refuse_fraction(unit_ns, error);
    }
    if (unit_ns == MILLISECOND_NS) {
        value /= 1000;
    } else if (unit_ns == 1 && (__builtin_mul_overflow(value, 1000, &value) ||
                                __builtin_add_overflow(value, (int64_t)cell->aux, &value))) {
        return error_set(error, ERROR_REJECT_TYPE, NULL,
                         "it is beyond the years 1677 to 2262, which nanoseconds count");
    }
    *number = value;
    return STATUS_OK;
}

enum status columnar_read_time(int64_t number, int64_t unit_ns, struct cell *cell,
                               struct error *error)
{
    if (number < 0 || number > day_ns / unit_ns) {
        return error_set(error, ERROR_REJECT_TYPE, NULL, "it is no time of a day");
    }
    *cell = (struct cell){.kind = VALUE_TIME, .i64 = number * unit_ns};
    return STATUS_OK;
}

enum status columnar_read_timestamp(int64_t number, int64_t unit_ns, bool zoned, struct cell *cell,
                                    struct error *error)
{
    int64_t ns = 0;
    if (unit_ns == 1) {
        ns = number % 1000;
        number /= 1000;
        if (ns < 0) {
            ns += 1000;
            number--;
        }
    } else if (__builtin_mul_overflow(number, unit_ns / MICROSECOND_NS, &number)) {
        return error_set(error, ERROR_REJECT_TYPE, NULL, "the timestamp is beyond all years");
    }
    *cell = (struct cell){.kind = VALUE_TIMESTAMP,
                          .flags = zoned ? CELL_ZONED : 0,
                          .aux = (uint16_t)ns,
                          .i64 = number};
    return STATUS_OK;
}

/* ---------------------------------------------------------------- bytes */

enum status columnar_read_bytes(enum value_kind kind, const void *bytes, size_t length,
                                struct arena *arena, struct cell *cell, struct error *error)
{
    bool text = kind != VALUE_BYTES && kind != VALUE_UUID;
    if (length > UINT32_MAX) {
        return error_set(error, ERROR_REJECT_TOO_LARGE, NULL, "it has %zu bytes", length);
    }
    if (text && !text_is_utf8(bytes, length)) {
        return error_set(error, ERROR_REJECT_TEXT, NULL, "the text is not UTF-8");
    }
    const char *copy = arena_try_copy(arena, bytes != NULL ? bytes : "", length);
    if (copy == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a value of %zu bytes", length);
    }
    *cell = (struct cell){.kind = (uint8_t)kind, .length = (uint32_t)length, .text = copy};
    return STATUS_OK;
}
