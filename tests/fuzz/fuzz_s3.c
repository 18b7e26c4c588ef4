/* An answer to ListObjectsV2 or ListMultipartUploads, which is anybody's. */
#include "support.h"

#include "net/s3.h"
#include <string.h>

static void read_uploads(const char *text, size_t size, struct arena *arena)
{
    struct s3_uploads page;
    struct error error = {0};
    if (s3_uploads_read(text, size, arena, &page, &error) != STATUS_OK) {
        fuzz_check_error(&error);
        return;
    }
    for (uint32_t i = 0; i < page.count; i++) {
        FUZZ_REQUIRE(strlen(page.uploads[i].key) <= size);
        FUZZ_REQUIRE(strlen(page.uploads[i].id) <= size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_create(0);
    struct s3_page page;
    struct error error = {0};
    const char *text = arena_copy(arena, size > 0 ? (const void *)data : "", size);
    read_uploads(text, size, arena);
    if (s3_page_read(text, size, arena, &page, &error) != STATUS_OK) {
        fuzz_check_error(&error);
        arena_destroy(arena);
        return 0;
    }
    for (uint32_t i = 0; i < page.count; i++) {
        FUZZ_REQUIRE(strlen(page.objects[i].key) <= size);
        FUZZ_REQUIRE(strlen(page.objects[i].etag) <= size);
        FUZZ_REQUIRE(page.objects[i].bytes <= INT64_MAX);
    }
    FUZZ_REQUIRE(page.next == NULL || strlen(page.next) <= size);
    arena_destroy(arena);
    return 0;
}
