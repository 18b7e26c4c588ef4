/*
 * The capacity units of DynamoDB that reading and writing take, and what they cost.
 *
 *   read    a Scan takes 1 unit for 4 KB read with ConsistentRead, else half of one
 *   write   an item takes 1 unit for each KB of its size, rounded up, and as much again in each
 *           index that it is in
 *
 * (AWS: "Read and write capacity modes", "Item sizes and formats"; KB are 1,024 bytes.)
 */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_ESTIMATE_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_ESTIMATE_H

#include "connectors/contract/connector.h"

/* On-demand prices of the region us-east-1 in US dollars, as AWS lists them since 2024-11-01
 * ("Amazon DynamoDB pricing"); other regions, provisioned capacity and contracts differ. */
#define DYNAMODB_PRICE_DATE "2024-11-01"
enum {
    DYNAMODB_PRICE_WRITE_NANODOLLARS = 625, /* a write unit */
    DYNAMODB_PRICE_READ_NANODOLLARS = 125   /* a read unit */
};

/* Thousandths of read units that a Scan of so many bytes takes. */
uint64_t dynamodb_estimate_read_milliunits(uint64_t bytes, bool consistent);
/* Write units of one item, indexes left out. */
uint64_t dynamodb_estimate_write_units(uint64_t item_bytes);

/* source_functions.caveats: what reading the tables that were asked for takes, one line each. */
enum status dynamodb_estimate_read(struct database *self, struct buffer *out,
                                   struct error *error) MUST_USE;

/* forecast_functions.load_add and load_describe. */
void dynamodb_estimate_add(struct database *self, const struct target_table *table,
                           const struct shape *shape, const struct cell *cells,
                           struct target_load *load);
enum status dynamodb_estimate_write(struct database *self, const struct target_table *tables,
                                    const struct target_load *loads, uint32_t table_count,
                                    struct buffer *out, struct error *error) MUST_USE;

#endif
