/* Declarations that the files that compile and carry out declared changes of MySQL and MariaDB
 * share. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_CHANGE_CHANGE_H
#define TRANSHUME_CONNECTORS_MYSQL_CHANGE_CHANGE_H

#include "connectors/mysql/change/alter.h"
#include "connectors/sql/shadow.h"
#include "sql/statement.h"

/* The variable of a session that copies rows into a new form: triggers for the way back pass them
 * over. */
#define MYSQL_CHANGE_COPIES "@_transhume_copies"

/* Ahead of 16 digits: the name of a table on which clauses are tried. */
#define MYSQL_CHANGE_SCRATCH "_transhume_try_"

/* ---------------------------------------------------------------- a table as it is */

/* As information_schema has it; NULL: none. */
struct mysql_change_column {
    const char *name;
    const char *type; /* "varchar(20)", "int(11) unsigned" */
    const char *data_type;
    const char *charset;
    const char *collation;
    bool nullable;
    bool generated;
};

struct mysql_change_key {
    const char *name;
    bool unique; /* and none of its columns can be NULL or is cut to a length */
    const char *columns[SQL_SHADOW_KEY_MAX];
    uint32_t count;
};

/* A foreign key of the table, or of another one that refers to it. */
struct mysql_change_reference {
    const char *name;
    const char *table;  /* that has it */
    const char *clause; /* CONSTRAINT `name` FOREIGN KEY … REFERENCES … */
    const char *parent;
};

struct mysql_change_table {
    const char *name;
    const char *statement; /* SHOW CREATE TABLE */
    const char *kind;      /* BASE TABLE, VIEW, SYSTEM VERSIONED */
    const char *engine;
    struct mysql_change_column *columns;
    uint32_t column_count;
    struct mysql_change_key *keys;
    uint32_t key_count;
    struct mysql_change_reference *outward, *inward;
    uint32_t outward_count, inward_count;
    const char *const *triggers;
    uint32_t trigger_count;
};

/* change_table.c. STATUS_END: there is no such table. */
enum status mysql_change_read(struct mysql_alter *session, const char *name, struct arena *arena,
                              struct mysql_change_table *table, struct error *error) MUST_USE;
/* NULL: it has none of that name. */
const struct mysql_change_column *mysql_change_column_of(const struct mysql_change_table *table,
                                                         const char *name);
/* All rows of a query as texts. Frees the buffer. */
enum status mysql_change_query(struct alter_session *session, struct buffer *sql,
                               struct arena *arena, struct sql_shadow_rows *rows,
                               struct error *error) MUST_USE;
enum status mysql_change_run(struct alter_session *session, struct buffer *sql, uint64_t *changed,
                             struct error *error) MUST_USE;
/* The number that its next row gets, of SHOW CREATE TABLE; NULL: it counts none. */
const char *mysql_change_counter(const char *statement, struct arena *arena);

/* ---------------------------------------------------------------- what becomes of it */

enum mysql_change_way { MYSQL_WAY_AUTO, MYSQL_WAY_IN_PLACE, MYSQL_WAY_SHADOW };

/* A value that a column of the new form gets, where it is another one than the old column's. */
struct mysql_change_value {
    const char *column; /* in the new form */
    const char *up;     /* over the old columns */
    const char *down;   /* of the old column of the same place, over the new ones */
    const char *old;    /* that column's name */
};

/* A foreign key that is added: of `columns` to `parent_columns`, both as lists of SQL. */
struct mysql_change_link {
    const char *name;
    const char *clause; /* "CONSTRAINT `n` FOREIGN KEY …" */
    const char *parent;
    struct sql_shadow_list columns, parent_columns; /* quoted, with the prefixes t. and p. */
};

/* All that a change does to one table, as clauses of one ALTER TABLE. */
struct mysql_change_set {
    const char *table;
    uint32_t operation; /* the first one */
    bool several;       /* operations */
    struct buffer clauses;
    struct buffer undo; /* the way back, of those that old applications can live with */
    bool expands;       /* they can live with all of them */
    enum mysql_change_way way;
    const char *sql_mode; /* NULL: the session's */
    struct mysql_change_value *values;
    uint32_t value_count, value_capacity;
    struct mysql_change_link links[SQL_SHADOW_KEY_MAX];
    uint32_t link_count;
    const char *unlinked[SQL_SHADOW_KEY_MAX]; /* foreign keys that are dropped */
    uint32_t unlinked_count;
    uint32_t line, column;
};

/* The way in which the server can do it by itself. */
struct mysql_change_trial {
    const char *algorithm; /* "INSTANT", "NOCOPY", "INPLACE"; NULL: it would copy the table */
    bool rewrites;         /* it makes the table anew all the same */
    struct mysql_change_table after;
    const char *refusal; /* what it said last to who would not let it copy */
    const char *stands;  /* as of mysql_change_stands */
};

/* Steps and ways as they are found. */
struct mysql_change_plan {
    struct mysql_alter *session;
    const struct change *change;
    struct arena *arena;
    struct change_step *steps;
    uint32_t count, capacity;
    struct change_way *ways;
    uint32_t way_count, way_capacity;
};

