/* The objects of a schema besides tables, and what a query's result looks like. */
#include "base/log.h"
#include "base/text.h"
#include "connectors/postgres/catalog.h"
#include "connectors/sql/request.h"
#include "postgres_sql.h"
#include <string.h>

enum { QUESTIONS_MAX = 100 };

/* ---------------------------------------------------------------- objects */

/* An object that goes with a table or another one is not told of alone. */
static enum schema_object_kind kind_of(const char *what, bool owned)
{
    static const struct {
        const char *what;
        enum schema_object_kind kind;
    } kinds[] = {
        {"view", SCHEMA_OBJECT_VIEW},       {"materialized view", SCHEMA_OBJECT_VIEW},
        {"trigger", SCHEMA_OBJECT_TRIGGER}, {"sequence", SCHEMA_OBJECT_SEQUENCE},
        {"property", SCHEMA_OBJECT_DETAIL}, {"comment", SCHEMA_OBJECT_DETAIL},
        {"value", SCHEMA_OBJECT_DETAIL},    {"index", SCHEMA_OBJECT_DETAIL},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].what, what) == 0) {
            return kinds[i].kind == SCHEMA_OBJECT_SEQUENCE && owned ? SCHEMA_OBJECT_DETAIL
                                                                    : kinds[i].kind;
        }
    }
    return SCHEMA_OBJECT_OTHER;
}

static enum schema_object_stage stage_of(char letter)
{
    return letter == 'b'   ? SCHEMA_BEFORE_TABLES
           : letter == 'w' ? SCHEMA_WITH_TABLES
           : letter == 'i' ? SCHEMA_BEFORE_INDEXES
                           : SCHEMA_AFTER_LOAD;
}

struct reading {
    struct postgres_database *self;
    PGconn *connection;
    struct schema *schema;
    struct arena *arena;
    struct schema_object *objects;
    uint32_t count;
    const char *left_out; /* what of tables is left out as code, as an array */
};

static const char *postgres_describe_keep(struct reading *reading, const PGresult *result, int row,
                                          int column)
{
    if (PQgetisnull(result, row, column) != 0) {
        return NULL;
    }
    return arena_copy_string(reading->arena, PQgetvalue(result, row, column));
}

static enum status postgres_describe_ask(const struct reading *reading, const char *sql,
                                         PGresult **result, struct error *error)
{
    const struct postgres_parameter parameters[] = {{.text = reading->self->spaces},
                                                    {.text = reading->left_out}};
    return postgres_catalog_query(reading->self, reading->connection, sql, parameters,
                                  sql == sql_definitions ? 2 : 1, SQL_LONG, ERROR_SOURCE_READ,
                                  result, error);
}

static enum status refuse_answer(const struct reading *reading, struct error *error)
{
    return error_set(error, ERROR_SOURCE_READ, reading->self->sql.shown,
                     "what the catalogue holds is not told as it was asked for");
}

/* Has each row something in these columns, and a word in the first of them? */
static enum status check_answer(const struct reading *reading, const PGresult *found, int first,
                                int last, struct error *error)
{
    for (int row = 0; row < PQntuples(found); row++) {
        for (int column = first; column <= last; column++) {
            if (PQgetisnull(found, row, column) != 0 ||
                (column == first && PQgetlength(found, row, column) == 0)) {
                return refuse_answer(reading, error);
            }
        }
    }
    return STATUS_OK;
}

static void add_objects(struct reading *reading, const PGresult *found)
{
    for (int row = 0; row < PQntuples(found); row++) {
        const char *what = PQgetvalue(found, row, 0);
        if (strcmp(what, "schema") == 0) {
            continue; /* the target makes those of its tables by itself */
        }
        reading->objects[reading->count++] = (struct schema_object){
            .kind = kind_of(what, PQgetisnull(found, row, 2) == 0),
            .stage = stage_of(PQgetvalue(found, row, 4)[0]),
            .what = postgres_describe_keep(reading, found, row, 0),
            .name = postgres_describe_keep(reading, found, row, 1),
            .table = postgres_describe_keep(reading, found, row, 2),
            .not_carried = postgres_describe_keep(reading, found, row, 3),
            .native_drop = postgres_describe_keep(reading, found, row, 7),
        };
        struct schema_object *object = &reading->objects[reading->count - 1];
        bool asked = strcmp(what, "value") == 0;
        *(asked ? &object->native_query : &object->native_sql) =
            postgres_describe_keep(reading, found, row, 6);
    }
}

