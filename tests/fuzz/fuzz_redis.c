/* Replies of a Redis server: whatever comes, it is read within its bounds or refused; a reply that
 * is found whole is read whole, and again the same when it comes in two pieces. */
#include "support.h"

#include "connectors/redis/redis.h"

static void read_reply(const char *bytes, size_t length)
{
    struct error error = {0};
    struct resp_value value;
    struct cell record;
    struct arena *arena = arena_create(0);
    if (resp_read(bytes, length, arena, &value, &error) == STATUS_OK) {
        (void)!redis_record_read(&value, REDIS_HASH, NULL, arena, &record, &error);
        (void)!redis_record_read(&value, REDIS_JSON, NULL, arena, &record, &error);
    }
    arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {0};
    const char *bytes = (const char *)data;
    for (size_t at = 0; at < size;) {
        struct resp_scan whole = {0};
        struct resp_scan pieces = {0};
        enum status status = resp_find_end(&whole, bytes + at, size - at, &error);
        if (status == STATUS_OK) {
            read_reply(bytes + at, whole.at);
            FUZZ_REQUIRE(resp_find_end(&pieces, bytes + at, whole.at / 2, &error) == STATUS_AGAIN);
            FUZZ_REQUIRE(resp_find_end(&pieces, bytes + at, size - at, &error) == STATUS_OK);
            FUZZ_REQUIRE(pieces.at == whole.at);
        }
        if (status != STATUS_OK) {
            if (status == STATUS_FAILED) {
                fuzz_check_error(&error);
            }
            return 0;
        }
        at += whole.at;
    }
    return 0;
}
