/* A data file that is being written: the bytes of its records as they are, or packed by its format.
 */
#ifndef TRANSHUME_CONNECTORS_FOLDER_FOLDER_SINK_H
#define TRANSHUME_CONNECTORS_FOLDER_FOLDER_SINK_H

#include "connectors/folder/folder.h"

struct folder_sink;

/* Creates the file, which must not exist. Records come from `encoder` or, with that NULL, from
 * `decoder`; both outlive the sink. Errors are ERROR_TARGET_WRITE or more exact. */
enum status folder_sink_open(struct folder *folder, const char *path,
                             enum folder_compression compression,
                             const struct folder_encoder *encoder,
                             const struct folder_decoder *decoder, struct folder_sink **sink,
                             struct error *error) MUST_USE;
/* Whole records. */
enum status folder_sink_write(struct folder_sink *sink, const void *bytes, size_t length,
                              struct error *error) MUST_USE;
/* Makes the file durable and closes it, also when it fails. */
enum status folder_sink_finish(struct folder_sink *sink, struct folder_print *print,
                               struct error *error) MUST_USE;
/* NULL is fine. The file stays. */
void folder_sink_abandon(struct folder_sink *sink);

#endif
