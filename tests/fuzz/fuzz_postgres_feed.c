/* What a walsender sends: "M", a message of pgoutput; "S", one of a stream; "W", a CopyData around
 * one; "T", a byte for the type and a value's text; else messages of one feed, two bytes for the
 * length before each. */
#include "support.h"

#include "connectors/postgres/follow/feed.h"
#include "connectors/postgres/source.h"
#include "model/canonical.h"
#include <string.h>

enum { GOLD = 0x4000, FIELDS = 4, PRINTED_BYTES_MAX = 200 };

static void look_at(const struct cell *cell)
{
    struct buffer scratch = {0};
    value_print(cell, PRINTED_BYTES_MAX, &scratch);
    FUZZ_REQUIRE(text_is_utf8(scratch.data != NULL ? scratch.data : "", scratch.length));
    buffer_free(&scratch);
}

static void read_text(struct text input, struct arena *arena)
{
    struct cell cell = {0};
    if (input.length == 0) {
        return;
    }
    struct postgres_type type = {
        .format = (enum postgres_format)((uint8_t)input.data[0] % (POSTGRES_AS_CAST + 1))};
    enum status status = postgres_decode_text(&type, false, input.data + 1,
                                              (uint32_t)input.length - 1, arena, &cell);
    FUZZ_REQUIRE(status != STATUS_AGAIN);
    if (status == STATUS_OK) {
        look_at(&cell);
    }
}

static void visit_tuple(const struct pgoutput_tuple *tuple)
{
    struct pgoutput_value value;
    size_t at = 0;
    for (uint16_t i = 0; tuple->columns != NULL && i < tuple->count; i++) {
        pgoutput_next_value(tuple, &at, &value);
        FUZZ_REQUIRE(at <= tuple->length);
    }
}

static void read_message(struct text input, bool streamed)
{
    struct pgoutput_message message;
    struct pgoutput_column column;
    size_t at = 0;
    if (!pgoutput_read((const uint8_t *)input.data, input.length, streamed, &message)) {
        return;
    }
    visit_tuple(&message.old);
    visit_tuple(&message.new);
    for (uint16_t i = 0; message.kind == PGOUTPUT_RELATION && i < message.column_count; i++) {
        pgoutput_next_column(&message, &at, &column);
        FUZZ_REQUIRE(at <= message.rest_length);
    }
    for (uint32_t i = 0; message.kind == PGOUTPUT_TRUNCATE && i < message.relation_count; i++) {
        (void)pgoutput_truncated(&message, i);
    }
}

static void read_frame(struct text input)
{
    struct pgoutput_frame frame;
    if (pgoutput_read_frame((const uint8_t *)input.data, input.length, &frame) &&
        !frame.keepalive) {
        read_message((struct text){(const char *)frame.payload, frame.length}, false);
    }
}

/* ---- a feed of one table */

static void visit_set(const struct change_set *set)
{
    FUZZ_REQUIRE(!postgres_feed_functions.covers(set->begin, set->end) || !set->last_piece);
    for (uint32_t i = 0; i < set->change_count; i++) {
        const struct record_change *change = &set->changes[i];
        FUZZ_REQUIRE(change->table < set->table_count);
        FUZZ_REQUIRE((change->key != NULL) == (change->operation != RECORD_TRUNCATE));
        for (uint32_t field = 0; change->after != NULL && field < FIELDS; field++) {
            look_at(&change->after[field]);
        }
    }
}

static void follow(struct text input, struct arena *arena)
{
    static const struct shape_field fields[FIELDS] = {
        {"id", 2, {.kind = VALUE_INT64}},
        {"name", 4, {.kind = VALUE_TEXT}},
        {"big", 3, {.kind = VALUE_TEXT}},
        {"n", 1, {.kind = VALUE_DECIMAL}},
    };
    static const struct postgres_type types[FIELDS] = {
        {POSTGRES_AS_INT4, {0}},
        {POSTGRES_AS_TEXT, {0}},
        {POSTGRES_AS_BYTEA, {0}},
        {POSTGRES_AS_NUMERIC, {0}},
    };
    static const bool key[FIELDS] = {true};
    static const uint32_t key_fields[] = {0};
    const struct shape shape = {"gold", fields, FIELDS, key_fields, 1};
    struct postgres_database database = {.utf8 = true};
    struct feed_relation relation = {
        .oid = GOLD, .name = "gold", .shape = &shape, .types = types, .key = key};
    struct feed_relation *added = &relation;
    struct feed feed = {.self = &database, .name = "f", .arena = arena};
    struct error error = {0};
    enum status status = STATUS_OK;
    HASH_ADD(hh, feed.relations, oid, sizeof added->oid, added);
    for (size_t at = 0; at + 2 <= input.length && status == STATUS_OK;) {
        size_t length = (size_t)(uint8_t)input.data[at] << 8 | (uint8_t)input.data[at + 1];
        at += 2;
        length = length < input.length - at ? length : input.length - at;
        struct change_set *set = NULL;
        /* of a table that is not known yet the server is asked */
        if (length == 0 || input.data[at] != PGOUTPUT_RELATION) {
            status = postgres_feed_take(&feed, (const uint8_t *)input.data + at, length, false,
                                        &set, &error);
        }
        at += length;
        if (set != NULL) {
            visit_set(set);
            arena_destroy(set->arena);
        }
    }
    if (status != STATUS_OK) {
        fuzz_check_error(&error);
    }
    if (feed.making.set != NULL) {
        arena_destroy(feed.making.set->arena);
    }
    HASH_CLEAR(hh, feed.relations);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text input = {(const char *)data + 1, size > 0 ? size - 1 : 0};
    if (size == 0) {
        return 0;
    }
    struct arena *arena = arena_create(0);
    switch (data[0]) {
    case 'M':
    case 'S':
        read_message(input, data[0] == 'S');
        break;
    case 'W':
        read_frame(input);
        break;
    case 'T':
        read_text(input, arena);
        break;
    default:
        follow(input, arena);
    }
    arena_destroy(arena);
    return 0;
}
