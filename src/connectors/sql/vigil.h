/* Looking after what a server has been silent about: does it work on it, or did the words get lost?
 */
#ifndef TRANSHUME_CONNECTORS_SQL_VIGIL_H
#define TRANSHUME_CONNECTORS_SQL_VIGIL_H

#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

/* How long a statement may take. */
enum sql_patience {
    SQL_SHORT, /* the database's timeout, after which the session is ended */
    SQL_PROBE, /* the same, but then it is left as it is */
    SQL_LONG,  /* as long as it works, which is looked after */
    SQL_BUILD  /* as long, but the first request to stop ends it: index builds */
};
static inline bool sql_is_short(enum sql_patience patience)
{
    return patience == SQL_SHORT || patience == SQL_PROBE;
}

/* How it stands with a session that a statement was sent to, as another connection tells. */
enum sql_life {
    SQL_WORKS, /* it works on the statement, or that is not known */
    SQL_READS, /* it waits for bytes of ours, all of which are sent: these are lost, or slow to come
                */
    SQL_IDLES, /* it waits for us, or is gone: what was said got lost, if nothing arrives at once */
    SQL_SILENT, /* nobody answers */
};

/*
 * A statement may take hours, but only as long as the server works on it: after each timeout
 * without a word the connector finds out how its session does. Zeroed: not begun.
 */
struct sql_vigil {
    int64_t look_ms; /* monotonic; when to look next */
    int doubts; /* how often in a row it was not seen to work: at the first an answer may be on its
                   way, or a busy server slow to let us in */
};

void sql_vigil_begin(struct sql_vigil *vigil, int64_t timeout_ms);
/* Is it time to find out? */
bool sql_vigil_is_due(const struct sql_vigil *vigil);
/*
 * Takes what was found. Fails where the connection, or the server `shown`, is given up: the caller
 * then ends the session, unless the server is SQL_SILENT, and breaks the connection off.
 */
enum status sql_vigil_found(struct sql_vigil *vigil, enum sql_life life, int64_t timeout_ms,
                            const char *shown, struct error *error) MUST_USE;

#endif
