/* Values in columns of texts and of JSON. */
#include "connectors/sql/normal_column.h"
#include "model/convert.h"
#include <arpa/inet.h>
#include <string.h>

static void keep_text(const struct buffer *text, bool padded, struct arena *arena,
                      struct cell *normal)
{
    size_t length = text->length;
    while (padded && length > 0 && text->data[length - 1] == ' ') {
        length--;
    }
    *normal = cell_text(arena_copy(arena, text->data, length), length);
}

enum status sql_text_in_column(const struct sql_rules *rules, const struct cell *cell, bool padded,
                               struct arena *arena, struct cell *normal, struct error *error)
{
    struct buffer text = {0};
    if (cell->kind == VALUE_TEXT && !padded) {
        *normal = cell_text(cell->text, cell->length);
        return STATUS_OK;
    }
    enum status status = sql_append_column_text(rules, cell, &text, error);
    if (status == STATUS_OK) {
        keep_text(&text, padded, arena, normal);
    }
    buffer_free(&text);
    return status;
}

enum status sql_address_in_column(struct cell *text, struct arena *arena, struct error *error)
{
    (void)error;
    unsigned char address[sizeof(struct in6_addr)];
    char words[INET6_ADDRSTRLEN + 1];
    const char *slash = memchr(text->text, '/', text->length);
    size_t length = slash != NULL ? (size_t)(slash - text->text) : text->length;
    if (length >= sizeof words) {
        return STATUS_OK;
    }
    memcpy(words, text->text, length);
    words[length] = '\0';
    int family = strchr(words, ':') != NULL ? AF_INET6 : AF_INET;
    if (inet_pton(family, words, address) != 1 ||
        inet_ntop(family, address, words, sizeof words) == NULL) {
        return STATUS_OK;
    }
    const char *whole = family == AF_INET6 ? "/128" : "/32";
    size_t mask_length = text->length - length;
    bool single = mask_length == strlen(whole) && memcmp(slash, whole, mask_length) == 0;
    const char *made = arena_format(arena, "%s%.*s", words, single ? 0 : (int)mask_length,
                                    slash != NULL ? slash : "");
    *text = cell_text(made, strlen(made));
    return STATUS_OK;
}

enum status sql_json_in_column(const struct cell *cell, enum sql_json_told told,
                               struct arena *arena, struct cell *normal, struct error *error)
{
    struct buffer text = {0};
    struct buffer canonical = {0};
    enum status status = STATUS_OK;
    if (cell->kind == VALUE_JSON) {
        buffer_append(&text, cell->text, cell->length);
    } else {
        status = convert_append_json(cell, &text, error);
    }
    if (status == STATUS_OK && told != SQL_JSON_BYTES) {
        status = sql_append_canonical_json(buffer_string(&text), text.length,
                                           told == SQL_JSON_REPEATS, &canonical, error);
    }
    if (status == STATUS_OK) {
        keep_text(told == SQL_JSON_BYTES ? &text : &canonical, false, arena, normal);
    }
    buffer_free(&text);
    buffer_free(&canonical);
    return status;
}

enum status sql_json_of_normal(const struct cell *normal, struct arena *scratch, struct cell *value,
                               struct error *error)
{
    struct cell read;
    struct error why = {0};
    *value = *normal;
    if (normal->kind != VALUE_TEXT) {
        return STATUS_OK;
    }
    if (convert_read_json(normal->text, normal->length, scratch, &read, &why) == STATUS_OK) {
        value->kind = VALUE_JSON;
    } else if (why.class != ERROR_CLASS_REJECT) {
        *error = why;
        return STATUS_FAILED;
    }
    return STATUS_OK;
}
