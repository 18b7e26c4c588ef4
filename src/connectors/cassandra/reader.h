/* Declarations that the files of the source share: readers and their cursors. */
#ifndef TRANSHUME_CONNECTORS_CASSANDRA_READER_H
#define TRANSHUME_CONNECTORS_CASSANDRA_READER_H

#include "connectors/cassandra/scan.h"
#include "connectors/contract/source.h"

struct reader {
    struct cassandra *cassandra;
    struct cassandra_scans scans;
};

/* As struct source_functions has them. */
enum status cassandra_cursor_open(struct reader *reader, const struct read_request *request,
                                  const struct span *span, struct cursor **cursor,
                                  struct error *error);
enum status cassandra_cursor_next(struct cursor *cursor, uint32_t rows_max, size_t bytes_max,
                                  struct batch **batch, struct error *error);
void cassandra_cursor_close(struct cursor *cursor);

#endif
