/* state.json, as `transhume status` shows it: as it is, coloured, in little room, and with a
 * rollback that is under way. */
#include "support.h"

#include "cli/state_view.h"
#include <string.h>

/* What is told of a rollback stays JSON, and is told once. */
static void add_rollback(const char *json)
{
    struct buffer told = {0};
    buffer_append_string(&told, json);
    state_view_add_rollback("20260101T000000Z-abcdef", &told);
    size_t length = told.length;
    state_view_add_rollback("20260101T000000Z-abcdef", &told);
    FUZZ_REQUIRE(told.length == length);
    buffer_free(&told);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_create(0);
    char *json = arena_copy(arena, data, size);
    struct state_watch watch = {0};
    (void)state_view_is_open(json);
    add_rollback(json);
    for (int round = 0; round < 4; round++) {
        watch.rows = round > 2 ? 2 : 0;
        struct buffer out = {0};
        struct error error = {0};
        enum status status = state_view_append(json, round > 0, round > 1, &watch, &out, &error);
        if (status != STATUS_OK) {
            fuzz_check_error(&error);
        }
        FUZZ_REQUIRE(text_is_utf8(buffer_string(&out), out.length));
        for (size_t at = 0; at < out.length; at++) {
            unsigned char byte = (unsigned char)out.data[at];
            FUZZ_REQUIRE(byte >= ' ' || byte == '\n' || (round > 1 && byte == 0x1b));
        }
        buffer_free(&out);
    }
    arena_destroy(arena);
    return 0;
}
