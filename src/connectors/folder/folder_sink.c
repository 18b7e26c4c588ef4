/* Data files that are being written. */
#include "connectors/folder/folder_sink.h"

#include "base/memory.h"
#include <stdlib.h>

struct folder_sink {
    const struct folder_packing *packing; /* NULL: `output` has the records as they are */
    struct folder_pack *pack;
    struct folder_output *output;
    char *path;
};

static void free_sink(struct folder_sink *sink)
{
    free(sink->path);
    free(sink);
}

enum status folder_sink_open(struct folder *folder, const char *path,
                             enum folder_compression compression,
                             const struct folder_encoder *encoder,
                             const struct folder_decoder *decoder, struct folder_sink **sink,
                             struct error *error)
{
    struct folder_sink *made = memory_allocate_zeroed(1, sizeof(*made));
    *sink = NULL;
    made->packing = folder->format->packing;
    made->path = memory_copy_string(path);
    enum status status =
        made->packing != NULL
            ? made->packing->open(folder, path, encoder, decoder, &made->pack, error)
            : folder_output_open(path, compression, &made->output, error);
    if (status != STATUS_OK) {
        free_sink(made);
        return STATUS_FAILED;
    }
    *sink = made;
    return STATUS_OK;
}

enum status folder_sink_write(struct folder_sink *sink, const void *bytes, size_t length,
                              struct error *error)
{
    return sink->packing != NULL ? sink->packing->write(sink->pack, bytes, length, error)
                                 : folder_output_write(sink->output, bytes, length, error);
}

enum status folder_sink_finish(struct folder_sink *sink, struct folder_print *print,
                               struct error *error)
{
    enum status status = STATUS_OK;
    if (sink->packing == NULL) {
        status = folder_output_finish(sink->output, print, error);
    } else if (sink->packing->finish(sink->pack, error) != STATUS_OK) {
        status = STATUS_FAILED;
    } else if (folder_print_file(sink->path, print, error) != STATUS_OK) {
        status = error_set(error, ERROR_TARGET_WRITE, sink->path, "the file is gone");
    }
    free_sink(sink);
    return status;
}

void folder_sink_abandon(struct folder_sink *sink)
{
    if (sink == NULL) {
        return;
    }
    if (sink->packing != NULL) {
        sink->packing->abandon(sink->pack);
    } else {
        folder_output_abandon(sink->output);
    }
    free_sink(sink);
}
