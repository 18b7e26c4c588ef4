/* Conversions of single values: one function for each kind that is converted to (those to numbers
 * are in convert_number.c), and the table of them. */
#include "model/convert.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/array_text.h"
#include "model/canonical.h"
#include "model/convert_parts.h"
#include "model/json_reader.h"
#include "model/time_text.h"
#include "model/time_zone.h"
#include <math.h>
#include <stdlib.h>

#define US_PER_DAY INT64_C(86400000000)

enum status convert_refuse(const struct conversion *conversion, const struct cell *from,
                           enum error_code code, const char *why)
{
    if (conversion->error == NULL) {
        return STATUS_FAILED;
    }
    enum { SHOWN_BYTES = 60 };
    struct buffer shown = {0};
    value_print(from, SHOWN_BYTES, &shown);
    error_set(conversion->error, code, NULL, "%s %s can't become %s: %s",
              value_kind_name((enum value_kind)from->kind), buffer_string(&shown),
              value_kind_name(conversion->to->kind), why);
    buffer_free(&shown);
    return STATUS_FAILED;
}

enum status convert_refuse_kind(const struct conversion *conversion, const struct cell *from)
{
    return convert_refuse(conversion, from, ERROR_REJECT_TYPE, "there is no such conversion");
}

/* --- to TEXT, BYTES and JSON --- */

/* The first `limit` characters of UTF-8 text, in bytes; `length` if there are no more than that. */
static size_t clip_characters(const char *text, size_t length, size_t limit)
{
    size_t position = 0;
    if (length <= limit) {
        return length;
    }
    for (size_t characters = 0; position < length; position++) {
        if (((uint8_t)text[position] & 0xC0) != 0x80 && characters++ == limit) {
            break;
        }
    }
    return position;
}

/* Holds a TEXT or BYTES result to its length limit. */
static enum status fit_length(const struct conversion *conversion, const struct cell *from,
                              struct cell *result)
{
    const struct value_type *to = conversion->to;
    if (to->precision <= 0 || to->dynamic) {
        return STATUS_OK;
    }
    size_t limit = (size_t)to->precision;
    size_t length = to->kind == VALUE_TEXT   ? clip_characters(result->text, result->length, limit)
                    : result->length < limit ? result->length
                                             : limit;
    if (length < result->length && !conversion->allow_loss) {
        return convert_refuse(conversion, from, ERROR_REJECT_TYPE, "it is longer than the type");
    }
    result->length = (uint32_t)length;
    return STATUS_OK;
}

/* Memory for values, which may be large, can run out. */
static enum status no_memory(const struct conversion *conversion)
{
    return error_set(conversion->error, ERROR_MEMORY, NULL, "no memory to convert a value");
}

/* A text that was made of `from`, into the arena. */
static enum status hand_over(const struct conversion *conversion, const struct cell *from,
                             const struct buffer *text, struct cell *result)
{
    if (text->length > UINT32_MAX) {
        return convert_refuse(conversion, from, ERROR_REJECT_TOO_LARGE, "its text is above 4 GiB");
    }
    char *copy = arena_try_copy(conversion->arena, text->data, text->length);
    if (copy == NULL) {
        return no_memory(conversion);
    }
    *result = cell_text(copy, text->length);
    return STATUS_OK;
}

/* Each byte that is no part of UTF-8 becomes U+FFFD. */
static enum status replace_invalid(const struct conversion *conversion, const struct cell *from,
                                   struct cell *result)
{
    struct buffer text = {0};
    const char *position = from->text;
    const char *end = position + from->length;
    if (from->length > MEMORY_DATA_BYTES && !buffer_try_reserve(&text, from->length)) {
        return no_memory(conversion);
    }
    while (position < end) {
        size_t length = 1;
        if ((uint8_t)*position >= 0x80) {
            for (length = 2; length <= 4 && length <= (size_t)(end - position) &&
                             !text_is_utf8(position, length);) {
                length++;
            }
            if (length > 4 || length > (size_t)(end - position)) {
                buffer_append(&text, "\xEF\xBF\xBD", 3);
                position++;
                continue;
            }
        }
        buffer_append(&text, position, length);
        position += length;
    }
    enum status status = hand_over(conversion, from, &text, result);
    buffer_free(&text);
    return status;
}

