/*
 * Applying changes record by record: what its files share.
 *
 *   apply.c           sets into states, one a key
 *   apply_write.c     states into requests
 *   apply_position.c  the position, and the time of what is written
 */
#ifndef TRANSHUME_CONNECTORS_KEYED_APPLY_INTERNAL_H
#define TRANSHUME_CONNECTORS_KEYED_APPLY_INTERNAL_H

#include "base/name_index.h"
#include "connectors/keyed/keyed_internal.h"

/* How a record is written. */
enum apply_mode {
    APPLY_DELETE,
    APPLY_PART,  /* only the fields that are there */
    APPLY_WHOLE, /* whatever was there goes */
    APPLY_MODES
};

struct apply {
    struct database *database;
    struct keyed_room *room;
    /* For the writer: table_count for each mode, one mode after the other. */
    struct target_table *tables;
    enum keyed_kind *kinds;
    bool *keeps_others; /* of each: columns that the plan has no field for are left alone */
    uint32_t *numbers;  /* of each table the first one with its name: entities may share it */
    uint32_t table_count;
    struct writer *writer; /* NULL: none yet, or it failed */
    uint64_t chunk;
    struct store *store;
    struct apply_request request;
    char key[STORE_KEY_BYTES];
    uint64_t version;       /* of the position, as it was put or read last */
    struct buffer position; /* likewise: its bytes */
    int64_t time_us;        /* likewise: keyed_service.time's last one; 0: none */
};

/* The record that is to be under a key. */
struct key_state {
    uint32_t table;
    enum apply_mode mode;
    const struct cell *key;
    const struct cell *document; /* a MAP; NULL: no record */
    uint32_t set;
    uint32_t change;
};

struct applying {
    struct apply *apply;
    struct arena *scratch; /* of the states */
    struct name_index index;
    struct key_state *states;
    uint32_t count;
    uint32_t capacity;
    uint32_t expired;    /* states that the service did not write, since their time is over */
    struct buffer bytes; /* of a key */
    struct arena *arena; /* of the result */
    struct apply_result *result;
    uint32_t refusal_capacity;
    struct error *error;
};

/* ---------------------------------------------------------------- apply.c */

/* STATUS_OK always. */
enum status keyed_apply_refuse(struct applying *applying, uint32_t set, uint32_t change,
                               enum error_code code, const char *reason);

/* ---------------------------------------------------------------- apply_write.c */

/* Everything noted by now, to the last answer. After a failure what is under way is dropped with
 * its connections. */
enum status keyed_apply_flush(struct applying *applying) MUST_USE;
/* The same; then the table has no records any more. */
enum status keyed_apply_empty(struct applying *applying, uint32_t table) MUST_USE;

/* ---------------------------------------------------------------- apply_position.c */

/* From here on a process that opened the position before can't move it. */
enum status keyed_apply_open_position(struct apply *apply, struct error *error) MUST_USE;
/* ERROR_RUN_FENCED: it was moved by somebody else. Before anything of a call is read or written. */
enum status keyed_apply_check_position(struct apply *apply, struct error *error) MUST_USE;
/* With keyed_service.time: notes beside the position the time of what is written from now on. */
enum status keyed_apply_take_time(struct apply *apply, struct error *error) MUST_USE;
enum status keyed_apply_put_position(struct apply *apply, const struct position *position,
                                     struct error *error) MUST_USE;

#endif
