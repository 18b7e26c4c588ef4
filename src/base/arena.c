/* Arenas: blocks in a list, the one in use at its head. */
#include "base/arena.h"

#include "base/memory.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES_DEFAULT = 65536, BLOCK_BYTES_FIRST = 4096 };

struct arena_block {
    struct arena_block *next;
    size_t size; /* with this header */
};
_Static_assert(sizeof(struct arena_block) % 8 == 0, "what follows a header is aligned");

/* A large allocation. */
struct shared {
    struct shared *next; /* in the list of all */
    char *bytes;
    size_t size;
    void (*release)(void *);
    uint32_t holders;
};

struct arena_hold {
    struct arena_hold *next;
    struct shared *shared;
};

/* There are never many. */
static pthread_mutex_t shared_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct shared *all_shared;

static size_t round_up(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

/* No block yet: allocations of no bytes still get a pointer. */
static void forget_room(struct arena *arena)
{
    arena->position = (char *)arena;
    arena->limit = (char *)arena;
    arena->bytes = sizeof(*arena);
}

struct arena *arena_create(size_t block_bytes)
{
    struct arena *arena = memory_allocate_zeroed(1, sizeof(*arena));
    if (block_bytes == 0) {
        block_bytes = BLOCK_BYTES_DEFAULT;
    }
    arena->block_bytes = round_up(block_bytes < 64 ? 64 : block_bytes);
    arena->next_block_bytes =
        arena->block_bytes < BLOCK_BYTES_FIRST ? arena->block_bytes : BLOCK_BYTES_FIRST;
    forget_room(arena);
    return arena;
}

static void free_blocks(struct arena_block *block)
{
    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
}

/* ---- large allocations */

static void base_arena_hold(struct arena *arena, struct shared *shared)
{
    struct arena_hold *made = memory_allocate_zeroed(1, sizeof(*made));
    made->shared = shared;
    made->next = arena->holds;
    arena->holds = made;
    arena->bytes += shared->size;
}

void arena_take_over(struct arena *arena, void *memory, size_t bytes, void (*release)(void *))
{
    struct shared *made = memory_allocate_zeroed(1, sizeof(*made));
    *made = (struct shared){.bytes = memory, .size = bytes, .release = release, .holders = 1};
    pthread_mutex_lock(&shared_mutex);
    made->next = all_shared;
    all_shared = made;
    pthread_mutex_unlock(&shared_mutex);
    base_arena_hold(arena, made);
}

int arena_try_share(struct arena *arena, const void *bytes, size_t length)
{
    const char *at = bytes;
    if (length < ARENA_SHARED_BYTES) {
        return 0;
    }
    pthread_mutex_lock(&shared_mutex);
    struct shared *found = all_shared;
    while (found != NULL && (at < found->bytes || at + length > found->bytes + found->size)) {
        found = found->next;
    }
    if (found != NULL) {
        found->holders++;
    }
    pthread_mutex_unlock(&shared_mutex);
    if (found != NULL) {
        base_arena_hold(arena, found);
    }
    return found != NULL;
}

static void let_go(struct shared *shared)
{
    pthread_mutex_lock(&shared_mutex);
    bool last = --shared->holders == 0;
    struct shared **at = &all_shared;
    while (last && *at != shared) {
        at = &(*at)->next;
    }
    if (last) {
        *at = shared->next;
    }
    pthread_mutex_unlock(&shared_mutex);
    if (last) {
        shared->release(shared->bytes);
        free(shared);
    }
}

static void let_all_go(struct arena *arena)
{
    while (arena->holds != NULL) {
        struct arena_hold *next = arena->holds->next;
        let_go(arena->holds->shared);
        free(arena->holds);
        arena->holds = next;
    }
}

void arena_destroy(struct arena *arena)
{
    if (arena != NULL) {
        let_all_go(arena);
        free_blocks(arena->blocks);
        free(arena);
    }
}

void arena_reset(struct arena *arena)
{
    struct arena_block *kept = NULL;
    struct arena_block *block = arena->blocks;
    let_all_go(arena);
    while (block != NULL) {
        struct arena_block *next = block->next;
        if (block->size <= arena->block_bytes && (kept == NULL || block->size > kept->size)) {
            free(kept);
            kept = block;
        } else {
            free(block);
        }
        block = next;
    }
#if defined(__SANITIZE_ADDRESS__)
    free(kept); /* so that a use after the reset is seen */
    kept = NULL;
#endif
    arena->blocks = kept;
    forget_room(arena);
    if (kept != NULL) {
        kept->next = NULL;
        arena->bytes += kept->size;
        arena->position = (char *)(kept + 1);
        arena->limit = (char *)kept + kept->size;
    }
}

/* A block of its own, put behind the one in use, which goes on being used. */
static void *allocate_alone(struct arena *arena, size_t size)
{
    size_t total = sizeof(struct arena_block) + size;
    struct arena_block *block = malloc(total);
    if (block == NULL) {
        return NULL;
    }
    block->size = total;
    if (arena->blocks == NULL) {
        block->next = NULL;
        arena->blocks = block;
    } else {
        block->next = arena->blocks->next;
        arena->blocks->next = block;
    }
    arena->bytes += total;
    return block + 1;
}

/* NULL: no memory. */
static void *allocate(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX - 64) {
        return NULL;
    }
    size = round_up(size);
    size_t usable = arena->next_block_bytes - sizeof(struct arena_block);
    if (size > usable / 4) {
        while (arena->next_block_bytes < arena->block_bytes && size > usable / 4) {
            arena->next_block_bytes = arena->next_block_bytes * 2 < arena->block_bytes
                                          ? arena->next_block_bytes * 2
                                          : arena->block_bytes;
            usable = arena->next_block_bytes - sizeof(struct arena_block);
        }
        if (size > usable / 4) {
            return allocate_alone(arena, size);
        }
    }
    struct arena_block *block = malloc(arena->next_block_bytes);
    if (block == NULL) {
        return NULL;
    }
    block->size = arena->next_block_bytes;
    block->next = arena->blocks;
    arena->blocks = block;
    arena->bytes += block->size;
    arena->position = (char *)(block + 1) + size;
    arena->limit = (char *)block + block->size;
    if (arena->next_block_bytes < arena->block_bytes) {
        size_t doubled = arena->next_block_bytes * 2;
        arena->next_block_bytes = doubled < arena->block_bytes ? doubled : arena->block_bytes;
    }
    return block + 1;
}

