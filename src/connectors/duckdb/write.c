/* Cells to vectors. */
#include "connectors/duckdb/target.h"
#include "model/convert.h"
#include "model/decimal.h"
#include <string.h>

enum { TIME_ZONE_SECONDS_MAX = 16 * 3600 - 1, NESTING_MAX = 64, LARGE_BYTES_MAX = 512 << 20 };

struct putting {
    const struct duckdb_library *library;
    struct arena *scratch;
    struct error *error;
};

struct duckdb_column duckdb_column_of(const struct duckdb_library *library,
                                      const struct duckdb_form *form, struct duckdb_handle *vector)
{
    return (struct duckdb_column){
        .form = form, .vector = vector, .validity = library->vector_get_validity(vector)};
}

/* ---------------------------------------------------------------- NULL */

static void set_valid(struct duckdb_column *column, uint64_t at)
{
    if (column->validity != NULL) {
        column->validity[at / 64] |= UINT64_C(1) << at % 64;
    }
}

static bool is_null(const struct duckdb_column *column, uint64_t at)
{
    return column->validity != NULL && (column->validity[at / 64] >> at % 64 & 1) == 0;
}

static uint64_t child_count_of(const struct duckdb_form *form)
{
    return form->id == DUCKDB_STRUCT ? form->child_count : 0;
}

/* Children of a NULL are NULL, too. */
static void put_null(const struct putting *putting, struct duckdb_column *column, uint64_t at)
{
    const struct duckdb_library *library = putting->library;
    if (column->validity == NULL) {
        library->vector_ensure_validity_writable(column->vector);
        column->validity = library->vector_get_validity(column->vector);
    }
    column->validity[at / 64] &= ~(UINT64_C(1) << at % 64);
    for (uint64_t i = 0; i < child_count_of(column->form); i++) {
        struct duckdb_column child =
            duckdb_column_of(library, &column->form->children[i],
                             library->struct_vector_get_child(column->vector, i));
        put_null(putting, &child, at);
    }
    for (uint64_t i = 0; column->form->id == DUCKDB_ARRAY && i < column->form->array_size; i++) {
        struct duckdb_column child = duckdb_column_of(
            library, column->form->children, library->array_vector_get_child(column->vector));
        put_null(putting, &child, at * column->form->array_size + i);
    }
}

/* ---------------------------------------------------------------- numbers */

static enum status out_of_range(const struct putting *putting, const char *what)
{
    return error_set(putting->error, ERROR_REJECT_NUMBER, NULL, "the number is beyond %s", what);
}

static const struct {
    enum duckdb_type_id id;
    int64_t low;
    int64_t high;
    const char *what;
} ranges[] = {
    {DUCKDB_TINYINT, INT8_MIN, INT8_MAX, "TINYINT"},
    {DUCKDB_SMALLINT, INT16_MIN, INT16_MAX, "SMALLINT"},
    {DUCKDB_INTEGER, INT32_MIN, INT32_MAX, "INTEGER"},
    {DUCKDB_UTINYINT, 0, UINT8_MAX, "UTINYINT"},
    {DUCKDB_USMALLINT, 0, UINT16_MAX, "USMALLINT"},
    {DUCKDB_UINTEGER, 0, UINT32_MAX, "UINTEGER"},
};

static void store_number(enum duckdb_type_id id, void *data, uint64_t at, int64_t number)
{
    switch (id) {
    case DUCKDB_TINYINT:
    case DUCKDB_UTINYINT:
        ((uint8_t *)data)[at] = (uint8_t)number;
        break;
    case DUCKDB_SMALLINT:
    case DUCKDB_USMALLINT:
        ((uint16_t *)data)[at] = (uint16_t)number;
        break;
    case DUCKDB_INTEGER:
    case DUCKDB_UINTEGER:
        ((uint32_t *)data)[at] = (uint32_t)number;
        break;
    default:
        ((int64_t *)data)[at] = number;
    }
}

static enum status put_whole(const struct putting *putting, const struct duckdb_column *column,
                             void *data, uint64_t at, int64_t number)
{
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (ranges[i].id == column->form->id &&
            (number < ranges[i].low || number > ranges[i].high)) {
            return out_of_range(putting, ranges[i].what);
        }
    }
    store_number(column->form->id, data, at, number);
    return STATUS_OK;
}