/* The objects that are left out, whatever the copy. */
static void add_left_out(struct reading *reading, const PGresult *found)
{
    for (int row = 0; row < PQntuples(found); row++) {
        reading->objects[reading->count++] = (struct schema_object){
            .kind = kind_of(PQgetvalue(found, row, 0), false),
            .what = postgres_describe_keep(reading, found, row, 0),
            .name = postgres_describe_keep(reading, found, row, 1),
            .table = postgres_describe_keep(reading, found, row, 2),
            .not_carried = postgres_describe_keep(reading, found, row, 3),
        };
    }
}

/* Did the server say what is wrong with a question, and would say it again? */
static bool is_answer(const struct error *error)
{
    return error->native_state[0] != '\0' && error->class != ERROR_CLASS_RETRY;
}

/* The answers of the questions from `first` to before `end`, each in a row of its own. */
static enum status ask_values(struct reading *reading, uint32_t first, uint32_t end,
                              struct error *error)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    for (uint32_t i = first; i < end; i++) {
        const struct schema_object *object = &reading->objects[i];
        if (object->native_query != NULL) {
            buffer_format(&sql, "%sSELECT %u, (%s)", sql.length > 0 ? " UNION ALL " : "", i,
                          object->native_query);
        }
    }
    enum status status =
        buffer_is_empty(&sql)
            ? STATUS_OK
            : postgres_catalog_query_buffer(reading->self, reading->connection, &sql, NULL, 0,
                                            SQL_LONG, ERROR_SOURCE_READ, &result, error);
    for (int row = 0; status == STATUS_OK && result != NULL && row < PQntuples(result); row++) {
        const char *digits = PQgetvalue(result, row, 0);
        uint64_t at = 0;
        status = text_to_uint64(digits, strlen(digits), &at);
        if (status == STATUS_OK) {
            reading->objects[at].native_sql = postgres_describe_keep(reading, result, row, 1);
        }
    }
    PQclear(result);
    return status;
}

/* By now one may be gone, or be what the server can't tell. */
static enum status ask_each(struct reading *reading, uint32_t first, uint32_t end,
                            struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t i = first; status == STATUS_OK && i < end; i++) {
        status = ask_values(reading, i, i + 1, error);
        if (status != STATUS_OK && is_answer(error)) {
            log_write(LOG_WARNING, "%s %s: the target's starts over: %s", reading->objects[i].what,
                      reading->objects[i].name, error->message);
            error_clear(error);
            status = STATUS_OK;
        }
    }
    return status;
}

static enum status read_values(struct reading *reading, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t first = 0; status == STATUS_OK && first < reading->count;) {
        uint32_t end = first;
        for (uint32_t questions = 0; end < reading->count && questions < QUESTIONS_MAX; end++) {
            questions += reading->objects[end].native_query != NULL;
        }
        status = ask_values(reading, first, end, error);
        if (status != STATUS_OK && is_answer(error)) {
            error_clear(error);
            status = ask_each(reading, first, end, error);
        }
        first = end;
    }
    return status;
}

static bool has_query(const struct reading *reading)
{
    bool found = false;
    for (uint32_t i = 0; !found && i < reading->count; i++) {
        found = reading->objects[i].native_query != NULL;
    }
    return found;
}

/* Not within the snapshot, which a question that fails would end. */
enum status postgres_ask_values(struct database *database, struct schema_object *objects,
                                uint32_t count, struct arena *arena, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct reading reading = {.self = self, .arena = arena, .objects = objects, .count = count};
    enum status status =
        has_query(&reading) ? postgres_connect(self, &reading.connection, error) : STATUS_OK;
    status = status == STATUS_OK ? read_values(&reading, error) : status;
    postgres_disconnect(reading.connection);
    return status;
}

