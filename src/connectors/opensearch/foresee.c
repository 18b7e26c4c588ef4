/*
 * Would the index take a document? The server has no way to ask without writing, so its rules are
 * here: those of the field types of OpenSearch 2 and Elasticsearch 8 for values that are parsed. A
 * type or a date format that is not known here takes everything.
 */
#include "connectors/opensearch/foresee.h"

#include "base/text.h"
#include "model/convert.h"
#include "model/json_tree.h"
#include <arpa/inet.h>
#include <math.h>
#include <stdlib.h>

enum {
    TERM_BYTES_MAX = 32766, /* of Lucene; a longer keyword is refused unless it is ignored */
    DEPTH_MAX = 20,
    WHY_BYTES = 512
};

enum token { TOKEN_NULL, TOKEN_BOOL, TOKEN_NUMBER, TOKEN_TEXT, TOKEN_OBJECT };

/* A value as the document has it. */
struct token_value {
    enum token token;
    struct text text; /* digits of a NUMBER, contents of a TEXT, true and false */
    const struct cell *object;
};

struct judging {
    const json_t *mapping; /* of the whole index, for `dynamic` and date formats */
    struct arena *arena;
    struct buffer path;
    bool parsing; /* the refusal is one of a parser */
    char why[WHY_BYTES];
};

/* ---------------------------------------------------------------- numbers */

/* As Java's Double.parseDouble takes them: blanks around, "1d", "1f", NaN and Infinity. */
static bool read_double(const struct text *text, bool java, double *number)
{
    char digits[400];
    char *end = NULL;
    if (text->length == 0 || text->length >= sizeof(digits)) {
        return false;
    }
    memcpy(digits, text->data, text->length);
    digits[text->length] = '\0';
    if (strpbrk(digits, "xX") != NULL || strstr(digits, "nan") != NULL ||
        strstr(digits, "inf") != NULL) {
        return false;
    }
    *number = strtod(digits, &end);
    if (java && end != digits && (*end == 'd' || *end == 'D' || *end == 'f' || *end == 'F')) {
        end++;
    }
    while (java && *end == ' ') {
        end++;
    }
    return end != digits && *end == '\0';
}

static bool is_out_of_float(double number, const char *type)
{
    enum { HALF_FLOAT_END = 65520 };
    if (strcmp(type, "half_float") == 0) {
        return !(fabs(number) < HALF_FLOAT_END);
    }
    return strcmp(type, "float") == 0 ? !isfinite((float)number) : !isfinite(number);
}

/* Whole numbers beyond what a double tells apart are compared by their digits. */
static bool is_within(const struct text *text, double number, const char *type)
{
    static const struct {
        const char *type;
        double low;
        double high;
    } ranges[] = {
        {"byte", -129, 128}, {"short", -32769, 32768}, {"integer", -2147483649.0, 2147483648.0}};
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (strcmp(type, ranges[i].type) == 0) {
            return number > ranges[i].low && number < ranges[i].high;
        }
    }
    int64_t whole = 0;
    uint64_t large = 0;
    size_t length = 0;
    while (length < text->length && text->data[length] != '.') {
        length++;
    }
    if (memchr(text->data, 'e', text->length) != NULL ||
        memchr(text->data, 'E', text->length) != NULL) {
        return strcmp(type, "long") == 0 ? number >= -0x1p63 && number < 0x1p63
                                         : number > -1 && number < 0x1p64;
    }
    size_t sign = length > 0 && text->data[0] == '+';
    return strcmp(type, "long") == 0
               ? text_to_int64(text->data + sign, length - sign, &whole) == STATUS_OK
               : number > -1 && (number < 1 || text_to_uint64(text->data + sign, length - sign,
                                                              &large) == STATUS_OK);
}

static bool takes_number(const char *type, const struct token_value *value, bool coerces)
{
    bool whole = strcmp(type, "byte") == 0 || strcmp(type, "short") == 0 ||
                 strcmp(type, "integer") == 0 || strcmp(type, "long") == 0 ||
                 strcmp(type, "unsigned_long") == 0;
    double number = 0;
    if (value->token == TOKEN_TEXT && (!coerces || value->text.length == 0)) {
        return coerces;
    }
    if ((value->token != TOKEN_NUMBER && value->token != TOKEN_TEXT) ||
        !read_double(&value->text, value->token == TOKEN_TEXT && !whole, &number)) {
        return false;
    }
    if (whole) {
        bool blank = value->text.data[0] == ' ';
        return !blank && (coerces || number == floor(number)) &&
               is_within(&value->text, number, type);
    }
    return strcmp(type, "scaled_float") == 0 ? isfinite(number) : !is_out_of_float(number, type);
}

