/* A command at work on a schema: its session, the lock, the claim, the history. What versioned and
 * declared changes share. */
#ifndef TRANSHUME_EVOLVE_RUN_SESSION_H
#define TRANSHUME_EVOLVE_RUN_SESSION_H

#include "evolve/run/run.h"

/* The act that was under way when the session was lost: whether it was committed the history says.
 * Its texts are as long-lived as the result's. */
struct lost_act {
    uint64_t number; /* 0: none was */
    struct schema_done done;
};

/* One command at work. */
struct schema_work {
    const struct schema_options *options;
    const struct alter_functions *alter;
    struct alter_session *session; /* NULL: none is open */
    struct ledger_holder self;
    struct arena *arena;     /* of one reading of the history and what is made of it */
    struct arena *act_arena; /* of one act */
    struct schema_history history;
    struct schema_plan plan;
    struct schema_result *result; /* NULL: nobody asks */
    struct lost_act lost;
    char run[33];
    char who[160];
    bool relaxed;
    bool checked; /* the files that are to be run can be */
    bool dirty;   /* the session's settings are not those of its opening */
};

void work_init(struct schema_work *work, const struct schema_options *options);
void work_end(struct schema_work *work);
enum status work_open(struct schema_work *work, bool only_looks, struct error *error) MUST_USE;
void work_close(struct schema_work *work);
/* Puts the session's settings back, where a file changed them. */
enum status work_settle(struct schema_work *work, struct error *error) MUST_USE;
/* Reads the history anew. */
enum status work_read(struct schema_work *work, struct error *error) MUST_USE;
/* Waits for the lock, makes the history's tables, and claims. */
enum status work_claim(struct schema_work *work, struct error *error) MUST_USE;
/* Is the lock still ours? */
enum status work_verify(struct schema_work *work, struct error *error) MUST_USE;
/* Transactions before the last of several need not be durable one by one: what a server loses
 * with its machine is a tail of them, each with its row. */
void work_relax(struct schema_work *work, bool relaxed);
void work_tell(const struct schema_work *work, const struct schema_event *event);
/* A row with what is of this command. */
struct history_row work_row(const struct schema_work *work, uint64_t number,
                            enum history_action action, enum history_state state,
                            const char *version, const char *name);

#endif
