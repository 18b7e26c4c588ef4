/* Defaults for slots and groups of the contract where a connector has nothing to do. */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_DEFAULTS_H
#define TRANSHUME_CONNECTORS_CONTRACT_DEFAULTS_H

#include "connectors/contract/connector.h"

/* source_functions.prepare, where nothing has to be sorted before it is read. */
enum status source_prepares_nothing(struct database *self,
                                    const struct read_request *const *requests,
                                    uint32_t request_count, void (*progress)(const char *what),
                                    struct error *error);

/* A group whose functions are all optional: the connector's, or one of NULLs where it has none. */
const struct sql_target_functions *connector_sql_target(const struct connector *connector);
/* The rules of the connector's tables; none, where it has no group for them. */
static inline const struct table_rules *connector_rules(const struct connector *connector)
{
    return &connector_sql_target(connector)->rules;
}
const struct column_functions *connector_columns(const struct connector *connector);
const struct forecast_functions *connector_forecast(const struct connector *connector);

/* source_functions.snapshot, where there is none. */
enum status source_has_no_snapshot(struct database *self, uint32_t reader_count,
                                   struct arena *arena, const char **token, struct error *error);
/* target_functions.after_load, where all of a table is made with it. */
enum status target_finishes_nothing(struct database *self, struct after_load_request *request,
                                    struct error *error);

#endif
