/*
 * The contract: definitions. All that a schema is made of, each in the database's own words, and
 * the statements that turn one such set into another.
 *
 * Two schemas are compared as two lists of definitions that the same kind of server has told, so
 * that an expression is spelled alike on both sides. A schema that stands in files is loaded into a
 * scratch place of that server, and read from there.
 */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_DEFINITIONS_H
#define TRANSHUME_CONNECTORS_CONTRACT_DEFINITIONS_H

#include "connectors/contract/alter.h"
#include "connectors/contract/database.h"

enum { DEFINITION_NONE = UINT32_MAX };

/* A fact whose name begins with "_" is for statements, and is not compared. */
struct definition_fact {
    const char *name;  /* "type" */
    const char *value; /* never NULL: what is not so has no fact */
};

/* How a definition goes along with its owner, mostly a table. */
enum definition_binding {
    DEFINITION_ALONE,    /* it stands for itself, and is dropped by itself also with its owner */
    DEFINITION_ATTACHED, /* it is made and changed by itself, and dropped along with its owner */
    DEFINITION_PART,     /* it is made along with its owner as well */
    DEFINITION_WITHIN    /* and changed: a statement on the owner says all */
};

struct definition {
    const char *kind;   /* "table", "column", "foreign key", "view", … */
    const char *schema; /* NULL: the database has none, or it stands in none */
    const char *table;  /* the owner's name; NULL: it has none */
    const char *name;   /* no other one of the kind, schema and table has it */
    const struct definition_fact *facts;
    uint32_t fact_count;
    enum definition_binding binding;
    bool holds_records;    /* to drop it loses what users stored */
    int rank;              /* what may stand on another one has a higher rank, as a rule */
    uint32_t owner;        /* its number in the list; DEFINITION_NONE */
    const uint32_t *needs; /* numbers of those that have to be there first, its owner among them */
    uint32_t need_count;
};

struct definitions {
    const struct definition *items;
    uint32_t count;
};

struct definition_statement {
    const char *text; /* without a delimiter behind it */
    enum alter_lock lock;
    bool rewrites; /* a whole table, or reads it, so that it takes as long as that is large */
    bool alone;    /* it may not stand in a transaction with others */
};

enum definition_change_kind {
    DEFINITION_CREATE,
    DEFINITION_ALTER,
    DEFINITION_RENAME, /* `before` gets the name of `after`, all else as it is */
    DEFINITION_DROP
};

struct definition_change {
    enum definition_change_kind kind;
    const struct definitions *from;
    const struct definitions *to;
    const struct definition *before; /* of `from`; NULL: CREATE */
    const struct definition *after;  /* of `to`; NULL: DROP. RENAME: has a name, and no facts */
    bool fresh;  /* its table is made by the same list of statements: nobody uses it yet */
    bool online; /* the forms that shut nobody out are wanted */
};

/* One connection, to the database itself or to a scratch place that goes with it. */
struct definition_session;

struct definition_functions {
    enum sql_language language;
    bool folds_names; /* names that differ in the case of ASCII letters only are one */

    /* `scratch`: an empty place of the same server, which `close` removes. `self` may then be NULL
     * where no server is needed. */
    enum status (*open)(struct database *self, bool scratch, struct definition_session **session,
                        struct error *error);
    void (*close)(struct definition_session *session); /* takes NULL */
    /* The name that statements give in place of the database itself so that they reach the scratch
     * place. Borrowed. Optional: a connection reaches nothing else. */
    const char *(*place)(const struct definition_session *session);
    /* One statement, in the scratch place. */
    enum status (*run)(struct definition_session *session, const char *text, size_t length,
                       struct error *error);
    /* All definitions, without those of this program's own tables. */
    enum status (*read)(struct definition_session *session, struct arena *arena,
                        struct definitions *definitions, struct error *error);
    /* The statements of a change, in the arena. STATUS_AGAIN: of an ALTER: it can't be altered,
     * only dropped and made again. Nothing is run. */
    enum status (*emit)(struct definition_session *session, const struct definition_change *change,
                        struct arena *arena, const struct definition_statement **statements,
                        uint32_t *count, struct error *error);
    /* Has `user`, which needs what is altered, to be dropped before and made again after it? Of
     * what is dropped and made again each user has. */
    bool (*disturbs)(const struct definition_change *change, const struct definition *user);
    /* Does something differ that no fact tells, as an order? Of those that are equal. Optional. */
    bool (*differs)(const struct definition_change *change);
};

/* NULL: there is no such fact. */
const char *definition_fact(const struct definition *definition, const char *name);
/* Have they the same facts, but for those that are not compared? */
bool definition_is_equal(const struct definition *left, const struct definition *right);

#endif
