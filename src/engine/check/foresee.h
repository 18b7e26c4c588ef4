/* Which of the first records a run would reject, and why: for check. */
#ifndef TRANSHUME_ENGINE_CHECK_FORESEE_H
#define TRANSHUME_ENGINE_CHECK_FORESEE_H

#include "engine/copy/parcel.h"
#include "engine/session/session.h"

enum { FORESEE_RECORDS = 1000 }; /* are looked at of each entity, if there are so many */

struct foresight;
struct preflight; /* engine/run/run_parts.h */

/* A foresight of the run's tables, as session_list_tables and preflight_check gave them; lives in
 * `arena`. */
struct foresight *foresee_create(struct run_session *session, const struct target_table *tables,
                                 const struct preflight *preflight, const char *const *absent,
                                 uint32_t absent_count, struct arena *arena);
/* Takes what a stream's next records became. Records that the mapping makes are tried with the
 * target's own encoder, in the tables that are there and in those that the run would make. */
enum status foresee_take(struct foresight *foresight, const struct parcel *parcel,
                         struct error *error) MUST_USE;
/* Lets go of the target; what was foreseen stays. */
void foresee_end(struct foresight *foresight);
/* How many records of the entity would be rejected. */
uint64_t foresee_rejected(const struct foresight *foresight, uint32_t entity);
/* All reasons, in the foresight's arena. */
void foresee_list(const struct foresight *foresight, const struct check_reject **list,
                  uint32_t *count);
/* A line for each reason: "things: all of the first 1000 records would be rejected: at: …". */
void foresee_tell(const struct foresight *foresight, struct buffer *out);

#endif
