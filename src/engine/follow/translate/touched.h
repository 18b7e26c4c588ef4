/* Roots that changes have touched, until they are read again (reread.h): their keys, or the values
 * that lead to them, each once. */
#ifndef TRANSHUME_ENGINE_FOLLOW_TRANSLATE_TOUCHED_H
#define TRANSHUME_ENGINE_FOLLOW_TRANSLATE_TOUCHED_H

#include "engine/follow/translate/routes.h"
#include "engine/follow/translate/value_set.h"

/* Roots that were touched; whoever reads them again settles the lists. */
struct touched_roots {
    const struct follow_routes *routes;
    struct arena *arena;
    uint32_t stream_count;
    struct value_set *streams; /* keys of roots */
    struct value_set *paths;   /* values that lead to roots */
    uint32_t entity_count;
    struct value_set *former; /* an entity each: where its pages were */
    bool were_read;
};

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

#endif
