/* The probe's commands, and what they share. */
#ifndef TRANSHUME_TESTS_NET_PROBE_H
#define TRANSHUME_TESTS_NET_PROBE_H

#include "base/error.h"
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

json_t *probe_error(const struct error *error); /* null for no error */
const char *probe_text(const json_t *object, const char *name);
int64_t probe_number(const json_t *object, const char *name, int64_t otherwise);
bool probe_flag(const json_t *object, const char *name);

json_t *probe_http(const json_t *request);
json_t *probe_sign(const json_t *request);
json_t *probe_config(const json_t *request);
json_t *probe_credentials(const json_t *request);

#endif
