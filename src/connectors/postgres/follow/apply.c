/*
 * Change sets into PostgreSQL: prepared statements in libpq's pipeline mode, in one transaction
 * with the position (connectors/sql/apply.h). All changes of a call are sent without waiting for
 * answers; `settle` waits for them. What was refused is known only then, so that the shared room
 * starts the transaction over with savepoints.
 */
#include "connectors/postgres/follow/apply.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "connectors/postgres/follow/feed.h"
#include "connectors/postgres/schema/rebuild.h"
#include "connectors/postgres/source.h"
#include "connectors/postgres/store.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PLANS_KEPT_MS = 10000 };

static struct postgres_apply *own(struct apply *apply)
{
    return (struct postgres_apply *)apply;
}

/* ---------------------------------------------------------------- statements */

/* Arrays of the columns' types, and whether triggers of the table would fire. */
static enum status describe_arrays(struct postgres_apply *apply, PGconn *connection,
                                   struct apply_facts *facts, struct error *error)
{
    struct buffer sql = {0};
    PGresult *result = NULL;
    uint32_t count = facts->table.schema->column_count;
    struct apply_array *arrays =
        arena_allocate_zeroed(apply->head.arena, (size_t)count + 1, sizeof *arrays);
    facts->arrays = arrays;
    buffer_format(&sql,
                  "SELECT -1, 0, '', '' FROM pg_catalog.pg_trigger WHERE tgrelid = %u AND NOT "
                  "tgisinternal",
                  facts->table.oid);
    for (uint32_t i = 0; i < count; i++) {
        buffer_format(&sql,
                      " UNION ALL SELECT %u, typarray, pg_catalog.format_type(oid, -1), "
                      "pg_catalog.format_type(oid, %d) FROM pg_catalog.pg_type WHERE oid = %u",
                      i, facts->table.columns[i].modifier, facts->table.columns[i].type_oid);
    }
    enum status status = postgres_catalog_query_buffer(
        apply->self, connection, &sql, NULL, 0, SQL_SHORT, ERROR_TARGET_INVALID, &result, error);
    for (int row = 0; status == STATUS_OK && row < PQntuples(result); row++) {
        int64_t column = -1;
        int64_t oid = 0;
        bool read = text_to_int64(PQgetvalue(result, row, 0), (size_t)PQgetlength(result, row, 0),
                                  &column) == STATUS_OK &&
                    text_to_int64(PQgetvalue(result, row, 1), (size_t)PQgetlength(result, row, 1),
                                  &oid) == STATUS_OK;
        if (read && column >= 0 && column < count) {
            arrays[column] = (struct apply_array){
                (uint32_t)oid, arena_copy_string(apply->head.arena, PQgetvalue(result, row, 2)),
                arena_copy_string(apply->head.arena, PQgetvalue(result, row, 3))};
        }
        facts->triggers = facts->triggers || column < 0;
    }
    PQclear(result);
    return status;
}

/* An upsert takes no index that is checked later, even beside another one. */
static enum status check_key(const struct schema_table *schema, const struct target_table *plan,
                             enum error_code code, struct error *error)
{
    for (uint32_t i = 0; i < schema->index_count; i++) {
        const struct schema_index *index = &schema->indexes[i];
        if (index->unique && index->deferrable && postgres_is_key_index(index, plan->key)) {
            error_set(error, code, plan->name,
                      "its key is DEFERRABLE, so that no change can be put by it");
            return error_hint(error, "ALTER TABLE … DROP CONSTRAINT %s, and ADD it NOT DEFERRABLE",
                              index->name);
        }
    }
    return STATUS_OK;
}

/* apply_functions.check: a table that the run makes gets the source's key. */
static enum status check_table(struct database *database, const struct target_table *plan,
                               struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct arena *arena = arena_create(0);
    struct postgres_table facts;
    PGconn *connection = NULL;
    enum status status = postgres_control(self, &connection, error);
    status = status == STATUS_OK
                 ? postgres_target_describe(self, connection, plan->name, arena, &facts, error)
                 : status;
    const struct schema_table *schema = status == STATUS_OK    ? facts.schema
                                        : status == STATUS_END ? plan->same_engine
                                                               : NULL;
    status = status == STATUS_FAILED ? status
             : schema != NULL        ? check_key(schema, plan, ERROR_FOLLOW, error)
                                     : STATUS_OK;
    arena_destroy(arena);
    return status;
}