/* Numbers, times and the like: by convert_append_text or convert_append_json. */
static enum status write_text(const struct conversion *conversion, const struct cell *from,
                              bool as_json, struct cell *result)
{
    struct buffer text = {0};
    enum status status = as_json ? convert_append_json(from, &text, conversion->error)
                                 : convert_append_text(from, false, &text, conversion->error);
    status = status == STATUS_OK ? hand_over(conversion, from, &text, result) : status;
    if (status == STATUS_OK) {
        result->kind = as_json ? VALUE_JSON : VALUE_TEXT;
    }
    buffer_free(&text);
    return status;
}

/* "-26:00:00.5" */
static enum status clock_of_interval(const struct conversion *conversion, const struct cell *from,
                                     struct cell *result)
{
    struct buffer text = {0};
    int64_t nanoseconds = from->interval->nanoseconds;
    uint64_t length = nanoseconds < 0 ? -(uint64_t)nanoseconds : (uint64_t)nanoseconds;
    uint64_t seconds = length / 1000000000;
    buffer_format(&text, "%s%02llu:%02llu:%02llu", nanoseconds < 0 ? "-" : "",
                  (unsigned long long)(seconds / 3600), (unsigned long long)(seconds / 60 % 60),
                  (unsigned long long)(seconds % 60));
    if (length % 1000000000 != 0) {
        buffer_format(&text, ".%09llu", (unsigned long long)(length % 1000000000));
        while (text.data[text.length - 1] == '0') {
            text.length--;
        }
    }
    enum status status = hand_over(conversion, from, &text, result);
    buffer_free(&text);
    return status;
}

/* The text of an array: of a list, or of the JSON that holds one. */
static enum status array_of_list(const struct conversion *conversion, const struct cell *from,
                                 struct cell *result)
{
    struct cell list = *from;
    struct buffer text = {0};
    if ((from->kind == VALUE_JSON || from->kind == VALUE_TEXT) &&
        convert_read_json(from->text, from->length, conversion->arena, &list, conversion->error) !=
            STATUS_OK) {
        return STATUS_FAILED;
    }
    if (list.kind == VALUE_NULL && from->kind == VALUE_JSON) {
        *result = cell_null();
        return STATUS_OK;
    }
    if (list.kind != VALUE_LIST && list.kind != VALUE_SET) {
        return convert_refuse(conversion, from, ERROR_REJECT_TYPE, "it is no list");
    }
    enum status status =
        array_text_append(&list, conversion->to->element, &text, conversion->error);
    status = status == STATUS_OK ? hand_over(conversion, from, &text, result) : status;
    buffer_free(&text);
    return status;
}

/* A timestamp's T and Z, and a UUID's hyphens, give way; the text is the arena's own copy. */
static void lay_out(enum text_layout layout, struct cell *text)
{
    char *at = (char *)(uintptr_t)text->text;
    uint32_t length = 0;
    for (uint32_t i = 0; i < text->length; i++) {
        char one = at[i];
        bool left_out = layout == TEXT_BARE ? one == '-' : layout == TEXT_SQL && one == 'Z';
        if (!left_out) {
            at[length++] = layout == TEXT_SQL && one == 'T' ? ' ' : one;
        }
    }
    text->length = length;
}

