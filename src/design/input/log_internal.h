#ifndef TRANSHUME_DESIGN_INPUT_LOG_INTERNAL_H
#define TRANSHUME_DESIGN_INPUT_LOG_INTERNAL_H

#include "base/text.h"
#include "design/input/log.h"
#include "design/input/window.h"

struct log_reading {
    const struct input_log *log;
    struct input_sql *input;
    struct window window;
    struct buffer statement; /* of several lines, while it is put together */
    uint64_t statement_line;
    bool dropping; /* it grew too long */
};

/* ---------------------------------------------------------------- log_sql.c */

enum status log_read_sql(struct log_reading *reading, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- log_table.c */

enum { LOG_COLUMNS_MAX = 64 };

struct log_record {
    struct text fields[LOG_COLUMNS_MAX];
    uint32_t count;
    size_t bytes; /* that it takes, its end included */
    uint64_t lines;
};

/* Reads a record of CSV or TSV and unescapes its fields in place; those beyond LOG_COLUMNS_MAX are
 * left out. False: it does not end in `length` bytes, unless they are the `last`. */
bool log_record_read(char *bytes, size_t length, bool last, char delimiter,
                     struct log_record *record);
enum status log_read_table(struct log_reading *reading, struct error *error) MUST_USE;
enum status log_read_postgres_csv(struct log_reading *reading, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- log_mysql.c */

/* "2024-01-01T10:00:00.1Z\t 8 Query\tSELECT 1": false: the line begins no entry. */
bool log_is_general(const char *line, size_t length, struct text *command, struct text *argument);
enum status log_read_general(struct log_reading *reading, struct error *error) MUST_USE;
enum status log_read_slow(struct log_reading *reading, struct error *error) MUST_USE;

/* ---------------------------------------------------------------- log.c */

void log_add(struct log_reading *reading, struct text sql, double weight, uint64_t line);
void log_drop(struct log_reading *reading, uint64_t line);

#endif
