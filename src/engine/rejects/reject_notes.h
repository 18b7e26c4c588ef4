/*
 * Entries of the book that change: records that are rejected, arrive, or go.
 *
 * Following notes what the plan could not make, and what arrived, when it has mapped a change: it
 * waits in a queue until the first lane commits. That lane's position is behind all of them until
 * then, so that what a crash loses is mapped again. What a target refuses is noted by the lane that
 * is refused, in the same commit.
 */
#ifndef TRANSHUME_ENGINE_REJECT_NOTES_H
#define TRANSHUME_ENGINE_REJECT_NOTES_H

#include "base/name_index.h"
#include "connectors/contract/apply.h"
#include "engine/rejects/reject_book.h"

/* Which record is meant: 's' or 't', and a hash of the entity and the key. */
struct reject_id {
    uint64_t kind; /* a character; 0: its key tells nothing apart */
    uint64_t low;
    uint64_t high;
};

/* The id by the source's key; `positions` NULL: the cells are one after the other. */
struct reject_id reject_id_of_source(uint32_t entity, const struct cell *key,
                                     const uint32_t *positions, uint32_t count);
/* The id by the target's key. */
struct reject_id reject_id_of_target(uint32_t entity, const struct cell *key, uint32_t count);
/* The id of a record whose key is not known or tells nothing apart, by other text of it. */
struct reject_id reject_id_of_text(uint32_t entity, const char *text, size_t length);

enum reject_state {
    REJECT_OPEN,    /* it is missing */
    REJECT_ARRIVED, /* the target has it */
    REJECT_GONE     /* the source has it not any more */
};

struct reject_change {
    struct reject_id id;
    uint32_t entity;
    enum reject_state state;
    enum error_code code; /* of one that is open, as the next two */
    const char *reason;
    const char *key; /* as JSON; NULL: not known */
    uint64_t number; /* in the order in which they were added */
    bool queued;     /* by reject_book_queue: the book knows it already */
    bool copied;     /* a count of the copy stands for it, which the book need not know */
};

/* Changes of entries, one of a record: the last one that was added. Zeroed but for `arena`, which
 * is the caller's, it is empty. */
struct reject_changes {
    struct arena *arena;
    struct name_index index;
    struct reject_change *items;
    uint32_t count;
    uint32_t capacity;
    uint64_t last_number;
};
/* Copies the texts. A change whose id tells nothing apart is left out. */
void reject_changes_add(struct reject_changes *changes, const struct reject_change *change);
/* NULL: the record has none there. */
const struct reject_change *reject_changes_find(const struct reject_changes *changes,
                                                const struct reject_id *id);

/* ---- what is open; any thread */

/* Could a record be one that is open, by the source's key or the target's? Cheap. */
bool reject_book_watches_sources(const struct reject_book *book);
bool reject_book_watches_targets(const struct reject_book *book);
bool reject_book_is_open(struct reject_book *book, const struct reject_id *id);
/* Reads the reject files of the copy in the state folder, so that its records can be told one by
 * one. What is not in them any more stays counted as it is. Control thread, after
 * reject_book_load. */
enum status reject_book_read_copied(struct reject_book *book, struct error *error) MUST_USE;

/* ---- while a run follows */

/* A change to be put with the next commit of the first lane; known to the book at once. */
void reject_book_queue(struct reject_book *book, const struct reject_change *change);
/* Adds what waits. What is confirmed then is what was there at the call that gave the number. */
uint64_t reject_book_add_queued(struct reject_book *book, struct reject_changes *changes);
void reject_book_confirm(struct reject_book *book, uint64_t number);
/* They were put: the book knows them from now on. */
void reject_book_take(struct reject_book *book, const struct reject_changes *changes);
/* The notes that the store is to hold after the changes; in the arena. */
void reject_book_notes(struct reject_book *book, const struct reject_changes *changes,
                       struct arena *arena, const struct apply_note **notes, uint32_t *count);

/* ---- at once, by a connection of their own; control thread */

enum status reject_book_put(struct reject_book *book, const struct reject_changes *changes,
                            struct error *error) MUST_USE;
/*
 * All records of an entity are about to be tried again: a round begins. At its end all that were
 * not rejected in it are settled, those of the copy too, whose files may be lost.
 */
void reject_book_begin_round(struct reject_book *book);
enum status reject_book_end_round(struct reject_book *book, uint32_t entity,
                                  struct error *error) MUST_USE;

#endif
