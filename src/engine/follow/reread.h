/*
 * Roots that changes of joined rows touch: found by the plan's joins backwards, read again as they
 * are now, and mapped again. Never computed from the change alone. What is read may be newer than
 * the change; the changes in between come later and touch the same roots again. So they may be read
 * in the middle of a large transaction, too, which is whole in the source by then.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_REREAD_H
#define TRANSHUME_ENGINE_FOLLOW_REREAD_H

#include "engine/follow/pages.h"
#include "engine/follow/translate.h"

/* Keys of roots, a list a stream, each once. */
struct touched_roots;
struct touched_roots *touched_roots_create(const struct follow_routes *routes)
    __attribute__((returns_nonnull));
void touched_roots_destroy(struct touched_roots *touched); /* takes NULL */
void touched_roots_clear(struct touched_roots *touched);
uint32_t touched_roots_count(const struct touched_roots *touched, uint32_t stream); /* at most */
void touched_roots_drop(struct touched_roots *touched, uint32_t stream); /* those of one stream */
bool touched_roots_is_empty(const struct touched_roots *touched);
/* There are so many that they are read again before the transaction has come whole. */
bool touched_roots_are_many(const struct touched_roots *touched);
/* Roots of the transaction that is being translated were read again already: what a key's former
 * owner leaves behind may have a new one. */
bool touched_roots_were_read(const struct touched_roots *touched);
void touched_roots_transaction_ends(struct touched_roots *touched);

/* The root of that stream with this key. Copied. */
enum status touched_roots_add_key(struct touched_roots *touched, uint32_t stream,
                                  const struct cell *key, uint32_t key_count,
                                  struct error *error) MUST_USE;
/* The roots that a row of a joined table leads to, from these values on. Copied. */
enum status touched_roots_add_path(struct touched_roots *touched, uint32_t path,
                                   const struct cell *values, uint32_t count,
                                   struct error *error) MUST_USE;

/* Pages of that entity may be there under what a root's key was before its change: `cells` as the
 * key plan makes them. Copied. */
enum status touched_roots_add_former(struct touched_roots *touched, uint32_t entity,
                                     const struct cell *cells, uint32_t count,
                                     struct error *error) MUST_USE;

/* Finds and reads them through a connection of its own, and adds to the set what they are now. */
struct rereading;
struct rereading *rereading_create(struct run_session *session, const struct follow_routes *routes,
                                   struct follow_lister lister) __attribute__((returns_nonnull));
void rereading_destroy(struct rereading *rereading); /* takes NULL */
/* Puts the set that is full into the target as a piece, and gives one to go on in. */
typedef enum status followed_set_full(void *context, struct followed_set **set,
                                      struct error *error);
/* `*set` is the one that the roots are added to; behind the call it is the last one. */
enum status rereading_apply(struct rereading *rereading, struct touched_roots *touched,
                            struct follow_translator *translator, struct followed_set **set,
                            followed_set_full *full, void *context, struct error *error) MUST_USE;
/* Touches all roots of a span, as they are now. */
enum status rereading_touch_span(struct rereading *rereading, uint32_t stream,
                                 const struct span *span, struct touched_roots *touched,
                                 struct error *error) MUST_USE;

/* The spans of a stream as they are now, of about so many rows, in the arena. */
enum status rereading_split(struct rereading *rereading, uint32_t stream, uint64_t rows,
                            struct arena *arena, struct span **spans, uint32_t *count,
                            struct error *error) MUST_USE;
/* Adds to the set what is made of one of them now. */
enum status rereading_read_span(struct rereading *rereading, uint32_t stream,
                                const struct span *span, struct follow_translator *translator,
                                struct followed_set *set, struct error *error) MUST_USE;

#endif