/* The digits of a decimal of just that scale as one whole number. */
static enum status whole_of_decimal(const struct putting *putting, const struct cell *decimal,
                                    unsigned __int128 *magnitude, bool *negative)
{
    const unsigned __int128 highest = ~(unsigned __int128)0;
    struct buffer digits = {0};
    bool fits = true;
    *magnitude = 0;
    decimal_append(decimal, &digits);
    const char *text = buffer_string(&digits);
    *negative = text[0] == '-';
    for (const char *at = text; *at != '\0'; at++) {
        if (*at >= '0' && *at <= '9') {
            unsigned digit = (unsigned)(*at - '0');
            fits = fits && *magnitude <= (highest - digit) / 10;
            *magnitude = *magnitude * 10 + digit;
        }
    }
    buffer_free(&digits);
    return fits ? STATUS_OK : out_of_range(putting, "128 bits");
}

static enum status put_decimal(const struct putting *putting, const struct duckdb_column *column,
                               void *data, uint64_t at, const struct cell *cell)
{
    const unsigned __int128 half = (unsigned __int128)1 << 127;
    const struct duckdb_form *form = column->form;
    unsigned __int128 magnitude = 0;
    bool negative = false;
    if (decimal_special(cell) != 0) {
        return error_set(putting->error, ERROR_REJECT_NUMBER, NULL,
                         "NaN and infinity are no decimals of DuckDB");
    }
    if (whole_of_decimal(putting, cell, &magnitude, &negative) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool is_unsigned = form->id == DUCKDB_UHUGEINT;
    if (is_unsigned ? negative : magnitude > half - (negative ? 0 : 1)) {
        return out_of_range(putting, is_unsigned ? "UHUGEINT" : "HUGEINT");
    }
    unsigned __int128 bits = negative ? -magnitude : magnitude;
    if (form->id == DUCKDB_DECIMAL && form->kept != DUCKDB_HUGEINT) {
        store_number(form->kept, data, at, (int64_t)(uint64_t)bits);
        return STATUS_OK;
    }
    ((struct duckdb_hugeint *)data)[at] =
        (struct duckdb_hugeint){.lower = (uint64_t)bits, .upper = (int64_t)(uint64_t)(bits >> 64)};
    return STATUS_OK;
}

/* ---------------------------------------------------------------- days and times */

static enum status refuse_fraction(const struct putting *putting, int digits)
{
    return error_set(putting->error, ERROR_REJECT_TYPE, NULL,
                     "it has more than %d digits of a second", digits);
}

static enum status refuse_zero_date(const struct putting *putting)
{
    return error_set(putting->error, ERROR_REJECT_TYPE, NULL, "0000-00-00 is no date of DuckDB");
}

static enum status put_date(const struct putting *putting, void *data, uint64_t at,
                            const struct cell *cell)
{
    int64_t days = cell->i64;
    if ((cell->flags & CELL_SPECIAL) != 0) {
        if (cell->i64 == CELL_ZERO_DATE) {
            return refuse_zero_date(putting);
        }
        days = cell->i64 == CELL_INFINITY ? INT32_MAX : -INT32_MAX;
    } else if (days >= INT32_MAX || days <= -INT32_MAX) {
        return error_set(putting->error, ERROR_REJECT_TYPE, NULL, "the day is beyond all years");
    }
    ((int32_t *)data)[at] = (int32_t)days;
    return STATUS_OK;
}

static enum status put_time(const struct putting *putting, enum duckdb_type_id id, void *data,
                            uint64_t at, const struct cell *cell)
{
    int32_t offset = (int32_t)cell->length;
    if (id == DUCKDB_TIME_NS) {
        ((int64_t *)data)[at] = cell->i64;
        return STATUS_OK;
    }
    if (cell->i64 % 1000 != 0) {
        return refuse_fraction(putting, 6);
    }
    if (id == DUCKDB_TIME) {
        ((int64_t *)data)[at] = cell->i64 / 1000;
        return STATUS_OK;
    }
    if (offset > TIME_ZONE_SECONDS_MAX || offset < -TIME_ZONE_SECONDS_MAX) {
        return error_set(putting->error, ERROR_REJECT_TYPE, NULL, "its offset is beyond 15:59:59");
    }
    ((uint64_t *)data)[at] =
        (uint64_t)(cell->i64 / 1000) << 24 | (uint64_t)(TIME_ZONE_SECONDS_MAX - offset);
    return STATUS_OK;
}

/* How many microseconds one of the type's is; nanoseconds: 0. */
static int64_t us_each(enum duckdb_type_id id)
{
    return id == DUCKDB_TIMESTAMP_S    ? 1000000
           : id == DUCKDB_TIMESTAMP_MS ? 1000
           : id == DUCKDB_TIMESTAMP_NS ? 0
                                       : 1;
}

static enum status put_timestamp(const struct putting *putting, enum duckdb_type_id id, void *data,
                                 uint64_t at, const struct cell *cell)
{
    int64_t number = cell->i64;
    int64_t each = us_each(id);
    if ((cell->flags & CELL_SPECIAL) != 0) {
        if (cell->i64 == CELL_ZERO_DATE) {
            return refuse_zero_date(putting);
        }
        ((int64_t *)data)[at] = cell->i64 == CELL_INFINITY ? INT64_MAX : -INT64_MAX;
        return STATUS_OK;
    }
    if (each == 0) {
        if (__builtin_mul_overflow(number, INT64_C(1000), &number) ||
            __builtin_add_overflow(number, (int64_t)cell->aux, &number)) {
            return error_set(putting->error, ERROR_REJECT_TYPE, NULL,
                             "it is beyond the years 1677 to 2262, which nanoseconds count");
        }
    } else if (cell->aux != 0 || number % each != 0) {
        return refuse_fraction(putting, each == 1 ? 6 : each == 1000 ? 3 : 0);
    } else {
        number /= each;
    }
    ((int64_t *)data)[at] = number;
    return STATUS_OK;
}

static enum status put_interval(const struct putting *putting, void *data, uint64_t at,
                                const struct cell *cell)
{
    const struct value_interval *interval = cell->interval;
    if (interval->nanoseconds % 1000 != 0) {
        return refuse_fraction(putting, 6);
    }
    ((struct duckdb_interval *)data)[at] = (struct duckdb_interval){
        .months = interval->months, .days = interval->days, .us = interval->nanoseconds / 1000};
    return STATUS_OK;
}

/* ---------------------------------------------------------------- texts and bytes */

static void put_uuid(void *data, uint64_t at, const struct cell *cell)
{
    uint64_t upper = 0;
    uint64_t lower = 0;
    for (int i = 0; i < 8; i++) {
        upper = upper << 8 | cell->bytes[i];
        lower = lower << 8 | cell->bytes[8 + i];
    }
    ((struct duckdb_hugeint *)data)[at] =
        (struct duckdb_hugeint){.lower = lower, .upper = (int64_t)(upper ^ UINT64_C(1) << 63)};
}

static enum status put_label(const struct putting *putting, const struct duckdb_column *column,
                             void *data, uint64_t at, const struct cell *cell)
{
    const struct duckdb_form *form = column->form;
    for (uint32_t i = 0; i < form->name_count; i++) {
        if (form->names[i].length == cell->length &&
            memcmp(form->names[i].text, cell->text, cell->length) == 0) {
            store_number(form->kept, data, at, i);
            return STATUS_OK;
        }
    }
    return error_set(putting->error, ERROR_REJECT_CONSTRAINT, NULL,
                     "it is none of the labels of the column's ENUM");
}

/* A column of texts keeps what is no text as the text that it is. */
static enum status put_as_text(const struct putting *putting, const struct duckdb_column *column,
                               uint64_t at, const struct cell *cell)
{
    struct buffer text = {0};
    enum status status = sql_append_value_text(&duckdb_rules, cell, &text, putting->error);
    if (status == STATUS_OK) {
        putting->library->vector_assign_string_element_len(column->vector, at, buffer_string(&text),
                                                           text.length);
    }
    buffer_free(&text);
    return status;
}

/* ---------------------------------------------------------------- values of the column's kind */

static enum status put_scalar(const struct putting *putting, const struct duckdb_column *column,
                              uint64_t at, const struct cell *cell)
{
    enum duckdb_type_id id = column->form->id;
    void *data = putting->library->vector_get_data(column->vector);
    switch (column->form->type.kind) {
    case VALUE_BOOL:
        ((uint8_t *)data)[at] = cell->i64 != 0;
        return STATUS_OK;
    case VALUE_INT64:
        return put_whole(putting, column, data, at, cell->i64);
    case VALUE_UINT64:
        ((uint64_t *)data)[at] = cell->u64;
        return STATUS_OK;
    case VALUE_FLOAT32:
        ((float *)data)[at] = (float)cell->f64;
        return STATUS_OK;
    case VALUE_FLOAT64:
        ((double *)data)[at] = cell->f64;
        return STATUS_OK;
    case VALUE_DECIMAL:
        return put_decimal(putting, column, data, at, cell);
    case VALUE_DATE:
        return put_date(putting, data, at, cell);
    case VALUE_TIME:
        return put_time(putting, id, data, at, cell);
    case VALUE_TIMESTAMP:
        return put_timestamp(putting, id, data, at, cell);
    case VALUE_INTERVAL:
        return put_interval(putting, data, at, cell);
    case VALUE_UUID:
        put_uuid(data, at, cell);
        return STATUS_OK;
    default:
        break;
    }
    if (id == DUCKDB_ENUM) {
        return put_label(putting, column, data, at, cell);
    }
    putting->library->vector_assign_string_element_len(
        column->vector, at, cell->length > 0 ? cell->text : "", cell->length);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- values within values */

static enum status write_put(const struct putting *putting, struct duckdb_column *column,
                             uint64_t at, const struct cell *cell, uint32_t depth);

/* Makes room behind what the child vector of a list holds, and notes where. */
static uint64_t begin_list(const struct putting *putting, const struct duckdb_column *column,
                           uint64_t at, uint64_t length)
{
    const struct duckdb_library *library = putting->library;
    uint64_t offset = library->list_vector_get_size(column->vector);
    struct duckdb_list_entry *entries = library->vector_get_data(column->vector);
    library->list_vector_reserve(column->vector, offset + length);
    library->list_vector_set_size(column->vector, offset + length);
    entries[at] = (struct duckdb_list_entry){.offset = offset, .length = length};
    return offset;
}

static enum status put_items(const struct putting *putting, struct duckdb_column child,
                             uint64_t offset, const struct cell *items, uint32_t count,
                             uint32_t stride, uint32_t depth)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        status = write_put(putting, &child, offset + i, &items[(size_t)i * stride], depth + 1);
    }
    return status;
}

