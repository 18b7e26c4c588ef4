/*
 * Masks: what a value becomes that is not to be seen in the target.
 *
 *   hash          another value of the same kind, the same for equal values and another one for
 *                 others: texts become 32 hexadecimal digits (as many as fit), bytes and UUIDs 16
 *                 bytes; whole numbers others of about the same size, each another one
 *   redact [X]    X for all, by default ***
 *   partial [N]   a text's last N characters (4), and * for each letter and digit before them
 *   fake WHAT     a made-up name, first_name, last_name, email, phone, street, city or company;
 *                 the same for equal values, and maybe for others
 *   shuffle       the value of another row of the table; which, its caller knows, since it depends
 * on all rows
 *
 * What is null stays null, but for shuffle. All depends on the value and the key alone, so that
 * equal values are equal behind it, in whatever table, chunk or run.
 */
#ifndef TRANSHUME_MODEL_MASK_H
#define TRANSHUME_MODEL_MASK_H

#include "base/arena.h"
#include "base/error.h"
#include "base/siphash.h"
#include "model/value.h"
#include <stdbool.h>

enum mask_kind { MASK_HASH, MASK_REDACT, MASK_PARTIAL, MASK_FAKE, MASK_SHUFFLE };
enum mask_fake {
    MASK_FAKE_NAME,
    MASK_FAKE_FIRST_NAME,
    MASK_FAKE_LAST_NAME,
    MASK_FAKE_EMAIL,
    MASK_FAKE_PHONE,
    MASK_FAKE_STREET,
    MASK_FAKE_CITY,
    MASK_FAKE_COMPANY
};

struct mask {
    enum mask_kind kind;
    enum mask_fake fake;
    uint32_t keep;           /* MASK_PARTIAL: characters */
    uint32_t characters_max; /* of texts and bytes made; 0: no bound */
    uint64_t highest;        /* of whole numbers made */
    const char *said;        /* MASK_REDACT: as written; NULL: the kind's own */
    struct cell constant;    /* MASK_REDACT, once it is known of which kind: mask_fix */
    struct siphash_key key;
};

/* Reads "hash", "redact X" …; texts live in `arena`. STATUS_FAILED with ERROR_PLAN_INVALID. */
enum status mask_parse(const char *text, struct arena *arena, struct mask *mask,
                       struct error *error) MUST_USE;
/* Does it need a key? */
bool mask_needs_key(const struct mask *mask);
/* The key that a text stands for. */
void mask_set_key(struct mask *mask, const char *text);
/* May it be a column's whose values are of `kind`? NULL: yes; else why not. `fixes` of
 * MASK_REDACT: `constant` becomes the value that it stands for. */
const char *mask_fit(struct mask *mask, enum value_kind kind, struct arena *arena);
/*
 * Masks a cell in place; what is made lives in `arena`. A value of a kind that it can't mask (of a
 * column that holds kinds of all sorts, a large one) becomes an ESCAPE_OMITTED, so that its record
 * is a reject.
 */
void mask_cell(const struct mask *mask, struct arena *arena, struct cell *cell);
/* Makes it that ESCAPE_OMITTED. */
void mask_omit(const struct mask *mask, struct arena *arena, struct cell *cell);

/* mask_fake.c: appends the made-up text that 128 bits stand for. `like`: of a phone number. */
struct buffer;
void mask_fake_append(enum mask_fake what, const uint64_t bits[2], const char *like, size_t length,
                      struct buffer *out);

#endif
