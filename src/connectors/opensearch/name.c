/* Names of indexes, ids of documents, keys as bytes. */
#include "connectors/keyed/keys.h"
#include "connectors/opensearch/opensearch.h"

#include "model/convert.h"
#include <ctype.h>
#include <utf8proc.h>

/* ---------------------------------------------------------------- indexes */

static char small_of(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

static void append_small(const char *text, struct buffer *out)
{
    for (; *text != '\0'; text++) {
        char small = small_of(*text);
        opensearch_append_encoded(out, &small, 1);
    }
}

const char *opensearch_prefix_copy(struct arena *arena, const char *prefix)
{
    char *copy = arena_copy(arena, prefix, strlen(prefix));
    for (char *at = copy; *at != '\0'; at++) {
        *at = small_of(*at);
    }
    return copy;
}

void opensearch_index_append(const struct opensearch_database *self, const char *table,
                             struct buffer *out)
{
    append_small(self->prefix, out);
    append_small(table, out);
}

const char *opensearch_path(const struct opensearch_database *self, struct arena *arena,
                            const char *table, const char *rest)
{
    struct buffer path = {0};
    buffer_append_byte(&path, '/');
    opensearch_index_append(self, table, &path);
    buffer_append_string(&path, rest);
    const char *made = arena_copy(arena, path.data, path.length);
    buffer_free(&path);
    return made;
}

/* Other capital letters than A to Z, which the server refuses and are not folded here. */
static bool has_capital(const char *text)
{
    const utf8proc_uint8_t *at = (const utf8proc_uint8_t *)text;
    utf8proc_int32_t point = 0;
    utf8proc_ssize_t size = 0;
    bool found = false;
    while (*at != '\0' && (size = utf8proc_iterate(at, -1, &point)) > 0) {
        found = found || (point > 0x7f && utf8proc_tolower(point) != point);
        at += size;
    }
    return found;
}

static bool has_odd(const char *text)
{
    bool found = false;
    for (const char *at = text; *at != '\0'; at++) {
        found = found || iscntrl((unsigned char)*at) != 0 || strchr("\\/*?\"<>| ,#:", *at) != NULL;
    }
    return found;
}

const char *opensearch_alias_fault(const char *alias)
{
    if (alias[0] == '\0' || strchr("-_+", alias[0]) != NULL) {
        return "alias: it is not empty, and does not begin with - _ or +";
    }
    return has_odd(alias) ? "alias: it has no blanks and none of \\ / * ? \" < > | , # : in it"
                          : NULL;
}

const char *opensearch_prefix_fault(const char *prefix)
{
    if (has_odd(prefix)) {
        return "the prefix: names of indexes have no blanks and none of \\ / * ? \" < > | , # : in "
               "them";
    }
    return has_capital(prefix) ? "the prefix: names of indexes have small letters only" : NULL;
}

const char *opensearch_name_fault(const struct opensearch_database *self, const char *table)
{
    const char *begin = self->prefix[0] != '\0' ? self->prefix : table;
    if (table[0] == '\0') {
        return "its name is empty";
    }
    if (strlen(self->prefix) + strlen(table) > OPENSEARCH_NAME_BYTES_MAX) {
        return "its name is longer than 255 bytes, with the prefix";
    }
    if (strchr("-_+.", begin[0]) != NULL) {
        return "names of indexes do not begin with - _ + or a dot; rename it in the plan, or put a "
               "prefix behind the host";
    }
    if (has_odd(table)) {
        return "names of indexes have no blanks and none of \\ / * ? \" < > | , # : in them; "
               "rename it in the plan";
    }
    if (has_capital(table)) {
        return "names of indexes have small letters only, and only A to Z are made small by "
               "themselves; rename it in the plan";
    }
    return strcmp(table, OPENSEARCH_LEDGER) == 0    ? "the ledger is called so"
           : strcmp(table, OPENSEARCH_HISTORY) == 0 ? "the history of the schema is called so"
                                                    : NULL;
}

bool opensearch_is_own(const struct opensearch_database *self, const char *index)
{
    size_t prefix = strlen(self->prefix);
    return strncmp(index, self->prefix, prefix) == 0 &&
           (strcmp(index + prefix, OPENSEARCH_LEDGER) == 0 ||
            strcmp(index + prefix, OPENSEARCH_HISTORY) == 0);
}

/* ---------------------------------------------------------------- ids */

static enum status refuse_part(const struct target_table *table, uint32_t at, struct error *error)
{
    char shown[80];
    text_printable(table->key.names[at], strlen(table->key.names[at]), shown, sizeof(shown));
    return error_set(error, ERROR_REJECT_KEY_NULL, shown, "%s is null, and a part of the key",
                     shown);
}

static void append_part(const struct buffer *part, bool last, struct buffer *out)
{
    if (part->length == 0) {
        buffer_append_byte(out, '%');
    }
    for (size_t at = 0; at < part->length; at++) {
        char byte = part->data[at];
        if (byte == '%' || (byte == ':' && !last)) {
            buffer_append_string(out, byte == ':' ? "%3A" : "%25");
        } else {
            buffer_append_byte(out, byte);
        }
    }
}

/* The text is that of the normal form: whoever has but that finds the same document. */
static enum status part_text(const struct cell *cell, struct buffer *out, struct error *error)
{
    struct cell normal;
    if (cell->kind == VALUE_TEXT || cell->kind == VALUE_INT64) {
        return convert_append_text(cell, true, out, error);
    }
    struct arena *arena = arena_create(0);
    enum status status = opensearch_normal_form(NULL, cell, arena, &normal, error);
    if (status == STATUS_OK) {
        status = convert_append_text(&normal, true, out, error);
    }
    arena_destroy(arena);
    return status;
}

enum status opensearch_id_append(const struct target_table *table, const struct cell *key,
                                 struct buffer *out, struct error *error)
{
    size_t start = out->length;
    struct buffer part = {0};
    bool is_id = opensearch_key_is_id(table->key);
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < table->key.count && status == STATUS_OK; at++) {
        bool last = at + 1 == table->key.count;
        buffer_clear(&part);
        if (key[at].kind == VALUE_NULL || key[at].kind == VALUE_MISSING) {
            status = refuse_part(table, at, error);
            break;
        }
        status = part_text(&key[at], &part, error);
        if (is_id && status == STATUS_OK && part.length == 0) {
            status = error_set(error, ERROR_REJECT_KEY_NULL, NULL,
                               "its _id is empty, which no document can have");
            break;
        }
        if (is_id) {
            buffer_append(out, part.data, part.length);
        } else {
            append_part(&part, last, out);
        }
        if (!last) {
            buffer_append_byte(out, ':');
        }
    }
    buffer_free(&part);
    if (status == STATUS_OK && out->length - start > OPENSEARCH_ID_BYTES_MAX) {
        status = error_set(error, ERROR_REJECT_KEY_TOO_LONG, NULL,
                           "the id that its key makes has %zu bytes, more than %d",
                           out->length - start, (int)OPENSEARCH_ID_BYTES_MAX);
    }
    return status;
}