/* ---------------------------------------------------------------- times */

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* So many digits; false: there are others. */
static bool take_digits(struct text *text, size_t count, int *number)
{
    *number = 0;
    for (size_t at = 0; at < count; at++) {
        if (at >= text->length || !is_digit(text->data[at])) {
            return false;
        }
        *number = *number * 10 + (text->data[at] - '0');
    }
    *text = (struct text){text->data + count, text->length - count};
    return true;
}

static bool take_byte(struct text *text, char byte)
{
    bool found = text->length > 0 && text->data[0] == byte;
    *text = found ? (struct text){text->data + 1, text->length - 1} : *text;
    return found;
}

/* Four digits, or a sign and up to nine. */
static bool take_year(struct text *text, int *year)
{
    enum { YEAR_DIGITS = 4, YEAR_DIGITS_MAX = 9 };
    bool minus = take_byte(text, '-');
    bool sign = minus || take_byte(text, '+');
    size_t count = 0;
    while (count < text->length && is_digit(text->data[count])) {
        count++;
    }
    bool good = count >= YEAR_DIGITS && count <= (sign ? YEAR_DIGITS_MAX : YEAR_DIGITS) &&
                take_digits(text, count, year);
    *year = minus ? -*year : *year;
    return good;
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

static bool take_zone(struct text *text)
{
    int hours = 0;
    int minutes = 0;
    if (take_byte(text, 'Z')) {
        return true;
    }
    if (!take_byte(text, '+') && !take_byte(text, '-')) {
        return false;
    }
    if (!take_digits(text, 2, &hours)) {
        return false;
    }
    if (text->length > 0 && (take_byte(text, ':') || is_digit(text->data[0])) &&
        !take_digits(text, 2, &minutes)) {
        return false;
    }
    return hours <= 18 && minutes < 60;
}

static bool take_fraction(struct text *text)
{
    enum { DIGITS_MAX = 9 };
    size_t count = 0;
    if (!take_byte(text, '.') && !take_byte(text, ',')) {
        return true;
    }
    while (count < text->length && is_digit(text->data[count])) {
        count++;
    }
    *text = (struct text){text->data + count, text->length - count};
    return count > 0 && count <= DIGITS_MAX;
}

/* 'T' and what may follow it. */
static bool take_clock(struct text *text)
{
    int number[3] = {0, 0, 0};
    if (text->length == 0) {
        return true;
    }
    for (int part = 0; part < 3; part++) {
        if (part > 0 && !take_byte(text, ':')) {
            break;
        }
        if (!take_digits(text, 2, &number[part])) {
            return false;
        }
    }
    bool good = number[0] < 24 && number[1] < 60 && number[2] < 60 && take_fraction(text);
    return good && (text->length == 0 || (take_zone(text) && text->length == 0));
}

/* strict_date_optional_time */
static bool is_iso(struct text text, int *year)
{
    int month = 1;
    int day = 1;
    if (!take_year(&text, year)) {
        return false;
    }
    if (take_byte(&text, '-')) {
        if (!take_digits(&text, 2, &month) || month < 1 || month > 12) {
            return false;
        }
        if (take_byte(&text, '-') && !take_digits(&text, 2, &day)) {
            return false;
        }
    }
    if (day < 1 || day > days_of(*year, month)) {
        return false;
    }
    return text.length == 0 || (take_byte(&text, 'T') && take_clock(&text));
}

/* "yyyy-MM-dd" and the like: letters stand for as many digits, all else for itself. */
static bool fits_pattern(struct text text, const char *pattern, size_t length)
{
    for (size_t at = 0; at < length;) {
        int number = 0;
        size_t count = 1;
        while (at + count < length && pattern[at + count] == pattern[at]) {
            count++;
        }
        if (strchr("yuMdHms", pattern[at]) != NULL) {
            if (!take_digits(&text, count, &number) || (pattern[at] == 'M' && number > 12) ||
                (pattern[at] == 'd' && (number < 1 || number > 31))) {
                return false;
            }
        } else {
            for (size_t i = 0; i < count; i++) {
                if (!take_byte(&text, pattern[at])) {
                    return false;
                }
            }
        }
        at += count;
    }
    return text.length == 0;
}

static bool is_plain_pattern(const char *pattern, size_t length)
{
    for (size_t at = 0; at < length; at++) {
        if (strchr("yuMdHms-/:. ", pattern[at]) == NULL) {
            return false;
        }
    }
    return true;
}

/* A count of milliseconds or seconds, a fraction with it. */
static bool is_epoch(struct text text, bool seconds)
{
    enum { MILLI_DIGITS_MAX = 6, SECOND_DIGITS_MAX = 9 };
    size_t length = 0;
    int64_t count = 0;
    while (length < text.length && text.data[length] != '.') {
        length++;
    }
    if (text_to_int64(text.data, length, &count) != STATUS_OK || count == INT64_MIN ||
        text.data[0] == '+') {
        return false;
    }
    size_t digits = text.length > length ? text.length - length - 1 : 0;
    for (size_t at = length + 1; at < text.length; at++) {
        if (!is_digit(text.data[at])) {
            return false;
        }
    }
    return (text.length == length || digits > 0) &&
           digits <= (size_t)(seconds ? SECOND_DIGITS_MAX : MILLI_DIGITS_MAX) &&
           (!seconds || (count < INT64_MAX / 1000 && count > INT64_MIN / 1000));
}

/* One of several formats with || between. */
static bool fits_format(const struct text *text, const char *format, size_t length)
{
    static const struct {
        const char *name;
        bool iso;
        bool seconds;
    } known[] = {{"strict_date_optional_time", true, false},
                 {"strict_date_optional_time_nanos", true, false},
                 {"epoch_millis", false, false},
                 {"epoch_second", false, true}};
    int year = 0;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strlen(known[i].name) == length && strncmp(known[i].name, format, length) == 0) {
            return known[i].iso ? is_iso(*text, &year) : is_epoch(*text, known[i].seconds);
        }
    }
    return !is_plain_pattern(format, length) || fits_pattern(*text, format, length);
}

