/*
 * Zones of the system's tz database, and fixed offsets. A TZif file (RFC 8536), big-endian:
 *
 *   header     "TZif", version (1), 15 unused, six counts of 4 bytes: UT marks, standard marks,
 *              leap seconds, changes, types, name bytes
 *   data       of version 1: changes × (4 bytes when, 1 byte type), types × (4 bytes seconds east,
 *              1 byte is summer, 1 byte name), names, leap seconds × 8, marks
 *   header, data   again from version 2 on, with 8 bytes for each `when`
 *   footer     newline, TZ string, newline: what holds after the last change
 */
#include "model/time_zone.h"

#include "base/clock.h"
#include "base/file.h"
#include "model/time_zone_rule.h"
#include <stdlib.h>
#include <string.h>

#define US_PER_SECOND INT64_C(1000000)
#define SECONDS_PER_DAY INT64_C(86400)

enum {
    HEADER_BYTES = 44,
    TYPE_BYTES = 6,
    FILE_BYTES_MAX = 1 << 20,
    NAME_BYTES_MAX = 64,
    WINDOW_SECONDS = 2 * 86400, /* more than any offset, and any two, differ by */
    CHANGES_MAX = 16            /* that a window may hold */
};

struct time_zone {
    const char *name;
    int32_t first; /* before all changes */
    const struct time_zone_change *changes;
    uint32_t change_count;
    bool has_rule; /* for what comes after them */
    struct time_zone_rule rule;
};

const char *time_zone_name(const struct time_zone *zone)
{
    return zone->name;
}

/* ---------------------------------------------------------------- reading a file */

struct header {
    char version;
    uint32_t ut_count;
    uint32_t standard_count;
    uint32_t leap_count;
    uint32_t change_count;
    uint32_t type_count;
    uint32_t name_bytes;
};

static uint32_t read32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static int64_t read_when(const uint8_t *bytes, size_t width)
{
    if (width == 4) {
        return (int32_t)read32(bytes);
    }
    return (int64_t)((uint64_t)read32(bytes) << 32 | read32(bytes + 4));
}

/* The header at `bytes`, and how many bytes of data follow it; false: it is none, or they don't. */
static bool read_header(const uint8_t *bytes, size_t length, size_t width, struct header *header,
                        size_t *data)
{
    if (length < HEADER_BYTES || memcmp(bytes, "TZif", 4) != 0) {
        return false;
    }
    *header = (struct header){.version = (char)bytes[4],
                              .ut_count = read32(bytes + 20),
                              .standard_count = read32(bytes + 24),
                              .leap_count = read32(bytes + 28),
                              .change_count = read32(bytes + 32),
                              .type_count = read32(bytes + 36),
                              .name_bytes = read32(bytes + 40)};
    uint64_t size = (uint64_t)header->change_count * (width + 1) +
                    (uint64_t)header->type_count * TYPE_BYTES + header->name_bytes +
                    (uint64_t)header->leap_count * (width + 4) + header->standard_count +
                    header->ut_count;
    *data = (size_t)size;
    return header->type_count > 0 && size <= length - HEADER_BYTES;
}

/* The data of one header. */
static bool read_changes(const uint8_t *data, size_t width, const struct header *header,
                         struct arena *arena, struct time_zone *zone)
{
    const uint8_t *which = data + (size_t)header->change_count * width;
    const uint8_t *types = which + header->change_count;
    struct time_zone_change *changes =
        arena_allocate_zeroed(arena, (size_t)header->change_count + 1, sizeof *changes);
    for (uint32_t i = 0; i < header->change_count; i++) {
        changes[i].at = read_when(data + i * width, width);
        if (which[i] >= header->type_count || (i > 0 && changes[i].at <= changes[i - 1].at)) {
            return false;
        }
        changes[i].offset = (int32_t)read32(types + (size_t)which[i] * TYPE_BYTES);
    }
    for (uint32_t i = 0; i < header->type_count; i++) {
        int32_t offset = (int32_t)read32(types + (size_t)i * TYPE_BYTES);
        if (offset <= -SECONDS_PER_DAY - 7200 || offset >= SECONDS_PER_DAY + 7200) {
            return false;
        }
    }
    zone->first = (int32_t)read32(types);
    zone->changes = changes;
    zone->change_count = header->change_count;
    return true;
}