static struct schema_table *find_table(const struct reading *reading, const char *name)
{
    /* the catalogue's own, made by postgres_catalog_read */
    return (struct schema_table *)(uintptr_t)schema_find_table(reading->schema, name);
}

static void attach(struct reading *reading, const PGresult *found, int row,
                   struct schema_object *object)
{
    enum { PARENT = 3, BOUND = 5, CALLED = 7 };
    object->native_sql = sql_text(
        reading->arena,
        postgres_sql("ALTER TABLE ONLY %s ATTACH PARTITION %s %s", PQgetvalue(found, row, PARENT),
                     PQgetvalue(found, row, CALLED), PQgetvalue(found, row, BOUND)));
}

/* Tables get their statement; a partition becomes two objects of its table: made, attached. */
static void add_definitions(struct reading *reading, const PGresult *found)
{
    for (int row = 0; row < PQntuples(found); row++) {
        bool partition = PQgetvalue(found, row, 1)[0] == 't';
        struct schema_table *table = find_table(reading, PQgetvalue(found, row, 2));
        if (!partition && table != NULL) {
            table->native_sql = postgres_describe_keep(reading, found, row, 6);
        }
        for (int part = 0; partition && part < 2; part++) {
            struct schema_object *object = &reading->objects[reading->count++];
            *object = (struct schema_object){
                .kind = SCHEMA_OBJECT_DETAIL,
                .stage = SCHEMA_WITH_TABLES,
                .what = "partition",
                .table = postgres_describe_keep(reading, found, row, 2),
                .name = postgres_describe_keep(reading, found, row, 4),
                .native_sql = postgres_describe_keep(reading, found, row, 6)};
            if (part == 1) {
                attach(reading, found, row, object);
            }
        }
    }
}

/* Kinds of which a copy makes none are counted where they are listed: by catalogue. */
static void count_left_out(struct reading *reading, const PGresult *found,
                           struct schema_inventory *rows, uint32_t *count)
{
    enum { WHAT = 0, CATALOG = 4 };
    const char *last = "";
    for (int row = 0; row < PQntuples(found); row++) {
        const char *what = PQgetvalue(found, row, WHAT);
        if (PQgetisnull(found, row, CATALOG) != 0) {
            continue;
        }
        if (strcmp(last, what) != 0) {
            rows[(*count)++] = (struct schema_inventory){
                .catalog = postgres_describe_keep(reading, found, row, CATALOG),
                .what = postgres_describe_keep(reading, found, row, WHAT)};
        }
        rows[*count - 1].total++;
        rows[*count - 1].left_out++;
        last = what;
    }
}

static enum status add_inventory(struct reading *reading, const PGresult *found,
                                 const PGresult *left_out, struct error *error)
{
    size_t most = (size_t)PQntuples(found) + (size_t)PQntuples(left_out) + 1;
    struct schema_inventory *rows = arena_allocate_zeroed(reading->arena, most, sizeof *rows);
    uint32_t count = 0;
    for (int row = 0; row < PQntuples(found); row++) {
        const char *catalog = postgres_describe_keep(reading, found, row, 0);
        const char *what = postgres_describe_keep(reading, found, row, 1);
        if (catalog == NULL || what == NULL ||
            schema_count_objects(reading->schema, catalog, what, PQgetvalue(found, row, 2),
                                 PQgetvalue(found, row, 3), &rows[count++]) != STATUS_OK) {
            return refuse_answer(reading, error);
        }
    }
    count_left_out(reading, left_out, rows, &count);
    reading->schema->inventory = rows;
    reading->schema->inventory_count = count;
    return STATUS_OK;
}

