/*
 * Types by the names of the server's Java classes.
 *
 *   [package.]Name[(parameter, …)]      a missing package is org.apache.cassandra.db.marshal
 *   UserType(keyspace,name,field:Class,…)   name and fields in hexadecimal digits
 *   VectorType(Class , dimension)
 */
#include "connectors/cassandra/protocol/cql_type.h"

#include "connectors/cassandra/protocol/cql_type_parts.h"
#include <string.h>

#define PACKAGE "org.apache.cassandra.db.marshal."

/* A cursor over the name. */
struct names {
    const char *at;
    const char *end;
    struct arena *arena;
};

static void skip_blanks(struct names *names)
{
    while (names->at < names->end && *names->at == ' ') {
        names->at++;
    }
}

static bool cql_type_class_take(struct names *names, char mark)
{
    skip_blanks(names);
    if (names->at == names->end || *names->at != mark) {
        return false;
    }
    names->at++;
    return true;
}

/* Letters, digits and what stands in the names of classes. */
static struct text take_word(struct names *names)
{
    skip_blanks(names);
    const char *start = names->at;
    while (names->at < names->end && strchr(" ,():", *names->at) == NULL) {
        names->at++;
    }
    return (struct text){start, (size_t)(names->at - start)};
}

static int digit_of(char letter)
{
    return letter >= '0' && letter <= '9'   ? letter - '0'
           : letter >= 'a' && letter <= 'f' ? letter - 'a' + 10
           : letter >= 'A' && letter <= 'F' ? letter - 'A' + 10
                                            : -1;
}

