/* The statements of a dump that are not about rows: its tables, and what is left behind. */
#include "base/text.h"
#include "connectors/dump/dump.h"
#include "sql/classify.h"
#include <string.h>
#include <strings.h>

/* A statement being looked at. */
struct statement {
    struct dump_database *self;
    struct dump_ddl *ddl;
    const struct sql_piece *piece;
    struct sql_cursor at;
    struct arena *scratch;
};

static enum status dump_schema_refuse(const struct statement *statement, const char *what,
                                      const char *hint, struct error *error)
{
    struct dump_database *self = statement->self;
    error_set(error, ERROR_SOURCE_INVALID, dump_place(self, statement->piece->place.line).text,
              "%s", what);
    return error_hint(error, "%s", hint);
}

static const char *full_name(struct arena *arena, const char *space, const char *name)
{
    return space != NULL ? arena_format(arena, "%s.%s", space, name)
                         : arena_copy_string(arena, name);
}

/* ---------------------------------------------------------------- what is left behind */

static struct schema_object *left_at(const struct dump_ddl *ddl, size_t at)
{
    return (struct schema_object *)(void *)ddl->left.data + at;
}

static size_t left_count(const struct dump_ddl *ddl)
{
    return ddl->left.length / sizeof(struct schema_object);
}

void dump_ddl_leave(struct dump_database *self, struct dump_ddl *ddl, enum schema_object_kind kind,
                    const char *what, const char *name, const char *why)
{
    struct arena *arena = self->inventory.arena;
    for (size_t i = 0; i < left_count(ddl); i++) {
        /* mysqldump makes a view twice, the first time as a stand-in */
        if (left_at(ddl, i)->kind == kind && strcmp(left_at(ddl, i)->name, name) == 0 &&
            strcmp(schema_object_word(left_at(ddl, i)), what) == 0) {
            return;
        }
    }
    const struct schema_object made = {.kind = kind,
                                       .stage = SCHEMA_AFTER_LOAD,
                                       .what = arena_copy_string(arena, what),
                                       .name = arena_copy_string(arena, name),
                                       .not_carried = why};
    buffer_append(&ddl->left, &made, sizeof made);
}

static void forget_sequence(struct dump_ddl *ddl, const char *name)
{
    for (size_t i = 0; i < left_count(ddl); i++) {
        struct schema_object *object = left_at(ddl, i);
        if (object->kind == SCHEMA_OBJECT_SEQUENCE && strcmp(object->name, name) == 0) {
            *object = *left_at(ddl, left_count(ddl) - 1);
            ddl->left.length -= sizeof *object;
            return;
        }
    }
}

static enum schema_object_kind kind_of(enum sql_object_kind kind)
{
    switch (kind) {
    case SQL_OBJECT_VIEW:
    case SQL_OBJECT_MATERIALIZED_VIEW:
        return SCHEMA_OBJECT_VIEW;
    case SQL_OBJECT_TRIGGER:
        return SCHEMA_OBJECT_TRIGGER;
    case SQL_OBJECT_SEQUENCE:
        return SCHEMA_OBJECT_SEQUENCE;
    default:
        return SCHEMA_OBJECT_OTHER;
    }
}

static void leave_object(const struct statement *statement, const struct sql_object_name *object)
{
    bool nothing = object->kind == SQL_OBJECT_SCHEMA || object->kind == SQL_OBJECT_DATABASE ||
                   object->kind == SQL_OBJECT_ROLE;
    if (!nothing && object->name != NULL) {
        const char *space =
            object->schema != NULL && strcmp(object->schema, "public") != 0 ? object->schema : NULL;
        dump_ddl_leave(statement->self, statement->ddl, kind_of(object->kind),
                       sql_object_kind_name(object->kind),
                       full_name(statement->scratch, space, object->name),
                       "a dump is read for its tables and their rows");
    }
}

/* CREATE of what has no kind: an aggregate, an operator, a publication. */
static void leave_other(struct statement *statement)
{
    char what[32];
    char name[80];
    struct sql_name found = {0};
    const struct sql_token kind = statement->at.token;
    sql_advance(&statement->at);
    bool event = sql_token_is_word(&kind, "EVENT") && sql_take(&statement->at, "TRIGGER");
    text_printable(event ? "event trigger" : kind.text, event ? 13 : kind.length, what,
                   sizeof what);
    text_printable(statement->at.token.text, statement->at.token.length, name, sizeof name);
    if (sql_take_name(&statement->at, statement->scratch, &found)) {
        text_printable(found.name, strlen(found.name), name, sizeof name);
    }
    for (char *at = what; *at != '\0'; at++) {
        *at = (char)(*at >= 'A' && *at <= 'Z' ? *at | 0x20 : *at);
    }
    dump_ddl_leave(statement->self, statement->ddl, SCHEMA_OBJECT_OTHER, what, name,
                   "a dump is read for its tables and their rows");
}

/* ---------------------------------------------------------------- statements */

