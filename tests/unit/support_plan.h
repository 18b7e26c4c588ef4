/* What the tests of plans share: two databases, resolving with all faults, and running the
 * mapping. */
#ifndef TRANSHUME_UNIT_SUPPORT_PLAN_H
#define TRANSHUME_UNIT_SUPPORT_PLAN_H

#include "connectors/common/registry.h"
#include "plan/map/mapper.h"
#include "plan/plan.h"
#include "support.h"

/* A source and a target, open; what is made of them lives until plan_test_close. */
struct plan_test {
    struct arena *arena;
    struct database *source;
    struct database *target;
    struct schema *schema;
    struct plan_document *document;
    struct plan *plan;
    struct plan_settings settings;
    const char *document_name; /* in faults; NULL: p.yaml */
    struct buffer faults;
    struct buffer out;
    struct error error;
    uint64_t record_bytes_max; /* for the mapper */
    bool snapshot_taken;
    bool stamps; /* source rows have envelopes, numbered by: */
    int stamped;
    bool show_rejects;   /* their records too */
    uint32_t take_rows;  /* take whenever so many rows are pending; 0: at the end of each parent */
    uint32_t taken_most; /* the most rows seen in one take */
    struct mapper_counts counts[16]; /* by entity, after plan_test_run */
};

/* A new SQLite file made by `sql` as source, a new place as target: "dynamodb-json" or "sqlite". */
void plan_test_open(struct plan_test *test, const char *sql, const char *target);
/* Source is the given URI. */
void plan_test_open_uri(struct plan_test *test, const char *source, const char *target);
void plan_test_close(struct plan_test *test);

/* Parses and resolves; NULL: a plain copy. The plan of a call before is destroyed. */
enum status plan_test_resolve(struct plan_test *test, const char *yaml);
/* Resolves; a fault fails the test. */
void plan_test_expect(struct plan_test *test, const char *yaml);
/* `tables` with the head of a plan before it. */
const char *plan_test_tables(struct plan_test *test, const char *tables);
/* Every fault line in turn, the whole text. */
void plan_test_expect_faults(struct plan_test *test, const char *yaml, const char *lines);
void plan_test_expect_code(struct plan_test *test, const char *yaml, enum error_code code,
                           const char *part);

/* Reads the source through the plan: one line a record, "entity {json}", in order of streams;
 * rejects as "entity REJECT code key: reason". Without streams of children whole batches are
 * mapped. */
const char *plan_test_run(struct plan_test *test);
/* The records of a plan given by its tables. */
void plan_test_records(struct plan_test *test, const char *tables, const char *lines);

/* The music shop in small: Artist, Album, Track, Customer, Employee, Invoice, InvoiceLine, Playlist
 * … */
extern const char plan_test_shop[];

#endif
