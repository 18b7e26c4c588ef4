/* Places in the log: as numbers, as positions and as text. */
#include "base/bytes.h"
#include "connectors/postgres/follow/feed.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void postgres_feed_put_place(const struct feed_place *place, struct arena *arena,
                             struct position *position)
{
    uint8_t *bytes = arena_allocate(arena, FEED_POSITION_BYTES);
    bytes_put_be(bytes, place->lsn, 8);
    bytes_put_be(bytes + 8, place->system, 8);
    bytes_put_be(bytes + 16, place->timeline, 4);
    *position = (struct position){.bytes = bytes, .length = FEED_POSITION_BYTES};
}

bool postgres_feed_get_place(struct position position, struct feed_place *place)
{
    *place = (struct feed_place){0};
    if (position.length != FEED_POSITION_BYTES) {
        return false;
    }
    place->lsn = bytes_get_be(position.bytes, 8);
    place->system = bytes_get_be(position.bytes + 8, 8);
    place->timeline = (uint32_t)bytes_get_be(position.bytes + 16, 4);
    return true;
}

void postgres_feed_print_lsn(uint64_t lsn, char text[FEED_LSN_TEXT_BYTES])
{
    snprintf(text, FEED_LSN_TEXT_BYTES, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32),
             (uint32_t)lsn);
}

bool postgres_feed_read_lsn(const char *text, uint64_t *lsn)
{
    char *end = NULL;
    uint64_t high = strtoull(text, &end, 16);
    if (end == text || *end != '/' || high > UINT32_MAX) {
        return false;
    }
    text = end + 1;
    uint64_t low = strtoull(text, &end, 16);
    *lsn = high << 32 | low;
    return end != text && *end == '\0' && low <= UINT32_MAX;
}
