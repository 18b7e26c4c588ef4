/* Types as CQL writes them: read and printed. */
#include "connectors/cassandra/protocol/cql_type.h"

#include "connectors/cassandra/protocol/cql_type_parts.h"
#include <stdio.h>
#include <string.h>

enum { SHOWN_MAX = 128, PARTS_MAX = 32768, WORD_MAX = 16 };
static const char not_utf8[] = "a name in it is not UTF-8";
#define EMPTY_CLASS "org.apache.cassandra.db.marshal.EmptyType"

/* A cursor over the text. */
struct words {
    const char *at;
    const char *end;
    struct cql_udts *udts;
    struct arena *arena;
    struct text whole;
    struct error *error;
};

static enum status cql_type_text_refuse(struct words *words, const char *why)
{
    char shown[SHOWN_MAX];
    text_printable(words->whole.data, words->whole.length, shown, sizeof shown);
    return error_set(words->error, ERROR_BAD_VALUE, NULL, "\"%s\" is no type of CQL: %s", shown,
                     why);
}

static void skip_blanks(struct words *words)
{
    while (words->at < words->end && (*words->at == ' ' || (*words->at >= 9 && *words->at <= 13))) {
        words->at++;
    }
}

static bool cql_type_text_take(struct words *words, char mark)
{
    skip_blanks(words);
    if (words->at == words->end || *words->at != mark) {
        return false;
    }
    words->at++;
    return true;
}

static bool is_letter(char letter)
{
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == '_';
}

/* The text between marks, two of them standing for one. */
static bool take_quoted(struct words *words, char mark, struct text *text)
{
    char *bytes = arena_allocate(words->arena, (size_t)(words->end - words->at) + 1);
    size_t length = 0;
    for (; words->at < words->end; words->at++) {
        bool doubled = words->at + 1 < words->end && words->at[1] == mark;
        if (*words->at == mark && !doubled) {
            words->at++;
            *text = (struct text){bytes, length};
            return length > 0;
        }
        words->at += *words->at == mark;
        bytes[length++] = *words->at;
    }
    return false;
}

/* A name; without quotes its capitals are small letters. */
static bool take_name(struct words *words, struct text *name, bool *quoted)
{
    *quoted = cql_type_text_take(words, '"');
    if (*quoted) {
        return take_quoted(words, '"', name);
    }
    const char *start = words->at;
    while (words->at < words->end && is_letter(*words->at)) {
        words->at++;
    }
    size_t length = (size_t)(words->at - start);
    char *small = arena_copy(words->arena, start, length);
    for (size_t i = 0; i < length; i++) {
        small[i] = (char)(small[i] >= 'A' && small[i] <= 'Z' ? small[i] + 32 : small[i]);
    }
    *name = (struct text){small, length};
    return length > 0;
}

static enum status take_type(struct words *words, uint32_t depth, const struct cql_type **type);

static enum status take_udt(struct words *words, struct text name, const struct cql_type **type)
{
    struct text keyspace = {"", 0};
    bool quoted;
    if (cql_type_text_take(words, '.')) {
        keyspace = name;
        if (!take_name(words, &name, &quoted)) {
            return cql_type_text_refuse(words, "a name is missing after '.'");
        }
        if (!text_is_utf8(name.data, name.length)) {
            return cql_type_text_refuse(words, not_utf8);
        }
    }
    *type = words->udts != NULL ? words->udts->find(words->udts, keyspace, name) : NULL;
    return *type != NULL ? STATUS_OK : cql_type_text_refuse(words, "there is no type of that name");
}

/* The types between < and >, or those before a vector's dimension. */
static enum status take_parts(struct words *words, struct cql_type *made, uint32_t depth)
{
    const struct cql_type **parts = NULL;
    uint32_t room = 0;
    if (!cql_type_text_take(words, '<')) {
        return cql_type_text_refuse(words, "'<' is missing");
    }
    do {
        if (made->part_count == room) {
            uint32_t more = room == 0 ? 2 : 2 * room;
            const struct cql_type **grown = cql_type_make_parts(words->arena, more);
            if (room > 0) {
                memcpy(grown, parts, room * sizeof(void *));
            }
            parts = grown;
            made->parts = parts;
            room = more;
        }
        if (take_type(words, depth + 1, &parts[made->part_count]) != STATUS_OK) {
            return STATUS_FAILED;
        }
        made->part_count++;
    } while (made->kind != CQL_TYPE_VECTOR && made->part_count < PARTS_MAX &&
             cql_type_text_take(words, ','));
    return STATUS_OK;
}

