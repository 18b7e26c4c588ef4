/*
 * The costs of reads and writes. For Cassandra they are those of NoSE (Mior and others, "NoSE:
 * Schema Design for NoSQL Applications", ICDE 2016), in its units, with its published constants:
 * a request costs as much as 5.7 partitions or 670 rows. For DynamoDB they are capacity units and
 * their prices (us-east-1, on demand).
 */
#ifndef TRANSHUME_DESIGN_WORKLOAD_COST_H
#define TRANSHUME_DESIGN_WORKLOAD_COST_H

#include <stdbool.h>

enum cost_unit {
    COST_WORK,    /* seconds of a server, about */
    COST_CAPACITY /* dollars of a million executions */
};

struct cost_model {
    enum cost_unit unit;
    double request;
    double partition;
    double row;
    double sorted_row; /* that the client sorts */
    double scan;       /* beside what is read: a scan serves nobody whose tables grow */
    double step;       /* beside what is read: a further step waits for the one before */
    double client;     /* beside what is read: the client drops or sorts rows */
    double insert;     /* a row; COST_CAPACITY: a write unit */
    double remove;
    double read_unit;   /* COST_CAPACITY: 4 KiB read eventually consistent */
    double stored_byte; /* for the time that the weights are of; breaks ties where it is small */
    double cells_max;   /* of a partition; 0: no bound */
    double bytes_max;   /* of a partition; 0: no bound */
    double page_bytes;  /* that a request of a scan reads; 0: it reads partition by partition */
    /* Families of one root are a table and its secondary indexes. The server keeps the indexes from
     * the table's item, so that a write reads nothing for them; there is nothing static, and the
     * sort key is one value, whose parts all ascend. */
    bool indexes;
};

extern const struct cost_model cost_cassandra;
extern const struct cost_model cost_dynamodb;

/*
 * The model with bytes that weigh: storing all of the source once more costs as much as one more
 * request for each query. So a copy stays where the share of the queries that it saves a request is
 * above the share of the data that it stores again. `weight` is that of all queries, `bytes` are
 * those of the source.
 */
struct cost_model cost_of_bytes(const struct cost_model *model, double weight, double bytes);

/* `requests` that together read `rows` of `row_bytes` from as many partitions. */
double cost_read(const struct cost_model *model, double requests, double rows, double row_bytes);
/* `rows` of `row_bytes` written, `removed` rows deleted. */
double cost_write(const struct cost_model *model, double rows, double removed, double row_bytes);

#endif
