/* Which objects a DDL statement names. */
#include "sql/classify.h"
#include <string.h>

static const struct {
    const char *words;
    enum sql_object_kind kind;
} kinds[] = {
    {"FOREIGN TABLE", SQL_OBJECT_TABLE},
    {"TABLE", SQL_OBJECT_TABLE},
    {"MATERIALIZED VIEW", SQL_OBJECT_MATERIALIZED_VIEW},
    {"INDEX", SQL_OBJECT_INDEX},
    {"VIEW", SQL_OBJECT_VIEW},
    {"SEQUENCE", SQL_OBJECT_SEQUENCE},
    {"TYPE", SQL_OBJECT_TYPE},
    {"DOMAIN", SQL_OBJECT_DOMAIN},
    {"COLUMNFAMILY", SQL_OBJECT_TABLE},
    {"KEYSPACE", SQL_OBJECT_SCHEMA},
    {"SCHEMA", SQL_OBJECT_SCHEMA},
    {"DATABASE", SQL_OBJECT_DATABASE},
    {"FUNCTION", SQL_OBJECT_FUNCTION},
    {"PROCEDURE", SQL_OBJECT_PROCEDURE},
    {"TRIGGER", SQL_OBJECT_TRIGGER},
    {"EVENT", SQL_OBJECT_EVENT},
    {"RULE", SQL_OBJECT_RULE},
    {"POLICY", SQL_OBJECT_POLICY},
    {"EXTENSION", SQL_OBJECT_EXTENSION},
    {"ROLE", SQL_OBJECT_ROLE},
    {"USER", SQL_OBJECT_ROLE},
    {"GROUP", SQL_OBJECT_ROLE},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

struct reader {
    struct sql_cursor cursor;
    struct arena *arena;
    enum sql_language language;
    struct sql_object_name *list;
    uint32_t count;
    uint32_t capacity;
};

static struct sql_object_name *objects_add(struct reader *reader, enum sql_object_kind kind,
                                           enum sql_object_act act)
{
    reader->list = arena_make_room(reader->arena, reader->list, reader->count, &reader->capacity,
                                   sizeof *reader->list);
    struct sql_object_name *object = &reader->list[reader->count++];
    object->kind = kind;
    object->act = act;
    object->place = reader->cursor.token.place;
    return object;
}

static bool take_name(struct reader *reader, struct sql_object_name *object)
{
    struct sql_name name;
    if (!sql_take_name(&reader->cursor, reader->arena, &name)) {
        return false;
    }
    object->schema = name.space;
    object->name = name.name;
    object->place = name.place;
    return true;
}

/* A table that the statement changes, too. */
static void add_other_table(struct reader *reader, const struct sql_name *name)
{
    struct sql_object_name *table = objects_add(reader, SQL_OBJECT_TABLE, SQL_ACT_ALTER);
    table->schema = name->space;
    table->name = name->name;
    table->place = name->place;
}

/* The table that the object just added belongs to. */
static void add_table(struct reader *reader, const struct sql_name *name)
{
    struct sql_object_name *owner = &reader->list[reader->count - 1];
    owner->table_schema = name->space;
    owner->table = name->name;
    add_other_table(reader, name);
}

/* "ON [ONLY] table" */
static void take_table_behind(struct reader *reader, const char *word)
{
    struct sql_cursor *cursor = &reader->cursor;
    struct sql_name name;
    while (!sql_at_end(cursor) && !sql_at(cursor, word)) {
        sql_skip_group(cursor);
    }
    if (sql_take(cursor, word)) {
        sql_take(cursor, "ONLY");
        if (sql_take_name(cursor, reader->arena, &name)) {
            add_table(reader, &name);
        }
    }
}

/* Steps over what stands between CREATE, ALTER or DROP and the kind: UNIQUE, TEMPORARY,
 * DEFINER = a@b. False: the kind is none of ours. */
static bool take_kind(struct reader *reader, enum sql_object_kind *kind, bool *temporary,
                      bool *replaces)
{
    enum { WORDS_BEFORE = 16 };
    struct sql_cursor *cursor = &reader->cursor;
    if (sql_at_words(cursor, "EVENT TRIGGER") || sql_at_words(cursor, "USER MAPPING") ||
        sql_at_words(cursor, "ROW POLICY")) {
        return false;
    }
    for (uint32_t step = 0; step < WORDS_BEFORE && !sql_at_end(cursor); step++) {
        for (uint32_t i = 0; i < KINDS; i++) {
            if (sql_take_words(cursor, kinds[i].words)) {
                bool database = kinds[i].kind == SQL_OBJECT_DATABASE;
                *kind =
                    database && reader->language == SQL_MYSQL ? SQL_OBJECT_SCHEMA : kinds[i].kind;
                return true;
            }
        }
        if (sql_at_one_of(cursor, "TEXT|OPERATOR|ACCESS|FOREIGN|CAST|SERVER|PACKAGE|DEFAULT|"
                                  "SYSTEM|PUBLICATION|SUBSCRIPTION|TABLESPACE|STATISTICS")) {
            return false;
        }
        *temporary |= sql_at_one_of(cursor, "TEMP|TEMPORARY");
        *replaces |= sql_at_words(cursor, "OR REPLACE");
        sql_skip_group(cursor);
    }
    return false;
}

static bool has_table(enum sql_object_kind kind)
{
    return kind == SQL_OBJECT_TRIGGER || kind == SQL_OBJECT_POLICY || kind == SQL_OBJECT_RULE;
}

static void read_create(struct reader *reader)
{
    struct sql_cursor *cursor = &reader->cursor;
    enum sql_object_kind kind;
    bool temporary = false;
    bool replaces = false;
    if (!take_kind(reader, &kind, &temporary, &replaces)) {
        return;
    }
    struct sql_object_name *object = objects_add(reader, kind, SQL_ACT_CREATE);
    object->temporary = temporary;
    sql_take(cursor, "CONCURRENTLY");
    object->if_exists = sql_take_words(cursor, "IF NOT EXISTS") || replaces;
    if (kind == SQL_OBJECT_SCHEMA && sql_at(cursor, "AUTHORIZATION")) {
        sql_advance(cursor);
    }
    bool named = !(kind == SQL_OBJECT_INDEX && sql_at(cursor, "ON"));
    if (named && !take_name(reader, object)) {
        reader->count--;
        return;
    }
    if (kind == SQL_OBJECT_INDEX || kind == SQL_OBJECT_TRIGGER || kind == SQL_OBJECT_POLICY) {
        take_table_behind(reader, "ON");
    } else if (kind == SQL_OBJECT_RULE) {
        take_table_behind(reader, "TO");
    } else if (kind == SQL_OBJECT_TABLE) {
        struct sql_name name;
        if (sql_take_words(&reader->cursor, "PARTITION OF") &&
            sql_take_name(&reader->cursor, reader->arena, &name)) {
            add_table(reader, &name);
        }
    }
}

/* RENAME in an ALTER: the object's, not that of a column, an index or a value in it. */
static void read_rename(struct reader *reader, uint32_t number)
{
    struct sql_cursor *cursor = &reader->cursor;
    struct sql_cursor ahead = *cursor;
    struct sql_name name;
    bool mysql = reader->language == SQL_MYSQL;
    if (sql_at_one_of(cursor, mysql ? "COLUMN|INDEX|KEY|CONSTRAINT"
                                    : "COLUMN|CONSTRAINT|VALUE|ATTRIBUTE")) {
        return;
    }
    bool to = sql_take_one_of(&ahead, mysql ? "TO|AS" : "TO");
    if (!to && (!mysql || (ahead.token.kind == SQL_TOKEN_OPERATOR &&
                           !sql_token_is_operator(&ahead.token, "=")))) {
        return; /* RENAME column TO name */
    }
    if (!to && sql_token_is_operator(&ahead.token, "=")) {
        sql_advance(&ahead);
    }
    *cursor = ahead;
    if (sql_take_name(cursor, reader->arena, &name)) {
        reader->list[number].act = SQL_ACT_RENAME;
        reader->list[number].new_schema = name.space;
        reader->list[number].new_name = name.name;
    }
}

/* Up to the name of another table that an action changes. */
static bool takes_table(struct reader *reader)
{
    struct sql_cursor *cursor = &reader->cursor;
    if (reader->language == SQL_POSTGRES) {
        return sql_take_words(cursor, "ATTACH PARTITION") ||
               sql_take_words(cursor, "DETACH PARTITION");
    }
    if (!sql_take_words(cursor, "EXCHANGE PARTITION")) {
        return false;
    }
    sql_advance(cursor);
    return sql_take_words(cursor, "WITH TABLE");
}

/* The actions of an ALTER, as far as they name other objects or rename this one. */
static void read_actions(struct reader *reader, uint32_t number)
{
    struct sql_cursor *cursor = &reader->cursor;
    struct sql_name name;
    while (!sql_at_end(cursor)) {
        if (sql_take(cursor, "RENAME")) {
            read_rename(reader, number);
        } else if (sql_take_words(cursor, "SET SCHEMA") && reader->language == SQL_POSTGRES) {
            if (sql_take_name(cursor, reader->arena, &name)) {
                reader->list[number].act = SQL_ACT_RENAME;
                reader->list[number].new_schema = name.name;
            }
        } else if (takes_table(reader) && sql_take_name(cursor, reader->arena, &name)) {
            add_other_table(reader, &name);
        }
        sql_skip_clause(cursor);
        if (!sql_take_mark(cursor, ',') && !sql_at_end(cursor)) {
            sql_advance(cursor);
        }
    }
}

static void read_alter(struct reader *reader)
{
    struct sql_cursor *cursor = &reader->cursor;
    enum sql_object_kind kind;
    bool ignored = false;
    if (!take_kind(reader, &kind, &ignored, &ignored) || sql_at_words(cursor, "ALL IN")) {
        return;
    }
    uint32_t number = reader->count;
    struct sql_object_name *object = objects_add(reader, kind, SQL_ACT_ALTER);
    object->if_exists = sql_take_words(cursor, "IF EXISTS");
    sql_take(cursor, "ONLY");
    if (!take_name(reader, object)) {
        reader->count--; /* MySQL's ALTER DATABASE of the one in use */
        return;
    }
    if (has_table(kind)) {
        take_table_behind(reader, "ON");
    }
    if (sql_at_mark(cursor, '(')) { /* a function's arguments */
        sql_skip_group(cursor);
    } else if (sql_token_is_operator(&cursor->token, "*")) {
        sql_advance(cursor);
    }
    while (kind == SQL_OBJECT_EVENT && !sql_at_end(cursor) && !sql_at(cursor, "RENAME")) {
        sql_skip_group(cursor); /* its clauses have no commas between them */
    }
    read_actions(reader, number);
}

/* One name or more, with commas between. */
static void read_list(struct reader *reader, enum sql_object_kind kind, enum sql_object_act act,
                      bool if_exists, bool temporary)
{
    struct sql_cursor *cursor = &reader->cursor;
    do {
        sql_take(cursor, "ONLY");
        struct sql_object_name *object = objects_add(reader, kind, act);
        object->if_exists = if_exists;
        object->temporary = temporary;
        if (!take_name(reader, object)) {
            reader->count--;
            return;
        }
        if (sql_at_mark(cursor, '(')) {
            sql_skip_group(cursor);
        } else if (sql_token_is_operator(&cursor->token, "*")) {
            sql_advance(cursor);
        }
        if (sql_at(cursor, "ON") && (has_table(kind) || kind == SQL_OBJECT_INDEX)) {
            take_table_behind(reader, "ON");
        }
    } while (sql_take_mark(cursor, ','));
}

static void read_drop(struct reader *reader)
{
    enum sql_object_kind kind;
    bool temporary = false;
    bool ignored = false;
    if (!take_kind(reader, &kind, &temporary, &ignored)) {
        return;
    }
    sql_take(&reader->cursor, "CONCURRENTLY");
    bool if_exists = sql_take_words(&reader->cursor, "IF EXISTS");
    read_list(reader, kind, SQL_ACT_DROP, if_exists, temporary);
}

/* MySQL's RENAME TABLE a TO b, c TO d; MariaDB's … a WAIT 5 TO b. */
static void read_renames(struct reader *reader)
{
    struct sql_cursor *cursor = &reader->cursor;
    if (!sql_take_one_of(cursor, "TABLE|TABLES")) {
        return;
    }
    bool if_exists = sql_take_words(cursor, "IF EXISTS");
    do {
        struct sql_name name;
        struct sql_object_name *object = objects_add(reader, SQL_OBJECT_TABLE, SQL_ACT_RENAME);
        object->if_exists = if_exists;
        if (!take_name(reader, object)) {
            reader->count--;
            return;
        }
        while (!sql_at_end(cursor) && !sql_at_mark(cursor, ',') && !sql_at(cursor, "TO")) {
            sql_advance(cursor);
        }
        if (sql_take(cursor, "TO") && sql_take_name(cursor, reader->arena, &name)) {
            object->new_schema = name.space;
            object->new_name = name.name;
        }
    } while (sql_take_mark(cursor, ','));
}

static void read_comment(struct reader *reader)
{
    struct sql_cursor *cursor = &reader->cursor;
    enum sql_object_kind kind;
    bool ignored = false;
    struct sql_name name;
    if (!sql_take(cursor, "ON")) {
        return;
    }
    if (sql_take(cursor, "COLUMN")) { /* table.column: the table is what comes before */
        if (sql_take_name(cursor, reader->arena, &name) && name.space != NULL) {
            struct sql_object_name *table = objects_add(reader, SQL_OBJECT_TABLE, SQL_ACT_COMMENT);
            table->schema = name.catalog;
            table->name = name.space;
            table->place = name.place;
        }
        return;
    }
    if (sql_take_words(cursor, "CONSTRAINT")) {
        struct sql_object_name *table = objects_add(reader, SQL_OBJECT_TABLE, SQL_ACT_COMMENT);
        while (!sql_at_end(cursor) && !sql_take(cursor, "ON")) {
            sql_advance(cursor);
        }
        if (sql_at(cursor, "DOMAIN") || !take_name(reader, table)) {
            reader->count--;
        }
        return;
    }
    if (take_kind(reader, &kind, &ignored, &ignored)) {
        read_list(reader, kind, SQL_ACT_COMMENT, false, false);
    }
}

/* VACUUM, ANALYZE, OPTIMIZE and the like: options, then tables. */
static void read_maintenance(struct reader *reader, bool index_first)
{
    struct sql_cursor *cursor = &reader->cursor;
    enum sql_object_kind kind = SQL_OBJECT_TABLE;
    if (sql_at_mark(cursor, '(')) {
        sql_skip_group(cursor);
    }
    while (sql_take_one_of(cursor, "FULL|FREEZE|VERBOSE|ANALYZE|NO_WRITE_TO_BINLOG|LOCAL")) {
    }
    if (sql_at_one_of(cursor, "DATABASE|SYSTEM|SCHEMA")) {
        return;
    }
    if (sql_take_words(cursor, "MATERIALIZED VIEW")) {
        kind = SQL_OBJECT_MATERIALIZED_VIEW;
    } else if (sql_take(cursor, "INDEX") || index_first) {
        kind = sql_take(cursor, "TABLE") ? SQL_OBJECT_TABLE : SQL_OBJECT_INDEX;
    } else {
        sql_take_one_of(cursor, "TABLE|TABLES");
    }
    sql_take(cursor, "CONCURRENTLY");
    read_list(reader, kind, SQL_ACT_MAINTAIN, false, false);
}

uint32_t sql_objects_named(enum sql_language language, const struct sql_piece *piece,
                           struct arena *arena, struct sql_object_name **objects)
{
    struct reader reader = {.arena = arena, .language = language};
    struct sql_cursor *cursor = &reader.cursor;
    enum sql_statement_class class = sql_classify(language, piece, 0);
    *objects = NULL;
    if (class != SQL_CLASS_DDL && class != SQL_CLASS_ALONE) {
        return 0;
    }
    sql_cursor_of_piece(cursor, language, piece);
    if (sql_take(cursor, "CREATE")) {
        read_create(&reader);
    } else if (sql_take(cursor, "ALTER")) {
        read_alter(&reader);
    } else if (sql_take(cursor, "DROP")) {
        read_drop(&reader);
    } else if (sql_take(cursor, "RENAME")) {
        read_renames(&reader);
    } else if (sql_take(cursor, "TRUNCATE")) {
        sql_take(cursor, "TABLE");
        read_list(&reader, SQL_OBJECT_TABLE, SQL_ACT_TRUNCATE, false, false);
    } else if (sql_take(cursor, "COMMENT")) {
        read_comment(&reader);
    } else if (sql_take(cursor, "REINDEX")) {
        read_maintenance(&reader, true);
    } else if (!sql_at_words(cursor, "VACUUM INTO") &&
               sql_take_one_of(cursor, "VACUUM|ANALYZE|OPTIMIZE|REPAIR|CHECK|CLUSTER|REFRESH")) {
        read_maintenance(&reader, false);
    }
    *objects = reader.list;
    return reader.count;
}

const char *sql_object_kind_name(enum sql_object_kind kind)
{
    static const char *const names[] = {
        "table",  "index",  "view",     "materialized view", "sequence",  "type",
        "domain", "schema", "database", "function",          "procedure", "trigger",
        "event",  "rule",   "policy",   "extension",         "role"};
    return names[kind];
}
