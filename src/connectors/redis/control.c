/* The connection for statements beside those of readers and writers. */
#include "connectors/redis/redis.h"

enum status redis_control(struct redis_database *self, struct redis_call *call,
                          struct buffer *command, struct arena *arena, struct resp_value *reply,
                          struct error *error)
{
    call->command = command;
    pthread_mutex_lock(&self->keyed.control_mutex);
    enum status status = redis_client_call(self->control, call, arena, reply, error);
    pthread_mutex_unlock(&self->keyed.control_mutex);
    buffer_free(command);
    return status;
}
