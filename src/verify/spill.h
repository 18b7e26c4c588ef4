/* Records of the second reading, on disk in parts by their keys, so that each part fits in memory.
 */
#ifndef TRANSHUME_VERIFY_SPILL_H
#define TRANSHUME_VERIFY_SPILL_H

#include "verify/verify_internal.h"
#include <string.h>

/*
 * A part is a file of entries, integers in the machine's own order since it never leaves it:
 *   struct spill_head, then
 *   key      the key as typed JSON: {"id":5}; of a record without one all of it
 *   fields   of each field: u16 length of the name, name, u64 XXH3 of the value, u8 its kind, u32
 *            length of it as people read it, that; with whole values u32 length of the canonical
 *            bytes and those
 *   record   as typed JSON, where a repair may need it
 */
struct spill_head {
    uint32_t length; /* of all of the entry */
    uint32_t table;
    uint32_t entity; /* UINT32_MAX: not known */
    uint32_t side;   /* enum verify_side */
    struct canonical_hash key;
    struct canonical_hash hash;
    uint32_t key_length;
    uint32_t fields_length;
    uint32_t field_count;
    uint32_t record_length;
};

struct spill_options {
    const struct verify_table *tables; /* to name records */
    bool values;                       /* whole values, for level full */
    bool records;                      /* the source's, for a repair */
};

/* `expected_bytes` is a guess from which the number of parts comes. */
enum status spill_create(const char *folder, uint64_t expected_bytes, struct spill_options options,
                         struct spill **spill, struct error *error) MUST_USE;
/* Closes and removes all files. NULL is fine. */
void spill_destroy(struct spill *spill);

/* Makes entries; belongs to one thread. */
struct spiller {
    struct spill *spill;
    struct buffer entry;
};
/* The former's record in hand. `head` has side, table and entity. */
enum status spiller_add(struct spiller *spiller, struct spill_head head,
                        const struct former *former, const struct record_form *form,
                        struct error *error) MUST_USE;
void spiller_free(struct spiller *spiller);

/* All entries of a table, part by part, sorted by key, side and hash: `group` is given those of one
 * key each time. */
struct spill_group {
    const struct spill_head *const *entries;
    uint32_t count;
};
enum status spill_walk(struct spill *spill,
                       enum status (*group)(void *context, const struct spill_group *group,
                                            struct error *error),
                       void *context, struct error *error) MUST_USE;

/* Is it told from others by a key? Else `key` is that of all of it. */
static inline bool spill_is_keyed(const struct spill_head *head)
{
    return memcmp(&head->key, &head->hash, sizeof(head->key)) != 0;
}
static inline const char *spill_key(const struct spill_head *head)
{
    return (const char *)(head + 1);
}
static inline const char *spill_fields(const struct spill_head *head)
{
    return spill_key(head) + head->key_length;
}
static inline const char *spill_record(const struct spill_head *head)
{
    return spill_fields(head) + head->fields_length;
}

/* One field of an entry; `at` moves behind it. */
struct spill_field {
    const char *name;
    uint32_t name_length;
    uint64_t hash;
    uint8_t kind;
    const char *shown; /* all of it, unless it is very long: its difference may be at the end */
    uint32_t shown_length;
    const char *value; /* NULL: not kept */
    uint32_t value_length;
};
void spill_field_read(const char **at, struct spill_field *field);

/* ---- tasks.c: a record of the source that has no partner by right is none of the columns' sums */
void verify_take_off(struct verify *verify, const struct spill_head *source);

#endif
