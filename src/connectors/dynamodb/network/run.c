/* Emptying tables that the claimed run made. */
#include "connectors/dynamodb/network/target.h"

#include "base/failpoint.h"

enum status dynamodb_network_empty_all(struct database *self,
                                       const struct target_table *const *tables,
                                       uint32_t table_count, struct error *error)
{
    enum status status = STATUS_OK;
    for (uint32_t at = 0; at < table_count && status == STATUS_OK; at++) {
        status = failpoint_hit("dynamodb.before_empty", error);
        if (status == STATUS_OK) {
            status = dynamodb_network_empty(dynamodb_network_of(self), tables[at], error);
        }
    }
    return status;
}