static enum status to_text(const struct conversion *conversion, const struct cell *from,
                           struct cell *result)
{
    enum status status = STATUS_OK;
    if (conversion->to->element != NULL &&
        (from->kind != VALUE_TEXT || !array_text_is_one(from->text, from->length))) {
        return array_of_list(conversion, from, result);
    }
    switch ((enum value_kind)from->kind) {
    case VALUE_TEXT:
        *result = *from;
        break;
    case VALUE_JSON:
        *result = cell_text(from->text, from->length);
        break;
    case VALUE_BYTES:
        if (!text_is_utf8(from->bytes, from->length)) {
            return convert_refuse(conversion, from, ERROR_REJECT_TEXT, "it is not UTF-8");
        }
        *result = cell_text(from->text, from->length);
        break;
    case VALUE_LARGE:
        return convert_refuse_kind(conversion, from);
    case VALUE_INTERVAL:
        status = conversion->to->layout == TEXT_CLOCK && from->interval->months == 0 &&
                         from->interval->days == 0
                     ? clock_of_interval(conversion, from, result)
                     : write_text(conversion, from, false, result);
        break;
    case VALUE_TIMESTAMP:
    case VALUE_UUID:
        status = write_text(conversion, from, false, result);
        if (status == STATUS_OK && conversion->to->layout != TEXT_ISO) {
            lay_out(conversion->to->layout, result);
        }
        break;
    case VALUE_ESCAPE:
        if (value_escape_has_text(from)) {
            *result = cell_text(from->text, from->length);
            break;
        }
        if ((from->flags & CELL_ESCAPED_TEXT) == 0 || !conversion->allow_loss) {
            return convert_refuse(conversion, from, ERROR_REJECT_TEXT, "it is not UTF-8");
        }
        status = replace_invalid(conversion, from, result);
        break;
    default:
        status = write_text(conversion, from, false, result);
        break;
    }
    status = status == STATUS_OK ? convert_strip_nul(conversion, result) : status;
    return status == STATUS_OK ? fit_length(conversion, from, result) : status;
}

static enum status to_bytes(const struct conversion *conversion, const struct cell *from,
                            struct cell *result)
{
    switch ((enum value_kind)from->kind) {
    case VALUE_BYTES:
    case VALUE_TEXT:
    case VALUE_JSON:
        *result = cell_bytes(from->bytes, from->length);
        break;
    case VALUE_UUID:
        *result = cell_bytes(from->bytes, 16);
        break;
    case VALUE_ESCAPE:
        if ((from->flags & CELL_ESCAPED_TEXT) == 0) {
            return convert_refuse_kind(conversion, from);
        }
        *result = cell_bytes(from->bytes, from->length);
        break;
    default:
        return convert_refuse_kind(conversion, from);
    }
    return fit_length(conversion, from, result);
}

/* Byte for byte as it stands, if it is one JSON value. */
static enum status json_of_text(const struct conversion *conversion, const struct cell *from,
                                struct cell *result)
{
    struct json_reader reader;
    struct error problem;
    enum json_token token = JSON_TOKEN_NULL;
    enum status status = STATUS_OK;
    bool nested = false;
    json_reader_init(&reader, from->text, from->length, JSON_DEPTH_MAX, conversion->arena);
    do {
        status = json_reader_next(&reader, &token, &problem);
        nested = nested || token == JSON_TOKEN_OBJECT_BEGIN || token == JSON_TOKEN_ARRAY_BEGIN;
    } while (status == STATUS_OK && token != JSON_TOKEN_END);
    if (conversion->to->plain_strings && from->kind == VALUE_TEXT &&
        (status != STATUS_OK || !nested)) {
        return write_text(conversion, from, true, result);
    }
    if (status != STATUS_OK) {
        struct buffer why = {0};
        buffer_format(&why, "it is not JSON: %s", problem.message);
        convert_refuse(conversion, from, problem.code, buffer_string(&why));
        buffer_free(&why);
        return STATUS_FAILED;
    }
    *result = cell_text(from->text, from->length);
    result->kind = VALUE_JSON;
    return STATUS_OK;
}

static enum status to_json(const struct conversion *conversion, const struct cell *from,
                           struct cell *result)
{
    if (conversion->to->element != NULL && from->kind == VALUE_TEXT) {
        struct cell list;
        return array_text_read(from->text, from->length, conversion->to->element, conversion->arena,
                               &list, conversion->error) == STATUS_OK
                   ? write_text(conversion, &list, true, result)
                   : STATUS_FAILED;
    }
    enum status status = STATUS_OK;
    switch ((enum value_kind)from->kind) {
    case VALUE_JSON:
        *result = *from;
        break;
    case VALUE_TEXT:
    case VALUE_BYTES:
        status = json_of_text(conversion, from, result);
        break;
    case VALUE_LARGE:
    case VALUE_ESCAPE:
        return convert_refuse_kind(conversion, from);
    default:
        status = write_text(conversion, from, true, result);
        break;
    }
    return status == STATUS_OK ? convert_strip_nul(conversion, result) : status;
}

