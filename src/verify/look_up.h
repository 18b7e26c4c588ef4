/* Records of the target that are wanted by key: noted, then asked for. */
#ifndef TRANSHUME_VERIFY_LOOK_UP_H
#define TRANSHUME_VERIFY_LOOK_UP_H

#include "verify/verify_internal.h"

struct wanted_key {
    struct canonical_hash hash;
    struct cell *cells; /* in the target's normal form; in verify->arena */
};
/* The keys of one table that are to be looked up. */
struct looked_up {
    struct buffer keys; /* of struct wanted_key */
    bool keyless;       /* a record has no whole key: the table has to be read */
};

bool look_up_is_possible(const struct verify *verify, const struct verify_table *table);
/* How many keys a call may ask for: answers come whole, so one where records may be large, by the
 * target's limit or by what its statistics make of the table. */
uint32_t look_up_keys_a_call(const struct verify *verify, const struct verify_table *table);
/* The key of the former's record in hand. The caller keeps other threads away. */
enum status look_up_note(struct looked_up *list, const struct verify *verify,
                         const struct verify_table *table, const struct former *former,
                         struct error *error) MUST_USE;
/* The target's records under these keys go into verify->spill. Control thread; STATUS_END: a stop
 * was asked for. */
enum status look_up_all(struct looked_up *list, struct verify *verify,
                        const struct verify_table *table, struct error *error) MUST_USE;
/* A record that was found, a map of its fields, in the order of the table's request: in `cells`,
 * which have room for it; or the map itself, where the table's form has no fields. */
const struct cell *look_up_arrange(const struct verify_table *table, const struct cell *map,
                                   struct cell *cells);
void look_up_free(struct looked_up *list);

#endif
