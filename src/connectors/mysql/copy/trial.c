/* Would a column take a value? By the server's own limits, which a writer leaves to it. */
#include "connectors/mysql/target.h"
#include "model/convert.h"
#include "model/decimal.h"
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

enum { YEAR_FIRST = 1901, YEAR_LAST = 2155, BITS_MAX = 64 };

static bool begins(const char *native, const char *word)
{
    return native != NULL && strncasecmp(native, word, strlen(word)) == 0;
}

static enum status out_of_range(const struct mysql_column *column, struct error *error)
{
    return error_set(error, ERROR_REJECT_NUMBER, column->name, "the value is out of range for %s",
                     column->type.type.native);
}

/* The greatest whole number of the column's width. */
static uint64_t greatest_of(const struct mysql_column *column)
{
    const char *native = column->type.type.native;
    int64_t number[2];
    int64_t bits = column->type.type.bits > 0               ? column->type.type.bits - 1
                   : column->type.type.kind == VALUE_UINT64 ? BITS_MAX
                                                            : BITS_MAX - 1;
    if (begins(native, "bit")) {
        bits = mysql_type_numbers(native, number) > 0 ? number[0] : 1;
    }
    return bits >= BITS_MAX ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

static bool is_within_width(const struct mysql_column *column, const struct cell *cell)
{
    uint64_t greatest = greatest_of(column);
    const char *native = column->type.type.native;
    bool without_sign = column->type.type.kind == VALUE_UINT64 ||
                        (native != NULL && strcasestr(native, "unsigned") != NULL);
    if (column->type.format == MYSQL_AS_YEAR) {
        return cell->i64 == 0 || (cell->i64 >= YEAR_FIRST && cell->i64 <= YEAR_LAST);
    }
    if (cell->kind == VALUE_UINT64 || cell->i64 >= 0) {
        return cell->u64 <= greatest;
    }
    return !without_sign && cell->i64 >= -(int64_t)greatest - 1;
}

/* Numbers with a fraction: what stands below zero is refused where the column has no sign. */
static bool is_negative(const struct cell *number)
{
    struct buffer text = {0};
    bool negative;
    if (number->kind == VALUE_FLOAT32 || number->kind == VALUE_FLOAT64) {
        return number->f64 < 0;
    }
    decimal_append(number, &text);
    negative = text.length > 0 && text.data[0] == '-';
    buffer_free(&text);
    return negative;
}

static bool is_unsigned(const struct mysql_column *column)
{
    const char *native = column->type.type.native;
    return native != NULL && strcasestr(native, "unsigned") != NULL;
}

static bool is_within_digits(const struct value_type *type, const struct cell *decimal)
{
    int64_t digits = 0;
    int64_t exponent = 0;
    return !decimal_measure(decimal, &digits, &exponent) || digits == 0 ||
           exponent < type->precision - type->scale;
}

/* From the second after 1970 began to the end of what 32 bits count; TIMESTAMP is in UTC here. */
static bool is_within_timestamp(const struct mysql_database *self, const struct cell *cell)
{
    enum { LONGER_SINCE = 110500 };
    const int64_t second_us = 1000000;
    bool longer = self->mariadb && self->version >= LONGER_SINCE;
    int64_t end = (longer ? INT64_C(1) << 32 : INT64_C(1) << 31) * second_us;
    return (cell->flags & CELL_SPECIAL) != 0 || (cell->i64 >= second_us && cell->i64 < end);
}

static bool is_address(const char *native, const struct cell *text)
{
    char address[INET6_ADDRSTRLEN + 1];
    uint8_t bytes[16];
    if (text->length >= sizeof address) {
        return false;
    }
    memcpy(address, text->text, text->length);
    address[text->length] = '\0';
    return strlen(address) == text->length &&
           inet_pton(begins(native, "inet6") ? AF_INET6 : AF_INET, address, bytes) == 1;
}

static enum status check_number(const struct mysql_column *column, const struct cell *cell,
                                struct arena *scratch, struct error *error)
{
    const struct value_type *type = &column->type.type;
    const struct value_type plain = {.kind = VALUE_DECIMAL};
    struct cell decimal;
    if (type->kind == VALUE_INT64 || type->kind == VALUE_UINT64) {
        return is_within_width(column, cell) ? STATUS_OK : out_of_range(column, error);
    }
    bool is_real = cell->kind == VALUE_FLOAT32 || cell->kind == VALUE_FLOAT64;
    if (is_unsigned(column) && (is_real || cell->kind == VALUE_DECIMAL) && is_negative(cell)) {
        return out_of_range(column, error);
    }
    if (type->kind != VALUE_DECIMAL) {
        return STATUS_OK;
    }
    return convert_value(cell, &plain, false, scratch, &decimal, error) == STATUS_OK &&
                   is_within_digits(type, &decimal)
               ? STATUS_OK
               : out_of_range(column, error);
}

static enum status check_text(const struct mysql_column *column, const struct cell *cell,
                              struct error *error)
{
    const char *native = column->type.type.native;
    return !begins(native, "inet") || (cell->kind == VALUE_TEXT && is_address(native, cell))
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_TYPE, column->name, "the value is no address of %s",
                           native);
}

