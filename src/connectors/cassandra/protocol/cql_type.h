/*
 * The type of a CQL column: read from the metadata of results, from the text that system_schema has
 * of it and from the names of the server's Java classes; printed as CQL.
 *
 *   metadata   [option]: [short] kind, then by kind  (CQL protocol, section 4.2.5.2)
 *              custom  [string] class      list, set  [option]      map  [option] [option]
 *              udt     [string] keyspace, [string] name, [short] n, n times [string] [option]
 *              tuple   [short] n, n [option]
 *   text       frozen<map<text, frozen<list<int>>>>, vector<float, 3>, "Address", 'org.acme.Type'
 *   class      org.apache.cassandra.db.marshal.MapType(…UTF8Type,…Int32Type), as in the [string] of
 *              a custom: vectors are told by it, and durations in versions 3 and 4
 */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_TYPE_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_TYPE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "base/text.h"
#include <stdbool.h>
#include <stdint.h>

struct cql_reader; /* cql_wire.h */

/* The numbers are those of [option]. */
enum cql_kind {
    CQL_TYPE_CUSTOM = 0x00,
    CQL_TYPE_ASCII = 0x01,
    CQL_TYPE_BIGINT = 0x02,
    CQL_TYPE_BLOB = 0x03,
    CQL_TYPE_BOOLEAN = 0x04,
    CQL_TYPE_COUNTER = 0x05,
    CQL_TYPE_DECIMAL = 0x06,
    CQL_TYPE_DOUBLE = 0x07,
    CQL_TYPE_FLOAT = 0x08,
    CQL_TYPE_INT = 0x09,
    CQL_TYPE_TIMESTAMP = 0x0B,
    CQL_TYPE_UUID = 0x0C,
    CQL_TYPE_TEXT = 0x0D, /* varchar; before version 3 also 0x0A */
    CQL_TYPE_VARINT = 0x0E,
    CQL_TYPE_TIMEUUID = 0x0F,
    CQL_TYPE_INET = 0x10,
    CQL_TYPE_DATE = 0x11,
    CQL_TYPE_TIME = 0x12,
    CQL_TYPE_SMALLINT = 0x13,
    CQL_TYPE_TINYINT = 0x14,
    CQL_TYPE_DURATION = 0x15,
    CQL_TYPE_LIST = 0x20,
    CQL_TYPE_MAP = 0x21,
    CQL_TYPE_SET = 0x22,
    CQL_TYPE_UDT = 0x30,
    CQL_TYPE_TUPLE = 0x31,
    CQL_TYPE_VECTOR = 0x32, /* no option of its own */
    CQL_TYPE_KINDS
};

/* Levels of types within types. */
enum { CQL_TYPE_DEPTH_MAX = 32 };

/* Lives in an arena with all that it points to, and does not change once it is made. */
struct cql_type {
    enum cql_kind kind;
    bool frozen;        /* metadata does not tell it */
    uint32_t dimension; /* VECTOR */
    uint32_t part_count;
    const struct cql_type *const *parts; /* LIST, SET, VECTOR: the element; MAP: key and value;
                                            TUPLE, UDT: the fields */
    const struct text *field_names;      /* UDT */
    struct text keyspace;                /* UDT; empty: that of the table */
    struct text name;                    /* UDT; CUSTOM: its class */
};

/* The type of a kind without parts: from ASCII to DURATION. */
const struct cql_type *cql_type_plain(enum cql_kind kind);
/* Reads an [option]. NULL: the reader failed. */
const struct cql_type *cql_type_read(struct cql_reader *reader, struct arena *arena);

/* Where texts find the user-defined types that they name. */
struct cql_udts {
    /* Without quotes; `keyspace` is empty where the text names none. NULL: there is no such type.
     */
    const struct cql_type *(*find)(struct cql_udts *self, struct text keyspace, struct text name);
};

/* Reads the CQL text of a type; names in any case. `udts` NULL: it knows none. STATUS_FAILED
 * (ERROR_BAD_VALUE): it is none, or names one that is not there. */
enum status cql_type_parse(struct text text, struct cql_udts *udts, struct arena *arena,
                           const struct cql_type **type, struct error *error) MUST_USE;
/* Reads the name of a Java class, with its parameters. One that is not known here, and whatever
 * can't be read, is CUSTOM. ReversedType and FrozenType are looked through. */
const struct cql_type *cql_type_of_class(struct text name, struct arena *arena);

/* Appends the CQL text, of which cql_type_parse makes the same type again. */
void cql_type_append(const struct cql_type *type, struct buffer *out);
/* The same, as a text in the arena. */
const char *cql_type_text(const struct cql_type *type, struct arena *arena);
/* Appends a name of anything as CQL has it: quoted if it has to be. */
void cql_name_append(struct text name, struct buffer *out);

/* Equal in all but `frozen` and the keyspace. */
bool cql_type_is_equal(const struct cql_type *left, const struct cql_type *right);
/* The same type, frozen as it has to be in a key: what is nested in it, and that itself. */
const struct cql_type *cql_type_frozen(const struct cql_type *type, struct arena *arena);
/* Bytes that every value of the type has; 0: they vary, as the server's class of the type says of
 * all but boolean, int, bigint, float, double, timestamp, uuid, timeuuid and vectors of these. */
uint32_t cql_type_fixed_bytes(const struct cql_type *type);
/* "int", "list" … NULL: no such kind, or one that each type has a name of its own for. */
const char *cql_kind_name(enum cql_kind kind);
/* Bytes of every value of the kind but an empty one; 0: they vary. */
uint32_t cql_kind_bytes(enum cql_kind kind);

#endif
