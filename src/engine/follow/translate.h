/*
 * From changes of the source's rows to changes of the target's records, through the plan.
 *
 * Of each source transaction one change set is made, in its order. A changed row is for each entity
 * of its stream: the key that its record had goes, unless the record that is made now has it too;
 * then the record, if the plan makes one, is put whole. What rows of joined tables touch is read
 * again and mapped again (reread.h), at the end of the last set of a group.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_TRANSLATE_H
#define TRANSHUME_ENGINE_FOLLOW_TRANSLATE_H

#include "engine/follow/routes.h"
#include "plan/mapper.h"

struct follow_translator; /* one thread's */
struct touched_roots;     /* reread.h */

/* A record that the plan could not make, or that the target did not take. */
struct follow_reject {
    uint32_t entity;
    enum error_code code;
    const char *reason;
    struct cell record;     /* a MAP; MISSING: not known */
    const struct cell *key; /* of the source's row; may be NULL */
    uint32_t key_count;
};

/* What the changes of the target's sets are about: an entity each, in the plan's order. */
const struct target_table *follow_tables(const struct follow_translator *translator);

struct follow_translator *follow_translator_create(struct run_session *session,
                                                   const struct follow_routes *routes)
    __attribute__((returns_nonnull));
/* The feed was opened again: shapes of its sets are others. */
void follow_translator_forget(struct follow_translator *translator);
void follow_translator_destroy(struct follow_translator *translator); /* takes NULL */

/* What one set became. It lives in the arena of the source's set, which it has taken over. */
struct followed_set {
    struct change_set set;
    struct follow_reject *rejects;
    uint32_t reject_count;
    uint64_t source_changes;
};

/*
 * Takes the source's set over, also where it fails. `touched` collects the roots to be read again.
 * ERROR_FOLLOW: something that can't be followed: a column that is gone, a row before its change
 * that the source does not tell, a table that was emptied whole.
 */
enum status follow_translate(struct follow_translator *translator, struct change_set *source,
                             struct touched_roots *touched, struct followed_set **made,
                             struct error *error) MUST_USE;

/* ---- for reread.c: making changes of records */

/* Adds the record of that entity, which has one cell a field of its shape, or is a MAP. Copied. */
enum status followed_set_put(struct follow_translator *translator, struct followed_set *set,
                             uint32_t entity, const struct cell *record,
                             struct error *error) MUST_USE;
/* The fields of a record that are there, as a MAP in the arena. Values are borrowed. */
struct cell follow_document(struct arena *arena, const struct shape *shape,
                            const struct cell *cells);
/* Adds that the record under this key goes. Copied. */
enum status followed_set_delete(struct followed_set *set, uint32_t entity, const struct cell *key,
                                uint32_t key_count, struct error *error) MUST_USE;
/* Of the changes from `first` on, the first `deletes` of which are deletes: those under keys that
 * are put behind them are none. */
void followed_set_drop_replaced(struct followed_set *set, uint32_t first, uint32_t deletes);
/* The records from `first` on may be new: they are put whole, and nothing is looked for before. */
void followed_set_are_new(struct followed_set *set, uint32_t first);
enum status followed_set_reject(struct followed_set *set, const struct mapper_reject *reject,
                                struct error *error) MUST_USE;
/* The keys of the records that a root's row made, whatever they are now: `row` has a cell a column
 * of the stream's request. Calls `take` for each. */
typedef enum status followed_key(void *context, uint32_t entity, const struct cell *key,
                                 uint32_t key_count, struct error *error);
enum status follow_keys_of(struct follow_translator *translator, uint32_t stream,
                           const struct cell *row, followed_key *take, void *context,
                           struct error *error) MUST_USE;

#endif
