/* The statements that give an account just the rights that a run needs. */
#include "connectors/contract/rights.h"
#include "connectors/mysql/catalog.h"
#include "connectors/mysql/schema/rebuild.h"
#include "connectors/mysql/target.h"
#include "connectors/sql/place.h"
#include <stdlib.h>
#include <string.h>

/* A database of the server in which tables are read or written. */
struct database_part {
    const char *name;
    uint32_t tables; /* of the request */
    bool whole;      /* rights go for all that it holds */
};

struct needing {
    struct mysql_database *self;
    MYSQL *connection;
    const struct rights_request *request;
    struct rights_list *list;
    struct arena *arena;
    const char *account; /* as GRANT has it */
    const char *grantee; /* as information_schema has it */
    struct database_part *parts;
    uint32_t part_count;
    struct buffer line;
    struct error *error;
};

/* NAME, or NAME@HOST: 'NAME'@'%'. */
static const char *quote_account(const char *account, struct arena *arena)
{
    const char *at = strrchr(account, '@');
    size_t length = at != NULL ? (size_t)(at - account) : strlen(account);
    const char *quoted =
        sql_text(arena, mysql_sql("%Q@%q", account, length, at != NULL ? at + 1 : "%"));
    return quoted;
}

/* As definers are told: NAME@HOST. */
static const char *whole_account(const char *account, struct arena *arena)
{
    return strchr(account, '@') != NULL ? account : arena_format(arena, "%s@%%", account);
}

/* 'NAME'@'HOST' with nothing escaped. */
static const char *name_grantee(const char *account, struct arena *arena)
{
    const char *whole = whole_account(account, arena);
    const char *at = strrchr(whole, '@');
    return arena_format(arena, "'%.*s'@'%s'", (int)(at - whole), whole, at + 1);
}

static void add_part(struct needing *needing, const char *schema, uint32_t tables)
{
    uint32_t i = 0;
    while (i < needing->part_count && strcmp(needing->parts[i].name, schema) != 0) {
        i++;
    }
    if (i == needing->part_count) {
        needing->parts[needing->part_count++] = (struct database_part){.name = schema};
    }
    needing->parts[i].tables += tables;
}

static void add_line(struct needing *needing, enum rights_use use)
{
    buffer_format(&needing->line, " TO %s;", needing->account);
    rights_add(needing->list, use, &needing->line);
}

static void grant_on_server(struct needing *needing, enum rights_use use, const char *rights)
{
    buffer_format(&needing->line, "GRANT %s ON *.*", rights);
    add_line(needing, use);
}

static void grant_on_database(struct needing *needing, enum rights_use use, const char *rights,
                              const char *schema)
{
    buffer_format(&needing->line, "GRANT %s ON ", rights);
    mysql_append_all_of(&needing->line, needing->self, needing->connection, needing->grantee,
                        schema);
    add_line(needing, use);
}

static void grant_on_table(struct needing *needing, enum rights_use use, const char *rights,
                           const char *table)
{
    mysql_append(&needing->line, "GRANT %s ON %t", rights, &needing->self->sql, table);
    add_line(needing, use);
}

/* One number that a statement answers. */
static enum status read_number(struct needing *needing, struct buffer *sql, enum error_code code,
                               uint32_t *number)
{
    MYSQL_RES *result = NULL;
    enum status status = mysql_run_buffer(needing->self, needing->connection, sql, SQL_SHORT, code,
                                          &result, needing->error);
    MYSQL_ROW row = status == STATUS_OK ? mysql_fetch_row(result) : NULL;
    *number = row != NULL && row[0] != NULL ? (uint32_t)strtoul(row[0], NULL, 10) : 0;
    mysql_free_result(result);
    return status;
}

/* Without SUPER triggers and functions are refused while there is a binary log. */
static enum status add_trust(struct needing *needing, enum rights_use use, enum error_code code)
{
    struct buffer sql = {0};
    uint32_t in_the_way = 0;
    buffer_append_string(&sql, "SELECT @@global.log_bin = 1 AND "
                               "@@global.log_bin_trust_function_creators = 0");
    enum status status = read_number(needing, &sql, code, &in_the_way);
    if (in_the_way != 0) {
        buffer_append_string(&needing->line, "SET GLOBAL log_bin_trust_function_creators = ON;");
        rights_add(needing->list, use, &needing->line);
    }
    buffer_free(&sql);
    return status;
}

static enum status needing_begin(struct needing *needing, struct database *database,
                                 uint32_t table_count)
{
    needing->self = mysql_database_of(database);
    needing->arena = needing->list->arena;
    needing->account = quote_account(needing->request->account, needing->arena);
    needing->grantee = name_grantee(needing->request->account, needing->arena);
    needing->parts =
        arena_allocate_zeroed(needing->arena, table_count + (size_t)1, sizeof *needing->parts);
    return mysql_connect(needing->self, &needing->connection, needing->error);
}

static enum status needing_end(struct needing *needing, enum status status)
{
    mysql_disconnect(needing->connection);
    buffer_free(&needing->line);
    return status;
}

/* ---------------------------------------------------------------- the source */

