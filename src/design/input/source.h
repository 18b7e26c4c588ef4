/* Files that an analysis begins with, if it is no live database. */
#ifndef TRANSHUME_DESIGN_INPUT_SOURCE_H
#define TRANSHUME_DESIGN_INPUT_SOURCE_H

#include "base/buffer.h"
#include "connectors/contract/connector.h"
#include "design/workload/statement.h"
#include "sql/lexer.h"

enum input_source_kind {
    INPUT_SOURCE_DATABASE, /* no such file: a URI or a path of a connector's */
    INPUT_SOURCE_DDL,      /* NAME.sql, NAME.ddl */
    INPUT_SOURCE_NAMES     /* NAME.json: a list of "table.column" */
};

enum { INPUT_FILE_BYTES_MAX = 256 << 20 };

/* By the ending of the name, and only if such a file is there. */
enum input_source_kind input_source_kind_of(const char *argument);

/*
 * The schema that such a file describes, in `arena`; `language` is the dialect of a DDL file as it
 * was recognised, or as `given` (-1: recognise it). What could not be read is appended to `notes`,
 * a line each "FILE:LINE:COLUMN: what". STATUS_FAILED: no table could be read.
 */
enum status input_source_read(const char *path, enum input_source_kind kind, int given,
                              struct arena *arena, struct schema *schema,
                              enum sql_language *language, struct buffer *notes,
                              struct error *error) MUST_USE;

/* Stands for a file of queries: the statements that the source's server has counted itself. */
extern const char input_live_name[];

/* The workload that files of SQL and query logs hold, in `arena`; what could not be read is
 * appended to `notes`. `live` is the source, open for reading, for `input_live_name` among the
 * paths; NULL: it is a file. STATUS_FAILED: a file could not be read, or none has a statement of
 * use. */
enum status input_workload_read(const char *const *paths, uint32_t count, struct database *live,
                                const struct graph *graph, enum sql_language language,
                                struct arena *arena, struct workload *workload,
                                struct buffer *notes, struct error *error) MUST_USE;

#endif
