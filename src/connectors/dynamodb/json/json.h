/*
 * DynamoDB JSON as a format of files: what json.c, decoder.c, definition.c, table_keys.c and
 * exports.c share.
 *
 *   DIR/<table>/data-<tag>-<chunk>-<entity>-<part>.json[.gz|.zst]    {"Item":{…}} a line
 *   DIR/_transhume/tables/<table>.json    what `aws dynamodb create-table` and `import-table` take
 */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_JSON_JSON_H
#define TRANSHUME_CONNECTORS_DYNAMODB_JSON_JSON_H

#include "connectors/dynamodb/item.h"
#include "connectors/folder/folder.h"

/* dynamodb-json:DIR, opened. */
struct dynamodb_database {
    struct folder folder;                   /* first */
    struct dynamodb_table_keys *table_keys; /* what shapes told of key types; its mutex guards it */
};

extern const struct folder_format dynamodb_folder_format;

/* ---------------------------------------------------------------- definition.c */

/* The contents of DIR/_transhume/tables/<table>.json. */
struct dynamodb_definition {
    struct column_list key;     /* partition, sort */
    struct dynamodb_key *types; /* names and letters of all key attributes */
    uint32_t type_count;
};
/* Missing or not understood (made by hand): STATUS_END. */
enum status dynamodb_definition_read(const char *path, struct arena *arena,
                                     struct dynamodb_definition *definition,
                                     struct error *error) MUST_USE;
struct dynamodb_table_keys;
/* The JSON that CreateTable and ImportTable take. */
void dynamodb_definition_append(const struct target_table *table,
                                const struct dynamodb_table_keys *keys, struct buffer *out);

/* ---------------------------------------------------------------- table_keys.c */

/* The key attributes of one table as far as they are known; entries live in the folder's arena. */
struct dynamodb_table_keys {
    const char *table;
    struct dynamodb_key *keys;
    uint32_t key_count;
    struct dynamodb_table_keys *next;
};

/* Finds or learns the types of a table's keys (shapes may be none); any thread. The result
 * stays. */
const struct dynamodb_table_keys *dynamodb_table_keys_find(struct dynamodb_database *database,
                                                           const struct target_table *table,
                                                           const struct shape *const *shapes,
                                                           uint32_t shape_count);
/*
 * Where neither columns nor shapes told a key's type, the first record does: it is put into the
 * table's definition at once, so that a resume knows the same. `keys` is replaced by what is known
 * then.
 */
enum status dynamodb_table_keys_of_record(struct dynamodb_database *database,
                                          const struct target_table *table,
                                          const struct shape *shape, const struct cell *cells,
                                          const struct dynamodb_table_keys **keys,
                                          struct error *error) MUST_USE;
enum status dynamodb_write_definition(struct folder *folder, const struct target_table *table,
                                      const char *path, bool finish, struct arena *scratch,
                                      struct error *error);

/* ---------------------------------------------------------------- exports.c */

enum status dynamodb_exports_find(struct folder *folder, struct folder_finding *finding,
                                  struct error *error);

/* ---------------------------------------------------------------- decoder.c */

enum status dynamodb_decoder_open(struct folder *folder, const char *name,
                                  const struct folder_table *table,
                                  const struct folder_range *range,
                                  const struct read_request *request,
                                  struct folder_decoder **decoder, struct error *error);
void dynamodb_decoder_close(struct folder_decoder *decoder);
enum status dynamodb_decoder_fill(struct folder_decoder *decoder, struct batch *batch,
                                  uint32_t rows_max, size_t bytes_max, struct error *error);
enum status dynamodb_decoder_raw_next(struct folder_decoder *decoder, const char **bytes,
                                      size_t *length, struct error *error);
enum status dynamodb_decoder_raw_read(struct folder_decoder *decoder, const char *bytes,
                                      size_t length, struct arena *arena, struct cell *record,
                                      struct error *error);

#endif
