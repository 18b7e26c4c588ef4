/*
 * Roots that changes of joined rows touch: found by the plan's joins backwards, read again as they
 * are now, and mapped again. Never computed from the change alone. What is read may be newer than
 * the change; the changes in between come later and touch the same roots again. So they may be read
 * in the middle of a large transaction, too, which is whole in the source by then.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_REREAD_H
#define TRANSHUME_ENGINE_FOLLOW_REREAD_H

#include "engine/follow/pages.h"
#include "engine/follow/translate/touched.h"
#include "engine/follow/translate/translate.h"

/* Finds and reads the roots through a connection of its own, and adds to the set what they are now.
 */
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
