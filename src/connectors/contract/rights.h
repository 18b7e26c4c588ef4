/* The contract: the statements that give an account just the rights that a run needs. */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_RIGHTS_H
#define TRANSHUME_CONNECTORS_CONTRACT_RIGHTS_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

struct database;
struct schema;
struct target_table; /* connectors/contract/target.h */

/* The purposes of rights. Each needs the rights of those before it, too. */
enum rights_use {
    RIGHTS_COPY,     /* also of resume, validate and finish; rollback of what the run made */
    RIGHTS_ROLLBACK, /* taking records out of tables that were there */
    RIGHTS_FOLLOW,
    RIGHTS_CUT_OVER, /* with its own fence, and to open that again */
    RIGHTS_USE_COUNT
};

struct rights_statement {
    enum rights_use use;
    const char *text; /* as an administrator's client takes it, delimiter and all */
};

/* In the order in which they are to be run; texts in the arena. */
struct rights_list {
    struct arena *arena;
    struct rights_statement *statements;
    uint32_t count;
    uint32_t capacity;
};

/* Copies the text and empties the buffer. What is in the list already, for whatever use, is not
 * said again. */
void rights_add(struct rights_list *list, enum rights_use use, struct buffer *text);

struct rights_request {
    const char *account;  /* as the user writes it: of MySQL NAME or NAME@HOST */
    bool follows;         /* the source's changes; statements for RIGHTS_FOLLOW and behind, too */
    bool carries_objects; /* a plain copy within one kind of database: sequences, views, … */
    const struct schema *objects; /* with it: views, triggers and so on; NULL: none */
    /* Source: tables and views that are read, in its names. */
    const char *const *read;
    uint32_t read_count;
    bool queries; /* source: the plan has queries of its own, whose tables nobody knows */
    /* Target: the plan's tables, and for each whether it is to be made. */
    const struct target_table *tables;
    const bool *missing;
    uint32_t table_count;
    bool alters; /* target: indexes are rebuilt or triggers disabled of tables that are there */
};

/* Both ask the catalogue, as the account of the URI sees it, and change nothing. Control thread.
 * Optional, each. */
struct rights_functions {
    enum status (*of_source)(struct database *self, const struct rights_request *request,
                             struct rights_list *list, struct error *error);
    enum status (*of_target)(struct database *self, const struct rights_request *request,
                             struct rights_list *list, struct error *error);
};

#endif
