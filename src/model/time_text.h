/* Dates, times, timestamps and intervals to ISO 8601 text and back. Never the process's zone. */
#ifndef TRANSHUME_MODEL_TIME_TEXT_H
#define TRANSHUME_MODEL_TIME_TEXT_H

#include "base/buffer.h"
#include "base/clock.h"
#include "model/value.h"

/* Days since 1970-01-01 of a proleptic Gregorian date (year 0 = 1 BC), and back. */
static inline int64_t time_days_from_civil(int64_t year, int month, int day)
{
    return clock_days_from_civil(year, month, day);
}
static inline void time_civil_from_days(int64_t days, int64_t *year, int *month, int *day)
{
    clock_civil_from_days(days, year, month, day);
}

/*
 * "2024-02-29", "23:59:59.5", "23:59:59+02:00", "2024-02-29T12:00:00.000001Z" (zoned: Z), fraction
 * without trailing zeros; years beyond 9999 as "+10000-…", before 1 as "-0001-…" (year 0 is 1 BC);
 * specials "infinity", "-infinity", "0000-00-00"; intervals as ISO durations "P1Y2M3DT4H5M6.5S".
 */
void time_append(const struct cell *cell, struct buffer *out);

/*
 * Whole-text parsers of what time_append writes, and of a little more: years of four digits or
 * more, signed or followed by " BC"; HH:MM without seconds; fractions after '.' or ',' (beyond ns
 * only zeros); offsets Z, ±HH, ±HHMM, ±HH:MM, ±HH:MM:SS; date and time joined by 'T' or a space,
 * and a timestamp without time is midnight; an offset makes a timestamp zoned and UTC. 24:00:00 is
 * a time, not part of a timestamp. "0000-00-00" with or without a time of zeros is the zero date.
 * STATUS_END: not of that form, not a real date, or out of range.
 */
enum status time_parse_date(const char *text, size_t length, struct cell *cell) MUST_USE;
enum status time_parse_time(const char *text, size_t length, struct cell *cell) MUST_USE;
enum status time_parse_timestamp(const char *text, size_t length, struct cell *cell) MUST_USE;
struct arena;
enum status time_parse_interval(const char *text, size_t length, struct arena *arena,
                                struct cell *cell) MUST_USE;
/* A length of time as clocks show it: -26:30, 838:59:59.5. */
enum status time_parse_length(const char *text, size_t length, struct arena *arena,
                              struct cell *cell) MUST_USE;

#endif
