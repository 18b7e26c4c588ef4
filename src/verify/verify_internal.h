/* One validation under way: what the files of verify/ share. */
#ifndef TRANSHUME_VERIFY_VERIFY_INTERNAL_H
#define TRANSHUME_VERIFY_VERIFY_INTERNAL_H

#include "engine/copy/load_pause.h"
#include "engine/copy/throttle.h"
#include "engine/session/session.h"
#include "verify/form.h"
#include "verify/verify.h"
#include <pthread.h>
#include <stdatomic.h>

enum verify_side { SIDE_SOURCE, SIDE_TARGET, SIDE_REJECT };

/* The sum of the source's records less those of the target, each half for itself modulo 2^64. */
struct verify_sum {
    _Atomic uint64_t low;
    _Atomic uint64_t high;
};
static inline bool verify_sum_is_zero(const struct verify_sum *sum)
{
    return atomic_load_explicit(&sum->low, memory_order_relaxed) == 0 &&
           atomic_load_explicit(&sum->high, memory_order_relaxed) == 0;
}
static inline void verify_sum_add(struct verify_sum *sum, uint64_t low, uint64_t high)
{
    atomic_fetch_add_explicit(&sum->low, low, memory_order_relaxed);
    atomic_fetch_add_explicit(&sum->high, high, memory_order_relaxed);
}

/*
 * A range of keys that both sides read by the same bounds; its records are summed into parts by a
 * hash of their key, so that of a bad range only some need to be matched.
 */
enum {
    VERIFY_RANGE_PARTS_MIN = 64,
    VERIFY_RANGE_PARTS_MAX = 4096,
    VERIFY_RANGE_PARTS_TOTAL = 1 << 18 /* of all tables, unless they have more ranges: 4 MiB */
};
struct verify_range {
    struct span span;
    struct verify_sum *parts;
    uint32_t part_count; /* a power of two */
};
/* How many parts each of a table's ranges has: where there are few ranges, they are fine enough for
 * the second reading to be about little else than what differs. */
static inline uint32_t verify_range_parts(uint32_t range_count, uint32_t table_count)
{
    uint32_t parts = VERIFY_RANGE_PARTS_MAX;
    while (parts > VERIFY_RANGE_PARTS_MIN &&
           (uint64_t)parts * range_count * table_count > VERIFY_RANGE_PARTS_TOTAL) {
        parts /= 2;
    }
    return parts;
}
/* Among as many as a range can have; those of one that has fewer are told apart by the lower bits.
 */
static inline uint32_t verify_range_part(const struct canonical_hash *key)
{
    return (uint32_t)key->low & (VERIFY_RANGE_PARTS_MAX - 1);
}
static inline struct verify_sum *verify_range_sum(const struct verify_range *range, uint32_t part)
{
    return &range->parts[part & (range->part_count - 1)];
}
/* How many of its parts differ. */
static inline uint32_t verify_range_bad_parts(const struct verify_range *range)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < range->part_count; i++) {
        count += !verify_sum_is_zero(&range->parts[i]);
    }
    return count;
}

/* Sums of one column of one side. */
struct verify_column_sum {
    uint64_t checksum;
    uint64_t numbers;
    __int128 whole;             /* of INT64 values */
    struct decimal_sum decimal; /* of all other numbers */
};

/* A table of which both sides sum the hashes of their rows themselves. */
struct verify_pushed {
    struct digest digest[2]; /* a side each, with the same columns under their names there */
    struct read_request request[2];
    struct plan_stream stream; /* the plan's, by that request */
    _Atomic bool *doubtful;    /* a bucket each: it has rows that only reading can compare */
};

struct verify_rows; /* rows.h */
struct rows_range;

