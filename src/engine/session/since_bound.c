/* Moving a value back by an overlap. */
#include "engine/session/since_bound.h"

#include "model/time_text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    SECONDS_DAY = 86400,
    MILLISECONDS_SECOND = 1000,
    MICROSECONDS_MILLISECOND = 1000,
    DAY_LENGTH = 10,    /* 2024-02-29 */
    MOMENT_LENGTH = 19, /* 2024-02-29T12:34:56 */
    YEAR_MAX = 9999
};

/* Rounded up. */
static int64_t in_units_of(int64_t milliseconds, int64_t unit)
{
    return milliseconds / unit + (milliseconds % unit != 0);
}

static enum status since_bound_refuse(const struct plan_since *since, const char *what,
                                      struct error *error)
{
    error_set(error, ERROR_PLAN_INVALID, since->table,
              "the overlap does not fit %s: its values are %s", since->column, what);
    return error_hint(error, "say a whole number for numbers, a length like 5m for times, or leave "
                             "`overlap` out");
}

static int64_t less(int64_t value, int64_t by)
{
    int64_t result;
    return __builtin_sub_overflow(value, by, &result) ? INT64_MIN : result;
}

static bool is_digits(const char *text, const char *form, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool good = form[i] == '0'   ? text[i] >= '0' && text[i] <= '9'
                    : form[i] == 'T' ? text[i] == 'T' || text[i] == 't' || text[i] == ' '
                                     : text[i] == form[i];
        if (!good) {
            return false;
        }
    }
    return true;
}

static int number_at(const char *text, int at, int digits)
{
    int value = 0;
    for (int i = 0; i < digits; i++) {
        value = value * 10 + (text[at + i] - '0');
    }
    return value;
}

static bool move_text(const struct cell *value, int64_t overlap, struct arena *arena,
                      struct cell *bound)
{
    char moved[64];
    const char *text = value->text;
    bool moment =
        value->length >= MOMENT_LENGTH && is_digits(text, "0000-00-00T00:00:00", MOMENT_LENGTH);
    if (!moment && (value->length != DAY_LENGTH || !is_digits(text, "0000-00-00", DAY_LENGTH))) {
        return false;
    }
    int64_t days =
        time_days_from_civil(number_at(text, 0, 4), number_at(text, 5, 2), number_at(text, 8, 2));
    int64_t second = moment ? number_at(text, 11, 2) * 3600 + number_at(text, 14, 2) * 60 +
                                  number_at(text, 17, 2)
                            : 0;
    int64_t by =
        moment ? in_units_of(overlap, MILLISECONDS_SECOND)
               : in_units_of(overlap, (int64_t)SECONDS_DAY * MILLISECONDS_SECOND) * SECONDS_DAY;
    int64_t at = less(days * SECONDS_DAY + second, by);
    int64_t day = at >= 0 ? at / SECONDS_DAY : -((SECONDS_DAY - 1 - at) / SECONDS_DAY);
    int64_t year;
    int month;
    int month_day;
    time_civil_from_days(day, &year, &month, &month_day);
    if (year < 0 || year > YEAR_MAX) {
        *bound = *value;
        return true;
    }
    int64_t rest = at - day * SECONDS_DAY;
    snprintf(moved, sizeof moved, "%04" PRId64 "-%02d-%02d%c%02d:%02d:%02d", year, month, month_day,
             moment ? text[DAY_LENGTH] : ' ', (int)(rest / 3600), (int)(rest / 60 % 60),
             (int)(rest % 60));
    size_t length = moment ? MOMENT_LENGTH : DAY_LENGTH;
    char *copy = arena_copy(arena, text, value->length);
    memcpy(copy, moved, length);
    *bound = cell_text(copy, value->length);
    return true;
}

enum status since_bound_of(const struct plan_since *since, const struct cell *value,
                           struct arena *arena, struct cell *bound, struct error *error)
{
    bool time = since->overlap_is_time;
    int64_t overlap = since->overlap;
    *bound = *value;
    if (overlap == 0 || (value->flags & CELL_SPECIAL) != 0) {
        return STATUS_OK;
    }
    switch (value->kind) {
    case VALUE_INT64:
        bound->i64 = less(value->i64, overlap);
        return time ? since_bound_refuse(since, "whole numbers", error) : STATUS_OK;
    case VALUE_UINT64:
        bound->u64 = value->u64 < (uint64_t)overlap ? 0 : value->u64 - (uint64_t)overlap;
        return time ? since_bound_refuse(since, "whole numbers", error) : STATUS_OK;
    case VALUE_DATE:
        bound->i64 =
            less(value->i64, in_units_of(overlap, (int64_t)SECONDS_DAY * MILLISECONDS_SECOND));
        return time ? STATUS_OK : since_bound_refuse(since, "dates", error);
    case VALUE_TIMESTAMP:
        bound->i64 = less(value->i64, overlap * MICROSECONDS_MILLISECOND);
        return time ? STATUS_OK : since_bound_refuse(since, "timestamps", error);
    case VALUE_TEXT:
        return time && move_text(value, overlap, arena, bound)
                   ? STATUS_OK
                   : since_bound_refuse(since, "texts that are no dates", error);
    default:
        return since_bound_refuse(since, value_kind_name(value->kind), error);
    }
}
