/*
 * The effect of a statement on a table, in its own words and order, with the place of each part:
 * for reviews of changes, which ask for what the reader of schemas (sql/ddl.h) passes over: NOT
 * VALID, CONCURRENTLY, USING INDEX, ALGORITHM.
 */
#ifndef TRANSHUME_SQL_STATEMENT_H
#define TRANSHUME_SQL_STATEMENT_H

#include "sql/cursor.h"

/* A part of a text; `text` NULL: it is not there. */
struct sql_span {
    const char *text;
    size_t length;
    struct sql_place place;
};

/* A name and where it stands, quotes included. */
struct sql_named {
    const char *name; /* NULL: none */
    struct sql_span span;
};

/* "timestamp(3) with time zone[]" */
struct sql_type_named {
    struct sql_span span;      /* all of it */
    const char *space;         /* pg_catalog in pg_catalog.int4; NULL: not said */
    const char *name;          /* one or two words in lower case: "timestamp", "double precision",
                                  "character varying"; NULL: there is none */
    struct sql_span arguments; /* "(10, 2)" */
    bool quoted;               /* "char" is another type than char */
    bool with_time_zone;
    bool is_array;
    bool is_unsigned;
};

enum sql_constraint_kind {
    SQL_CONSTRAINT_NOT_NULL,
    SQL_CONSTRAINT_NULL,
    SQL_CONSTRAINT_DEFAULT,
    SQL_CONSTRAINT_GENERATED, /* AS (expression), stored or not */
    SQL_CONSTRAINT_IDENTITY,  /* GENERATED … AS IDENTITY; MySQL's AUTO_INCREMENT */
    SQL_CONSTRAINT_PRIMARY_KEY,
    SQL_CONSTRAINT_UNIQUE,
    SQL_CONSTRAINT_CHECK,
    SQL_CONSTRAINT_REFERENCES, /* of a column */
    SQL_CONSTRAINT_FOREIGN_KEY,
    SQL_CONSTRAINT_EXCLUDE,
    SQL_CONSTRAINT_INDEX, /* MySQL: KEY, INDEX, FULLTEXT, SPATIAL */
    SQL_CONSTRAINT_OTHER  /* COLLATE, COMMENT, ON UPDATE, STORAGE, … */
};

/* A constraint of a column or a table. */
struct sql_constraint {
    enum sql_constraint_kind kind;
    struct sql_span span; /* from CONSTRAINT on, if it is named */
    struct sql_named name;
    struct sql_span expression; /* of DEFAULT, CHECK, GENERATED; without CHECK's parentheses */
    struct sql_named *columns;  /* of a key, an index */
    uint32_t column_count;
    struct sql_name references;
    bool not_valid;
    bool not_enforced;
    bool using_index;
    bool is_virtual; /* generated, and not STORED */
};

struct sql_column_named {
    struct sql_named name;
    struct sql_type_named type;
    struct sql_constraint *constraints;
    uint32_t constraint_count;
};

