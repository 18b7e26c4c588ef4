/* One suite for every connector: what a test has in hand, and the tests that main.c runs for each
 * of them. */
#ifndef TESTS_CONTRACT_CONTRACT_H
#define TESTS_CONTRACT_CONTRACT_H

/* cmocka.h needs the others before it. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <cmocka.h>
#include "connectors/common/registry.h"
#include "engine/ledger/ledger.h"
#include "engine/run/run.h"
/* clang-format on */

/* The statements with which the changing of schemas is tried; all of one table, "altered". */
struct contract_alter {
    enum alter_language language;
    const char *create;
    const char *insert;  /* a row, with answer.rows 1 */
    const char *count;   /* of its rows; fails where there is no table, or gives no answer */
    bool counts_missing; /* none where there is no table */
    const char *alter;   /* NULL: none that waits for others */
    const char *wrong;   /* fails */
    const char *endless; /* NULL: there is none */
    /* NULL, or pairs: a statement that changes something of the session, a query of it */
    const char *const *settings;
};

/* One connector under test. Adding a database adds a line in main.c. */
struct contract_entry {
    const char *name;
    const char *connector;  /* NULL: as the name */
    bool sends_at_commit;   /* with a lease: records that are submitted are only kept until then */
    bool lacks_apply;       /* this database has no such group, whatever its connector has */
    const char *uri_format; /* with one %s: a path inside the test's own folder, or what `server`
                             * says */
    /* NULL, or starts a server of the test's own, which may use its folder, and puts its address;
     * its process comes back, or 0 with the reason to skip the test */
    pid_t (*server)(const char *folder, char address[64], const char **reason);
    /* NULL, or makes an empty database in a server that all tests share (begun by the first, ended
     * with the process) and puts its address; false with the reason to skip the test */
    bool (*database)(char address[64], const char **reason);
    /* NULL, or finds the library that the connector opens while it runs; false with the reason to
     * skip the test */
    bool (*library)(const char **reason);
    /* NULL, or a query of the database's own that gives value and id of "things" with an id < 3 */
    const char *query;
    const struct contract_alter *alter; /* NULL: the connector changes no schemas */
    bool opens_once; /* one process alone opens it as a target: who else tries is refused then */
    bool one_kind;   /* a column takes values of its own kind alone, whatever else may occur in it:
                        "value" takes texts, and every other value is a reject */
};

/* A target database in a folder of its own, with one table and a run under way. */
struct fixture {
    const struct contract_entry *entry;
    char folder[256];
    char uri_text[320];
    pid_t server; /* 0: none */
    struct arena *arena;
    struct database *target;
    struct ledger *ledger;     /* of the target */
    struct target_table table; /* "things": id (key), value */
    struct schema_column columns[2];
    const char *key_names[1];
    struct shape shape;
    struct shape_field fields[2];
    uint32_t key_field;
    const char *run_id;
    uint64_t epoch;
    struct writer *writer;
};

enum { CONTRACT_CHUNKS = 4 };

/* server.c: an empty dynoxide on the loopback. */
pid_t server_dynoxide(const char *folder, char address[64], const char **reason);

/* A store of S3 with an empty bucket "contract". */
pid_t server_versitygw(const char *folder, char address[64], const char **reason);

/* DuckDB's library, in the cache of test servers or where TRANSHUME_DUCKDB says. */
bool library_duckdb(const char **reason);

/* server_sql.c: "PORT/NAME" of a new database. */
bool database_postgres(char address[64], const char **reason);
bool database_mariadb(char address[64], const char **reason);
bool database_mysql(char address[64], const char **reason);
/* "PORT/NUMBER" of an empty database. */
bool database_redis(char address[64], const char **reason);
/* "PORT/PREFIX" that no other indexes have. */
bool database_opensearch(char address[64], const char **reason);
/* The same of a database, which is there with its first collection. */
bool database_mongodb(char address[64], const char **reason);
/* The same of a keyspace, which the connector makes itself. */
bool database_cassandra(char address[64], const char **reason);

const struct connector *contract_connector(const struct contract_entry *entry);

/* A new folder and an open target; nothing in it. */
void fixture_open(struct fixture *fixture, const struct contract_entry *entry);
/* The same target once more, after fixture_leave; nothing is loaded. */
void fixture_open_again(struct fixture *fixture);
/* A run (fixture->run_id) over `things` in the ledger; not claimed. */
void fixture_create_run(struct fixture *fixture, const struct ledger_chunk *chunks,
                        uint64_t chunk_count);
/* What the target can't do of `things`; `lines` is the caller's. */
void fixture_check_table(struct fixture *fixture, struct buffer *lines);
void fixture_prepare(struct fixture *fixture);
/* A run (fixture->run_id) in the ledger and claimed, table prepared, writer open. */
void fixture_make_run(struct fixture *fixture);
/* The same of the first run, which makes the table. */
void fixture_begin(struct fixture *fixture);
/* Closes the writer and the database, keeps the folder. */
void fixture_leave(struct fixture *fixture);
/* Opens the database again and loads the run; claims it unless `claim` is false. */
void fixture_return(struct fixture *fixture, bool claim);
/* Claims the loaded run, from the process that left it if need be; `epoch` is the new one. */
void fixture_claim(struct fixture *fixture);
void fixture_close(struct fixture *fixture);

