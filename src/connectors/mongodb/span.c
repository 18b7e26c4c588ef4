/* Ranges of _id as the server orders values of all types, and the filters that find them. */
#include "connectors/mongodb/mongodb.h"

#include "base/bytes.h"

enum { LENGTH_BYTES = 4 };

/*
 * The classes of types in the order in which a server sorts their values, each by the numbers of
 * its types, as $type takes them.
 * https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
 */
static const struct {
    int32_t types[4];
    uint32_t count;
} classes[] = {
    {{-1}, 1},            /* minKey */
    {{6, 10}, 2},         /* undefined, null */
    {{1, 16, 18, 19}, 4}, /* numbers */
    {{2, 14}, 2},         /* string, symbol */
    {{3}, 1},             /* object */
    {{4}, 1},             /* array */
    {{5}, 1},             /* binData */
    {{7}, 1},             /* objectId */
    {{8}, 1},             /* bool */
    {{9}, 1},             /* date */
    {{17}, 1},            /* timestamp */
    {{11}, 1},            /* regex */
    {{12}, 1},            /* dbPointer */
    {{13}, 1},            /* javascript */
    {{15}, 1},            /* javascriptWithScope */
    {{127}, 1},           /* maxKey */
};
enum { CLASS_COUNT = sizeof(classes) / sizeof(*classes), CLASS_NUMBERS = 2 };

static uint32_t class_of(uint8_t type)
{
    int32_t number = type == BSON_TYPE_MINKEY ? -1 : type;
    for (uint32_t at = 0; at < CLASS_COUNT; at++) {
        for (uint32_t own = 0; own < classes[at].count; own++) {
            if (classes[at].types[own] == number) {
                return at;
            }
        }
    }
    return CLASS_COUNT;
}

/* ---------------------------------------------------------------- filters */

static void append_operand(struct buffer *out, const char *operator,
                           const struct mongodb_element * bound)
{
    mongodb_write_head(out, bound->type, operator, strlen(operator));
    buffer_append(out, bound->value, bound->value_length);
}

/* {_id: {$gte: LOW, $lt: HIGH}}, of which one may be NULL. */
static void append_range(struct buffer *out, uint32_t *count, const struct mongodb_element *low,
                         const struct mongodb_element *high)
{
    char digits[12];
    (void)mongodb_write_index((*count)++, digits);
    size_t item = mongodb_write_open(out, digits, BSON_TYPE_DOCUMENT);
    size_t field = mongodb_write_open(out, MONGODB_ID, BSON_TYPE_DOCUMENT);
    if (low != NULL) {
        append_operand(out, "$gte", low);
    }
    if (high != NULL) {
        append_operand(out, "$lt", high);
    }
    mongodb_write_end(out, field);
    mongodb_write_end(out, item);
}

/* NaN is before all other numbers, and no comparison finds it. */
static void append_nan(struct buffer *out, uint32_t *count)
{
    char digits[12];
    static const uint8_t nan_bytes[] = {0, 0, 0, 0, 0, 0, 0xf8, 0x7f};
    (void)mongodb_write_index((*count)++, digits);
    size_t item = mongodb_write_open(out, digits, BSON_TYPE_DOCUMENT);
    mongodb_write_head(out, BSON_TYPE_DOUBLE, MONGODB_ID, strlen(MONGODB_ID));
    buffer_append(out, nan_bytes, sizeof(nan_bytes));
    mongodb_write_end(out, item);
}

/* {_id: {$type: [NUMBER, …]}} of the classes from `first` on, before `end`. */
static void append_types(struct buffer *out, uint32_t *count, uint32_t first, uint32_t end)
{
    char digits[12];
    uint32_t place = 0;
    if (first >= end) {
        return;
    }
    (void)mongodb_write_index((*count)++, digits);
    size_t item = mongodb_write_open(out, digits, BSON_TYPE_DOCUMENT);
    size_t field = mongodb_write_open(out, MONGODB_ID, BSON_TYPE_DOCUMENT);
    size_t list = mongodb_write_open(out, "$type", BSON_TYPE_ARRAY);
    for (uint32_t at = first; at < end; at++) {
        for (uint32_t own = 0; own < classes[at].count; own++) {
            (void)mongodb_write_index(place++, digits);
            mongodb_write_int32(out, digits, classes[at].types[own]);
        }
    }
    mongodb_write_end(out, list);
    mongodb_write_end(out, field);
    mongodb_write_end(out, item);
}

static void append_pieces(struct buffer *out, const struct mongodb_element *low,
                          const struct mongodb_element *high)
{
    uint32_t count = 0;
    uint32_t first = low != NULL ? class_of(low->type) : 0;
    uint32_t last = high != NULL ? class_of(high->type) : CLASS_COUNT;
    if (low != NULL && high != NULL && first == last) {
        append_range(out, &count, low, high);
        return;
    }
    if (low != NULL) {
        append_range(out, &count, low, NULL);
    }
    append_types(out, &count, low != NULL ? first + 1 : 0, last);
    if (high != NULL) {
        append_range(out, &count, NULL, high);
        if (last == CLASS_NUMBERS) {
            append_nan(out, &count);
        }
    }
}

enum status mongodb_span_filter(const struct mongodb_element *low,
                                const struct mongodb_element *high, struct buffer *out,
                                struct error *error)
{
    if ((low != NULL && class_of(low->type) == CLASS_COUNT) ||
        (high != NULL && class_of(high->type) == CLASS_COUNT)) {
        return error_set(error, ERROR_LEDGER_INVALID, NULL, "a span's bounds are damaged");
    }
    size_t whole = mongodb_write_begin(out);
    if (low != NULL || high != NULL) {
        size_t list = mongodb_write_open(out, "$or", BSON_TYPE_ARRAY);
        append_pieces(out, low, high);
        mongodb_write_end(out, list);
    }
    mongodb_write_end(out, whole);
    return STATUS_OK;
}

/* ---------------------------------------------------------------- bounds */

static void write_bound(const struct buffer *bound, struct buffer *out)
{
    uint8_t digits[LENGTH_BYTES];
    bytes_put_le(digits, bound != NULL ? bound->length : 0, LENGTH_BYTES);
    buffer_append(out, digits, LENGTH_BYTES);
    if (bound != NULL) {
        buffer_append(out, bound->data, bound->length);
    }
}

void mongodb_span_write(const struct buffer *low, const struct buffer *high, struct buffer *out)
{
    write_bound(low, out);
    write_bound(high, out);
}

static bool read_bound(const uint8_t **at, const uint8_t *end, struct mongodb_element *bound,
                       bool *has)
{
    struct mongodb_walk walk;
    struct error ignored;
    if (end - *at < LENGTH_BYTES) {
        return false;
    }
    uint64_t length = bytes_get_le(*at, LENGTH_BYTES);
    *at += LENGTH_BYTES;
    *has = length > 0;
    if ((uint64_t)(end - *at) < length) {
        return false;
    }
    const uint8_t *document = *at;
    *at += length;
    return length == 0 || (mongodb_walk_begin(&walk, document, (size_t)length) &&
                           mongodb_walk_next(&walk, bound, &ignored) == STATUS_OK);
}

bool mongodb_span_read(const struct span *span, struct mongodb_element *low, bool *has_low,
                       struct mongodb_element *high, bool *has_high)
{
    const uint8_t *at = span->bounds;
    const uint8_t *end = at + span->bounds_length;
    return read_bound(&at, end, low, has_low) && read_bound(&at, end, high, has_high) && at == end;
}