/* ---------------------------------------------------------------- for the room */

enum status opensearch_key_bytes(struct database *database, const struct target_table *table,
                                 const struct cell *key, struct buffer *out, struct error *error)
{
    (void)database;
    for (uint32_t at = 0; at < table->key.count; at++) {
        if (key[at].kind == VALUE_NULL || key[at].kind == VALUE_MISSING) {
            return refuse_part(table, at, error);
        }
        size_t begin = keyed_part_begin(out);
        enum status status = part_text(&key[at], out, error);
        if (status != STATUS_OK) {
            return status;
        }
        keyed_part_end(out, begin);
    }
    return STATUS_OK;
}

static enum value_kind kind_of_key(const struct target_table *table, const char *name)
{
    enum value_kind kind = VALUE_TEXT;
    for (uint32_t at = 0; at < table->column_count; at++) {
        kind = strcmp(table->columns[at].name, name) == 0 ? table->columns[at].type.kind : kind;
    }
    return kind;
}

/* A part is a number again where its column is of such; else its normal form is a text. */
bool opensearch_key_read(struct database *database, const struct target_table *table,
                         const uint8_t *bytes, size_t length, struct arena *arena, struct cell *key)
{
    struct text part;
    (void)database;
    for (uint32_t at = 0; at < table->key.count; at++) {
        struct error ignored;
        if (!keyed_part_read(&bytes, &length, &part)) {
            return false;
        }
        const struct value_type type = {.kind = kind_of_key(table, table->key.names[at])};
        const struct cell text = cell_text(arena_copy(arena, part.data, part.length), part.length);
        bool plain = !value_kind_is_number(type.kind) && type.kind != VALUE_BOOL;
        if (plain || convert_value(&text, &type, false, arena, &key[at], &ignored) != STATUS_OK) {
            key[at] = text;
        }
    }
    return length == 0;
}
