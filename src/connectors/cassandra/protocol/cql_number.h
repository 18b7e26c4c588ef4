/* Whole numbers of any size in two's complement, as varint and decimal have them, and vints. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_NUMBER_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_NUMBER_H

#include "base/arena.h"
#include "base/buffer.h"
#include "connectors/cassandra/protocol/cql_wire.h"

/* Does it fit 64 bits? `length` at least 1. */
bool cql_number_read_int64(const uint8_t *bytes, size_t length, int64_t *number);
/* The digits of the magnitude, without leading zeros ("" of 0), in `arena`. `length` is at most
 * CQL_VARINT_BYTES_MAX. */
struct text cql_number_digits(const uint8_t *bytes, size_t length, struct arena *arena);
/* -1, 0, 1, by value. */
int cql_number_compare(const uint8_t *left, size_t left_length, const uint8_t *right,
                       size_t right_length);

/* Appends as few bytes as hold the number. */
void cql_number_append_int64(int64_t number, struct buffer *out);
/* The same of digits of any count, which must be at most CQL_VARINT_BYTES_MAX bytes. False: they
 * are more, and `out` is as it was. */
bool cql_number_append_digits(bool negative, struct text digits, struct buffer *out);

/* An unsigned vint: ones at the top of its first byte tell how many bytes follow. */
uint64_t cql_read_vint(struct cql_reader *reader);
void cql_write_vint(struct buffer *to, uint64_t number);
enum { CQL_VINT_BYTES_MAX = 9 };
/* The same to memory; how many bytes it takes. */
size_t cql_put_vint(uint8_t bytes[CQL_VINT_BYTES_MAX], uint64_t number);
/* A signed one: 0, -1, 1, -2, … are 0, 1, 2, 3, … */
int64_t cql_read_signed_vint(struct cql_reader *reader);
void cql_write_signed_vint(struct buffer *to, int64_t number);

#endif
