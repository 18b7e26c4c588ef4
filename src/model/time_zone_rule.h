/* The rule that a TZif file ends with (a TZ string of POSIX): what clocks do in years to come. */
#ifndef TRANSHUME_MODEL_TIME_ZONE_RULE_H
#define TRANSHUME_MODEL_TIME_ZONE_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* When in a year: "M10.5.0/3", "J60", "59". */
struct time_zone_day {
    char form; /* 'M': month, week and weekday; 'J': 1..365 without 29 February; '0': 0..365 */
    int month;
    int week;
    int day;
    int64_t seconds; /* of that day; may lie outside of it by up to a week */
};

/* "CET-1CEST,M3.5.0,M10.5.0/3". Offsets in seconds east. */
struct time_zone_rule {
    int32_t standard;
    int32_t summer;
    bool changes; /* there is a summer time: */
    struct time_zone_day starts;
    struct time_zone_day ends;
};

/* One change of the offset: from `at` on (seconds since 1970, UTC) it is `offset`. */
struct time_zone_change {
    int64_t at;
    int32_t offset;
};

/* False: not of that form. */
bool time_zone_rule_read(const char *text, size_t length, struct time_zone_rule *rule);
/* The changes of one year of a rule that `changes`, the earlier one first. */
void time_zone_rule_year(const struct time_zone_rule *rule, int64_t year,
                         struct time_zone_change changes[2]);

#endif
