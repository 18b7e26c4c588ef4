/* Would a column take a value? The server is asked what it alone knows; nothing is written. */
#include "connectors/postgres/schema/create.h"
#include "connectors/sql/database.h"
#include "model/convert.h"
#include "model/decimal.h"
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

static bool is_plain_number(const struct postgres_column *column, const struct cell *cell,
                            struct arena *scratch)
{
    const struct value_type plain = {.kind = VALUE_DECIMAL};
    const struct value_type *type = &column->type.type;
    struct cell decimal;
    struct error ignored;
    int64_t digits = 0;
    int64_t exponent = 0;
    return (value_kind_is_number((enum value_kind)cell->kind)) &&
           convert_value(cell, &plain, false, scratch, &decimal, &ignored) == STATUS_OK &&
           decimal_special(&decimal) == 0 && decimal_measure(&decimal, &digits, &exponent) &&
           (digits == 0 || exponent + 1 < type->precision - type->scale);
}

/* Valid, without escapes that jsonb refuses, and without exponents beyond its numbers. */
static bool is_plain_json(const struct cell *cell, struct arena *scratch)
{
    struct cell ignored_value;
    struct error ignored;
    bool text = cell->kind == VALUE_TEXT || cell->kind == VALUE_JSON;
    if (!text || convert_read_json(cell->text, cell->length, scratch, &ignored_value, &ignored) !=
                     STATUS_OK) {
        return false;
    }
    for (size_t at = 0; at + 1 < cell->length; at++) {
        char byte = cell->text[at];
        char next = cell->text[at + 1];
        bool exponent = byte >= '0' && byte <= '9' && (next == 'e' || next == 'E');
        if (exponent || (byte == '\\' && next == 'u')) {
            return false;
        }
    }
    return true;
}