/* From 1970 to 2262-04-11. */
static bool is_in_nanos(const struct text *text)
{
    enum { YEAR_FIRST = 1970, YEAR_END = 2262 };
    const int64_t end_ms = INT64_C(9223372036854);
    int64_t ms = 0;
    int year = 0;
    if (is_iso(*text, &year) && text->length >= 5) {
        return year >= YEAR_FIRST && year < YEAR_END;
    }
    return text_to_int64(text->data, text->length, &ms) != STATUS_OK || (ms >= 0 && ms <= end_ms);
}

static bool takes_date(const json_t *property, const char *type, const struct token_value *value)
{
    const char *format = json_string_value(json_object_get(property, "format"));
    bool found = false;
    if (value->token == TOKEN_OBJECT || value->text.length == 0) {
        return false;
    }
    format = format != NULL ? format : "strict_date_optional_time||epoch_millis";
    for (const char *at = format; !found && *at != '\0';) {
        const char *next = strstr(at, "||");
        size_t length = next != NULL ? (size_t)(next - at) : strlen(at);
        found = fits_format(&value->text, at, length);
        at += length + (next != NULL ? 2 : 0);
    }
    return found && (strcmp(type, "date_nanos") != 0 || is_in_nanos(&value->text));
}

/* ---------------------------------------------------------------- other types */

static bool takes_address(const struct token_value *value)
{
    char address[INET6_ADDRSTRLEN + 1];
    uint8_t bytes[16];
    const char *scope = value->text.data != NULL
                            ? memchr(value->text.data, '%', value->text.length)
                            : NULL;
    size_t length = scope != NULL ? (size_t)(scope - value->text.data) : value->text.length;
    if (value->token == TOKEN_OBJECT || length == 0 || length >= sizeof(address)) {
        return false;
    }
    memcpy(address, value->text.data, length);
    address[length] = '\0';
    return inet_pton(AF_INET, address, bytes) == 1 || inet_pton(AF_INET6, address, bytes) == 1;
}

static bool takes_truth(const struct token_value *value)
{
    const struct text *text = &value->text;
    return value->token == TOKEN_BOOL ||
           (value->token == TOKEN_TEXT &&
            (text->length == 0 || (text->length == 4 && memcmp(text->data, "true", 4) == 0) ||
             (text->length == 5 && memcmp(text->data, "false", 5) == 0)));
}

static bool is_ignored(const json_t *property, size_t length)
{
    const json_t *above = json_object_get(property, "ignore_above");
    return json_is_integer(above) && length > (size_t)json_integer_value(above);
}

static bool is_searched(const json_t *property)
{
    return !json_is_false(json_object_get(property, "index")) ||
           !json_is_false(json_object_get(property, "doc_values"));
}

static bool is_among(const char *type, const char *const *types)
{
    while (*types != NULL && strcmp(*types, type) != 0) {
        types++;
    }
    return *types != NULL;
}

