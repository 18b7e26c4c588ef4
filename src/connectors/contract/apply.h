/* The contract: applying change sets to a target. */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_APPLY_H
#define TRANSHUME_CONNECTORS_CONTRACT_APPLY_H

#include "connectors/contract/lacks.h"
#include "connectors/contract/target.h"
#include "model/change.h"

struct apply; /* a connection of its own; one thread */

/* A value of the store, kept with the position. */
struct apply_note {
    const char *key;  /* of the store: put whatever stands there */
    const char *text; /* NULL: the key goes */
    size_t length;
};
struct apply_refusal;
/* The sets that were tried and are about to be committed, with the position or as a piece. */
struct apply_call {
    const struct change_set *const *sets; /* of apply_sets; the call is of [first, end) */
    uint32_t first;
    uint32_t end;
    const struct apply_refusal *refusals; /* of these sets alone */
    uint32_t refusal_count;
};
/* Gives the notes to be kept of that, in the arena. It changes nothing, since the call may be made
 * again. */
typedef enum status apply_take_notes(void *context, const struct apply_call *call,
                                     struct arena *arena, const struct apply_note **notes,
                                     uint32_t *note_count, struct error *error);

/*
 * Who is asked about updates of a part of a record (`after` has MISSING cells of a shape) that
 * found no record under their key: the engine, which reads it again from the source.
 */
struct apply_absent {
    void *context;
    /*
     * `records`: one a change, in the arena: all cells of the record as the source has it now,
     * which may be newer than the change. NULL: the source has none either; the engine remembers
     * that, and it is a reject unless the feed deletes the record soon. Called by the thread that
     * is in apply_sets, before the commit that the changes are of; once for each change.
     */
    enum status (*read)(void *context, const struct record_change *const *changes, uint32_t count,
                        struct arena *arena, const struct cell **records, struct error *error);
};

struct apply_request {
    const char *feed; /* the position's name in the target, with `lane` */
    uint32_t lane;
    /* Called by apply_sets, on its thread, for each commit and each piece, when its changes have
     * been tried and before the position is put. With CAPABILITY_TRANSACTIONS the notes are in the
     * same commit; else they are durable before the position is. NULL: nothing is kept. */
    apply_take_notes *take_notes;
    void *notes_context;
    const struct target_table *tables; /* change_set.tables are these, by their numbers */
    uint32_t table_count;
    struct apply_absent absent; /* where the target `tells_absent` */
};

/* A change that the target did not take, or a record that was read again for it: a reject. */
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

/* Records that have one of several lists of values in some fields. */
struct apply_search {
    const struct target_table *table; /* one of the request */
    struct column_list fields;
    const struct cell *values; /* `count` lists, a value a field each, none of them null */
    uint32_t count;
    struct column_list wanted; /* fields that are told of each record */
    const bool *hex;           /* one a wanted field: it holds bytes, told in hexadecimal digits */
    uint32_t most;             /* so many records are enough; 0: all */
};
/* One of them: a text a wanted field, as apply_found has it; NULL: null. */
struct apply_text {
    const char *text;
    size_t length;
};
typedef enum status apply_record(void *context, const struct apply_text *texts,
                                 struct error *error);

/*
 * The answers that an applied change may get from triggers, rules and actions of foreign keys of
 * the target. The effects of the source's come as changes of their own, so that nothing is to
 * answer here.
 */
enum apply_answers {
    /* None: switched off in the sessions that apply, or, where that can't be had, taken out of the
     * target while changes are applied (`silence`) */
    APPLY_ANSWERS_OFF,
    /* None, and nothing is taken out of the target: refused, where that can't be had */
    APPLY_ANSWERS_REFUSED,
    /* As to anybody's writes; the user's wish */
    APPLY_ANSWERS_FIRE,
};
struct apply_silence {
    enum apply_answers answers;
    const struct target_table *tables;
    uint32_t table_count;
    /* A table each: a changed row of the source changes its record alone, so that none is deleted
     * to be made again. Then a foreign key that refers to the table, and that the source has with
     * the same actions (`references`, `same_engine`), may act: the same comes as changes as well.
     */
    const bool *by_row;
    /* Views, triggers and so on that the run is about to make; NULL: none. */
    const struct schema *objects;
};

