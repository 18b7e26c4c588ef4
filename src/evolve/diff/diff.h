/*
 * The difference of two schemas, as the statements that turn one into the other.
 *
 * A side is a database's URI, a .sql file, a folder of migrations, or "" for an empty schema. What
 * stands in files is loaded into a scratch place of the server that one of the sides, or
 * diff_options.server, names; without any, of SQLite's in memory.
 */
#ifndef TRANSHUME_EVOLVE_DIFF_DIFF_H
#define TRANSHUME_EVOLVE_DIFF_DIFF_H

#include "base/buffer.h"
#include "connectors/contract/connector.h"

/* A statement of a side that no file holds. */
struct diff_made {
    const char *text;
    const char *name;
    bool optional; /* what a migration reports and leaves out where the server refuses it */
};
/* Such a side: its statements, in the arena. `place`: what they have to name in place of the
 * database; NULL: its own name. */
struct diff_maker {
    enum status (*list)(void *context, const char *place, struct arena *arena,
                        const struct diff_made **statements, uint32_t *count, struct error *error);
    void *context;
};

struct diff_options {
    const char *from;               /* what is there */
    const char *to;                 /* what is wanted */
    const struct diff_maker *maker; /* NULL: `to` says it; else that is "" */
    const char *server; /* the URI of the server that scratch places are made on; NULL: a side's */
    const char *const *renames; /* "old=new" of tables, "table.old=new" of columns */
    uint32_t rename_count;
    bool allow_drop; /* else what would be dropped is listed and stays */
    bool blocking;   /* the plain forms of statements, also where slower ones shut nobody out */
    int64_t timeout_ms;
};

enum diff_action { DIFF_CREATE, DIFF_ALTER, DIFF_DROP, DIFF_RENAME, DIFF_REBUILD };

/* One difference. */
struct diff_change {
    enum diff_action action;
    const char *kind; /* "column" */
    const char *name; /* "public.users.age" */
    bool kept;        /* a drop that is not allowed */
    bool loses;       /* records or values */
    /* of an ALTER: what it is and what it should be, a line a fact; NULL: nothing to tell */
    const char *detail;
};

struct diff_result {
    const struct diff_change *changes; /* in their order */
    uint32_t change_count;
    const struct definition_statement *statements;
    uint32_t statement_count;
    const char *const *questions; /* "is column users.user_name the former users.username?" */
    uint32_t question_count;
    enum sql_language language;
};

/* In the arena. Nothing is changed but in scratch places. */
enum status diff_run(const struct diff_options *options, struct arena *arena,
                     struct diff_result *result, struct error *error) MUST_USE;

/* SQL that can be run as it stands, with comments. */
void diff_append_sql(const struct diff_result *result, struct buffer *out);
/* {"changes":[…],"statements":[…],"questions":[…]} */
void diff_append_json(const struct diff_result *result, struct buffer *out);
/* For people: what differs, a line each, without statements: `transhume schema drift`. */
void diff_append_changes(const struct diff_result *result, struct buffer *out);

#endif
