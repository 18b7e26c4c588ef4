/* The engine's own failpoints, each reached in a normal run or resume, or in a validation. */
#include "engine/run/run.h"

#include <stddef.h>

static const char *const names[] = {
    "engine.before_ledger_create", "engine.after_ledger_create",  "engine.after_claim",
    "rollback.before_begin",       "rollback.after_begin",        "rollback.after_objects",
    "rollback.after_loosening",    "rollback.before_table",       "rollback.after_table",
    "rollback.images_restored",    "rollback.before_forget",      "rollback.after_forget",
    "rollback.before_local",       "rollback.before_retire",      "rollback.before_recall",
    "finish.before_forget",        "finish.after_forget",         "engine.before_images",
    "engine.after_images",

    "engine.before_renew",         "engine.joins_batch",          "ledger.before_parts",
    "ledger.before_publish",       "ledger.after_publish",        "ledger.after_scope",
    "ledger.after_create",         "ledger.before_claim",         "ledger.after_claim",
    "ledger.before_renew",         "ledger.before_status",        "ledger.after_status",
    "ledger.before_mark",          "ledger.after_mark",           "ledger.after_empty",
    "ledger.before_reopen",        "ledger.after_reopen",         "ledger.before_release",
    "ledger.before_forget",        "ledger.after_forget",         "ledger.before_closing",
    "ledger.after_closing",        "ledger.after_drop",           "engine.joins_table_kept",
    "engine.joins_kept",           "engine.before_recheck",       "engine.before_recheck_reopen",
    "engine.after_recheck_reopen", "engine.before_prepare",       "engine.after_prepare",
    "engine.chunk_started",        "engine.batch_submitted",      "engine.before_rejects_sync",
    "engine.after_rejects_sync",   "engine.before_commit",        "engine.after_commit",
    "engine.state_before_rename",  "engine.before_repair_delete", "engine.after_repair_delete",
    "engine.before_after_load",    "engine.after_fill",           "engine.after_after_load",
    "engine.before_settle",        "engine.after_settle",         "follow.before_feed",
    "follow.after_feed",           "follow.before_apply",         "follow.after_apply",
    "cutover.after_step",          "cutover.before_end",          "engine.before_completed",
    "engine.after_completed",      "resume.after_load",           "resume.before_claim",
    "resume.after_claim",          "resume.before_reopen",        "resume.after_reopen",
    "verify.source_waits",         "verify.target_waits",         "verify.checkpoint_due",
    "verify.before_checkpoint",    "verify.checkpoint_written",   "verify.before_rereading",
    "verify.before_spilling",      "verify.before_matching",      NULL,
};

const char *const *run_failpoints(void)
{
    return names;
}
