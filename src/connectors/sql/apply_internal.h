/* Declarations that the files of sql/apply.h share. */
#ifndef TRANSHUME_CONNECTORS_SQL_APPLY_INTERNAL_H
#define TRANSHUME_CONNECTORS_SQL_APPLY_INTERNAL_H

#include "connectors/sql/apply.h"

/* ---------------------------------------------------------------- apply_statement.c */

/* A set with one of its changes, and where the set is among those of the call. */
struct sql_apply_item {
    const struct change_set *set;
    const struct record_change *change;
    uint32_t set_number;
    uint32_t number; /* of the change in its set, as refusals name it */
};

/* The effect of a change on a record. */
struct sql_apply_image {
    struct sql_apply_shape *shape;
    bool whole; /* no cell of `after` is missing, or it is an insert */
    bool old;   /* there is a key that no part of is null: its record may be there */
    bool moves; /* … and another one than that of `after` */
};

/* STATUS_AGAIN: a part of its key is null. The image is of this change until the next look. */
enum status sql_apply_look(struct apply *apply, const struct sql_apply_item *item,
                           struct sql_apply_image *image, struct sql_apply_refused *refused,
                           struct error *error) MUST_USE;
/* Runs or sends the statement of that kind for the change. STATUS_AGAIN: it is refused. STATUS_END:
 * it has nothing to set. */
enum status sql_apply_run(struct apply *apply, const struct sql_apply_item *item,
                          const struct sql_apply_image *image, enum sql_apply_kind kind,
                          struct sql_apply_refused *refused, struct error *error) MUST_USE;
/* A part of the key that no record can be given anew: the record is written as another one. */
bool sql_apply_has_fixed_key(const struct sql_apply_image *image);
/* A cell of the key of `after`: its own, or, where that is not there, that of `key`. NULL: neither
 * is. `part` in the order of the target's key. */
const struct cell *sql_apply_new_key(const struct sql_apply_image *image,
                                     const struct record_change *change, uint32_t part);
uint32_t sql_apply_key_count(const struct sql_apply_image *image);
/* Its table has no key: `key` is the whole record that was. */
static inline bool sql_apply_is_whole(const struct sql_apply_image *image)
{
    return sql_apply_key_count(image) == 0;
}
/* No set of the former call is there any more. */
void sql_apply_forget_sets(struct apply *apply);
void sql_apply_free_shapes(struct apply *apply);

/* ---------------------------------------------------------------- apply.c */

/* dialect.savepoint, and what was noted of changes since goes back with it. */
enum status sql_apply_savepoint(struct apply *apply, enum sql_apply_savepoint act,
                                struct error *error) MUST_USE;

/* ---------------------------------------------------------------- apply_absent.c */

/* Puts whole records in place of those that changes of the sets did not find. Refusals are added to
 * `result`. */
enum status sql_apply_absent(struct apply *apply, const struct change_set *const *sets,
                             uint32_t first, uint32_t end, struct arena *arena,
                             struct apply_result *result, struct error *error) MUST_USE;
/* ---------------------------------------------------------------- apply_change.c */

/* Runs or sends what the change takes. STATUS_AGAIN: it is refused. */
enum status sql_apply_change(struct apply *apply, const struct sql_apply_item *item,
                             const struct sql_apply_image *image, struct sql_apply_refused *refused,
                             struct error *error) MUST_USE;
/* The same at the end of its transaction: a record that is under the new key of one that moves
 * stays, and what moves there goes. */
enum status sql_apply_change_at_last(struct apply *apply, const struct sql_apply_item *item,
                                     const struct sql_apply_image *image,
                                     struct sql_apply_refused *refused,
                                     struct error *error) MUST_USE;
/* Puts the whole record of `after`, whatever is under the change's `key`. */
enum status sql_apply_put_new(struct apply *apply, const struct sql_apply_item *item,
                              const struct sql_apply_image *image,
                              struct sql_apply_refused *refused, struct error *error) MUST_USE;
/* Gives unique fields that the change sets, of a record that keeps its key, values of no record.
 * STATUS_END: it sets none of which such a value is known. */
enum status sql_apply_set_aside(struct apply *apply, const struct sql_apply_item *item,
                                const struct sql_apply_image *image,
                                struct sql_apply_refused *refused, struct error *error) MUST_USE;
/* Deletes the record under the change's `key`, if there is one. */
enum status sql_apply_remove_old(struct apply *apply, const struct sql_apply_item *item,
                                 const struct sql_apply_image *image,
                                 struct sql_apply_refused *refused, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- apply_careful.c */

/* Adds one, of which all but the arena of its reason is copied. */
void sql_apply_add_refusal(struct apply_result *result, const struct apply_refusal *refusal,
                           struct arena *arena);
/* The sets `first` to `end` are of one transaction of the source. Refusals are added to `result`.
 */
enum status sql_apply_carefully(struct apply *apply, const struct change_set *const *sets,
                                uint32_t first, uint32_t end, struct arena *arena,
                                struct apply_result *result, struct error *error) MUST_USE;

#endif
