/*
 * The facts that a run learnt of its databases, as the ledger keeps them. A plan is resolved again
 * from these, and from nothing else that a database says, so that the same plan gives the same
 * mapping however the data has changed, in whatever command goes on with the run.
 *
 *   {"format":3,"version":1,"mapping_hash":HEX,"source_identity":TEXT}
 *   {"schema":"source"}                          lines of kept_schema.h follow
 *   {"schema":"target"}                          likewise; absent: none was there
 *   {"values":[TABLE,COLUMN,TEST,ANSWER]}        do the column's values pass the test?
 *   {"words":[TYPE,DEFAULT,COLLATION,[…]]}       which of a column's own words the target knows
 *   {"query":TEXT}                               one table of kept_schema.h follows
 *
 * The source's schema is that of the run's first session, of all tables, those that the plan leaves
 * out included; the target's is of what was there before the run made its tables.
 *
 * The version counts mappings: 1 is the one in the ledger's header. Who changes what later sessions
 * resolve (a column that came, a type that was widened) writes all of it again with the next
 * version (run_learnt_raise in engine/session/recall.h).
 */
#ifndef TRANSHUME_ENGINE_LEDGER_LEARNT_H
#define TRANSHUME_ENGINE_LEDGER_LEARNT_H

#include "base/buffer.h"
#include "engine/ledger/ledger.h"
#include "plan/resolve/answers.h"

/* Borrowed, or of the arena that it was read into. */
struct learnt {
    uint32_t version;
    const char *mapping_hash;
    const char *source_identity;
    const struct schema *source;
    const struct schema *there;   /* of the target; NULL: nothing that the plan means was there */
    struct plan_answers *answers; /* NULL, to be written: none were given */
};

void learnt_append(const struct learnt *learnt, struct buffer *out);
/* ERROR_LEDGER_INVALID: it is damaged. ERROR_FORMAT_NEWER, ERROR_FORMAT_OLDER: of another version
 * of the program. */
enum status learnt_read(const char *text, size_t length, struct arena *arena, struct learnt *learnt,
                        struct error *error) MUST_USE;

/* ---- in the ledger: ledger.h draws the keys */

/* The text that stands, with a NUL behind it. STATUS_END: the run has none. */
enum status ledger_learnt_get(struct ledger *ledger, const char *run_id, struct arena *arena,
                              const char **text, size_t *length, struct error *error) MUST_USE;
/* In its place one of the next version. A crash leaves the one or the other. ERROR_RUN_FENCED:
 * somebody else replaced it. Control thread; the run is claimed. */
enum status ledger_learnt_put(struct ledger *ledger, const char *run_id, const char *text,
                              size_t length, struct error *error) MUST_USE;

#endif
