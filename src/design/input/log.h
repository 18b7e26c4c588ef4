/* Files that say which statements run, and how often. */
#ifndef TRANSHUME_DESIGN_INPUT_LOG_H
#define TRANSHUME_DESIGN_INPUT_LOG_H

#include "design/input/sql.h"

enum input_log_format {
    INPUT_LOG_SQL,          /* statements; a comment "weight: 5" or "name: x" is of the next one */
    INPUT_LOG_TABLE,        /* CSV or TSV with a statement and a weight in each line: exports of
                               pg_stat_statements and events_statements_summary_by_digest, or made by
                               hand */
    INPUT_LOG_POSTGRES_CSV, /* log_destination = csvlog */
    INPUT_LOG_MYSQL_GENERAL,
    INPUT_LOG_MYSQL_SLOW
};

struct input_log {
    enum input_log_format format;
    enum sql_language language;
    char delimiter; /* TABLE: "," ";" or a tab; POSTGRES_CSV: "," */
    bool header;    /* TABLE: the first line names the columns */
    uint32_t sql_column;
    uint32_t weight_column; /* UINT32_MAX: there is none: each counts once */
};

/*
 * Finds out what kind of file it is by its first 64 KiB (`otherwise`: the dialect if nothing shows
 * it) and adds all its statements, as of the log's dialect. It is opened once and read forwards, so
 * it may be a pipe. Memory is bounded, however large the file and however long its lines:
 * statements of more than 1 MiB are dropped and counted. Lines that are of no use (connections,
 * errors, comments of a log) are stepped over.
 */
enum status input_log_read(const char *path, enum sql_language otherwise, struct input_log *log,
                           struct input_sql *input, struct error *error) MUST_USE;

#endif