/* Grants reading: of all that the database holds by one statement, else table by table. */
static enum status add_reading(struct needing *needing, struct database_part *part)
{
    const struct rights_request *request = needing->request;
    struct buffer sql = {0};
    uint32_t there = 0;
    mysql_append(&sql,
                 "SELECT COUNT(*) FROM information_schema.tables WHERE table_type IN ('BASE "
                 "TABLE', 'VIEW', 'SYSTEM VERSIONED') AND table_schema = %q",
                 part->name);
    enum status status = read_number(needing, &sql, ERROR_SOURCE_READ, &there);
    buffer_free(&sql);
    part->whole = request->carries_objects || there <= part->tables;
    if (request->carries_objects) { /* which nobody sees without these, and without SELECT */
        grant_on_database(needing, RIGHTS_COPY, "SELECT, LOCK TABLES, SHOW VIEW, TRIGGER, EVENT",
                          part->name);
        return status;
    }
    if (part->whole) {
        grant_on_database(needing, RIGHTS_COPY, "SELECT, LOCK TABLES", part->name);
        return status;
    }
    for (uint32_t i = 0; i < request->read_count; i++) {
        if (strcmp(sql_place_of(&needing->self->sql, request->read[i]).schema, part->name) == 0) {
            grant_on_table(needing, RIGHTS_COPY, "SELECT", request->read[i]);
        }
    }
    grant_on_database(needing, RIGHTS_COPY, "LOCK TABLES", part->name);
    return status;
}

static void add_routines(struct needing *needing)
{
    const struct mysql_database *self = needing->self;
    if (!self->mariadb && self->version >= 80020u) {
        grant_on_server(needing, RIGHTS_COPY, "SHOW_ROUTINE");
    } else if (self->mariadb || self->version < 80000u) {
        buffer_append_string(&needing->line, "GRANT SELECT ON mysql.proc");
        add_line(needing, RIGHTS_COPY);
    }
}

static bool is_of_whole(const struct needing *needing, const char *table)
{
    const char *schema = sql_place_of(&needing->self->sql, table).schema;
    bool whole = false;
    for (uint32_t i = 0; i < needing->part_count; i++) {
        whole = whole || (needing->parts[i].whole && strcmp(needing->parts[i].name, schema) == 0);
    }
    return whole;
}

static enum status add_following(struct needing *needing)
{
    const struct rights_request *request = needing->request;
    grant_on_server(needing, RIGHTS_FOLLOW, "REPLICATION SLAVE, REPLICATION CLIENT");
    for (uint32_t i = 0; i < needing->part_count; i++) {
        if (needing->parts[i].whole) {
            grant_on_database(needing, RIGHTS_CUT_OVER, "TRIGGER, REFERENCES",
                              needing->parts[i].name);
        }
    }
    for (uint32_t i = 0; i < request->read_count; i++) {
        if (!is_of_whole(needing, request->read[i])) {
            grant_on_table(needing, RIGHTS_CUT_OVER, "TRIGGER, REFERENCES", request->read[i]);
        }
    }
    grant_on_database(needing, RIGHTS_CUT_OVER, "CREATE, ALTER, DROP", needing->self->sql.schema);
    return add_trust(needing, RIGHTS_CUT_OVER, ERROR_SOURCE_READ);
}

static enum status rights_of_source(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    struct needing needing = {.request = request, .list = list, .error = error};
    enum status status = needing_begin(&needing, database, request->read_count);
    for (uint32_t i = 0; i < request->read_count; i++) {
        add_part(&needing, sql_place_of(&needing.self->sql, request->read[i]).schema, 1);
    }
    for (uint32_t i = 0; i < needing.part_count && status == STATUS_OK; i++) {
        status = add_reading(&needing, &needing.parts[i]);
    }
    if (status == STATUS_OK && request->carries_objects) {
        add_routines(&needing);
    }
    if (status == STATUS_OK && request->follows) {
        status = add_following(&needing);
    }
    return needing_end(&needing, status);
}

/* ---------------------------------------------------------------- the target */

/* Appends the rights by which the objects of a plain copy are made. `*logged`: the binary log
 * stands in their way. */
static void append_object_rights(const struct schema *objects, struct buffer *rights, bool *logged)
{
    static const struct {
        const char *what;
        const char *rights;
        bool logged;
    } needed[] = {{"view", ", CREATE VIEW, SHOW VIEW", false},
                  {"trigger", ", TRIGGER", true},
                  {"function", ", CREATE ROUTINE, ALTER ROUTINE", true},
                  {"procedure", ", CREATE ROUTINE, ALTER ROUTINE", false},
                  {"package", ", CREATE ROUTINE, ALTER ROUTINE", false},
                  {"event", ", EVENT", false}};
    for (size_t n = 0; n < sizeof needed / sizeof needed[0]; n++) {
        bool found = false;
        for (uint32_t i = 0; objects != NULL && i < objects->object_count && !found; i++) {
            const struct schema_object *object = &objects->objects[i];
            found = object->native_sql != NULL &&
                    strcmp(schema_object_word(object), needed[n].what) == 0;
        }
        *logged = *logged || (found && needed[n].logged);
        if (found && strstr(buffer_string(rights), needed[n].rights) == NULL) {
            buffer_append_string(rights, needed[n].rights);
        }
    }
}