/* --- to DATE, TIME, TIMESTAMP, INTERVAL and UUID --- */

/* The days and the µs of the day of a timestamp. */
static int64_t split_timestamp(int64_t us, int64_t *us_of_day)
{
    int64_t days = us / US_PER_DAY;
    *us_of_day = us % US_PER_DAY;
    if (*us_of_day < 0) {
        *us_of_day += US_PER_DAY;
        days--;
    }
    return days;
}

/* `from` is what the moment was read from. */
static enum status date_of_moment(const struct conversion *conversion, const struct cell *from,
                                  const struct cell *moment, struct cell *result)
{
    int64_t us;
    int64_t days = split_timestamp(moment->i64, &us);
    if ((moment->flags & CELL_SPECIAL) != 0) {
        days = moment->i64;
    } else if ((us != 0 || moment->aux != 0 || (moment->flags & CELL_ZONED) != 0) &&
               !conversion->allow_loss) {
        return convert_refuse(conversion, from, ERROR_REJECT_TYPE, "its time would be lost");
    }
    *result = (struct cell){.kind = VALUE_DATE, .flags = moment->flags & CELL_SPECIAL, .i64 = days};
    return STATUS_OK;
}

static enum status to_date(const struct conversion *conversion, const struct cell *from,
                           struct cell *result)
{
    struct cell moment;
    switch ((enum value_kind)from->kind) {
    case VALUE_DATE:
        *result = *from;
        return STATUS_OK;
    case VALUE_TIMESTAMP:
        return date_of_moment(conversion, from, from, result);
    case VALUE_TEXT:
        if (time_parse_date(from->text, from->length, result) == STATUS_OK) {
            return STATUS_OK;
        }
        return time_parse_timestamp(from->text, from->length, &moment) == STATUS_OK
                   ? date_of_moment(conversion, from, &moment, result)
                   : convert_refuse(conversion, from, ERROR_REJECT_TYPE, "it is not an ISO date");
    default:
        return convert_refuse_kind(conversion, from);
    }
}

/* A number of nanoseconds that is a multiple of what the type can tell apart, half to even. */
static int64_t round_to_fraction(const struct conversion *conversion, int64_t nanoseconds)
{
    int64_t step = 1000000000;
    for (int digits = 1; digits < conversion->to->fraction; digits++) {
        step /= 10;
    }
    int64_t rest = nanoseconds % step;
    int64_t rounded = nanoseconds - rest;
    bool odd = (rounded / step) % 2 != 0;
    rest = rest < 0 ? -rest : rest;
    bool away = 2 * rest > step || (2 * rest == step && odd);
    return rounded + (away ? (nanoseconds < 0 ? -step : step) : 0);
}

static bool rounds(const struct conversion *conversion)
{
    enum { FRACTION_WHOLE = 10 };
    return conversion->allow_loss && conversion->to->fraction > 0 &&
           conversion->to->fraction < FRACTION_WHOLE;
}

/* The µs since the epoch may be too many for their nanoseconds to be counted: those of the last two
 * seconds are rounded, which tells odd from even. */
static void round_timestamp(const struct conversion *conversion, struct cell *timestamp)
{
    int64_t us = timestamp->i64 % 2000000;
    us = us < 0 ? us + 2000000 : us;
    int64_t rounded = round_to_fraction(conversion, us * 1000 + timestamp->aux);
    if (!__builtin_add_overflow(timestamp->i64 - us, rounded / 1000, &timestamp->i64)) {
        timestamp->aux = (uint16_t)(rounded % 1000);
    }
}

/* `from` is what the moment was read from. */
static enum status time_of_moment(const struct conversion *conversion, const struct cell *from,
                                  const struct cell *moment, struct cell *result)
{
    int64_t us;
    if ((moment->flags & CELL_SPECIAL) != 0 || !conversion->allow_loss) {
        return convert_refuse(conversion, from, ERROR_REJECT_TYPE, "its date would be lost");
    }
    split_timestamp(moment->i64, &us);
    *result = (struct cell){
        .kind = VALUE_TIME, .flags = moment->flags & CELL_ZONED, .i64 = us * 1000 + moment->aux};
    return STATUS_OK;
}

