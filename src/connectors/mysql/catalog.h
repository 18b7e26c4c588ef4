/* The connector's facts of a database's tables, beyond struct schema. */
#ifndef TRANSHUME_CONNECTORS_MYSQL_CATALOG_H
#define TRANSHUME_CONNECTORS_MYSQL_CATALOG_H

#include "connectors/mysql/mysql_internal.h"

struct mysql_column {
    const char *name;
    struct mysql_type type;
    const char *charset; /* NULL: it has none, or is one of a query */
    const char *collation;
    bool not_null;
    bool generated;
    bool has_default; /* or numbers itself */
    bool counted;     /* auto_increment */
    bool error_value; /* an ENUM whose source is one, too: "" that is no label is its error value */
};

/* Runs in parallel with schema->tables. */
/* By which it is seen that a table's columns were altered. */
struct mysql_shape {
    const char *name;
    uint64_t columns;
    uint64_t created; /* when the server says that it was made; 0: it does not (any more) */
};
bool mysql_shape_is_other(const struct mysql_shape *shape, const struct mysql_shape *now);

struct mysql_table {
    const struct schema_table *schema;
    const struct mysql_column *columns;
    const char *engine; /* NULL: a view */
    const char *comment;
    int64_t row_estimate;   /* -1: the statistics do not say */
    struct column_list key; /* the primary key, or a unique one that can't be NULL; else empty */
    struct mysql_shape shape;
};

static inline struct sql_table mysql_table_of(const struct mysql_table *facts)
{
    return (struct sql_table){.schema = facts->schema,
                              .key = facts->key,
                              .row_estimate = facts->row_estimate,
                              .facts = (const struct sql_facts *)facts};
}
static inline const struct mysql_table *mysql_facts_of(const struct sql_table *table)
{
    return (const struct mysql_table *)table->facts;
}

struct mysql_catalog {
    struct schema *schema;
    struct mysql_table *tables;
    uint32_t table_count;
    bool folds_names;
};

/* Reads the tables of the instance's database, or the one named, into `arena`, by several queries:
 * a table that is made again between two of them seems to be half there. */
enum status mysql_catalog_read_once(struct mysql_database *self, MYSQL *connection,
                                    const char *table, struct arena *arena,
                                    struct mysql_catalog *catalog, struct error *error) MUST_USE;
/* How often what is being altered is read again, and what is waited for before that. */
enum { MYSQL_READINGS_MAX = 20, MYSQL_READINGS_PAUSE_MS = 25 };
/* catalog_settled.c: the same, until nothing was made or altered meanwhile. */
enum status mysql_catalog_read(struct mysql_database *self, MYSQL *connection, const char *table,
                               struct arena *arena, struct mysql_catalog *catalog,
                               struct error *error) MUST_USE;
/* Has the one as many indexes and foreign keys and the same columns as the other, table by table?
 */
bool mysql_catalogs_are_alike(const struct mysql_catalog *left, const struct mysql_catalog *right);
/* catalog_functions.c: tables and objects, and of a source the kept ones, which are the same. */
enum status mysql_describe_all(struct mysql_database *self, MYSQL *connection, struct arena *arena,
                               struct mysql_catalog *catalog, struct error *error) MUST_USE;
/* actions.c: does the binary log tell what foreign keys' actions do? */
enum status mysql_logs_actions(struct mysql_database *self, MYSQL *connection, bool *logs,
                               struct error *error) MUST_USE;
/* unseen.c: the actions of foreign keys that the catalogue does not tell, from the table's
 * statement. */
void mysql_take_actions(struct schema_table *table, struct arena *arena);
/* Sets schema->unseen. */
enum status mysql_unseen_read(struct mysql_database *self, MYSQL *connection, struct schema *schema,
                              struct error *error) MUST_USE;
/* rights.c: has the session a role, or has everybody something? */
bool mysql_has_other_rights(struct mysql_database *self, MYSQL *connection);
/* catalog_settled.c: the source's own, read at first use and kept. Control thread. */
enum status mysql_catalog_get(struct mysql_database *self, const struct mysql_catalog **catalog,
                              struct error *error) MUST_USE;
/* The shapes of the tables now, by the bytes of their names. */
enum status mysql_catalog_shapes(struct mysql_database *self, MYSQL *connection,
                                 struct arena *arena, struct mysql_shape **shapes, uint32_t *count,
                                 struct error *error) MUST_USE;
