/* Would a record be written? Asked of the service's own encoder, for check; nothing is sent. */
#include "connectors/keyed/keyed_internal.h"

#include "base/memory.h"
#include "connectors/common/trial.h"
#include <stdlib.h>

/* The encoder of one shape. */
struct trial_encoder {
    struct trial_encoder *next;
    const struct shape *shape;
    void *encoder;
};

struct target_trial {
    struct database *database;
    const struct keyed_service *service;
    const struct target_table *table;
    struct keyed_connection *connection;
    struct trial_encoder *encoders;
    struct buffer body;
    struct cell *cells; /* a record's, without those that are passed over */
    uint32_t capacity;
};

static enum status trial_open(struct database *self, const struct target_table *table,
                              struct target_trial **trial, struct error *error)
{
    const struct keyed_service *service = keyed_room_of(self)->service;
    struct target_trial *made = NULL;
    struct keyed_connection *connection = NULL;
    if (table->key.count > KEYED_KEY_COLUMNS_MAX) {
        return STATUS_END; /* writer_open refuses it */
    }
    enum status status = service->try_connect != NULL
                             ? service->try_connect(self, table, &connection, error)
                             : service->connect(self, table, 1, 1, &connection, error);
    if (status == STATUS_OK) {
        made = memory_allocate_zeroed(1, sizeof(*made));
        made->database = self;
        made->service = service;
        made->table = table;
        made->connection = connection;
    }
    *trial = made;
    return status;
}

static void trial_close(struct target_trial *trial)
{
    while (trial->encoders != NULL) {
        struct trial_encoder *next = trial->encoders->next;
        if (trial->service->encoder_free != NULL) {
            trial->service->encoder_free(trial->encoders->encoder);
        }
        free(trial->encoders);
        trial->encoders = next;
    }
    trial->service->disconnect(trial->connection);
    buffer_free(&trial->body);
    free(trial->cells);
    free(trial);
}

static void *find_encoder(struct target_trial *trial, const struct shape *shape)
{
    struct trial_encoder *known = trial->encoders;
    if (trial->service->encoder == NULL) {
        return NULL;
    }
    while (known != NULL && known->shape != shape) {
        known = known->next;
    }
    if (known == NULL) {
        known = memory_allocate_zeroed(1, sizeof(*known));
        known->shape = shape;
        known->encoder = trial->service->encoder(trial->connection, 0, shape);
        known->next = trial->encoders;
        trial->encoders = known;
    }
    return known->encoder;
}

static enum status trial_record(struct target_trial *trial, const struct shape *shape,
                                const struct cell *cells, const bool *passed, struct error *error)
{
    const struct keyed_service *service = trial->service;
    struct cell key[KEYED_KEY_COLUMNS_MAX];
    const struct shape *fields = shape != NULL && shape->field_count > 0 ? shape : NULL;
    cells = trial_cells(fields, cells, passed, &trial->cells, &trial->capacity);
    struct keyed_record record = {.table = trial->table,
                                  .shape = fields,
                                  .cells = cells,
                                  .encoder = find_encoder(trial, fields),
                                  .attempt = 1};
    record.key = keyed_find_key(trial->table, fields, cells, key) ? key : NULL;
    buffer_clear(&trial->body);
    enum status status = service->encode(trial->connection, keyed_kind_of(trial->table), &record,
                                         &trial->body, error);
    return status == STATUS_OK && service->foresee != NULL
               ? service->foresee(trial->connection, &record, trial->body.length, error)
               : status;
}

const struct trial_functions keyed_trial = {
    .open = trial_open,
    .record = trial_record,
    .close = trial_close,
};
