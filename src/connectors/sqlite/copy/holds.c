/* Whether all values of a column are what its declared type says, which SQLite itself does not see
 * to. */
#include "base/text.h"
#include "connectors/sqlite/source.h"
#include "model/decimal.h"
#include "model/time_text.h"
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Files beyond are not gone through to choose a type. */
enum { FILE_BYTES_MAX = 1 << 30, FRACTION_DIGITS_MAX = 6 };

/* No engine's moments have more digits of a second. */
static bool has_few_digits(const char *text, size_t length)
{
    const char *point = memchr(text, '.', length);
    return point == NULL || strspn(point + 1, "0123456789") <= FRACTION_DIGITS_MAX;
}

/* Two digits, of which no number is greater. */
static bool is_two(const char *text, int least, int greatest)
{
    int number = (text[0] - '0') * 10 + text[1] - '0';
    return text[0] >= '0' && text[0] <= '9' && text[1] >= '0' && text[1] <= '9' &&
           number >= least && number <= greatest;
}

/* The form that most such columns hold, "2024-02-29 13:14:15", and no day that not each month has.
 */
static bool is_common_moment(const char *text, size_t length)
{
    enum { LENGTH = 19, DAYS = 28 };
    return length == LENGTH && is_two(text, 1, 99) && is_two(text + 2, 0, 99) && text[4] == '-' &&
           is_two(text + 5, 1, 12) && text[7] == '-' && is_two(text + 8, 1, DAYS) &&
           (text[10] == ' ' || text[10] == 'T') && is_two(text + 11, 0, 23) && text[13] == ':' &&
           is_two(text + 14, 0, 59) && text[16] == ':' && is_two(text + 17, 0, 59);
}

static bool is_time(const char *text, size_t length, enum value_test test)
{
    struct cell cell;
    if (test == VALUES_DATES) {
        return time_parse_date(text, length, &cell) == STATUS_OK &&
               (cell.flags & CELL_SPECIAL) == 0;
    }
    return time_parse_timestamp(text, length, &cell) == STATUS_OK &&
           (cell.flags & CELL_SPECIAL) == 0 && cell.aux == 0 && has_few_digits(text, length) &&
           ((cell.flags & CELL_ZONED) != 0) == (test == VALUES_INSTANTS);
}

static bool is_within(const struct cell *decimal, const struct value_type *type,
                      struct arena *arena)
{
    struct cell rescaled;
    int64_t digits = 0;
    int64_t exponent = 0;
    int exact = 0;
    return decimal_measure(decimal, &digits, &exponent) &&
           (digits == 0 || exponent < type->precision - type->scale) &&
           decimal_rescale(decimal, (uint32_t)type->scale, arena, &rescaled, &exact) == STATUS_OK &&
           exact;
}

/* Powers of ten that floats hold exactly. */
static const double powers_of_ten[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                       1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

/* Is it the float next to a decimal of that type, of few enough digits that it is told by them? */
static bool is_common_float(double value, const struct value_type *type)
{
    enum { DIGITS = 15 };
    if (type->scale < 0 || type->scale > DIGITS) {
        return false;
    }
    double unit = powers_of_ten[type->scale];
    double most = powers_of_ten[type->precision < DIGITS ? type->precision : DIGITS];
    double units = value * unit;
    if (!(fabs(units) < most)) {
        return false;
    }
    double whole = (double)(int64_t)(units + (units < 0 ? -0.5 : 0.5));
    return fabs(whole) < most && whole / unit == value;
}

static bool is_declared_decimal(sqlite3_value *value, const struct value_type *type,
                                struct arena *arena)
{
    struct cell decimal;
    arena_reset(arena);
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        decimal = decimal_from_int64(sqlite3_value_int64(value), arena);
        return is_within(&decimal, type, arena);
    case SQLITE_FLOAT:
        if (is_common_float(sqlite3_value_double(value), type)) {
            return true;
        }
        return decimal_from_double(sqlite3_value_double(value), arena, &decimal) == STATUS_OK &&
               is_within(&decimal, type, arena);
    default:
        return false;
    }
}

