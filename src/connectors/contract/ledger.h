/* The contract: the ledger, which lives in the target. */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_LEDGER_H
#define TRANSHUME_CONNECTORS_CONTRACT_LEDGER_H

#include "base/buffer.h"
#include "connectors/contract/target.h"

struct ledger_chunk {
    uint64_t number; /* 1-based, in order of streams and spans */
    uint32_t stream;
    struct span span;
};

/*
 * Who works on a run. A claim with a lease is kept with all of this (connectors/common/lease.h
 * makes it one text and back); of a lock there is a name and mostly a pid.
 */
struct ledger_holder {
    char name[160]; /* for people: "pid 123 on host"; "attempt 4" where no more is known */
    int64_t pid;    /* 0: not known */
    char host[72];  /* printable UTF-8; "": not known */
    char run[40];   /* which it works on, where that is another than was asked for; "": that one */
    char machine[40];  /* where `pid` means something: this boot, this pid namespace; "": unknown */
    int64_t started;   /* when the process began, in the machine's own count; tells pids apart */
    int64_t since_us;  /* UTC, when it claimed; 0: not known */
    int64_t lease_ms;  /* its claim holds so long after each renewal; 0: no lease, but a lock */
    uint64_t renewals; /* any number that is another one after each renewal */
};

/* One run as the target knows it. Lives in `arena`. */
struct ledger_run {
    const char *id;
    uint64_t epoch;
    const char *header; /* the engine's JSON: format, plan, identities, snapshot … */
    const char *status; /* the engine's JSON, replaced by set_status: phase, tables created … */
    struct ledger_chunk *chunks;
    uint64_t chunk_count;
    struct done_mark *done;
    uint64_t done_count;
};

#endif
