/* The engine's texts in a ledger: "=== header", "=== status" and any number of "=== mark". */
#include "support.h"

#include "engine/ledger.h"
#include <string.h>

static bool is_named(const struct fuzz_part *part, const char *name)
{
    return part->name.length == strlen(name) &&
           memcmp(part->name.data, name, part->name.length) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MARKS_MAX = 16 };
    struct text archive = {(const char *)data, size};
    struct arena *arena = arena_create(0);
    struct done_mark marks[MARKS_MAX];
    struct ledger_run run = {.id = "r", .epoch = 1, .header = "", .status = "", .done = marks};
    struct fuzz_part part = {0};
    while (fuzz_next_part(&archive, &part)) {
        char *text = arena_copy(arena, part.bytes.data, part.bytes.length);
        if (is_named(&part, "header")) {
            run.header = text;
        } else if (is_named(&part, "status")) {
            run.status = text;
        } else if (run.done_count < MARKS_MAX) {
            uint64_t number = run.done_count + 1;
            marks[run.done_count++] = (struct done_mark){.chunk = number, .epoch = 1, .text = text};
        }
    }
    fuzz_read_engine_texts(&run, arena);
    arena_destroy(arena);
    return 0;
}
