/* Settling duplicates: what finding them and taking them out share. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_FOLDER_KEYS_H
#define TRANSHUME_CONNECTORS_DYNAMODB_FOLDER_KEYS_H

#include "connectors/dynamodb/folder.h"

struct dynamodb_settling {
    struct dynamodb_folder *folder;
    const struct target_table *table;
    struct arena *arena;
    char *settle_folder;
    char *list_path;
    struct dynamodb_segment *segments; /* of the table, by name */
    uint32_t segment_count;
};

char *dynamodb_settling_path(struct dynamodb_settling *settling, const char *file);
/* The key's cells (1 or 2) of an item. */
enum status dynamodb_settling_key(const struct dynamodb_settling *settling, const struct cell *item,
                                  struct cell key[2], struct error *error) MUST_USE;
/* Tells `found` of each record in the list. */
enum status dynamodb_settling_report(struct dynamodb_settling *settling,
                                     dynamodb_found_function *found, void *context,
                                     struct error *error) MUST_USE;
/* Writes each segment in the list again without its duplicates, unless that is done. */
enum status dynamodb_settling_rewrite(struct dynamodb_settling *settling,
                                      struct error *error) MUST_USE;

#endif