/* Before the type's zone and fraction. */
static enum status read_time(const struct conversion *conversion, const struct cell *from,
                             struct cell *result)
{
    struct cell moment;
    switch ((enum value_kind)from->kind) {
    case VALUE_TIME:
        *result = *from;
        return STATUS_OK;
    case VALUE_TIMESTAMP:
        return time_of_moment(conversion, from, from, result);
    case VALUE_TEXT:
        if (time_parse_time(from->text, from->length, result) == STATUS_OK) {
            return STATUS_OK;
        }
        return time_parse_timestamp(from->text, from->length, &moment) == STATUS_OK
                   ? time_of_moment(conversion, from, &moment, result)
                   : convert_refuse(conversion, from, ERROR_REJECT_TYPE, "it is not an ISO time");
    default:
        return convert_refuse_kind(conversion, from);
    }
}

static enum status to_time(const struct conversion *conversion, const struct cell *from,
                           struct cell *result)
{
    if (read_time(conversion, from, result) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (rounds(conversion)) {
        result->i64 = round_to_fraction(conversion, result->i64);
    }
    bool zoned = (result->flags & CELL_ZONED) != 0;
    if (zoned != conversion->to->zoned && !conversion->to->dynamic) {
        if (!conversion->allow_loss) {
            return convert_refuse(conversion, from, ERROR_REJECT_TYPE,
                                  zoned ? "its offset would be lost" : "it has no offset");
        }
        result->flags ^= CELL_ZONED;
        result->length = 0;
    }
    return STATUS_OK;
}

/* "2024-10-27T02:30:00 … : Europe/Paris has it twice, at 00:30:00Z and at 01:30:00Z" */
static enum status refuse_wall(const struct conversion *conversion, const struct cell *from,
                               const int64_t *instants, int count)
{
    struct buffer why = {0};
    buffer_format(&why, "the clocks of %s show it %s", time_zone_name(conversion->to->zone),
                  count == 0 ? "never, they are put forward past it" : "twice: ");
    for (int i = 0; i < count; i++) {
        struct cell instant = {.kind = VALUE_TIMESTAMP, .flags = CELL_ZONED, .i64 = instants[i]};
        buffer_append_string(&why, i > 0 ? " and " : "");
        time_append(&instant, &why);
    }
    convert_refuse(conversion, from, ERROR_REJECT_TYPE, buffer_string(&why));
    buffer_free(&why);
    return STATUS_FAILED;
}

/* A time without a zone becomes the one instant at which the clocks of the type's zone show it. */
static enum status in_zone(const struct conversion *conversion, const struct cell *from,
                           struct cell *result)
{
    int64_t instants[TIME_ZONE_INSTANTS];
    int count = time_zone_instants(conversion->to->zone, result->i64, instants);
    if (count != 1) {
        return refuse_wall(conversion, from, instants, count);
    }
    result->i64 = instants[0];
    result->flags |= CELL_ZONED;
    return STATUS_OK;
}

static enum status to_timestamp(const struct conversion *conversion, const struct cell *from,
                                struct cell *result)
{
    switch ((enum value_kind)from->kind) {
    case VALUE_TIMESTAMP:
        *result = *from;
        break;
    case VALUE_DATE:
        *result = (struct cell){
            .kind = VALUE_TIMESTAMP, .flags = from->flags & CELL_SPECIAL, .i64 = from->i64};
        if ((from->flags & CELL_SPECIAL) == 0 &&
            __builtin_mul_overflow(from->i64, US_PER_DAY, &result->i64)) {
            return convert_refuse(conversion, from, ERROR_REJECT_TYPE, "it is out of range");
        }
        break;
    case VALUE_TEXT:
        if (time_parse_timestamp(from->text, from->length, result) != STATUS_OK) {
            return convert_refuse(conversion, from, ERROR_REJECT_TYPE,
                                  "it is not an ISO timestamp");
        }
        break;
    default:
        return convert_refuse_kind(conversion, from);
    }
    if (rounds(conversion) && (result->flags & CELL_SPECIAL) == 0) {
        round_timestamp(conversion, result);
    }
    bool zoned = (result->flags & CELL_ZONED) != 0;
    if ((result->flags & CELL_SPECIAL) != 0) {
        result->flags = (uint8_t)(CELL_SPECIAL | (conversion->to->zoned ? CELL_ZONED : 0));
    } else if (conversion->to->utc && zoned) {
        result->flags ^= CELL_ZONED;
    } else if ((zoned != conversion->to->zoned || conversion->to->utc) &&
               !conversion->to->dynamic) {
        if (!zoned && conversion->to->zone != NULL) {
            return in_zone(conversion, from, result);
        }
        if (!conversion->allow_loss) {
            return convert_refuse(conversion, from, ERROR_REJECT_TYPE,
                                  zoned ? "that it is UTC would be lost"
                                        : "it names no time zone: say with --time-zone "
                                          "which one is meant");
        }
        result->flags ^= CELL_ZONED;
    }
    return STATUS_OK;
}

static void interval_of(const struct conversion *conversion, int64_t nanoseconds,
                        struct cell *result)
{
    struct value_interval *interval = arena_allocate(conversion->arena, sizeof(*interval));
    *interval = (struct value_interval){.nanoseconds = nanoseconds};
    *result = (struct cell){.kind = VALUE_INTERVAL, .interval = interval};
}

static enum status to_interval(const struct conversion *conversion, const struct cell *from,
                               struct cell *result)
{
    if (from->kind == VALUE_INTERVAL) {
        *result = *from;
        return STATUS_OK;
    }
    if (from->kind == VALUE_TIME && (from->flags & CELL_ZONED) == 0) {
        interval_of(conversion, from->i64, result);
        return STATUS_OK;
    }
    if (from->kind != VALUE_TEXT) {
        return convert_refuse_kind(conversion, from);
    }
    if (time_parse_interval(from->text, from->length, conversion->arena, result) == STATUS_OK ||
        time_parse_length(from->text, from->length, conversion->arena, result) == STATUS_OK) {
        return STATUS_OK;
    }
    return convert_refuse(conversion, from, ERROR_REJECT_TYPE,
                          "it is neither an ISO duration nor hours, minutes and seconds");
}

/* 32 hex digits, hyphens between pairs of them, braces around all. */
static int uuid_of_text(const char *text, size_t length, uint8_t bytes[16])
{
    if (length >= 2 && text[0] == '{' && text[length - 1] == '}') {
        text++;
        length -= 2;
    }
    if (length != 32 && length != 36) {
        return 0;
    }
    size_t position = 0;
    for (size_t i = 0; i < 32; i++) {
        if (length == 36 && (i == 8 || i == 12 || i == 16 || i == 20) && text[position++] != '-') {
            return 0;
        }
        uint8_t digit = (uint8_t)text[position++];
        uint8_t letter = digit | 0x20;
        if (digit >= '0' && digit <= '9') {
            digit = (uint8_t)(digit - '0');
        } else if (letter >= 'a' && letter <= 'f') {
            digit = (uint8_t)(letter - 'a' + 10);
        } else {
            return 0;
        }
        bytes[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : bytes[i / 2] | digit);
    }
    return 1;
}

bool convert_read_uuid(const char *text, size_t length, struct arena *arena, struct cell *result)
{
    uint8_t *bytes = arena_allocate(arena, 16);
    *result = (struct cell){.kind = VALUE_UUID, .length = 16, .bytes = bytes};
    return length == 36 && uuid_of_text(text, length, bytes);
}

static enum status to_uuid(const struct conversion *conversion, const struct cell *from,
                           struct cell *result)
{
    if (from->kind == VALUE_UUID) {
        *result = *from;
        return STATUS_OK;
    }
    uint8_t bytes[16];
    const uint8_t *found;
    if (from->kind == VALUE_TEXT) {
        if (!uuid_of_text(from->text, from->length, bytes)) {
            return convert_refuse(conversion, from, ERROR_REJECT_TYPE, "it is not a UUID");
        }
        found = (const uint8_t *)arena_copy(conversion->arena, bytes, 16);
    } else if (from->kind == VALUE_BYTES) {
        if (from->length != 16) {
            return convert_refuse(conversion, from, ERROR_REJECT_TYPE, "it is not 16 bytes");
        }
        found = from->bytes;
    } else {
        return convert_refuse_kind(conversion, from);
    }
    *result = (struct cell){.kind = VALUE_UUID, .length = 16, .bytes = found};
    return STATUS_OK;
}

/* --- to LIST, SET and MAP --- */

struct ranked_item {
    struct canonical_hash hash;
    uint32_t index;
    uint32_t is_double;
};

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked_item *a = left;
    const struct ranked_item *b = right;
    if (a->hash.high != b->hash.high) {
        return a->hash.high < b->hash.high ? -1 : 1;
    }
    if (a->hash.low != b->hash.low) {
        return a->hash.low < b->hash.low ? -1 : 1;
    }
    return a->index < b->index ? -1 : a->index > b->index;
}

