/*
 * The settings that a whole copy of a table carries besides items, keys and indexes: from
 * DescribeTable, DescribeTimeToLive and ListTagsOfResource of the source to CreateTable and
 * UpdateTimeToLive of the target. They travel as target_table.settings, a JSON object of this
 * connector's own:
 *
 *   table    members of CreateTable: ProvisionedThroughput or OnDemandThroughput, TableClass
 *   indexes  {"NAME": the same of a global index}
 *   ttl      the attribute that says when an item expires
 *   tags     [{"Key":…,"Value":…}], as ListTagsOfResource has them
 *   left     what is seen and not carried, for people: ["its stream (NEW_IMAGE)"]
 *   unread   what could not be read, and why: ["its tags: …"]
 */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_WHOLE_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_WHOLE_H

#include "connectors/dynamodb/network/network.h"
#include <jansson.h>

/* The tag that says which run made a table; never carried. */
#define DYNAMODB_RUN_TAG "transhume:run"
enum { DYNAMODB_TAGS_MAX = 50 };

/* The settings in DescribeTable's `Table`: table, indexes, left; the object's last brace is left
 * off, for dynamodb_whole_settings to go on. */
const char *dynamodb_whole_described(const json_t *table, bool on_demand, struct arena *arena);
/* catalog_functions.settings: the rest is asked for, table by table. What may not be read is
 * `unread`, no error. */
enum status dynamodb_whole_settings(struct database *self, const char *const *tables,
                                    uint32_t count, struct arena *arena, const char **settings,
                                    struct error *error);
/* Adds the tags of a resource to the array `tags`; an endpoint that knows none has none. */
enum status dynamodb_tags_read(struct dynamodb_network *network, const char *arn, json_t *tags,
                               struct error *error) MUST_USE;

/* ---------------------------------------------------------------- as the target */

/* The table's settings; `*whole` is NULL where it has none. The caller decrefs. */
enum status dynamodb_whole_read(const struct target_table *table, json_t **whole,
                                struct error *error) MUST_USE;
/* Members of CreateTable, of the table (`index` NULL) or of a global index, each after a comma;
 * BillingMode is one of the table's. */
void dynamodb_whole_append(const json_t *whole, const char *index, struct buffer *body);
/* Write units a second of the table; 0: on demand. */
uint64_t dynamodb_whole_write_units(const json_t *whole);
/* NULL: items don't expire. */
const char *dynamodb_whole_ttl(const json_t *whole);
/* The settings that are left out, and those that could not be read, as one text: "its stream
 * (NEW_IMAGE), …"; nothing where there are none. */
void dynamodb_whole_append_left(const json_t *whole, struct buffer *out);
/* The words of check for a table that is to be made: "on demand, time to live by x, 2 tags". */
void dynamodb_whole_append_told(const json_t *whole, bool plan_bills, struct buffer *out);

#endif