struct verify_table {
    const struct plan_table *plan;
    uint32_t number;
    const struct schema_table *actual; /* as the target has it; NULL: it has none */
    struct read_request request;       /* of the target's side */
    struct record_form form;           /* of what that reads */
    struct column_list columns; /* that are summed: its own; of documents all that the plan names */
    bool owned;                 /* all of its records are the plan's: others are extra */
    bool keys_only;             /* existing: skip */
    bool restricted; /* only fields count that the source's record has; in columns, its entity */
    bool distinct;   /* equal records are one: how many there are takes a look at each */
    bool joined;     /* sums prove nothing: records are matched one by one */
    struct verify_pushed *pushed; /* NULL: it is read; else its buckets are the digest's */
    struct verify_rows *rows;     /* NULL: it is not compared as rows.h has it */
    const char *read_because;     /* it was to be pushed down, and is not */
    struct verify_sum *buckets;   /* NULL while none are needed */
    uint32_t bucket_mask;
    struct verify_range *ranges; /* NULL: its key is not ordered alike on both sides */
    uint32_t range_count;
    uint32_t range_stream;
    bool bad;                 /* the second reading is about it */
    uint64_t rejects_missing; /* at level count: how many of its rejects are not there */
    bool unclear; /* at level count: which of the known rejects the source's side still has */
    _Atomic uint64_t target_rows;
    _Atomic uint64_t unreadable;
    struct buffer named; /* of these as many as unreadable.h keeps, a line each */
    uint64_t named_count;
};

struct verify_entity {
    const struct plan_entity *plan;
    struct record_form form;
    _Atomic uint64_t made;     /* records, without what the mapping rejected */
    _Atomic uint64_t rejected; /* by the mapping, now */
    uint64_t rejected_clean;   /* of these, in buckets that need no second reading */
    uint64_t rejected_known;   /* by the run's target, as far as its records are kept */
};

struct verify_task {
    enum verify_side side;
    uint32_t index;          /* of the stream, or of the table */
    const struct span *span; /* NULL: all of it */
    struct verify_range *range;
    uint32_t table;          /* of the two below */
    struct rows_range *rows; /* ACT_ROWS: both sides of it */
    const int64_t *keys;     /* NULL: all of the span; else only the rows with these */
    uint32_t key_count;
    uint32_t attempt; /* of the validation, that does it: the first is 0 */
    bool done;        /* what it has is in the sums, and in the spill at level full */
};

struct checkpoint;
struct repair_files;
struct spill;

enum { VERIFY_THREADS_MAX = 64 };

struct verify {
    struct run_session *session;
    struct run *run;
    struct verify_options options;
    struct arena *arena;
    struct verify_table *tables;
    uint32_t table_count;
    struct verify_entity *entities;
    uint32_t entity_count;
    struct schema *mirror_schema;
    bool documents;                      /* the target's records have no fixed fields */
    const char *folder;                  /* DIR/spill/validate, at level full DIR/spill/full */
    const char *result_file;             /* DIR/validation.json */
    const char *record_file;             /* DIR/validate.jsonl */
    const char *rejects_folder;          /* of the run that is validated; NULL: not known */
    bool mended;                         /* rejected records were loaded after the run */
    const struct ledger_run *ledger_run; /* that is validated, by its own plan; NULL: none is */
    bool is_led_elsewhere;               /* another process may be at work on it */
    const char *newest_id;     /* of the state folder's last run, perhaps a repair; NULL: none */
    const char *folder_run_id; /* of the state folder's own run; NULL: it has none */
    bool is_other;             /* it is not that run that is validated: its result stays as it is */
    struct spill *spill;       /* of the second reading */
    struct repair_files *repair; /* NULL: nothing is repaired */
    bool lacks_unmade;           /* its list of what can't be made is not whole */
    struct throttle throttle;
    struct load_pause *load_pause; /* NULL: nobody is to be given way to */
    struct verify_result *result;
    struct buffer notes; /* const char * */
    _Atomic uint64_t rows;
    const char *mirror_snapshot;          /* the target's token */
    struct checkpoint *checkpoint;        /* NULL: nothing is kept at this level */
    pthread_mutex_t sums_mutex;           /* what whole tasks added up, and which these are */
    int64_t started_ms;                   /* monotonic */
    uint64_t spent_ms;                    /* by the processes that this one goes on with */
    struct verify_column_sum *columns[2]; /* a side each, a table's after another's; NULL: none */
    uint32_t *first_column;               /* of each table in them, and the end */
    struct reader *spare_readers[VERIFY_THREADS_MAX]; /* of the target, between two passes */
    uint32_t spare_reader_count;
};

