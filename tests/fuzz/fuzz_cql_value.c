/*
 * Types and values of CQL. The input is the text of a type, a NUL, and the bytes of a value; its
 * text is taken for the name of a Java class and for an [option] of metadata, too.
 */
#include "support.h"

#include "connectors/cassandra/protocol/cql_model.h"
#include "connectors/cassandra/protocol/cql_normal.h"
#include "connectors/cassandra/protocol/cql_value.h"
#include <string.h>

/* Every name is one of a user-defined type with two fields. */
static const struct cql_type *find_udt(struct cql_udts *self, struct text keyspace,
                                       struct text name)
{
    static const struct cql_type text = {.kind = CQL_TYPE_TEXT};
    static const struct cql_type number = {.kind = CQL_TYPE_VARINT};
    static const struct cql_type *const parts[] = {&text, &number};
    static const struct text names[] = {{"a", 1}, {"b", 1}};
    static const struct cql_type udt = {.kind = CQL_TYPE_UDT,
                                        .part_count = 2,
                                        .parts = parts,
                                        .field_names = names,
                                        .name = {"U", 1}};
    (void)self;
    (void)keyspace;
    return name.length <= 3 ? &udt : NULL;
}

/* What is read is written again, in bytes that read as the same. */
static void read_value(const struct cql_type *type, struct cql_value value, struct arena *arena)
{
    struct error error = {0};
    struct cell cell = {0};
    struct cell again = {0};
    struct buffer out = {0};
    if (cql_value_decode(type, value, arena, &cell, &error) != STATUS_OK) {
        fuzz_check_error(&error);
        return;
    }
    if (cql_value_encode(type, &cell, &out, &error) != STATUS_OK) {
        /* nulls and repeated elements in collections, durations of both signs, and the like */
        fuzz_check_error(&error);
        FUZZ_REQUIRE(error.class == ERROR_CLASS_REJECT);
        FUZZ_REQUIRE(out.length == 0);
    } else {
        const struct cql_type *frozen = cql_type_frozen(type, arena);
        struct cql_reader reader = cql_reader_of(out.data, out.length);
        struct cql_value written = cql_read_value(&reader);
        FUZZ_REQUIRE(!reader.failed && cql_reader_left(&reader) == 0);
        FUZZ_REQUIRE(cql_value_decode(type, written, arena, &again, &error) == STATUS_OK);
        FUZZ_REQUIRE(cql_normal_form(frozen, &cell, arena, &cell, &error) == STATUS_OK);
        FUZZ_REQUIRE(value_equal(&cell, &again));
    }
    buffer_free(&out);
}

/* The text of a type makes it again; so does what the model knows of it. */
static void read_type_again(const struct cql_type *type, struct cql_udts *udts, struct arena *arena)
{
    struct error error = {0};
    const struct cql_type *again = NULL;
    const char *text = cql_type_text(type, arena);
    FUZZ_REQUIRE(cql_type_parse((struct text){text, strlen(text)}, udts, arena, &again, &error) ==
                 STATUS_OK);
    FUZZ_REQUIRE(cql_type_is_equal(type, again));
    struct value_type model = cql_type_to_model(type, arena);
    FUZZ_REQUIRE(cql_type_is_equal(cql_type_of_model(&model, udts, arena), type));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_create(0);
    struct cql_udts udts = {find_udt};
    struct error error = {0};
    const struct cql_type *type = NULL;
    const uint8_t *end = size > 0 ? memchr(data, '\0', size) : NULL;
    struct text text = {(const char *)data, end != NULL ? (size_t)(end - data) : size};
    size_t rest = end != NULL ? size - text.length - 1 : 0;
    struct cql_value value = {end != NULL ? end + 1 : (const uint8_t *)"", (int32_t)rest};
    if (cql_type_parse(text, &udts, arena, &type, &error) == STATUS_OK) {
        read_type_again(type, &udts, arena);
        read_value(type, value, arena);
    } else {
        fuzz_check_error(&error);
    }
    read_value(cql_type_of_class(text, arena), value, arena);
    struct cql_reader reader = cql_reader_of(data, size);
    type = cql_type_read(&reader, arena);
    FUZZ_REQUIRE((type == NULL) == reader.failed);
    if (type != NULL) {
        value = (struct cql_value){reader.at, (int32_t)cql_reader_left(&reader)};
        read_value(type, value, arena);
    }
    arena_destroy(arena);
    return 0;
}
