/* Records of both sides under one key: which are equal, which differ and in what, which are alone.
 */
#ifndef TRANSHUME_VERIFY_MATCH_H
#define TRANSHUME_VERIFY_MATCH_H

#include "verify/spelling.h"
#include <stdio.h>

struct repair_files;

struct match {
    struct verify *verify;
    FILE *file; /* validate.jsonl */
    struct buffer line;
    struct buffer *kept;                   /* the first lines */
    struct repair_files *repair;           /* NULL: nothing is to be repaired */
    bool ignore_extra;                     /* of a sample: others were not looked up */
    struct verify_entity_result *entities; /* the plan's, then a row a table for what is nobody's */
    uint64_t *collapsed; /* an entity each: equal records that are one by `distinct` */
    uint64_t record_count;
    struct spelling spelling;
    struct spelling rejects_spelling; /* of known rejects that a repair may try again */
    bool crowded;                     /* the key in hand stands for several records of the target */
};
enum status match_begin(struct match *match, struct verify *verify, struct error *error) MUST_USE;
/* Everything in verify->spill. */
enum status match_all(struct match *match, struct error *error) MUST_USE;
/* Entries that a table's connector could not read: each with its place and reason, then how many
 * more. */
enum status match_add_unreadable(struct match *match, const struct verify_table *table,
                                 struct error *error) MUST_USE;
enum status match_end(struct match *match, struct error *error) MUST_USE;
void match_free(struct match *match);
/* Are they equal, as far as they are to be? Appends the differing fields to `out` (NULL: only
 * looks).
 */
bool match_compare_fields(const struct verify *verify, const struct spill_head *source,
                          const struct spill_head *target, struct buffer *out);

#endif
