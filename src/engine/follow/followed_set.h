/* Changes of the target's records, as they are made of one set of the source's. */
#ifndef TRANSHUME_ENGINE_FOLLOW_FOLLOWED_SET_H
#define TRANSHUME_ENGINE_FOLLOW_FOLLOWED_SET_H

#include "engine/rejects/reject_notes.h"
#include "model/change.h"
#include "plan/map/mapper.h"

/* The form of the target's records. */
struct followed_form {
    const struct plan *plan;
    struct target_table *tables;  /* an entity each */
    struct change_table *outputs; /* likewise: the tables of every set that is made */
    bool documents;               /* records are MAPs: a field that is not there is not there */
    bool moves;                   /* apply_functions.moves_records */
};

/* A record that the plan could not make, or that the target did not take; or one that was a reject
 * and is none any more. */
struct follow_reject {
    uint32_t entity;
    enum reject_state state;
    struct reject_id id; /* of one that is settled */
    enum error_code code;
    const char *reason;
    struct cell record;     /* a MAP; MISSING: not known */
    const struct cell *key; /* of the source's row; may be NULL */
    uint32_t key_count;
    const char *const *key_names; /* NULL: those of its stream */
};

/* The translation of one set. It is in the arena of the source's set, which it has taken over. */
struct followed_set {
    struct change_set set;
    struct follow_reject *rejects;
    uint32_t reject_count;
    uint64_t source_changes;         /* that reach something which is still followed */
    const struct change_set *source; /* what it was made of; NULL: no set of the source's */
};

/* An empty one, a transaction of its own, in that arena. */
struct followed_set *followed_set_create(const struct followed_form *form, struct arena *arena)
    __attribute__((returns_nonnull));

/* Adds the record of that entity, which has one cell a field of its shape, or is a MAP. Copied. */
enum status followed_set_put(const struct followed_form *form, struct followed_set *set,
                             uint32_t entity, const struct cell *record,
                             struct error *error) MUST_USE;
/* The fields of a record that are there, as a MAP in the arena. Values are borrowed. */
struct cell follow_document(struct arena *arena, const struct shape *shape,
                            const struct cell *cells);
/* Adds that the record under this key goes. Copied. */
enum status followed_set_delete(struct followed_set *set, uint32_t entity, const struct cell *key,
                                uint32_t key_count, struct error *error) MUST_USE;
/* Adds a change of a record of a table without a key, which has one cell a field of its shape: as
 * it was, and as it is. NULL: it was not, or is no more. Copied. */
enum status followed_set_whole(const struct followed_form *form, struct followed_set *set,
                               uint32_t entity, const struct cell *before, const struct cell *after,
                               struct error *error) MUST_USE;
/* Adds that the entity has no records any more. */
void followed_set_empty(struct followed_set *set, uint32_t entity);
/* Drops, of the changes from `first` on, the first `deletes` of which are deletes, those deletes
 * whose keys are put behind them. */
void followed_set_drop_replaced(struct followed_set *set, uint32_t first, uint32_t deletes);
/* Joins moved records in the changes from `first` on, which one row of the source has made: a
 * delete and a put that are the only ones of their entity are of one record whose key has changed,
 * and become one change. */
void followed_set_join_moved(struct followed_set *set, uint32_t first);
/* The records from `first` on may be new: they are put whole, and nothing is looked for before. */
void followed_set_are_new(struct followed_set *set, uint32_t first);
/* Several records from `first` on that are made of elements of one list may have one key: the first
 * is kept, as a copy does, and the others are rejects. */
enum status followed_set_reject_repeats(const struct followed_form *form, struct followed_set *set,
                                        uint32_t first, struct error *error) MUST_USE;
/* A reject of earlier is settled. */
void followed_set_settle(struct followed_set *set, uint32_t entity, const struct reject_id *id,
                         enum reject_state state);
/* Rejects of the set from `first` on that have no key get this one of their source row. */
void followed_set_name_rejects(struct followed_set *set, uint32_t first, const struct cell *row,
                               const uint32_t *positions, uint32_t count);
enum status followed_set_reject(struct followed_set *set, const struct mapper_reject *reject,
                                struct error *error) MUST_USE;

#endif
