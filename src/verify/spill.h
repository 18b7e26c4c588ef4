/* Records of the second reading, on disk in parts by their keys, equal ones counted, and read back
 * in order: a part that does not fit in memory is sorted in pieces, which are merged. */
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
    uint64_t count;  /* records that this entry stands for, all of them equal */
    struct canonical_hash key;
    struct canonical_hash hash;
    uint32_t key_length;
    uint32_t fields_length;
    uint32_t field_count;
    uint32_t record_length;
    uint32_t task;    /* that read it; SPILL_NO_TASK: it was not read of either side */
    uint32_t attempt; /* of the validation, that read it */
};
#define SPILL_NO_TASK UINT32_MAX

struct spill_options {
    const struct verify_table *tables; /* to name records */
    bool values;                       /* whole values, for level full */
    bool records;                      /* the source's, for a repair */
    bool kept;                         /* files stay as they were written until the end */
    /* An entry counts only if it is of the attempt that does its task. NULL: all count. */
    const uint32_t *attempts; /* a task each */
    uint32_t task_count;
};

/* How far a part's file is written, and the XXH3-128 of that. */
struct spill_mark {
    uint64_t bytes;
    struct canonical_hash hash;
};

/* `expected_bytes` is a guess from which the number of parts comes. */
enum status spill_create(const char *folder, uint64_t expected_bytes, struct spill_options options,
                         struct spill **spill, struct error *error) MUST_USE;
/* ---- spill_keep.c, of spills with options.kept */
/* Takes over what another process wrote up to these marks, a part each, and goes on behind it.
 * STATUS_END: something of it is missing or not what it was; STATUS_AGAIN: somebody asked to stop.
 */
enum status spill_reopen(const char *folder, const struct spill_mark *marks, uint32_t count,
                         struct spill_options options, struct spill **spill,
                         struct error *error) MUST_USE;
/* From now on; the caller keeps them. */
void spill_set_attempts(struct spill *spill, const uint32_t *attempts, uint32_t task_count);
/* All that was added before goes to disk, and lasts: marks of that, a part each. Any thread; the
 * caller frees them. */
enum status spill_sync(struct spill *spill, struct spill_mark **marks, uint32_t *count,
                       struct error *error) MUST_USE;
/* Closes all files, and leaves them to be reopened. */
void spill_leave(struct spill *spill);

/* ---- spill.c */
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
/* The same, kept nowhere: `*made` is valid until the spiller's next. */
enum status spiller_make(struct spiller *spiller, struct spill_head head,
                         const struct former *former, const struct record_form *form,
                         const struct spill_head **made, struct error *error) MUST_USE;
void spiller_free(struct spiller *spiller);

/* Entries in their order, which spill_compare makes. */
struct spill_list {
    const char *bytes;
    const struct spill_head **entries; /* NULL: in `bytes` one stands behind another, sorted */
    uint64_t end;                      /* of the entries, or of the bytes */
};
/* A place in a list. What of a sorted file lies behind it goes out of memory, and comes back for a
 * copy that is further behind. */
struct spill_cursor {
    const struct spill_list *list;
    uint64_t at;
    uint64_t end;
    uint64_t held_from;
};
static inline const struct spill_head *spill_entry(const char *bytes, uint64_t at)
{
    return (const struct spill_head *)(const void *)(bytes + at);
}
/* NULL: no more. Valid as long as the list. */
static inline const struct spill_head *spill_peek(const struct spill_cursor *cursor)
{
    const struct spill_list *list = cursor->list;
    if (cursor->at >= cursor->end) {
        return NULL;
    }
    return list->entries != NULL ? list->entries[cursor->at] : spill_entry(list->bytes, cursor->at);
}
void spill_skip(struct spill_cursor *cursor);
/* Gives up the memory of a mapped file: whoever looks there again, reads it again. */
void spill_let_go(const char *bytes, uint64_t from, uint64_t to);

/* By table, key, side, hash, fields and entity. */
int spill_compare(const struct spill_head *a, const struct spill_head *b);
/* By hash and fields: 0 for equal records, whoever has them. */
int spill_compare_records(const struct spill_head *a, const struct spill_head *b);

/* All entries of a table, part by part: `group` is given those of one key each time. */
struct spill_group {
    const struct spill_head *first;
    struct spill_cursor sides[3]; /* of each enum verify_side */
    uint64_t counts[3];           /* of records */
};
typedef enum status spill_group_function(void *context, const struct spill_group *group,
                                         struct error *error);
enum status spill_walk(struct spill *spill, spill_group_function *function, void *context,
                       struct error *error) MUST_USE;

/* ---- spill_read.c, for spill_walk: the entries in `bytes` that count, by a list of places, which
 * the caller frees; and the groups of a list. */
void spill_list_sort(const char *bytes, uint64_t length, const struct spill_options *options,
                     struct spill_list *list);
enum status spill_list_walk(const struct spill_list *list, spill_group_function *function,
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
int spill_compare_names(const struct spill_field *a, const struct spill_field *b);
/* By their bytes where both have them, else by their hashes. */
int spill_compare_values(const struct spill_field *a, const struct spill_field *b);

/* ---- spill_sort.c: makes of a file of entries another that is sorted, of those that count, and
 * closes the old one, which it empties unless it is to be kept. `folder` is for what is
 * written meanwhile, of `run_bytes` is a piece that is sorted in memory. */
enum status spill_sort_file(const char *folder, uint64_t run_bytes,
                            const struct spill_options *options, int *file, uint64_t *bytes,
                            struct error *error) MUST_USE;

/* ---- tasks.c: so many records of the source that have no partner by right are none of the
 * columns' sums */
enum status verify_take_off(struct verify *verify, const struct spill_head *source, uint64_t count,
                            struct error *error) MUST_USE;

#endif
