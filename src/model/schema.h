/* A database's own account of what it holds: tables, columns, types, keys and all else a catalogue
 * knows. */
#ifndef TRANSHUME_MODEL_SCHEMA_H
#define TRANSHUME_MODEL_SCHEMA_H

#include "base/arena.h"
#include "model/value.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shape; /* model/batch.h */
struct time_zone;

/* The unit of a number that stands for a moment (from 1970 on, UTC) or for a length of
 * time. */
enum epoch_unit {
    EPOCH_NONE = 0,
    EPOCH_SECONDS,
    EPOCH_MILLISECONDS,
    EPOCH_MICROSECONDS,
    EPOCH_NANOSECONDS
};

/* How values of other kinds are written as TEXT, where not by ISO 8601 and RFC 9562. */
enum text_layout {
    TEXT_ISO = 0,
    TEXT_CLOCK, /* an interval as 26:00:00 */
    TEXT_SQL,   /* a timestamp as 2024-03-31 01:30:00.123456, in UTC if it names a zone */
    TEXT_BARE   /* a UUID without hyphens */
};

/* A column's type as this program sees it; values may still be of another kind (SQLite). */
struct value_type {
    enum value_kind kind;
    int32_t precision; /* DECIMAL: digits, 0 unknown; TEXT, BYTES: length limit, 0 none */
    int32_t scale;     /* DECIMAL */
    uint8_t bits;      /* INT64: how many hold every number and its sign; 0: all 64 */
    bool zoned;        /* TIME, TIMESTAMP */
    bool utc;          /* TIMESTAMP without `zoned`: instants become what UTC's clocks show, and
                          what names no zone is refused */
    uint8_t fraction;  /* TIME, TIMESTAMP: 1 + the digits of a second that it holds; 0: all */
    bool dynamic;      /* values of other kinds than `kind` may occur */
    bool untyped;      /* TEXT and `dynamic`: no type is declared, values are of any kind */
    bool truth;        /* INT64, UINT64: by custom 0 and 1 alone */
    bool length;       /* TIME: lengths of time, which may be below 0 and above 24 h: INTERVAL */
    bool dates;        /* TEXT: by declaration days */
    bool moments;      /* TEXT: by declaration days with times */
    bool spellings;    /* values of it have several spellings, of which a text is kept in one alone
                          (::1), and others as they come (1.0 and 1.00) */
    bool zero_days;    /* DATE, TIMESTAMP: 0000-00-00 may occur */
    bool no_nul;       /* TEXT, JSON: U+0000 can't occur, nor its escape in JSON */
    enum text_layout layout; /* TEXT */
    enum epoch_unit epoch;   /* DATE, TIMESTAMP, INTERVAL: of numbers that become it; numbers: of
                                the times that become it */
    bool plain_strings; /* JSON: texts are values of documents; of these, an object or an array is
                           what it says, and any other a JSON string */
    const char *native; /* the database's own words: "NVARCHAR(160)" */
    /* TIMESTAMP with `zoned`, numbers with `epoch`: values that name no zone are of this one; NULL:
     * they are refused */
    const struct time_zone *zone;
    /* The types within a nested value, where they are known: */
    const struct value_type *element; /* LIST, SET: of each; MAP: of the values; TEXT: it is that
                                         of an array (array_text.h) of such; JSON: texts that
                                         become it are */
    const struct value_type *key;     /* MAP with keys of one type */
    const struct shape *fields;       /* MAP that is a record: a tuple, a composite type */
};

/* The meaning of a default, in words that are no engine's own. */
enum schema_default_kind {
    SCHEMA_DEFAULT_NONE = 0, /* none, or NULL */
    SCHEMA_DEFAULT_OWN,      /* only default_text says it */
    SCHEMA_DEFAULT_VALUE,    /* default_value */
    SCHEMA_DEFAULT_NOW,      /* by the clocks of the session's zone; default_value "UTC": of that */
    SCHEMA_DEFAULT_TODAY,    /* likewise */
    SCHEMA_DEFAULT_CLOCK_TEXT, /* the moment in UTC as a text: default_value in the words of
                                  strftime, of which %Y %m %d %H %M %S may occur, and %f for the
                                  seconds with milliseconds */
    SCHEMA_DEFAULT_COUNTER     /* the next number of a sequence */
};

enum generated_kind { GENERATED_NO = 0, GENERATED_STORED, GENERATED_VIRTUAL };