static bool read_footer(const uint8_t *bytes, size_t length, struct time_zone *zone)
{
    const uint8_t *end = length > 1 ? memchr(bytes + 1, '\n', length - 1) : NULL;
    if (end == NULL || bytes[0] != '\n') {
        return false;
    }
    size_t text = (size_t)(end - bytes) - 1;
    zone->has_rule = text > 0;
    return text == 0 || time_zone_rule_read((const char *)bytes + 1, text, &zone->rule);
}

static bool read_zone(const uint8_t *bytes, size_t length, struct arena *arena,
                      struct time_zone *zone)
{
    size_t width = 4;
    size_t data;
    struct header header;
    if (!read_header(bytes, length, width, &header, &data)) {
        return false;
    }
    if (header.version >= '2') {
        bytes += HEADER_BYTES + data;
        length -= HEADER_BYTES + data;
        width = 8;
        if (!read_header(bytes, length, width, &header, &data) ||
            !read_footer(bytes + HEADER_BYTES + data, length - HEADER_BYTES - data, zone)) {
            return false;
        }
    }
    /* zones that count leap seconds are no zones of databases */
    return header.leap_count == 0 &&
           read_changes(bytes + HEADER_BYTES, width, &header, arena, zone);
}

static struct time_zone *make_zone(const char *name, struct arena *arena)
{
    struct time_zone *zone = arena_allocate_zeroed(arena, 1, sizeof *zone);
    zone->name = arena_copy_string(arena, name);
    return zone;
}

enum status time_zone_read(const char *name, const void *bytes, size_t length, struct arena *arena,
                           const struct time_zone **zone, struct error *error)
{
    struct time_zone *made = make_zone(name, arena);
    if (!read_zone(bytes, length, arena, made)) {
        error_set(error, ERROR_BAD_VALUE, "time zone",
                  "what the tz database says of '%s' can't be read", name);
        return error_hint(error, "give an offset such as +02:00, if the zone has one all the time");
    }
    *zone = made;
    return STATUS_OK;
}

/* ---------------------------------------------------------------- by name */

/* Two digits below `most`. */
static bool read_two(const char **text, int most, int32_t *number)
{
    const char *at = *text;
    if (at[0] < '0' || at[0] > '9' || at[1] < '0' || at[1] > '9') {
        return false;
    }
    *number = (at[0] - '0') * 10 + (at[1] - '0');
    *text += 2;
    return *number <= most;
}

/* "+02", "-0330", "+05:30", "+00:09:21" */
static bool read_fixed(const char *text, int32_t *offset)
{
    int32_t hours = 0;
    int32_t minutes = 0;
    int32_t seconds = 0;
    bool negative = *text == '-';
    *offset = 0;
    if (strcmp(text, "UTC") == 0 || strcmp(text, "Z") == 0) {
        return true;
    }
    if (*text != '+' && *text != '-') {
        return false;
    }
    text++;
    if (!read_two(&text, 15, &hours)) {
        return false;
    }
    bool colons = *text == ':';
    text += colons;
    if ((colons || *text != '\0') && !read_two(&text, 59, &minutes)) {
        return false;
    }
    if (colons && *text == ':') {
        text++;
        if (!read_two(&text, 59, &seconds)) {
            return false;
        }
    }
    *offset = (hours * 60 + minutes) * 60 + seconds;
    *offset = negative ? -*offset : *offset;
    return *text == '\0';
}

/* Letters, digits, + - _ in parts between single slashes: no way out of the folder. */
static bool is_name(const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < length; i++) {
        char letter = (char)(name[i] | 0x20);
        bool is_letter = letter >= 'a' && letter <= 'z';
        bool is_digit = name[i] >= '0' && name[i] <= '9';
        bool is_slash = name[i] == '/' && i > 0 && i + 1 < length && name[i - 1] != '/';
        if (!is_letter && !is_digit && !is_slash && (name[i] == '\0' || !strchr("+-_", name[i]))) {
            return false;
        }
    }
    return length > 0 && length <= NAME_BYTES_MAX;
}

