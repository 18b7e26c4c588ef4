/*
 * Named connections: `@prod` in place of a URI, on the command line and in plans.
 *
 * The file is YAML, a map of names (letters, digits, - and _) and URIs. In a URI ${NAME} and
 * ${file:PATH} stand for what the environment and files have, percent-encoded; paths are relative
 * to the file's folder:
 *
 *   prod: postgres://app:${PROD_PASSWORD}@db.example.org/shop
 *   copy: sqlite:/var/lib/shop/copy.db
 *
 * It is the file of TRANSHUME_CONNECTIONS, else transhume/connections.yaml in XDG_CONFIG_HOME, else
 * in ~/.config. Each call reads it again. What comes of a name is registered as secret where a URI
 * has secrets.
 */
#ifndef TRANSHUME_PLAN_TEXT_CONNECTIONS_H
#define TRANSHUME_PLAN_TEXT_CONNECTIONS_H

#include "base/arena.h"
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

#define CONNECTIONS_VARIABLE "TRANSHUME_CONNECTIONS"

struct connection {
    const char *name;    /* without the @ */
    const char *uri;     /* secrets included; NULL: it can't be made, and `fault` says why */
    const char *place;   /* "FILE:LINE:COLUMN" */
    struct error *fault; /* NULL: none */
};

/*
 * The URI behind "@NAME", in the arena. ERROR_CONNECTION_UNKNOWN: there is none of that name, or no
 * file; ERROR_CONNECTIONS_INVALID: what the file has under it can't be used, or all of it, as where
 * others may write it. Passwords in a file that others may read are told with a warning.
 */
enum status connection_find(const char *name, struct arena *arena, const char **uri,
                            struct error *error) MUST_USE;
/* "@NAME" becomes the URI behind it in the arena; any other text, and NULL, stays. */
enum status connection_expand(const char **text, struct arena *arena, struct error *error) MUST_USE;
/* The URI behind the name, if it is what `shown` was made of; else `shown`. `name` may be NULL. For
 * runs, which keep both. */
const char *connection_recall(const char *name, const char *shown, struct arena *arena);
/* All of them in the order of the file, and the file's path. No file: none. */
enum status connections_list(struct arena *arena, struct connection **list, uint32_t *count,
                             const char **path, struct error *error) MUST_USE;

#endif