struct schema_column {
    const char *name;
    struct value_type type;
    bool not_null; /* by declaration or because the engine keeps it so */
    bool hidden;
    enum generated_kind generated;
    bool derived;  /* of a plan's table: the source generates it, too, where its values come from */
    bool identity; /* the database gives the number itself */
    const char *default_text; /* the default's text in the database's own words; NULL: none */
    const char *collation;    /* NULL: the engine's default (bytes) */
    const char *loose;        /* what texts of other bytes it takes for equal ("what differs in case
                                 alone"); NULL: none */
    enum schema_default_kind default_kind;
    const char *default_value; /* its text, without quotes */
    const char *extra;         /* what else the database does with it by itself, in its own words */
    const char *comment;
    bool type_made;   /* its type is not built in: another database of the engine may not have it */
    const char *base; /* what a type with a name of its own stands for (a domain); NULL: nothing */
    uint32_t number; /* which column of its table it is: it stays when the column is renamed, and no
                        later column of the table gets it; 0: not known */
    uint32_t place;  /* from 1, in its database's order, where a run keeps another one; 0: that
                        of the list */
    const char *stamp; /* another one once the column was defined anew; NULL: not known */
};

/* A list of column names. */
struct column_list {
    const char *const *names;
    uint32_t count;
};
/* The same names in the same order, bytewise. */
bool column_list_is_equal(struct column_list left, struct column_list right);
/* Is the name among them, bytewise? */
bool column_list_holds(struct column_list columns, const char *name);

/* How a key places and orders records, where a database does. */
struct key_shape {
    uint32_t
        partition_count;    /* of its columns, the first: in which partition a record is; 0: all */
    const bool *descending; /* a flag a column: the order of the others; NULL: none descends */
    struct column_list static_columns; /* no part of the key: one value a partition */
};

/* How a table is kept, in its database's own words: WITH name = value. */
struct schema_property {
    const char *name;
    struct cell value; /* a scalar, or a MAP of texts to scalars */
    bool given;        /* by a plan; else a source has it so */
};

/* A type of the database's users that is made of fields, whose types are in its own words. */
struct schema_record_type {
    const char *name;
    const char *const *field_names;
    const char *const *field_types;
    uint32_t field_count;
    bool given; /* by a plan; else a source has it so */
};

struct schema_index {
    const char *name;
    struct column_list columns; /* empty names ("") stand for expressions */
    bool unique;
    bool partial;
    struct column_list beginnings; /* of a partial one: its columns, if it is so only because it
                                      holds the beginnings of their values; else empty */
    bool deferrable;               /* what is unique may be so at the end of a transaction only */
    bool identity;                 /* a change tells its columns of the row that was */
    bool implied;                  /* made by the engine for a constraint */
    bool local;                    /* key-value stores: kept with the records of a partition */
    const char *method;     /* how it finds what no other engine finds so: "gin", "FULLTEXT"; NULL:
                               values, by their order or by being equal */
    const char *details;    /* what else is to it, that goes into no other engine: "v DESC, INCLUDE
                               (w)";    NULL: nothing */
    const char *native_sql; /* the statement that makes it; NULL where there is none */
};

struct schema_foreign_key {
    const char *name; /* NULL if it has none */
    struct column_list columns;
    const char *references;        /* table */
    const char *references_schema; /* where that is not of this schema, `references` being
                                      "schema.table"; NULL: it is */
    struct column_list
        referenced_columns; /* empty: that table's primary key; resolved where known */
    const char *on_delete;  /* "CASCADE" …, NULL: no action */
    const char *on_update;
    bool deferrable;
    const char *details;    /* what else is to it: "MATCH FULL, DEFERRABLE"; NULL: nothing */
    const char *native_sql; /* in the database's own words, without the name; NULL: none */
};

enum schema_table_kind { SCHEMA_TABLE, SCHEMA_VIEW, SCHEMA_QUERY };

