/*
 * Figures of a live source: how many rows its tables have, and of each column how large its values
 * are, how many differ, and how many rows share the commonest one. Read from a bounded number of
 * rows of each table, spread over all of it.
 */
#ifndef TRANSHUME_DESIGN_GRAPH_FIGURES_H
#define TRANSHUME_DESIGN_GRAPH_FIGURES_H

#include "connectors/contract/connector.h"
#include "design/graph/figures_sample.h"
#include "model/schema.h"

enum figures_span { FIGURES_YEAR, FIGURES_MONTH, FIGURES_DAY, FIGURES_HOUR, FIGURES_SPANS };

/* The number of the year, month, day or hour that a second since 1970 is in. */
double figures_span_of(double second, enum figures_span span);

struct figures_column {
    double bytes;         /* mean size of a value that is no null */
    double distinct;      /* different values, estimated for the whole table */
    double nulls;         /* share of the rows */
    double most;          /* rows of the commonest value, estimated for the whole table */
    enum value_kind kind; /* that all its values are of, where the declared type says less: truth
                             values that are numbers, days and moments that are texts;
                             VALUE_MISSING: as declared */
    bool is_timed;        /* all of its values that were read are times, from `first_second` to
                             `last_second` since 1970 */
    double first_second;
    double last_second;
    double fullest[FIGURES_SPANS]; /* of times: the share of its values that the fullest year,
                                      month, day and hour has */
    bool negative;                 /* some whole number is below zero */
    bool unique; /* all rows were read, none has a null here, and no two the same value */
    const struct figures_sample *sample; /* NULL: its values are of no kind that keys have */
};

struct figures_table {
    double rows;
    bool is_whole;                        /* all rows were read */
    const struct figures_column *columns; /* as the schema has them; NULL: not read */
};

struct figures {
    const struct figures_table *tables; /* as the schema has them */
};

enum { FIGURES_ROWS_DEFAULT = 20000 };

/* The figures of the tables of `schema`, from at most `rows_max` rows each, in a snapshot of the
 * source's where it has one. Lives in `arena`. A table that cannot be read is an error. */
enum status figures_read(struct database *source, const struct schema *schema, uint32_t rows_max,
                         struct arena *arena, struct figures *figures,
                         struct error *error) MUST_USE;

#endif
