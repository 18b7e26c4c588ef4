/* What the tests of DynamoDB-JSON folders share: opening one, filling it, looking at its files. */
#ifndef TRANSHUME_UNIT_SUPPORT_DYNAMODB_H
#define TRANSHUME_UNIT_SUPPORT_DYNAMODB_H

#include "connectors/contract/connector.h"
#include "engine/ledger/ledger.h"
#include "support.h"

extern const struct connector connector_dynamodb_json;

/* Table "things": key (Pk text, Id number), index by-name (Name). */
extern const struct shape things_shape;
extern const struct target_table things_table;

/* `options` as "compression=gzip&file_bytes=4KiB", or NULL. Fails the test if it can't be
 * opened. */
struct database *folder_database(const char *path, enum open_mode mode, const char *options);
void close_folder(struct database *database);
/* The ledger of an open target, opened at the first call; close_folder closes it. */
struct ledger *folder_ledger(struct database *database);
/* Claims "r1" for the next attempt, which must work. */
void claim_again(struct database *database, uint64_t old_epoch);
/* Commits a chunk and marks it in the ledger, as the engine does. */
enum status commit_and_mark(struct database *database, struct writer *writer,
                            const struct done_mark *mark, struct error *error);

/* A new folder's path, which lives until the end. */
const char *folder_new(void);
/* Creates the run "run-1" of `chunks` chunks, claims it and prepares the table. */
void run_begin(struct database *database, const char *run_id, uint64_t chunks);
/* One record of things_shape; texts are copied. Name NULL: missing. */
void thing_add(struct batch *batch, const char *pk, int64_t id, const char *name);
struct batch *things_batch(uint32_t entity);
/* `count` records numbered from `first`, Pk "pk", Name "name N". */
struct batch *things_numbered(uint32_t entity, int64_t first, int64_t count);
/* chunk_begin, submit, poll, commit, mark; all must be written. */
void chunk_write(struct database *database, uint64_t epoch, uint64_t chunk, struct batch *batch);

/* All lines of the table's data files (unpacked), in order of files; each ends with \n. */
void folder_contents(const char *path, const char *table, struct buffer *out);
/* The names of a folder's entries but those that begin with '.', one a line, sorted. */
void folder_names(const char *path, struct buffer *out);
void write_file(const char *path, const void *bytes, size_t length);
void read_file(const char *path, struct buffer *out);
const char *path_of(const char *format, ...) PRINTF_LIKE(1, 2); /* one of eight static places */

#endif
