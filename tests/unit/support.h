/* What unit tests share: cmocka, a seeded source of randomness, and random values of every kind. */
#ifndef TRANSHUME_UNIT_SUPPORT_H
#define TRANSHUME_UNIT_SUPPORT_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
/* clang-format on */
#include "base/arena.h"
#include "base/buffer.h"
#include "model/value.h"

struct random {
    uint64_t state;
};

/* Seeded by TRANSHUME_SEED or the clock; prints the seed. */
struct random random_start(void);
uint64_t random_bits(struct random *random);
/* 0 to below `limit`, which is not 0. */
uint64_t random_below(struct random *random, uint64_t limit);
int64_t random_between(struct random *random, int64_t least, int64_t most);

/* `count` in make test, twenty times as many in make soak. */
long test_rounds(long count);

/* A value of any kind but LARGE, containers nested up to `depth` levels; lives in the arena. */
struct cell random_value(struct random *random, struct arena *arena, int depth);
/* Of this kind. */
struct cell random_value_of(struct random *random, enum value_kind kind, struct arena *arena,
                            int depth);
/* Well-formed UTF-8 with characters of one to four bytes, NUL, quotes and controls. */
size_t random_text(struct random *random, char *out, size_t capacity);

/* The buffer's contents are `expected`; empties it. */
void assert_buffer(struct buffer *buffer, const char *expected);
/* A folder of its own under the temporary folder, made anew at each call; removed with all that is
 * in it when the test program ends. The path lives until the next call. */
const char *test_folder(void);
/* Skips the test under what computes long doubles as doubles, as valgrind does: SQLite reads and
 * writes floats by them, and gets other digits. */
void skip_without_long_double(void);

#endif