/* Which triggers of a table count: all, those of others, or those of system users, which MySQL lets
 * nobody else make. */
enum triggers_of { TRIGGERS_OF_ANYONE, TRIGGERS_OF_OTHERS, TRIGGERS_OF_SYSTEM };

static enum status count_triggers(struct needing *needing, struct sql_table_place place,
                                  enum triggers_of whose, uint32_t *count)
{
    struct buffer sql = {0};
    mysql_append(&sql,
                 "SELECT COUNT(*) FROM information_schema.triggers WHERE event_object_schema = %q "
                 "AND event_object_table = %q",
                 place.schema, place.name);
    if (whose != TRIGGERS_OF_ANYONE) {
        mysql_append(&sql, " AND definer <> %q",
                     whole_account(needing->request->account, needing->arena));
    }
    if (whose == TRIGGERS_OF_SYSTEM) {
        buffer_append_string(
            &sql, " AND EXISTS (SELECT 1 FROM information_schema.user_privileges g WHERE "
                  "g.privilege_type = 'SYSTEM_USER' AND g.grantee = CONCAT('''', LEFT(definer, "
                  "CHAR_LENGTH(definer) - CHAR_LENGTH(SUBSTRING_INDEX(definer, '@', -1)) - 1), "
                  "'''@''', SUBSTRING_INDEX(definer, '@', -1), ''''))");
    }
    enum status status = read_number(needing, &sql, ERROR_TARGET_INVALID, count);
    buffer_free(&sql);
    return status;
}

/* Triggers of tables that are there are dropped while changes are applied, and made again. */
static enum status add_triggers(struct needing *needing)
{
    const struct rights_request *request = needing->request;
    bool logged = false;
    bool of_others = false;
    bool of_system = false;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < request->table_count && status == STATUS_OK; i++) {
        struct sql_table_place place = sql_place_of(&needing->self->sql, request->tables[i].name);
        uint32_t triggers = 0;
        uint32_t foreign = 0;
        uint32_t system = 0;
        if (request->missing[i]) {
            continue;
        }
        status = count_triggers(needing, place, TRIGGERS_OF_ANYONE, &triggers);
        if (status == STATUS_OK) {
            status = count_triggers(needing, place, TRIGGERS_OF_OTHERS, &foreign);
        }
        if (status == STATUS_OK) {
            status = count_triggers(needing, place, TRIGGERS_OF_SYSTEM, &system);
        }
        logged = logged || triggers > 0;
        of_others = of_others || foreign > 0;
        of_system = of_system || system > 0;
        grant_on_database(needing, RIGHTS_FOLLOW, "TRIGGER", place.schema);
    }
    if (status == STATUS_OK && of_others) {
        grant_on_server(needing, RIGHTS_FOLLOW, mysql_right_to_define(needing->self));
    }
    if (status == STATUS_OK && of_system) {
        grant_on_server(needing, RIGHTS_FOLLOW, "SYSTEM_USER");
    }
    return status == STATUS_OK && logged ? add_trust(needing, RIGHTS_FOLLOW, ERROR_TARGET_INVALID)
                                         : status;
}

static bool is_staged(const struct rights_request *request)
{
    bool staged = false;
    for (uint32_t i = 0; i < request->table_count && !staged; i++) {
        const struct target_table *table = &request->tables[i];
        staged = table->distinct || (!request->missing[i] && table->existing != EXISTING_REFUSE &&
                                     (table->existing != EXISTING_APPEND || table->keeps_undo));
    }
    return staged;
}

static enum status rights_of_target(struct database *database, const struct rights_request *request,
                                    struct rights_list *list, struct error *error)
{
    struct needing needing = {.request = request, .list = list, .error = error};
    struct buffer rights = {0};
    bool logged = false;
    enum status status = needing_begin(&needing, database, request->table_count);
    add_part(&needing, needing.self->sql.schema, 0); /* the ledger's */
    for (uint32_t i = 0; i < request->table_count; i++) {
        add_part(&needing, sql_place_of(&needing.self->sql, request->tables[i].name).schema, 1);
    }
    buffer_format(&rights, "SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER%s%s",
                  needing.self->mariadb ? "" : ", REFERENCES",
                  is_staged(request) ? ", CREATE TEMPORARY TABLES" : "");
    append_object_rights(request->objects, &rights, &logged);
    for (uint32_t i = 0; i < needing.part_count; i++) {
        grant_on_database(&needing, RIGHTS_COPY, buffer_string(&rights), needing.parts[i].name);
    }
    if (status == STATUS_OK && logged) {
        status = add_trust(&needing, RIGHTS_COPY, ERROR_TARGET_INVALID);
    }
    if (status == STATUS_OK && request->follows) {
        status = add_triggers(&needing);
    }
    buffer_free(&rights);
    return needing_end(&needing, status);
}

const struct rights_functions mysql_rights_functions = {.of_source = rights_of_source,
                                                        .of_target = rights_of_target};
