/* The list of connectors, built in and from modules, and how a URI finds its own. */
#ifndef TRANSHUME_CONNECTORS_COMMON_REGISTRY_H
#define TRANSHUME_CONNECTORS_COMMON_REGISTRY_H

#include "connectors/contract/connector.h"

/*
 * Loads the modules (shared objects) named by TRANSHUME_MODULES, colon-separated; called once from
 * main. A module that is missing, has no CONNECTOR_MODULE_SYMBOL or another contract version is one
 * error.
 */
enum status registry_load_modules(struct error *error) MUST_USE;

/* Loads what else could be named by a URI, for lists of all; what can't be loaded is warned of.
 * Control thread. */
void registry_load_all(void);

/* The schemes that URIs may have, also of connectors that are not loaded; NULL ends the list. */
const char *const *registry_schemes(struct arena *arena);
/* The connectors whose modules are built only where their libraries are, and that are not there: by
 * `index` from 0 their names, and how to get them; NULL: no more. */
const char *registry_lacking(uint32_t index, const char **how);

/* Built in or loaded so far. */
uint32_t registry_count(void);
const struct connector *registry_at(uint32_t index);
/* Is it one of a module? */
bool registry_is_module(uint32_t index);
/* Loads its module if need be; NULL: there is none, or it can't be loaded. Control thread. */
const struct connector *registry_find(const char *scheme);

/* Takes a URI apart and finds its connector. Errors name the nearest scheme and option; a bare path
 * is taken by suffix, or by the file's first bytes. Secrets in it are registered with
 * secret_register. */
enum status registry_resolve(const char *text, struct arena *arena, struct uri **uri,
                             const struct connector **connector, struct error *error) MUST_USE;

/* The value of a parameter or its default; NULL if neither. */
const char *uri_parameter(const struct uri *uri, const struct connector *connector,
                          const char *name);
/* Does it name standard input or output? */
bool uri_is_stream(const struct uri *uri, const struct connector *connector);

#endif
