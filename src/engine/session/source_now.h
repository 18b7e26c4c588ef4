/* The source's tables as they are at this moment, beside those that the session read. */
#ifndef TRANSHUME_ENGINE_SESSION_SOURCE_NOW_H
#define TRANSHUME_ENGINE_SESSION_SOURCE_NOW_H

#include "engine/session/session.h"

/* Failures of a source's table that are tried again in a row, whatever the tables look like.
 * Changes that were followed and chunks that were copied in between begin a new row: a table that
 * is made again all the time stops nobody. */
enum { SOURCE_FAILURES_MAX = 6 };

/* Are these tables, and their columns, those that the session knows, and is there no new one that a
 * session which is opened anew would follow? The log tells what differs. */
enum status source_now_is_same(const struct run_session *session, const char *const *tables,
                               uint32_t table_count, bool *same, struct error *error) MUST_USE;
/* Is it an error that tables cause which were dropped or altered since they were read? */
bool source_now_may_cause(const struct error *error);
/* And are these tables other ones by now than the session knows? NULL: all that it knows. False
 * also where nobody can be asked. */
bool source_now_causes(const struct run_session *session, const char *const *tables,
                       uint32_t table_count, const struct error *error) MUST_USE;

#endif
