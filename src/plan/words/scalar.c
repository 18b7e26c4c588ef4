/* Scalars of a plan as values, kinds and types by name. */
#include "plan/words/scalar.h"

#include "base/text.h"
#include "connectors/contract/connector.h"
#include "model/decimal.h"
#include "plan/text/grammar.h"
#include "plan/text/tree.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NATIVE_NAMES_MAX = 128, NATIVE_NAME_BYTES_MAX = 80 };

const char *const scalar_cast_names[] = {"bool",      "int64",    "uint64", "float32", "float64",
                                         "decimal",   "text",     "bytes",  "date",    "time",
                                         "timestamp", "interval", "uuid",   "json"};
const uint32_t scalar_cast_name_count = sizeof scalar_cast_names / sizeof scalar_cast_names[0];

static bool is_decimal_form(const char *text)
{
    size_t digits = 0;
    text += *text == '-' || *text == '+';
    for (; *text >= '0' && *text <= '9'; text++) {
        digits++;
    }
    if (*text == '.') {
        for (text++; *text >= '0' && *text <= '9'; text++) {
            digits++;
        }
    }
    if (digits == 0) {
        return false;
    }
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '-' || *text == '+';
        if (*text < '0' || *text > '9') {
            return false;
        }
        text += strspn(text, "0123456789");
    }
    return *text == '\0';
}

static bool read_based(const char *text, struct cell *cell)
{
    int base = strncmp(text, "0x", 2) == 0 ? 16 : strncmp(text, "0o", 2) == 0 ? 8 : 0;
    if (base == 0 || text[2] == '\0' || strlen(text) > 18 ||
        text[2 + strspn(text + 2, base == 16 ? "0123456789abcdefABCDEF" : "01234567")] != '\0') {
        return false;
    }
    unsigned long long value = strtoull(text + 2, NULL, base);
    *cell = value <= INT64_MAX ? cell_int64((int64_t)value) : cell_uint64(value);
    return true;
}

static bool read_special(const char *text, struct cell *cell)
{
    if (grammar_choice_has(".nan|.NaN|.NAN", text)) {
        *cell = cell_float64(NAN);
        return true;
    }
    const char *unsigned_text = text + (*text == '-' || *text == '+');
    if (grammar_choice_has(".inf|.Inf|.INF", unsigned_text)) {
        *cell = cell_float64(*text == '-' ? -INFINITY : INFINITY);
        return true;
    }
    return false;
}

enum status scalar_value(const struct plan_node *node, struct arena *arena, struct cell *cell)
{
    const char *text = node->text;
    *cell = cell_text(text, node->length);
    if (node->quoted) {
        return STATUS_OK;
    }
    if (plan_node_is_null(node)) {
        *cell = cell_null();
    } else if (grammar_choice_has("true|True|TRUE", text)) {
        *cell = cell_bool(1);
    } else if (grammar_choice_has("false|False|FALSE", text)) {
        *cell = cell_bool(0);
    } else if (is_decimal_form(text)) {
        int64_t whole;
        const char *digits = text + (*text == '+');
        if (strpbrk(text, ".eE") == NULL &&
            text_to_int64(digits, strlen(digits), &whole) == STATUS_OK) {
            *cell = cell_int64(whole);
        } else {
            return decimal_parse(text, node->length, arena, cell);
        }
    } else if (!read_based(text, cell)) {
        (void)read_special(text, cell);
    }
    return STATUS_OK;
}

struct value_type scalar_type(const struct cell *cell)
{
    struct value_type type = {.kind = (enum value_kind)cell->kind};
    if (cell->kind == VALUE_DECIMAL && (cell->flags & CELL_SMALL) != 0) {
        type.scale = cell->aux;
        type.precision = 18;
    }
    return type;
}

/* "(10,2)" or "(20)" or nothing, then the end. */
static bool read_arguments(const char *text, int32_t *precision, int32_t *scale)
{
    *precision = 0;
    *scale = 0;
    while (*text == ' ') {
        text++;
    }
    if (*text == '\0') {
        return true;
    }
    if (*text != '(') {
        return false;
    }
    char *end;
    long first = strtol(text + 1, &end, 10);
    long second = 0;
    if (end == text + 1 || first < 1 || first > 1000000) {
        return false;
    }
    if (*end == ',') {
        char *second_start = end + 1;
        second = strtol(second_start, &end, 10);
        if (end == second_start || second < 0 || second > first) {
            return false;
        }
    }
    *precision = (int32_t)first;
    *scale = (int32_t)second;
    return *end == ')' && end[1] == '\0';
}

