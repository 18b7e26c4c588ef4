/* Columns and statements that a run makes in its target before and after the records. */
#ifndef TRANSHUME_ENGINE_CHECK_DDL_H
#define TRANSHUME_ENGINE_CHECK_DDL_H

#include "connectors/contract/script.h"
#include "engine/session/session.h"

struct target_table;

struct ddl_request {
    const struct target_table *tables; /* the plan's, as session_list_tables makes them */
    const char *const *absent;         /* names of those that the target does not have yet */
    uint32_t absent_count;
    const bool *unfit; /* preflight.unfit_objects */
    bool fresh;        /* as if the target held nothing; `absent` and `unfit` are not looked at */
    const char *place; /* script_request.place */
};

/* The statements, in the script's arena. None of a target whose tables need none. */
enum status ddl_script(struct run_session *session, const struct ddl_request *request,
                       struct script *script, struct error *error) MUST_USE;
/* The columns of the tables that are to be made, in `arena`. */
enum status ddl_columns(struct run_session *session, const struct ddl_request *request,
                        struct arena *arena, const struct check_column **columns, uint32_t *count,
                        struct error *error) MUST_USE;

#endif
