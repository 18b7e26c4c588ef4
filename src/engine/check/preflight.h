/* The look at both sides before a run: reasons to refuse it, one line each, and the worst exit
 * status. */
#ifndef TRANSHUME_ENGINE_CHECK_PREFLIGHT_H
#define TRANSHUME_ENGINE_CHECK_PREFLIGHT_H

#include "engine/session/session.h"

struct preflight {
    struct buffer problems;
    struct error first;
    uint32_t count;
    uint32_t lacking_count; /* the first of them: what may not be read */
    struct buffer unfit;    /* foreign keys and objects that the target can't have, a line each */
    struct buffer changed;  /* the same of what it has in another way */
    struct buffer lost;     /* of these what is left out, as "KIND\tTABLES: text" */
    uint64_t unfit_count;   /* of the foreign keys */
    bool *unfit_objects;    /* of the plan's same_engine_objects; NULL: none of them */
};
enum status preflight_check(struct run_session *session, struct target_table *tables,
                            const char ***absent, uint32_t *absent_count,
                            struct preflight *preflight, struct error *error) MUST_USE;
/* For each of the tables: is it one of those absent, which are in their order? In the arena. */
const bool *preflight_mark_absent(const struct target_table *tables, uint32_t table_count,
                                  const char *const *absent, uint32_t absent_count,
                                  struct arena *arena);
void preflight_free(struct preflight *preflight);
/* Notes of the target, and the fate of indexes and triggers of tables that are there, if they have
 * one; a line each. */
enum status preflight_foretell(struct run_session *session, struct target_table *tables,
                               struct buffer *out, struct error *error) MUST_USE;

#endif
