/* Settling duplicates: what finding them and taking them out share. */
#ifndef TRANSHUME_CONNECTORS_FOLDER_FOLDER_KEYS_H
#define TRANSHUME_CONNECTORS_FOLDER_FOLDER_KEYS_H

#include "connectors/folder/folder.h"

struct folder_settling {
    struct folder *folder;
    const struct target_table *table;
    struct arena *arena;
    char *settle_folder;
    char *table_path;
    char *list_path;
    struct folder_marked marked; /* segments of the table */
};

char *folder_settling_path(struct folder_settling *settling, const char *file);
/* The key's cells of a record. */
enum status folder_settling_key(const struct folder_settling *settling, const struct cell *record,
                                struct cell key[FOLDER_KEY_PARTS_MAX],
                                struct error *error) MUST_USE;
/* Tells `found` of each record in the list. */
enum status folder_settling_report(struct folder_settling *settling, folder_found_function *found,
                                   void *context, struct error *error) MUST_USE;
/* Writes each segment in the list again without its duplicates, unless that is done. */
enum status folder_settling_rewrite(struct folder_settling *settling, struct error *error) MUST_USE;

#endif