/* A text in hexadecimal digits. */
static bool take_hex(struct names *names, struct text *text)
{
    struct text word = take_word(names);
    char *bytes = arena_allocate(names->arena, word.length / 2 + 1);
    for (size_t i = 0; i + 1 < word.length; i += 2) {
        int high = digit_of(word.data[i]);
        int low = digit_of(word.data[i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        bytes[i / 2] = (char)(high * 16 + low);
    }
    *text = (struct text){bytes, word.length / 2};
    return word.length > 0 && word.length % 2 == 0 && text_is_utf8(text->data, text->length);
}

static const struct cql_type *take_class(struct names *names, uint32_t depth);

/* How many parts there may be: one more than there are commas up to the closing bracket. */
static uint32_t count_parts(const struct names *names)
{
    uint32_t count = 1;
    int open = 0;
    for (const char *at = names->at; at < names->end && open >= 0; at++) {
        open += *at == '(' ? 1 : *at == ')' ? -1 : 0;
        count += open == 0 && *at == ',';
    }
    return count;
}

/* The classes up to the closing bracket; of a user-defined type the fields. */
static bool take_parts(struct names *names, struct cql_type *type, uint32_t depth)
{
    bool named = type->kind == CQL_TYPE_UDT;
    uint32_t most = count_parts(names);
    const struct cql_type **parts = cql_type_make_parts(names->arena, most);
    struct text *fields = named ? arena_allocate_zeroed(names->arena, most, sizeof *fields) : NULL;
    type->parts = parts;
    type->field_names = fields;
    do {
        uint32_t at = type->part_count;
        if (at == most ||
            (named && (!take_hex(names, &fields[at]) || !cql_type_class_take(names, ':')))) {
            return false;
        }
        parts[at] = take_class(names, depth + 1);
        if (parts[at] == NULL) {
            return false;
        }
        type->part_count++;
    } while (cql_type_class_take(names, ','));
    return cql_type_class_take(names, ')');
}

static bool take_udt(struct names *names, struct cql_type *type, uint32_t depth)
{
    type->keyspace = take_word(names);
    type->keyspace.data = arena_copy(names->arena, type->keyspace.data, type->keyspace.length);
    return cql_type_class_take(names, ',') && take_hex(names, &type->name) &&
           cql_type_class_take(names, ',') && take_parts(names, type, depth);
}

static bool take_vector(struct names *names, struct cql_type *type, uint32_t depth)
{
    const struct cql_type **parts = cql_type_make_parts(names->arena, 1);
    parts[0] = take_class(names, depth + 1);
    type->parts = parts;
    type->part_count = 1;
    if (parts[0] == NULL || !cql_type_class_take(names, ',')) {
        return false;
    }
    struct text digits = take_word(names);
    int64_t dimension = 0;
    if (text_to_int64(digits.data, digits.length, &dimension) != STATUS_OK || dimension < 1 ||
        dimension > INT32_MAX) {
        return false;
    }
    type->dimension = (uint32_t)dimension;
    return cql_type_class_take(names, ')');
}

static bool take_parameters(struct names *names, struct cql_type *type, uint32_t depth)
{
    switch (type->kind) {
    case CQL_TYPE_LIST:
    case CQL_TYPE_SET:
        return cql_type_class_take(names, '(') && take_parts(names, type, depth) &&
               type->part_count == 1;
    case CQL_TYPE_MAP:
        return cql_type_class_take(names, '(') && take_parts(names, type, depth) &&
               type->part_count == 2;
    case CQL_TYPE_TUPLE:
        return cql_type_class_take(names, '(') && take_parts(names, type, depth);
    case CQL_TYPE_UDT:
        return cql_type_class_take(names, '(') && take_udt(names, type, depth);
    case CQL_TYPE_VECTOR:
        return cql_type_class_take(names, '(') && take_vector(names, type, depth);
    default:
        return false;
    }
}

static const struct cql_type *take_known(struct names *names, enum cql_kind kind, uint32_t depth)
{
    if (cql_type_is_plain(kind)) {
        return cql_type_plain(kind);
    }
    struct cql_type *type = cql_type_make(names->arena, kind);
    return take_parameters(names, type, depth) ? type : NULL;
}

/* FrozenType(…), ReversedType(…): what is in it. */
static const struct cql_type *take_wrapped(struct names *names, bool freezes, uint32_t depth)
{
    const struct cql_type *inner =
        cql_type_class_take(names, '(') ? take_class(names, depth + 1) : NULL;
    if (inner == NULL || !cql_type_class_take(names, ')')) {
        return NULL;
    }
    return freezes ? cql_type_frozen(inner, names->arena) : inner;
}

/* The end of the class that begins at `start`, its parameters included; NULL: of none. */
static const char *end_of_class(const struct names *names, const char *start)
{
    int open = 0;
    const char *at = start;
    for (; at < names->end && (open > 0 || (*at != ',' && *at != ')')); at++) {
        open += *at == '(' ? 1 : *at == ')' ? -1 : 0;
    }
    return open == 0 ? at : NULL;
}

/* NULL: it can't be read. */
static const struct cql_type *take_class(struct names *names, uint32_t depth)
{
    struct text word = take_word(names);
    const char *start = word.data;
    if (depth >= CQL_TYPE_DEPTH_MAX || word.length == 0) {
        return NULL;
    }
    if (word.length > strlen(PACKAGE) && memcmp(word.data, PACKAGE, strlen(PACKAGE)) == 0) {
        word.data += strlen(PACKAGE);
        word.length -= strlen(PACKAGE);
    }
    if (cql_is_word(word, "FrozenType") || cql_is_word(word, "ReversedType")) {
        return take_wrapped(names, word.data[0] == 'F', depth);
    }
    enum cql_kind kind;
    if (cql_type_has_class(&kind, word)) {
        return take_known(names, kind, depth);
    }
    const char *end = end_of_class(names, start);
    if (end == NULL) {
        return NULL;
    }
    names->at = end;
    struct cql_type *custom = cql_type_make(names->arena, CQL_TYPE_CUSTOM);
    size_t length = (size_t)(end - start);
    custom->name = (struct text){arena_copy(names->arena, start, length), length};
    return custom;
}

const struct cql_type *cql_type_of_class_at(struct text name, uint32_t depth, struct arena *arena)
{
    struct names names = {.at = name.data, .end = name.data + name.length, .arena = arena};
    const struct cql_type *type = name.length > 0 ? take_class(&names, depth) : NULL;
    skip_blanks(&names);
    if (type != NULL && names.at == names.end) {
        return type;
    }
    struct cql_type *custom = cql_type_make(arena, CQL_TYPE_CUSTOM);
    if (name.length > 0) {
        custom->name = (struct text){arena_copy(arena, name.data, name.length), name.length};
    }
    return custom;
}

const struct cql_type *cql_type_of_class(struct text name, struct arena *arena)
{
    return cql_type_of_class_at(name, 0, arena);
}
