/*
 * A shadow: a second table with the new form of one that stays in use. Triggers carry each change
 * of the first one over, batches copy the rows that were there before, and a proof compares both.
 * What the connectors of MySQL and SQLite share of it: the batches, and the words in which a step
 * of a change keeps what they need.
 *
 * The words are one JSON object, made once by the compiler and kept in the history:
 *   kind       "copy", "prove", "drain", "close"
 *   table, shadow, queue       names, quoted; no queue: ""
 *   hint       behind the table's name in FROM: an index to walk, or ""
 *   shadow_hint  likewise, of the shadow
 *   key        the table's key columns, as `t` has them: what the batches walk along
 *   literal    of each, an expression over `t` that writes its value as a literal
 *   at         of each, an expression over `t` with the value that the shadow has
 *   shadow_key the same columns, as the shadow, `s`, has them
 *   queue_key  and in the queue, as `q` has them: keys of rows that a trigger could not carry over.
 *              Its columns have the names of the table's, and `_n` numbers its rows
 *   into       the shadow's columns, a list as INSERT has it
 *   values     of each, an expression over `t`
 *   differs    an expression over `t` and `s` that is true where a row's two forms differ
 *   lock       behind a SELECT that other writers have to wait for, or ""
 *   skip       the same, which passes rows over that others hold; "": there is no such lock
 *   tight      do ranges of the key hold the same rows in both tables?
 *   strict, lenient            of "close": statements by which triggers fail writers whose rows do
 *                              not fit the shadow, and by which they fail nobody
 *   form       of "close": a query that is true while the table is as it was compiled
 */
#ifndef TRANSHUME_CONNECTORS_SQL_SHADOW_H
#define TRANSHUME_CONNECTORS_SQL_SHADOW_H

#include "base/buffer.h"
#include "connectors/contract/change.h"

/* Keys of more columns are not walked along. */
enum { SQL_SHADOW_KEY_MAX = 16 };

enum sql_shadow_kind {
    SQL_SHADOW_COPY,
    SQL_SHADOW_PROVE,
    SQL_SHADOW_DRAIN,
    SQL_SHADOW_CLOSE,
    SQL_SHADOW_KIND_COUNT
};

struct sql_shadow_list {
    const char *items[SQL_SHADOW_KEY_MAX];
    uint32_t count;
};

/* The words, read. */
struct sql_shadow {
    enum sql_shadow_kind kind;
    const char *table, *shadow, *queue;
    const char *hint, *shadow_hint, *lock, *skip;
    const char *into, *values, *differs;
    const char *strict, *lenient, *form;
    struct sql_shadow_list key, literal, at, shadow_key, queue_key;
    bool tight;
};

/* Rows of a query, all of its values as texts; NULL: NULL. */
struct sql_shadow_rows {
    const char ***cells;
    uint32_t count, columns;
};

/* How a connector speaks to its session. */
struct sql_shadow_dialect {
    bool joins_in_delete; /* DELETE s FROM … AS s JOIN …, as MySQL has it */
    enum status (*query)(struct alter_session *session, struct buffer *sql, struct arena *arena,
                         struct sql_shadow_rows *rows, struct error *error);
    /* `*changed`: rows written. */
    enum status (*run)(struct alter_session *session, struct buffer *sql, uint64_t *changed,
                       struct error *error);
};

/* Both in the arena. */
const char *sql_shadow_write(const struct sql_shadow *shadow, struct arena *arena);
enum status sql_shadow_read(const char *words, struct arena *arena, struct sql_shadow *shadow,
                            struct error *error) MUST_USE;

/* "(a > 1 OR (a = 1 AND b > 2))" with columns `names` and literals `at`; `order` is ">", "<=" … */
void sql_shadow_append_beside(struct buffer *sql, const struct sql_shadow_list *names,
                              const char *order, const struct sql_shadow_list *at);
/* "a = 1 AND b = 2" */
void sql_shadow_append_same(struct buffer *sql, const struct sql_shadow_list *left,
                            const struct sql_shadow_list *right);

/* change_functions.batch of a step with such words. */
enum status sql_shadow_batch(const struct sql_shadow_dialect *dialect,
                             struct alter_session *session, const struct sql_shadow *shadow,
                             const char *position, uint64_t rows, struct arena *arena,
                             struct change_batch *batch, struct error *error) MUST_USE;

#endif
