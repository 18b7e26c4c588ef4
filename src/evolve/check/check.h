/* Checks: questions to a database before and after a migration, with the answer that is expected.
 */
#ifndef TRANSHUME_EVOLVE_CHECK_CHECK_H
#define TRANSHUME_EVOLVE_CHECK_CHECK_H

#include "base/arena.h"
#include "base/error.h"
#include "connectors/contract/alter.h"
#include <stdbool.h>
#include <stdint.h>

enum check_relation {
    CHECK_EQUAL,
    CHECK_NOT_EQUAL,
    CHECK_LESS,
    CHECK_AT_MOST,
    CHECK_GREATER,
    CHECK_AT_LEAST,
    CHECK_UNCHANGED /* after: as it was before the migration */
};

/*
 * One check, as a line of a migration's header or an item of the file beside it says it:
 *
 *   null TABLE.COLUMN             no row has NULL there
 *   duplicate TABLE.COLUMN[,COLUMN…]    no two rows have the same values there
 *   orphan TABLE.COLUMN TABLE.COLUMN    each value of the first is one of the second
 *   rows TABLE RELATION           how many rows there are: = 100, > 0, unchanged
 *   sum TABLE.COLUMN RELATION     likewise
 *   query SELECT … => ANSWER      any query's first value; "unchanged", NULL or a text
 *
 * Names go into the SQL as they are written, quotes included.
 */
struct schema_check {
    const char *text; /* as it was written */
    const char *file; /* where */
    uint32_t line;
    const char *sql; /* its first value is the answer */
    enum check_relation relation;
    const char *expected;  /* NULL: that there is no value */
    const char *complaint; /* "%s rows of users have no email", with %s for the answer; NULL */
};

/* A fault in the text is an ERROR_MIGRATION_INVALID whose message is for a line of faults. */
enum status check_parse(const char *text, size_t length, struct arena *arena,
                        struct schema_check *check, struct error *error) MUST_USE;

/*
 * Asks, and compares. `before` is what the same check answered before the migration, for
 * CHECK_UNCHANGED; `*answer` what it answers now. STATUS_AGAIN: not as expected, and `error` says
 * what was found (ERROR_CHECK_FAILED).
 */
enum status check_ask(struct alter_session *session, const struct alter_functions *alter,
                      const struct schema_check *check, const char *before, struct arena *arena,
                      const char **answer, struct error *error) MUST_USE;

#endif
