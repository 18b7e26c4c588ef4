/* Which documents an index refuses, told before they are sent: for check. */
#ifndef TRANSHUME_CONNECTORS_OPENSEARCH_FORESEE_H
#define TRANSHUME_CONNECTORS_OPENSEARCH_FORESEE_H

#include "connectors/opensearch/opensearch.h"

/* The mapping of the table's index, or with table->created the one that it would be made with; the
 * caller's. STATUS_END: there is no index. */
enum status opensearch_foresee_mapping(struct opensearch_database *self,
                                       const struct target_table *table, json_t **mapping,
                                       struct error *error) MUST_USE;
/* Fails of class REJECT, in the server's own words as far as they are known, and names the field.
 */
enum status opensearch_foresee(const json_t *mapping, const struct keyed_record *record,
                               struct error *error) MUST_USE;

#endif
