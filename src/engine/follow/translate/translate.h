/*
 * From changes of the source's rows to changes of the target's records, through the plan.
 *
 * Of each source transaction one change set is made, in its order. A changed row is for each entity
 * of its stream: the key that its record had goes, unless the record that is made now has it too;
 * then the record, if the plan makes one, is put whole. What rows of joined tables touch is read
 * again and mapped again (reread.h), at the end of the last set of a group.
 */
#ifndef TRANSHUME_ENGINE_FOLLOW_TRANSLATE_TRANSLATE_H
#define TRANSHUME_ENGINE_FOLLOW_TRANSLATE_TRANSLATE_H

#include "engine/follow/followed_set.h"
#include "engine/follow/translate/routes.h"
#include "plan/map/mapper.h"

/* A table had a column once, or has it by now. */
struct follow_difference {
    const char *table; /* NULL: none */
    const char *added; /* the changes have it, and the session's schema has not; NULL: none */
    struct column_list absent; /* that the plan reads: the other way about */
};

/* An event of the feed about all of a table. */
struct follow_table_event {
    const char *table;
    enum record_operation operation; /* from RECORD_REDEFINED on */
};

struct follow_translator; /* one thread's */
struct touched_roots;     /* touched.h */

/* How the records of its sets are made. */
const struct followed_form *follow_form(const struct follow_translator *translator);

/* Tables that the changes of the target's sets are about: an entity each, in the plan's order. */
const struct target_table *follow_tables(const struct follow_translator *translator);

/* Changes of a stream are passed over from now on, for this reason, which is copied; NULL: they are
 * not. Why it is so, or NULL. */
void follow_translator_leave(struct follow_translator *translator, uint32_t stream,
                             const char *reason);
const char *follow_translator_left(const struct follow_translator *translator, uint32_t stream);
bool follow_translator_has_left(const struct follow_translator *translator); /* any of them */

struct follow_translator *follow_translator_create(struct run *run,
                                                   const struct follow_routes *routes)
    __attribute__((returns_nonnull));
/* The feed was opened again: shapes of its sets are others. */
void follow_translator_forget(struct follow_translator *translator);
/* The next difference between sets that were translated and the source's tables as they were when
 * the session was opened. False: there is none that was not told. */
bool follow_translator_differs(struct follow_translator *translator,
                               struct follow_difference *difference);
/* The next thing that sets told of whole tables, beside TRUNCATE. False: there is none that was not
 * told. Where a table was replaced, its set empties what is made of it. */
bool follow_translator_event(struct follow_translator *translator,
                             struct follow_table_event *event);
bool follow_translator_has_events(const struct follow_translator *translator);
void follow_translator_destroy(struct follow_translator *translator); /* takes NULL */

/*
 * Takes the source's set over, also where it fails. `touched` collects the roots to be read again.
 * A stream of which something can't be followed is left: a row before its change that the source
 * does not tell, a table that was emptied whole.
 */
enum status follow_translate(struct follow_translator *translator, struct change_set *source,
                             struct touched_roots *touched, struct followed_set **made,
                             struct error *error) MUST_USE;

/* Changes of a stream without a key in transactions up to this position, which is copied, are
 * passed over, since what they did is in the target. */
void follow_translator_pass(struct follow_translator *translator, uint32_t stream,
                            struct position position);
/* Likewise: adds the record that the plan makes of a row that is read, a cell a column of the
 * request; or its reject. The row lives as long as the set. */
enum status follow_add_row(struct follow_translator *translator, uint32_t stream,
                           const struct cell *row, struct followed_set *set,
                           struct error *error) MUST_USE;

/* A root is read again: of its records those that were rejected are settled, until they are made.
 * `key` has a cell a column of the stream's root key. */
void follow_settle_root(struct follow_translator *translator, uint32_t stream,
                        const struct cell *key, struct followed_set *set);

/* Adds to the set that what is made of the source's table is emptied, or leaves it where its
 * records share a table with others. */
enum status follow_translator_empty(struct follow_translator *translator, const char *table,
                                    struct followed_set *set, struct error *error) MUST_USE;

/* The keys of the records that a root's row made, whatever they are now: `row` has a cell a column
 * of the stream's request. Calls `take` for each, of pages once for all (struct follow_key). */
typedef enum status followed_key(void *context, uint32_t entity, const struct cell *key,
                                 uint32_t key_count, struct error *error);
enum status follow_keys_of(struct follow_translator *translator, uint32_t stream,
                           const struct cell *row, followed_key *take, void *context,
                           struct error *error) MUST_USE;

#endif