static enum status put_list(const struct putting *putting, struct duckdb_column *column,
                            uint64_t at, const struct cell *cell, uint32_t depth)
{
    const struct duckdb_library *library = putting->library;
    const struct duckdb_form *form = column->form;
    bool array = form->id == DUCKDB_ARRAY;
    if (array && cell->length != form->array_size) {
        return error_set(putting->error, ERROR_REJECT_TYPE, NULL,
                         "the list has %u elements, and the column holds %u", cell->length,
                         form->array_size);
    }
    uint64_t offset = array ? at * form->array_size : begin_list(putting, column, at, cell->length);
    struct duckdb_handle *child = array ? library->array_vector_get_child(column->vector)
                                        : library->list_vector_get_child(column->vector);
    return put_items(putting, duckdb_column_of(library, form->children, child), offset, cell->items,
                     cell->length, 1, depth);
}

static enum status put_map(const struct putting *putting, struct duckdb_column *column, uint64_t at,
                           const struct cell *cell, uint32_t depth)
{
    const struct duckdb_library *library = putting->library;
    uint64_t offset = begin_list(putting, column, at, cell->length);
    struct duckdb_handle *pairs = library->list_vector_get_child(column->vector);
    enum status status = STATUS_OK;
    for (uint32_t part = 0; status == STATUS_OK && part < 2; part++) {
        status = put_items(putting,
                           duckdb_column_of(library, &column->form->children[part],
                                            library->struct_vector_get_child(pairs, part)),
                           offset, cell->items + part, cell->length, 2, depth);
    }
    return status;
}