static enum status take_dimension(struct words *words, struct cql_type *made)
{
    int64_t dimension = 0;
    struct text digits;
    bool quoted;
    if (!cql_type_text_take(words, ',') || !take_name(words, &digits, &quoted) ||
        text_to_int64(digits.data, digits.length, &dimension) != STATUS_OK || dimension < 1 ||
        dimension > INT32_MAX) {
        return cql_type_text_refuse(words, "a vector has an element and a dimension");
    }
    made->dimension = (uint32_t)dimension;
    return STATUS_OK;
}

static enum status take_composite(struct words *words, enum cql_kind kind, uint32_t depth,
                                  const struct cql_type **type)
{
    struct cql_type *made = cql_type_make(words->arena, kind);
    *type = made;
    if (take_parts(words, made, depth) != STATUS_OK ||
        (kind == CQL_TYPE_VECTOR && take_dimension(words, made) != STATUS_OK)) {
        return STATUS_FAILED;
    }
    uint32_t wanted = kind == CQL_TYPE_TUPLE ? made->part_count : kind == CQL_TYPE_MAP ? 2 : 1;
    return made->part_count != wanted
               ? cql_type_text_refuse(words, "it has not as many types within as it should")
           : !cql_type_text_take(words, '>') ? cql_type_text_refuse(words, "'>' is missing")
                                             : STATUS_OK;
}

static enum status take_frozen(struct words *words, uint32_t depth, const struct cql_type **type)
{
    if (!cql_type_text_take(words, '<')) {
        return cql_type_text_refuse(words, "'<' is missing");
    }
    if (take_type(words, depth + 1, type) != STATUS_OK) {
        return STATUS_FAILED;
    }
    *type = cql_type_frozen(*type, words->arena);
    return cql_type_text_take(words, '>') ? STATUS_OK
                                          : cql_type_text_refuse(words, "'>' is missing");
}

static enum status take_class(struct words *words, uint32_t depth, const struct cql_type **type)
{
    struct text name;
    if (!take_quoted(words, '\'', &name)) {
        return cql_type_text_refuse(words, "a quote is not closed");
    }
    if (!text_is_utf8(name.data, name.length)) {
        return cql_type_text_refuse(words, not_utf8);
    }
    *type = cql_type_of_class_at(name, depth, words->arena);
    return STATUS_OK;
}

static enum status take_type(struct words *words, uint32_t depth, const struct cql_type **type)
{
    static const struct cql_type empty = {
        .kind = CQL_TYPE_CUSTOM,
        .name = {EMPTY_CLASS, sizeof EMPTY_CLASS - 1},
    };
    struct text name;
    bool quoted;
    enum cql_kind kind;
    if (depth >= CQL_TYPE_DEPTH_MAX) {
        return cql_type_text_refuse(words, "it is nested too deep");
    }
    if (cql_type_text_take(words, '\'')) {
        return take_class(words, depth, type);
    }
    if (!take_name(words, &name, &quoted)) {
        return cql_type_text_refuse(words, "a name is missing");
    }
    if (!quoted && cql_is_word(name, "frozen")) {
        return take_frozen(words, depth, type);
    }
    if (!quoted && cql_is_word(name, "empty")) {
        *type = &empty;
        return STATUS_OK;
    }
    if (quoted && !text_is_utf8(name.data, name.length)) {
        return cql_type_text_refuse(words, not_utf8);
    }
    if (quoted || !cql_type_has_name(&kind, name)) {
        return take_udt(words, name, type);
    }
    if (cql_type_is_plain(kind)) {
        *type = cql_type_plain(kind);
        return STATUS_OK;
    }
    return take_composite(words, kind, depth, type);
}