static int compare_by_index(const void *left, const void *right)
{
    const struct ranked_item *a = left;
    const struct ranked_item *b = right;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Fills `ranked` in the order of the list, doubles of earlier items marked; counts those that are
 * none. */
static enum status rank_items(const struct conversion *conversion, const struct cell *list,
                              struct ranked_item *ranked, uint32_t *distinct)
{
    struct buffer scratch = {0};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < list->length && status == STATUS_OK; i++) {
        ranked[i] = (struct ranked_item){.index = i};
        status =
            canonical_hash_cells(&list->items[i], 1, &scratch, &ranked[i].hash, conversion->error);
    }
    buffer_free(&scratch);
    *distinct = list->length;
    if (status == STATUS_OK) {
        qsort(ranked, list->length, sizeof(*ranked), compare_ranked);
        for (uint32_t i = 1; i < list->length; i++) {
            ranked[i].is_double = ranked[i].hash.high == ranked[i - 1].hash.high &&
                                  ranked[i].hash.low == ranked[i - 1].hash.low;
            *distinct -= ranked[i].is_double;
        }
        qsort(ranked, list->length, sizeof(*ranked), compare_by_index);
    }
    return status;
}

static enum status set_of_list(const struct conversion *conversion, const struct cell *from,
                               const struct cell *list, struct cell *result)
{
    *result = cell_items(VALUE_SET, list->items, list->length);
    if (list->length < 2) {
        return STATUS_OK;
    }
    struct ranked_item *ranked = memory_allocate_zeroed(list->length, sizeof(*ranked));
    uint32_t distinct = 0;
    enum status status = rank_items(conversion, list, ranked, &distinct);
    if (status == STATUS_OK && distinct < list->length && !conversion->allow_loss) {
        status = convert_refuse(conversion, from, ERROR_REJECT_TYPE, "it holds a value twice");
    } else if (status == STATUS_OK && distinct < list->length) {
        struct cell *items = arena_allocate_zeroed(conversion->arena, distinct, sizeof(*items));
        uint32_t filled = 0;
        for (uint32_t i = 0; i < list->length; i++) {
            if (!ranked[i].is_double) {
                items[filled++] = list->items[i];
            }
        }
        *result = cell_items(VALUE_SET, items, filled);
    }
    free(ranked);
    return status;
}

