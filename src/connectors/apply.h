/* The contract: applying change sets to a target. */
#ifndef TRANSHUME_CONNECTORS_APPLY_H
#define TRANSHUME_CONNECTORS_APPLY_H

#include "connectors/lacks.h"
#include "connectors/target.h"
#include "model/change.h"

struct apply; /* a connection of its own; one thread */

struct apply_request {
    const char *feed; /* the position's name in the target, with `lane` */
    uint32_t lane;
    const struct target_table *tables; /* change_set.tables are these, by their numbers */
    uint32_t table_count;
};

/* A change that the target did not take: a reject. */
struct apply_refusal {
    uint32_t set;    /* among those of the call */
    uint32_t change; /* in its set */
    enum error_code code;
    const char *reason; /* in the caller's arena */
};
struct apply_result {
    struct apply_refusal *refusals; /* in the caller's arena */
    uint32_t refusal_count;
};

/* Records of a table that differ in one field of its key: the others are known. */
struct apply_listing {
    const struct target_table *table; /* one of the request */
    const struct cell *values; /* of the fields of its key, in their order, but for this one: */
    uint32_t wanted;
    /* It is a text that begins so: other records need not be told. NULL: it is a whole number. */
    const char *begins;
    size_t begins_length;
};
/* The wanted field of one of them as text, a number in decimal digits. */
typedef enum status apply_found(void *context, const char *text, size_t length,
                                struct error *error);

/*
 * Changes are of the target's own records: the engine has mapped them. An insert or update puts the
 * whole record of `after` under its key, or, where a cell of a shape is MISSING, only the fields
 * that are there; where `key` is another one than that of `after`, the record under `key` goes. A
 * delete removes the record under `key`; absent is fine.
 */
struct apply_functions {
    /* Changes are kept as a log beside the tables, which stay as they are: each whole, none of
     * `after` MISSING for not having changed, and the same ones applied again are there once. */
    bool keeps_log;
    /* Optional: can changes be put into this table, which need not be there yet? ERROR_FOLLOW: not,
     * and why. Changes nothing. Control thread. */
    enum status (*check)(struct database *self, const struct target_table *table,
                         struct error *error);
    /* Optional: may this account write these tables, and set what counts their keys up at the end
     * of a cut-over? Notes all that is missing; changes nothing. STATUS_FAILED: the server did not
     * answer. Control thread. NULL: it may. */
    enum status (*may_write)(struct database *self, const struct target_table *tables,
                             uint32_t table_count, struct lack_list *lacks, struct error *error);
    enum status (*open)(struct database *self, const struct apply_request *request,
                        struct apply **apply, struct error *error);
    void (*close)(struct apply *apply); /* takes NULL */
    /* The position that is in the target. STATUS_END: none. */
    enum status (*position)(struct apply *apply, struct arena *arena, struct position *position,
                            struct error *error);
    /*
     * Applies whole transactions and their last `end` as the position; durable on return. With
     * CAPABILITY_TRANSACTIONS all in one commit, which fails with ERROR_RUN_FENCED if the position
     * is not the one that this handle put or read last. Else record by record, where only the last
     * change under each key of the call need be written, and the position after the last
     * acknowledgement, likewise fenced: sets that are applied again from there on lead to the same.
     *
     * With CAPABILITY_TRANSACTIONS a large transaction may come in several calls: after one whose
     * last set is not a last piece, what that transaction did so far is not durable, and goes with
     * the next call that begins with a first piece, with one that fails, and with `close`. What
     * came before it in the same call is durable; a call that failed may be repeated.
     */
    enum status (*apply_sets)(struct apply *apply, const struct change_set *const *sets,
                              uint32_t set_count, struct arena *arena, struct apply_result *result,
                              struct error *error);
    /* Optional: no changes came for a moment; called again and again. */
    enum status (*idle)(struct apply *apply, struct error *error);
    /*
     * Optional: tells each record of a listing once, as this handle's own calls left it, durable or
     * not, and those of others as far as they are durable. Any thread, while no other one uses the
     * handle. Without CAPABILITY_TRANSACTIONS the wanted field is the last one of the key, and not
     * the first. NULL: which records there are the target can't be asked.
     */
    enum status (*list)(struct database *self, struct apply *apply,
                        const struct apply_listing *listing, apply_found *found, void *context,
                        struct error *error);
};

#endif