bool scalar_parse_type(const char *text, struct value_type *type)
{
    size_t length = strcspn(text, " (");
    memset(type, 0, sizeof *type);
    if (strcmp(text, "timestamp with time zone") == 0) {
        type->kind = VALUE_TIMESTAMP;
        type->zoned = true;
        return true;
    }
    for (uint32_t i = 0; i < scalar_cast_name_count; i++) {
        const char *name = scalar_cast_names[i];
        if (strlen(name) == length && memcmp(name, text, length) == 0) {
            type->kind = value_kind_by_name(name);
            bool sized = type->kind == VALUE_DECIMAL || type->kind == VALUE_TEXT ||
                         type->kind == VALUE_BYTES;
            return read_arguments(text + length, &type->precision, &type->scale) &&
                   (sized || type->precision == 0) &&
                   (type->kind == VALUE_DECIMAL || type->scale == 0);
        }
    }
    return false;
}

enum epoch_unit scalar_epoch_unit(const char *text)
{
    static const char *const names[] = {[EPOCH_SECONDS] = "epoch_s",
                                        [EPOCH_MILLISECONDS] = "epoch_ms",
                                        [EPOCH_MICROSECONDS] = "epoch_us",
                                        [EPOCH_NANOSECONDS] = "epoch_ns"};
    for (unsigned i = EPOCH_SECONDS; text != NULL && i <= EPOCH_NANOSECONDS; i++) {
        if (strcmp(names[i], text) == 0) {
            return (enum epoch_unit)i;
        }
    }
    return EPOCH_NONE;
}

/* Length of the name before its arguments, without the blanks at its end. */
static size_t base_length(const char *native)
{
    size_t length = strcspn(native, "(");
    while (length > 0 && native[length - 1] == ' ') {
        length--;
    }
    return length;
}

bool scalar_native_type(const struct connector *connector, const char *native,
                        struct value_type *type)
{
    if (connector->catalog != NULL && connector->catalog->native_type != NULL) {
        return connector->catalog->native_type(native, type);
    }
    size_t length = base_length(native);
    for (uint32_t i = 0; i < connector->type_count; i++) {
        const struct type_mapping *row = &connector->types[i];
        if (base_length(row->native) == length && length > 0 &&
            strncasecmp(row->native, native, length) == 0) {
            memset(type, 0, sizeof *type);
            type->kind = row->kind;
            type->native = native;
            return read_arguments(native + strcspn(native, "("), &type->precision, &type->scale);
        }
    }
    return false;
}

const char *scalar_native_hint(const struct connector *connector, const char *native, char *hint,
                               size_t capacity)
{
    const char *names[NATIVE_NAMES_MAX];
    char name[NATIVE_NAME_BYTES_MAX];
    size_t count = 0;
    const char *const *known = connector->catalog != NULL ? connector->catalog->native_names : NULL;
    for (; known != NULL && known[count] != NULL && count < NATIVE_NAMES_MAX; count++) {
        names[count] = known[count];
    }
    for (uint32_t i = 0; known == NULL && i < connector->type_count && count < NATIVE_NAMES_MAX;
         i++) {
        names[count++] = connector->types[i].native;
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)base_length(native), native);
    const char *near = text_nearest(name, names, count);
    if (near != NULL && strcasecmp(near, name) == 0) {
        return "its numbers are (length) or (precision,scale), the scale not above the precision";
    }
    if (near != NULL) {
        (void)snprintf(hint, capacity, "did you mean '%s'?", near);
        return hint;
    }
    (void)snprintf(hint, capacity, "`transhume connectors %s` lists its types", connector->name);
    return hint;
}

/* ---------------------------------------------------------------- comparing */

static bool is_nothing(const struct cell *cell)
{
    return cell->kind == VALUE_NULL || cell->kind == VALUE_MISSING;
}

/* A whole number as the small decimal that it is; false if it is none or too large. */
static bool as_decimal(const struct cell *cell, struct cell *decimal)
{
    *decimal = *cell;
    if (cell->kind == VALUE_INT64 || (cell->kind == VALUE_UINT64 && cell->i64 >= 0)) {
        *decimal = (struct cell){.kind = VALUE_DECIMAL, .flags = CELL_SMALL, .i64 = cell->i64};
    }
    return decimal->kind == VALUE_DECIMAL;
}

bool scalar_equals(const struct cell *constant, const struct cell *value)
{
    struct cell left;
    struct cell right;
    if (is_nothing(constant) || is_nothing(value)) {
        return is_nothing(constant) && is_nothing(value);
    }
    if (as_decimal(constant, &left) && as_decimal(value, &right)) {
        return decimal_compare(&left, &right) == 0;
    }
    return value_equal(constant, value);
}
