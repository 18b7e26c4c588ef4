/* Reject files: one a chunk attempt, on disk before the chunk's commit. */
#ifndef TRANSHUME_ENGINE_REJECTS_H
#define TRANSHUME_ENGINE_REJECTS_H

#include "base/arena.h"
#include "base/buffer.h"
#include "connectors/contract/connector.h"
#include "engine/ledger/ledger_texts.h"
#include "model/batch.h"
#include <stdio.h>

/*
 * One JSON object a line (docs/guarantees.md):
 *   {"format":1,"run":ID,"chunk":n,"entity":NAME,"table":NAME,"source":STREAM,
 *    "key":{COLUMN:value,…},"code":"number-range","reason":TEXT,…,"record":{FIELD:value,…}|null}
 * Before "record" there may be "parents_differ":[{"table":T,"key":[K,…],"columns":[C,…],
 * "hash":HEX},…]: the columns C refer to the key K of a record of T that the target has with other
 * values, and HEX is the canonical hash of what they hold. Loading refuses what still holds that.
 * The members at … are those of envelope_json.h. Values as in typed_json.h; invalid UTF-8 in names
 * is made printable. `key` names the source record (of a repair, and in settled.jsonl, which has
 * the losers of equal target keys and records without a partner, the target key).
 */
struct reject {
    const char *run_id;
    uint64_t chunk;
    const char *entity;
    const char *table;
    const char *source;
    const char *const *key_names; /* of the key's parts; NULL: numbered */
    const struct cell *key;
    const uint32_t *key_positions; /* of the parts within `key`; NULL: one after the other */
    uint32_t key_count;
    enum error_code code;
    const char *reason;
    const char *parents_differ;             /* what stands between [ and ]; NULL: none do */
    const struct record_envelope *envelope; /* NULL: nothing more is known of it */
    const struct shape *envelope_shape;     /* of its cell times; NULL: documents */
    const struct shape *shape;              /* of `cells`; NULL: `record` stands */
    const struct cell *cells;
    const struct cell *record; /* a MAP; NULL: not to be had any more */
};
struct typed_json_drain;
/* `drain` (may be NULL) takes what is there of a line while large values are written. */
enum status reject_append(const struct reject *reject, struct typed_json_drain *drain,
                          struct buffer *line, struct error *error) MUST_USE;

/* {COLUMN:value,…} of its key. */
enum status reject_key_append(const struct reject *reject, struct buffer *out,
                              struct error *error) MUST_USE;

/* A file being written; the first reject makes it. One thread. */
enum { REJECT_CODES_MAX = 8 };

/* How many of a file's records were rejected for which reason. */
struct reject_count {
    enum error_code code;
    uint64_t count;
};

struct reject_file {
    const char *folder;
    char name[64];
    int descriptor; /* -1: not made yet */
    struct buffer pending;
    uint64_t count;
    struct reject_count counts[REJECT_CODES_MAX]; /* what finds no room is in the last one */
    uint32_t code_count;
    void *hash; /* XXH3 state */
};
void reject_file_init(struct reject_file *file, const char *folder, uint64_t chunk,
                      uint32_t attempt);
enum status reject_file_add(struct reject_file *file, const struct reject *reject,
                            struct error *error) MUST_USE;
/* Durable, name included; fills `vouched` (file NULL when there were no rejects). */
enum status reject_file_sync(struct reject_file *file, struct ledger_rejects *vouched,
                             struct error *error) MUST_USE;
/* Closes; `keep` false removes the file too. */
void reject_file_close(struct reject_file *file, bool keep);

/*
 * On resume. Checks a file against its done mark: STATUS_OK, STATUS_END when it is not there at
 * all, STATUS_FAILED (ERROR_STATE_INVALID) when it was changed.
 */
enum status rejects_verify(const char *folder, const struct ledger_rejects *vouched,
                           struct error *error) MUST_USE;
/* Removes files that no done mark names: `is_vouched` is asked with each name. */
enum status rejects_sweep(const char *folder, bool (*is_vouched)(void *context, const char *name),
                          void *context, struct error *error) MUST_USE;
/* XXH3-128 of a whole file as hex, and how many lines it has. STATUS_END: no such file. */
enum status rejects_measure(const char *path, char hex[33], uint64_t *lines, uint64_t *bytes,
                            struct error *error) MUST_USE;

#endif