/* A value that no record has in that column, as an expression. NULL: none is known. */
static const char *aside_of(const struct postgres_apply *apply, const struct apply_facts *facts,
                            const char *table, uint32_t column)
{
    enum {
        OID_INT8 = 20,
        OID_INT2 = 21,
        OID_INT4 = 23,
        OID_TEXT = 25,
        OID_VARCHAR = 1043,
        OID_NUMERIC = 1700,
        OID_UUID = 2950,
        UUIDS_SINCE = 130000
    };
    const struct postgres_column *facts_of = &facts->table.columns[column];
    struct buffer sql = {0};
    if (!facts_of->not_null) {
        return "NULL";
    }
    switch (facts_of->type_oid) {
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
    case OID_NUMERIC:
        postgres_append(&sql, "(SELECT least(pg_catalog.min(%n), 0) - 1 FROM %t)", facts_of->name,
                        &apply->self->sql, table);
        break;
    case OID_TEXT:
    case OID_VARCHAR: /* the modifier of a limit is greater by 4 */
        buffer_format(&sql,
                      "pg_catalog.left(pg_catalog.md5(pg_catalog.random()::text || "
                      "pg_catalog.clock_timestamp()::text), %d)",
                      facts_of->modifier > 4 ? facts_of->modifier - 4 : 32);
        break;
    case OID_UUID:
        buffer_append_string(
            &sql, apply->self->server_version >= UUIDS_SINCE ? "pg_catalog.gen_random_uuid()" : "");
        break;
    default:
        break;
    }
    const char *text = sql.length > 0 ? sql_text(apply->head.arena, &sql) : NULL;
    return text;
}

static bool is_unique(const struct apply_facts *facts, const char *name)
{
    const struct schema_table *schema = facts->table.schema;
    bool found = false;
    for (uint32_t i = 0; i < schema->index_count && !found; i++) {
        const struct column_list columns = schema->indexes[i].columns;
        for (uint32_t k = 0; schema->indexes[i].unique && k < columns.count && !found; k++) {
            found = columns.names[k] != NULL && strcmp(columns.names[k], name) == 0;
        }
    }
    return found;
}

static enum status postgres_apply_describe(struct apply *head, struct sql_apply_table *table,
                                           struct error *error)
{
    struct postgres_apply *apply = own(head);
    struct apply_facts *found = arena_allocate_zeroed(head->arena, 1, sizeof *found);
    struct postgres_table *facts = &found->table;
    PGconn *connection = NULL;
    struct sql_apply_refused ignored = {.arena = apply->scratch};
    enum status status = postgres_batch_flush(apply, &ignored, error);
    status = status == STATUS_FAILED ? status : postgres_pipeline_leave(apply, error);
    if (status != STATUS_OK) {
        return status;
    }
    /* after a refusal nobody can ask anything there */
    bool aborted = PQtransactionStatus(apply->connection) == PQTRANS_INERROR;
    status = aborted ? postgres_connect(apply->self, &connection, error) : STATUS_OK;
    status = status == STATUS_OK
                 ? postgres_target_describe(apply->self, aborted ? connection : apply->connection,
                                            table->plan->name, head->arena, facts, error)
                 : status;
    status = status == STATUS_OK ? check_key(facts->schema, table->plan, ERROR_TARGET_SCHEMA, error)
                                 : status;
    status = status == STATUS_OK
                 ? describe_arrays(apply, aborted ? connection : apply->connection, found, error)
                 : status;
    postgres_disconnect(connection);
    if (status != STATUS_OK) {
        return status;
    }
    uint32_t count = facts->schema->column_count;
    struct sql_apply_column *columns =
        arena_allocate_zeroed(head->arena, (size_t)count + 1, sizeof *columns);
    for (uint32_t i = 0; i < count; i++) {
        columns[i] = (struct sql_apply_column){.name = facts->columns[i].name,
                                               .made = facts->columns[i].generated,
                                               .fixed = facts->columns[i].always_identity};
        if (is_unique(found, facts->columns[i].name)) {
            columns[i].aside = aside_of(apply, found, table->plan->name, i);
        }
    }
    table->name = table->plan->name;
    table->columns = columns;
    table->column_count = count;
    table->row_name = facts->kind == 'p' || facts->has_children ? "tableoid, ctid" : "ctid";
    table->facts = found;
    found->plan = table->plan;
    found->next = apply->known;
    apply->known = found;
    return STATUS_OK;
}

