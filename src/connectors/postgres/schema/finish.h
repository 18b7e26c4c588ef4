/* The work after a load, and what its parts share: foreign keys, statistics. Control thread. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_SCHEMA_FINISH_H
#define TRANSHUME_CONNECTORS_POSTGRES_SCHEMA_FINISH_H

#include "connectors/postgres/catalog.h"
#include "connectors/postgres/target.h"
#include "connectors/sql/orphans.h"

struct postgres_finisher {
    struct postgres_database *self;
    PGconn *connection;
    const struct postgres_catalog *catalog; /* the target's, once the keys are to be made */
    struct after_load_request *request;
    struct sql_reference *references; /* those that are made, if records are to be taken out */
    uint32_t reference_count;
    bool collects; /* `references` is being filled, and what records break is not told yet */
    bool again;    /* what can't be made was told before */
    struct arena *arena;
    struct error *error;
};

/* finisher.c: tells what is under way, if anybody wants to know. */
void postgres_finisher_say(const struct postgres_finisher *finisher, const char *what,
                           const char *name);
/* One statement, whatever stands in it; frees it. `beside`: it shuts nobody out. The failure names
 * the key: another lock at the next one of the table is progress. */
enum status postgres_finisher_run(struct postgres_finisher *finisher, struct buffer *sql,
                                  const char *table, const char *name, bool beside) MUST_USE;

/* references.c: the foreign keys of all tables that the run made. Where records that break some
 * are to go, they are gone before the keys are made for good. */
enum status postgres_make_references(struct postgres_finisher *finisher) MUST_USE;

/* Adds to the script what postgres_make_references would send. Of partitioned tables the run then
 * makes each key without NOT VALID, which these refuse. */
void postgres_show_references(const struct postgres_database *self,
                              const struct script_request *request, struct script *script);

/* revalidate.c: of tables that were there, the keys that an earlier run left unvalidated, if they
 * are obeyed now. */
enum status postgres_validate_left(const struct postgres_finisher *finisher) MUST_USE;

/* statistics.c: ANALYZE of all tables that need it, several large ones at once, their sequences and
 * the count of what the run wrote beside. */
enum status postgres_analyze_tables(struct postgres_finisher *finisher,
                                    const struct postgres_catalog *catalog,
                                    struct arena *arena) MUST_USE;

#endif
