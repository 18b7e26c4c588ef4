/* TZ strings of POSIX, with the hours from -167 to 167 that RFC 8536 adds. */
#include "model/time_zone_rule.h"

#include "base/clock.h"

enum { SECONDS_PER_HOUR = 3600, HOURS_MAX = 167, OFFSET_HOURS_MAX = 24, NAME_BYTES_MIN = 3 };
#define SECONDS_PER_DAY INT64_C(86400)

/* The rest of the text. */
struct reading {
    const char *at;
    const char *end;
};

static bool read_byte(struct reading *reading, char byte)
{
    bool is = reading->at < reading->end && *reading->at == byte;
    reading->at += is;
    return is;
}

static bool read_number(struct reading *reading, int least, int most, int *number)
{
    const char *start = reading->at;
    int found = 0;
    while (reading->at < reading->end && *reading->at >= '0' && *reading->at <= '9' &&
           reading->at - start < 3) {
        found = found * 10 + (*reading->at++ - '0');
    }
    *number = found;
    return reading->at > start && found >= least && found <= most;
}

/* "CET", "<+0330>" */
static bool read_name(struct reading *reading)
{
    bool quoted = read_byte(reading, '<');
    const char *start = reading->at;
    while (reading->at < reading->end) {
        char byte = *reading->at;
        char letter = (char)(byte | 0x20);
        bool is_letter = letter >= 'a' && letter <= 'z';
        bool is_other = (byte >= '0' && byte <= '9') || byte == '+' || byte == '-';
        if (!is_letter && !(quoted && is_other)) {
            break;
        }
        reading->at++;
    }
    return reading->at - start >= NAME_BYTES_MIN && (!quoted || read_byte(reading, '>'));
}

/* "2", "-1:30", "+3:00:00" */
static bool read_time(struct reading *reading, int hours_max, int64_t *seconds)
{
    bool negative = read_byte(reading, '-');
    int hours;
    int minutes = 0;
    int rest = 0;
    if (!negative) {
        (void)read_byte(reading, '+');
    }
    if (!read_number(reading, 0, hours_max, &hours) ||
        (read_byte(reading, ':') &&
         (!read_number(reading, 0, 59, &minutes) ||
          (read_byte(reading, ':') && !read_number(reading, 0, 59, &rest))))) {
        return false;
    }
    *seconds = (int64_t)hours * SECONDS_PER_HOUR + minutes * 60 + rest;
    *seconds = negative ? -*seconds : *seconds;
    return true;
}

/* Written as what is to be added to get UTC; kept as seconds east. */
static bool read_offset(struct reading *reading, int32_t *offset)
{
    int64_t seconds;
    bool done = read_time(reading, OFFSET_HOURS_MAX, &seconds);
    *offset = done ? (int32_t)-seconds : 0;
    return done;
}

static bool read_day(struct reading *reading, struct time_zone_day *day)
{
    bool done;
    *day = (struct time_zone_day){.form = '0', .seconds = 2 * SECONDS_PER_HOUR};
    if (read_byte(reading, 'M')) {
        day->form = 'M';
        done = read_number(reading, 1, 12, &day->month) && read_byte(reading, '.') &&
               read_number(reading, 1, 5, &day->week) && read_byte(reading, '.') &&
               read_number(reading, 0, 6, &day->day);
    } else if (read_byte(reading, 'J')) {
        day->form = 'J';
        done = read_number(reading, 1, 365, &day->day);
    } else {
        done = read_number(reading, 0, 365, &day->day);
    }
    return done && (!read_byte(reading, '/') || read_time(reading, HOURS_MAX, &day->seconds));
}

bool time_zone_rule_read(const char *text, size_t length, struct time_zone_rule *rule)
{
    struct reading reading = {text, text + length};
    *rule = (struct time_zone_rule){0};
    if (!read_name(&reading) || !read_offset(&reading, &rule->standard)) {
        return false;
    }
    if (reading.at == reading.end) {
        return true;
    }
    rule->changes = true;
    rule->summer = rule->standard + SECONDS_PER_HOUR;
    if (!read_name(&reading)) {
        return false;
    }
    if (reading.at < reading.end && *reading.at != ',' && !read_offset(&reading, &rule->summer)) {
        return false;
    }
    return read_byte(&reading, ',') && read_day(&reading, &rule->starts) &&
           read_byte(&reading, ',') && read_day(&reading, &rule->ends) && reading.at == reading.end;
}

/* The day that it falls on, since 1970. */
static int64_t day_of_year(const struct time_zone_day *day, int64_t year)
{
    enum { FEBRUARY_28 = 59, THURSDAY = 4 };
    int64_t first = clock_days_from_civil(year, 1, 1);
    if (day->form == '0') {
        return first + day->day;
    }
    if (day->form == 'J') {
        bool leap = clock_days_from_civil(year, 3, 1) - first > FEBRUARY_28;
        return first + day->day - 1 + (leap && day->day > FEBRUARY_28);
    }
    int64_t start = clock_days_from_civil(year, day->month, 1);
    int64_t next = day->month < 12 ? clock_days_from_civil(year, day->month + 1, 1)
                                   : clock_days_from_civil(year + 1, 1, 1);
    int64_t weekday = ((start + THURSDAY) % 7 + 7) % 7; /* 1 January 1970 was a Thursday */
    int64_t found = start + (day->day - weekday + 7) % 7 + 7 * ((int64_t)day->week - 1);
    return found < next ? found : found - 7;
}

void time_zone_rule_year(const struct time_zone_rule *rule, int64_t year,
                         struct time_zone_change changes[2])
{
    struct time_zone_change start = {.at = day_of_year(&rule->starts, year) * SECONDS_PER_DAY +
                                           rule->starts.seconds - rule->standard,
                                     .offset = rule->summer};
    struct time_zone_change end = {.at = day_of_year(&rule->ends, year) * SECONDS_PER_DAY +
                                         rule->ends.seconds - rule->summer,
                                   .offset = rule->standard};
    bool north = start.at <= end.at;
    changes[0] = north ? start : end;
    changes[1] = north ? end : start;
}
