/* What stands in slots of the contract where a connector has nothing to do. */
#ifndef TRANSHUME_CONNECTORS_DEFAULTS_H
#define TRANSHUME_CONNECTORS_DEFAULTS_H

#include "connectors/connector.h"

/* source_functions.prepare, where nothing has to be sorted before it is read. */
enum status source_prepares_nothing(struct database *self,
                                    const struct read_request *const *requests,
                                    uint32_t request_count, void (*progress)(const char *what),
                                    struct error *error);

/* source_functions.snapshot, where there is none. */
enum status source_has_no_snapshot(struct database *self, uint32_t reader_count,
                                   struct arena *arena, const char **token, struct error *error);
/* target_functions.after_load, where all of a table is made with it. */
enum status target_finishes_nothing(struct database *self, struct after_load_request *request,
                                    struct error *error);

#endif