/* ---------------------------------------------------------------- one pass over a table */

/* A column and what is known of it: which tests all values seen so far pass, as bits of enum
 * value_test.
 */
struct tested_column {
    const struct schema_column *column;
    uint32_t tests;
};

/* The tests of a table's columns, of all at once, since one pass over it answers for all of them.
 */
struct sqlite_tested {
    struct sqlite_tested *next;
    const char *table;
    int64_t data_version; /* SQLite's own: another one when the file was written to */
    struct tested_column *columns;
    uint32_t column_count;
};

static uint32_t bit_of(enum value_test test)
{
    return UINT32_C(1) << test;
}

enum {
    UNTYPED_TESTS = 1 << VALUES_TEXTS | 1 << VALUES_WHOLE | 1 << VALUES_NUMBER | 1 << VALUES_BYTES
};

/* The tests that a plan may ask of a column of that type. */
static uint32_t tests_of(const struct value_type *type)
{
    if (type->untyped) {
        return UNTYPED_TESTS;
    }
    if (type->dates) {
        return bit_of(VALUES_DATES);
    }
    if (type->moments) {
        return bit_of(VALUES_MOMENTS) | bit_of(VALUES_INSTANTS);
    }
    return type->kind == VALUE_DECIMAL && type->dynamic && type->precision > 0
               ? bit_of(VALUES_DECLARED)
               : 0;
}

static uint32_t passed_by_text(const char *text, size_t length, uint32_t tests)
{
    static const enum value_test of_texts[] = {VALUES_MOMENTS, VALUES_INSTANTS, VALUES_DATES};
    uint32_t passed = 0;
    if (is_common_moment(text, length)) {
        return tests & bit_of(VALUES_MOMENTS);
    }
    for (size_t i = 0; i < sizeof of_texts / sizeof *of_texts; i++) {
        uint32_t bit = bit_of(of_texts[i]);
        passed |= (tests & bit) != 0 && is_time(text, length, of_texts[i]) ? bit : 0;
    }
    return passed;
}

/* Whole numbers beyond are not each a float of their own. */
static bool is_float(int64_t whole)
{
    return whole >= -(INT64_C(1) << DBL_MANT_DIG) && whole <= INT64_C(1) << DBL_MANT_DIG;
}

/* The tests that a value of a column without a type passes: its storage class decides. It is no
 * NULL. */
static uint32_t passed_by_class(sqlite3_value *value)
{
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        return bit_of(VALUES_WHOLE) |
               (is_float(sqlite3_value_int64(value)) ? bit_of(VALUES_NUMBER) : 0);
    case SQLITE_FLOAT:
        return bit_of(VALUES_NUMBER);
    case SQLITE_BLOB:
        return bit_of(VALUES_BYTES);
    default:
        return text_is_utf8(sqlite3_value_text(value), (size_t)sqlite3_value_bytes(value))
                   ? bit_of(VALUES_TEXTS)
                   : 0;
    }
}

/* The given tests that the value passes. */
static uint32_t passed_by(sqlite3_value *value, uint32_t tests, const struct value_type *type,
                          struct arena *arena)
{
    int stored = sqlite3_value_type(value);
    if (stored == SQLITE_NULL) {
        return tests;
    }
    if ((tests & UNTYPED_TESTS) != 0) {
        return tests & passed_by_class(value);
    }
    if (stored == SQLITE_TEXT) {
        const char *text = (const char *)sqlite3_value_text(value);
        return text != NULL ? passed_by_text(text, (size_t)sqlite3_value_bytes(value), tests) : 0;
    }
    uint32_t declared = tests & bit_of(VALUES_DECLARED);
    return declared != 0 && is_declared_decimal(value, type, arena) ? declared : 0;
}