static enum status to_nested(const struct conversion *conversion, const struct cell *from,
                             struct cell *result)
{
    enum value_kind kind = conversion->to->kind;
    struct cell nested = *from;
    if (kind == VALUE_LIST && from->kind == VALUE_TEXT &&
        array_text_is_one(from->text, from->length)) {
        return array_text_read(from->text, from->length, conversion->to->element, conversion->arena,
                               result, conversion->error);
    }
    if (from->kind == VALUE_TEXT || from->kind == VALUE_JSON) {
        if (convert_read_json(from->text, from->length, conversion->arena, &nested,
                              conversion->error) != STATUS_OK) {
            return STATUS_FAILED;
        }
    }
    if (nested.kind == kind) {
        *result = nested;
        return STATUS_OK;
    }
    if (kind == VALUE_SET && nested.kind == VALUE_LIST) {
        return set_of_list(conversion, from, &nested, result);
    }
    if (kind == VALUE_LIST && nested.kind == VALUE_SET) {
        *result = cell_items(VALUE_LIST, nested.items, nested.length);
        return STATUS_OK;
    }
    return convert_refuse_kind(conversion, from);
}

/* --- LARGE --- */

enum status convert_refuse_large(uint64_t length, uint64_t bytes_max, struct error *error)
{
    return error_set(error, ERROR_REJECT_TOO_LARGE, NULL,
                     "a value of %llu bytes is too large here: %llu bytes at most",
                     (unsigned long long)length, (unsigned long long)bytes_max);
}

