/* One record as a format encodes it, for those who write it and for those who only try. */
#ifndef TRANSHUME_CONNECTORS_FOLDER_FOLDER_RECORD_H
#define TRANSHUME_CONNECTORS_FOLDER_FOLDER_RECORD_H

#include "connectors/common/trial.h"
#include "connectors/folder/folder.h"

/* Appends the record. STATUS_FAILED of class REJECT: it can't be written, `out` is as it was.
 * `shape` NULL: documents. */
enum status folder_encode_record(const struct folder *folder, const struct target_table *table,
                                 const struct shape *shape, struct folder_encoder *encoder,
                                 const struct cell *cells, struct buffer *out,
                                 struct error *error) MUST_USE;

#endif