static enum status put_struct(const struct putting *putting, struct duckdb_column *column,
                              uint64_t at, const struct cell *cell, uint32_t depth)
{
    const struct cell null = cell_null();
    const struct duckdb_form *form = column->form;
    uint32_t used = 0;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < form->child_count; i++) {
        const struct cell *value = value_field(cell, form->names[i].text);
        struct duckdb_column child =
            duckdb_column_of(putting->library, &form->children[i],
                             putting->library->struct_vector_get_child(column->vector, i));
        used += value != NULL;
        status = write_put(putting, &child, at, value != NULL ? value : &null, depth + 1);
    }
    return status == STATUS_OK && used < cell->length
               ? error_set(putting->error, ERROR_REJECT_TYPE, NULL,
                           "it has a field that the column's STRUCT does not have")
               : status;
}

static enum status put_same(const struct putting *putting, struct duckdb_column *column,
                            uint64_t at, const struct cell *cell, uint32_t depth)
{
    if (depth > NESTING_MAX) {
        return error_set(putting->error, ERROR_REJECT_TOO_DEEP, NULL, "it nests too deep");
    }
    switch (column->form->id) {
    case DUCKDB_LIST:
    case DUCKDB_ARRAY:
        return put_list(putting, column, at, cell, depth);
    case DUCKDB_MAP:
        return put_map(putting, column, at, cell, depth);
    case DUCKDB_STRUCT:
        return put_struct(putting, column, at, cell, depth);
    default:
        return put_scalar(putting, column, at, cell);
    }
}

