/*
 * The basis of the compiler of declared changes: the tables of the schema as the new version will
 * have them, and the steps so far.
 *
 * A column that becomes another one is there twice while the change is under way: the old one under
 * its name, the new one as _transhume_new_NAME. A trigger that fires last keeps both equal by the
 * declared expressions. Applications of the new version look in a schema of views that show each
 * table as it will be.
 */
#ifndef TRANSHUME_CONNECTORS_POSTGRES_CHANGE_CHANGE_H
#define TRANSHUME_CONNECTORS_POSTGRES_CHANGE_CHANGE_H

#include "connectors/postgres/change/alter.h"

#define POSTGRES_CHANGE_PREFIX "_transhume_new_"
#define POSTGRES_CHANGE_CHECK "_transhume_check_"
/* Triggers fire in the order of their names' bytes: this one behind all others, where none has a
 * name that begins with something else than ASCII (struct altered_table: trigger). */
#define POSTGRES_CHANGE_TRIGGER "~_transhume_sync"
/* The comment that tells a schema of views, with the schema of the tables behind it. */
#define POSTGRES_CHANGE_COMMENT "transhume: views of "

/* An expression as the server parsed it. */
struct altered_expression {
    const char *text; /* NULL: there is none */
    const bool *uses; /* by the column's number in its table */
    bool is_volatile; /* gives another value each time */
    bool by_session;  /* gives another value in a session of other settings */
    bool looks_out;   /* names tables or functions by the search_path */
};

struct altered_column {
    const char *name;     /* in the new version */
    const char *old;      /* in the old one; NULL: it is added */
    const char *carrier;  /* the column that has the new version's values */
    const char *type;     /* of the carrier */
    const char *old_type; /* NULL: it is added */
    const char *assigned; /* the carrier's type without a length, which an assignment checks */
    const char *old_assigned;
    const char *default_sql; /* of the carrier; NULL: none */
    const char *old_default;
    const char *comment;
    const char *sequences; /* that it owns, as SQL; NULL */
    const char *collation; /* as SQL; NULL: that of its type */
    const char *space;     /* of the operators of its order, as SQL; NULL: pg_catalog */
    const char *new_space; /* the same of the type that an altered one gets */
    int number;            /* attnum; 0: it is added */
    bool old_not_null;
    bool not_null; /* in the new version */
    bool equality; /* the carrier's type has an operator for it */
    bool constant; /* its default is one */
    bool generated;
    bool identity;
    bool hidden; /* dropped in the new version */
    bool moved;  /* hidden, since another table has it: a new version's INSERT has no default for it
                  */
    bool dual;   /* the carrier is another column than the old one */
    bool made;   /* the carrier is made by the change */
    bool fills;  /* rows that are there get `up` */
    bool lossless;
    bool view_default; /* the view has the default, the table not yet */
    bool new_comment;
    bool referred; /* a foreign key that the change makes refers to it */
    bool checked;  /* NOT NULL is proved by a check, which is there until the end */
    uint32_t operation;
    struct altered_expression up;
    struct altered_expression down;
};

struct altered_table {
    struct altered_table *replacement; /* which the new version sees in its place; NULL: none */
    const char *name;                  /* in the new version */
    const char *old;     /* its name until the end; of a table that is made, what it is made as */
    const char *oid;     /* NULL: it is made */
    const char *trigger; /* the name of the change's own */
    struct altered_column *columns;
    uint32_t count;
    uint32_t capacity;
    const char *const *keys; /* by which rows are filled */
    const char *const *key_types;
    uint32_t key_count;
    uint32_t group; /* tables that follow each other: they contract in one transaction */
    bool dropped;
    bool touched; /* its view is not the table as it is */
    bool partitioned;
    uint32_t operation;     /* the last one that touched it */
    struct buffer unlinks;  /* foreign keys that go, ahead of all tables' `contract` */
    struct buffer contract; /* clauses and statements at the end, each ended by ";\n" */
    struct buffer late;     /* likewise behind those, when columns have their last names */
    struct buffer holds;    /* conditions that each row has to meet: " AND (…)" */
};

struct change_steps {
    struct change_step *items;
    uint32_t count;
    uint32_t capacity;
};

struct compiler {
    struct postgres_alter *session;
    struct arena *arena;
    const struct change *change;
    const struct change_operation *operation; /* at hand */
    uint32_t number;                          /* its own */
    const char *schema;
    const char *path;       /* the search_path that expressions are read with */
    const char *new_schema; /* of views */
    const char *old_schema; /* NULL: the old version looks in the tables */
    const char *old_views;  /* schemas of views of former changes, as an array */
    struct altered_table **tables;
    uint32_t table_count;
    uint32_t table_capacity;
    struct change_steps steps[CHANGE_PHASE_COUNT];
    struct change_steps proofs; /* come first in CHANGE_PROVE */
    struct change_way *ways;
    uint32_t way_count;
    uint32_t way_capacity;
    const char **gone; /* constraints and indexes that the change drops */
    uint32_t gone_count;
    uint32_t gone_capacity;
};