enum sql_action_kind {
    SQL_ACTION_ADD_COLUMN,
    SQL_ACTION_DROP_COLUMN,
    SQL_ACTION_CHANGE_TYPE, /* … TYPE; MySQL's MODIFY and CHANGE, which say all of the column */
    SQL_ACTION_SET_NOT_NULL,
    SQL_ACTION_DROP_NOT_NULL,
    SQL_ACTION_SET_DEFAULT,
    SQL_ACTION_DROP_DEFAULT,
    SQL_ACTION_COLUMN_OPTION,  /* SET STATISTICS, SET (…): what blocks nobody */
    SQL_ACTION_ALTER_COLUMN,   /* anything else of a column */
    SQL_ACTION_ADD_CONSTRAINT, /* MySQL: also an index */
    SQL_ACTION_DROP_CONSTRAINT,
    SQL_ACTION_DROP_PRIMARY_KEY,
    SQL_ACTION_DROP_FOREIGN_KEY,
    SQL_ACTION_DROP_INDEX,
    SQL_ACTION_VALIDATE_CONSTRAINT,
    SQL_ACTION_RENAME_COLUMN,
    SQL_ACTION_RENAME_CONSTRAINT,
    SQL_ACTION_RENAME_INDEX,
    SQL_ACTION_RENAME_TABLE,
    SQL_ACTION_SET_SCHEMA,
    SQL_ACTION_ATTACH_PARTITION,
    SQL_ACTION_DETACH_PARTITION,
    SQL_ACTION_TRIGGER,   /* ENABLE and DISABLE TRIGGER */
    SQL_ACTION_OPTION,    /* SET (…), RESET (…), CLUSTER ON, SET WITHOUT CLUSTER */
    SQL_ACTION_REWRITE,   /* SET LOGGED, UNLOGGED, ACCESS METHOD, TABLESPACE; MySQL's FORCE, ENGINE,
                             CONVERT TO, ORDER BY, ROW_FORMAT */
    SQL_ACTION_ALGORITHM, /* MySQL: ALGORITHM = word */
    SQL_ACTION_LOCK,      /* LOCK = word */
    SQL_ACTION_OTHER
};

struct sql_action {
    enum sql_action_kind kind;
    struct sql_span span;
    struct sql_named name;     /* of the column, constraint, index or partition that it is about */
    struct sql_named new_name; /* after a rename */
    struct sql_column_named column; /* ADD_COLUMN, CHANGE_TYPE; its name is `name` or the new one */
    struct sql_constraint *constraint; /* ADD_CONSTRAINT, one */
    struct sql_span option;       /* of ALTER COLUMN, what is behind the column's name; of ALGORITHM
                                     and LOCK the word, of REWRITE the words */
    struct sql_span concurrently; /* the word, of DETACH PARTITION; also FINALIZE */
    bool if_exists;               /* IF EXISTS, IF NOT EXISTS */
};

enum sql_statement_kind {
    SQL_STATEMENT_OTHER,
    SQL_STATEMENT_CREATE_TABLE, /* with columns or not: LIKE, PARTITION OF, AS SELECT */
    SQL_STATEMENT_ALTER_TABLE,
    SQL_STATEMENT_CREATE_INDEX,
    SQL_STATEMENT_DROP_INDEX
};

struct sql_statement {
    enum sql_statement_kind kind;
    struct sql_span span;  /* all of it, without the delimiter */
    struct sql_name table; /* of CREATE and ALTER TABLE, and of an index */
    struct sql_span table_span;
    bool if_exists; /* IF EXISTS, IF NOT EXISTS */
    bool temporary;
    bool on_commit_drop;
    bool as_select;
    /* CREATE TABLE */
    struct sql_column_named *columns;
    uint32_t column_count;
    struct sql_constraint *constraints;
    uint32_t constraint_count;
    struct sql_span options; /* behind the columns */
    /* ALTER TABLE */
    struct sql_action *actions;
    uint32_t action_count;
    /* CREATE INDEX, DROP INDEX */
    struct sql_named index;
    struct sql_named *index_columns; /* an expression has no name */
    uint32_t index_column_count;
    struct sql_span concurrently; /* the word */
    bool unique;
};

/* Reads one; what it does not understand is OTHER, and never a fault. Lives in the arena, and the
 * spans in the text. */
void sql_statement_read(enum sql_language language, const struct sql_piece *piece,
                        struct arena *arena, struct sql_statement *statement);
/* Takes the type and the constraints behind a column's name, a domain's AS. */
void sql_take_column(struct sql_cursor *cursor, struct arena *arena,
                     struct sql_column_named *column);
/* Where a span ends: behind its last byte. */
struct sql_place sql_span_end(const struct sql_span *span);
/* The span from `begin` up to the token before the next one. */
struct sql_span sql_span_from(const struct sql_token *begin, const struct sql_cursor *cursor);
const struct sql_constraint *sql_column_constraint(const struct sql_column_named *column,
                                                   enum sql_constraint_kind kind);

#endif