enum status cql_type_parse(struct text text, struct cql_udts *udts, struct arena *arena,
                           const struct cql_type **type, struct error *error)
{
    struct words words = {.at = text.data,
                          .end = text.data + text.length,
                          .udts = udts,
                          .arena = arena,
                          .whole = text,
                          .error = error};
    if (take_type(&words, 0, type) != STATUS_OK) {
        return STATUS_FAILED;
    }
    skip_blanks(&words);
    return words.at == words.end ? STATUS_OK
                                 : cql_type_text_refuse(&words, "something stands behind it");
}

/* ---------------------------------------------------------------- printing */

/* The words that CQL reserves, and the types, which a user-defined one would be taken for. */
static bool is_reserved(struct text name)
{
    static const char words[] =
        " add allow alter and any apply asc authorize batch begin by columnfamily create "
        "default delete desc describe drop each_quorum empty entries execute from frozen "
        "full grant if in index inet infinity insert into is keyspace keyspaces limit "
        "local_one local_quorum materialized mbean mbeans modify nan norecursive not null "
        "of on one or order password primary quorum rename replace revoke schema select "
        "set table three to token truncate two unlogged unset update use using varchar "
        "view where with ";
    enum cql_kind kind;
    char padded[WORD_MAX + 3];
    if (name.length > WORD_MAX) {
        return false;
    }
    snprintf(padded, sizeof padded, " %.*s ", (int)name.length, name.data);
    return strstr(words, padded) != NULL || cql_type_has_name(&kind, name);
}

static void append_quoted(struct text name, char mark, struct buffer *out)
{
    buffer_append_byte(out, mark);
    for (size_t i = 0; i < name.length; i++) {
        buffer_append(out, (const char[]){mark, mark}, name.data[i] == mark ? 1 : 0);
        buffer_append_byte(out, name.data[i]);
    }
    buffer_append_byte(out, mark);
}

void cql_name_append(struct text name, struct buffer *out)
{
    bool plain = name.length > 0 && name.data[0] >= 'a' && name.data[0] <= 'z';
    for (size_t i = 0; i < name.length && plain; i++) {
        plain = is_letter(name.data[i]) && !(name.data[i] >= 'A' && name.data[i] <= 'Z');
    }
    if (plain && !is_reserved(name)) {
        buffer_append(out, name.data, name.length);
        return;
    }
    append_quoted(name, '"', out);
}

static void append_parts(const struct cql_type *type, struct buffer *out)
{
    buffer_append_string(out, cql_kind_name(type->kind));
    buffer_append_byte(out, '<');
    for (uint32_t i = 0; i < type->part_count; i++) {
        buffer_append_string(out, i > 0 ? ", " : "");
        cql_type_append(type->parts[i], out);
    }
    if (type->kind == CQL_TYPE_VECTOR) {
        buffer_format(out, ", %u", type->dimension);
    }
    buffer_append_byte(out, '>');
}

static void append_whole(const struct cql_type *type, struct buffer *out)
{
    switch (type->kind) {
    case CQL_TYPE_UDT:
        cql_name_append(type->name, out);
        return;
    case CQL_TYPE_CUSTOM:
        append_quoted(type->name, '\'', out);
        return;
    case CQL_TYPE_LIST:
    case CQL_TYPE_SET:
    case CQL_TYPE_MAP:
    case CQL_TYPE_TUPLE:
    case CQL_TYPE_VECTOR:
        append_parts(type, out);
        return;
    default:
        buffer_append_string(out, cql_kind_name(type->kind));
    }
}

void cql_type_append(const struct cql_type *type, struct buffer *out)
{
    buffer_append_string(out, type->frozen ? "frozen<" : "");
    append_whole(type, out);
    buffer_append_string(out, type->frozen ? ">" : "");
}

const char *cql_type_text(const struct cql_type *type, struct arena *arena)
{
    struct buffer out = {0};
    cql_type_append(type, &out);
    const char *text = arena_copy(arena, out.data, out.length);
    buffer_free(&out);
    return text;
}
