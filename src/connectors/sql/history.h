/*
 * The history of a schema in SQL databases: three tables in the schema that is changed, or in one
 * beside it (alter_open.history_schema).
 *
 *   _transhume_schema       the acts, a row each (struct history_row); `format` is 1
 *   _transhume_schema_step  the steps of acts that have no transaction (struct history_step)
 *   _transhume_schema_lock  one row: the epoch that may write, and who claimed it
 *
 * A migration may have set anything in the session that writes here: names are qualified, and texts
 * that are not plain ASCII are written in hexadecimal digits.
 */
#ifndef TRANSHUME_CONNECTORS_SQL_HISTORY_H
#define TRANSHUME_CONNECTORS_SQL_HISTORY_H

#include "base/buffer.h"
#include "connectors/contract/alter.h"

#define SQL_HISTORY_ACTS HISTORY_TABLE
#define SQL_HISTORY_STEPS HISTORY_TABLE "_step"
#define SQL_HISTORY_LOCK HISTORY_TABLE "_lock"

enum sql_history_type {
    SQL_HISTORY_NUMBER, /* 64 bits */
    SQL_HISTORY_COUNT,  /* 32 bits */
    SQL_HISTORY_WORD,   /* ASCII, up to 40 bytes */
    SQL_HISTORY_NAME,   /* up to 255 characters, compared by their bytes */
    SQL_HISTORY_TEXT,   /* up to some MiB */
    SQL_HISTORY_TIME,
    SQL_HISTORY_TYPES
};

/* The fields of a row in their order, NULL for a null; borrowed for the call. */
typedef enum status sql_history_field_visit(void *context, const char *const *fields,
                                            struct error *error);

struct sql_history_dialect {
    const char *name; /* of its failpoints: "mysql" */
    const char *types[SQL_HISTORY_TYPES];
    const char *table_end;   /* behind the ")" of CREATE TABLE */
    const char *hex[2];      /* around the digits of a text */
    const char *conflict[2]; /* "ON CONFLICT (", ") DO UPDATE SET " around the key's columns */
    const char *given[2];    /* "excluded.", "": what the INSERT brought for a column */
    const char *now;         /* the server's clock */
    const char *locking;     /* behind a SELECT whose row must not change: " FOR UPDATE" */
    /* what the server says of NULL in a column that takes none: errors' native_state or _code */
    const char *null_state; /* NULL: the code counts */
    int64_t null_code;
    void (*append_table)(const struct alter_session *session, struct buffer *sql, const char *name);
    /* When the open transaction began, or now. */
    void (*append_begun)(const struct alter_session *session, struct buffer *sql);
    void (*append_time)(struct buffer *sql, int64_t us);
    /* Microseconds since 1970 of a column of times. */
    void (*append_microseconds)(struct buffer *sql, const char *column);
    /*
     * Runs one statement, which it frees, in the open transaction if there is one, else durable at
     * return. `visit` (NULL: no rows) is called for each row. STATUS_END: a table of it is not
     * there.
     */
    enum status (*run)(struct alter_session *session, struct buffer *sql,
                       sql_history_field_visit *visit, void *context, uint64_t *changed,
                       struct error *error);
};

/* The head of a SQL connector's own session, its first member. */
struct alter_session {
    const struct sql_history_dialect *history;
    const char *shown;
    uint64_t epoch; /* that it claimed; 0: none */
    char name[64];  /* of the session itself: "12345 1790000000" */
};

/* STATUS_FAILED, ERROR_RUN_FENCED: the epoch moved. */
enum status sql_history_fenced(const struct alter_session *session, struct error *error);

/* For alter_functions. */
enum status sql_history_make(struct alter_session *session, struct error *error);
enum status sql_history_read(struct alter_session *session, history_visit *visit, void *context,
                             struct error *error);
enum status sql_history_read_steps(struct alter_session *session, uint64_t number,
                                   history_step_visit *visit, void *context, struct error *error);
enum status sql_history_down_text(struct alter_session *session, uint64_t number,
                                  struct arena *arena, const char **text, struct error *error);
enum status sql_history_claim_read(struct alter_session *session, struct arena *arena,
                                   struct history_claim *claim, struct error *error);
enum status sql_history_claim(struct alter_session *session, uint64_t seen,
                              const struct ledger_holder *self, struct error *error);
enum status sql_history_put(struct alter_session *session, const struct history_row *row,
                            struct error *error);
enum status sql_history_put_step(struct alter_session *session, const struct history_step *step,
                                 struct error *error);

#endif