static void append_parameter(const struct sql_apply_table *table, uint32_t column, uint32_t number,
                             struct buffer *sql)
{
    (void)table;
    (void)column;
    buffer_format(sql, "$%u", number + 1);
}

/* Texts are compared, since types without an equality have them, too, and since 1.0 and 1.00 are
 * not the same. Where a value has one text only, an index may find it. */
static void append_is(const struct sql_apply_table *table, uint32_t column, const char *name,
                      uint32_t number, struct buffer *sql)
{
    const struct apply_facts *facts = table->facts;
    const char *type = facts->arrays[column].exact;
    const struct postgres_words text = postgres_cast_to_text(&facts->table.columns[column]);
    switch (facts->table.columns[column].type.format) {
    case POSTGRES_AS_BOOL:
    case POSTGRES_AS_INT2:
    case POSTGRES_AS_INT4:
    case POSTGRES_AS_INT8:
    case POSTGRES_AS_UUID:
    case POSTGRES_AS_DATE:
        buffer_format(sql, "(%s", name);
        postgres_append_operator(sql, &facts->table.columns[column], "=");
        buffer_format(sql, "$%u", number + 1);
        if (!facts->table.columns[column].not_null) {
            buffer_format(sql, " OR %s IS NULL AND $%u IS NULL", name, number + 1);
        }
        buffer_append_byte(sql, ')');
        return;
    default:
        buffer_format(sql,
                      "%s%s%s COLLATE pg_catalog.\"C\" IS NOT DISTINCT FROM "
                      "%s($%u::%s)%s COLLATE pg_catalog.\"C\"",
                      text.before, name, text.behind, type != NULL ? text.before : "", number + 1,
                      type != NULL ? type : "pg_catalog.text", type != NULL ? text.behind : "");
        return;
    }
}

static void append_equal(const struct sql_apply_table *table, uint32_t column, const char *name,
                         uint32_t number, struct buffer *sql)
{
    const struct apply_facts *facts = table->facts;
    buffer_format(sql, "%s%s", name, postgres_labels(&facts->table.columns[column]));
    postgres_append_operator(sql, &facts->table.columns[column], "=");
    buffer_format(sql, "$%u", number + 1);
}

static enum status compared(struct apply *head, const struct target_table *table, const char *name,
                            struct sql_compared *compared, struct error *error)
{
    struct postgres_apply *apply = own(head);
    struct apply_facts *facts = apply->known;
    while (facts != NULL && facts->plan != table) {
        facts = facts->next;
    }
    struct sql_apply_table found = {.plan = table, .facts = facts};
    enum status status = facts != NULL ? STATUS_OK : postgres_apply_describe(head, &found, error);
    if (status == STATUS_END) {
        return error_set(error, ERROR_TARGET_SCHEMA, table->name, "the table is not in the target");
    }
    if (status == STATUS_OK) {
        facts = (struct apply_facts *)(uintptr_t)found.facts;
        postgres_compared(&facts->table, name, compared);
    }
    return status;
}

static void append_same(const struct sql_apply_table *table, uint32_t column, const char *left,
                        const char *right, struct buffer *sql)
{
    const struct apply_facts *facts = table->facts;
    const struct postgres_words text = postgres_cast_to_text(&facts->table.columns[column]);
    buffer_format(sql,
                  "%s%s%s COLLATE pg_catalog.\"C\" IS NOT DISTINCT FROM "
                  "%s%s%s COLLATE pg_catalog.\"C\"",
                  text.before, left, text.behind, text.before, right, text.behind);
}

