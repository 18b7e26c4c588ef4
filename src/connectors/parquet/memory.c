/* Memory that carquet allocates for a file that is read is bounded: the sizes are claims of the
 * file. */
#include "connectors/parquet/parquet.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * carquet has one allocator for the whole process, and decodes a page on the thread that asks for
 * its values: the file for which a thread works is known to that thread alone.
 */
static _Thread_local struct parquet_memory *working;
static pthread_once_t allocator_once = PTHREAD_ONCE_INIT;

static bool has_room(struct parquet_memory *memory, size_t bytes)
{
    bool has = bytes <= memory->most && memory->taken <= memory->most - bytes;
    if (!has && memory->refused == 0) {
        memory->refused = bytes;
    }
    return has;
}

bool parquet_memory_take(struct parquet_memory *memory, size_t bytes)
{
    bool has = has_room(memory, bytes);
    memory->taken += has ? bytes : 0;
    return has;
}

/* ---------------------------------------------------------------- carquet's allocator */

static bool may_allocate(size_t bytes)
{
    return working == NULL || has_room(working, bytes);
}

static void memory_count(void *block, size_t bytes_before)
{
    if (working != NULL) {
        uint64_t taken = working->taken + malloc_usable_size(block);
        working->taken = taken > bytes_before ? taken - bytes_before : 0;
    }
}

static void *allocate(size_t bytes, void *context)
{
    (void)context;
    void *block = may_allocate(bytes) ? malloc(bytes) : NULL;
    memory_count(block, 0);
    return block;
}

static void *reallocate(void *block, size_t bytes, void *context)
{
    (void)context;
    size_t before = malloc_usable_size(block);
    void *moved = may_allocate(bytes) ? realloc(block, bytes) : NULL;
    if (moved != NULL) {
        memory_count(moved, before);
    }
    return moved;
}

static void memory_release(void *block, void *context)
{
    (void)context;
    memory_count(NULL, malloc_usable_size(block));
    free(block);
}

static void set_allocator(void)
{
    const carquet_allocator_t allocator = {
        .malloc = allocate, .realloc = reallocate, .free = memory_release};
    carquet_set_allocator(&allocator);
}

void parquet_memory_prepare(void)
{
    pthread_once(&allocator_once, set_allocator);
}

void parquet_memory_begin(struct parquet_memory *memory, uint64_t file_bytes)
{
    uint64_t pages = (uint64_t)sysconf(_SC_PHYS_PAGES);
    uint64_t half = pages * (uint64_t)sysconf(_SC_PAGESIZE) / 2;
    uint64_t most = PARQUET_MEMORY_BASE + file_bytes * PARQUET_MEMORY_PER_BYTE;
    *memory = (struct parquet_memory){.most = most < half ? most : half};
}

void parquet_memory_enter(struct parquet_memory *memory)
{
    working = memory;
}

void parquet_memory_leave(void)
{
    working = NULL;
}
