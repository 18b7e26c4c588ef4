/* Is what the plan makes of the source what the target holds? What `transhume validate` calls. */
#ifndef TRANSHUME_VERIFY_VERIFY_H
#define TRANSHUME_VERIFY_VERIFY_H

#include "engine/run/run.h"

/*
 * count   records of each table on both sides
 * sample  count, and some random records of each entity, looked up in the target by key
 * hash    every record of both sides, by 128-bit hashes summed into buckets (or key ranges); what
 *         is in bad ones is read again and told record by record; checksums and sums of columns
 * full    every record of both sides, by its bytes
 */
enum verify_level { VERIFY_COUNT, VERIFY_SAMPLE, VERIFY_HASH, VERIFY_FULL };
const char *verify_level_name(enum verify_level level);

struct verify_options {
    enum verify_level level;
    uint32_t sample;   /* records an entity */
    uint64_t seed;     /* of the sample; 0: chosen, and told */
    uint32_t limit;    /* differing records kept for the report; all are in the file */
    bool plan_given;   /* --plan: a plan other than the run's is meant */
    bool repair;       /* write what is missing or different */
    bool lists;        /* … or only list it, for a run that is there to write it itself */
    bool delete_extra; /* and take out what is extra */
    bool push_down;    /* level hash: the databases sum the hashes where they can */
    bool quick;        /* level hash: nothing is summed by column, and rows that both sides read
                          alike are not made records of */
};

/* One entity (or, of records that are no entity's, one table) on both sides. */
struct verify_entity_result {
    const char *name;
    const char *table;
    uint64_t source;   /* records that the plan makes, without those that the run rejected */
    uint64_t target;   /* records found that are its own */
    uint64_t rejected; /* known as rejects of the run, or the plan can't make them */
    uint64_t loaded;   /* of these, those that were corrected and loaded since */
    uint64_t absent;   /* of the rejected ones those that are missing, as far as the level tells */
    uint64_t outdated; /* of the absent ones those of which the target holds an older state */
    uint64_t missing;
    uint64_t different;
    uint64_t extra;
    uint64_t unreadable; /* of the target: what its connector can't read */
    uint64_t kept;       /* existing: skip, and what was there differs */
    bool pushed_down;
    const char *read_because; /* with options.push_down: why it was not */
};

/* One column at level hash: checksums are sums of XXH3-64 over its values. */
struct verify_column_result {
    const char *table;
    const char *name;
    uint64_t source_checksum;
    uint64_t target_checksum;
    const char *source_sum; /* of its numbers, exact; NULL: it has none */
    const char *target_sum;
};

enum verify_source_state { VERIFY_SOURCE_UNKNOWN, VERIFY_SOURCE_UNCHANGED, VERIFY_SOURCE_CHANGED };

struct verify_result {
    struct arena *arena; /* of all texts; verify_result_free */
    bool ok;
    bool push_down; /* was asked for */
    enum verify_level level;
    uint64_t seed;
    const char *run_id; /* of the ledger's run; NULL: there is none, or of another plan */
    const char *source; /* URIs without secrets */
    const char *target;
    const char *target_identity;
    enum verify_source_state source_state;
    struct verify_entity_result *entities;
    uint32_t entity_count;
    struct verify_column_result *columns;
    uint32_t column_count;
    const char *records;       /* JSON objects, a line each: the first `limit` */
    uint64_t record_count;     /* all of them */
    const char *record_file;   /* where all are; NULL: there is none */
    uint64_t rejects_missing;  /* records that are missing since they were rejected */
    uint64_t rejects_outdated; /* of these, those that the target holds in an older state */
    const char *rejects_text;  /* how many, of which tables, and why; NULL: none is */
    const char *const *notes;
    uint32_t note_count;
    double seconds;
    uint64_t rows; /* read, of both sides */
    bool repaired; /* a repair run wrote what follows, and the numbers above are those before it */
    struct run_result repair;
    bool enforces_keys;      /* the target refuses a record whose unique values are there */
    uint64_t to_write;       /* with --repair: what it takes */
    uint64_t to_delete;      /* extra, and different ones that the target can't write over */
    uint64_t to_leave;       /* extra, and not to be taken out */
    uint64_t to_keep;        /* different in what is not to be written over */
    uint64_t to_contradict;  /* static columns: others of their partition have another value */
    uint64_t behind_extra;   /* likewise, but the others are extra, and stay */
    struct column_list made; /* tables that the run made */
    char write_hash[33];     /* of the lists that say so (repair.jsonl and delete.jsonl) */
    char delete_hash[33];
    uint32_t parts;      /* of a validation that was broken off and can be gone on with; else 0 */
    uint32_t parts_kept; /* that need not be compared again */
    int exit_status;
};

/*
 * `session` was opened with options.validating. STATUS_OK: compared, and exit_status 0 or 1;
 * interrupted: 4. The result is stored in the state folder as well: validation.json,
 * validate.jsonl; one that says nothing of the folder's own run in validation-other.json,
 * validate-other.jsonl. What levels hash and full have found before they end is kept in
 * validate.checkpoint and validate-full.checkpoint, with which the next call goes on where both
 * sides prove that they did not change.
 */
enum status verify_run(struct run_session *session, const struct verify_options *options,
                       struct verify_result *result, struct error *error) MUST_USE;
/*
 * After verify_run with `repair`, where result->to_write or to_delete is not 0: writes and takes
 * out what was found, as a run of its own (result->repair).
 */
enum status verify_repair(struct run_session *session, struct verify_result *result,
                          struct error *error) MUST_USE;
void verify_result_free(struct verify_result *result);
/* {"ok":…,"level":…,"entities":[…],"records":[…], …} */
void verify_append_json(const struct verify_result *result, struct buffer *out);

#endif