static void append_statement(const struct statement *statement)
{
    struct dump_ddl *ddl = statement->ddl;
    const struct sql_piece *piece = statement->piece;
    const struct dump_ddl_line line = {.line = ddl->text_lines + 1,
                                       .script_line = piece->run_place.line};
    ddl->begun = ddl->begun || !sql_at(&statement->at, "SET");
    buffer_append(&ddl->lines, &line, sizeof line);
    size_t begin = ddl->text.length;
    buffer_append(&ddl->text, piece->run, piece->run_length);
    buffer_append_string(&ddl->text, "\n;\n");
    for (size_t at = begin; at < ddl->text.length; at++) {
        ddl->text_lines += ddl->text.data[at] == '\n' ? 1 : 0;
    }
}

static void add_partition(const struct statement *statement, const struct sql_object_name *objects,
                          uint32_t count)
{
    struct arena *arena = statement->self->inventory.arena;
    struct sql_cursor at = statement->at;
    struct sql_name child = {0};
    struct dump_partition made = {0};
    if (count == 0) {
        return;
    }
    if (objects[0].act == SQL_ACT_CREATE && objects[0].table != NULL) {
        made.child = full_name(arena, objects[0].schema, objects[0].name);
        made.parent = full_name(arena, objects[0].table_schema, objects[0].table);
    } else {
        while (!sql_at_end(&at) && !sql_at_words(&at, "ATTACH PARTITION")) {
            sql_advance(&at);
        }
        if (!sql_take_words(&at, "ATTACH PARTITION") ||
            !sql_take_name(&at, statement->scratch, &child)) {
            return;
        }
        made.child = full_name(arena, child.space, child.name);
        made.parent = full_name(arena, objects[0].schema, objects[0].name);
    }
    buffer_append(&statement->ddl->partitions, &made, sizeof made);
}

/* ALTER SEQUENCE x OWNED BY t.c: a counter of that column, which the schema has. */
static void see_owner(const struct statement *statement, const struct sql_object_name *object)
{
    struct sql_cursor at = statement->at;
    while (!sql_at_end(&at)) {
        if (sql_take_words(&at, "OWNED BY")) {
            const char *space = object->schema != NULL && strcmp(object->schema, "public") != 0
                                    ? object->schema
                                    : NULL;
            forget_sequence(statement->ddl, full_name(statement->scratch, space, object->name));
            return;
        }
        sql_advance(&at);
    }
}

/* Two dumps one behind another: the second makes again what the first made, rows and all. */
static enum status drop_rows(struct statement *statement, const struct sql_object_name *objects,
                             uint32_t count, struct error *error)
{
    struct dump_inventory *inventory = &statement->self->inventory;
    for (uint32_t i = 0; i < count && objects[i].act == SQL_ACT_DROP; i++) {
        if (objects[i].kind == SQL_OBJECT_TABLE) {
            dump_inventory_drop_rows(inventory, objects[i].schema, objects[i].name);
        } else if ((objects[i].kind == SQL_OBJECT_SCHEMA ||
                    objects[i].kind == SQL_OBJECT_DATABASE) &&
                   dump_inventory_has_rows(inventory)) {
            return dump_schema_refuse(statement,
                                      "a schema or a database is dropped after rows of tables",
                                      "dump each database into a file of its own", error);
        }
    }
    return STATUS_OK;
}