/* ---------------------------------------------------------------- change_model.c */

enum status change_find_table(struct compiler *compiler, const struct change_value *at,
                              const char *name, struct altered_table **table,
                              struct error *error) MUST_USE;
/* NULL: it has none of that name in the new version. */
struct altered_column *change_column_named(const struct altered_table *table, const char *name);
enum status change_find_column(struct compiler *compiler, struct altered_table *table,
                               const struct change_value *at, const char *name,
                               struct altered_column **column, struct error *error) MUST_USE;
struct altered_column *change_add_column(struct compiler *compiler, struct altered_table *table);
struct altered_table *change_add_table(struct compiler *compiler);
/* ERROR_CHANGE_INVALID at the value's place. */
enum status change_invalid(const struct compiler *compiler, const struct change_value *at,
                           struct error *error, const char *format, ...) PRINTF_LIKE(4, 5);
enum status change_refused(const struct compiler *compiler, struct error *error, const char *format,
                           ...) PRINTF_LIKE(3, 4);
/* Notes that a constraint or an index is dropped: no second column gets it. */
void change_note_gone(struct compiler *compiler, const char *name);
bool change_is_gone(const struct compiler *compiler, const char *name);
enum status change_query(struct compiler *compiler, const char *sql, const char *const *values,
                         int count, PGresult **result, struct error *error) MUST_USE;
enum status change_execute(struct compiler *compiler, const char *sql,
                           struct error *error) MUST_USE;
const char *change_cell(struct compiler *compiler, PGresult *result, int row, int column);
/* A name of at most 63 bytes that tells what it is of. */
const char *change_short_name(struct compiler *compiler, const char *prefix, const char *name);

/* ---------------------------------------------------------------- change_steps.c */

struct change_step *change_step_add(struct compiler *compiler, enum change_phase phase,
                                    const char *title);
/* SQL by a format (sql_append), in the arena. */
const char *change_sql(struct compiler *compiler, const char *format, ...);
void change_way_add(struct compiler *compiler, const char *text, const char *warning);
/* `undo` may be NULL. */
struct change_step *change_statement(struct compiler *compiler, enum change_phase phase,
                                     enum alter_lock lock, const char *title, const char *text,
                                     const char *undo);
/* CREATE INDEX CONCURRENTLY with its way back and the question whether it stands. */
void change_index_step(struct compiler *compiler, const char *title, const char *name,
                       const char *text, bool fresh);
const char *change_text_of(struct compiler *compiler, struct buffer *buffer);
/* A condition: do two values of one type differ (`equal`: are they the same)? NULL is a value.
 * Their images are compared, since types call different values equal (citext, numeric, char), and
 * IS DISTINCT FROM looks for a = in the search_path; or by `operation` of their type
 * (change_equals), if that is not NULL. */
const char *change_compare(struct compiler *compiler, const char *operation, bool equal,
                           const char *left, const char *right);

/* ---------------------------------------------------------------- change_expression.c */

/* Has the server parse an expression over the old version's columns (`up`) or the new one's. */
enum status change_read_expression(struct compiler *compiler, struct altered_table *table,
                                   const struct change_value *at, const char *text,
                                   const char *type, bool up, struct altered_expression *expression,
                                   struct error *error) MUST_USE;
/* Makes an empty table _transhume_scratch with the columns that the new version has, each under the
 * name that carries it, runs the statement, and takes all of it back. What the server says of it is
 * in `*problem`; NULL: nothing. */
enum status change_try(struct compiler *compiler, const struct altered_table *table,
                       const char *statement, const char **problem, struct error *error) MUST_USE;
/* The text with the new version's names as the columns that carry them. */
const char *change_carried(struct compiler *compiler, const struct altered_table *table,
                           const char *text);
/* The text with `from`, where it is a column's name, as `to`. */
const char *change_replace_name(struct compiler *compiler, const char *text, const char *from,
                                const char *to);

/* ---------------------------------------------------------------- operations */

typedef enum status change_operate(struct compiler *compiler, const struct change_value *value,
                                   struct error *error);