enum status time_zone_make(const char *name, struct arena *arena, const struct time_zone **zone,
                           struct error *error)
{
    int32_t offset;
    if (read_fixed(name, &offset)) {
        struct time_zone *made = make_zone(name, arena);
        made->first = offset;
        *zone = made;
        return STATUS_OK;
    }
    const char *named = getenv("TZDIR");
    const char *folder = named != NULL && named[0] != '\0' ? named : "/usr/share/zoneinfo";
    char *path = is_name(name) ? file_join(arena, folder, name) : NULL;
    char *bytes;
    size_t length;
    if (path == NULL ||
        file_read_all(path, FILE_BYTES_MAX, arena, &bytes, &length, error) != STATUS_OK) {
        error_set(error, ERROR_BAD_VALUE, "time zone", "'%s' is neither an offset nor a zone in %s",
                  name, folder);
        return error_hint(error,
                          "write a name such as Europe/Paris (of the package tzdata), UTC, or an "
                          "offset such as +02:00");
    }
    return time_zone_read(name, bytes, length, arena, zone, error);
}

/* ---------------------------------------------------------------- instants */

/* The offsets around a time: `first`, then the changes, in order. */
struct offsets {
    int32_t first;
    uint32_t count;
    struct time_zone_change changes[CHANGES_MAX];
};

/* A change that is too early sets the offset that the window begins with. A rule's summer may last
 * beyond the next one's beginning, which holds then. */
static void add_change(struct offsets *offsets, const struct time_zone_change *change, int64_t from,
                       int64_t to)
{
    while (offsets->count > 0 && offsets->changes[offsets->count - 1].at >= change->at) {
        offsets->count--;
    }
    if (change->at <= from) {
        offsets->first = change->offset;
    } else if (change->at < to && offsets->count < CHANGES_MAX) {
        offsets->changes[offsets->count++] = *change;
    }
}

/* How many changes come before `at`. */
static uint32_t count_before(const struct time_zone *zone, int64_t at)
{
    uint32_t low = 0;
    uint32_t high = zone->change_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (zone->changes[middle].at < at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void add_years(const struct time_zone *zone, int64_t seconds, struct offsets *offsets,
                      int64_t from, int64_t to)
{
    int64_t last = zone->change_count > 0 ? zone->changes[zone->change_count - 1].at : INT64_MIN;
    int64_t year;
    int month;
    int day;
    clock_civil_from_days(seconds / SECONDS_PER_DAY, &year, &month, &day);
    for (int64_t each = year - 2; each <= year + 1; each++) {
        struct time_zone_change changes[2];
        time_zone_rule_year(&zone->rule, each, changes);
        for (int i = 0; i < 2; i++) {
            if (changes[i].at > last) {
                add_change(offsets, &changes[i], from, to);
            }
        }
    }
}

static void find_offsets(const struct time_zone *zone, int64_t seconds, struct offsets *offsets)
{
    int64_t from = seconds - WINDOW_SECONDS;
    int64_t to = seconds + WINDOW_SECONDS;
    uint32_t index = count_before(zone, from);
    *offsets = (struct offsets){.first = zone->first};
    if (index > 0) {
        offsets->first = zone->changes[index - 1].offset;
    }
    for (; index < zone->change_count && zone->changes[index].at < to; index++) {
        add_change(offsets, &zone->changes[index], from, to);
    }
    if (zone->has_rule && index == zone->change_count) {
        if (zone->rule.changes) {
            add_years(zone, seconds, offsets, from, to);
        } else if (zone->change_count == 0) {
            offsets->first = zone->rule.standard;
        }
    }
}

int time_zone_instants(const struct time_zone *zone, int64_t wall,
                       int64_t instants[TIME_ZONE_INSTANTS])
{
    int64_t seconds = wall / US_PER_SECOND - (wall % US_PER_SECOND < 0);
    int64_t rest = wall % US_PER_SECOND + (wall % US_PER_SECOND < 0 ? US_PER_SECOND : 0);
    struct offsets offsets;
    int count = 0;
    find_offsets(zone, seconds, &offsets);
    int64_t begin = INT64_MIN;
    int32_t offset = offsets.first;
    for (uint32_t i = 0; i <= offsets.count && count < TIME_ZONE_INSTANTS; i++) {
        int64_t end = i < offsets.count ? offsets.changes[i].at : INT64_MAX;
        int64_t instant = seconds - offset;
        if (instant >= begin && instant < end &&
            !__builtin_mul_overflow(instant, US_PER_SECOND, &instants[count]) &&
            !__builtin_add_overflow(instants[count], rest, &instants[count])) {
            count++;
        }
        begin = end;
        offset = i < offsets.count ? offsets.changes[i].offset : offset;
    }
    return count;
}