/* NULL: it is taken. */
static bool takes_value(struct judging *judging, const json_t *property, const char *type,
                        const struct token_value *value)
{
    static const char *const numbers[] = {"byte",       "short", "integer", "long",
                                          "half_float", "float", "double",  "scaled_float",
                                          "unsigned_long", NULL};
    static const char *const texts[] = {"text", "match_only_text", "keyword", "wildcard", NULL};
    if (is_among(type, numbers)) {
        return takes_number(type, value, !json_is_false(json_object_get(property, "coerce")));
    }
    if (strcmp(type, "date") == 0 || strcmp(type, "date_nanos") == 0) {
        return takes_date(property, type, value);
    }
    if (strcmp(type, "boolean") == 0) {
        return takes_truth(value);
    }
    if (strcmp(type, "ip") == 0) {
        return takes_address(value);
    }
    if (is_among(type, texts)) {
        judging->parsing = value->token == TOKEN_OBJECT;
        return value->token != TOKEN_OBJECT &&
               (strcmp(type, "keyword") != 0 || value->text.length <= TERM_BYTES_MAX ||
                is_ignored(property, value->text.length) || !is_searched(property));
    }
    return strcmp(type, "binary") != 0 || value->token != TOKEN_OBJECT;
}

/* ---------------------------------------------------------------- values */

static bool judge_value(struct judging *judging, const json_t *property, const struct cell *cell,
                        uint32_t depth, bool listed);

static bool judge_fields(struct judging *judging, const json_t *mapping, const struct cell *map,
                         uint32_t depth)
{
    const json_t *properties = json_object_get(mapping, "properties");
    const char *dynamic = json_string_value(json_object_get(mapping, "dynamic"));
    for (uint32_t at = 0; at < map->length; at++) {
        const struct cell *name = &map->items[2 * (size_t)at];
        size_t before = judging->path.length;
        if (name->kind != VALUE_TEXT) {
            continue;
        }
        const char *known = arena_copy(judging->arena, name->text, name->length);
        const json_t *property = json_object_get(properties, known);
        buffer_format(&judging->path, "%s%s", before > 0 ? "." : "", known);
        if (property == NULL && dynamic != NULL && strcmp(dynamic, "strict") == 0) {
            judging->parsing = false;
            snprintf(judging->why, sizeof(judging->why),
                     "strict_dynamic_mapping_exception: mapping set to strict, dynamic "
                     "introduction of [%s] within [_doc] is not allowed",
                     known);
            return false;
        }
        if (property != NULL && !judge_value(judging, property, name + 1, depth + 1, false)) {
            return false;
        }
        judging->path.length = before;
    }
    return true;
}

static bool refuse_concrete(struct judging *judging, bool listed)
{
    const char *path = buffer_string(&judging->path);
    const char *last = strrchr(path, '.');
    judging->parsing = true;
    snprintf(judging->why, sizeof(judging->why),
             "mapper_parsing_exception: object mapping for [%s] tried to parse field [%s] as "
             "object, but found a concrete value",
             path, listed ? "null" : last != NULL ? last + 1 : path);
    return false;
}

static bool judge_token(struct judging *judging, const json_t *property,
                        const struct token_value *value, uint32_t depth, bool listed)
{
    const char *type = json_string_value(json_object_get(property, "type"));
    type = type != NULL ? type : "object";
    if (value->token == TOKEN_NULL || json_is_false(json_object_get(property, "enabled"))) {
        return true;
    }
    if (strcmp(type, "object") == 0 || strcmp(type, "nested") == 0) {
        return value->token == TOKEN_OBJECT
                   ? judge_fields(judging, property, value->object, depth)
                   : refuse_concrete(judging, listed);
    }
    judging->parsing = true;
    if (takes_value(judging, property, type, value) ||
        json_is_true(json_object_get(property, "ignore_malformed"))) {
        return true;
    }
    snprintf(judging->why, sizeof(judging->why),
             judging->parsing
                 ? "mapper_parsing_exception: failed to parse field [%s] of type [%s]"
                 : "illegal_argument_exception: Document contains at least one immense term in "
                   "field=\"%s\"",
             buffer_string(&judging->path), type);
    return false;
}

static struct token_value scalar_token(struct judging *judging, const struct cell *cell)
{
    struct buffer json = {0};
    struct error ignored;
    struct token_value value = {0};
    if (cell->kind <= VALUE_NULL) {
        return value;
    }
    value.token = cell->kind == VALUE_BOOL ? TOKEN_BOOL
                  : value_kind_is_number((enum value_kind)cell->kind) ? TOKEN_NUMBER
                                                                      : TOKEN_TEXT;
    if (cell->kind == VALUE_TEXT) {
        value.text = (struct text){cell->text, cell->length};
        return value;
    }
    if (opensearch_value_append(cell, &json, &ignored) == STATUS_OK) {
        size_t quotes = value.token == TOKEN_TEXT && json.length >= 2 ? 1 : 0;
        value.text.length = json.length - 2 * quotes;
        value.text.data = arena_copy(judging->arena, json.data + quotes, value.text.length);
    }
    buffer_free(&json);
    return value;
}

