/*
 * Values of CQL columns as cells, and back.
 *
 *   type                        bytes                                  cell
 *   ascii, text                 the text                               TEXT; not UTF-8: BYTES
 *   blob                        the bytes                              BYTES
 *   boolean                     1                                      BOOL
 *   tinyint … bigint, counter   1, 2, 4, 8, two's complement           INT64
 *   varint                      two's complement, as few as hold it    INT64; beyond it DECIMAL
 *   decimal                     [int] scale, then as a varint          DECIMAL, the scale kept
 *   float, double               4, 8, IEEE 754                         FLOAT32, FLOAT64
 *   timestamp                   8, ms since 1970, UTC                  TIMESTAMP, zoned
 *   date                        4, days, 2^31 is 1970-01-01            DATE
 *   time                        8, ns since midnight                   TIME
 *   duration                    3 signed vints: months, days, ns       INTERVAL
 *   uuid, timeuuid              16                                     UUID
 *   inet                        4 or 16                                TEXT
 *   list, set                   [int] n, n [bytes]                     LIST, SET
 *   map                         [int] n, n times [bytes] [bytes]       MAP
 *   tuple, udt                  [bytes] a field; the last may lack     LIST; MAP with TEXT keys
 *   vector                      the elements; such of no fixed length  LIST
 *                               have an unsigned vint of it before
 *   custom                      any                                    ESCAPE
 *
 * (CQL protocol v5, section 5; vint: org.apache.cassandra.utils.vint.) Versions 3, 4 and 5 have the
 * same bytes.
 *
 * ESCAPE with ESCAPE_CASSANDRA stands for the bytes of what has no cell: a value of no bytes, which
 * most types have besides null; a decimal or varint of too many digits; a timestamp beyond the
 * microseconds of a cell. It is written only as a type that reads it as an ESCAPE again.
 */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_VALUE_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_VALUE_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/error.h"
#include "connectors/cassandra/protocol/cql_type.h"
#include "connectors/cassandra/protocol/cql_wire.h"
#include "model/value.h"

enum {
    CQL_VARINT_BYTES_MAX = 16384, /* of a varint, and of the digits of a decimal: 39,456 digits */
    CQL_SCALE_MAX = 20000,        /* of a decimal */
    CQL_ZEROS_MAX = 1000,         /* that a negative scale adds */
    CQL_VALUE_BYTES_MAX = 256 << 20
};

/*
 * Texts, bytes and UUIDs are borrowed from the value; what is nested, intervals and long decimals
 * live in `arena`. A null is NULL, an unset value MISSING. STATUS_FAILED (REJECT_UNREADABLE): these
 * are no bytes of that type.
 */
enum status cql_value_decode(const struct cql_type *type, struct cql_value value,
                             struct arena *arena, struct cell *cell, struct error *error) MUST_USE;

/*
 * Appends a [value] with its length: NULL as null, MISSING as unset. What a cell of another kind
 * says exactly is taken: whole numbers as any type of numbers that holds them, LIST and SET for one
 * another, as a text whatever has one (model/convert.h), LIST, SET and MAP as JSON; a timestamp
 * without zone is one in UTC. Sets and maps are written in the server's order. STATUS_FAILED of
 * class REJECT: the type does not hold it, and why; or what reading a LARGE value says. `out` is as
 * it was then.
 */
enum status cql_value_encode(const struct cql_type *type, const struct cell *cell,
                             struct buffer *out, struct error *error) MUST_USE;

#endif
