/* Time zones: which instants a wall clock's time stands for. Never the process's own zone. */
#ifndef TRANSHUME_MODEL_TIME_ZONE_H
#define TRANSHUME_MODEL_TIME_ZONE_H

#include "base/arena.h"
#include "base/error.h"
#include <stdint.h>

/* Read only once it is made: threads share it. */
struct time_zone;

/*
 * "UTC", "Z", an offset ("+02:00", "-0330", "+05"), or a name of the system's tz database
 * ("Europe/Paris"), which is read from the folder of the environment variable TZDIR, else from
 * /usr/share/zoneinfo. STATUS_FAILED with ERROR_BAD_VALUE: there is no such zone.
 */
enum status time_zone_make(const char *name, struct arena *arena, const struct time_zone **zone,
                           struct error *error) MUST_USE;
/* The same from the bytes of a TZif file (RFC 8536). */
enum status time_zone_read(const char *name, const void *bytes, size_t length, struct arena *arena,
                           const struct time_zone **zone, struct error *error) MUST_USE;

/* As it was asked for. */
const char *time_zone_name(const struct time_zone *zone);

/*
 * The instants (µs since 1970-01-01T00:00:00Z) at which the zone's clocks show `wall` (µs since
 * 1970-01-01T00:00:00 on them), the earlier one first: 1; 0 where clocks were put forward past it;
 * 2 where they were put back and show it again.
 */
enum { TIME_ZONE_INSTANTS = 2 };
int time_zone_instants(const struct time_zone *zone, int64_t wall,
                       int64_t instants[TIME_ZONE_INSTANTS]);

#endif