change_operate change_create_table; /* change_table.c */
change_operate change_drop_table;
change_operate change_rename_table;
change_operate change_set_table;
change_operate change_copy_table;  /* change_sync.c */
change_operate change_split_table; /* change_split.c */
change_operate change_merge_table; /* change_move.c */
change_operate change_move_column;
change_operate change_create_junction; /* change_pairs.c */
change_operate change_add_column_op;   /* change_column.c */
change_operate change_drop_column;
change_operate change_rename_column;
change_operate change_alter_column;
change_operate change_create_index; /* change_index.c */
change_operate change_drop_index;
change_operate change_create_constraint; /* change_constraint.c */
change_operate change_drop_constraint;
change_operate change_rename_constraint;
change_operate change_add_enum_value; /* change_other.c */
change_operate change_add_partition;
change_operate change_drop_partition;
change_operate change_replica_identity;
change_operate change_sql_op;

/* change_dual.c: makes a second column that carries the new version's values. */
enum status change_make_dual(struct compiler *compiler, struct altered_table *table,
                             struct altered_column *column, const char *type,
                             struct error *error) MUST_USE;
/* Facts of a type, for the column's carrier: a collation (may be NULL) is kept as long as there is
 * one at all. */
enum status change_read_type(struct compiler *compiler, struct altered_column *column,
                             const char *type, const char **collation,
                             struct error *error) MUST_USE;
/* Indexes and constraints of columns that got a second one, for that: behind the filling. */
enum status change_copy_attached(struct compiler *compiler, struct error *error) MUST_USE;
/* change_column.c: a second column where `up` or `down` (may be NULL) say more than the column. */
enum status change_dual_if(struct compiler *compiler, struct altered_table *table,
                           struct altered_column *column, const struct change_value *up,
                           const struct change_value *down, struct error *error) MUST_USE;
/* change_constraint.c: what is proved behind the filling, and held from then on. */
enum status change_add_check(struct compiler *compiler, struct altered_table *table,
                             const char *name, const char *expression, bool no_inherit,
                             struct error *error) MUST_USE;
void change_add_not_null(struct compiler *compiler, struct altered_table *table,
                         struct altered_column *column);
enum status change_add_reference(struct compiler *compiler, struct altered_table *table,
                                 const char *name, const char *columns,
                                 const struct change_value *references, const char *deferrable,
                                 struct error *error) MUST_USE;
/* `tail` of the index, `deferrable` of the constraint. */
void change_add_unique(struct compiler *compiler, struct altered_table *table, const char *name,
                       const char *columns, const char *kind, const char *tail,
                       const char *deferrable);
/* Says why a foreign key of the change can't refer to a column that it makes anew. */
enum status change_refuse_referred(struct compiler *compiler, const struct altered_table *table,
                                   const struct altered_column *column, struct error *error);
/* " REFERENCES t (c) ON DELETE …"; refused where it refers to such a column. */
enum status change_append_reference(struct compiler *compiler,
                                    const struct change_value *references, struct buffer *sql,
                                    struct error *error) MUST_USE;

/* change_marks.c: statistics, storage, compression for the second column of one. */
enum status change_keep_settings(struct compiler *compiler, const struct altered_table *table,
                                 const struct altered_column *column, struct error *error) MUST_USE;
/* Comments, replica identity, clustering for the copy of an index or a constraint, at the end. */
enum status change_keep_marks(struct compiler *compiler, struct altered_table *table,
                              const char *name, struct error *error) MUST_USE;
/* The column's default as one of another type. A constant is one in it, too: what the cast gives in
 * this session it is for all. */
enum status change_default_as(struct compiler *compiler, const struct altered_column *column,
                              const char *type, const char **text, struct error *error) MUST_USE;
/* A statement that drops the second column of partitions which were detached meanwhile; NULL: the
 * table has no partitions. */
const char *change_clean_detached(struct compiler *compiler, const struct altered_table *table,
                                  const struct altered_column *column);
/* The same at the end, for all tables. */
void change_emit_detached(struct compiler *compiler);

/* change_others.c: triggers of others that the change can't live with are refused, and the names of
 * its own ones are chosen. */
enum status change_check_others(struct compiler *compiler, struct error *error) MUST_USE;

/* change_check.c: what can't be carried is refused, before anything is made. */
/* A type with checks of its own: a column of it is added by a rewrite of the table. */
enum status change_check_domain(struct compiler *compiler, const struct altered_table *table,
                                const struct change_value *at, const char *type,
                                struct error *error) MUST_USE;
/* Views, foreign keys of others and the like that stand on the column. */
enum status change_check_attached(struct compiler *compiler, const struct altered_table *table,
                                  const struct altered_column *column,
                                  struct error *error) MUST_USE;
/* Are all keys of the map columns of that list? ERROR_CHANGE_INVALID. */
enum status change_check_keys(struct compiler *compiler, const struct change_value *map,
                              const struct change_value *list, struct error *error) MUST_USE;