static enum status take_definition(struct statement *statement, struct error *error)
{
    struct sql_object_name *objects = NULL;
    uint32_t count = sql_objects_named(statement->self->inventory.language, statement->piece,
                                       statement->scratch, &objects);
    bool creates = sql_take(&statement->at, "CREATE");
    if (count == 0) {
        /* the name of a table of SQLite may be in single quotes */
        if (creates && sql_at(&statement->at, "TABLE")) {
            append_statement(statement);
        } else if (creates) {
            leave_other(statement);
        }
        return STATUS_OK;
    }
    if (drop_rows(statement, objects, count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    switch (objects[0].kind) {
    case SQL_OBJECT_TABLE:
        add_partition(statement, objects, count);
        append_statement(statement);
        break;
    case SQL_OBJECT_INDEX:
    case SQL_OBJECT_TYPE:
    case SQL_OBJECT_DOMAIN:
        append_statement(statement);
        break;
    case SQL_OBJECT_SEQUENCE:
        if (objects[0].act != SQL_ACT_CREATE) {
            see_owner(statement, &objects[0]);
            break;
        }
        leave_object(statement, &objects[0]);
        break;
    default:
        if (objects[0].act == SQL_ACT_CREATE) {
            leave_object(statement, &objects[0]);
        }
    }
    return STATUS_OK;
}

/* CREATE VIRTUAL TABLE name USING …, outside of the schema's rows. */
static bool leave_virtual(struct statement *statement)
{
    struct sql_name name;
    struct sql_cursor at = statement->at;
    if (!sql_take_words(&at, "CREATE VIRTUAL") || !sql_take(&at, "TABLE")) {
        return false;
    }
    if (sql_take_words(&at, "IF NOT")) {
        sql_take(&at, "EXISTS");
    }
    if (sql_take_name(&at, statement->scratch, &name)) {
        dump_ddl_leave(statement->self, statement->ddl, SCHEMA_OBJECT_OTHER, "virtual table",
                       name.name, "a dump has only what it is made of");
    }
    return true;
}

/* A dump may change its database before its first table only: tables of two databases may have one
 * name. */
static enum status go_to_database(struct statement *statement, const char *name,
                                  struct error *error)
{
    struct dump_ddl *ddl = statement->ddl;
    bool other = ddl->database == NULL || strcmp(ddl->database, name) != 0;
    if (other && ddl->begun) {
        return dump_schema_refuse(
            statement, "a second database begins here",
            "a dump of one database is read; dump each into a file of its own", error);
    }
    ddl->database = arena_copy_string(statement->self->inventory.arena, name);
    return STATUS_OK;
}

static enum status take_command(struct statement *statement, struct error *error)
{
    const struct sql_piece *piece = statement->piece;
    static const char *const words[] = {"\\connect ", "\\c "};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t length = strlen(words[i]);
        if (piece->length > length && memcmp(piece->text, words[i], length) == 0) {
            return go_to_database(
                statement,
                arena_copy(statement->scratch, piece->text + length, piece->length - length),
                error);
        }
    }
    return STATUS_OK;
}

/* Rows may be changed only by what makes them. */
static enum status take_change(struct statement *statement, struct error *error)
{
    struct sql_cursor at = statement->at;
    struct sql_name name = {0};
    bool own = sql_take_words(&at, "DELETE FROM") &&
               sql_take_name(&at, statement->scratch, &name) &&
               strncasecmp(name.name, "sqlite_", 7) == 0;
    return own ? STATUS_OK
               : dump_schema_refuse(
                     statement, "a statement changes rows in place",
                     "rows are read from COPY and from INSERT … VALUES; load the dump into its "
                     "database, and copy from there",
                     error);
}

static bool holds_word(const struct sql_cursor *from, const char *words)
{
    struct sql_cursor at = *from;
    while (!sql_at_end(&at)) {
        if (sql_at_one_of(&at, words)) {
            return true;
        }
        sql_advance(&at);
    }
    return false;
}

static enum status take_statement(struct statement *statement, struct error *error)
{
    static const char ignored[] =
        "SET|BEGIN|COMMIT|START|END|ROLLBACK|SAVEPOINT|RELEASE|LOCK|UNLOCK|PRAGMA|GRANT|REVOKE|"
        "ANALYZE|REFRESH|SECURITY|FLUSH|RESET|VACUUM|REINDEX|CLUSTER|CHANGE|SHOW|PREPARE|"
        "DEALLOCATE|DISCARD";
    struct sql_cursor *at = &statement->at;
    struct sql_name name = {0};
    if (leave_virtual(statement)) {
        return STATUS_OK;
    }
    if (sql_at_one_of(at, "CREATE|ALTER|DROP")) {
        return take_definition(statement, error);
    }
    if (sql_at_words(at, "COMMENT ON") || sql_at_words(at, "SET SEARCH_PATH")) {
        append_statement(statement);
        return STATUS_OK;
    }
    if (sql_at(at, "USE")) {
        sql_advance(at);
        return sql_take_name(at, statement->scratch, &name)
                   ? go_to_database(statement, name.name, error)
                   : STATUS_OK;
    }
    if (sql_at_one_of(at, "SELECT|DO|CALL|EXECUTE")) {
        if (holds_word(at, "lo_create|lo_open|lowrite")) {
            dump_ddl_leave(statement->self, statement->ddl, SCHEMA_OBJECT_OTHER, "large objects",
                           "pg_largeobject", "they are no part of a table");
        }
        return STATUS_OK;
    }
    if (sql_at_one_of(at, ignored)) {
        return STATUS_OK;
    }
    return sql_at_one_of(at, "UPDATE|DELETE|TRUNCATE|MERGE|LOAD|WITH|RENAME|INSERT|REPLACE|COPY")
               ? take_change(statement, error)
               : dump_schema_refuse(
                     statement, "expected a statement as dumps have them",
                     "is it a dump? dumps are read as pg_dump, mysqldump and sqlite3 .dump "
                     "write them",
                     error);
}

enum status dump_ddl_add(struct dump_database *self, struct dump_ddl *ddl,
                         const struct sql_piece *piece, struct error *error)
{
    struct statement statement = {
        .self = self, .ddl = ddl, .piece = piece, .scratch = arena_create(4096)};
    enum status status = STATUS_OK;
    if (piece->kind == SQL_PIECE_COMMAND) {
        status = take_command(&statement, error);
    } else if (piece->kind == SQL_PIECE_STATEMENT) {
        sql_cursor_of_piece(&statement.at, self->inventory.language, piece);
        status = take_statement(&statement, error);
    }
    arena_destroy(statement.scratch);
    return status;
}

void dump_ddl_free(struct dump_ddl *ddl)
{
    buffer_free(&ddl->text);
    buffer_free(&ddl->lines);
    buffer_free(&ddl->left);
    buffer_free(&ddl->partitions);
}
