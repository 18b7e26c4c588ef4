/* DynamoDB's items and pages: read, written again, read as the same; and keys kept in the ledger.
 */
#include "support.h"

#include "connectors/dynamodb/item.h"
#include "connectors/dynamodb/network/page.h"
#include "connectors/keyed/spill.h"
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

static void read_item(struct text text, struct arena *arena)
{
    struct json_reader reader;
    struct error error = {0};
    struct cell map = {0};
    struct cell again = {0};
    struct cell normal = {0};
    struct buffer out = {0};
    json_reader_init(&reader, text.data, text.length, DYNAMODB_JSON_DEPTH_MAX, arena);
    if (dynamodb_item_read(&reader, false, arena, &map, &error) != STATUS_OK) {
        fuzz_check_error(&error);
        return;
    }
    FUZZ_REQUIRE(map.kind == VALUE_MAP);
    struct dynamodb_encoder *encoder = dynamodb_encoder_create(NULL, NULL, 0);
    if (dynamodb_encoder_append(encoder, &map, &out, &error) == STATUS_OK) {
        json_reader_init(&reader, out.data, out.length, DYNAMODB_JSON_DEPTH_MAX, arena);
        FUZZ_REQUIRE(dynamodb_item_read(&reader, false, arena, &again, &error) == STATUS_OK);
        FUZZ_REQUIRE(dynamodb_item_normal_form(&map, arena, &normal, &error) == STATUS_OK);
        FUZZ_REQUIRE(value_equal(&normal, &again));
    } else {
        fuzz_check_error(&error);
        FUZZ_REQUIRE(out.length == 0);
    }
    dynamodb_encoder_destroy(encoder);
    buffer_free(&out);
}

static void read_page(struct text text, bool by_key, struct arena *arena)
{
    struct dynamodb_page page = {0};
    struct error error = {0};
    struct text item = {0};
    enum status status = by_key
                             ? dynamodb_page_read_batch(text.data, text.length, "t", &page, &error)
                             : dynamodb_page_read(text.data, text.length, &page, &error);
    while (status == STATUS_OK) {
        status = dynamodb_page_next(&page, &item, &error);
        if (status == STATUS_OK) {
            FUZZ_REQUIRE(item.data >= text.data &&
                         item.data + item.length <= text.data + text.length);
            read_item(item, arena);
        }
    }
    if (status == STATUS_FAILED) {
        fuzz_check_error(&error);
    }
}

static enum status visit(void *context, uint64_t chunk, const struct keyed_key *key,
                         struct error *error)
{
    uint64_t *sum = context;
    (void)chunk;
    (void)error;
    for (size_t at = 0; at < key->length; at++) {
        *sum += key->bytes[at];
    }
    for (size_t at = 0; at < key->table_length; at++) {
        *sum += (unsigned char)key->table[at];
    }
    return STATUS_OK;
}

/* Once as it is, once as what zstd packs. */
static void read_spill(const uint8_t *data, size_t size)
{
    struct error error = {0};
    uint64_t sum = 0;
    size_t capacity = ZSTD_compressBound(size);
    void *packed = malloc(capacity);
    size_t length = ZSTD_compress(packed, capacity, data, size, 1);
    if (keyed_spill_unpack(packed, length, 1, visit, &sum, &error) != STATUS_OK) {
        fuzz_check_error(&error);
    }
    if (keyed_spill_unpack(data, size, 1, visit, &sum, &error) != STATUS_OK) {
        fuzz_check_error(&error);
    }
    free(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_create(0);
    struct text text = {(const char *)data, size};
    read_item(text, arena);
    read_page(text, false, arena);
    read_page(text, true, arena);
    read_spill(data, size);
    arena_destroy(arena);
    return 0;
}
