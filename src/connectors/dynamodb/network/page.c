/*
 * Finding the parts of a page without parsing its items: these are copied one by one, and read
 * then. What is read here came with a checksum and is well-formed; if it is not, nothing is read
 * beyond its end.
 */
#include "connectors/dynamodb/network/page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_BYTES_MAX = 40 };

/* ---------------------------------------------------------------- values and their ends */

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    return at;
}

/* Behind the closing quote of the string that begins at `at`; NULL: it has none. */
static const char *string_end(const char *at, const char *end)
{
    const char *from = at + 1;
    for (;;) {
        const char *quote = (const char *)memchr(from, '"', (size_t)(end - from));
        if (quote == NULL) {
            return NULL;
        }
        const char *before = quote;
        while (before > at + 1 && before[-1] == '\\') {
            before--;
        }
        if ((quote - before) % 2 == 0) {
            return quote + 1;
        }
        from = quote + 1;
    }
}

/* Behind the bracket that closes the one at `at`. */
static const char *container_end(const char *at, const char *end)
{
    uint64_t depth = 0;
    while (at != NULL && at < end) {
        switch (*at) {
        case '"':
            at = string_end(at, end);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            depth--;
            if (depth == 0) {
                return at + 1;
            }
            break;
        default:
            break;
        }
        at++;
    }
    return NULL;
}

static const char *value_end(const char *at, const char *end)
{
    if (at == end) {
        return NULL;
    }
    if (*at == '"') {
        return string_end(at, end);
    }
    if (*at == '{' || *at == '[') {
        return container_end(at, end);
    }
    const char *from = at;
    while (at < end && strchr(",}] \t\r\n", *at) == NULL) {
        at++;
    }
    return at > from ? at : NULL;
}

/* ---------------------------------------------------------------- members */

/* Takes the next `"name":value` off `rest`, which begins after '{' or after a value. END: '}'. */
static enum status next_member(struct text *rest, struct text *name, struct text *value)
{
    const char *end = rest->data + rest->length;
    const char *at = skip_space(rest->data, end);
    if (at < end && *at == ',') {
        at = skip_space(at + 1, end);
    }
    if (at < end && *at == '}') {
        return STATUS_END;
    }
    const char *name_end = at < end && *at == '"' ? string_end(at, end) : NULL;
    const char *colon = name_end != NULL ? skip_space(name_end, end) : end;
    if (name_end == NULL || colon == end || *colon != ':') {
        return STATUS_FAILED;
    }
    const char *start = skip_space(colon + 1, end);
    const char *stop = value_end(start, end);
    if (stop == NULL) {
        return STATUS_FAILED;
    }
    *name = (struct text){at + 1, (size_t)(name_end - at) - 2};
    *value = (struct text){start, (size_t)(stop - start)};
    *rest = (struct text){stop, (size_t)(end - stop)};
    return STATUS_OK;
}

static bool is_named(struct text name, const char *wanted)
{
    return name.length == strlen(wanted) && memcmp(name.data, wanted, name.length) == 0;
}

static bool inside(struct text object, struct text *rest)
{
    const char *end = object.data + object.length;
    const char *at = skip_space(object.data, end);
    if (at == end || *at != '{') {
        return false;
    }
    *rest = (struct text){at + 1, (size_t)(end - at) - 1};
    return true;
}

bool dynamodb_page_member(struct text object, const char *name, struct text *value)
{
    struct text rest;
    struct text found;
    struct text text;
    if (!inside(object, &rest)) {
        return false;
    }
    while (next_member(&rest, &found, &text) == STATUS_OK) {
        if (is_named(found, name)) {
            *value = text;
            return true;
        }
    }
    return false;
}

/* ---------------------------------------------------------------- the page */

static uint64_t read_milliunits(struct text capacity)
{
    struct text number;
    char digits[NUMBER_BYTES_MAX + 1];
    if (!dynamodb_page_member(capacity, "CapacityUnits", &number) ||
        number.length > NUMBER_BYTES_MAX) {
        return 0;
    }
    memcpy(digits, number.data, number.length);
    digits[number.length] = '\0';
    double units = strtod(digits, NULL);
    return units > 0 && units < 1e9 ? (uint64_t)llround(units * 1000) : 0;
}

static enum status not_a_page(struct error *error, const char *what)
{
    return error_set(error, ERROR_REJECT_UNREADABLE, NULL, "the answer is no page of items: %s",
                     what);
}

