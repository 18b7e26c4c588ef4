/* The target side of DynamoDB over the network: what its files share. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_TARGET_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_TARGET_H

#include "connectors/dynamodb/network/describe.h"
#include "connectors/dynamodb/network/network.h"
#include "connectors/keyed/tables.h"
#include <jansson.h>

/* ---------------------------------------------------------------- keys.c */

/* The key attributes of one table as far as they are known. Entries never change once given. */
struct dynamodb_known {
    const char *table;
    struct dynamodb_key *keys;
    uint32_t key_count;
    struct dynamodb_known *next;
};

/* Types come from the table where it exists (`description`, may be NULL), else from columns and
 * shapes. Any thread; the result lives as long as the database. */
const struct dynamodb_known *dynamodb_network_keys(struct dynamodb_network *network,
                                                   const struct target_table *table,
                                                   const struct shape *const *shapes,
                                                   uint32_t shape_count,
                                                   const struct dynamodb_description *description);

/* A table's key as bytes: for each attribute its length (4 bytes, big endian), its letter and its
 * normal form. Equal keys have equal bytes. `key` has table->key.count cells. */
enum status dynamodb_key_append(struct database *self, const struct target_table *table,
                                const struct cell *key, struct buffer *out,
                                struct error *error) MUST_USE;
/* Back to cells (in the arena). False: these bytes are no key of the table. */
bool dynamodb_key_read(struct database *self, const struct target_table *table,
                       const uint8_t *bytes, size_t length, struct arena *arena, struct cell *key);
/* The key's cells of an item (a MAP). False: one is missing. */
bool dynamodb_key_of_item(const struct target_table *table, const struct cell *item,
                          struct cell *key);

/* ---------------------------------------------------------------- tables.c, create.c */

enum status dynamodb_network_inspect(struct database *self, const struct target_table *tables,
                                     uint32_t table_count, bool *table_exists, bool *record_exists,
                                     struct error *error);
enum status dynamodb_network_check_table(struct database *self, const struct check_request *request,
                                         struct buffer *out, struct error *error);
enum status dynamodb_network_count(struct database *self, const struct target_table *table,
                                   uint64_t *count, struct error *error);
enum status dynamodb_network_fetch(struct database *self, const struct target_table *table,
                                   const struct cell *keys, uint32_t key_count,
                                   struct batch **batch, struct error *error);
enum status dynamodb_network_script(struct database *self, const struct script_request *request,
                                    struct script *script, struct error *error);
enum status dynamodb_network_column_type(struct database *self, const struct target_table *table,
                                         const struct schema_column *column, struct buffer *out,
                                         struct error *error);
/* Deletes up to DYNAMODB_WRITES_MAX items. */
enum { DYNAMODB_WRITES_MAX = 25 /* of a BatchWriteItem */ };
enum status dynamodb_network_erase(struct database *self, const struct target_table *table,
                                   const struct cell *keys, uint32_t count,
                                   struct error *error) MUST_USE;
/* Until table and indexes are ACTIVE; the log says what is waited for. */
enum status dynamodb_wait_active(struct dynamodb_network *network, const char *table,
                                 struct error *error) MUST_USE;
/* As struct keyed_tables has it. */
enum status dynamodb_network_empty(struct database *self, const struct target_table *table,
                                   struct error *error);
extern const struct keyed_tables dynamodb_tables; /* create.c */

/* ---------------------------------------------------------------- store.c */

extern const struct store_functions dynamodb_network_store;
extern const struct alter_functions dynamodb_network_alter;
extern const struct change_functions dynamodb_network_change;
extern const struct rights_functions dynamodb_network_rights;
/* store.c: a store in a table of that name, which outlives it. */
enum status dynamodb_store_open_in(struct database *self, const char *table, struct store **store,
                                   struct error *error) MUST_USE;

/* ---------------------------------------------------------------- rollback.c */

extern const struct rollback_functions dynamodb_network_rollback;

/* As struct keyed_tables has it. */
enum status dynamodb_drop_table(struct database *self, const struct target_table *table,
                                const struct keyed_there *there, enum keyed_made made,
                                struct error *error);
/* `id`: of the very table; one with another id is somebody else's, made since, and stays. */
enum status dynamodb_delete_table(struct dynamodb_network *network, const char *table,
                                  const char *id, struct error *error) MUST_USE;
/* Until that table is gone. */
enum status dynamodb_wait_gone(struct dynamodb_network *network, const char *table, const char *id,
                               struct error *error) MUST_USE;

/* ---------------------------------------------------------------- list.c */

/* As struct apply_functions has it. */
enum status dynamodb_network_list(struct database *self, struct apply *apply,
                                  const struct apply_listing *what, apply_found *found,
                                  void *context, struct error *error);

/* ---------------------------------------------------------------- send.c, encode.c */

extern const struct keyed_service dynamodb_keyed_service;

struct keyed_connection {
    struct dynamodb_network *network;
    const struct target_table *tables;
    struct dynamodb_client *client;
    /* of the last answer */
    struct service_reply *reply;
    enum keyed_outcome outcomes[DYNAMODB_WRITES_MAX];
    uint32_t left_count;
    struct error reason;
};

/* As struct keyed_service has them. */
void dynamodb_send_begin(struct keyed_connection *connection, enum keyed_kind kind, uint32_t table,
                         struct buffer *body);
void dynamodb_send_end(struct keyed_connection *connection, enum keyed_kind kind, uint32_t table,
                       struct buffer *body);
enum status dynamodb_send_encode(struct keyed_connection *connection, enum keyed_kind kind,
                                 const struct keyed_record *record, struct buffer *out,
                                 struct error *error) MUST_USE;
enum status dynamodb_network_normal_form(struct database *self, const struct cell *cell,
                                         struct arena *arena, struct cell *normal,
                                         struct error *error);

#endif