/* NULL: there is none of that name. */
const struct mysql_table *mysql_catalog_find(const struct mysql_catalog *catalog, const char *name);
/* look.c: some tables of a target, of which many are read at once. */
struct mysql_look {
    bool whole; /* `all` is what there was then; else each is asked for when it is looked at */
    struct mysql_catalog all;
};
enum status mysql_look(struct mysql_database *self, MYSQL *connection, uint32_t table_count,
                       struct arena *arena, struct mysql_look *look, struct error *error) MUST_USE;
/* STATUS_END: there is none of that name. `look` may be NULL: nothing was read. Any thread with a
 * connection of its own. */
enum status mysql_look_at(const struct mysql_look *look, struct mysql_database *self,
                          MYSQL *connection, const char *name, struct arena *arena,
                          struct mysql_table *table, struct error *error) MUST_USE;
/* Forgets what inspect saw: it is not what is there any more. */
void mysql_forget_seen(struct mysql_database *self);
/* -1: there is none of that name; names of columns differ by more than case. */
int32_t mysql_find_column(const struct mysql_table *table, const char *name);
bool mysql_is_in(struct column_list columns, const char *name);

/* describe.c: what is neither table nor index, as schema objects. */
enum status mysql_objects_read(struct mysql_database *self, MYSQL *connection,
                               struct schema *schema, struct error *error) MUST_USE;
/* objects_show.c: catalog_functions.ask_values */
enum status mysql_ask_values(struct database *self, struct schema_object *objects, uint32_t count,
                             struct arena *arena, struct error *error);
/*
 * account.c: May the account do it? The server reads the statement and, `prepared`, does not run
 * it; what it refuses for another reason than a right is allowed. `problem` has what it said.
 */
enum status mysql_is_denied(struct mysql_database *self, MYSQL *connection,
                            struct buffer *statement, bool prepared, enum error_code code,
                            bool *denied, struct error *problem, struct error *error) MUST_USE;
/* The same of reading the table, or all of the database if there is none of that name: a right that
 * is missing is found before the table is. */
enum status mysql_is_denied_select(struct mysql_database *self, MYSQL *connection,
                                   const char *table, enum error_code code, bool *denied,
                                   struct error *error) MUST_USE;
/* The session's account as information_schema writes it, in quotes that no sql_mode takes for
 * others. */
#define MYSQL_GRANTEE                                                                       \
    "concat(char(39), left(current_user(), char_length(current_user()) - "                  \
    "char_length(substring_index(current_user(), '@', -1)) - 1), char(39), '@', char(39), " \
    "substring_index(current_user(), '@', -1), char(39))"

/* account.c: the session's account as GRANT has it, into the arena. */
enum status mysql_name_account(struct mysql_database *self, MYSQL *connection, enum error_code code,
                               struct arena *arena, const char **account,
                               struct error *error) MUST_USE;
/* The same, or "the account" where the server does not say. */
const char *mysql_account(struct mysql_database *self, MYSQL *connection, struct arena *arena)
    __attribute__((returns_nonnull));
/*
 * "`shop\_1`.*" for GRANT, in which "_" and "%" of a database's name stand for others. What is
 * granted on one such name hides what is on a wider one, so an account (as information_schema has
 * it; NULL: the session's) that has rights on the bare name gets more of them there.
 */
void mysql_append_all_of(struct buffer *out, struct mysql_database *self, MYSQL *connection,
                         const char *grantee, const char *schema);
/* A hint: "RIGHTS TO 'user'@'host'", as the connection's account is called. */
void mysql_hint_grant(struct mysql_database *self, MYSQL *connection, const char *rights,
                      struct error *error);
/* lacking.c: the statement that would let the account read the table, as a warning. */
enum status mysql_warn_lacking(struct mysql_database *self, MYSQL *connection, const char *table,
                               struct error *error) MUST_USE;
/* describe.c: SHOW CREATE TABLE of each table, without the number that it counts on from. */
enum status mysql_statements_read(struct mysql_database *self, MYSQL *connection,
                                  struct mysql_catalog *catalog, struct arena *arena,
                                  struct error *error) MUST_USE;
/* describe.c: the columns of a query's result. */
enum status mysql_describe_query(struct mysql_database *self, MYSQL *connection, const char *query,
                                 struct arena *arena, struct schema_table *table,
                                 struct mysql_column **columns, struct error *error) MUST_USE;

#endif
