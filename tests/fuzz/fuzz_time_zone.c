/* Files of the tz database, as TZDIR may name any: what a zone's clocks show has no instant, one,
 * or two in their order, none further off than an offset can be. Times are asked for around all
 * that stands in the file as a number of seconds, and at the ends of what there is. */
#include "support.h"

#include "model/time_zone.h"
#include <string.h>

#define US INT64_C(1000000)
#define OFFSET_US_MAX (26 * 3600 * US)

enum { STEP_SECONDS = 5400, STEPS = 4, WALLS_MAX = 256 };

static void ask(const struct time_zone *zone, const struct time_zone *again, int64_t wall)
{
    int64_t instants[TIME_ZONE_INSTANTS];
    int64_t others[TIME_ZONE_INSTANTS];
    int count = time_zone_instants(zone, wall, instants);
    FUZZ_REQUIRE(count >= 0 && count <= TIME_ZONE_INSTANTS);
    FUZZ_REQUIRE(time_zone_instants(again, wall, others) == count);
    for (int i = 0; i < count; i++) {
        __int128 apart = (__int128)instants[i] - wall;
        FUZZ_REQUIRE(apart > -OFFSET_US_MAX && apart < OFFSET_US_MAX);
        FUZZ_REQUIRE(apart % US == 0);
        FUZZ_REQUIRE(instants[i] == others[i] && (i == 0 || instants[i] > instants[i - 1]));
    }
}

static void ask_around(const struct time_zone *zone, const struct time_zone *again, int64_t seconds)
{
    int64_t wall;
    for (int64_t step = -STEPS; step <= STEPS; step++) {
        int64_t at;
        if (!__builtin_add_overflow(seconds, step * STEP_SECONDS, &at) &&
            !__builtin_mul_overflow(at, US, &wall)) {
            ask(zone, again, wall);
            if (wall > INT64_MIN) {
                ask(zone, again, wall - 1);
            }
        }
    }
}

static int64_t number_at(const uint8_t *bytes, size_t width)
{
    uint64_t number = 0;
    for (size_t i = 0; i < width; i++) {
        number = number << 8 | bytes[i];
    }
    return width == 4 ? (int32_t)number : (int64_t)number;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t ends[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX - 1, INT64_MAX, -1, 0};
    struct arena *arena = arena_create(0);
    struct error error = {0};
    const struct time_zone *zone = NULL;
    const struct time_zone *again = NULL;
    if (time_zone_read("fuzzed", data, size, arena, &zone, &error) != STATUS_OK) {
        fuzz_check_error(&error);
        arena_destroy(arena);
        return 0;
    }
    FUZZ_REQUIRE(time_zone_read("fuzzed", data, size, arena, &again, &error) == STATUS_OK);
    FUZZ_REQUIRE(strcmp(time_zone_name(zone), "fuzzed") == 0);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        ask(zone, again, ends[i]);
    }
    for (int64_t year = 1900; year < 2100; year += 9) {
        ask_around(zone, again, (year - 1970) * 31556952);
    }
    for (size_t width = 4; width <= 8; width += 4) {
        size_t walls = 0;
        for (size_t at = 0; at + width <= size && walls < WALLS_MAX; at++, walls++) {
            ask_around(zone, again, number_at(data + at, width));
        }
    }
    arena_destroy(arena);
    return 0;
}