static enum status try_large(const struct mysql_column *column, const struct large_value *large,
                             struct error *error)
{
    enum { CHARACTER_BYTES_MAX = 4 };
    uint64_t limit = column->type.type.precision > 0 ? (uint64_t)column->type.type.precision : 0;
    uint64_t most = large->kind == VALUE_BYTES ? limit : limit * CHARACTER_BYTES_MAX;
    if (mysql_check_large(column, large, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return limit > 0 && large->length > most
               ? error_set(error, ERROR_REJECT_TOO_LARGE, NULL,
                           "Data too long for column '%s' at row 1", column->name)
               : STATUS_OK;
}

enum status mysql_try_value(struct sql_database *database, const struct sql_table *table,
                            uint32_t column, const struct cell *cell, struct arena *scratch,
                            struct error *error)
{
    const struct mysql_column *facts = &mysql_facts_of(table)->columns[column];
    struct buffer out = {0};
    struct cell made;
    if (cell->kind == VALUE_LARGE) {
        return try_large(facts, cell->large, error);
    }
    enum status status = mysql_encode(facts, cell, MYSQL_IN_STATEMENT, scratch, &out, error);
    buffer_free(&out);
    if (status != STATUS_OK || cell->kind == VALUE_ESCAPE) {
        return status;
    }
    if (facts->type.type.kind == VALUE_TEXT) {
        return check_text(facts, cell, error);
    }
    if (mysql_of_column(facts, cell, scratch, &made, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (made.kind == VALUE_NULL) { /* JSON's null; the encoder has looked whether it may be one */
        return STATUS_OK;
    }
    if (facts->type.format == MYSQL_AS_TIMESTAMP) {
        return is_within_timestamp((const struct mysql_database *)database, &made)
                   ? STATUS_OK
                   : error_set(error, ERROR_REJECT_TYPE, facts->name,
                               "the time is outside the years that TIMESTAMP holds");
    }
    return value_kind_is_number((enum value_kind)made.kind)
               ? check_number(facts, &made, scratch, error)
               : STATUS_OK;
}

/* ---------------------------------------------------------------- CHECKs */

struct sql_checks {
    const char *const *texts;
    uint32_t count;
};

enum status mysql_find_checks(struct sql_database *database, const struct sql_table *table,
                              struct arena *arena, struct sql_checks **checks, struct error *error)
{
    (void)database;
    (void)error;
    if (table->schema->check_count == 0) {
        return STATUS_END;
    }
    *checks = arena_allocate_zeroed(arena, 1, sizeof **checks);
    **checks = (struct sql_checks){table->schema->checks, table->schema->check_count};
    return STATUS_OK;
}

/* "(SELECT 7 AS `at`, NULL AS `size`) AS `things`": the record as a row. */
static enum status append_row(const struct sql_table *table, const struct shape *shape,
                              const struct cell *cells, struct arena *scratch, struct buffer *sql,
                              struct error *error)
{
    const struct schema_table *schema = table->schema;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < schema->column_count && status == STATUS_OK; i++) {
        const struct mysql_column *column = &mysql_facts_of(table)->columns[i];
        int32_t at = -1;
        for (uint32_t k = 0; k < shape->field_count; k++) {
            bool same = strcasecmp(shape->fields[k].name, column->name) == 0;
            at = same ? (int32_t)k : at;
        }
        bool given = at >= 0 && cells[at].kind > VALUE_NULL;
        struct cell whole = given ? cells[at] : cell_null();
        struct error ignored; /* one that can't be read whole is as good as NULL */
        given = given && (whole.kind != VALUE_LARGE ||
                          convert_read_large(&cells[at], CONVERT_LARGE_BYTES_MAX, scratch, &whole,
                                             &ignored) == STATUS_OK);
        buffer_append_string(sql, i == 0 ? "(SELECT " : ", ");
        if (given) {
            status = mysql_encode(column, &whole, MYSQL_IN_STATEMENT, scratch, sql, error);
        } else {
            buffer_append_string(sql, "NULL");
        }
        mysql_append(sql, " AS %n", column->name);
    }
    mysql_append(sql, ") AS %n", schema->name);
    return status;
}

enum status mysql_try_checks(struct sql_database *database, const struct sql_table *table,
                             const struct sql_checks *checks, const struct shape *shape,
                             const struct cell *cells, struct arena *scratch, struct error *error)
{
    struct mysql_database *self = (struct mysql_database *)database;
    struct buffer sql = {0};
    struct error unknown = {0};
    int64_t broken = 0;
    buffer_append_string(&sql, "SELECT CASE");
    for (uint32_t i = 0; i < checks->count; i++) {
        buffer_format(&sql, " WHEN NOT (%s) THEN %u", checks->texts[i], i + 1);
    }
    buffer_append_string(&sql, " ELSE 0 END FROM ");
    if (append_row(table, shape, cells, scratch, &sql, error) != STATUS_OK) {
        buffer_free(&sql);
        return STATUS_FAILED;
    }
    /* what can't be asked without the table is not known before */
    if (mysql_ask_number(self, self->control, &sql, SQL_SHORT, ERROR_TARGET_INVALID, 0, &broken,
                         &unknown) != STATUS_OK) {
        return unknown.native_code != 0 ? STATUS_OK : error_copy(error, &unknown);
    }
    return broken == 0
               ? STATUS_OK
               : error_set(error, ERROR_REJECT_CONSTRAINT, NULL,
                           "a CHECK of the table refuses it: %s", checks->texts[broken - 1]);
}

/* ---------------------------------------------------------------- tables that are to be made */

/* The column as CREATE TABLE declares it: information_schema would tell its type in these words. */
static struct mysql_column imagine_column(const struct mysql_database *self,
                                          const struct schema_column *column, const char *declared,
                                          struct arena *arena)
{
    const char *charset = strstr(declared, " CHARACTER SET ");
    size_t whole = charset != NULL ? (size_t)(charset - declared) : strlen(declared);
    const char *words = arena_copy(arena, declared, whole);
    size_t length = strcspn(words, "( ");
    char *data_type = arena_copy(arena, words, length);
    struct mysql_column made = {.name = column->name,
                                .type = mysql_type_of(data_type, words),
                                .not_null = column->not_null,
                                .generated = column->generated != GENERATED_NO,
                                .counted = column->identity,
                                .has_default = column->identity || column->default_text != NULL};
    made.type.type.zone = made.type.format == MYSQL_AS_TIMESTAMP ? self->sql.base.time_zone : NULL;
    if (made.type.format == MYSQL_AS_TEXT || made.type.format == MYSQL_AS_LABEL) {
        made.charset = strncmp(words, "inet", 4) == 0 ? NULL : "utf8mb4";
    }
    return made;
}

enum status mysql_imagine(struct sql_database *database, const struct target_table *table,
                          struct arena *arena, struct sql_table *made, struct error *error)
{
    const struct mysql_database *self = (const struct mysql_database *)database;
    const struct mysql_layout layout = mysql_layout_make(self, table, arena);
    struct mysql_table *facts = arena_allocate_zeroed(arena, 1, sizeof *facts);
    struct schema_table *schema = arena_allocate_zeroed(arena, 1, sizeof *schema);
    struct mysql_column *columns =
        arena_allocate_zeroed(arena, (size_t)table->column_count + 1, sizeof *columns);
    struct schema_column *described =
        arena_allocate_zeroed(arena, (size_t)table->column_count + 1, sizeof *described);
    (void)error;
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct schema_column *column = &table->columns[i];
        bool own = table->same_engine != NULL && column->type.native != NULL;
        columns[i] =
            imagine_column(self, column, own ? column->type.native : layout.types[i], arena);
        described[i] = *column;
        described[i].type = columns[i].type.type;
    }
    *schema = (struct schema_table){
        .name = table->name, .columns = described, .column_count = table->column_count};
    *facts = (struct mysql_table){.schema = schema, .columns = columns, .row_estimate = -1};
    mysql_note_error_values(table, facts);
    *made = mysql_table_of(facts);
    return STATUS_OK;
}
