/* Objects of S3 as files: what a source reads is copied once, and read like any folder. */
#ifndef TRANSHUME_CONNECTORS_FOLDER_FOLDER_STAGE_H
#define TRANSHUME_CONNECTORS_FOLDER_FOLDER_STAGE_H

#include "connectors/contract/connector.h"

/*
 *   s3://BUCKET/PREFIX     the objects PREFIX/TABLE/FILE and PREFIX/FILE, as DIR/TABLE/FILE and
 *                          DIR/FILE; or the one object that is called PREFIX
 *
 * DIR is made beside the run's spill folder, which the engine empties once its databases are open,
 * or in TMPDIR (/tmp) where there is none; it is removed with the stage. A file's time of change is
 * its object's, in whole seconds, and behind them a hash of its ETag: so what tells that files have
 * changed tells that objects have.
 */
struct folder_stage;

/* Is it such an address? */
bool folder_stage_is(const char *path);
/* Where a URI points. */
struct folder_stage_address {
    const char *bucket;
    const char *prefix;   /* without a slash at its end; "": all of the bucket */
    const char *endpoint; /* NULL: as the settings say */
    const char *region;   /* likewise */
    bool plaintext_allowed;
};
enum status folder_stage_read_address(const struct uri *uri, const struct connector *connector,
                                      struct arena *arena, struct folder_stage_address *address,
                                      struct error *error) MUST_USE;
/* DIR, empty; the caller removes it. `*path` is the caller's to free. */
enum status folder_stage_place(const char *spill_folder, char **path, struct error *error) MUST_USE;
/* Lists and fetches. `wants` says which files, by their names; NULL: all. Objects of a run's ledger
 * are left out. ERROR_SOURCE_MISSING: there are none. Control thread; the options "endpoint" and
 * "region" are the URI's. */
enum status folder_stage_make(const struct open_options *open, const struct connector *connector,
                              bool (*wants)(const void *context, const char *name),
                              const void *context, struct folder_stage **stage,
                              struct error *error) MUST_USE;
void folder_stage_destroy(struct folder_stage *stage); /* NULL is fine */
/* DIR, or the one file in it. */
const char *folder_stage_path(const struct folder_stage *stage);
/* "s3 https://s3.eu-west-1.amazonaws.com/bucket/prefix" */
const char *folder_stage_identity(const struct folder_stage *stage);
const struct folder_stage_address *folder_stage_address_of(const struct folder_stage *stage);
/* The policy of IAM that allows just what a run does there (folder_rights.c). */
void folder_stage_add_policy(const struct folder_stage_address *address, bool writes,
                             struct rights_list *list);

#define FOLDER_STAGE_OPTIONS                                                                \
    {"endpoint", OPTION_TEXT,                                                               \
     "",         NULL,                                                                      \
     false,      "s3://: the address of a compatible store, as http://127.0.0.1:9000."},    \
        {"region", OPTION_TEXT, "",                                                         \
         NULL,     false,       "s3://: the bucket's region; else as AWS's settings say."}, \
    {                                                                                       \
        "plaintext", OPTION_BOOLEAN, "no", NULL, false,                                     \
            "s3://: allow: http:// to a store that is not on this machine."                 \
    }

#endif
