/* state.json, read for showing it. */
#ifndef TRANSHUME_CLI_STATE_VIEW_H
#define TRANSHUME_CLI_STATE_VIEW_H

#include "base/buffer.h"
#include "base/error.h"
#include <stdbool.h>

/* What `status` shows of a state; false: no state.json of this program. */
bool state_view_append(const char *json, bool color, struct buffer *out);
/* True while the state says that a run goes on and its process is alive. */
bool state_view_is_running(const char *json);

#endif