/* Values that the server takes for sure, so that it need not be asked of each one. */
static bool is_taken_for_sure(const struct postgres_column *column,
                              const struct schema_column *schema, const struct cell *cell,
                              struct arena *scratch)
{
    switch (schema->base == NULL ? column->type.format : POSTGRES_AS_CAST) {
    case POSTGRES_AS_NUMERIC:
        return is_plain_number(column, cell, scratch);
    case POSTGRES_AS_JSON:
    case POSTGRES_AS_JSONB:
        return is_plain_json(cell, scratch);
    default:
        return false;
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

/* "PostgreSQL says: numeric field overflow (A field …)" as the reject of a record has it:
 * "numeric field overflow: A field …". */
static enum status reject_as_writer(enum error_code code, const struct error *said,
                                    struct error *error)
{
    static const char says[] = "PostgreSQL says: ";
    bool named = strncmp(said->message, says, sizeof says - 1) == 0;
    const char *words = said->message + (named ? sizeof says - 1 : 0);
    size_t length = strlen(words);
    const char *detail = length > 0 && words[length - 1] == ')' ? strstr(words, " (A ") : NULL;
    return detail == NULL ? error_set(error, code, NULL, "%s", words)
                          : error_set(error, code, NULL, "%.*s: %.*s", (int)(detail - words), words,
                                      (int)(words + length - 1 - (detail + 2)), detail + 2);
}

/* An encoded value is NULL where JSON's null came into a column of another type. */
static bool is_null(const struct buffer *value)
{
    static const char null[] = {'\xff', '\xff', '\xff', '\xff'};
    return value->length == sizeof null && memcmp(value->data, null, sizeof null) == 0;
}

/* The encoded value, behind its length, as the one parameter of a question. */
static enum status trial_ask(struct postgres_database *self, const struct postgres_column *column,
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
        const struct error said = *error;
        status = reject_as_writer(code, &said, error);
    }
    PQclear(result);
    return status;
}

/* A text longer than so many characters of four bytes is cut off by no server. */
static enum status try_large(const struct postgres_column *column, const struct large_value *large,
                             struct error *error)
{
    enum { CHARACTER_BYTES_MAX = 4 };
    int32_t limit = column->type.type.precision;
    bool text = column->type.format == POSTGRES_AS_TEXT;
    if (postgres_check_large(column, large, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return text && limit > 0 && large->length > (uint64_t)limit * CHARACTER_BYTES_MAX
               ? error_set(error, ERROR_REJECT_TYPE, NULL, "value too long for type %s",
                           column->type.type.native)
               : STATUS_OK;
}

enum status postgres_try_value(struct sql_database *database, const struct sql_table *table,
                               uint32_t column, const struct cell *cell, struct arena *scratch,
                               struct error *error)
{
    struct postgres_database *self = (struct postgres_database *)database;
    const struct postgres_column *facts = &postgres_facts_of(table)->columns[column];
    const struct schema_column *schema = &table->schema->columns[column];
    struct buffer value = {0};
    struct cell whole;
    if (cell->kind == VALUE_LARGE) {
        bool looked = !is_the_servers(facts, schema) && facts->type.type.precision <= 0;
        enum status large = try_large(facts, cell->large, error);
        if (large != STATUS_OK || looked) {
            return large;
        }
        if (convert_read_large(cell, CONVERT_LARGE_BYTES_MAX, scratch, &whole, error) !=
            STATUS_OK) {
            bool known = error->class != ERROR_CLASS_REJECT;
            if (!known) { /* too large to be asked about */
                error_clear(error);
            }
            return known ? STATUS_FAILED : STATUS_OK;
        }
        cell = &whole;
    }
    enum status status = postgres_encode(facts, cell, scratch, &value, error);
    if (status == STATUS_OK && is_null(&value)) {
        status = STATUS_END;
    } else if (status == STATUS_OK && is_the_servers(facts, schema) &&
               !is_taken_for_sure(facts, schema, cell, scratch)) {
        status = trial_ask(self, facts, &value, error);
    }
    buffer_free(&value);
    return status;
}

/* ---------------------------------------------------------------- CHECKs */

/* "('things_size_check', (size > 0)), …": the CHECKs that hold, by their names as the server asks
 * them. */
struct sql_checks {
    const char *values;
};

enum status postgres_find_checks(struct sql_database *database, const struct sql_table *table,
                                 struct arena *arena, struct sql_checks **checks,
                                 struct error *error)
{
    static const char sql[] =
        "SELECT pg_catalog.string_agg(pg_catalog.format('(%L, (%s))', conname, "
        "pg_catalog.pg_get_expr(conbin, conrelid)), ', ' ORDER BY conname) "
        "FROM pg_catalog.pg_constraint WHERE conrelid = $1::pg_catalog.oid AND contype = 'c'";
    struct postgres_database *self = (struct postgres_database *)database;
    const struct postgres_table *facts = postgres_facts_of(table);
    char oid[16];
    const struct postgres_parameter parameter = {.text = oid};
    PGresult *result = NULL;
    if (facts->oid == 0) { /* it is to be made */
        return STATUS_END;
    }
    snprintf(oid, sizeof oid, "%u", facts->oid);
    if (postgres_catalog_query(self, self->control, sql, &parameter, 1, SQL_SHORT,
                               ERROR_TARGET_INVALID, &result, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool none = PQgetisnull(result, 0, 0) != 0;
    if (!none) {
        *checks = arena_allocate_zeroed(arena, 1, sizeof **checks);
        (*checks)->values = arena_copy_string(arena, PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    return none ? STATUS_END : STATUS_OK;
}

/* A record as a row of the table's types, and its values as the question's parameters. */
struct trial_row {
    struct buffer sql;
    struct buffer *values;
    struct postgres_parameter *parameters;
    int count;
};

static enum status append_column(struct trial_row *row, const struct postgres_column *column,
                                 const struct cell *cell, struct arena *scratch,
                                 struct error *error)
{
    enum { LENGTH_BYTES = 4 };
    struct buffer *value = &row->values[row->count];
    bool cast = column->type.format == POSTGRES_AS_CAST;
    struct cell whole;
    bool given = cell != NULL && cell->kind > VALUE_NULL;
    if (given && cell->kind == VALUE_LARGE) { /* one that can't be read whole is as good as NULL */
        struct error ignored;
        given = convert_read_large(cell, CONVERT_LARGE_BYTES_MAX, scratch, &whole, &ignored) ==
                STATUS_OK;
        cell = &whole;
    }
    if (given && postgres_encode(column, cell, scratch, value, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    buffer_append_string(&row->sql, row->sql.length > 0 ? ", " : "SELECT ");
    if (given && !is_null(value)) {
        buffer_append_byte(value, '\0');
        row->parameters[row->count++] =
            (struct postgres_parameter){.text = value->data + LENGTH_BYTES,
                                        .length = value->length - LENGTH_BYTES - 1,
                                        .binary = true};
        buffer_format(&row->sql, "$%d%s::%s", row->count, cast ? "::pg_catalog.text" : "",
                      column->type.type.native);
    } else {
        buffer_clear(value);
        buffer_format(&row->sql, "NULL::%s", column->type.type.native);
    }
    postgres_append(&row->sql, " AS %n", column->name);
    return STATUS_OK;
}

static enum status ask_checks(struct postgres_database *self, const char *table, const char *values,
                              struct trial_row *row, struct error *error)
{
    PGresult *result = NULL;
    enum status status = postgres_query_buffer(
        self, self->control,
        postgres_sql("SELECT _transhume_check FROM (%b) AS %n, LATERAL (VALUES %s) AS "
                     "_transhume(_transhume_check, _transhume_holds) WHERE NOT "
                     "_transhume_holds LIMIT 1",
                     &row->sql, table, values),
        row->parameters, row->count, SQL_SHORT, ERROR_TARGET_INVALID, &result, error);
    if (status != STATUS_OK && error->native_state[0] != '\0') {
        error_clear(error); /* what a CHECK calls may need the table itself */
        status = STATUS_OK;
    } else if (status == STATUS_OK && PQntuples(result) > 0) {
        status = error_set(error, ERROR_REJECT_CONSTRAINT, NULL,
                           "new row for relation \"%s\" violates check constraint \"%s\"", table,
                           PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    return status;
}

enum status postgres_try_checks(struct sql_database *database, const struct sql_table *table,
                                const struct sql_checks *checks, const struct shape *shape,
                                const struct cell *cells, struct arena *scratch,
                                struct error *error)
{
    struct postgres_database *self = (struct postgres_database *)database;
    const struct schema_table *schema = table->schema;
    const struct postgres_table *facts = postgres_facts_of(table);
    struct trial_row row = {0};
    enum status status = STATUS_OK;
    row.values = arena_allocate_zeroed(scratch, schema->column_count + 1u, sizeof *row.values);
    row.parameters =
        arena_allocate_zeroed(scratch, schema->column_count + 1u, sizeof *row.parameters);
    for (uint32_t i = 0; i < schema->column_count && status == STATUS_OK; i++) {
        int32_t at = -1;
        for (uint32_t k = 0; k < shape->field_count; k++) {
            at = strcmp(shape->fields[k].name, schema->columns[i].name) == 0 ? (int32_t)k : at;
        }
        status =
            append_column(&row, &facts->columns[i], at >= 0 ? &cells[at] : NULL, scratch, error);
    }
    status =
        status == STATUS_OK ? ask_checks(self, schema->name, checks->values, &row, error) : status;
    for (uint32_t i = 0; i < schema->column_count; i++) {
        buffer_free(&row.values[i]);
    }
    buffer_free(&row.sql);
    return status;
}

/* ---------------------------------------------------------------- tables that are to be made */

/* Is the type there already? Those of a same-engine copy may be made by the run. */
static enum status find_type(struct postgres_database *self, struct buffer *words, bool *found,
                             struct error *error)
{
    PGresult *result = NULL;
    const struct postgres_parameter parameter = {.text = buffer_string(words)};
    enum status status =
        postgres_catalog_query(self, self->control, "SELECT pg_catalog.to_regtype($1) IS NOT NULL",
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
