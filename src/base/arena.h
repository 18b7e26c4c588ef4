/* Memory handed out in one direction and freed as one: what a batch, a plan or a parse lives in. */
#ifndef TRANSHUME_BASE_ARENA_H
#define TRANSHUME_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

/*
 * An arena belongs to one thread at a time and may be handed over. Blocks come in sizes that grow
 * up to `block_bytes`; a larger request gets a block of its own.
 */
struct arena_block;
struct arena_hold;
struct arena {
    char *position; /* the first two are for arena_allocate's fast path only */
    char *limit;
    struct arena_block *blocks; /* the one in use first */
    struct arena_hold *holds;   /* of large allocations, which other arenas may share */
    size_t block_bytes;
    size_t next_block_bytes;
    size_t bytes;
};

/* Memory that runs out ends the program (base/memory.h), but where a function says `try`.
 * `block_bytes` 0 means 64 KiB. */
struct arena *arena_create(size_t block_bytes) __attribute__((returns_nonnull));
void arena_destroy(struct arena *arena); /* NULL is fine */

/* Forgets all contents, keeps one block for reuse. */
void arena_reset(struct arena *arena);

void *arena_allocate_slow(struct arena *arena, size_t size)
    __attribute__((malloc, returns_nonnull));

/* Aligned to 8 bytes. `size` 0 gives a valid pointer. (Without the attribute alloc_size, since
 * arena_try_extend changes it.) */
__attribute__((malloc, returns_nonnull)) static inline void *arena_allocate(struct arena *arena,
                                                                            size_t size)
{
    if (size > (size_t)(arena->limit - arena->position)) {
        return arena_allocate_slow(arena, size);
    }
    /* both are multiples of 8, so that rounding up stays inside */
    char *memory = arena->position;
    arena->position += (size + 7) & ~(size_t)7;
    return memory;
}
/* For sizes that come from data; NULL: no memory, or a size that no memory can have. */
void *arena_try_allocate(struct arena *arena, size_t size) __attribute__((malloc));
/* Zeroed; count × size is checked for overflow. */
void *arena_allocate_zeroed(struct arena *arena, size_t count, size_t size)
    __attribute__((returns_nonnull));
/* Copies `length` bytes and adds a NUL after them. */
char *arena_copy(struct arena *arena, const void *bytes, size_t length)
    __attribute__((returns_nonnull));
/* The same of data, which may be large; NULL: no memory. */
char *arena_try_copy(struct arena *arena, const void *bytes, size_t length);

/*
 * Large values are handed on, not copied. What arena_try_copy makes of ARENA_SHARED_BYTES or more,
 * and what arena_take_over takes, is freed when the last arena lets go of it, and arenas of several
 * threads may hold it; nobody changes it any more. arena_try_share: lets `arena` hold what the
 * bytes lie in; 0: they are in no such memory, and have to be copied.
 */
enum { ARENA_SHARED_BYTES = 1 << 20 };
int arena_try_share(struct arena *arena, const void *bytes, size_t length);
/* Takes over memory that `release` frees, and lets `arena` hold it. */
void arena_take_over(struct arena *arena, void *memory, size_t bytes, void (*release)(void *));

char *arena_copy_string(struct arena *arena, const char *string) __attribute__((returns_nonnull));
char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3), returns_nonnull));

/* Changes the size of the arena's last allocation in place if there is room; false: allocate
 * again and copy. To make it smaller gives the rest back. */
int arena_try_extend(struct arena *arena, void *last, size_t old_size, size_t new_size);

/* A list with room for more elements of `size`, which is zeroed: the first `count` are those of
 * `list` (NULL if there are none). Grows `*capacity`; the old list stays in the arena. */
void *arena_grow_list(struct arena *arena, const void *list, uint32_t count, uint32_t *capacity,
                      size_t size) __attribute__((returns_nonnull));

/* The list itself, if it has room for one more. */
static inline void *arena_make_room(struct arena *arena, void *list, uint32_t count,
                                    uint32_t *capacity, size_t size)
{
    return count < *capacity ? list : arena_grow_list(arena, list, count, capacity, size);
}

/* Bytes taken from the system, the measure for every byte bound. */
size_t arena_bytes(const struct arena *arena);

#endif