void *arena_allocate_slow(struct arena *arena, size_t size)
{
    void *memory = allocate(arena, size);
    if (memory == NULL) {
        memory_exhausted(size);
    }
    return memory;
}

void *arena_try_allocate(struct arena *arena, size_t size)
{
    return size > (size_t)(arena->limit - arena->position) ? allocate(arena, size)
                                                           : arena_allocate(arena, size);
}

void *arena_allocate_zeroed(struct arena *arena, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
        memory_exhausted(0);
    }
    void *memory = arena_allocate(arena, total);
    memset(memory, 0, total);
    return memory;
}

static char *copy_to(char *copy, const void *bytes, size_t length)
{
    if (length > 0) {
        memcpy(copy, bytes, length);
    }
    copy[length] = '\0';
    return copy;
}

char *arena_copy(struct arena *arena, const void *bytes, size_t length)
{
    return copy_to(arena_allocate(arena, length + 1), bytes, length);
}

char *arena_try_copy(struct arena *arena, const void *bytes, size_t length)
{
    bool large = length >= ARENA_SHARED_BYTES && length != SIZE_MAX;
    char *copy = length == SIZE_MAX ? NULL
                 : large            ? malloc(length + 1)
                                    : arena_try_allocate(arena, length + 1);
    if (large && copy != NULL) {
        arena_take_over(arena, copy, length + 1, free);
    }
    return copy == NULL ? NULL : copy_to(copy, bytes, length);
}

char *arena_copy_string(struct arena *arena, const char *string)
{
    return arena_copy(arena, string, strlen(string));
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        memory_exhausted(0);
    }
    char *text = arena_allocate(arena, (size_t)length + 1);
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

int arena_try_extend(struct arena *arena, void *last, size_t old_size, size_t new_size)
{
    char *start = last;
    if (start + round_up(old_size) != arena->position ||
        new_size > (size_t)(arena->limit - start)) {
        return 0;
    }
    arena->position = start + round_up(new_size);
    return 1;
}

void *arena_grow_list(struct arena *arena, const void *list, uint32_t count, uint32_t *capacity,
                      size_t size)
{
    *capacity = *capacity * 2 + 64;
    void *grown = arena_allocate_zeroed(arena, *capacity, size);
    if (count > 0) {
        memcpy(grown, list, count * size);
    }
    return grown;
}

size_t arena_bytes(const struct arena *arena)
{
    return arena->bytes;
}
