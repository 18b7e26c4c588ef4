/* Who holds a run, and at which epoch it is: what the ledgers of SQL targets say of it. */
#ifndef TRANSHUME_CONNECTORS_SQL_CLAIM_H
#define TRANSHUME_CONNECTORS_SQL_CLAIM_H

#include "connectors/ledger.h"

enum { SQL_PROCESS_BYTES = 128 };

/* "pid 42 on host": this process, for the ledger and for those who find the run held. */
void sql_name_process(char name[SQL_PROCESS_BYTES]);

/* By what the ledger's row of the run `id` says; `asked`: which one was asked for. */
void sql_tell_holder(const char *id, const char *asked, const char *holder,
                     struct ledger_holder *found);

/* Before a claim: `now` is the epoch in the run's row, -1 where there is none. STATUS_AGAIN: it is
 * at another one than `epoch`. `place`: what a target is, for the hint. */
enum status sql_check_epoch(const char *shown, const char *place, const char *run_id, int64_t now,
                            uint64_t epoch, struct ledger_holder *found,
                            struct error *error) MUST_USE;
/* Another attempt has raised the epoch: this one stops. STATUS_FAILED. */
enum status sql_run_fenced(const char *shown, struct error *error);

/* After a failure to forget a run: it may be gone all the same, as what failed was the answer to
 * that, or another try, which misses the run. */
bool sql_may_be_forgotten(const struct error *error);

#endif
