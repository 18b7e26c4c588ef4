/*
 * What the files of the book share.
 *
 *   reject_book.c    reading the entries, and summing up
 *   reject_entry.c   keys and texts of entries
 *   reject_notes.c   entries that change: while a run follows, and at once
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

enum book_state { BOOK_OPEN, BOOK_ARRIVED, BOOK_GONE };

/* An entry as its text has it. */
struct book_entry {
    uint32_t entity;
    bool copied;
    enum book_state state;
    enum error_code code;
    const char *reason; /* NULL: not known */
    const char *key;    /* a JSON object; NULL: not known */
    const char *at;
    const char *tried_at; /* NULL: not since */
};

/* An entry that is known one by one, or a reject of the copy that has none yet. */
struct book_item {
    struct reject_id id;
    uint32_t entity;
    enum error_code code;
    bool copied;
    bool settled;
};

struct book_reason {
    uint32_t entity;
    enum error_code code;
    const char *text;
};

struct reject_book {
    struct run *run;
    const struct store_functions *functions;
    pthread_mutex_t mutex;
    struct arena *arena;
    bool copy_is_void; /* run/ID/reject/copy is there */
    struct name_index index;
    struct book_item *items;
    uint32_t item_count;
    uint32_t item_capacity;
    uint64_t *open;    /* an entity each: entries without "copied" that are not settled */
    uint64_t *settled; /* likewise: with "copied", and settled */
    struct book_reason *reasons; /* one of an entity and code */
    uint32_t reason_count;
    uint32_t reason_capacity;
    struct book_note *notes; /* that are to be put with the next commit, in their order */
    struct book_note **notes_end;
    struct arena *note_arena;
    uint32_t note_count;
};

/* One entry that is about to change. */
struct book_note {
    struct book_note *next;
    const char *key;
    const char *text; /* NULL: the entry goes */
};

/* ---- reject_entry.c */

/* "run/ID/reject/" */
void book_prefix(char key[STORE_KEY_BYTES], const char *run_id);
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
/* Where entries are; also where no database has been asked for them yet. */
struct database *book_home(const struct run *run);

#endif
