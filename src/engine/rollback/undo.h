/* Deciding, before a run, what it takes to take it back; and remembering that when it is resumed.
 */
#ifndef TRANSHUME_ENGINE_UNDO_H
#define TRANSHUME_ENGINE_UNDO_H

#include "engine/session/session.h"

/*
 * A table that the run makes, or finds empty, can be removed or emptied whole, and keeps nothing;
 * one that holds records keeps undo records of what is written to it, unless --no-before-images
 * says otherwise; --rollback-keys keeps them for all. The session's plan learns it. `notes` gets
 * "TABLE: …" a line for what rollback won't be able to do.
 */
struct undo_decision {
    struct ledger_table *tables; /* in the order of the plan */
    uint32_t table_count;
    bool by_engine; /* images are kept in the state folder */
};
enum status undo_decide(struct run_session *session, const struct target_table *tables,
                        struct arena *arena, struct undo_decision *decision, struct buffer *notes,
                        struct error *error) MUST_USE;
/* The same for a run that begins: into its header, its tables and its plan. */
enum status undo_begin(struct run *run, struct error *error) MUST_USE;
/* Can rollback put back what delete_records takes out of it? */
bool undo_keeps_deleted(const struct database *target, const struct target_table *table);
/* The header's decisions go into tables and plan when the run is resumed. */
void undo_resume(struct run *run);

#endif
