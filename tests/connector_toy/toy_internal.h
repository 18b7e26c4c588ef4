/* What the files of the test-only connector share: its instance, its log and its codec. */
#ifndef TESTS_CONNECTOR_TOY_INTERNAL_H
#define TESTS_CONNECTOR_TOY_INTERNAL_H

#include "base/arena.h"
#include "base/buffer.h"
#include "connectors/keyed/keyed.h"
#include <stdatomic.h>
#include <stdbool.h>

/*
 * All data is one log, DIR/data.log, so that it survives kill -9 by the page cache and is its own
 * change stream. An entry:
 *   u32 LE payload length | u64 LE XXH3-64 of the payload | payload
 * payload (integers LE):
 *   u8 kind | u64 run | u16 table length | table | u32 key length | key
 *   | value (toy_codec) up to the end
 */
enum toy_entry_kind { TOY_PUT = 1, TOY_DELETE = 2, TOY_TABLE = 3, TOY_EMPTY = 4 };

struct toy_entry {
    enum toy_entry_kind kind;
    uint64_t run;      /* hash of the run's id, 0: not ours */
    const char *table; /* table_length bytes */
    uint32_t table_length;
    const uint8_t *key;
    uint32_t key_length;
    const uint8_t *value;
    uint32_t value_length;
    uint64_t offset; /* of the entry in the log */
    uint64_t end;    /* of the next one */
};

struct toy_database {
    struct keyed_database keyed; /* first */
    char *folder;
    char *log_path;
    int log;             /* O_APPEND; read-only for a source */
    uint64_t run;        /* hash of the claimed run's id */
    int64_t request_ms;  /* what one write may take */
    int64_t throttle_ms; /* for so long from the first write on it is all too fast */
    bool falls_back;     /* what is too fast is done all the same, and told */
    uint32_t page_rows;  /* the most rows of a batch that is read */
    _Atomic int64_t first_write_ms;
};

static inline struct toy_database *toy_of(struct database *database)
{
    return (struct toy_database *)database;
}

/* ---- toy_codec.c: any cell to bytes and back, exactly */
enum status toy_encode(const struct cell *cell, struct buffer *out, struct error *error) MUST_USE;
/* Reads one cell; `*used` bytes were its own. Pointers of the result live in `arena`. */
enum status toy_decode(const uint8_t *bytes, size_t length, struct arena *arena, struct cell *cell,
                       size_t *used, struct error *error) MUST_USE;

/* ---- toy_log.c */
void toy_entry_append(const struct toy_entry *entry, struct buffer *out);
/* An entry from its bytes; it points into them. */
bool toy_entry_read(const char *bytes, size_t length, struct toy_entry *entry) MUST_USE;
/* One write(2): all of `out` or an error. */
enum status toy_log_write(struct toy_database *self, const struct buffer *out,
                          struct error *error) MUST_USE;
/* Entries point into a buffer that is reused. STATUS_END stops the walk. */
typedef enum status toy_visit(void *context, const struct toy_entry *entry, struct error *error);
/* Walks the log from `offset`. `*end` (may be NULL) gets the offset after the last whole entry. */
enum status toy_log_walk(struct toy_database *self, uint64_t offset, toy_visit *visit,
                         void *context, uint64_t *end, struct error *error) MUST_USE;
/* Cuts a torn last entry off. */
enum status toy_log_mend(struct toy_database *self, struct error *error) MUST_USE;
/* Reads the entry at `offset` into `arena`. */
enum status toy_log_read(struct toy_database *self, uint64_t offset, struct arena *arena,
                         struct toy_entry *entry, struct error *error) MUST_USE;

/* The live records of one table: the last put of each key that no delete or emptying followed. */
struct toy_record {
    uint64_t token; /* XXH3-64 of the key */
    uint64_t offset;
    uint64_t run;
    uint8_t *key;
    uint32_t key_length;
};
struct toy_index {
    struct toy_record *records; /* by token, then key */
    size_t count;
    bool exists; /* the table was made or holds records */
};
enum status toy_index_load(struct toy_database *self, const char *table, struct toy_index *index,
                           struct error *error) MUST_USE;
void toy_index_free(struct toy_index *index);
const struct toy_record *toy_index_find(const struct toy_index *index, const uint8_t *key,
                                        size_t length);

extern const struct catalog_functions toy_catalog;
extern const struct source_functions toy_source;
extern const struct target_functions toy_target;
extern const struct keyed_service toy_service;
extern const struct store_functions toy_store;
extern const struct feed_functions toy_feed;
extern const struct apply_functions toy_apply;
extern const struct alter_functions toy_alter;

/* toy_store.c: a store in a folder of that name. */
enum status toy_store_open_in(struct database *self, const char *place, struct store **store,
                              struct error *error);

/* ---- toy_live.c: the records as they stand at a point of the log, with their values */
struct toy_live; /* NULL: none yet; free with toy_live_free */
/* The value under the key, `*length` bytes; NULL: there is none. */
const uint8_t *toy_live_find(const struct toy_live *live, const struct toy_entry *entry,
                             uint32_t *length);
/* What a PUT, DELETE or EMPTY does to them. */
void toy_live_take(struct toy_live **live, const struct toy_entry *entry);
void toy_live_free(struct toy_live **live);

/* toy_fetch.c */
enum status toy_fetch_records(struct database *database, const struct target_table *table,
                              const struct cell *keys, uint32_t key_count, struct batch **batch,
                              struct error *error);

#endif
