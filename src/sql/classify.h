/* The effect of a statement on a session, a transaction and the schema, without a server to ask. */
#ifndef TRANSHUME_SQL_CLASSIFY_H
#define TRANSHUME_SQL_CLASSIFY_H

#include "sql/cursor.h"

enum sql_statement_class {
    SQL_CLASS_SESSION,     /* SET, USE, RESET, PREPARE, LOCK TABLES (MySQL), most PRAGMAs, SELECT
                              set_config(…), SELECT … INTO @x: repeated where a file is resumed
                              behind it */
    SQL_CLASS_TRANSACTION, /* BEGIN, COMMIT, ROLLBACK, SAVEPOINT, START TRANSACTION, XA */
    SQL_CLASS_ALONE, /* may not run in a transaction with others. PostgreSQL: CONCURRENTLY, VACUUM,
                        databases, tablespaces, ALTER SYSTEM, subscriptions, REINDEX of more than
                        a table, CLUSTER of all, DISCARD ALL, and ALTER TYPE … ADD VALUE, whose
                        label is of use only behind the COMMIT. SQLite: VACUUM, ATTACH, DETACH,
                        PRAGMA journal_mode and others that change the file */
    SQL_CLASS_DDL,   /* the schema, rights, a server. MySQL: commits before and after, but with
                        temporary tables */
    SQL_CLASS_DML,   /* rows: INSERT, UPDATE, DELETE, REPLACE, MERGE, COPY … FROM, LOAD DATA,
                        WITH … of them */
    SQL_CLASS_READ,
    SQL_CLASS_CALL /* CALL, DO, EXECUTE, BEGIN NOT ATOMIC, SELECT f() of a function that is not
                      known to change nothing, and what begins with no known word: anything may
                      happen */
};

/* `server_version` as libpq and libmariadb have it (150004, 80035, 101106): what stands in a
 * condition of MySQL's that it does not meet is SQL_CLASS_READ. 0: not known, all are met. */
enum sql_statement_class sql_classify(enum sql_language language, const struct sql_piece *piece,
                                      uint32_t server_version);
/* "DDL" */
const char *sql_class_name(enum sql_statement_class class);
/* SQL_CLASS_SESSION of SQLite that has no effect in a transaction: PRAGMA foreign_keys,
 * synchronous, temp_store. */
bool sql_needs_no_transaction(enum sql_language language, const struct sql_piece *piece);

enum sql_object_kind {
    SQL_OBJECT_TABLE,
    SQL_OBJECT_INDEX,
    SQL_OBJECT_VIEW,
    SQL_OBJECT_MATERIALIZED_VIEW,
    SQL_OBJECT_SEQUENCE,
    SQL_OBJECT_TYPE,
    SQL_OBJECT_DOMAIN,
    SQL_OBJECT_SCHEMA,   /* MySQL: SCHEMA and DATABASE are this, too; CQL: a keyspace */
    SQL_OBJECT_DATABASE, /* PostgreSQL */
    SQL_OBJECT_FUNCTION,
    SQL_OBJECT_PROCEDURE,
    SQL_OBJECT_TRIGGER,
    SQL_OBJECT_EVENT,
    SQL_OBJECT_RULE,
    SQL_OBJECT_POLICY,
    SQL_OBJECT_EXTENSION,
    SQL_OBJECT_ROLE /* also USER and GROUP */
};

enum sql_object_act {
    SQL_ACT_CREATE,
    SQL_ACT_ALTER,  /* also of a table that gets an index, a trigger, a partition */
    SQL_ACT_RENAME, /* or move to another schema; MySQL: maybe beside other changes */
    SQL_ACT_DROP,
    SQL_ACT_TRUNCATE,
    SQL_ACT_MAINTAIN, /* REINDEX, ANALYZE, OPTIMIZE, CLUSTER, VACUUM, REFRESH */
    SQL_ACT_COMMENT
};

struct sql_object_name {
    enum sql_object_kind kind;
    enum sql_object_act act;
    const char *schema; /* NULL: not said */
    const char *name;   /* NULL: CREATE INDEX ON t; the server chooses */
    struct sql_place place;
    const char *table_schema; /* of an index, a trigger, a rule, a policy; NULL: not said */
    const char *table;
    const char *new_schema; /* RENAME: NULL, the schema stays */
    const char *new_name;   /* NULL: the name stays */
    bool if_exists;         /* IF EXISTS, IF NOT EXISTS, OR REPLACE: it may find nothing to do */
    bool temporary;
};

/* "table", "materialized view" */
const char *sql_object_kind_name(enum sql_object_kind kind);
/* The objects that a DDL statement makes, changes or drops, in its order, and behind an index, a
 * trigger and the like its table; 0 of other statements and of objects without a kind above. Names
 * as the server has them (PostgreSQL: unquoted ones in lower case). Lives in the arena. */
uint32_t sql_objects_named(enum sql_language language, const struct sql_piece *piece,
                           struct arena *arena, struct sql_object_name **objects);

#endif