static enum status make_prepared(struct sql_apply_statement *statement, struct error *error)
{
    const struct apply_facts *facts = statement->table->facts;
    struct apply_prepared *prepared = arena_allocate_zeroed(statement->arena, 1, sizeof *prepared);
    if (statement->parameter_count > APPLY_PARAMETERS_MAX) {
        return error_set(error, ERROR_TARGET_SCHEMA, statement->table->name, "too many columns");
    }
    prepared->columns = arena_allocate_zeroed(
        statement->arena, (size_t)statement->parameter_count + 1, sizeof(const void *));
    for (uint32_t i = 0; i < statement->parameter_count; i++) {
        prepared->columns[i] = &facts->table.columns[statement->parameters[i].column];
    }
    statement->prepared = prepared;
    return STATUS_OK;
}

/* They go before the next transaction begins. */
static void postgres_apply_forget(struct apply *head, struct sql_apply_statement *statement)
{
    struct postgres_apply *apply = own(head);
    struct apply_prepared *prepared = statement->prepared;
    struct sql_apply_refused refused = {.arena = apply->scratch};
    struct error ignored;
    if (apply->open_count > 0) {
        (void)!postgres_batch_flush(apply, &refused, &ignored); /* it may be in one of them */
    }
    if (apply->made_count > 0) {
        (void)!postgres_pipeline_leave(apply, &ignored);
    }
    postgres_batch_free(apply, prepared);
    if (prepared->named.state == APPLY_NAMED_THERE) {
        buffer_format(&apply->dropped, "DEALLOCATE %s; ", prepared->named.name);
    }
}

