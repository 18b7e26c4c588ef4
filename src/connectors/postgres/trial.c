/* Would a column take a value? The server is asked what it alone knows; nothing is written. */
#include "connectors/postgres/create.h"
#include "connectors/sql/database.h"
#include <string.h>

enum {
    OID_CHAR = 18,
    OID_NAME = 19,
    OID_TEXT = 25,
    OID_MONEY = 790,
    OID_CHARS = 1002,
    OID_NAMES = 1003,
    OID_BPCHAR = 1042,
    OID_VARCHAR = 1043,
    OID_BIT = 1560,
    OID_BITS = 1562 /* of x1f they make eight */
};

void postgres_append_unfit(struct buffer *sql, const struct postgres_column *column,
                           const char *text)
{
    const char *native = column->type.type.native;
    if (column->type_oid == OID_CHAR || column->type_oid == OID_BIT ||
        column->type_oid == OID_BITS) {
        buffer_format(sql, "%s::%s::text IS DISTINCT FROM %s", text, native, text);
    } else if (column->unlimited != NULL) {
        buffer_format(sql, "%s::%s IS DISTINCT FROM %s::%s", text, native, text, column->unlimited);
    } else if (column->type_oid == OID_CHARS || column->type_oid == OID_NAMES) {
        buffer_format(sql, "%s::%s::text[] IS DISTINCT FROM %s::text[]", text, native, text);
    } else if (column->type_oid == OID_MONEY) {
        buffer_format(sql,
                      "CASE WHEN %s ~ '^-?[0-9]+([.][0-9]+)?$' THEN %s::%s::numeric <> %s::numeric "
                      "ELSE %s::%s::text IS DISTINCT FROM %s END",
                      text, text, native, text, text, native, text);
    }
}

/* Has the encoder not looked at all that the column's type demands? */
static bool is_the_servers(const struct postgres_column *column, const struct schema_column *schema)
{
    bool plain_text = column->type_oid == OID_TEXT || column->type_oid == OID_VARCHAR ||
                      column->type_oid == OID_BPCHAR || column->type_oid == OID_NAME;
    switch (column->type.format) {
    case POSTGRES_AS_CAST:
    case POSTGRES_AS_JSON:
    case POSTGRES_AS_JSONB:
        return true;
    case POSTGRES_AS_NUMERIC:
        return column->type.type.precision > 0 || schema->base != NULL;
    case POSTGRES_AS_TEXT:
        return !plain_text || schema->base != NULL;
    default:
        return schema->base != NULL;
    }
}

static void make_question(const struct postgres_column *column, struct buffer *sql)
{
    struct buffer unfit = {0};
    bool cast = column->type.format == POSTGRES_AS_CAST;
    if (cast) {
        postgres_append_unfit(&unfit, column, "$1::pg_catalog.text");
    }
    buffer_format(sql, "SELECT %s::%s IS NULL, %s", cast ? "$1::pg_catalog.text" : "$1",
                  column->type.type.native, unfit.length > 0 ? buffer_string(&unfit) : "false");
    buffer_free(&unfit);
}

/* The encoded value, behind its length, as the one parameter of a question. */
static enum status ask(struct postgres_database *self, const struct postgres_column *column,
                       const struct buffer *value, struct error *error)
{
    enum { LENGTH_BYTES = 4 };
    const struct postgres_parameter parameter = {
        .text = value->data + LENGTH_BYTES, .length = value->length - LENGTH_BYTES, .binary = true};
    struct buffer sql = {0};
    PGresult *result = NULL;
    enum error_code code = ERROR_REJECT_TYPE;
    make_question(column, &sql);
    enum status status = postgres_query_buffer(self, self->control, &sql, &parameter, 1, SQL_SHORT,
                                               ERROR_TARGET_INVALID, &result, error);
    if (status == STATUS_OK && PQgetvalue(result, 0, 1)[0] == 't') {
        status = error_set(error, ERROR_REJECT_TYPE, column->name,
                           "the value does not fit %s exactly", column->type.type.native);
    } else if (status == STATUS_FAILED &&
               (postgres_is_state_of_record(error->native_state, &code) ||
                (error->native_state[0] == '4' &&
                 strcmp(error->native_state, "42501") != 0))) { /* a privilege that is missing */
        static const char says[] = "PostgreSQL says: "; /* as the reject of a COPY leaves out */
        struct error said = *error;
        bool named = strncmp(said.message, says, sizeof says - 1) == 0;
        status =
            error_set(error, code, NULL, "%s", said.message + (named ? sizeof says - 1 : 0));
    }
    PQclear(result);
    return status;
}

