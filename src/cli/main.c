/* The program's entry; everything else is in the library that tests link too. */
#include "cli/cli.h"
#include <malloc.h>

/* Batches are freed by another thread than the one that asks for the next: an allocator that gives
 * each back to the system at once spends a tenth of a copy's processor time on page faults, and one
 * that keeps a heap for each thread has what one thread freed lie idle while others ask for more.
 */
static void keep_freed_memory(void)
{
#ifdef __GLIBC__
    enum { KEPT_BYTES = 4 << 20, MAPPED_BYTES_MIN = 2 << 20, HEAPS = 2 };
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES_MIN);
    (void)mallopt(M_ARENA_MAX, HEAPS);
#endif
}

int main(int argument_count, char **arguments)
{
    keep_freed_memory();
    return cli_main(argument_count, arguments);
}