/*
 * Changes are of the target's own records: the engine has mapped them. An insert or update puts the
 * whole record of `after` under its key, or, where a cell of a shape is MISSING, only the fields
 * that are there; where `key` is another one than that of `after`, the record under `key` goes. A
 * delete removes the record under `key`; absent is fine.
 *
 * A change ends in one of three ways: it is in the target, it is refused, or it is an update of a
 * part of a record that is not there. Of the last kind nothing may be written by halves.
 */
struct apply_functions {
    /* A record whose key changes stays the same record: what refers to it follows it, or does not
     * notice. The engine then gives such a change as one, with the former key as `key`. False: it
     * gives a delete and a put. */
    bool moves_records;
    /* Changes are kept as a log beside the tables, which stay as they are: each whole, none of
     * `after` MISSING for not having changed, and the same ones applied again are there once. */
    bool keeps_log;
    /* An update of a part of a record that finds none is told of (apply_request.absent), and what
     * the source has instead is put in the same commit. False: the target writes blindly, so that
     * the engine brings whole records alone, read again from the source where need be. */
    bool tells_absent;
    /*
     * Changes of tables without a key are taken: each tells whole records. The former one is `key`,
     * of as many cells as the shape has fields; one of the records that equal it in all of them, as
     * the target holds them, is updated or goes, and an insert is one more. An update that finds
     * none puts its record all the same; a delete that finds none is refused (ERROR_REJECT_ABSENT).
     * Such changes are not the same applied again: only with CAPABILITY_TRANSACTIONS.
     */
    bool takes_whole_records;
    /* Optional: can changes be put into this table, which need not be there yet? ERROR_FOLLOW: not,
     * and why. Changes nothing. Control thread. */
    enum status (*check)(struct database *self, const struct target_table *table,
                         struct error *error);
    /*
     * Optional, as the next three; NULL: the sessions that apply can switch everything off, or
     * nothing ever answers. Before a run, of tables which need not be there yet: ERROR_FOLLOW with
     * the statement that helps, if `answers` can't be had; with `lacks` each reason is noted there
     * instead. A line each into `out` for what `silence` will take out. Changes nothing. Control
     * thread.
     */
    enum status (*foresee)(struct database *self, const struct apply_silence *silence,
                           struct buffer *out, struct lack_list *lacks, struct error *error);
    /* Takes out of the target what the sessions can't switch off: triggers are disabled, or dropped
     * where they can't be. Each is noted in the ledger of the claimed run before that. Repeatable;
     * ERROR_FOLLOW as above, and then nothing was taken out. Control thread, no handle is open. */
    enum status (*silence)(struct database *self, const struct apply_silence *silence,
                           struct error *error);
    /* Gives back what any process took out for the claimed run; `*count`: how much of it. What was
     * given back stays so after a failure. Repeatable. Control thread, no handle is open. */
    enum status (*restore)(struct database *self, uint32_t *count, struct error *error);
    /* Counts the triggers that are out for that run, whichever process took them. With `silence`.
     * Changes nothing. Control thread. */
    enum status (*taken_out)(struct database *self, const char *run_id, uint32_t *count,
                             struct error *error);
    /* Optional: may this account write these tables, and set what counts their keys up at the end
     * of a cut-over? Notes all that is missing; changes nothing. STATUS_FAILED: the server did not
     * answer. Control thread. NULL: it may. */
    enum status (*may_write)(struct database *self, const struct target_table *tables,
                             uint32_t table_count, struct lack_list *lacks, struct error *error);
    enum status (*open)(struct database *self, const struct apply_request *request,
                        struct apply **apply, struct error *error);
    void (*close)(struct apply *apply); /* takes NULL */
    /*
     * The position that is in the target. STATUS_END: none.
     *
     * NULL: the target has no place for one, nor for notes. The engine keeps both in the run's
     * ledger behind each call of apply_sets, whose request has no take_notes, and keeps other
     * processes out; sets whose position was not kept yet come again. Not with
     * CAPABILITY_TRANSACTIONS.
     */
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
    /* Optional: tells each record of a search once, otherwise as `list`. `take` is called once all
     * of them were read. NULL: records can't be found by fields beside their key. */
    enum status (*find)(struct database *self, struct apply *apply,
                        const struct apply_search *search, apply_record *take, void *context,
                        struct error *error);
};

#endif