static void add_needs(struct reading *reading, const PGresult *found)
{
    int count = PQntuples(found);
    struct schema_need *rows =
        arena_allocate_zeroed(reading->arena, (size_t)count + 1, sizeof *rows);
    for (int row = 0; row < count; row++) {
        rows[row] =
            (struct schema_need){.user_is_type = PQgetvalue(found, row, 0)[0] == 't',
                                 .user = postgres_describe_keep(reading, found, row, 1),
                                 .what = postgres_describe_keep(reading, found, row, 2),
                                 .schema = postgres_describe_keep(reading, found, row, 3),
                                 .name = postgres_describe_keep(reading, found, row, 4),
                                 .extension = postgres_describe_keep(reading, found, row, 5)};
    }
    reading->schema->needs = rows;
    reading->schema->need_count = (uint32_t)count;
}

/* ---------------------------------------------------------------- rights */

/* Does the row have what rights.sql says of its kind? */
static bool is_whole(const struct schema_right *right)
{
    static const struct {
        const char *kind;
        bool role;
        bool words;
        bool native_sql;
        bool called;
    } kinds[] = {
        {"owner", true, false, false, true},   {"grant", false, true, false, true},
        {"closed", false, false, false, true}, {"runs", true, false, false, true},
        {"reads", true, true, false, true},    {"rewrites", true, true, false, true},
        {"shut", false, true, false, false},   {"default", true, false, true, false},
        {"member", true, false, false, false}, {"lacks", true, true, false, true},
    };
    for (size_t i = 0; right->kind != NULL && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].kind, right->kind) == 0) {
            return right->what != NULL && right->name != NULL &&
                   (right->role != NULL || !kinds[i].role) &&
                   (right->words != NULL || !kinds[i].words) &&
                   (right->native_sql != NULL || !kinds[i].native_sql) &&
                   (right->called != NULL || !kinds[i].called);
        }
    }
    return false;
}

enum status postgres_rights_read(struct postgres_database *self, PGconn *connection,
                                 struct schema *schema, struct error *error)
{
    struct reading reading = {
        .self = self, .connection = connection, .schema = schema, .arena = schema->arena};
    PGresult *found = NULL;
    enum status status = postgres_describe_ask(&reading, sql_rights, &found, error);
    int count = status == STATUS_OK ? PQntuples(found) : 0;
    struct schema_right *rows =
        arena_allocate_zeroed(schema->arena, (size_t)count + 1, sizeof *rows);
    for (int row = 0; row < count; row++) {
        rows[row] =
            (struct schema_right){.kind = postgres_describe_keep(&reading, found, row, 0),
                                  .what = postgres_describe_keep(&reading, found, row, 1),
                                  .name = postgres_describe_keep(&reading, found, row, 2),
                                  .table = postgres_describe_keep(&reading, found, row, 3),
                                  .role = postgres_describe_keep(&reading, found, row, 4),
                                  .words = postgres_describe_keep(&reading, found, row, 5),
                                  .native_sql = postgres_describe_keep(&reading, found, row, 6),
                                  .called = postgres_describe_keep(&reading, found, row, 7)};
        if (!is_whole(&rows[row])) {
            PQclear(found);
            return refuse_answer(&reading, error);
        }
    }
    PQclear(found);
    schema->rights = rows;
    schema->right_count = (uint32_t)count;
    return status;
}

enum status postgres_objects_read(struct postgres_database *self, PGconn *connection,
                                  struct schema *schema, struct error *error)
{
    enum { OBJECTS, DEFINITIONS, LEFT_OUT, INVENTORY, NEEDS, QUESTIONS };
    const char *const questions[QUESTIONS] = {
        [OBJECTS] = sql_objects,   [DEFINITIONS] = sql_definitions,
        [LEFT_OUT] = sql_left_out, [INVENTORY] = sql_inventory,
        [NEEDS] = sql_needs,
    };
    struct reading reading = {
        .self = self, .connection = connection, .schema = schema, .arena = schema->arena};
    struct postgres_code code = {.left_out = "{}"};
    PGresult *found[QUESTIONS] = {NULL};
    enum status status = self->no_code
                             ? postgres_code_read(self, connection, schema->arena, &code, error)
                             : STATUS_OK;