/* A batch of `count` records, ids from `first`, each with `value` (deep-copied). */
struct batch *fixture_batch(struct fixture *fixture, int64_t first, uint32_t count,
                            const struct cell *value);

/* Submits one batch and polls until the chunk's results are in. */
struct tally {
    uint64_t written;
    uint64_t rejected;
    uint64_t skipped;
    enum error_code code; /* of the last reject */
    char reason[256];
};
struct tally fixture_write(struct fixture *fixture, uint64_t chunk, struct batch *batch);
void fixture_commit(struct fixture *fixture, uint64_t chunk, const char *mark_text);
/* chunk_begin, write, commit. */
struct tally fixture_chunk(struct fixture *fixture, uint64_t chunk, int64_t first, uint32_t count,
                           const struct cell *value);
/* The same of a second attempt at the chunk. */
struct tally fixture_chunk_again(struct fixture *fixture, uint64_t chunk, int64_t first,
                                 uint32_t count, const struct cell *value);
uint64_t fixture_count(struct fixture *fixture);
/* Are records that share a key found after the load, instead of when they are written? */
bool fixture_settles(const struct fixture *fixture);

/* Reads table "things" through the connector's own source side: calls `row` with id and value of
 * each. */
void fixture_read(struct fixture *fixture, uint64_t rows_a_span,
                  void (*row)(void *context, int64_t id, const struct cell *value), void *context);

/* Is it a failpoint that this suite can reach: one of the connector's or the ledger's? */
bool contract_reaches(const struct connector *connector, const char *failpoint);

/* Fails the test with the error's text unless the status is OK. */
void check_ok(enum status status, const struct error *error, const char *what);

void contract_test_values(const struct contract_entry *entry);
void contract_test_normal_form(const struct contract_entry *entry);
void contract_test_spans(const struct contract_entry *entry);
void contract_test_names(const struct contract_entry *entry);
void contract_test_rejects(const struct contract_entry *entry);
void contract_test_existing(const struct contract_entry *entry);
void contract_test_abandon(const struct contract_entry *entry);
void contract_test_several_chunks(const struct contract_entry *entry);
void contract_test_duplicates(const struct contract_entry *entry);
void contract_test_distinct(const struct contract_entry *entry);
void contract_test_large(const struct contract_entry *entry);
void contract_test_store(const struct contract_entry *entry);
void contract_test_ledger(const struct contract_entry *entry);
void contract_test_held(const struct contract_entry *entry);
void contract_test_lease(const struct contract_entry *entry);
void contract_test_lease_over(const struct contract_entry *entry);
void contract_test_fetch(const struct contract_entry *entry);
void contract_test_delete(const struct contract_entry *entry);
void contract_test_fence(const struct contract_entry *entry);
void contract_test_reopen(const struct contract_entry *entry);
void contract_test_kills(const struct contract_entry *entry);
void contract_test_delete_kills(const struct contract_entry *entry);
void contract_test_restore(const struct contract_entry *entry);
void contract_test_undo(const struct contract_entry *entry);
void contract_test_undo_deleted(const struct contract_entry *entry);
void contract_test_remove_table(const struct contract_entry *entry);
void contract_test_empty_table(const struct contract_entry *entry);
void contract_test_forget(const struct contract_entry *entry);
void contract_test_reopen_kills(const struct contract_entry *entry);
void contract_test_status_kills(const struct contract_entry *entry);
void contract_test_groups(const struct contract_entry *entry);
void contract_test_native_types(const struct contract_entry *entry);
void contract_test_query(const struct contract_entry *entry);
void contract_test_check_table(const struct contract_entry *entry);
void contract_test_long_names(const struct contract_entry *entry);
void contract_test_caveats(const struct contract_entry *entry);
void contract_test_count(const struct contract_entry *entry);
void contract_test_shared_spans(const struct contract_entry *entry);
void contract_test_load(const struct contract_entry *entry);
void contract_test_roots_by_key(const struct contract_entry *entry);
void contract_test_many_roots(const struct contract_entry *entry);
void contract_test_query_by_key(const struct contract_entry *entry);
void contract_test_delete_keyless(const struct contract_entry *entry);
void contract_test_partnerless(const struct contract_entry *entry);
void contract_test_settle_kills(const struct contract_entry *entry);
void contract_test_express(const struct contract_entry *entry);
void contract_test_objects(const struct contract_entry *entry);
void contract_test_apply(const struct contract_entry *entry);
void contract_test_apply_keys(const struct contract_entry *entry);
void contract_test_apply_killed(const struct contract_entry *entry);
void contract_test_feed(const struct contract_entry *entry);
void contract_test_alter_lock(const struct contract_entry *entry);
void contract_test_alter_steal(const struct contract_entry *entry);
void contract_test_alter_history(const struct contract_entry *entry);
void contract_test_alter_fence(const struct contract_entry *entry);
void contract_test_alter_transactions(const struct contract_entry *entry);
void contract_test_alter_run(const struct contract_entry *entry);
void contract_test_alter_settings(const struct contract_entry *entry);
void contract_test_alter_settle(const struct contract_entry *entry);
void contract_test_alter_stays(const struct contract_entry *entry);
void contract_test_alter_kills(const struct contract_entry *entry);
void contract_test_descriptor(const struct contract_entry *entry);

#endif
