/* Whether all values of a column are what its declared type says, which SQLite itself does not see
 * to. */
#include "connectors/sqlite/source.h"
#include "model/decimal.h"
#include "model/time_text.h"
#include <math.h>
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

/* What most such columns hold, "2024-02-29 13:14:15", and no day that not each month has. */
static bool is_common_moment(const char *text, size_t length)
{
    enum { LENGTH = 19, DAYS = 28 };
    return length == LENGTH && is_two(text, 1, 99) && is_two(text + 2, 0, 99) && text[4] == '-' &&
           is_two(text + 5, 1, 12) && text[7] == '-' && is_two(text + 8, 1, DAYS) &&
           (text[10] == ' ' || text[10] == 'T') && is_two(text + 11, 0, 23) && text[13] == ':' &&
           is_two(text + 14, 0, 59) && text[16] == ':' && is_two(text + 17, 0, 59);
}

static bool is_time(sqlite3_stmt *statement, enum value_test test)
{
    if (sqlite3_column_type(statement, 0) != SQLITE_TEXT) {
        return false;
    }
    const char *text = (const char *)sqlite3_column_text(statement, 0);
    size_t length = (size_t)sqlite3_column_bytes(statement, 0);
    struct cell cell;
    if (text == NULL) {
        return false;
    }
    if (test == VALUES_MOMENTS && is_common_moment(text, length)) {
        return true;
    }
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

/* Is it the float next to a decimal of that type, of few enough digits that it is told by them? */
static bool is_common_float(double value, const struct value_type *type)
{
    enum { DIGITS = 15 };
    double unit = 1;
    for (int i = 0; i < type->scale; i++) {
        unit *= 10;
    }
    double most = 1;
    for (int i = 0; i < type->precision && i < DIGITS; i++) {
        most *= 10;
    }
    double units = nearbyint(value * unit);
    return type->scale >= 0 && type->scale <= DIGITS && fabs(units) < most && units / unit == value;
}

static bool is_declared_decimal(sqlite3_stmt *statement, const struct value_type *type,
                                struct arena *arena)
{
    struct cell decimal;
    arena_reset(arena);
    switch (sqlite3_column_type(statement, 0)) {
    case SQLITE_INTEGER:
        decimal = decimal_from_int64(sqlite3_column_int64(statement, 0), arena);
        return is_within(&decimal, type, arena);
    case SQLITE_FLOAT:
        if (is_common_float(sqlite3_column_double(statement, 0), type)) {
            return true;
        }
        return decimal_from_double(sqlite3_column_double(statement, 0), arena, &decimal) ==
                   STATUS_OK &&
               is_within(&decimal, type, arena);
    default:
        return false;
    }
}

static bool passes(sqlite3_stmt *statement, enum value_test test, const struct value_type *type,
                   struct arena *arena)
{
    if (sqlite3_column_type(statement, 0) == SQLITE_NULL) {
        return true;
    }
    return test == VALUES_DECLARED ? is_declared_decimal(statement, type, arena)
                                   : is_time(statement, test);
}

static enum status go_through(struct sqlite_database *self, const struct schema_table *table,
                              const struct schema_column *column, enum value_test test, bool *holds,
                              struct error *error)
{
    struct buffer sql = {0};
    sqlite3_stmt *statement = NULL;
    sqlite_append(&sql, "SELECT %n FROM main.%n", column->name, table->name);
    enum status status =
        sqlite_prepare(self, self->control, buffer_string(&sql), &statement, error);
    buffer_free(&sql);
    if (status != STATUS_OK) {
        return status;
    }
    struct arena *arena = arena_create(0);
    int result = sqlite3_step(statement);
    *holds = true;
    while (result == SQLITE_ROW && *holds) {
        *holds = passes(statement, test, &column->type, arena);
        result = *holds ? sqlite3_step(statement) : SQLITE_DONE;
    }
    arena_destroy(arena);
    sqlite3_finalize(statement);
    return result == SQLITE_DONE
               ? STATUS_OK
               : sqlite_error(self->control, result, OPEN_SOURCE, ERROR_SOURCE_READ, table->name,
                              "its values can't be looked at", error);
}

enum status source_holds(struct database *database, const char *table_name, const char *column_name,
                         enum value_test test, bool *holds, struct error *error)
{
    struct sqlite_database *self = sqlite_database_of(database);
    const struct catalog *catalog = NULL;
    int64_t bytes = 0;
    bool known = test == VALUES_MOMENTS || test == VALUES_INSTANTS || test == VALUES_DATES ||
                 test == VALUES_DECLARED;
    *holds = false;
    if (!known) {
        return STATUS_OK;
    }
    if (catalog_get(self, &catalog, error) != STATUS_OK ||
        source_file_bytes(self, &bytes, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    const struct catalog_table *table = catalog_find(catalog, table_name);
    int32_t at = table != NULL ? catalog_find_column(table, column_name) : -1;
    return at >= 0 && bytes <= FILE_BYTES_MAX
               ? go_through(self, table->schema, &table->schema->columns[at], test, holds, error)
               : STATUS_OK;
}
