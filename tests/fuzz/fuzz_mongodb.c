/* BSON as a server sends it: whatever comes, it is read within its bounds or refused; what was read
 * is written as BSON again, from which the same is read. */
#include "support.h"

#include "connectors/mongodb/mongodb.h"

static void write_again(const struct cell *map, struct arena *arena)
{
    struct buffer bytes = {0};
    struct error error = {0};
    struct cell again;
    enum status status = STATUS_OK;
    size_t begin = mongodb_write_begin(&bytes);
    for (uint32_t at = 0; at < map->length && status == STATUS_OK; at++) {
        const struct cell *name = &map->items[2 * (size_t)at];
        status = mongodb_write_cell(&bytes, name->text, name->length, name + 1, MONGODB_DEPTH_MAX,
                                    &error);
    }
    mongodb_write_end(&bytes, begin);
    if (status != STATUS_OK) {
        FUZZ_REQUIRE(error.class == ERROR_CLASS_REJECT);
    } else {
        FUZZ_REQUIRE(mongodb_read_document((const uint8_t *)bytes.data, bytes.length, NULL, arena,
                                           &again, &error) == STATUS_OK);
        FUZZ_REQUIRE(value_equal(map, &again));
    }
    buffer_free(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {0};
    struct cell map;
    struct mongodb_element low;
    struct mongodb_element high;
    bool has_low = false;
    bool has_high = false;
    struct arena *arena = arena_create(0);
    const struct span span = {.bounds = data, .bounds_length = (uint32_t)size};
    if (mongodb_read_document(data, size, NULL, arena, &map, &error) == STATUS_OK) {
        write_again(&map, arena);
    } else {
        fuzz_check_error(&error);
    }
    (void)mongodb_span_read(&span, &low, &has_low, &high, &has_high);
    arena_destroy(arena);
    return 0;
}