void verify_note(struct verify *verify, const char *format, ...) PRINTF_LIKE(2, 3);

/* ---- tables.c: forms, modes and ranges of all tables */
enum status verify_prepare_tables(struct verify *verify, struct error *error) MUST_USE;
/* Buckets for the tables that are summed; as many as bucket_mask says where it says so. */
void verify_make_buckets(struct verify *verify);
/* Which of a record's buckets is meant. */
static inline uint32_t verify_bucket(const struct verify_table *table,
                                     const struct canonical_hash *key)
{
    return (uint32_t)key->low & table->bucket_mask;
}

/* Has nothing in it to be read again? */
static inline bool verify_bucket_is_even(const struct verify_table *table, uint32_t bucket)
{
    return verify_sum_is_zero(&table->buckets[bucket]) &&
           (table->pushed == NULL || !atomic_load(&table->pushed->doubtful[bucket]));
}
/* The table whose rows a task's side sums itself; NULL: they are read. */
static inline struct verify_table *verify_pushed_table(const struct verify *verify,
                                                       const struct verify_task *task)
{
    uint32_t number = task->index;
    if (task->side == SIDE_SOURCE) {
        const struct plan_stream *stream = &verify->session->plan->streams[task->index];
        if (stream->entity_count != 1) {
            return NULL;
        }
        number = verify->entities[stream->entities[0]].plan->table;
    }
    return verify->tables[number].pushed != NULL ? &verify->tables[number] : NULL;
}

/* ---- pass.c: all tasks of one reading, on several threads */
enum verify_act {
    ACT_COUNT, /* nothing but counting */
    ACT_ROWS,  /* as rows.h has it */
    ACT_SUM,   /* into buckets, ranges and columns */
    ACT_SPILL, /* records of bad buckets of bad tables, to be matched */
};
struct pass {
    struct verify *verify;
    enum verify_act act;
    bool counts; /* records are counted: once in a validation */
    bool summed; /* a pass before it was ACT_SUM: of ranges only the bad parts are wanted */
    struct verify_task *tasks; /* but those that are done */
    uint32_t task_count;
    /* Optional: is this record of the source, or of the target, wanted in a spill? */
    bool (*wants)(void *context, const struct verify_table *table, enum verify_side side,
                  uint32_t entity, const struct former *former);
    void *context;
};
/* Completes what is told of a side that could not be read: either is read as a source is. */
void pass_tell_of_side(enum verify_side side, struct error *error);
/* STATUS_END: a stop was asked for. */
enum status pass_run(struct pass *pass, struct error *error) MUST_USE;
/* The same over the tables that are `bad`, and then over the records that the run rejected. */
enum status pass_run_bad(struct pass *pass, struct error *error) MUST_USE;
/* Keeps to the caps, and gives way to others, after so much was read of a side. STATUS_END: a stop
 * was asked for, or `stopping` became true (NULL: it can't). Any thread. */
enum status pass_account(struct verify *verify, enum verify_side side, const _Atomic bool *stopping,
                         uint64_t rows, uint64_t bytes, struct error *error) MUST_USE;
bool pass_must_stop(const _Atomic bool *stopping);
/* The target's readers, which the passes share one after another. */
void pass_close_readers(struct verify *verify);
/* Adds a record that the run rejected. Control thread. */
enum status pass_take_reject(struct pass *pass, struct former *former, uint32_t entity,
                             enum error_code code, const struct record_form *form,
                             const struct cell *cells, struct error *error) MUST_USE;

/* Takes a number off a column's sum, as it is printed. */
enum status verify_take_number_off(struct verify_column_sum *sum, const char *digits, size_t length,
                                   struct error *error) MUST_USE;

/* The same of one that the mapping refused, known by its key: the source's side has it not, but it
 * may have been mended and loaded. */
enum status pass_take_refused(struct pass *pass, struct former *former, uint32_t entity,
                              const struct record_form *form, const struct cell *cells,
                              struct error *error) MUST_USE;

/* ---- known_rejects.c: what the runs of this state folder rejected */
enum status known_rejects_feed(struct pass *pass, struct error *error) MUST_USE;

#endif
