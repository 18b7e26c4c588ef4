/* URIs of a connector that is known: taken apart, percent-decoded, their options checked. */
#ifndef TRANSHUME_CONNECTORS_COMMON_URI_H
#define TRANSHUME_CONNECTORS_COMMON_URI_H

#include "connectors/contract/connector.h"

/* A URI with `text` and `shown` only: what errors need before its connector is found. */
struct uri *uri_begin(const char *text, struct arena *arena);
/*
 * scheme:path, scheme://authority/path and ?options; `rest` is what follows the scheme's colon.
 * Connectors whose uri_help has no "://" are of files: "//" after the scheme is an empty authority.
 * Passwords and secret options are registered and not in `shown`.
 */
enum status uri_read(struct uri *uri, const struct connector *connector, const char *rest,
                     struct arena *arena, struct error *error) MUST_USE;
/* A bare path, nothing in it decoded, and the options behind it ("" for none). */
enum status uri_read_path(struct uri *uri, const struct connector *connector, const char *path,
                          const char *options, struct arena *arena, struct error *error) MUST_USE;

#endif
