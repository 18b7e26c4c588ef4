/* The normal form of a value in a column that is there: what the writer makes of it (encode.c), as
 * it is read back. */
#include "connectors/mysql/source.h"
#include "connectors/mysql/target.h"
#include "connectors/sql/normal.h"
#include "model/convert.h"
#include <ctype.h>
#include <string.h>

/* The class of a column: its kind in the lowest byte, its format above, and what else counts. */
enum {
    CLASS_KIND = 0xff,
    CLASS_FORMAT_SHIFT = 8,
    CLASS_FORMAT = 0xff,
    CLASS_REPEATS =
        1 << 16,            /* MariaDB's JSON, a text: keeps every one of equal keys in an object */
    CLASS_ADDRESS = 1 << 17 /* inet4, inet6: read back in small letters, zeros left out */
};

static const char *native_of(const struct value_type *type)
{
    return type->native != NULL ? type->native : "";
}

static enum mysql_format format_of(const struct value_type *type)
{
    const char *native = native_of(type);
    char word[32];
    size_t length = 0;
    while (length < sizeof word - 1 && (isalnum((unsigned char)native[length]) != 0)) {
        word[length] = native[length];
        length++;
    }
    word[length] = '\0';
    return type->kind == VALUE_JSON ? MYSQL_AS_JSON : mysql_type_of(word, native).format;
}

uint32_t mysql_column_class(struct database *database, const struct schema_table *table,
                            const struct schema_column *column)
{
    const char *native = native_of(&column->type);
    bool address = strcmp(native, "inet4") == 0 || strcmp(native, "inet6") == 0;
    enum mysql_format format = format_of(&column->type);
    bool repeats = format == MYSQL_AS_JSON && mysql_database_of(database)->mariadb;
    (void)table;
    return (uint32_t)column->type.kind | (uint32_t)format << CLASS_FORMAT_SHIFT |
           (repeats ? CLASS_REPEATS : 0) | (address ? CLASS_ADDRESS : 0);
}

static enum status as_text(uint32_t class, const struct cell *cell, struct arena *arena,
                           struct cell *normal, struct error *error)
{
    enum status status = sql_text_in_column(&mysql_rules, cell, false, arena, normal, error);
    return status == STATUS_OK && (class & CLASS_ADDRESS) != 0
               ? sql_address_in_column(normal, arena, error)
               : status;
}

/* An interval goes into a column of times, and is read back as what it is of these. */
static void as_time_of_day(struct cell *cell)
{
    const struct value_interval *interval = cell->kind == VALUE_INTERVAL ? cell->interval : NULL;
    if (interval != NULL && interval->months == 0 && interval->days == 0 &&
        mysql_is_time_of_day(interval->nanoseconds)) {
        *cell = (struct cell){.kind = VALUE_TIME, .i64 = interval->nanoseconds};
    }
}

enum status mysql_normal_form_in_column(struct database *database, uint32_t class,
                                        const struct cell *cell, struct arena *arena,
                                        struct cell *normal, struct error *error)
{
    const struct mysql_column column = {
        .type = {
            .format = (enum mysql_format)(class >> CLASS_FORMAT_SHIFT & CLASS_FORMAT),
            .type = {.kind = (enum value_kind)(class & CLASS_KIND), .zone = database->time_zone}}};
    struct cell made = *cell;
    switch ((enum value_kind)cell->kind) {
    case VALUE_NULL:
    case VALUE_MISSING:
    case VALUE_ESCAPE:
        return sql_normal_form(&mysql_rules, cell, arena, normal, error);
    case VALUE_LARGE:
        if (column.type.format == MYSQL_AS_JSON) {
            break;
        }
        return sql_normal_form(&mysql_rules, cell, arena, normal, error);
    default:
        break;
    }
    switch (column.type.format) {
    case MYSQL_AS_TEXT:
    case MYSQL_AS_LABEL:
        return as_text(class, cell, arena, normal, error);
    case MYSQL_AS_JSON:
        return sql_json_in_column(
            cell, (class & CLASS_REPEATS) != 0 ? SQL_JSON_REPEATS : SQL_JSON_NUMBERS, arena, normal,
            error);
    default:
        break;
    }
    if (mysql_of_column(&column, cell, arena, &made, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (column.type.format == MYSQL_AS_TIME) {
        as_time_of_day(&made);
    }
    return sql_normal_form(&mysql_rules, &made, arena, normal, error);
}
