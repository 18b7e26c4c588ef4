/*
 * Changes that foreign keys of the source made to other rows without a word of the feed (MySQL's
 * InnoDB: ON DELETE CASCADE, ON DELETE SET NULL, ON UPDATE CASCADE and SET NULL), made into changes
 * of its own.
 *
 * When the changes before the one that acts are in the target, and nothing behind it, then the rows
 * that the target has of a dependent table are those that the source had at that moment: the ones
 * that refer to the row are found there by the foreign key, and changed as the source did. So a
 * transaction is cut:
 *
 *   … | acting changes | … | acting changes | …
 *     ^ what came before is put into the target, as a piece of the transaction, and rows are found
 *
 *   deletes     the rows that refer to it, those that refer to these first, then the row itself
 *   updates     the row, then the rows that refer to it, then those that refer to these
 *
 * A row that a key of two ways leads to is changed once. Of what is made of a row together with
 * others (look-ups, lists) the changes touch the roots, as those of the feed do.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_TRANSLATE_CASCADE_H
#define TRANSHUME_ENGINE_FOLLOW_TRANSLATE_CASCADE_H

#include "connectors/contract/apply.h"
#include "engine/follow/followed_set.h"
#include "engine/follow/translate/routes.h"

/* Who has the target. */
struct cascade_caller {
    void *context;
    /* Takes a piece of the transaction over, also where it fails. */
    enum status (*take)(void *context, struct change_set *piece, struct error *error);
    /* Puts everything that was taken by now into the target. */
    enum status (*settle)(void *context, struct error *error);
    /* apply_functions.find, of the target as it is then. */
    enum status (*find)(void *context, const struct apply_search *search, apply_record *take,
                        void *take_context, struct error *error);
};

/* Is there a change in the set that changes other rows? */
bool cascade_acts(const struct follow_routes *routes, const struct change_set *set);
/* Hands the set to the caller in pieces, with the changes of other rows. Takes it over, also where
 * it fails. */
enum status cascade_take(const struct follow_routes *routes, const struct followed_form *form,
                         struct change_set *set, const struct cascade_caller *caller,
                         struct error *error) MUST_USE;

#endif
