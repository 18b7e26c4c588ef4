/*
 * Files in a small ZIP file that is in memory, as far as secure connect bundles need it: stored or
 * deflated, one disk, no encryption, no ZIP64.
 *
 *   | local header, name, extra, bytes | … | central directory: an entry a file | end record 22+ |
 *
 *   end record    50 4b 05 06, at 10 [2] entries, at 16 [4] where the directory begins
 *   entry (46)    50 4b 01 02, at 10 [2] method (0, 8), 16 [4] CRC-32, 20 [4] size here, 24 [4]
 * size, 28 [2] name, 30 [2] extra, 32 [2] comment, 42 [4] where its local header is header (30) 50
 * 4b 03 04, at 26 [2] name, 28 [2] extra
 *
 * All numbers are little-endian.
 */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_ZIP_H
#define TRANSHUME_CONNECTORS_CASSANDRA_PROTOCOL_CQL_ZIP_H

#include "base/arena.h"
#include "base/error.h"
#include "base/text.h"

enum { CQL_ZIP_FILE_BYTES_MAX = 1 << 20 };

/* The file of that name, with a NUL after it. STATUS_END: there is none. ERROR_BAD_VALUE: it is no
 * ZIP file, or damaged, or the file is larger than CQL_ZIP_FILE_BYTES_MAX. */
enum status cql_zip_read(struct text zip, const char *name, struct arena *arena, struct text *file,
                         struct error *error) MUST_USE;

#endif
