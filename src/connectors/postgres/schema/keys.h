/* Keys and indexes that are made after the load, and the records that stand in their way. */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_SCHEMA_KEYS_H
#define TRANSHUME_CONNECTORS_POSTGRES_SCHEMA_KEYS_H

#include "connectors/postgres/target.h"

/* ---------------------------------------------------------------- keys.c */

/* The primary key's index of a table in a PostgreSQL, NULL if there is none. Without native_sql it
 * is made with the table. */
const struct schema_index *postgres_primary_index(const struct schema_table *table);
/* Is the key (index NULL), or the unique index, of a table that this run makes left to
 * postgres_make_keys? Only where the source promises that its records are unique. */
bool postgres_key_is_late(const struct target_table *table, const struct target_index *index);
/* Must a key that is made with its table be given a name, since the one that PostgreSQL would give
 * it is an index's of the plan? */
bool postgres_key_is_named(const struct target_table *table, const struct target_table *tables,
                           uint32_t table_count, const struct postgres_catalog *catalog,
                           char name[POSTGRES_NAME_BYTES_MAX + 1]);
/*
 * Makes what is missing of the created tables' primary keys and indexes: several at once, large
 * tables and unique ones first. Unique ones that can't be made for the sake of some records are
 * made after postgres_set_aside_move. Repeatable. `catalog` is the target's as it was before.
 */
enum status postgres_make_keys(struct postgres_database *self, const struct target_table *tables,
                               uint32_t table_count, const struct postgres_catalog *catalog,
                               struct arena *arena, void (*progress)(const char *what),
                               struct error *error) MUST_USE;

/* Adds to the script what postgres_make_keys would send. `catalog`: of what is there already. */
void postgres_show_keys(struct postgres_database *self, const struct script_request *request,
                        const struct postgres_catalog *catalog, struct script *script);

/* ---------------------------------------------------------------- builds.c */

/* Whom a build shuts out of its table. */
enum postgres_shuts_out {
    POSTGRES_SHUTS_WRITERS,
    POSTGRES_SHUTS_ALL,   /* other builds of the table too: these are begun before it, or after */
    POSTGRES_SHUTS_NOBODY /* so that it may wait for as long as others take */
};

/* A statement that may run beside others. */
struct postgres_build {
    const char *sql;
    const char *name;           /* for messages */
    const char *what;           /* "index": for progress */
    int64_t weight;             /* the heaviest first */
    const char *failpoints[2];  /* before it is sent, after it is done; NULL: none */
    struct column_list columns; /* of a unique index; empty: others, or expressions */
    const struct target_table *table;
    const char *owner; /* whose lock it takes; NULL: several tables' */
    enum postgres_shuts_out shuts_out;
    struct column_list order; /* which of the records that share `columns` is the lowest */
    bool tried;               /* records were in its way once, and were moved */
    const char *remedy;       /* what to do about one that the server can't make; NULL: nothing */
    bool optional;            /* one that the server can't make is told, and left out */
    bool leaves_some;         /* the caller looks for what is left of it when it fails */
    bool skips_made; /* the caller looks whose it is if there is one of this name by then */
    bool begun;      /* zeroed by the caller */
    bool sorts;      /* it makes an index */
    struct target_count *counted; /* what it selects; NULL: nothing */
    const char *settings;         /* of its session, statements; NULL: the usual ones */
};

/*
 * Between the two the connections that one call of postgres_builds_run made are left to the next:
 * each takes the server a process, and some milliseconds. Control thread.
 */
void postgres_builders_keep(struct postgres_database *self);
void postgres_builders_end(struct postgres_database *self);
/* The work of the control thread while builds are under way. */
struct postgres_errand {
    enum status (*run)(void *context, struct error *error);
    void *context;
};
/* The order in which they are begun. */
void postgres_builds_sort(struct postgres_build *builds, uint32_t count);
/*
 * Runs them all, up to `at_once` together, and once they are begun `meanwhile` (NULL: nothing); a
 * unique index that fails for the sake of records makes them move away, and is tried again once.
 * What fails in passing (a lock that others hold, a deadlock) is tried again while the others go
 * on. The order of `builds` changes.
 */
enum status postgres_builds_run(struct postgres_database *self, struct postgres_build *builds,
                                uint32_t count, uint32_t at_once,
                                const struct postgres_errand *meanwhile,
                                void (*progress)(const char *what), struct error *error) MUST_USE;

/* ---------------------------------------------------------------- builds.c */

/* sql_await_builders for the tables; blind where `track_activities` is off. */
enum status postgres_await_builders(struct postgres_database *self, PGconn *connection,
                                    const struct after_load_request *request,
                                    struct error *error) MUST_USE;

/* ---------------------------------------------------------------- sequences.c */

/* Each sequence that fills a column of these tables goes past what it finds there, as far as it
 * reaches; never back. What the role may not do is said. */
enum status postgres_set_sequences(struct postgres_database *self, PGconn *connection,
                                   const struct target_table *tables, uint32_t table_count,
                                   struct error *error) MUST_USE;

/* ---------------------------------------------------------------- set_aside.c */

/*
 * All but the lowest by `order` of the records that are equal in `columns` (none of them NULL) are
 * moved from the table into _transhume_lost_RUN_HASH, in one transaction: until the run has settled
 * they are told from there, and nothing is lost if it dies before.
 */
enum status postgres_set_aside_move(struct postgres_database *self,
                                    const struct target_table *table, struct column_list columns,
                                    struct column_list order, struct error *error) MUST_USE;
/* target_functions.settle_duplicates: tells what was moved. */
enum status postgres_set_aside_tell(
    struct database *self, const struct target_table *table,
    enum status (*found)(void *context, uint64_t chunk, uint32_t entity, uint64_t ordinal,
                         const struct cell *key, uint32_t key_count, const struct cell *record,
                         enum duplicate_kind kind, struct error *error),
    void *context, struct error *error);

#endif
