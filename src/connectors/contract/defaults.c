/* Defaults for slots and groups of the contract where a connector has nothing to do. */
#include "connectors/contract/defaults.h"

enum status source_prepares_nothing(struct database *self,
                                    const struct read_request *const *requests,
                                    uint32_t request_count, void (*progress)(const char *what),
                                    struct error *error)
{
    (void)self;
    (void)requests;
    (void)request_count;
    (void)progress;
    (void)error;
    return STATUS_OK;
}

const struct sql_target_functions *connector_sql_target(const struct connector *connector)
{
    static const struct sql_target_functions none = {0};
    return connector->sql_target != NULL ? connector->sql_target : &none;
}

const struct column_functions *connector_columns(const struct connector *connector)
{
    static const struct column_functions none = {0};
    return connector->columns != NULL ? connector->columns : &none;
}

const struct forecast_functions *connector_forecast(const struct connector *connector)
{
    static const struct forecast_functions none = {0};
    return connector->forecast != NULL ? connector->forecast : &none;
}

enum status target_finishes_nothing(struct database *self, struct after_load_request *request,
                                    struct error *error)
{
    (void)self;
    (void)request;
    (void)error;
    return STATUS_OK;
}

enum status source_has_no_snapshot(struct database *self, uint32_t reader_count,
                                   struct arena *arena, const char **token, struct error *error)
{
    (void)self;
    (void)reader_count;
    (void)arena;
    (void)error;
    *token = "none";
    return STATUS_OK;
}