    reading.left_out = code.left_out;
    for (int i = 0; status == STATUS_OK && i < QUESTIONS; i++) {
        status = postgres_describe_ask(&reading, questions[i], &found[i], error);
    }
    /* what it is, and its name; a table's definition is its topmost parent's; what needs what */
    status = status == STATUS_OK ? check_answer(&reading, found[OBJECTS], 0, 1, error) : status;
    status = status == STATUS_OK ? check_answer(&reading, found[LEFT_OUT], 0, 1, error) : status;
    status = status == STATUS_OK ? check_answer(&reading, found[DEFINITIONS], 1, 2, error) : status;
    status = status == STATUS_OK ? check_answer(&reading, found[NEEDS], 0, 4, error) : status;
    if (status == STATUS_OK) {
        size_t count = (size_t)PQntuples(found[OBJECTS]) +
                       2 * (size_t)PQntuples(found[DEFINITIONS]) +
                       (size_t)PQntuples(found[LEFT_OUT]);
        reading.objects = arena_allocate_zeroed(schema->arena, count + 1, sizeof *reading.objects);
        add_definitions(&reading, found[DEFINITIONS]);
        add_objects(&reading, found[OBJECTS]);
        add_left_out(&reading, found[LEFT_OUT]);
        schema->objects = reading.objects;
        schema->object_count = reading.count;
        postgres_code_leave_out(&code, schema, reading.objects);
        add_needs(&reading, found[NEEDS]);
        schema->unseen = self->closed;
        schema->unseen_count = self->closed_count;
        status = add_inventory(&reading, found[INVENTORY], found[LEFT_OUT], error);
    }
    if (status == STATUS_OK) {
        status = postgres_rights_read(self, connection, schema, error);
    }
    for (int i = 0; i < QUESTIONS; i++) {
        PQclear(found[i]);
    }
    return status;
}

/* ---------------------------------------------------------------- queries */

/* format_type and the innermost base of a domain, for the columns of a described statement. */
static enum status type_facts(struct postgres_database *self, PGconn *connection, Oid oid,
                              int modifier, struct arena *arena, struct postgres_column *column,
                              struct error *error)
{
    static const char sql[] =
        "WITH RECURSIVE nested AS (SELECT $1::pg_catalog.oid AS base, $2::integer AS modifier "
        "UNION ALL SELECT i.typbasetype, i.typtypmod FROM nested n JOIN pg_catalog.pg_type i "
        "ON i.oid = n.base AND i.typtype = 'd') "
        "SELECT n.base, b.typtype, n.modifier, pg_catalog.format_type($1::pg_catalog.oid, $2), "
        "CASE WHEN b.typtype = 'e' "
        "THEN '::' || pg_catalog.format_type(b.oid, -1) END, "
        "CASE WHEN b.oid >= 16384 AND EXISTS (SELECT 1 FROM pg_catalog.pg_cast k WHERE "
        "k.castsource = b.oid AND k.casttarget = 25 AND k.castfunc <> 0) THEN (SELECT "
        "pg_catalog.format('%I.%I', w.nspname, f.proname) FROM pg_catalog.pg_proc f JOIN "
        "pg_catalog.pg_namespace w ON w.oid = f.pronamespace WHERE f.oid = b.typoutput) END, "
        "pg_catalog.format_type(b.oid, -1) "
        "FROM nested n JOIN pg_catalog.pg_type b ON b.oid = n.base WHERE b.typtype <> 'd'";
    char numbers[2][16] = {{0}, {0}};
    text_from_uint64(oid, numbers[0]);
    text_from_int64(modifier, numbers[1]);
    const struct postgres_parameter parameters[] = {{.text = numbers[0]}, {.text = numbers[1]}};
    PGresult *result = NULL;
    int64_t base = 0;
    int64_t base_modifier = -1;
    enum status status = postgres_catalog_query(self, connection, sql, parameters, 2, SQL_SHORT,
                                                ERROR_SOURCE_READ, &result, error);

