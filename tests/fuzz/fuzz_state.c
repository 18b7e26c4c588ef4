/* state.json, as `transhume status` shows it. */
#include "support.h"

#include "cli/state_view.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_create(0);
    char *json = arena_copy(arena, data, size);
    struct state_watch watch = {0};
    (void)state_view_is_open(json);
    for (int round = 0; round < 3; round++) {
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