struct schema_table {
    enum schema_table_kind kind;
    const char *name;
    const struct schema_column *columns;
    uint32_t column_count;
    struct column_list primary_key; /* empty: none declared */
    struct key_shape key_shape;     /* of the primary key */
    bool primary_key_not_null;      /* no NULL can be in it */
    bool has_heirs;                 /* rows of tables that inherit it are read as its own, which its
                                             keys and unique indexes do not cover */
    const char *row_key;            /* a column name that always identifies the row physically
                                             (SQLite "rowid"), NULL if none */
    bool row_key_stable;            /* it survives maintenance (an INTEGER PRIMARY KEY) */
    const struct schema_index *indexes;
    uint32_t index_count;
    const struct schema_foreign_key *foreign_keys;
    uint32_t foreign_key_count;
    const char *const *checks; /* texts of CHECK constraints, for the record */
    uint32_t check_count;
    const char *comment;
    const char *details;    /* what else is to it: "PARTITION BY RANGE (id)"; NULL: nothing */
    const char *native_sql; /* same-engine copies use it whole; NULL where there is none */
    const char *form;       /* by what its database finds its records, in the connector's words, for
                               who describes it again (database.known); NULL: its name says it */
    const struct schema_property *properties; /* same-engine copies of the whole table keep them */
    uint32_t property_count;
    const char *belongs_to; /* the object whose store it is (SQLite: a virtual table): only a plain
                               same-engine copy of that carries it; NULL: a table of its own */
    int64_t row_count;      /* -1: not known without counting */
    int64_t size_bytes;     /* -1: not known */
    int64_t long_bytes;     /* kept beside the rows, not in size_bytes; -1: not known */
    int64_t next_number;    /* that the database gives a new row; <= 0: none, or not known */
    const char *mark;       /* which table of this name it is: one that was dropped and made again
                               has another; NULL: not known */
    const char *stamp;      /* another one once all rows were written anew; NULL: not known */
};

enum schema_object_kind {
    SCHEMA_OBJECT_VIEW,
    SCHEMA_OBJECT_TRIGGER,
    SCHEMA_OBJECT_SEQUENCE,
    SCHEMA_OBJECT_OTHER,
    SCHEMA_OBJECT_DETAIL /* of another object or a table: a comment, a setting; not told of alone */
};

/* When a same-engine copy makes it. */
enum schema_object_stage {
    SCHEMA_AFTER_LOAD,
    SCHEMA_BEFORE_TABLES, /* tables may stand on it */
    SCHEMA_WITH_TABLES,
    SCHEMA_BEFORE_INDEXES,
    SCHEMA_STAGES
};

/* An object that is neither table nor index; `native_sql` lets a same-engine copy carry it. */
struct schema_object {
    enum schema_object_kind kind;
    enum schema_object_stage stage;
    const char *what; /* "function"; NULL: the kind says it */
    const char *name;
    const char *table; /* that it goes with (of a trigger); NULL: it stands alone */
    const char *native_sql;
    const char *native_query; /* its source answers it with native_sql, once the snapshot is taken
                                 (catalog_functions.ask_values); NULL: native_sql is known */
    const char *native_drop;  /* NULL: its connector knows, or it goes with its table */
    const char *not_carried;  /* why only a same-engine copy can carry it; without native_sql: why
                                 none can */
};

/* An object that tables and types stand on and that not even a same-engine copy of the schema
 * makes, since it is another schema's or an extension's; or the server's, as the role that a policy
 * names. */
struct schema_need {
    const char *what; /* "function" */
    const char *schema;
    const char *name;
    const char *extension; /* that it belongs to; NULL: to none */
    const char *user;      /* the table or type that stands on it */
    bool user_is_type;
};

/*
 * Who may do what with an object of a same-engine copy, and what of it does more than its readers
 * and callers may; in its connector's words.
 */
struct schema_right {
    const char *kind;       /* "owner", "grant" … */
    const char *what;       /* of the object: "function" */
    const char *name;       /* the object's, as schema_object has it */
    const char *table;      /* that the object goes with; NULL: it stands alone */
    const char *role;       /* whom it is about; NULL: everybody */
    const char *words;      /* what its kind says besides; NULL: nothing */
    const char *native_sql; /* the statement that makes it so; NULL: the target words it */
    const char *called;     /* the object as such a statement names it: "TABLE t"; may be NULL */
};

/* Code that calls functions that its database's users made, or that do more than calculate. */
struct schema_code {
    const char *what; /* "index", "check", "default", "generated column", "domain", "view" … */
    const char *name;
    const char *table; /* that it goes with; NULL: none */
    const char *calls; /* the functions, for people */
    bool at_once;      /* a copy of it has them called, else who uses it later */
};

/* Objects that a source does not let the account see: nobody knows how many there are. */
struct schema_unseen {
    const char *what;  /* "trigger" */
    const char *owner; /* the database or schema that has them */
    const char *why;   /* and what lets the account see them */
};

