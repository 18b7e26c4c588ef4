/*
 * Leases: how targets without transactions keep a second process out. A claim is kept with its
 * holder's text and a number of renewals, both changed only by conditional writes. The holder sends
 * a request only while its lease outlasts the request's deadline, by a clock that goes on while the
 * process is stopped or the machine sleeps. Who takes over waits a whole lease, by a clock of its
 * own, and claims only if the number of renewals did not move: so no two clocks are ever compared.
 */
#ifndef TRANSHUME_CONNECTORS_COMMON_LEASE_H
#define TRANSHUME_CONNECTORS_COMMON_LEASE_H

#include "connectors/contract/connector.h"

/* This process, holding from now on; renewals 0. */
void ledger_holder_self(int64_t lease_ms, struct ledger_holder *holder);
/*
 * One line for the ledger, with everything but the renewals, in `arena`; and back, with `name` made
 * anew. What was read and is written is the same line, by which a claim is replaced. A text that is
 * none of ours gives ERROR_LEDGER_INVALID.
 */
enum status ledger_holder_write(const struct ledger_holder *holder, struct arena *arena,
                                const char **text, struct error *error) MUST_USE;
enum status ledger_holder_read(const char *text, struct ledger_holder *holder,
                               struct error *error) MUST_USE;
/* Is it known that the process is no more? True only for one of this machine, since it was booted,
 * and of pids that mean the same here. */
bool ledger_holder_is_gone(const struct ledger_holder *holder);

/* report.lease_end_ms once the claim was lost or given back. */
#define LEASE_ENDED INT64_MIN

/* Milliseconds of a clock that goes on while processes are stopped and the machine sleeps. */
int64_t lease_clock_ms(void);
/* The lease as it will be if a request sent at `sent_ms` (lease_clock_ms, taken before sending it)
 * was granted. Any thread. */
void lease_extend(struct database *database, int64_t sent_ms);
/* The claim is not ours any more, or was given back: nothing may be sent, and nobody waits for a
 * renewal. Any thread. */
void lease_end(struct database *database);
/*
 * May a request that takes up to `request_ms` be sent now? STATUS_FAILED, ERROR_LEASE_SHORT (class
 * RETRY): not before the lease was renewed. Databases without a lease always may. Any thread.
 */
enum status lease_check(const struct database *database, int64_t request_ms,
                        struct error *error) MUST_USE;
/*
 * The same, but a lease that is too short is waited for, up to `request_ms`: a process that the
 * machine held up (a sleep, a paused virtual machine) renews late, and goes on if nobody took its
 * place meanwhile. ERROR_RUN_FENCED: somebody did. For threads with nothing under way.
 */
enum status lease_wait(const struct database *database, int64_t request_ms,
                       struct error *error) MUST_USE;

#endif