/* ---------------------------------------------------------------- any value */

static bool is_same(const struct value_type *type, const struct cell *cell)
{
    bool timed = type->kind == VALUE_TIME || type->kind == VALUE_TIMESTAMP;
    bool special = (cell->flags & CELL_SPECIAL) != 0;
    bool list = type->kind == VALUE_LIST && cell->kind == VALUE_SET;
    return list || (cell->kind == type->kind && cell->kind != VALUE_DECIMAL &&
                    (!timed || special || ((cell->flags & CELL_ZONED) != 0) == type->zoned));
}

static enum status write_put(const struct putting *putting, struct duckdb_column *column,
                             uint64_t at, const struct cell *cell, uint32_t depth)
{
    struct value_type wanted = column->form->type;
    if (cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING) {
        put_null(putting, column, at);
        return STATUS_OK;
    }
    set_valid(column, at);
    if (cell->kind == VALUE_ESCAPE) {
        return error_set(putting->error, ERROR_REJECT_TYPE, NULL,
                         "a value that only its source's engine can hold");
    }
    struct cell whole = *cell;
    if (cell->kind == VALUE_LARGE && convert_read_large(cell, LARGE_BYTES_MAX, putting->scratch,
                                                        &whole, putting->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (wanted.kind == VALUE_TEXT && whole.kind != VALUE_TEXT &&
        column->form->id == DUCKDB_VARCHAR) {
        bool composed =
            whole.kind == VALUE_LIST || whole.kind == VALUE_SET || whole.kind == VALUE_MAP;
        if (depth > 0 && composed) { /* as a text it would read as another value */
            return error_set(putting->error, ERROR_REJECT_TYPE, NULL,
                             "a list or map within it, where the column has texts");
        }
        return put_as_text(putting, column, at, &whole);
    }
    wanted.dynamic = false;
    struct cell made = whole;
    if (!is_same(&wanted, &whole) && convert_value(&whole, &wanted, false, putting->scratch, &made,
                                                   putting->error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (made.kind == VALUE_NULL) { /* JSON's null is the column's */
        put_null(putting, column, at);
        return STATUS_OK;
    }
    return put_same(putting, column, at, &made, depth);
}

enum status duckdb_write(const struct duckdb_library *library, struct duckdb_column *column,
                         uint64_t at, const struct cell *cell, struct arena *scratch,
                         struct error *error)
{
    const struct putting putting = {library, scratch, error};
    return write_put(&putting, column, at, cell, 0);
}

enum status duckdb_put_value(const struct duckdb_library *library,
                             const struct schema_column *schema, struct duckdb_column *column,
                             uint64_t at, const struct cell *cell, struct arena *scratch,
                             struct error *error)
{
    enum status status = duckdb_write(library, column, at, cell, scratch, error);
    if (status == STATUS_OK && schema->not_null && is_null(column, at)) {
        status = error_set(error, ERROR_REJECT_CONSTRAINT, schema->name,
                           "the value is null, the column is NOT NULL");
    }
    return status == STATUS_OK ? STATUS_OK : error_context(error, "%s: ", schema->name);
}