static enum status read_member(struct text name, struct text value, struct dynamodb_page *page,
                               bool *has_items, struct error *error)
{
    if (is_named(name, "Items")) {
        if (*has_items || value.data[0] != '[') {
            return not_a_page(error, "Items is no list");
        }
        *has_items = true;
        page->items = (struct text){value.data + 1, value.length - 2};
    } else if (is_named(name, "LastEvaluatedKey") && value.data[0] == '{') {
        page->rest = value;
    } else if (is_named(name, "Count")) {
        if (text_to_uint64(value.data, value.length, &page->count) != STATUS_OK) {
            return not_a_page(error, "Count is no number");
        }
    } else if (is_named(name, "ConsumedCapacity")) {
        page->milliunits = read_milliunits(value);
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- items by their keys */

/* The list that the one table's entry of `tables` is, or has as "Keys"; empty: there is no entry.
 */
static enum status find_list(struct text tables, const char *table, bool keys, struct text *list,
                             struct error *error)
{
    struct text rest;
    struct text name;
    struct text value;
    *list = (struct text){0};
    if (!inside(tables, &rest)) {
        return not_a_page(error, "what it has by table is no object");
    }
    enum status status = next_member(&rest, &name, &value);
    if (status == STATUS_END) {
        return STATUS_OK;
    }
    if (status != STATUS_OK || !is_named(name, table) ||
        (keys && !dynamodb_page_member(value, "Keys", &value)) || value.data[0] != '[') {
        return not_a_page(error, "it is of another table");
    }
    *list = value;
    return STATUS_OK;
}

static bool is_empty_list(struct text list)
{
    const char *end = list.data + list.length;
    return list.length == 0 || skip_space(list.data + 1, end) == end - 1;
}

static enum status read_batch_member(struct text name, struct text value, const char *table,
                                     struct dynamodb_page *page, bool *has_items,
                                     struct error *error)
{
    struct text list;
    if (is_named(name, "Responses")) {
        *has_items = true;
        if (find_list(value, table, false, &list, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        page->items = list.length > 0 ? (struct text){list.data + 1, list.length - 2} : page->items;
    } else if (is_named(name, "UnprocessedKeys")) {
        if (find_list(value, table, true, &list, error) != STATUS_OK) {
            return STATUS_FAILED;
        }
        page->rest = is_empty_list(list) ? (struct text){0} : list;
    } else if (is_named(name, "ConsumedCapacity") && value.data[0] == '[') {
        page->milliunits = read_milliunits((struct text){value.data + 1, value.length - 2});
    }
    return STATUS_OK;
}

/* ---------------------------------------------------------------- answers */

/* `table`: whose items an answer to a BatchGetItem has; NULL: it is one to a Scan or Query. */
static enum status read_members(struct text answer, const char *table, struct dynamodb_page *page,
                                bool *has_items, struct error *error)
{
    struct text rest;
    struct text name;
    struct text value;
    enum status status = STATUS_OK;
    if (answer.length == 0 || !inside(answer, &rest)) {
        return not_a_page(error, "it is no object");
    }
    while (status == STATUS_OK) {
        status = next_member(&rest, &name, &value);
        if (status == STATUS_FAILED) {
            return not_a_page(error, "it breaks off");
        }
        if (status == STATUS_OK) {
            status = table == NULL ? read_member(name, value, page, has_items, error)
                                   : read_batch_member(name, value, table, page, has_items, error);
        }
    }
    return status == STATUS_END ? STATUS_OK : STATUS_FAILED;
}

enum status dynamodb_page_read(const char *text, size_t length, struct dynamodb_page *page,
                               struct error *error)
{
    bool has_items = false;
    *page = (struct dynamodb_page){.count = UINT64_MAX};
    if (read_members((struct text){text, length}, NULL, page, &has_items, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return has_items && page->count != UINT64_MAX
               ? STATUS_OK
               : not_a_page(error, "it has no Items or no Count");
}

enum status dynamodb_page_read_batch(const char *text, size_t length, const char *table,
                                     struct dynamodb_page *page, struct error *error)
{
    bool has_items = false;
    *page = (struct dynamodb_page){.items = {text, 0}, .count = UINT64_MAX};
    if (read_members((struct text){text, length}, table, page, &has_items, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return has_items ? STATUS_OK : not_a_page(error, "it has no Responses");
}

/* ---------------------------------------------------------------- items */

enum status dynamodb_page_next(struct dynamodb_page *page, struct text *item, struct error *error)
{
    const char *end = page->items.data + page->items.length;
    const char *at = skip_space(page->items.data, end);
    if (at < end && *at == ',' && page->read > 0) {
        at = skip_space(at + 1, end);
    }
    if (at == end) {
        return page->read == page->count || page->count == UINT64_MAX
                   ? STATUS_END
                   : error_set(error, ERROR_REJECT_UNREADABLE, NULL,
                               "the answer says that it has %llu items, and has %llu",
                               (unsigned long long)page->count, (unsigned long long)page->read);
    }
    const char *stop = *at == '{' ? value_end(at, end) : NULL;
    if (stop == NULL) {
        return not_a_page(error, "an item is no object");
    }
    *item = (struct text){at, (size_t)(stop - at)};
    page->items = (struct text){stop, (size_t)(end - stop)};
    page->read++;
    return STATUS_OK;
}
