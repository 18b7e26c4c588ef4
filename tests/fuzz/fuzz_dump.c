/* A dump as a source, read whole and in spans. The first byte says the dialect, or that it is to be
 * recognised. */
#include "support.h"

#include <string.h>

enum { ROW_BYTES = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const dialects[] = {"", "&dialect=postgres", "&dialect=mysql",
                                           "&dialect=sqlite"};
    if (size < 1) {
        return 0;
    }
    struct arena *arena = arena_create(0);
    fuzz_empty_folder();
    fuzz_write("script", strlen("script"), data + 1, size - 1);
    /* no other program is started */
    const char *uri =
        arena_format(arena, "dump:%s/script?pg_restore=/none&record_bytes=%d%s", fuzz_folder(),
                     ROW_BYTES, dialects[data[0] % 4]);
    struct database *source = fuzz_open(uri, OPEN_SOURCE, arena);
    if (source != NULL) {
        fuzz_read_source(source, true, arena);
        source->connector->close(source);
    }
    arena_destroy(arena);
    return 0;
}
