/* The records that a repair has to write and to take out, and the run that does it. */
#ifndef TRANSHUME_VERIFY_REPAIR_H
#define TRANSHUME_VERIFY_REPAIR_H

#include "engine/rejects/rejects.h"
#include "plan/map/mapper.h"
#include "verify/spill.h"
#include <stdio.h>

/*
 * Found while records are matched, as lines in the state folder:
 *
 *   repair.jsonl   {"format":1,"entity":…,"table":…,"source":"repair","key":{…},"record":{…}}: what
 *                  is to be written over, and then, with "found":"missing", what is to be
 *                  inserted; no key where the table has none; "found":"different" where static
 *                  columns are to be looked at by partition
 *   delete.jsonl   {"table":NAME,"key":{…}}: extra, and what the target can't write over
 *   unmade.jsonl   what the plan could not make of the source, and rejects that are not tried
 *                  again: lines of rejects (rejects.h); the latter without a key
 *   extra.jsonl    likewise what is extra, to be deleted or not, where static columns are to be
 *                  looked at by partition; gone when they were
 */
struct repair_files {
    struct verify *verify;
    const char *write_path;
    const char *insert_path; /* no name for long: missing, until put behind repair.jsonl */
    const char *delete_path;
    const char *extra_path;
    FILE *writes;
    FILE *inserts;
    FILE *deletes;
    FILE *extras; /* NULL: none was found yet */
    struct reject_file unmade;
    uint64_t write_count;
    uint64_t delete_count;
    uint64_t *deletes_of; /* a table each */
    uint64_t *writes_of;  /* likewise */
    /* likewise: can the target write over its records? Asked at the first that differs */
    enum repair_way { REPAIR_WAY_UNKNOWN, REPAIR_WAY_OVER, REPAIR_WAY_DELETE } * ways;
    uint64_t left_count; /* extra, and to stay */
    uint64_t kept_count; /* different, and to be so after it */
    /* not to be written: others of their partition have another value of a static column */
    uint64_t contradicting_count;
    uint64_t behind_extra_count; /* likewise, and only what is extra has it */
};
enum status repair_files_open(struct repair_files *files, struct verify *verify,
                              struct error *error) MUST_USE;
enum status repair_files_close(struct repair_files *files, struct error *error) MUST_USE;
/* Into the result, so that the repair is by these lists and no others. */
enum status repair_files_hash(const struct repair_files *files, struct error *error) MUST_USE;
/* Refuses what this target can't be made to do. */
enum status repair_files_check(const struct repair_files *files, struct error *error) MUST_USE;
/* The source's entry of a record that is missing, or (`there`) different. */
enum status repair_write(struct repair_files *files, const struct spill_head *source, bool there,
                         struct error *error) MUST_USE;
enum status repair_delete(struct repair_files *files, const struct spill_head *target,
                          struct error *error) MUST_USE;

/* ---- repair_places.c */
/* After repair_files_close: leaves out what contradicts others of its partition in a static column,
 * and warns of it. */
enum status repair_settle_places(struct repair_files *files, struct error *error) MUST_USE;
/* Do lines of the table tell different records from missing ones for that? */
bool repair_tells_different(const struct repair_files *files, uint32_t table);
/* ---- repair.c */
FILE *repair_create(const char *path); /* NULL: errno says why */
/* On disk: a repair's ledger vouches for it. False: it is not. NULL is fine. */
bool repair_close_synced(FILE *file);
enum status repair_cant_write(const char *path, struct error *error);

/* A record that the plan could not make. Any thread, under the sums' mutex. */
enum status repair_unmade(struct repair_files *files, const struct plan_stream *stream,
                          const struct mapper_reject *from, struct error *error) MUST_USE;

/* A known reject that is not tried again: it stays one, for this reason. */
enum status repair_leave(struct repair_files *files, const struct spill_head *source,
                         enum error_code code, struct error *error) MUST_USE;

/* All records under the key of `head` go, whatever they are. */
enum status repair_clear_key(struct repair_files *files, const struct spill_head *head,
                             struct error *error) MUST_USE;

#endif
