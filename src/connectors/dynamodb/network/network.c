/* Requests on the control client, which all files of this connector send. */
#include "connectors/dynamodb/network/network.h"

enum { ONE_TRY_MS = -1 };

static enum status network_call(struct dynamodb_network *network, const char *operation,
                                const char *object, const struct buffer *body,
                                const struct database *lease, int64_t patience_ms,
                                struct service_reply **response, struct error *error)
{
    const struct dynamodb_request request = {.operation = operation,
                                             .object = object,
                                             .body = body->data,
                                             .body_length = body->length,
                                             .patience_ms = patience_ms,
                                             .lease = lease};
    pthread_mutex_lock(&network->keyed.control_mutex);
    enum status status = dynamodb_client_call(network->control, &request, response, error);
    pthread_mutex_unlock(&network->keyed.control_mutex);
    return status;
}

enum status dynamodb_network_call(struct dynamodb_network *network, const char *operation,
                                  const char *object, const struct buffer *body,
                                  struct service_reply **response, struct error *error)
{
    return network_call(network, operation, object, body, NULL, 0, response, error);
}

enum status dynamodb_network_write(struct dynamodb_network *network, const char *operation,
                                   const char *object, const struct buffer *body,
                                   struct service_reply **response, struct error *error)
{
    const struct database *lease = keyed_lease(&network->keyed);
    return network_call(network, operation, object, body, lease, 0, response, error);
}

enum status dynamodb_network_write_once(struct dynamodb_network *network, const char *operation,
                                        const char *object, const struct buffer *body,
                                        struct service_reply **response, struct error *error)
{
    const struct database *lease = keyed_lease(&network->keyed);
    return network_call(network, operation, object, body, lease, ONE_TRY_MS, response, error);
}