static bool judge_value(struct judging *judging, const json_t *property, const struct cell *cell,
                        uint32_t depth, bool listed)
{
    struct cell read;
    struct error ignored;
    if (depth > DEPTH_MAX || cell->kind == VALUE_LARGE || cell->kind == VALUE_ESCAPE) {
        return true;
    }
    if (cell->kind == VALUE_JSON) {
        return convert_read_json(cell->text, cell->length, judging->arena, &read, &ignored) !=
                   STATUS_OK ||
               judge_value(judging, property, &read, depth + 1, listed);
    }
    if (cell->kind == VALUE_LIST || cell->kind == VALUE_SET) {
        for (uint32_t at = 0; at < cell->length; at++) {
            if (!judge_value(judging, property, &cell->items[at], depth + 1, true)) {
                return false;
            }
        }
        return true;
    }
    const struct token_value value = cell->kind == VALUE_MAP
                                         ? (struct token_value){TOKEN_OBJECT, {0}, cell}
                                         : scalar_token(judging, cell);
    return judge_token(judging, property, &value, depth, listed);
}

/* ---------------------------------------------------------------- documents */

static enum status refuse(const struct judging *judging, const struct keyed_record *record,
                          struct text name, struct error *error)
{
    struct buffer id = {0};
    struct error ignored;
    char shown[80];
    bool named = judging->parsing && strstr(judging->why, "failed to parse") != NULL &&
                 opensearch_id_append(record->table, record->key, &id, &ignored) == STATUS_OK;
    error_set(error, judging->parsing ? ERROR_REJECT_TYPE : ERROR_REJECT_CONSTRAINT, NULL,
              named ? "%s in document with id '%.*s'" : "%s", judging->why, (int)id.length,
              id.data);
    text_printable(name.data, name.length, shown, sizeof(shown));
    buffer_free(&id);
    return error_name_object(error, shown);
}

enum status opensearch_foresee(const json_t *mapping, const struct keyed_record *record,
                               struct error *error)
{
    uint32_t count = record->shape != NULL ? record->shape->field_count : record->cells->length;
    struct judging judging = {.mapping = mapping, .arena = arena_create(0)};
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < count && status == STATUS_OK; at++) {
        const struct cell *pair =
            record->shape != NULL ? NULL : &record->cells->items[2 * (size_t)at];
        const struct shape_field *field =
            record->shape != NULL ? &record->shape->fields[at] : NULL;
        const struct text name = field != NULL ? (struct text){field->name, field->name_length}
                                               : (struct text){pair->text, pair->length};
        struct cell items[2] = {cell_text(name.data, name.length),
                                field != NULL ? record->cells[at] : pair[1]};
        const struct cell one = {.kind = VALUE_MAP, .length = 1, .items = items};
        buffer_clear(&judging.path);
        if (items[1].kind > VALUE_NULL && strcmp(items[0].text, OPENSEARCH_ID) != 0 &&
            !judge_fields(&judging, mapping, &one, 0)) {
            status = refuse(&judging, record, name, error);
        }
    }
    buffer_free(&judging.path);
    arena_destroy(judging.arena);
    return status;
}

enum status opensearch_foresee_mapping(struct opensearch_database *self,
                                       const struct target_table *table, json_t **mapping,
                                       struct error *error)
{
    struct buffer body = {0};
    json_error_t ignored;
    struct opensearch_index *index = NULL;
    json_t *root = NULL;
    *mapping = NULL;
    if (table->created) {
        opensearch_create_append(self, table, "", &body);
        root = json_tree_load(body.data, body.length, JSON_ALLOW_NUL, &ignored);
        *mapping = json_incref(json_object_get(root, "mappings"));
        json_decref(root);
        buffer_free(&body);
        return *mapping != NULL ? STATUS_OK : STATUS_END;
    }
    struct arena *arena = arena_create(0);
    enum status status = opensearch_find_one(self, table->name, arena, &index, error);
    if (status == STATUS_OK && index->mapping != NULL) {
        *mapping = json_tree_load(index->mapping, strlen(index->mapping), JSON_ALLOW_NUL, &ignored);
    }
    arena_destroy(arena);
    return status;
}