    if (status == STATUS_OK && PQntuples(result) == 1) {
        const char *words = arena_copy_string(arena, PQgetvalue(result, 0, 3));
        status = text_to_int64(PQgetvalue(result, 0, 0), strlen(PQgetvalue(result, 0, 0)), &base);
        if (status == STATUS_OK) {
            status = text_to_int64(PQgetvalue(result, 0, 2), strlen(PQgetvalue(result, 0, 2)),
                                   &base_modifier);
        }
        column->modifier = (int32_t)base_modifier;
        column->type_oid = (uint32_t)base;
        column->type = postgres_type_of(column->type_oid, PQgetvalue(result, 0, 1)[0],
                                        column->modifier, words);
        bool labels = PQgetisnull(result, 0, 4) == 0;
        column->labels = labels ? arena_copy_string(arena, PQgetvalue(result, 0, 4)) : NULL;
        if (PQgetisnull(result, 0, 5) == 0) {
            postgres_keep_output(column, PQgetvalue(result, 0, 5), PQgetvalue(result, 0, 6), arena);
        }
        if (status != STATUS_OK) {
            status = error_set(error, ERROR_SOURCE_READ, self->sql.shown,
                               "the type of a column is not told as it was asked for");
        }
    }
    PQclear(result);
    return status;
}

static enum status describe_columns(struct postgres_database *self, PGconn *connection,
                                    const PGresult *described, struct arena *arena,
                                    struct schema_table *table, struct postgres_column *columns,
                                    struct error *error)
{
    struct schema_column *schema =
        arena_allocate_zeroed(arena, (size_t)table->column_count + 1, sizeof *schema);
    for (uint32_t i = 0; i < table->column_count; i++) {
        columns[i].name = arena_copy_string(arena, PQfname(described, (int)i));
        if (type_facts(self, connection, PQftype(described, (int)i), PQfmod(described, (int)i),
                       arena, &columns[i], error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        schema[i] = (struct schema_column){.name = columns[i].name, .type = columns[i].type.type};
    }
    table->columns = schema;
    return STATUS_OK;
}

/* As a subquery it can be one SELECT only; the line's end guards against a comment. */
enum status postgres_describe_query(struct postgres_database *self, PGconn *connection,
                                    const char *query, struct arena *arena,
                                    struct schema_table *table, struct postgres_column **columns,
                                    struct error *error)
{
    struct buffer sql = {0};
    PGresult *described = NULL;
    PGresult *rest = NULL;

    *table = (struct schema_table){.kind = SCHEMA_QUERY, .row_count = -1, .size_bytes = -1};
    buffer_append_string(&sql, "SELECT * FROM ");
    sql_append_query(&sql, query);
    buffer_append_string(&sql, " AS _t0");
    enum status status = PQsendPrepare(connection, "", buffer_string(&sql), 0, NULL) == 0
                             ? postgres_failure(self, connection, NULL, ERROR_NETWORK, error)
                             : postgres_next_result(self, connection, SQL_SHORT, &described, error);
    buffer_free(&sql);
    if (status == STATUS_OK && PQresultStatus(described) != PGRES_COMMAND_OK) {
        status = postgres_failure(self, connection, described, ERROR_PLAN_INVALID, error);
    }
    PQclear(described);
    described = NULL;
    while (postgres_next_result(self, connection, SQL_SHORT, &rest, error) == STATUS_OK &&
           rest != NULL) {
        PQclear(rest);
    }
    if (status == STATUS_OK) {
        status = PQsendDescribePrepared(connection, "") == 0
                     ? postgres_failure(self, connection, NULL, ERROR_NETWORK, error)
                     : postgres_next_result(self, connection, SQL_SHORT, &described, error);
        while (status == STATUS_OK &&
               postgres_next_result(self, connection, SQL_SHORT, &rest, error) == STATUS_OK &&
               rest != NULL) {
            PQclear(rest);
        }
    }
    if (status == STATUS_OK) {
        table->column_count = (uint32_t)PQnfields(described);
        table->name = query;
        *columns = arena_allocate_zeroed(arena, (size_t)table->column_count + 1, sizeof **columns);
        status = describe_columns(self, connection, described, arena, table, *columns, error);
    }
    PQclear(described);
    return status;
}