/* True: some column still passes a test. */
static bool test_row(sqlite3_stmt *row, struct sqlite_tested *tested, struct arena *arena)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < tested->column_count; i++) {
        struct tested_column *at = &tested->columns[i];
        if (at->tests != 0) {
            at->tests =
                passed_by(sqlite3_column_value(row, (int)i), at->tests, &at->column->type, arena);
        }
        left |= at->tests;
    }
    return left != 0;
}

static enum status go_through(struct sqlite_database *self, struct sqlite_tested *tested,
                              struct error *error)
{
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;
    buffer_append_string(&sql, "SELECT");
    for (uint32_t i = 0; i < tested->column_count; i++) {
        sqlite_append(&sql, i > 0 ? ", %n" : " %n", tested->columns[i].column->name);
    }
    sqlite_append(&sql, " FROM main.%n", tested->table);
    enum status status =
        sqlite_prepare(self, self->control, buffer_string(&sql), &statement, error);
    buffer_free(&sql);
    if (status != STATUS_OK) {
        return status;
    }
    struct arena *arena = arena_create(0);
    int result = sqlite3_step(statement);
    while (result == SQLITE_ROW) {
        result = test_row(statement, tested, arena) ? sqlite3_step(statement) : SQLITE_DONE;
    }
    arena_destroy(arena);
    sqlite3_finalize(statement);
    return result == SQLITE_DONE
               ? STATUS_OK
               : sqlite_error(self->control, result, OPEN_SOURCE, ERROR_SOURCE_READ, tested->table,
                              "its values can't be looked at", error);
}

/* ---------------------------------------------------------------- what is asked */

static enum status read_data_version(struct sqlite_database *self, int64_t *version,
                                     struct error *error)
{
    sqlite3_stmt *statement = NULL;
    enum status status =
        sqlite_prepare(self, self->control, "PRAGMA main.data_version", &statement, error);
    if (status == STATUS_OK) {
        status = sqlite_step(self, statement, error);
        *version = status == STATUS_OK ? sqlite3_column_int64(statement, 0) : 0;
    }
    sqlite3_finalize(statement);
    return status;
}

static struct sqlite_tested *holds_find(struct sqlite_database *self, const char *table)
{
    struct sqlite_tested *tested = self->tested;
    while (tested != NULL && strcmp(tested->table, table) != 0) {
        tested = tested->next;
    }
    return tested;
}

static struct sqlite_tested *holds_add(struct sqlite_database *self,
                                       const struct schema_table *table)
{
    struct sqlite_tested *tested = arena_allocate_zeroed(self->arena, 1, sizeof *tested);
    *tested =
        (struct sqlite_tested){.next = self->tested,
                               .table = table->name,
                               .columns = arena_allocate_zeroed(self->arena, table->column_count,
                                                                sizeof *tested->columns)};
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (tests_of(&table->columns[i].type) != 0) {
            tested->columns[tested->column_count++].column = &table->columns[i];
        }
    }
    self->tested = tested;
    return tested;
}