enum status postgres_try_value(struct sql_database *database, const struct sql_table *table,
                               uint32_t column, const struct cell *cell, struct arena *scratch,
                               struct error *error)
{
    struct postgres_database *self = (struct postgres_database *)database;
    const struct postgres_column *facts = &postgres_facts_of(table)->columns[column];
    struct buffer value = {0};
    enum status status = postgres_encode(facts, cell, scratch, &value, error);
    if (status == STATUS_OK && is_the_servers(facts, &table->schema->columns[column])) {
        status = ask(self, facts, &value, error);
    }
    buffer_free(&value);
    return status;
}

/* ---------------------------------------------------------------- tables that are to be made */

/* Is the type there already? Those of a same-engine copy may be made by the run. */
static enum status find_type(struct postgres_database *self, struct buffer *words,
                             bool *found, struct error *error)
{
    PGresult *result = NULL;
    const struct postgres_parameter parameter = {.text = buffer_string(words)};
    enum status status =
        postgres_query(self, self->control, "SELECT pg_catalog.to_regtype($1) IS NOT NULL",
                       &parameter, 1, SQL_SHORT, ERROR_TARGET_INVALID, &result, error);
    *found = status == STATUS_OK && PQgetvalue(result, 0, 0)[0] == 't';
    PQclear(result);
    return status;
}

static enum status append_null_column(struct postgres_database *self,
                                      const struct target_table *table,
                                      const struct schema_column *column, struct buffer *sql,
                                      struct error *error)
{
    struct buffer words = {0};
    bool found = true;
    postgres_append_type(&words, &column->type);
    enum status status = table->same_engine != NULL || column->type.native != NULL
                             ? find_type(self, &words, &found, error)
                             : STATUS_OK;
    if (status == STATUS_OK && found) {
        postgres_append(sql, "%s NULL::%b AS %n", sql->length > 0 ? "," : "SELECT", &words,
                        column->name);
    }
    buffer_free(&words);
    return status;
}

enum status postgres_imagine(struct sql_database *database, const struct target_table *table,
                             struct arena *arena, struct sql_table *made, struct error *error)
{
    struct postgres_database *self = (struct postgres_database *)database;
    struct schema_table *schema = arena_allocate_zeroed(arena, 1, sizeof *schema);
    struct postgres_table *facts = arena_allocate_zeroed(arena, 1, sizeof *facts);
    struct postgres_column *columns = NULL;
    struct buffer sql = {0};
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < table->column_count && status == STATUS_OK; i++) {
        if (table->columns[i].generated == GENERATED_NO) {
            status = append_null_column(self, table, &table->columns[i], &sql, error);
        }
    }
    if (status == STATUS_OK && sql.length == 0) {
        status = STATUS_END;
    }
    if (status == STATUS_OK) {
        status = postgres_describe_query(self, self->control, buffer_string(&sql), arena, schema,
                                         &columns, error);
    }
    buffer_free(&sql);
    if (status != STATUS_OK) {
        return status;
    }
    struct schema_column *described = (struct schema_column *)(uintptr_t)schema->columns;
    for (uint32_t i = 0; i < schema->column_count; i++) {
        for (uint32_t k = 0; k < table->column_count; k++) {
            const struct schema_column *column = &table->columns[k];
            if (strcmp(column->name, described[i].name) == 0) {
                described[i].not_null = column->not_null;
                described[i].default_text = column->default_text;
                described[i].identity = column->identity;
            }
        }
    }
    *facts = (struct postgres_table){
        .schema = schema, .columns = columns, .kind = 'r', .row_estimate = -1};
    *made = postgres_table_of(facts);
    return STATUS_OK;
}