/* change_plan.c */
void mysql_change_add(struct mysql_change_plan *plan, const struct change_step *step);
void mysql_change_tell(struct mysql_change_plan *plan, uint32_t operation, const char *text,
                       const char *warning);
/* The text of a buffer, which it frees. */
const char *mysql_change_text(struct mysql_change_plan *plan, struct buffer *sql);
enum status mysql_change_refuse(const struct mysql_change_set *set, struct error *error,
                                const char *format, ...) PRINTF_LIKE(3, 4);
/* "_transhume_VERSION_ROLE_TABLE", or where that is too long with a digest of the table's name. The
 * role is one word, so that no two tables' names meet. */
const char *mysql_change_name(struct mysql_change_plan *plan, const char *role, const char *table);

/* change_other.c: an operation that is none of a table's clauses. ERROR_CHANGE_REFUSED,
 * ERROR_CHANGE_INVALID. */
enum status mysql_change_plan_other(struct mysql_change_plan *plan, uint32_t operation,
                                    struct error *error) MUST_USE;

/* change_clauses.c: adds an operation of a table to its clauses. STATUS_END: it is none of those.
 */
enum status mysql_change_add_clause(struct mysql_change_plan *plan, struct mysql_change_set *set,
                                    const struct mysql_change_table *table,
                                    const struct change_operation *operation,
                                    struct error *error) MUST_USE;
bool mysql_change_is_clause(const char *kind);
/* CREATE TABLE of an operation create_table. */
void mysql_change_append_create(struct buffer *sql, const struct change_value *value);

/* change_links.c: the foreign keys that are added and dropped, as steps of their own. */
void mysql_change_plan_links(struct mysql_change_plan *plan, const struct mysql_change_set *set);
bool mysql_change_is_unlinked(const struct mysql_change_set *set, const char *name);

/* change_trial.c: empty copies of tables are made and dropped between these two, by one session of
 * the schema at a time. ERROR_TARGET_LOCKED. */
enum status mysql_change_begin_trials(struct mysql_change_plan *plan, struct error *error) MUST_USE;
void mysql_change_end_trials(struct mysql_change_plan *plan);
/* Tries the clauses on an empty copy, and the expressions. */
enum status mysql_change_try(struct mysql_change_plan *plan, const struct mysql_change_set *set,
                             const struct mysql_change_table *table,
                             struct mysql_change_trial *trial, struct error *error) MUST_USE;
/* A query that is true once the table has the form that `like` has; NULL: it has it now. */
enum status mysql_change_stands(struct mysql_change_plan *plan, const char *table, const char *like,
                                const char **query, struct error *error) MUST_USE;

void mysql_change_append_form(struct buffer *sql, const char *schema, const char *table);

/* change_checks.c. ERROR_CHANGE_REFUSED: one of the names is a table's. */
enum status mysql_change_check_names(struct mysql_change_plan *plan,
                                     const struct mysql_change_set *set, const char *const *names,
                                     uint32_t count, struct error *error) MUST_USE;
/* Likewise: a foreign key of the table, or to it, could not be one of its new form. */
enum status mysql_change_check_references(struct mysql_change_plan *plan,
                                          const struct mysql_change_set *set,
                                          const struct mysql_change_table *table,
                                          const struct mysql_change_table *after,
                                          struct error *error) MUST_USE;
/* A query that is true under `settings` as long as the table has the form, the foreign keys and,
 * but for those of these names, the triggers that it has now. */
enum status mysql_change_watch_form(struct mysql_change_plan *plan, const char *table,
                                    const char *settings, const char *const *triggers,
                                    uint32_t count, const char **query,
                                    struct error *error) MUST_USE;

/* change_shadow.c */
enum status mysql_change_plan_shadow(struct mysql_change_plan *plan,
                                     const struct mysql_change_set *set,
                                     const struct mysql_change_table *table,
                                     const struct mysql_change_trial *trial,
                                     struct error *error) MUST_USE;

/* change_values.c: a column of the one form and of the other. */
struct mysql_change_pair {
    const struct mysql_change_column *from, *to;
    const char *up;   /* expressions of the user's; NULL: the column itself */
    const char *down; /* NULL: likewise */
};
/* The value that `to` gets, over columns with `prefix` ("t.", "NEW."). `down`: the way back. */
void mysql_change_append_value(struct buffer *sql, const struct mysql_change_table *table,
                               const struct mysql_change_pair *pair, const char *prefix, bool down,
                               const char *time_zone);
/* Is it true that the column of `s` is not what it gets, of columns with `prefix`? */
void mysql_change_append_differs(struct buffer *sql, const struct mysql_change_table *table,
                                 const struct mysql_change_pair *pair, const char *prefix,
                                 const char *time_zone);
/* An expression that writes the column's value as a literal. */
void mysql_change_append_literal(struct buffer *sql, const struct mysql_change_column *column);
/* An expression with the names of the table's columns prefixed. */
void mysql_change_append_prefixed(struct buffer *sql, const struct mysql_change_table *table,
                                  const char *expression, const char *prefix);

#endif