enum status convert_read_large(const struct cell *from, uint64_t bytes_max, struct arena *arena,
                               struct cell *result, struct error *error)
{
    struct large_value *large = from->large;
    bytes_max = bytes_max < UINT32_MAX ? bytes_max : UINT32_MAX;
    if (large->length > bytes_max) {
        return convert_refuse_large(large->length, bytes_max, error);
    }
    size_t length = (size_t)large->length;
    uint8_t *bytes = arena_try_allocate(arena, length + 1);
    if (bytes == NULL) {
        return error_set(error, ERROR_MEMORY, NULL, "no memory for a large value");
    }
    bytes[length] = 0;
    *result = cell_bytes(bytes, length);
    result->kind = (uint8_t)large->kind;
    return large->read(large, 0, bytes, length, error);
}

/* --- the choice --- */

typedef enum status converter(const struct conversion *conversion, const struct cell *from,
                              struct cell *result);

static converter *const converters[VALUE_KIND_COUNT] = {
    [VALUE_BOOL] = convert_to_bool,
    [VALUE_INT64] = convert_to_whole,
    [VALUE_UINT64] = convert_to_whole,
    [VALUE_FLOAT32] = convert_to_float,
    [VALUE_FLOAT64] = convert_to_float,
    [VALUE_DECIMAL] = convert_to_decimal,
    [VALUE_TEXT] = to_text,
    [VALUE_BYTES] = to_bytes,
    [VALUE_DATE] = to_date,
    [VALUE_TIME] = to_time,
    [VALUE_TIMESTAMP] = to_timestamp,
    [VALUE_INTERVAL] = to_interval,
    [VALUE_UUID] = to_uuid,
    [VALUE_JSON] = to_json,
    [VALUE_LIST] = to_nested,
    [VALUE_SET] = to_nested,
    [VALUE_MAP] = to_nested,
};

/* The kinds that look into JSON for the scalar there. */
static int sees_through_json(enum value_kind kind)
{
    return kind != VALUE_TEXT && kind != VALUE_BYTES && kind != VALUE_JSON && kind != VALUE_LIST &&
           kind != VALUE_SET && kind != VALUE_MAP;
}

enum status convert_value(const struct cell *from, const struct value_type *to, bool allow_loss,
                          struct arena *arena, struct cell *result, struct error *error)
{
    struct conversion conversion = {
        .to = to, .allow_loss = allow_loss, .arena = arena, .error = error};
    if (from->kind <= VALUE_NULL) {
        *result = *from;
        return STATUS_OK;
    }
    if (from->kind == VALUE_LARGE && to->kind != from->large->kind && to->kind != VALUE_LARGE) {
        struct cell whole;
        return convert_read_large(from, CONVERT_LARGE_BYTES_MAX, arena, &whole, error) == STATUS_OK
                   ? convert_value(&whole, to, allow_loss, arena, result, error)
                   : STATUS_FAILED;
    }
    if (from->kind == VALUE_LARGE) {
        *result = *from;
        return STATUS_OK;
    }
    if (to->kind == VALUE_ESCAPE && from->kind == VALUE_ESCAPE) {
        *result = *from;
        return STATUS_OK;
    }
    if (convert_counts((enum value_kind)from->kind, to)) {
        return convert_count(&conversion, from, result);
    }
    converter *convert = (unsigned)to->kind < VALUE_KIND_COUNT ? converters[to->kind] : NULL;
    if (convert == NULL || !convert_is_possible((enum value_kind)from->kind, to->kind)) {
        return convert_refuse_kind(&conversion, from);
    }
    if (from->kind == VALUE_JSON && sees_through_json(to->kind)) {
        struct cell scalar;
        if (convert_read_json(from->text, from->length, arena, &scalar, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        if (scalar.kind == VALUE_LIST || scalar.kind == VALUE_MAP) {
            return convert_refuse_kind(&conversion, from);
        }
        return convert_value(&scalar, to, allow_loss, arena, result, error);
    }
    return convert(&conversion, from, result);
}
