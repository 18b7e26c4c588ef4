/* Dates, times, timestamps and intervals to ISO 8601 text and back. Never the process's time zone. */
#ifndef TRANSHUME_MODEL_TIME_TEXT_H
#define TRANSHUME_MODEL_TIME_TEXT_H

#include "base/buffer.h"
#include "model/value.h"

/* Days since 1970-01-01 of a proleptic Gregorian date (year 0 = 1 BC), and back. */
int64_t time_days_from_civil(int64_t year, int month, int day);
void time_civil_from_days(int64_t days, int64_t *year, int *month, int *day);

/*
 * "2024-02-29", "23:59:59.5", "23:59:59+02:00", "2024-02-29T12:00:00.000001Z" (zoned: Z), fraction
 * without trailing zeros; years beyond 9999 as "+10000-…", before 1 as "-0001-…" (year 0 is 1 BC);
 * specials "infinity", "-infinity", "0000-00-00"; intervals as ISO durations "P1Y2M3DT4H5M6.5S".
 */
void time_append(const struct cell *cell, struct buffer *out);

/* Whole-text parsers; date and time may be joined by 'T' or a space; an offset makes a timestamp
 * zoned and UTC. STATUS_FAILED: not of that form or not a real date. */
enum status time_parse_date(const char *text, size_t length, struct cell *cell) MUST_USE;
enum status time_parse_time(const char *text, size_t length, struct cell *cell) MUST_USE;
enum status time_parse_timestamp(const char *text, size_t length, struct cell *cell) MUST_USE;
struct arena;
enum status time_parse_interval(const char *text, size_t length, struct arena *arena,
                                struct cell *cell) MUST_USE;

#endif
