/* Requests beside those of readers and writers. */
#include "connectors/opensearch/opensearch.h"

enum status opensearch_control(struct opensearch_database *self,
                               const struct opensearch_request *request, struct buffer *body,
                               struct service_reply **reply, struct error *error)
{
    struct opensearch_request whole = *request;
    if (body != NULL) {
        whole.body = body->data;
        whole.body_length = body->length;
    }
    pthread_mutex_lock(&self->keyed.control_mutex);
    enum status status = opensearch_client_call(self->control, &whole, reply, error);
    pthread_mutex_unlock(&self->keyed.control_mutex);
    if (body != NULL) {
        buffer_free(body);
    }
    return status;
}

enum status opensearch_control_write(struct opensearch_database *self,
                                     const struct opensearch_request *request, struct buffer *body,
                                     enum opensearch_fault allowed, enum opensearch_fault *fault,
                                     struct error *error)
{
    struct service_reply *reply = NULL;
    struct opensearch_request leased = *request;
    leased.lease = keyed_lease(&self->keyed);
    enum status status = opensearch_control(self, &leased, body, &reply, error);
    enum opensearch_fault found =
        status == STATUS_OK ? (enum opensearch_fault)reply->fault : OPENSEARCH_FAULT_NONE;
    if (found != OPENSEARCH_FAULT_NONE && found != allowed) {
        status = error_copy(error, &reply->error);
    }
    if (fault != NULL) {
        *fault = found;
    }
    service_reply_destroy(reply);
    return status;
}

enum status opensearch_control_ask(struct opensearch_database *self,
                                   const struct opensearch_request *request, struct buffer *body,
                                   json_t **root, struct error *error)
{
    struct service_reply *reply = NULL;
    *root = NULL;
    enum status status = opensearch_control(self, request, body, &reply, error);
    if (status == STATUS_OK && opensearch_reply_no_index(reply)) {
        status = STATUS_END;
    } else if (status == STATUS_OK && reply->fault != OPENSEARCH_FAULT_NONE) {
        status = error_copy(error, &reply->error);
    } else if (status == STATUS_OK) {
        const char *object = request->object != NULL ? request->object : self->keyed.uri->shown;
        *root = opensearch_reply_parse(reply, object, error);
        status = *root != NULL ? STATUS_OK : STATUS_FAILED;
    }
    service_reply_destroy(reply);
    return status;
}