static enum status postgres_apply_run(struct apply *head, struct sql_apply_statement *statement,
                                      const struct record_change *change,
                                      struct sql_apply_refused *refused, struct error *error)
{
    struct postgres_apply *apply = own(head);
    if (statement->prepared == NULL && make_prepared(statement, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    enum status status = postgres_batch_add(apply, statement, change, refused, error);
    return status == STATUS_END ? postgres_apply_one(apply, statement, change, refused, error)
                                : status;
}

static enum status check_constraints(struct postgres_apply *apply, struct error *error)
{
    static const char *const statements[] = {"SET CONSTRAINTS ALL IMMEDIATE",
                                             "SET CONSTRAINTS ALL DEFERRED"};
    enum status status = apply->defers ? postgres_pipeline_enter(apply, error) : STATUS_OK;
    for (int i = 0; i < 2 && apply->defers && status == STATUS_OK; i++) {
        status = postgres_pipeline_sent(
            apply,
            PQsendQueryParams(apply->connection, statements[i], 0, NULL, NULL, NULL, NULL, 0),
            error);
    }
    return status;
}

static enum status postgres_apply_settle(struct apply *head, struct sql_apply_refused *refused,
                                         struct error *error)
{
    struct postgres_apply *apply = own(head);
    enum status status = postgres_batch_flush(apply, refused, error);
    status = status == STATUS_OK ? check_constraints(apply, error) : status;
    status = status == STATUS_OK ? postgres_pipeline_leave(apply, error) : status;
    if (status != STATUS_OK || !apply->failed) {
        return status;
    }
    apply->failed = false;
    if (apply->code == ERROR_NONE) {
        error_copy(error, &apply->failure);
        return STATUS_FAILED;
    }
    refused->code = apply->code;
    refused->reason = arena_copy_string(refused->arena, apply->failure.message);
    return STATUS_AGAIN;
}

/* ---------------------------------------------------------------- transactions */

static enum status postgres_apply_execute(struct postgres_apply *apply, const char *sql,
                                          struct error *error)
{
    return postgres_execute(apply->self, apply->connection, sql, SQL_LONG, ERROR_TARGET_WRITE,
                            error);
}

/* A session with an origin gives the moment of its first commit to all others, unless it is told.
 */
static const char set_moment[] =
    "; SELECT pg_catalog.pg_replication_origin_xact_setup('0/0', pg_catalog.clock_timestamp())";

static enum status postgres_apply_begin(struct apply *head, struct error *error)
{
    struct postgres_apply *apply = own(head);
    struct buffer sql = {0};
    buffer_append_buffer(&sql, &apply->dropped);
    buffer_clear(&apply->dropped);
    if (clock_monotonic_ms() - apply->planned_ms >= PLANS_KEPT_MS) {
        apply->planned_ms = clock_monotonic_ms(); /* tables grow */
        buffer_append_string(&sql, "DISCARD PLANS; ");
    }
    buffer_format(&sql, "BEGIN%s%s", apply->defers ? "; SET CONSTRAINTS ALL DEFERRED" : "",
                  apply->marked ? set_moment : "");
    apply->failed = false;
    return postgres_execute_buffer(apply->self, apply->connection, &sql, SQL_SHORT,
                                   ERROR_TARGET_WRITE, error);
}

static enum status postgres_apply_end(struct apply *head, bool commit, struct error *error)
{
    struct postgres_apply *apply = own(head);
    postgres_batch_clear(apply);
    enum status status = postgres_pipeline_leave(apply, error);
    apply->failed = false;
    if (commit) {
        apply->singly = false;
        status = status == STATUS_OK ? postgres_check_claim(apply->self, apply->connection, error)
                                     : status;
        return status == STATUS_OK ? postgres_end(apply->self, apply->connection, STATUS_OK, error)
                                   : status;
    }
    return status == STATUS_OK && PQtransactionStatus(apply->connection) != PQTRANS_IDLE
               ? postgres_apply_execute(apply, "ROLLBACK", error)
               : status;
}

static enum status savepoint(struct apply *head, enum sql_apply_savepoint act, struct error *error)
{
    static const char *const statements[] = {
        [SQL_APPLY_SET] = "SAVEPOINT transhume_change",
        [SQL_APPLY_BACK] = "ROLLBACK TO transhume_change; RELEASE transhume_change",
        [SQL_APPLY_RELEASE] = "RELEASE transhume_change",
    };
    struct postgres_apply *apply = own(head);
    postgres_batch_clear(apply);
    enum status status = postgres_pipeline_leave(apply, error);
    apply->failed = false;
    return status == STATUS_OK ? postgres_apply_execute(apply, statements[act], error) : status;
}

static enum status postgres_apply_ask(struct apply *head, const char *sql,
                                      const struct store_value *parameter, sql_store_row *row,
                                      void *context, uint64_t *changed, struct error *error)
{
    struct postgres_apply *apply = own(head);
    return postgres_pipeline_leave(apply, error) == STATUS_OK
               ? postgres_store_run(apply->self, apply->connection, sql, parameter, row, context,
                                    changed, error)
               : STATUS_FAILED;
}

static const struct sql_apply_dialect dialect = {
    .insert = "INSERT INTO ",
    .between = " OVERRIDING SYSTEM VALUE VALUES ",
    .bytes_before = "'\\x",
    .hex_before = "pg_catalog.encode(",
    .hex_behind = ", 'hex')",
    .update = "UPDATE ",
    .quotes_numbers = true,
    .describe = postgres_apply_describe,
    .append_parameter = append_parameter,
    .append_equal = append_equal,
    .compared = compared,
    .append_is = append_is,
    .append_same = append_same,
    .no_key = "(SELECT NULL UNION ALL SELECT NULL)",
    .begin = postgres_apply_begin,
    .end = postgres_apply_end,
    .savepoint = savepoint,
    .run = postgres_apply_run,
    .settle = postgres_apply_settle,
    .ask = postgres_apply_ask,
    .forget = postgres_apply_forget,
};

/* ---------------------------------------------------------------- handles */

/* So that a feed of this database can leave out what was applied to it. Who may not say so applies
 * all the same. */
static void mark_origin(struct postgres_apply *apply, const struct apply_request *request)
{
    struct buffer sql = {0};
    struct error problem = {0};
    char name[96];
    snprintf(name, sizeof name, "transhume_%.64s_%u", request->feed, request->lane);
    postgres_append_path_closed(&sql);
    postgres_append(&sql,
                    "DO 'BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_replication_origin WHERE "
                    "roname = ''%s'') THEN PERFORM pg_catalog.pg_replication_origin_create("
                    "''%s''); END IF; PERFORM pg_catalog.pg_replication_origin_session_setup("
                    "''%s''); PERFORM pg_catalog.pg_replication_origin_xact_setup(''0/0'', "
                    "pg_catalog.now()); END'",
                    name, name, name);
    postgres_append_path_opened(&sql);
    apply->marked = postgres_execute_buffer(apply->self, apply->connection, &sql, SQL_SHORT,
                                            ERROR_TARGET_WRITE, &problem) == STATUS_OK;
    if (!apply->marked) {
        log_write(LOG_DEBUG, "%s: changes are applied without a mark of their origin: %s",
                  apply->self->sql.shown, problem.message);
    }
}

/* Where the role may not, what would fire was disabled before (quiet.c). */
static enum status silence(struct postgres_apply *apply, struct error *error)
{
    bool may = false;
    enum status status = postgres_may_silence(apply->self, apply->connection, &may, error);
    return status == STATUS_OK && may
               ? postgres_apply_execute(apply, "SET session_replication_role = replica", error)
               : status;
}

/* A plan that was made when a table was empty must not read all of it later. */
static enum status set_up(struct postgres_apply *apply, const struct apply_request *request,
                          struct error *error)
{
    struct postgres_database *self = apply->self;
    PGresult *result = NULL;
    if (postgres_join(self, &apply->connection, error) != STATUS_OK ||
        postgres_apply_execute(
            apply,
            "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; "
            "SET plan_cache_mode = force_generic_plan; SET transhume.applies = 'on'",
            error) != STATUS_OK ||
        (self->sql.base.triggers_off && silence(apply, error) != STATUS_OK) ||
        postgres_catalog_query(
            self, apply->connection,
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint WHERE condeferrable)"
            " AND s.role <> 'replica', s.role = 'replica', s.role <> 'replica' AND "
            "EXISTS (SELECT 1 FROM pg_catalog.pg_constraint WHERE contype = 'f' AND "
            "(confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'))) FROM "
            "(SELECT pg_catalog.current_setting('session_replication_role') AS role) s",
            NULL, 0, SQL_SHORT, ERROR_TARGET_INVALID, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    apply->defers = PQgetvalue(result, 0, 0)[0] == 't';
    apply->silent = PQgetvalue(result, 0, 1)[0] == 't';
    apply->head.cascades = PQgetvalue(result, 0, 2)[0] == 't';
    PQclear(result);
    mark_origin(apply, request);
    return STATUS_OK;
}

static void apply_close(struct apply *head)
{
    if (head != NULL) {
        struct postgres_apply *apply = own(head);
        sql_apply_free(head);
        postgres_disconnect(apply->connection);
        buffer_free(&apply->encoded);
        buffer_free(&apply->dropped);
        buffer_free(&apply->expected);
        buffer_free(&apply->key);
        arena_destroy(apply->scratch);
        free(apply);
    }
}

static enum status apply_open(struct database *database, const struct apply_request *request,
                              struct apply **out, struct error *error)
{
    struct postgres_apply *apply = memory_allocate_zeroed(1, sizeof *apply);
    apply->head.dialect = &dialect;
    apply->self = postgres_database_of(database);
    apply->scratch = arena_create(0);
    enum status status = set_up(apply, request, error);
    status = status == STATUS_OK ? sql_apply_open(&apply->head, database, request, error) : status;
    if (status != STATUS_OK) {
        apply_close(&apply->head);
        *out = NULL;
        return STATUS_FAILED;
    }
    *out = &apply->head;
    return STATUS_OK;
}

const struct apply_functions postgres_apply_functions = {
    .takes_whole_records = true,
    .tells_absent = true,
    .moves_records = true,
    .check = check_table,
    .foresee = postgres_quiet_foresee,
    .silence = postgres_quiet_silence,
    .restore = postgres_quiet_restore,
    .taken_out = postgres_quiet_taken_out,
    .may_write = postgres_may_write,
    .open = apply_open,
    .close = apply_close,
    .position = sql_apply_position,
    .apply_sets = sql_apply_sets,
    .list = sql_apply_list,
    .find = sql_apply_find,
};
