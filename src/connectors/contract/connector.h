/*
 * The contract between the engine and a database.
 *
 * A connector is a `const struct connector`: a name, capabilities, limits and optional groups of
 * functions, each in a header of its own. A missing group means that the database is not that kind
 * of thing. The engine never asks which database it is: it asks for a group, a capability or a
 * limit.
 *
 *   threads   A `struct database` is opened, prepared and closed on the control thread. Each reader
 *             and each writer opened from it lives on one thread. Functions that may be called
 *             beside others say so.
 *   results   enum status everywhere; STATUS_FAILED fills `error`, whose class says what may be
 *             done: RETRY the same call again, REJECT one record, STOP the run.
 *   waiting   No call waits for ever: each either ends within the database's deadline
 *             (`struct open_options.timeout_ms`) or fails with class RETRY. One that tries again by
 *             itself, and gives up, fails with class STOP: the patience is spent but once.
 *   memory    What a function gives back lives in the arena or batch that the caller passed or
 *             gets.
 */
#ifndef TRANSHUME_CONNECTORS_CONTRACT_CONNECTOR_H
#define TRANSHUME_CONNECTORS_CONTRACT_CONNECTOR_H

#include "connectors/contract/alter.h"
#include "connectors/contract/apply.h"
#include "connectors/contract/change.h"
#include "connectors/contract/columns.h"
#include "connectors/contract/database.h"
#include "connectors/contract/definitions.h"
#include "connectors/contract/express.h"
#include "connectors/contract/feed.h"
#include "connectors/contract/forecast.h"
#include "connectors/contract/ledger.h"
#include "connectors/contract/load.h"
#include "connectors/contract/rights.h"
#include "connectors/contract/rollback.h"
#include "connectors/contract/source.h"
#include "connectors/contract/sql_target.h"
#include "connectors/contract/store.h"
#include "connectors/contract/target.h"

enum { CONNECTOR_CONTRACT_VERSION = 26 };

struct connector {
    uint32_t contract_version;
    const char *name;            /* the URI scheme: "sqlite" */
    const char *title;           /* "SQLite" */
    const char *const *schemes;  /* further schemes, NULL-terminated; may be NULL */
    const char *const *suffixes; /* endings of bare paths (".db"); may be NULL. Of a connector of
                                    folders (uri_help names a DIR) only files that are there */
    const char *uri_help;        /* "sqlite:FILE" */
    uint32_t capabilities;
    enum guarantee guarantee;
    const struct connector_option *options;
    uint32_t option_count;
    const struct type_mapping *types;
    uint32_t type_count;
    const char *const *failpoints; /* NULL-terminated; "sqlite.before_commit" … */

    /* Opens; as a target it may create the database itself (a file, a folder), nothing in it. */
    enum status (*open)(const struct open_options *options, struct database **database,
                        struct error *error);
    void (*close)(struct database *database);
    /* A text that is equal for the same database whatever the URI looks like ("file /a/b.db dev 1
     * inode 2"), without secrets. */
    enum status (*identity)(struct database *self, struct arena *arena, const char **identity,
                            struct error *error);

    const struct catalog_functions *catalog;
    const struct source_functions *source;
    const struct target_functions *target;
    const struct sql_target_functions *sql_target; /* it and the next four: of a target */
    const struct column_functions *columns;
    const struct forecast_functions *forecast;
    const struct trial_functions *trial;
    const struct express_functions *express;
    const struct store_functions *store;
    const struct lock_functions *lock;
    const struct rollback_functions *rollback;
    const struct feed_functions *feed;
    const struct apply_functions *apply;
    const struct load_functions *load;
    const struct alter_functions *alter;
    const struct definition_functions *definitions;
    const struct change_functions *change; /* needs `alter` */
    const struct rights_functions *rights;
};

/* A module exports one of these under this name. */
#define CONNECTOR_MODULE_SYMBOL "transhume_connector"

#endif