/* Constraints and indexes on columns that go to another table: statements that make those for
 * `part` which lie on these columns alone, each ended by ";\n"; others are refused. NULL `part`:
 * all are refused but those whose kinds `ignored` names ("f": foreign keys, "i": indexes of one
 * column). */
enum status change_carry_attached(struct compiler *compiler, const struct altered_table *table,
                                  const char *const *columns, uint32_t count, const char *part,
                                  const char *ignored, struct buffer *sql,
                                  struct error *error) MUST_USE;
/* Checks for what a second table in place of this one would not have. */
enum status change_check_copy(struct compiler *compiler, const struct altered_table *table,
                              bool drop, struct error *error) MUST_USE;
/* For people: triggers that fire for each row that is filled, publications that have it. */
enum status change_warn_of(struct compiler *compiler, const struct altered_table *table,
                           struct error *error) MUST_USE;

/* change_grants.c: as blocks of PL/pgSQL, evaluated when they are run */
/* The table's privileges, its owner's included, for another table or a view. Columns: pairs of a
 * name there and here, as rows of VALUES; NULL: their names are the same. */
void change_append_grants(const char *from, const char *to, const char *columns,
                          struct buffer *sql);
/* The privileges of one column for another one of the table. */
void change_append_column_grants(const char *place, const char *from, const char *to,
                                 struct buffer *sql);
/* Who may use a schema may use the other one. */
void change_append_usage(const char *from, const char *to, struct buffer *sql);

/* change_table.c: has the server try a statement, before anything is made. */
enum status change_try_out(struct compiler *compiler, const char *text,
                           struct error *error) MUST_USE;
/* Does anything of others stand on the table? ERROR_CHANGE_REFUSED. */
enum status change_check_referrers(struct compiler *compiler, const struct altered_table *table,
                                   struct error *error) MUST_USE;

/* change_sync.c */
const char *change_place(struct compiler *compiler, const struct altered_table *table);
/* Where the operators of a column's type are, as SQL; NULL: in pg_catalog, or there is no such
 * column. And "OPERATOR(… .=)" of it: by a bare = whoever may make operators in the search_path
 * would have functions run as whose trigger it is. */
const char *change_space(const struct altered_table *table, const char *name);
const char *change_equals(struct compiler *compiler, const struct altered_table *table,
                          const char *name);
const char *change_match(struct compiler *compiler, const struct altered_table *table,
                         const char *left, const char *right);
enum status change_need_key(const struct compiler *compiler, const struct altered_table *table,
                            struct error *error) MUST_USE;
/* A trigger on `table` by which another one follows it. `body`: statements of PL/pgSQL. */
void change_sync(struct compiler *compiler, struct altered_table *table, struct altered_table *to,
                 const char *body);

/* change_fill.c: rows of one table as rows of another one, under the lock of the first one's. */
struct change_insertion {
    const struct altered_table *from;
    const struct altered_table *into;
    const char *columns;
    const char *values;    /* over the first one's columns */
    const char *condition; /* likewise */
    const char *conflict;  /* the second one's key: who is there already is newer */
};
void change_fill_insert(struct compiler *compiler, const struct change_insertion *insertion);
/* Rows of `into`, t, get what rows of `from`, f, have. */
struct change_joining {
    const struct altered_table *into;
    const struct altered_table *from;
    const char *on;  /* of f */
    const char *key; /* of t */
    const char *set;
    const char *equal;
};
void change_fill_join(struct compiler *compiler, const struct change_joining *joining);
/* Batches that show that a condition holds of each row. */
void change_prove(struct compiler *compiler, enum change_phase phase,
                  const struct altered_table *table, const char *title, const char *holds,
                  bool again);

/* change_trigger.c, change_views.c, change_fill.c: what all operations together need */
void change_emit_triggers(struct compiler *compiler);
bool change_has_trigger(const struct altered_table *table);
const char *change_function_name(struct compiler *compiler, const struct altered_table *table);
enum status change_emit_fills(struct compiler *compiler, struct error *error) MUST_USE;
enum status change_emit_views(struct compiler *compiler, struct error *error) MUST_USE;
/* A statement that drops all views of a schema. */
const char *change_drop_views(struct compiler *compiler, const char *schema);
enum status change_emit_contract(struct compiler *compiler, struct error *error) MUST_USE;

/* change_batch.c */
enum status postgres_change_batch(struct alter_session *session, const struct change_step *step,
                                  const char *position, uint64_t rows, struct arena *arena,
                                  struct change_batch *batch, struct error *error);
enum status postgres_change_estimate(struct alter_session *session, const struct change_step *step,
                                     uint64_t *rows, struct error *error);

#endif
