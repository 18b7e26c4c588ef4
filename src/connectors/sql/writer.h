/* The common part of the writers of SQL servers: the open chunk, and the batches that are under
 * way. */
#ifndef TRANSHUME_CONNECTORS_SQL_WRITER_H
#define TRANSHUME_CONNECTORS_SQL_WRITER_H

#include "connectors/sql/database.h"
#include "connectors/sql/outcomes.h"

/* A batch under way. */
struct sql_held {
    struct sql_held *next;
    struct batch *batch;
    uint32_t table;
    struct sql_outcomes outcomes;
    uint64_t bytes;
};

/* Some of them, in their order. */
struct sql_held_list {
    struct sql_held *first;
    struct sql_held *last;
    size_t bytes; /* of the batches */
};

/* A connector's own begins with it. */
struct sql_writer {
    struct arena *arena;   /* plans and descriptions: as long as the writer */
    struct arena *scratch; /* of values made on the way; emptied after each batch */
    const char *shown;     /* the database, for messages */
    char *run_id;
    uint64_t chunk;            /* open one, 0: none */
    uint64_t committed;        /* the last one: its commit may be called again */
    bool begun;                /* a transaction is open */
    struct buffer taken;       /* struct sql_taken, of the pass that is under way */
    struct sql_held_list done; /* results not yet polled */
};

struct sql_writer sql_writer_make(const struct sql_database *database);
void sql_writer_free(struct sql_writer *writer);
enum status sql_writer_begin_chunk(struct sql_writer *writer, uint64_t chunk,
                                   struct error *error) MUST_USE;
/* Is the batch of the chunk that is open? Else it is destroyed. */
enum status sql_writer_check_batch(const struct sql_writer *writer, uint64_t chunk,
                                   struct batch *batch, struct error *error) MUST_USE;
/* The first of the results, of which there are some. */
void sql_writer_poll(struct sql_writer *writer, struct batch_result *result);

struct sql_held *sql_held_add(struct sql_held_list *list, uint32_t table, struct batch *batch);
void sql_held_append(struct sql_held_list *list, struct sql_held *held);
/* Behind the others of `to`; none are left. */
void sql_held_move(struct sql_held_list *from, struct sql_held_list *to);
/* With their batches; none are left. */
void sql_held_free(struct sql_held_list *list);
/* Notes that a row is not written. */
enum status sql_held_refuse(struct sql_held *held, uint32_t row, enum outcome_kind kind,
                            enum error_code code, const char *reason, struct error *error) MUST_USE;

#endif
