/*
 * Pages of roots that are read again: which of them the target has beyond those that are made now.
 * Pages of one root differ in nothing of their key but their number, so the target is asked for
 * what it has under the rest of the key: a copy or an application that broke off may have left any
 * of them.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_PAGES_H
#define TRANSHUME_ENGINE_FOLLOW_PAGES_H

#include "connectors/contract/apply.h"
#include "engine/follow/followed_set.h"
#include "engine/follow/translate/routes.h"
#include "engine/follow/translate/value_set.h"

/* apply_functions.list, of a target in which everything is by now that was made before. */
typedef enum status follow_list(void *context, const struct apply_listing *listing,
                                apply_found *found, void *found_context, struct error *error);
struct follow_lister {
    follow_list *list;
    void *context;
};

/* The pages of one rereading, whose roots come in rounds. Values are copied. */
struct page_sweep;
struct page_sweep *page_sweep_create(const struct follow_routes *routes,
                                     const struct followed_form *form, struct follow_lister lister)
    __attribute__((returns_nonnull));
void page_sweep_destroy(struct page_sweep *sweep); /* takes NULL */

/* A root of this round may have pages: `cells` are what the key plan makes of its row. */
enum status page_sweep_add_root(struct page_sweep *sweep, uint32_t entity, const struct cell *cells,
                                struct error *error) MUST_USE;
/* A page is put under this key. Of records that are no pages nothing is kept. */
enum status page_sweep_add_page(struct page_sweep *sweep, uint32_t entity, const struct cell *key,
                                struct error *error) MUST_USE;
/* Adds to the set that all other pages of the round's roots go. */
enum status page_sweep_end_round(struct page_sweep *sweep, struct followed_set *set,
                                 struct error *error) MUST_USE;
/* The same of all pages under these keys, which roots had before their change, but for those that
 * are a root's of some round. */
enum status page_sweep_former(struct page_sweep *sweep, uint32_t entity, const struct cell *cells,
                              struct followed_set *set, struct error *error) MUST_USE;

#endif
