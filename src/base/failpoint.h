/* Named places where a test can make the program die or fail; inert without TRANSHUME_FAILPOINT. */
#ifndef TRANSHUME_BASE_FAILPOINT_H
#define TRANSHUME_BASE_FAILPOINT_H

#include "base/error.h"

/*
 * TRANSHUME_FAILPOINT=name:action[:occurrence][,…] with action
 *   kill   SIGKILL to itself          stop   SIGSTOP to itself
 *   error  the place returns an error (class stop)   retry  the same, class retry
 *   enospc the same as a full disk    sleep  waits one second
 * at the given occurrence (default 1; 0: each). TRANSHUME_FAILPOINT_COUNT=FILE appends one line
 * "name" a hit, so that a test can learn how often each is reached.
 */
/* Reads the environment; called once from main. STATUS_FAILED: a malformed value. */
enum status failpoint_setup(struct error *error) MUST_USE;

extern int failpoint_active; /* set by failpoint_setup only, before threads start */
enum status failpoint_hit_slow(const char *name, struct error *error);

/* Any thread. STATUS_OK, or STATUS_FAILED as the variable asks. */
static inline enum status failpoint_hit(const char *name, struct error *error)
{
    return failpoint_active ? failpoint_hit_slow(name, error) : STATUS_OK;
}

/* The same right behind a commit: as where its answer was lost, whether it happened is not known.
 */
static inline enum status failpoint_hit_committed(const char *name, struct error *error)
{
    if (failpoint_hit(name, error) == STATUS_OK) {
        return STATUS_OK;
    }
    return error_recode(error, ERROR_TARGET_UNKNOWN_OUTCOME);
}

#endif