/* As what a kind of object goes along with its table into whatever target has the like. */
enum schema_inventory_role {
    INVENTORY_NONE,   /* it does not */
    INVENTORY_ALWAYS, /* it is the table's own: its rows, its partitions */
    INVENTORY_PRIMARY_KEY,
    INVENTORY_INDEX,             /* those of keys included */
    INVENTORY_UNIQUE_INDEX,      /* but for the primary key's */
    INVENTORY_UNIQUE_CONSTRAINT, /* the same, but for indexes that no constraint stands for */
    INVENTORY_FOREIGN_KEY,
    INVENTORY_FOREIGN_KEY_TRIGGER, /* four of each foreign key */
    INVENTORY_ROLES
};

/* How many objects of a kind a database's own catalogue has: the proof that none was forgotten. */
struct schema_inventory {
    const char *catalog; /* "pg_class" */
    const char *what;
    uint64_t total;
    uint64_t left_out; /* that not even a same-engine copy makes */
    enum schema_inventory_role role;
};

/* Lives in `arena`; destroy that. */
struct schema {
    struct arena *arena;
    const struct schema_table *tables; /* by name, bytewise */
    uint32_t table_count;
    const struct schema_record_type *record_types;
    uint32_t record_type_count;
    const struct schema_object *objects;
    uint32_t object_count;
    const struct schema_need *needs; /* equal ones behind one another */
    uint32_t need_count;
    const struct schema_right *rights;
    uint32_t right_count;
    const struct schema_unseen *unseen;
    uint32_t unseen_count;
    bool no_code;                   /* of a part that is carried: without code */
    const struct schema_code *code; /* that open_options.no_code left out */
    uint32_t code_count;
    const struct schema_inventory *inventory; /* by catalogue; none: not counted */
    uint32_t inventory_count;
    /* No feed of the database tells what a foreign key's action does to other rows (ON DELETE
     * CASCADE and the like). */
    bool silent_actions;
    const char *settings; /* the database's own (encoding, page size, name), in the words of its
                             connector, for same-engine copies; NULL: none */
};

/* A row of the inventory, once all objects are there: those of that kind without native_sql are
 * left out. `role`: "", "always", "primary key", "index", "unique index", "unique constraint",
 * "foreign key", "foreign key trigger". Texts are borrowed. STATUS_FAILED: `digits` is no number,
 * or `role` none of these. */
enum status schema_count_objects(const struct schema *schema, const char *catalog, const char *what,
                                 const char *digits, const char *role,
                                 struct schema_inventory *row) MUST_USE;
const struct schema_table *schema_find_table(const struct schema *schema, const char *name);
/* -1 if there is none. Names compare bytewise first, then without ASCII case if unambiguous. */
int schema_find_column(const struct schema_table *table, const char *name);
/* NULL if there is none. Names compare bytewise. */
const struct schema_column *schema_column_named(const struct schema_table *table, const char *name);
/* Has the table all of them, and does none take NULL? */
bool schema_columns_not_null(const struct schema_table *table, struct column_list columns);
/* "view", "function" … */
const char *schema_object_word(const struct schema_object *object);
/* Is it what somebody wrote to be run: a view, a trigger, a function, a procedure, a rule, an
 * event? */
bool schema_object_is_code(const struct schema_object *object);
/* Whose change makes other records of views and queries: what these are made of. Triggers, events
 * and counters are no such thing. */
bool schema_object_makes_records(const struct schema_object *object);
/* A hash over names, types, keys and constraints of tables, and, for plans that may read views and
 * queries, over these: what "the source's schema" means on resume. Left out is what no record
 * depends on and what may change under a run: the settings by a VACUUM, an event by its time. Empty
 * when memory is out. */
void schema_fingerprint(const struct schema *schema, bool views, char hex[33]);
/* The foreign key of `from` that points to `to`; NULL if none or (with *ambiguous) several. */
const struct schema_foreign_key *schema_find_foreign_key(const struct schema_table *from,
                                                         const char *to, bool *ambiguous);
/* Is it the one that stands for the primary key? */
bool schema_is_primary_index(const struct schema_table *table, const struct schema_index *index);
/* True if two records never have the same values in `columns` (as a set), none of them NULL:
 * primary key or unique index. */
bool schema_is_unique(const struct schema_table *table, struct column_list columns);
/* And if none of them is ever NULL. */
bool schema_is_unique_key(const struct schema_table *table, struct column_list columns);
/* By which one row is told from others for good: its primary key; else a unique index over columns
 * that are never NULL, first one whose columns changes tell (schema_index.identity). Empty: there
 * is none. */
struct column_list schema_row_key(const struct schema_table *table);

#endif