/* The tests of the table as it is now; NULL: no column of it is to be asked about. */
static enum status test_table(struct sqlite_database *self, const struct schema_table *table,
                              const struct sqlite_tested **result, struct error *error)
{
    int64_t version = 0;
    struct sqlite_tested *tested = holds_find(self, table->name);
    if (tested == NULL) {
        tested = holds_add(self, table);
    }
    *result = tested;
    if (tested->column_count == 0) {
        return STATUS_OK;
    }
    if (read_data_version(self, &version, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (tested->data_version == version) {
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < tested->column_count; i++) {
        tested->columns[i].tests = tests_of(&tested->columns[i].column->type);
    }
    tested->data_version = 0;
    enum status status = go_through(self, tested, error);
    tested->data_version = status == STATUS_OK ? version : 0;
    return status;
}

enum status source_holds(struct database *database, const char *table_name, const char *column_name,
                         enum value_test test, bool *holds, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    const struct catalog *catalog = NULL;
    const struct sqlite_tested *tested = NULL;
    int64_t bytes = 0;
    *holds = false;
    if (catalog_get(self, &catalog, error) != STATUS_OK ||
        source_file_bytes(self, &bytes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct catalog_table *table = catalog_find(catalog, table_name);
    int32_t at = table != NULL ? catalog_find_column(table, column_name) : -1;
    if (at < 0 || bytes > FILE_BYTES_MAX ||
        (tests_of(&table->schema->columns[at].type) & bit_of(test)) == 0) {
        return STATUS_OK;
    }
    if (test_table(self, table->schema, &tested, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    for (uint32_t i = 0; i < tested->column_count; i++) {
        *holds = *holds || (tested->columns[i].column == &table->schema->columns[at] &&
                            (tested->columns[i].tests & bit_of(test)) != 0);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- queries */

static enum value_kind kind_of_tests(uint32_t tests)
{
    return (tests & bit_of(VALUES_TEXTS)) != 0    ? VALUE_TEXT
           : (tests & bit_of(VALUES_WHOLE)) != 0  ? VALUE_INT64
           : (tests & bit_of(VALUES_NUMBER)) != 0 ? VALUE_FLOAT64
           : (tests & bit_of(VALUES_BYTES)) != 0  ? VALUE_BYTES
                                                  : VALUE_MISSING;
}

static int read_classes(sqlite3_stmt *statement, const struct schema_table *table, uint32_t *tests)
{
    int result = sqlite3_step(statement);
    while (result == SQLITE_ROW) {
        uint32_t left = 0;
        for (uint32_t i = 0; i < table->column_count; i++) {
            sqlite3_value *value = sqlite3_column_value(statement, (int)i);
            if (tests[i] != 0 && sqlite3_value_type(value) != SQLITE_NULL) {
                tests[i] &= passed_by_class(value);
            }
            left |= tests[i];
        }
        result = left != 0 ? sqlite3_step(statement) : SQLITE_DONE;
    }
    return result;
}

static enum status learn_columns(struct sqlite_database *self, const char *query,
                                 struct schema_table *table, uint32_t *tests, struct error *error)
{
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;
    buffer_append_string(&sql, "SELECT * FROM ");
    query_append(&sql, query, strlen(query));
    enum status status =
        sqlite_prepare(self, self->control, buffer_string(&sql), &statement, error);
    if (status == STATUS_OK) {
        int result = read_classes(statement, table, tests);
        status = result == SQLITE_DONE
                     ? STATUS_OK
                     : sqlite_error(self->control, result, OPEN_SOURCE, ERROR_SOURCE_READ,
                                    self->sql.shown, "the query can't be read", error);
    }
    sqlite3_finalize(statement);
    buffer_free(&sql);
    return status;
}

enum status source_learn_query(struct sqlite_database *self, const char *query,
                               struct schema_table *table, struct error *error)
{
    struct schema_column *columns = (struct schema_column *)table->columns;
    int64_t bytes = 0;
    uint32_t untyped = 0;
    if (source_file_bytes(self, &bytes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    uint32_t *tests = memory_allocate_zeroed(table->column_count + (size_t)1, sizeof *tests);
    for (uint32_t i = 0; i < table->column_count; i++) {
        tests[i] = columns[i].type.untyped ? (uint32_t)UNTYPED_TESTS : 0;
        untyped += columns[i].type.untyped;
    }
    enum status status = untyped > 0 && bytes <= FILE_BYTES_MAX
                             ? learn_columns(self, query, table, tests, error)
                             : STATUS_OK;
    for (uint32_t i = 0; i < table->column_count && status == STATUS_OK; i++) {
        enum value_kind kind = bytes <= FILE_BYTES_MAX ? kind_of_tests(tests[i]) : VALUE_MISSING;
        if (columns[i].type.untyped && kind != VALUE_MISSING) {
            columns[i].type.kind = kind;
            columns[i].type.untyped = false;
        }
    }
    free(tests);
    return status;
}
