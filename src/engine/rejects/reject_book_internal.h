/*
 * Declarations that the files of the book share.
 *
 *   reject_book.c    reading the entries, and summing up
 *   reject_entry.c   keys and texts of entries
 *   reject_notes.c   entries that change while a run follows
 *   reject_put.c     the same at once, and all of an entity
 *   reject_copied.c  what the copy rejected, out of its files
 */
#ifndef TRANSHUME_ENGINE_REJECT_BOOK_INTERNAL_H
#define TRANSHUME_ENGINE_REJECT_BOOK_INTERNAL_H

#include "base/name_index.h"
#include "engine/rejects/reject_book.h"
#include "engine/rejects/reject_notes.h"
#include <jansson.h>

enum {
    BOOK_ITEMS_MAX = 100000,  /* entries that are known one by one; others are only counted */
    BOOK_REASON_BYTES = 300,  /* of a reason that is kept */
    BOOK_KEY_TEXT_BYTES = 600 /* of a key for people; a longer one is left out */
};

/* An entry as its text has it. */
struct book_entry {
    uint32_t entity;
    bool copied;
    enum reject_state state;
    uint64_t round;
    enum error_code code;
    const char *reason; /* NULL: not known */
    const char *key;    /* a JSON object; NULL: not known */
    const char *at;
    bool again; /* it was rejected before */
};

/* An entry that is known one by one, or a reject of the copy that has none yet. */
struct book_item {
    struct reject_id id;
    uint32_t entity;
    enum error_code code;
    uint64_t round;
    bool copied;
    bool settled;
    bool counted; /* in the book's counts */
    bool again;   /* it was rejected before, as far as this process knows */
};

struct book_reason {
    uint32_t entity;
    enum error_code code;
    const char *text;
};

struct reject_book {
    struct run *run;
    const struct store_functions *functions; /* NULL: nothing can be kept */
    pthread_mutex_t mutex;
    struct arena *arena;
    bool *copy_is_void; /* an entity each: run/ID/reject/copy/N is there */
    struct name_index index;
    struct book_item *items;
    uint32_t item_count;
    uint32_t item_capacity;
    _Atomic uint64_t sources_open; /* items by the source's key, or the target's, not settled */
    _Atomic uint64_t targets_open;
    uint64_t *open;              /* an entity each: entries without "copied", not settled */
    uint64_t *copied_open;       /* likewise: entries with it, not settled */
    uint64_t *settled;           /* likewise: with it, and settled */
    struct book_reason *reasons; /* one of an entity and code */
    uint32_t reason_count;
    uint32_t reason_capacity;
    uint64_t round;
    struct reject_changes queue; /* for the next commit */
};

/* ---- reject_entry.c */

/* "run/ID/reject/" */
void book_prefix(char key[STORE_KEY_BYTES], const char *run_id);
/* "run/ID/reject/copy/" and, from 0 on, the entity's number. */
void book_copy_key(char key[STORE_KEY_BYTES], const char *run_id, uint32_t entity);
/* False: the key is none of these. */
bool book_copy_entity(const char *key, const char *prefix, uint32_t *entity);
void book_entry_key(char key[STORE_KEY_BYTES], const char *run_id, const struct reject_id *id);
/* False: the key is none of an entry. */
bool book_entry_id(const char *key, const char *prefix, struct reject_id *id);
const char *book_entry_text(const struct book_entry *entry, struct arena *arena);
/* The texts live in the arena. */
enum status book_entry_read(const char *key, const char *text, struct arena *arena,
                            struct book_entry *entry, struct error *error) MUST_USE;

/* ---- reject_book.c, with the mutex held */

/* NULL: it is not known. */
struct book_item *book_find(const struct reject_book *book, const struct reject_id *id);
/* NULL: there are too many. */
struct book_item *book_add(struct reject_book *book, const struct reject_id *id, uint32_t entity);
void book_keep_reason(struct reject_book *book, uint32_t entity, enum error_code code,
                      const char *reason);
/* Adds (`sign` 1) or takes away (-1) an item's part in the counts. */
void book_count(struct reject_book *book, const struct book_item *item, int sign);
/* Where entries are. */
struct database *book_home(const struct run *run);

#endif
