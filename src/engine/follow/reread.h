/*
 * Roots that changes of joined rows touch: found by the plan's joins backwards, read again as they
 * are now, and mapped again. Never computed from the change alone. What is read may be newer than
 * the change; the changes in between come later and touch the same roots again.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_REREAD_H
#define TRANSHUME_ENGINE_FOLLOW_REREAD_H

#include "engine/follow/translate.h"

/* Keys of roots, a list a stream, each once. */
struct touched_roots;
struct touched_roots *touched_roots_create(const struct follow_routes *routes)
    __attribute__((returns_nonnull));
void touched_roots_destroy(struct touched_roots *touched); /* takes NULL */
void touched_roots_clear(struct touched_roots *touched);
bool touched_roots_is_empty(const struct touched_roots *touched);
size_t touched_roots_bytes(const struct touched_roots *touched);

/* The root of that stream with this key. Copied. */
enum status touched_roots_add_key(struct touched_roots *touched, uint32_t stream,
                                  const struct cell *key, uint32_t key_count,
                                  struct error *error) MUST_USE;
/* The roots that a row of a joined table leads to, from these values on. Copied. */
enum status touched_roots_add_path(struct touched_roots *touched, uint32_t path,
                                   const struct cell *values, uint32_t count,
                                   struct error *error) MUST_USE;

/* Finds and reads them through a connection of its own, and adds to the set what they are now. */
struct rereading;
struct rereading *rereading_create(struct run_session *session, const struct follow_routes *routes)
    __attribute__((returns_nonnull));
void rereading_destroy(struct rereading *rereading); /* takes NULL */
enum status rereading_apply(struct rereading *rereading, struct touched_roots *touched,
                            struct follow_translator *translator, struct followed_set *set,
                            struct error *error) MUST_USE;

#endif
