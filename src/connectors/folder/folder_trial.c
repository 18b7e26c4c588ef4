/* Would a record be written? Asked of the format's own encoder, for check; nothing is written. */
#include "connectors/folder/folder.h"
#include "connectors/folder/folder_record.h"

#include "base/memory.h"
#include <stdlib.h>

/* The encoder of one shape. */
struct trial_encoder {
    struct trial_encoder *next;
    const struct shape *shape;
    struct folder_encoder *encoder;
};

struct target_trial {
    struct folder *folder;
    const struct target_table *table;
    struct trial_encoder *encoders;
    struct buffer bytes;
    struct cell *cells; /* a record's, without those that are passed over */
    uint32_t capacity;
};

static enum status trial_open(struct database *self, const struct target_table *table,
                              struct target_trial **trial, struct error *error)
{
    struct target_trial *made = memory_allocate_zeroed(1, sizeof(*made));
    (void)error;
    made->folder = (struct folder *)self;
    made->table = table;
    made->folder->is_trial = true;
    *trial = made;
    return STATUS_OK;
}

static void trial_close(struct target_trial *trial)
{
    while (trial->encoders != NULL) {
        struct trial_encoder *next = trial->encoders->next;
        trial->folder->format->encoder_destroy(trial->encoders->encoder);
        free(trial->encoders);
        trial->encoders = next;
    }
    buffer_free(&trial->bytes);
    free(trial->cells);
    free(trial);
}

static enum status find_encoder(struct target_trial *trial, const struct shape *shape,
                                const struct cell *cells, struct folder_encoder **encoder,
                                struct error *error)
{
    for (struct trial_encoder *known = trial->encoders; known != NULL; known = known->next) {
        if (known->shape == shape) {
            *encoder = known->encoder;
            return STATUS_OK;
        }
    }
    struct trial_encoder *made = memory_allocate_zeroed(1, sizeof(*made));
    if (trial->folder->format->encoder_create(trial->folder, trial->table, shape, cells,
                                              &made->encoder, error) != STATUS_OK) {
        free(made);
        return STATUS_FAILED;
    }
    made->shape = shape;
    made->next = trial->encoders;
    trial->encoders = made;
    *encoder = made->encoder;
    return STATUS_OK;
}

static enum status trial_record(struct target_trial *trial, const struct shape *shape,
                                const struct cell *cells, const bool *passed, struct error *error)
{
    struct folder_encoder *encoder = NULL;
    const struct shape *fields = shape != NULL && shape->field_count > 0 ? shape : NULL;
    cells = trial_cells(fields, cells, passed, &trial->cells, &trial->capacity);
    enum status status = find_encoder(trial, fields, cells, &encoder, error);
    buffer_clear(&trial->bytes);
    return status == STATUS_OK ? folder_encode_record(trial->folder, trial->table, fields, encoder,
                                                      cells, &trial->bytes, error)
                               : status;
}

const struct trial_functions folder_trial = {
    .open = trial_open,
    .record = trial_record,
    .close = trial_close,
};
