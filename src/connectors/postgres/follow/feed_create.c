/* Making and dropping a feed. */
#include "base/failpoint.h"
#include "base/log.h"
#include "connectors/postgres/follow/feed.h"
#include <string.h>

/* Who has read it since it was made keeps it: only what comes after its last confirmation is there,
 * without a snapshot. */
static enum status find_slot(struct postgres_database *self, const char *name,
                             const struct feed_slot *slot, struct arena *arena,
                             struct feed_start *start, struct error *error)
{
    PGconn *walsender = NULL;
    struct feed_place place = {0};
    if (slot->active) {
        return postgres_feed_held(name, slot->pid, error);
    }
    enum status status = postgres_feed_connect(self, &walsender, error);
    status = status == STATUS_OK ? postgres_feed_identify(self, walsender, &place, error) : status;
    postgres_disconnect(walsender);
    place.lsn = slot->confirmed;
    postgres_feed_put_place(&place, arena, &start->position);
    log_write(LOG_INFO, "%s: the slot %s is there already, and continues where it was confirmed",
              self->sql.shown, name);
    return status;
}

static enum status check_slot(const char *name, const struct feed_slot *slot, struct error *error)
{
    if (slot->elsewhere || slot->foreign) {
        error_set(error, ERROR_SOURCE_INVALID, name,
                  slot->elsewhere
                      ? "a slot of this name is there for another database of the server"
                      : "a slot of this name is there that does not tell plain pgoutput");
        return error_hint(error,
                          "choose another name for the feed; or, if nobody needs it: SELECT "
                          "pg_drop_replication_slot('%s')",
                          name);
    }
    return STATUS_OK;
}

static enum status make_slot(struct postgres_database *self, const char *name, struct arena *arena,
                             struct feed_start *start, struct error *error)
{
    PGconn *maker = NULL;
    if (postgres_feed_connect(self, &maker, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (failpoint_hit("postgres.before_slot", error) != STATUS_OK ||
        postgres_feed_make_slot(self, maker, name, arena, start, error) != STATUS_OK ||
        failpoint_hit("postgres.after_slot", error) != STATUS_OK) {
        postgres_disconnect(maker);
        return STATUS_FAILED;
    }
    self->feed_maker = maker;
    return STATUS_OK;
}

/* The slot is looked for before the publication is touched: another feed may use both. */
static enum status create_on(struct postgres_database *self, PGconn *connection, const char *name,
                             const struct followed_table *tables, uint32_t table_count,
                             struct arena *arena, struct feed_start *start, struct error *error)
{
    struct feed_slot slot;
    struct feed_publication publication;
    if (postgres_feed_check_tables(self, connection, tables, table_count, NULL, error) !=
            STATUS_OK ||
        postgres_feed_slot(self, connection, name, &slot, error) != STATUS_OK ||
        (slot.there && check_slot(name, &slot, error) != STATUS_OK) ||
        postgres_feed_publication(self, connection, name, &publication, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    bool unread = slot.there && publication.own && !publication.opened;
    if (slot.there && !unread && slot.lost[0] == '\0') {
        return find_slot(self, name, &slot, arena, start, error);
    }
    /* what was made and never read, as before a crash, has a snapshot no more */
    if (slot.there && postgres_feed_drop_slot(self, connection, name, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    if (postgres_feed_publish(self, connection, name, tables, table_count, error) != STATUS_OK) {
        return STATUS_FAILED;
    }
    return make_slot(self, name, arena, start, error);
}

enum status postgres_feed_create(struct database *database, const char *name,
                                 const struct followed_table *tables, uint32_t table_count,
                                 struct arena *arena, struct feed_start *start, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection = NULL;
    *start = (struct feed_start){0};
    postgres_disconnect(self->feed_maker);
    self->feed_maker = NULL;
    enum status status = postgres_feed_refuse_server(self, error);
    status = status == STATUS_OK ? postgres_connect(self, &connection, error) : status;
    if (status == STATUS_OK) {
        status = create_on(self, connection, name, tables, table_count, arena, start, error);
    }
    postgres_disconnect(connection);
    return status;
}

enum status postgres_feed_extend(struct database *database, const char *name,
                                 const struct followed_table *tables, uint32_t table_count,
                                 struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    PGconn *connection = NULL;
    enum status status = postgres_connect(self, &connection, error);
    status = status == STATUS_OK
                 ? postgres_feed_check_tables(self, connection, tables, table_count, NULL, error)
                 : status;
    status = status == STATUS_OK ? failpoint_hit("postgres.before_publish", error) : status;
    status = status == STATUS_OK
                 ? postgres_feed_publish_more(self, connection, name, tables, table_count, error)
                 : status;
    status = status == STATUS_OK ? failpoint_hit("postgres.after_publish", error) : status;
    postgres_disconnect(connection);
    return status;
}

enum status postgres_feed_drop(struct database *database, const char *name, struct error *error)
{
    struct postgres_database *self = postgres_database_of(database);
    struct feed_publication publication;
    PGconn *connection = NULL;
    enum status status = postgres_connect(self, &connection, error);
    status = status == STATUS_OK ? postgres_feed_drop_slot(self, connection, name, error) : status;
    if (status == STATUS_OK) {
        status = postgres_feed_publication(self, connection, name, &publication, error);
    }
    if (status == STATUS_OK && publication.own) {
        status = postgres_execute_buffer(self, connection,
                                         postgres_sql("DROP PUBLICATION IF EXISTS %n", name),
                                         SQL_SHORT, ERROR_SOURCE_READ, error);
    }
    postgres_disconnect(connection);
    return status;
}
