/* A folder of jsonl as a source: the archive is the folder, definitions among it. */
#include "support.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_read_folder("jsonl", (struct text){(const char *)data, size});
    return 0;
}
